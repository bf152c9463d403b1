"""The uses of blocks in a graph: which can be calls of a function or class, and what the spec says."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from specfmt.fields.errors import FieldError
from specfmt.fields.expressions import Expression, expressions_in, parse_text
from specfmt.graph.held import HeldModel
from specfmt.graph.model import Graph, Node, Unit, Use, Value, values_in
from specfmt.layers.base import nested_layers
from specfmt.layers.blocks import INDEX, REQUIRED, is_whole
from specfmt.targets.blocks.parameters import plain, same
from specfmt.targets.naming import identifier

NAME = "name"
"""What the name of a use is called in expressions."""

NO_FIELDS = frozenset(("type", "op", "reuse", "name", "inputs", "when", "call", "layers"))
"""Keys of an entry that are no fields of its layer."""

Translate = Callable[[Any], Any]
"""From what a block says to the same in terms of the parameters of the block around it."""


@dataclass
class Step:
    """A call of a layer, or one of a block's function or class, perhaps several times in a loop.

    Attributes:
        key: What is the same in all uses of the block that it stands in.
        around: The use that it stands in directly; None for the model.
        said: What the spec says of it, in terms of the parameters of the function around it.
        name: The text of the spec that is its name.
        reads: The tensors that it reads, in order.
        outputs: The tensors that it gives.
        node: The call of a layer; None for a block.
        uses: The uses of a block, one for each turn of a loop.
        when: The text of the spec that says whether it stands; empty if it always does.
    """

    key: tuple[int, ...]
    around: Use | None
    said: Mapping[str, Any]
    name: str
    reads: tuple[Value, ...]
    outputs: tuple[Value, ...]
    node: Node | None = None
    uses: list[Use] = field(default_factory=list)
    when: str = ""


def all_uses(items: Iterable[Node | Use]) -> Iterator[Use]:
    """Every use, those inside others before them."""
    for item in items:
        if isinstance(item, Use):
            yield from all_uses(item.items)
            yield item


def closed_uses(graph: Graph) -> Iterator[Use]:
    """The uses that a function can stand for, those inside others before them.

    What it makes is read through its outputs only, its layers are called by it alone, and it
    holds no model, which has a function of its own.
    """
    readers: dict[Value, list[Node | None]] = {}
    for node in graph.nodes:
        for value in node.inputs():
            readers.setdefault(value, []).append(node)
    for value in values_in(graph.output_nest):
        readers.setdefault(value, []).append(None)
    known = {*graph.inputs.values(), *(v for node in graph.nodes for v in node.outputs)}
    for use in all_uses(graph.items or ()):
        nodes = set(use.nodes())
        made = {value for node in nodes for value in node.outputs}
        outer = {v for v in made if any(reader not in nodes for reader in readers.get(v, ()))}
        read = {value for node in nodes for value in node.inputs()} - made
        if (
            outer <= set(use.outputs) <= made
            and len(set(use.outputs)) == len(use.outputs)
            and read <= set(use.inputs) <= known
            and all(_is_own(node.unit, nodes) for node in nodes)
        ):
            yield use


def _is_own(unit: Unit, nodes: set[Node]) -> bool:
    """Whether a layer is called by these calls only and holds no model."""
    if unit.graph is not None or not nodes.issuperset(unit.calls):
        return False
    return not any(isinstance(part, HeldModel) for part in nested_layers(unit.layer))


def steps(
    items: list[Node | Use],
    is_called: Callable[[Use], bool],
    in_loops: Callable[[Use], bool],
    written: Sequence[Any],
    around: Use | None = None,
    prefix: tuple[int, ...] = (),
    translate: Translate = lambda said: said,
    when: str = "",
) -> Iterator[Step]:
    """The calls in a list of items; uses that are no calls of a function are written out.

    Args:
        items: The items.
        is_called: Whether a use is a call of a function.
        in_loops: Whether the turns of a repeated use are written as a loop.
        written: The list of layers that the items come from, as the spec has it.
        around: The use that the items stand in.
        prefix: The first part of the keys.
        translate: From the block's parameters to those of the function.
        when: The text that says whether the items stand at all.
    """
    place = 0
    while place < len(items):
        item = items[place]
        place += 1
        if isinstance(item, Node):
            said = said_of(written, slot_of(item)) if around else {}
            yield Step(
                (*prefix, slot_of(item)),
                around,
                translate(said),
                translate(item_name(item, said, around)),
                item.inputs(),
                item.outputs,
                node=item,
                when=both(when, translate(said.get("when"))),
            )
            continue
        call = item.call
        key = (*prefix, call.place)
        said = said_of(written, call.place)
        stands = both(when, translate(said.get("when")))
        if not is_called(item):
            inner = _translation(item, said, translate)
            layers = call.block.layers
            key = (*key, call.index or 0)
            yield from steps(item.items, is_called, in_loops, layers, item, key, inner, stands)
            continue
        turns = [item]
        if call.index is not None and not in_loops(item):
            key = (*key, call.index)
        while (
            place < len(items) and in_loops(item) and _is_next(items[place], turns[-1], is_called)
        ):
            turns.append(items[place])  # type: ignore[arg-type]
            place += 1
        name = translate(use_name(item, said))
        outputs = turns[-1].outputs
        yield Step(
            key, around, translate(said), name, item.inputs, outputs, uses=turns, when=stands
        )


def both(first: str, second: Any) -> str:
    """The text that is true if two texts are, each of which may be missing."""
    if _expression(second) is None:
        return first
    if not first:
        return str(second)
    return f"$(({_expression(first)}) and ({_expression(second)}))"


def _expression(text: Any) -> str | None:
    """The source of a text that is one expression."""
    if not isinstance(text, str) or "$" not in text:
        return None
    try:
        pieces = parse_text(text)
    except FieldError:
        return None
    piece = pieces[0]
    return piece.text if len(pieces) == 1 and isinstance(piece, Expression) else None


def _is_next(item: Node | Use, before: Use, is_called: Callable[[Use], bool]) -> bool:
    """Whether a use is the next turn of a loop."""
    return (
        isinstance(item, Use)
        and item.call.index is not None
        and before.call.index is not None
        and item.call.path == before.call.path
        and item.call.index == before.call.index + 1
        and is_called(item)
        and item.inputs[: len(item.outputs)] == before.outputs
        and item.inputs[len(item.outputs) :] == before.inputs[len(item.outputs) :]
    )


def slot_of(node: Node) -> int:
    """The index of an entry in its list of layers."""
    slot = node.path[-1]
    assert isinstance(slot, int)
    return slot


# ----------------------------------------------------------------------------- what the spec says


def said_of(written: Sequence[Any], place: int) -> Mapping[str, Any]:
    """An entry in a list of layers, as the spec has it."""
    said = written[place] if place < len(written) else None
    return said if isinstance(said, dict) else {}


def escaped(text: str) -> str:
    """Plain text as a text of the spec."""
    return text.replace("$", "$$")


def item_name(node: Node, said: Mapping[str, Any], around: Use | None) -> str:
    """The text that is the name of a layer in a block."""
    if around is None:
        return escaped(node.unit.name)
    given = said.get("name")
    if isinstance(given, str):
        return given if is_whole(given) else f"$({NAME})_{given}"
    return _after(node.unit.name, around.call.name if around.call.is_named else "")


def use_name(use: Use, said: Mapping[str, Any]) -> str:
    """The text that is the name of a use in a block, or in the model."""
    call = use.call
    given = said.get("name")
    if not isinstance(given, str):
        return _after(call.name, call.parent.name if call.parent and call.is_named else "")
    if call.index is not None and not _has_index(given):
        given = f"{given}_$({INDEX} + 1)"
    if call.parent is None or is_whole(given):
        return given
    return f"$({NAME})_{given}"


def _has_index(text: str) -> bool:
    return any(INDEX in expression.names for expression in expressions_in(text))


def local_name(name: str, around: str) -> str:
    """A variable's name for what has this name in a use: ``conv2_block1_0_bn`` -> ``bn_0``."""
    rest = name.removeprefix(f"{around}_") if around else name
    text = rest.partition(":")[0]
    return identifier(re.sub(r"^(\d+)[_-](.+)$", r"\2_\1", text), "layer")


def _after(name: str, around: str) -> str:
    rest = name.removeprefix(around)
    return f"$({NAME}){escaped(rest)}" if around and rest != name else escaped(name)


def texts_in(said: Any) -> list[str]:
    """Every text with an expression in nested data, in order."""
    if isinstance(said, str):
        try:
            return [said] if any(True for _ in expressions_in(said)) else []
        except FieldError:
            return []
    if isinstance(said, Mapping):
        return [text for item in said.values() for text in texts_in(item)]
    if isinstance(said, (list, tuple)):
        return [text for item in said for text in texts_in(item)]
    return []


# -------------------------------------------------------------------------------------- arguments


def arguments(
    use: Use, code_value: Callable[[Node, str], Any], found: dict[Use, dict[str, Any]]
) -> dict[str, Any]:
    """The value of each parameter of a use, as generated code has it.

    A parameter that is a field as a whole has the value that the code writes for the field: 3 where
    the spec says [3, 3].

    Args:
        use: The use.
        code_value: From a call and a field of its layer to the value in code; it may raise
            LookupError.
        found: The values of uses that are known.
    """
    if use in found:
        return found[use]
    values = dict(use.call.arguments)
    written = use.call.block.layers
    fields: dict[str, list[Any]] = {}
    for item in use.items:
        if isinstance(item, Node):
            for key, said in said_of(written, slot_of(item)).items():
                if key in NO_FIELDS or (parameter := _whole(said)) not in values:
                    continue
                with suppress(LookupError):
                    fields.setdefault(str(parameter), []).append(code_value(item, key))
        else:
            inner = arguments(item, code_value, found)
            for key, said in said_of(written, item.call.place).items():
                if key in inner and (parameter := _whole(said)) in values:
                    fields.setdefault(str(parameter), []).append(inner[key])
    for name, items in fields.items():
        if items and all(same(plain(item), plain(items[0])) for item in items):
            values[name] = items[0]
    values[NAME] = use.call.name
    found[use] = values
    return values


def _whole(said: Any) -> str | None:
    """The parameter that a text is as a whole."""
    if not isinstance(said, str) or "$" not in said:
        return None
    try:
        pieces = parse_text(said)
    except FieldError:
        return None
    if len(pieces) != 1 or not isinstance(pieces[0], Expression):
        return None
    node = pieces[0].node
    return node.id if isinstance(node, ast.Name) else None


# ------------------------------------------------------------- blocks that are written out in others


def _translation(use: Use, said: Mapping[str, Any], outer: Translate) -> Translate:
    """From the parameters of a block that is written out to those of the function around it."""
    call = use.call
    given = {key: outer(item) for key, item in call.given.items()}
    known = {
        key: given.get(key, default)
        for key, default in call.block.parameters.items()
        if key in given or default != REQUIRED
    }
    known[NAME] = outer(use_name(use, said))
    if call.index is not None:
        turn = {INDEX: call.index}
        known = {key: substituted(item, turn) for key, item in known.items()}
    return lambda said: substituted(said, known)


def substituted(said: Any, known: Mapping[str, Any]) -> Any:
    """Nested data whose expressions have what is known for their names."""
    if isinstance(said, str):
        return _substituted_text(said, known) if "$" in said else said
    if isinstance(said, Mapping):
        return {key: substituted(item, known) for key, item in said.items()}
    if isinstance(said, (list, tuple)):
        return [substituted(item, known) for item in said]
    return said


def _substituted_text(text: str, known: Mapping[str, Any]) -> Any:
    try:
        pieces = parse_text(text)
    except FieldError:
        return text
    whole = _whole(text)
    if whole in known:
        return known[str(whole)]
    parts = []
    for piece in pieces:
        if isinstance(piece, str):
            parts.append(escaped(piece))
            continue
        item = known.get(piece.node.id) if isinstance(piece.node, ast.Name) else None
        if isinstance(item, str):
            parts.append(item)
            continue
        try:
            tree = _Substitution(known).visit(ast.parse(piece.text, mode="eval").body)
        except _UnknownError:
            return ""
        parts.append(f"$({ast.unparse(tree)})")
    return "".join(parts)


class _UnknownError(Exception):
    """What is known cannot stand in an expression."""


class _Substitution(ast.NodeTransformer):
    """Puts what is known in the place of names."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        self.known = known

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """The expression of a name."""
        if node.id not in self.known:
            return node
        item = self.known[node.id]
        if isinstance(item, str) and "$" in item:
            pieces = parse_text(item)
            if len(pieces) == 1 and isinstance(pieces[0], Expression):
                return ast.parse(pieces[0].text, mode="eval").body
            raise _UnknownError
        if item is None or isinstance(item, (bool, int, float, str)):
            return ast.Constant(item)
        raise _UnknownError
