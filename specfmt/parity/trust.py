"""What may be loaded: architectures that name nothing but Keras's own parts."""

from __future__ import annotations

from typing import Any, Final

from specfmt.formats.read.word_objects import FUNCTION, known_name

OWN: Final = (
    *("activations", "constraints", "dtype_policies", "initializers", "layers", "losses"),
    *("metrics", "models", "ops", "optimizers", "regularizers", "tree"),
)
"""Packages of Keras whose classes and functions compute, and do nothing else."""

NO_COMPUTATION: Final = frozenset(
    [
        *("audio", "autograph", "config", "data", "debugging", "distribute", "errors", "estimator"),
        *("experimental", "feature_column", "io", "lite", "load_library", "load_op_library"),
        *("lookup", "mlir", "numpy_function", "print", "profiler", "py_function", "queue"),
        *("raw_ops", "saved_model", "summary", "sysconfig", "test", "tpu", "train", "types"),
        *("version", "xla", "compat", "__internal__", "function", "Module"),
    ]
)
"""Names below ``tf.`` that read or write files, run Python or do anything but compute."""

COMPAT: Final = ("compat.v1.", "compat.v2.")


WITHOUT: Final = {
    "initializer": {"class_name": "Zeros", "config": {}},
    "regularizer": None,
    "constraint": None,
}
"""Replaces user-defined objects that no output depends on once there are weights."""


COMPILED: Final = "compile_config"


def without_words(architecture: Any, key: str = "") -> Any:
    """The same without initializers, regularizers and constraints that are not Keras's own.

    Keras refuses a model for them, though it gets its weights from elsewhere; and for losses and
    metrics of a model inside another one, which it compiles in any case.
    """
    kind = key.rpartition("_")[2]
    if kind in WITHOUT and _is_foreign(architecture, kind):
        return WITHOUT[kind]
    if isinstance(architecture, dict):
        inner = architecture.items()
        return {
            k: without_words(v, k) for k, v in inner if k != COMPILED or not isinstance(v, dict)
        }
    if isinstance(architecture, list):
        return [without_words(value) for value in architecture]
    return architecture


def uncompiled(architecture: Any) -> Any:
    """A model without what it was compiled with."""
    if not isinstance(architecture, dict):
        return architecture
    return {key: value for key, value in architecture.items() if key != COMPILED}


def _is_foreign(word: Any, kind: str) -> bool:
    """Whether a serialized word names something that is not Keras's."""
    module, registered = None, None
    name = word
    if isinstance(word, dict):
        name, module = word.get("class_name"), word.get("module")
        registered = word.get("registered_name")
        if name == FUNCTION:
            name = word.get("config")
    if not isinstance(name, str):
        return word is not None
    return known_name(kind, name, module) is None or ">" in str(registered)


def refusal(architecture: Any) -> str:
    """Why an architecture is not handed to Keras; empty if it may be.

    Keras's own safe mode refuses code in Lambda layers, and newer releases refuse modules other
    than Keras's; Keras 2 imports every module that a file names, and looks up every TensorFlow
    function.
    """
    stack = [architecture]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            reason = _refused(item)
            if reason:
                return reason
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return ""


def _refused(item: dict[str, Any]) -> str:
    name = item.get("class_name")
    config = item.get("config")
    if name in ("Lambda", "__lambda__"):
        return "it holds a Lambda layer, whose code would have to be run"
    module = item.get("module")
    if isinstance(name, str) and isinstance(module, str) and not _is_own(module):
        return f"it names {module}.{name}, which is not Keras's own"
    if name in ("TFOpLambda", "SlicingOpLambda") and isinstance(config, dict):
        function = str(config.get("function", ""))
        for prefix in COMPAT:
            function = function.removeprefix(prefix)
        if function.split(".")[0] in NO_COMPUTATION or "write" in function:
            return f"it calls tf.{function}, which does more than compute"
    if name == "TensorFlowOpLayer":  # of Keras 2.2 to 2.4
        return "it holds raw TensorFlow nodes"
    return ""


def _is_own(module: str) -> bool:
    package, _, rest = module.partition(".")
    if module == "builtins":  # how Keras names its own functions
        return True
    rest = rest.removeprefix("src.").removeprefix("engine.")
    if package in ("keras", "tf_keras"):
        return not rest or rest.split(".")[0] in (*OWN, "functional", "sequential")
    return module.startswith("tensorflow.keras.") and module.split(".")[2] in OWN
