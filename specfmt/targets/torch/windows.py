"""The windows of `scipy.signal` as PyTorch source."""

from __future__ import annotations

import math
from typing import Final

from specfmt.targets.source import literal
from specfmt.vocab.windows import window_named

STOCK: Final = ("bartlett", "blackman", "cosine", "exponential", "hamming", "hann", "nuttall")
"""Windows that `torch.signal.windows` has, with the same numbers."""

COSINES: Final = {
    "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168),
    "flattop": (0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368),
}
"""The amplitudes of windows that are sums of cosines."""


def window_source(text: str, frame: int, *, periodic: bool) -> tuple[list[str], str]:
    """The statements and the expression that compute a window.

    Args:
        text: Its name, as in the spec.
        frame: Its length.
        periodic: Whether it is periodic, if its name does not say so.
    """
    name, symmetric = window_named(text, periodic=periodic)
    if frame == 1 or name == "boxcar":
        return [], f"torch.ones({frame})"
    if name in STOCK:
        return [], f"windows.{name}({frame}, sym={symmetric})"
    if name in COSINES:
        amplitudes = literal(list(COSINES[name]))
        return [], f"windows.general_cosine({frame}, a={amplitudes}, sym={symmetric})"
    whole = frame if symmetric else frame + 1  # a periodic window lacks its last number
    cut = "" if symmetric else "[:-1]"
    return [f"distance = torch.linspace(-1, 1, {whole}){cut}.abs()"], _by_distance(name, whole)


def _by_distance(name: str, size: int) -> str:
    """A window of ``size`` numbers by their distance from its middle, from 0 to 1.

    The formulas are those of scipy/signal/windows/_windows.py.
    """
    if name == "barthann":
        return "0.62 - 0.24 * distance + 0.38 * torch.cos(math.pi * distance)"
    angle = "math.pi * distance"
    if name == "bohman":
        return f"(1 - distance) * torch.cos({angle}) + torch.sin({angle}) / math.pi"
    if name == "lanczos":
        return "torch.sinc(distance)"
    if name == "tukey":
        return "0.5 - 0.5 * torch.cos(2 * math.pi * distance.clamp(min=0.5))"
    if name == "triang":
        return f"1 - distance * {size - 1} / {size + size % 2}"
    place = f"distance * {size - 1} / {size}"
    if name == "parzen":
        inner = f"1 - 6 * ({place}) ** 2 * (1 - {place})"
        return f"torch.where(distance <= 0.5, {inner}, 2 * (1 - {place}) ** 3)"
    terms = [
        f"{literal(2 * factor)} * torch.cos({harmonic} * math.pi * {place})"
        for harmonic, factor in enumerate(TAYLOR, 1)
    ]
    return f"({' + '.join(('1', *terms))}) / {literal(1 + 2 * sum(TAYLOR))}"


def _taylor(lobes: int = 4, level: float = 30.0) -> tuple[float, ...]:
    """The factors of a Taylor window with that many lobes at ``-level`` decibels, SciPy's default."""
    a = math.acosh(10 ** (level / 20)) / math.pi
    spread = lobes**2 / (a**2 + (lobes - 0.5) ** 2)
    orders = range(1, lobes)
    factors = []
    for m in orders:
        above = math.prod(1 - m**2 / spread / (a**2 + (k - 0.5) ** 2) for k in orders)
        below = math.prod(1 - m**2 / k**2 for k in orders if k != m)
        factors.append((-1) ** (m + 1) * above / (2 * below))
    return tuple(factors)


TAYLOR: Final = _taylor()
