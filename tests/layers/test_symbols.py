"""Expressions of unknown sizes against the same arithmetic with numbers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specfmt.layers.size_rules import (
    agree,
    broadcast,
    common,
    conditions,
    divides,
    part_size,
    slice_size,
)
from specfmt.layers.symbols import (
    MAX_TERMS,
    Size,
    UndecidedError,
    differ,
    is_below,
    larger,
    smaller,
    substitute,
    symbol,
)

T, S, H = map(symbol, "TSH")
VALUES = [{"T": t, "S": s} for t in (1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 60, 61) for s in (1, 2, 3, 7)]

SMALL = st.integers(1, 6)
LEAVES = st.sampled_from(["T", "S"]) | st.integers(0, 9)
TREES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: (
        st.tuples(st.sampled_from("+*"), inner, inner)
        | st.tuples(st.sampled_from(["-", "//", "%", "*"]), inner, SMALL)
        | st.tuples(st.sampled_from(["max", "min"]), inner, inner)
    ),
    max_leaves=6,
)


def computed(tree: Any, values: dict[str, Any]) -> Any:
    """The value of an expression, with numbers or with symbols."""
    if not isinstance(tree, tuple):
        return values[tree] if isinstance(tree, str) else tree
    operator, *operands = tree
    a, b = (computed(operand, values) for operand in operands)
    if operator == "max":
        return larger(a, b)
    if operator == "min":
        return smaller(a, b)
    return {
        "+": lambda: a + b,
        "-": lambda: a - b,
        "*": lambda: a * b,
        "//": lambda: a // b,
        "%": lambda: a % b,
    }[operator]()


@given(TREES, TREES)
@settings(max_examples=400, deadline=None)
def test_expressions_have_the_values_of_numbers(left: Any, right: Any) -> None:
    try:
        a, b = (computed(tree, {"T": T, "S": S}) for tree in (left, right))
    except UndecidedError:
        return  # too long
    for values in VALUES:
        first, second = computed(left, values), computed(right, values)
        assert substitute(a, values) == first
        assert eval(str(a), {"max": max, "min": min}, values) == first, "the text means the same"
        if differ(a, b):
            assert first != second
        if is_below(a, b):
            assert first < second
        for name in ("__lt__", "__le__", "__gt__", "__ge__", "__eq__"):
            try:
                assert getattr(a, name)(b) in (NotImplemented, getattr(first, name)(second))
            except UndecidedError:
                continue


@pytest.mark.parametrize(
    ("size", "text"),
    [
        ((T - 2) // 2, "T//2 - 1"),
        ((T - 2) // 2 + 1, "T//2"),
        ((T - 1) // 2 + 1, "(T + 1)//2"),
        (T // 2 // 2, "T//4"),
        (((T + 1) // 2 + 1) // 2, "(T + 3)//4"),
        (T * 4 * 16 // 32, "2*T"),
        (2 * (H // 2), "2*(H//2)"),
        (T * 5 // 3, "T + (2*T)//3"),
        (T * S * 3, "3*S*T"),
        (5 - T, "5 - T"),
        (T - T, "0"),
        (T * 64 // T, "64"),
        (6 * T % 3, "0"),
    ],
)
def test_the_normal_form(size: Any, text: str) -> None:
    assert str(size) == text


def test_sizes_that_always_differ() -> None:
    assert differ(T, T + 1)
    assert differ(T, T // 2)
    assert differ(2 * T, 2 * S + 1)
    assert not differ(T, S)
    assert not differ(T, 5)
    assert not differ(T, None)
    assert not differ(T, 2 * (T // 2))
    assert not differ(T + 1000, 5 * T)
    assert not agree(T, None, T + 1)
    assert not divides(32, 64 * T + 1)


def test_equalities_for_some_sizes_are_noted() -> None:
    with conditions() as noted:
        assert agree(T, T, None)
        assert not noted
        assert agree(T, 2 * (T // 2))
        assert divides(4, 6 * T)
    assert [f"{a} = {b}" for a, b in noted] == ["T = 2*(T//2)", "6*T = 4*T + 4*(T//2)"]


def test_equal_and_broadcast_sizes() -> None:
    assert str(common(2 * (T // 2), T)) == "T"
    assert common(T, 5) == 5
    assert str(broadcast(T, S)) == "max(S, T)", "one of them may be 1"
    assert str(broadcast(T, 2 * (T // 2))) == "T"
    assert broadcast(T, 1) is T
    assert broadcast(None, T) is None
    assert broadcast(None, 5) == 5
    with pytest.raises(ValueError, match="differ"):
        broadcast(T + 1, T + 3)


@given(
    st.integers(3, 20),
    st.none() | st.integers(-3, 5),
    st.none() | st.integers(-3, 5),
    st.sampled_from([None, 1, 2, 3, -1, -2]),
)
def test_slices(size: int, start: int | None, stop: int | None, step: int | None) -> None:
    part = slice(start, stop, step)
    expected = len(range(*part.indices(size)))
    try:
        found = substitute(slice_size(T, part), {"T": size})
    except UndecidedError:
        return
    assert found == expected or expected == 0


def test_parts() -> None:
    cuts = [(0, 2), (2, 5), (5, None)]
    assert [str(part_size(T, *cut)) for cut in cuts] == ["2", "3", "T - 5"]


def test_the_length_is_bounded() -> None:
    total: Any = 0
    for number in range(MAX_TERMS):
        total += symbol(f"A{number}")
    with pytest.raises(UndecidedError):
        total += T
    size: Any = T
    for _ in range(3):
        size = (size * 3 + S) // 2
    with pytest.raises(UndecidedError):
        _ = T * S * H * T * S * H * T
    assert not hasattr(Size, "__index__"), "a size is no number"
