"""Which architectures may be loaded by Keras: those that refer only to Keras's own classes."""

from __future__ import annotations

from typing import Any, Final

from specfmt.formats.read.word_objects import FUNCTION, known_name

OWN: Final = (
    *("activations", "constraints", "dtype_policies", "initializers", "layers", "losses"),
    *("metrics", "mixed_precision", "models", "ops", "optimizers", "regularizers", "tree"),
)
"""Packages of Keras whose classes and functions only compute."""

NO_COMPUTATION: Final = frozenset(
    [
        *("audio", "autograph", "config", "data", "debugging", "distribute", "errors", "estimator"),
        *("experimental", "feature_column", "io", "lite", "load_library", "load_op_library"),
        *("lookup", "mlir", "numpy_function", "print", "profiler", "py_function", "queue"),
        *("raw_ops", "saved_model", "summary", "sysconfig", "test", "tpu", "train", "types"),
        *("version", "xla", "compat", "__internal__", "function", "Module"),
    ]
)
"""TensorFlow functions that do more than compute, such as reading files or running Python."""

COMPAT: Final = ("compat.v1.", "compat.v2.")


WITHOUT: Final = {
    "initializer": {"class_name": "Zeros", "config": {}},
    "regularizer": None,
    "constraint": None,
}
"""Replacements of user-defined objects that outputs do not depend on once weights are loaded."""


COMPILED: Final = "compile_config"


def without_words(architecture: Any, key: str = "") -> Any:
    """An architecture without user-defined initializers, regularizers and constraints.

    Keras would refuse to load the model because of them, although the weights are loaded from a
    file.  The same holds for losses and metrics of nested models, which Keras always compiles.
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
    """An architecture without its training configuration."""
    if not isinstance(architecture, dict):
        return architecture
    return {key: value for key, value in architecture.items() if key != COMPILED}


def _is_foreign(word: Any, kind: str) -> bool:
    """Whether a serialized object is not one of Keras's own."""
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
    """Why an architecture must not be loaded by Keras; empty if it may be.

    Keras's safe mode refuses code in Lambda layers, and newer releases refuse modules other than
    Keras's.  Keras 2 imports every module and looks up every TensorFlow function that a file names.
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
        return "it contains a Lambda layer, whose code would have to be run"
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
        return "it contains raw TensorFlow nodes"
    return ""


def _is_own(module: str) -> bool:
    package, _, rest = module.partition(".")
    if module == "builtins":  # how Keras names its own functions
        return True
    rest = rest.removeprefix("src.").removeprefix("engine.")
    if package in ("keras", "tf_keras"):
        return not rest or rest.split(".")[0] in (*OWN, "functional", "sequential")
    return module.startswith("tensorflow.keras.") and module.split(".")[2] in OWN
