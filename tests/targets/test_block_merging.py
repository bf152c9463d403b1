"""One body for several uses of a block, whatever the target."""

from __future__ import annotations

from typing import Any

import pytest

from specfmt.targets.blocks import Line, NoFitError, Variant, merged


def body(*variants: tuple[dict[str, Any], list[Line]], **options: Any) -> list[str]:
    return merged([Variant(values, lines) for values, lines in variants], **options).lines


def one(*pairs: tuple[dict[str, Any], str], **options: Any) -> str:
    """The statement for several, each with its values."""
    line = {key: options.pop(key) for key in ("hints", "defaults") if key in options}
    found = body(*((values, [Line(0, source, **line)]) for values, source in pairs), **options)
    return "\n".join(found)


def test_the_spec_says_what_differs() -> None:
    uses = [({"n": 8, "k": 8}, "x = f(32, 8)(x)"), ({"n": 16, "k": 16}, "x = f(64, 16)(x)")]
    assert one(*uses, hints={0: ["$(4 * n)"], 1: ["$k"]}) == "x = f(4 * n, k)(x)"


def test_an_expression_stands_even_where_all_uses_agree() -> None:
    uses = [({"n": 8}, "x = f(8, bias=False)"), ({"n": 9}, "x = f(9, bias=False)")]
    assert one(*uses, hints={"bias": ["$(n > 10)"]}) == "x = f(n, bias=n > 10)"


def test_parameters_that_are_the_same_everywhere_are_written() -> None:
    uses = [({"n": 8, "k": 4}, "x = f(32, 4)"), ({"n": 16, "k": 4}, "x = f(64, 4)")]
    assert one(*uses, hints={0: ["$(k * n)"], 1: ["$k"]}) == "x = f(4 * n, 4)"


@pytest.mark.parametrize(
    ("values", "sources", "expected"),
    [
        ([{"p": 8}, {"p": 16}], ["f(32)", "f(64)"], "f(4 * p)"),
        ([{"p": 8}, {"p": 16}], ["f(4)", "f(8)"], "f(p // 2)"),
        ([{"p": 8}, {"p": 16}], ["f(9)", "f(17)"], "f(p + 1)"),
        ([{"p": 8, "q": 3}, {"p": 16, "q": 4}], ["f(24)", "f(64)"], "f(p * q)"),
        ([{"p": [3, 3]}, {"p": [5, 1]}], ["f((3, 3))", "f((5, 1))"], "f(p)"),
        ([{"p": "relu"}, {"p": "gelu"}], ['f("relu")', 'f("gelu")'], "f(p)"),
        ([{"p": "a"}, {"p": "b"}], ['f("a_conv")', 'f("b_conv")'], "f(f'{p}_conv')"),
        ([{"p": 0.1}, {"p": 0.2}], ["f(g(0.1))", "f(g(0.2))"], "f(g(p))"),
        ([{"p": 1}, {"p": -2}], ["f(1)", "f(-2)"], "f(p)"),
        ([{"p": 2}, {"p": 3}], ["f(x * 5)", "f(x * 6)"], "f(x * (p + 3))"),
    ],
)
def test_combinations(values: list[dict[str, Any]], sources: list[str], expected: str) -> None:
    assert one(*zip(values, sources, strict=True)) == expected


@pytest.mark.parametrize(
    ("values", "sources"),
    [
        ([{"p": 8}, {"p": 16}], ["f(7)", "f(64)"]),
        ([{"p": 1}, {"p": 2}], ["f(1.0)", "f(2.0)"]),
        ([{"p": True}, {"p": False}], ["f(1)", "f(0)"]),
        ([{"p": 8}, {"p": 8}], ["f(1)", "f(2)"]),
        ([{"p": 8}, {"p": 16}], ["f(8)", "g(16)"]),
        ([{"p": 8}, {"p": 16}], ["f(8, k=1)", "f(16)"]),
        ([{"p": 8}, {"p": 16}], ["x = f(8)", "y = f(16)"]),
    ],
)
def test_what_no_expression_says_is_refused(
    values: list[dict[str, Any]], sources: list[str]
) -> None:
    with pytest.raises(NoFitError):
        one(*zip(values, sources, strict=True))


def test_keywords_that_are_left_out() -> None:
    uses = [({"s": 1}, "x = f(8)(x)"), ({"s": 2}, "x = f(8, strides=2)(x)")]
    assert one(*uses, defaults={"strides": "1"}) == "x = f(8, strides=s)(x)"


def test_text_in_code_stays_text() -> None:
    uses = [({"p": "{a}"}, 'f("{a}_$b")'), ({"p": '"'}, 'f("\\"_$b")')]
    assert one(*uses) == "f(f'{p}_$b')"


def test_lines_of_some_uses() -> None:
    first = [Line(0, "y = x"), Line(1, "y = g(y)"), Line(2, "y = h(y)"), Line(3, "return y")]
    second = [Line(0, "y = x"), Line(4, "y = k(y)"), Line(3, "return y")]
    found = body(({"p": True, "n": 1}, first), ({"p": False, "n": 2}, second))
    assert found == [
        "y = x",
        *("if p:", "    y = g(y)", "    y = h(y)"),
        *("else:", "    y = k(y)"),
        "return y",
    ]
    found = body(({"n": 1}, first), ({"n": 2}, [first[0], first[3]]), conditions=["$(n < 2)"])
    assert found[1] == "if n < 2:"
    with pytest.raises(NoFitError):
        body(({"n": 1}, first), ({"n": 1}, second))


def test_loops() -> None:
    uses = [
        ({"n": n, "name": name}, f'for i in range(2, {n + 1}):\n    x = f(x, "{name}", i)')
        for n, name in ((3, "a"), (5, "b"))
    ]
    found = one(*uses, hints={"range": ["$(n + 1)"]})
    assert found == "for i in range(2, n + 1):\n    x = f(x, name, i)"


def test_a_variable_that_counts_from_another_number() -> None:
    uses = [({"i": i, "name": "a"}, f'x = f(x, "a_block{i + 2}", {i * 8})') for i in range(3)]
    found = one(
        *uses,
        hints={1: ["$(name)_block$(i + 2)"], 2: ["$(i * 8)"]},
        varying={"i", "name"},
        offsets={"i": 2},
    )
    assert found == "x = f(x, f'{name}_block{i}', (i - 2) * 8)"


def test_names_in_generated_code() -> None:
    # A parameter cannot be read in an expression of the spec if its name is a keyword of Python.
    uses = [({"lambda": 1, "layers": 1}, "f(1)"), ({"lambda": 2, "layers": 2}, "f(2)")]
    assert one(*uses, spelling={"layers": "layers_"}) == "f(layers_)"


def test_what_is_used() -> None:
    variants = [
        Variant({"n": 1, "m": 3, "p": True}, [Line(0, "f(1)"), Line(1, "g()")]),
        Variant({"n": 2, "m": 4, "p": False}, [Line(0, "f(2)")]),
    ]
    found = merged(variants)
    assert found.lines == ["f(n)", "if p:", "    g()"]
    assert found.used == ("n", "p")
    assert found.conditions == {"p"}
