"""The arguments of uses that stand in a row, as expressions of their number ``i``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from specfmt.targets.blocks.parameters import is_whole_number
from specfmt.targets.source import literal
from specfmt.targets.torch.blocks.fit import DiffersError, Fit
from specfmt.targets.torch.expr import Formula

FEW = 2
"""From this number on, a value that grows evenly does so by no chance."""


def texts_of(entry: Mapping[str, str], name: str) -> list[str]:
    """The text of the spec for a parameter."""
    return [entry[name]] if name in entry else []


def fit_repeated(inner: Fit, samples: Sequence[tuple[int, Any]], texts: Sequence[str]) -> Any:
    """The argument of a use that is repeated; the first one may have another than the rest."""
    wanted = {k: value for k, (_, value) in enumerate(samples)}
    found = _without_number(inner, wanted, texts)
    if found is not None:
        return found
    if all(value is None for value in wanted.values()):
        return None
    said = [text for text in texts if inner.parameters.fits(text, wanted)]
    if said:
        return inner.formula(said[0])
    if all(is_whole_number(value) for value in wanted.values()):
        found = _growing(inner, samples)
        if found is not None:
            return found
    head = {k: value for k, (i, value) in enumerate(samples) if i == 0}
    tail = {k: value for k, (i, value) in enumerate(samples) if i > 0}
    first, rest = inner.value(head, texts), inner.value(tail, texts)
    inner.used["i"] = None
    return Formula(f"{source(first)} if i == 0 else {source(rest)}")


def _without_number(inner: Fit, wanted: Mapping[int, Any], texts: Sequence[str] = ()) -> Any:
    """A constant or an expression in which ``i`` does not stand; None if there is none."""
    names = inner.parameters.varying
    inner.parameters.varying = [name for name in names if name != "i"]
    try:
        return inner.value(wanted, texts)
    except DiffersError:
        return None
    finally:
        inner.parameters.varying = names


def _growing(inner: Fit, samples: Sequence[tuple[int, int]]) -> Any:
    """``in_channels + i * growth``: a value that grows evenly."""
    starts = {k: value for k, (i, value) in enumerate(samples) if i == 0}
    first: dict[int, int] = {}
    current = 0
    for k, (i, value) in enumerate(samples):
        current = value if i == 0 else current
        first[k] = current
    steps = {k: (value - first[k]) // i for k, (i, value) in enumerate(samples) if i}
    even = all(value == first[k] + i * steps.get(k, 0) for k, (i, value) in enumerate(samples))
    if not even or not starts or max((i for i, _ in samples), default=0) < FEW:
        return None
    start, step = _without_number(inner, first), _without_number(inner, steps)
    if start is None or step is None:
        return None
    inner.used["i"] = None
    growth = "i" if source(step) == "1" else f"{bracketed(source(step))} * i"
    return Formula(f"{source(start)} + {growth}")


def source(value: Any) -> str:
    return value.text if isinstance(value, Formula) else literal(value)


def bracketed(text: str) -> str:
    simple = text.replace("self.", "").isidentifier() or text.isdigit()
    return text if simple else f"({text})"
