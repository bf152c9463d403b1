"""Names in generated code: valid identifiers derived from the spec's names, without collisions."""

from __future__ import annotations

import builtins
import keyword
import re
import sys
import unicodedata
from collections.abc import Iterable

SHADOWED = frozenset(dir(builtins)) - {"input"}
"""Builtins that no variable of generated code may shadow."""

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*")
"""Names that need no change to be identifiers."""


def identifier(name: str, fallback: str = "layer") -> str:
    """The closest Python identifier to a name: ``block1.conv-a`` -> ``block1_conv_a``.

    Args:
        name: Any text.
        fallback: The identifier, or the beginning of it, where ``name`` has no letters or
            begins with a digit.
    """
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
"""Packages that generated programs import, directly or through another package."""


def module_name(name: str, fallback: str = "model") -> str:
    """A name for an importable file that shadows no other module: ``signal`` -> ``signal_model``.

    Python searches a script's own folder before the installed packages, and some file systems
    ignore case.
    """
    text = identifier(name, fallback)
    taken = {word.lower() for word in (*keyword.kwlist, *keyword.softkwlist, *FRAMEWORKS)}
    taken |= {module.lower() for module in sys.stdlib_module_names}
    return f"{text}_model" if text.lower() in taken else text


def class_name(name: str, fallback: str = "Model") -> str:
    """A name in CapWords: ``iris_mlp`` -> ``IrisMlp``."""
    text = "".join(
        part[:1].upper() + part[1:] for part in identifier(name, fallback.lower()).split("_")
    )
    return text if not keyword.iskeyword(text) else f"{text}Model"


class Scope:
    """The names in use in one scope of generated code; `claim` returns an unused one."""

    def __init__(self, reserved: Iterable[str] = ()) -> None:
        self.used = set(reserved)
        self._numbers: dict[str, int] = {}

    def claim(self, preferred: str) -> str:
        """``preferred``, with a suffix if it is in use, a keyword or a builtin."""
        name = preferred
        if keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in SHADOWED:
            name = f"{preferred}_"
        while name in self.used:
            self._numbers[preferred] = number = self._numbers.get(preferred, 1) + 1
            name = f"{preferred}_{number}"
        self.used.add(name)
        return name
