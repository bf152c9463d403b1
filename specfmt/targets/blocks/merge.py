"""One body for several uses: lines in one order, conditions around those that only some have."""

from __future__ import annotations

import ast
from collections.abc import Collection, Hashable, Mapping, Sequence
from itertools import groupby, pairwise

from specfmt.targets.blocks.lines import Line, Merged, NoFitError, Variant
from specfmt.targets.blocks.parameters import Parameters, names_in, source_of
from specfmt.targets.blocks.unify import Unifier

INDENT = "    "


def merged(
    variants: Sequence[Variant],
    *,
    expressions: Sequence[str] = (),
    conditions: Sequence[str] = (),
    varying: Collection[str] | None = None,
    spelling: Mapping[str, str] | None = None,
    offsets: Mapping[str, int] | None = None,
) -> Merged:
    """The body that says all variants.

    Args:
        variants: The uses; variables have the same names in all of them.
        expressions: The texts in the block's definition, which are tried before others.
        conditions: Its ``when`` texts, which are tried before others.
        varying, spelling, offsets: As for `Parameters`.

    Raises:
        NoFitError: Something differs for which there is no expression; the caller splits the variants.
    """
    values = [variant.values for variant in variants]
    parameters = Parameters(values, varying, spelling, offsets)
    unifier = Unifier(parameters, expressions)
    stands: list[tuple[tuple[bool, ...], str, str]] = []  # the uses, the condition, the line
    by_key = [{line.key: line for line in variant.lines} for variant in variants]
    for key in merged_order([list(lines) for lines in by_key]):
        lines = {use: found[key] for use, found in enumerate(by_key) if key in found}
        pattern = tuple(use in lines for use in range(len(variants)))
        own = [line.when for line in lines.values() if line.when][:1]
        condition = _condition(parameters, pattern, [*own, *conditions], key)
        stands.append((pattern, condition, _with_comment(unifier.statement(lines), lines)))
    result: list[str] = []
    tested: dict[str, None] = {}
    previous: tuple[bool, ...] | None = None
    for (pattern, condition), group in groupby(stands, key=lambda item: item[:2]):
        inside = INDENT if condition else ""
        if condition and previous is not None and pattern == tuple(not item for item in previous):
            result.append("else:")
            pattern = None  # type: ignore[assignment]
        elif condition:
            tested.update(dict.fromkeys(names_in(condition)))
            result.append(f"if {source_of(_tree(parameters, condition))}:")
        previous = pattern if condition else None
        for _, _, source in group:
            result += [inside + line for line in source.split("\n")]
    varied = frozenset(name for name in tested if name in parameters.varying)
    return Merged(result, _used(parameters, result), varied)


def _used(parameters: Parameters, lines: Sequence[str]) -> tuple[str, ...]:
    """The parameters of the code that stand in these lines, in order."""
    names = {parameters.spelling.get(name, name): name for name in parameters.varying}
    words = [
        (part.lineno, part.col_offset, part.id)
        for part in ast.walk(ast.parse("\n".join(lines)))
        if isinstance(part, ast.Name) and part.id in names
    ]
    return tuple(dict.fromkeys(names[word] for _, _, word in sorted(words)))


def _tree(parameters: Parameters, text: str) -> ast.expr:
    tree = parameters.source(text)
    if tree is None:
        raise NoFitError([text])
    return tree


def _condition(
    parameters: Parameters, pattern: tuple[bool, ...], given: Sequence[str], key: Hashable
) -> str:
    """The text of the spec that is true for these uses; empty if it is true for all."""
    if all(pattern):
        return ""
    whole = [f"$({text})" if not text.startswith("$") else text for text in given]
    negated = [f"$(not ({text.lstrip('$').strip()}))" for text in whole]
    for texts in (whole, negated, parameters.flags(), parameters.comparisons()):
        for text in texts:
            if parameters.depends(text) and parameters.is_condition(text, pattern):
                return text
    raise NoFitError([str(stands) for stands in pattern], key)


def _with_comment(source: str, lines: Mapping[int, Line]) -> str:
    comments = {line.comment for line in lines.values()}
    comment = comments.pop() if len(comments) == 1 else ""
    return f"{source}  # {comment}" if comment else source


def merged_order(sequences: Sequence[Sequence[Hashable]]) -> list[Hashable]:
    """The keys of all sequences in an order that agrees with each.

    Raises:
        NoFitError: There is none.
    """
    after: dict[Hashable, dict[Hashable, None]] = {}
    waits: dict[Hashable, int] = {}
    for sequence in sequences:
        if len(set(sequence)) < len(sequence):
            raise NoFitError(["a key twice"])
        for key in sequence:
            after.setdefault(key, {})
            waits.setdefault(key, 0)
        for first, second in pairwise(sequence):
            if second not in after[first]:
                after[first][second] = None
                waits[second] += 1
    ready = [key for key, count in waits.items() if not count]
    order: list[Hashable] = []
    while ready:
        key = ready.pop(0)
        order.append(key)
        free = []
        for other in after[key]:
            waits[other] -= 1
            if not waits[other]:
                free.append(other)
        ready = [*free, *ready]
    if len(order) < len(after):
        raise NoFitError(["an order that differs"])
    return order
