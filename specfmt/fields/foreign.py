"""Which classes and functions a document may refer to by their dotted path.

Generated code imports and calls them, so without limits a file could make it run any installed
code.  A path may be of a user-defined class or of an extension of Keras; the standard library
and other installed packages are refused when the document is read.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, Final

from specfmt.fields.errors import FieldError
from specfmt.fields.rules import Text

KERAS_ROOTS: Final = (
    "tensorflow.python.keras",
    "tensorflow.keras",
    "tf_keras",
    "tf.keras",
    "keras",
)
"""The names under which Keras is or was imported."""

KERAS_MODEL_MODULES: Final = frozenset(
    "activations callbacks constraints dtype_policies engine feature_column initializers layers "
    "legacy legacy_tf_layers losses metrics mixed_precision models ops optimizer_v2 optimizers "
    "premade premade_models quantizers regularizers".split()
)
"""Modules of Keras whose objects a model may contain; others, such as `keras.utils`, may read files
or download."""

KERAS_PARENT_MODULES: Final = frozenset({"_tf_keras", "_v1", "_v2", "api", "keras", "src"})
"""Modules that contain these modules."""

KERAS_LOADERS: Final = ("clone", "deserialize", "get", "load")
"""Prefixes of Keras's functions that create objects from files, or from names in their
arguments."""

UNSAFE_IN_KERAS: Final = frozenset("Lambda TFSMLayer TorchModuleWrapper JaxLayer FlaxLayer".split())
"""Classes of Keras that run code from a file, which Keras's `safe_mode` refuses."""

EXTENSION_REQUIREMENTS: Final = {
    "Keras": re.compile(
        r"(tf[-_])?keras|tensorflow([-_](cpu|gpu|intel|macos|rocm))?$|tf[-_]nightly"
    ),
    "PyTorch": re.compile(r"torch(vision|audio)?$"),
}
"""Framework -> the requirement by which an installed package counts as its extension."""

_allowed: ContextVar[tuple[str, ...]] = ContextVar("allowed", default=())


@contextmanager
def allowing(names: Iterable[str]) -> Iterator[None]:
    """Within the block, allow these classes: dotted paths of classes, modules or packages."""
    token = _allowed.set((*_allowed.get(), *names))
    try:
        yield
    finally:
        _allowed.reset(token)


def is_allowed(dotted: str) -> bool:
    """Whether the user allowed a class, or a module or package that contains it."""
    starts = [name.removesuffix(".*") for name in _allowed.get()]
    return any(dotted == start or dotted.startswith(f"{start}.") for start in starts if start)


class ClassRule(Text):
    """The dotted path of a class or function that generated code imports."""

    def check(self, value: Any) -> str:
        text = super().check(value)
        reason = refusal(text)
        if reason:
            raise FieldError(
                "a user-defined class or one of an extension of Keras",
                text,
                f"{reason}; wrap it in a class of your own",
                "SF129",
            )
        return text


class TorchClassRule(Text):
    """The dotted path of a module class that generated PyTorch code imports."""

    def check(self, value: Any) -> str:
        text = super().check(value)
        module, _, name = text.rpartition(".")
        if f"{module}.".startswith("torch.nn.") and name[:1].isupper():
            return text
        reason = _refusal_of_root(text, "PyTorch")
        if reason:
            raise FieldError(
                "a user-defined nn.Module or one of an extension of PyTorch",
                text,
                f"{reason}; wrap it in a class of your own",
                "SF129",
            )
        return text


def refusal(dotted: str) -> str:
    """Why a document may not refer to this class; empty if it may."""
    # Python normalizes names to this form: `os` in full-width letters is the module `os` too.
    dotted = unicodedata.normalize("NFKC", dotted).rpartition(">")[2]
    module, _, name = dotted.rpartition(".")
    root = module.partition(".")[0]
    if not module or (root == "builtins" and name in ("function", "__lambda__")):
        return ""  # a function without a module, which cannot be imported
    keras = next((each for each in KERAS_ROOTS if f"{module}.".startswith(f"{each}.")), "")
    if keras:
        parts = (
            p for p in module.removeprefix(keras).split(".")[1:] if p not in KERAS_PARENT_MODULES
        )
        part = next(parts, "layers" if name[:1].isupper() else "")
        if part in KERAS_MODEL_MODULES and not name.startswith(KERAS_LOADERS):
            return ""
        return f"{dotted} is not part of a model"
    return _refusal_of_root(dotted, "Keras")


def _refusal_of_root(dotted: str, framework: str) -> str:
    """Why a document may not refer to a class of this package; empty if it may."""
    root = dotted.partition(".")[0]
    if root in sys.stdlib_module_names or root == "builtins":
        return f"{root} belongs to Python's standard library"
    if root in ("specfmt", "tensorflow", "tf", *(["torch"] if framework == "PyTorch" else [])):
        return f"{dotted} is not an extension of {framework}"
    if is_allowed(dotted) or not _is_installed(root, framework):
        return ""
    return (
        f"{root} is an installed package that does not extend {framework} (--allow {dotted} if "
        "you trust it)"
    )


@cache
def _is_installed(root: str, framework: str) -> bool:
    """Whether a module belongs to an installed package that does not extend a framework.

    A package that is installed from a local folder counts as user-defined.
    """
    from importlib.metadata import packages_distributions

    names = packages_distributions().get(root, ())
    return bool(names) and not any(_is_trusted(n, framework) for n in names)


def _is_trusted(name: str, framework: str) -> bool:
    """Whether a distribution extends a framework, or was installed from a local folder."""
    import json
    from importlib.metadata import distribution

    found = distribution(name)
    if framework == "Keras" and "keras" in name.lower():
        return True
    needed = [line for line in found.requires or () if "extra ==" not in line]
    if any(
        EXTENSION_REQUIREMENTS[framework].match(re.split(r"[^A-Za-z0-9_.-]", line)[0].lower())
        for line in needed
    ):
        return True
    try:
        return "dir_info" in json.loads(found.read_text("direct_url.json") or "{}")
    except ValueError:
        return False
