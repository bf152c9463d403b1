"""Names in generated code: identifiers made from what the user wrote, without collisions."""

from __future__ import annotations

import builtins
import keyword
import re
import sys
import unicodedata
from collections.abc import Iterable

SHADOWED = frozenset(dir(builtins)) - {"input"}


_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*")
"""Names that are identifiers as they stand."""


def identifier(name: str, fallback: str = "layer") -> str:
    """A Python identifier that reads like ``name``: ``block1.conv-a`` -> ``block1_conv_a``."""
    if _IDENTIFIER.fullmatch(name):
        return name
    text = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    text = re.sub(r"\W+", "_", text).strip("_")
    text = re.sub(r"__+", "_", text) or fallback
    if text[0].isdigit():
        text = f"{fallback}_{text}"
    return text


FRAMEWORKS = frozenset(
    (
        "cv2 h5py jax keras matplotlib ml_dtypes numpy onnx onnxruntime optree pandas PIL pyarrow "
        "rich safetensors scipy sklearn specfmt sympy tensorboard tensorflow tf_keras torch "
        "torchaudio torchvision tqdm triton yaml"
    ).split()
)
"""Packages that generated programs import, or that those import."""


def module_name(name: str, fallback: str = "model") -> str:
    """A name for a file that can be imported and hides no other module: ``signal_model``.

    A script finds the files beside it before everything that is installed; capitals do not
    tell files apart on every system.
    """
    text = identifier(name, fallback)
    taken = {word.lower() for word in (*keyword.kwlist, *keyword.softkwlist, *FRAMEWORKS)}
    taken |= {module.lower() for module in sys.stdlib_module_names}
    return f"{text}_model" if text.lower() in taken else text


def class_name(name: str, fallback: str = "Model") -> str:
    """A class name that reads like ``name``: ``iris_mlp`` -> ``IrisMlp``."""
    text = "".join(
        part[:1].upper() + part[1:] for part in identifier(name, fallback.lower()).split("_")
    )
    return text if not keyword.iskeyword(text) else f"{text}Model"


class Scope:
    """Names in use; `claim` gives a free one close to the wish."""

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self.used = set(reserved)
        self._numbers: dict[str, int] = {}

    def claim(self, wish: str) -> str:
        """``wish`` itself, or with a suffix if it is taken, a keyword or a builtin."""
        name = wish
        if keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in SHADOWED:
            name = f"{wish}_"
        while name in self.used:
            self._numbers[wish] = number = self._numbers.get(wish, 1) + 1
            name = f"{wish}_{number}"
        self.used.add(name)
        return name
