"""The windows of `scipy.signal.get_window`, from which Keras's `STFT` initializer takes its own."""

from __future__ import annotations

from typing import Any, Final

from specfmt.fields.errors import FieldError, did_you_mean
from specfmt.fields.rules import Rule

WINDOWS: Final[dict[str, tuple[str, ...]]] = {
    "barthann": ("brthan", "bth"),
    "bartlett": ("bart", "brt"),
    "blackman": ("black", "blk"),
    "blackmanharris": ("blackharr", "bkh"),
    "bohman": ("bman", "bmn"),
    "boxcar": ("box", "ones", "rect", "rectangular"),
    "cosine": ("halfcosine",),
    "exponential": ("poisson",),
    "flattop": ("flat", "flt"),
    "hamming": ("hamm", "ham"),
    "hann": ("han",),
    "lanczos": ("sinc",),
    "nuttall": ("nutl", "nut"),
    "parzen": ("parz", "par"),
    "taylor": ("taylorwin",),
    "triang": ("triangle", "tri"),
    "tukey": ("tuk",),
}
"""Window -> its other names (scipy/signal/windows/_windows.py)."""

PARAMETRIC: Final = (
    *("chebwin", "cheb", "dpss", "gaussian", "gauss", "gss", "general cosine", "general_cosine"),
    *("general gaussian", "general_gaussian", "general gauss", "general_gauss", "ggs"),
    *("general hamming", "general_hamming", "kaiser", "ksr", "kaiser bessel derived"),
    *("kaiser_bessel_derived", "kbd"),
)
"""The names of windows that need parameters, which Keras cannot give."""

NAMES: Final = {alias: name for name, others in WINDOWS.items() for alias in (name, *others)}

SUFFIXES: Final = {"_symmetric": True, "_periodic": False}
"""What a name may end in, and whether the window is symmetric then, whatever else is set."""


def _parts(text: str) -> tuple[str, str]:
    suffix = next((suffix for suffix in SUFFIXES if text.endswith(suffix)), "")
    return text.removesuffix(suffix), suffix


def window_named(text: str, *, periodic: bool) -> tuple[str, bool]:
    """The window of a name, and whether it is symmetric.

    Args:
        text: One of its names, perhaps with a suffix.
        periodic: What holds without a suffix.
    """
    name, suffix = _parts(text)
    return NAMES[name], SUFFIXES.get(suffix, not periodic)


def _suggestion(name: str) -> str:
    near = did_you_mean(name, WINDOWS) or did_you_mean(name, NAMES)
    begins = next((f"did you mean {known}?" for known in WINDOWS if name.startswith(known)), "")
    return near or begins or "the windows are " + ", ".join(WINDOWS)


class WindowName(Rule):
    """The name of a window without parameters."""

    def check(self, value: Any) -> str:
        if not isinstance(value, str):
            raise FieldError("the name of a window of scipy.signal", value)
        name, _ = _parts(value)
        if name in PARAMETRIC:
            raise FieldError(
                "a window without parameters", value, "give the values of the window as a list"
            )
        if name not in NAMES:
            raise FieldError("the name of a window", value, _suggestion(name))
        return value

    def schema(self) -> dict[str, Any]:
        names = "|".join(NAMES)
        return {"type": "string", "pattern": f"^({names})({'|'.join(SUFFIXES)})?$"}
