"""Checks of blocks that hold for every use: they are made once, whether a block is used or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from specfmt.diagnostics import Diagnostic, Path
from specfmt.fields.errors import (
    FieldError,
    NestedError,
    close_matches,
    did_you_mean,
    error_to_diagnostic,
    show,
)
from specfmt.fields.expressions import is_computed, placed_expressions
from specfmt.fields.rules import Boolean
from specfmt.fields.types import NameRule
from specfmt.fields.validation import findings, validate
from specfmt.layers.block_scope import edges_key
from specfmt.layers.block_sizes import own_entries, uses_in
from specfmt.layers.blocks import (
    INDEX,
    INPUT,
    MAX_DEPTH,
    OWN_NAME,
    REQUIRED,
    Block,
    use_findings,
)
from specfmt.layers.entries import is_use, parse_entry
from specfmt.layers.expansion import EDGES

KIND_KEYS = ("type", "op", "block")
"""Keys whose value cannot be an expression."""


class CheckedBlocks(dict[str, Block]):
    """Blocks whose mistakes are known.

    Attributes:
        problems: The mistakes, with paths relative to ``blocks``.
        sound: The blocks that can be written out.
        names: The names of all blocks, those with mistakes included.
    """

    problems: list[Diagnostic]
    sound: dict[str, Block]
    names: frozenset[str]


def check_blocks(value: Any) -> CheckedBlocks:
    """The blocks of a document and their mistakes.

    Raises:
        FieldError: It is no mapping.
    """
    if not isinstance(value, dict):
        raise FieldError("a mapping from name to {parameters: ..., layers: [...]}", value)
    found = CheckedBlocks()
    problems: dict[str, list[Diagnostic]] = {name: [] for name in value}
    for name, item in value.items():
        problems[name] += findings(NameRule(), name, ())
        try:
            found[name] = _block(item)
        except FieldError as error:
            problems[name].append(error_to_diagnostic(error, ()))
        except NestedError as error:
            problems[name] += error.diagnostics
    found.names = frozenset(map(str, value))
    broken = _too_deep(found, problems)
    for name, block in found.items():
        problems[name] += _Body(block, found).findings()
    found.sound = {name: block for name, block in found.items() if name not in broken}
    found.problems = [d.under((name,)) for name, items in problems.items() for d in items]
    return found


def _block(item: Any) -> Block:
    if isinstance(item, Block):
        return item
    if not isinstance(item, dict):
        raise FieldError("{parameters: ..., layers: [...]}", item)
    return validate(Block, item, "a block")


def _too_deep(blocks: Mapping[str, Block], problems: dict[str, list[Diagnostic]]) -> set[str]:
    """The blocks that use themselves, or too many inside each other; reports each once."""
    depths: dict[str, int] = {}
    broken: set[str] = set()

    def visit(name: str, chain: tuple[str, ...]) -> int:
        if name in depths:
            return depths[name]
        deepest = 0
        for path, use in _uses(blocks[name].layers, ("layers",)):
            kind = use["block"]
            if kind not in blocks:
                continue
            inside = (*chain, name)
            if kind in inside:
                loop = " <- ".join([*inside[inside.index(kind) :], kind])
                message = f"expected blocks that do not use themselves, received {loop}"
                problems[name].append(Diagnostic("SF202", message, (*path, "block")))
                broken.update(inside[inside.index(kind) :])
                continue
            if len(inside) >= MAX_DEPTH or visit(kind, inside) >= MAX_DEPTH:
                message = f"expected at most {MAX_DEPTH} blocks inside each other, received more"
                problems[name].append(Diagnostic("SF219", message, (*path, "block")))
                broken.update(inside)
                continue
            deepest = max(deepest, depths.get(kind, 0))
        depths[name] = deepest + 1
        return depths[name]

    for name in blocks:
        visit(name, ())
    return broken


def _uses(entries: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The uses among entries, those in nested models included, with their paths."""
    for use in uses_in(entries):
        yield _path_of(entries, use, path), use


def _path_of(holder: Any, wanted: Any, path: Path) -> Path:
    """The path of a value in nested data."""
    if holder is wanted:
        return path
    items = holder.items() if isinstance(holder, dict) else enumerate(holder)
    for key, item in items:
        if isinstance(item, (dict, list)):
            found = _path_of(item, wanted, (*path, key))
            if found:
                return found
    return ()


class _Body:
    """The checks of one block.

    Args:
        block: The block.
        blocks: All blocks that could be read.
    """

    def __init__(self, block: Block, blocks: CheckedBlocks) -> None:
        self.block = block
        self.blocks = blocks
        self.names: set[str] = set()
        self.texts: set[str] = set()
        self.unclear = False

    def findings(self) -> Iterator[Diagnostic]:
        """All findings, with paths relative to the block."""
        block = self.block
        for name in {name for name in block.inputs if block.inputs.count(name) > 1}:
            message = f"expected each input once, received {show(name)} again"
            yield Diagnostic("SF203", message, ("inputs",), "remove or rename one of the two")
        for name, default in block.parameters.items():
            for path, found in placed_expressions(default, ("parameters", name)):
                yield from self._expression(found, path, (), "a default without parameters")
        yield from self._entries(block.layers, ("layers",))
        if self.unclear:
            return
        yield from self._unread()
        for name in block.parameters:
            if name not in self.names:
                message = f"expected {name} in an expression of the block, but it is not"
                hint = f"write ${name} where it is to stand, or remove the parameter"
                yield Diagnostic("SF218", message, ("parameters", name), hint, on_key=True)

    def _unread(self) -> Iterator[Diagnostic]:
        """The inputs that no entry reads."""
        block = self.block
        if block.inputs == (INPUT,):  # an input that is not declared may be left alone
            return
        first = block.layers[0]
        read = set(self.texts) | set(block.outputs or ())
        for entry in block.layers:
            for key in EDGES:
                read.update(_texts(entry.get(key)) if isinstance(entry, dict) else ())
        if not isinstance(first, dict) or first.get(edges_key(first)) is None:
            read.add(block.inputs[0])
        for number, name in enumerate(block.inputs):
            if name not in read:
                message = f"expected the input {name} to be read by an entry, but it is not"
                hint = "read it, or remove it from `inputs:`"
                yield Diagnostic("SF218", message, ("inputs", number), hint)

    def _entries(self, entries: Sequence[Any], path: Path) -> Iterator[Diagnostic]:
        for index, entry in enumerate(entries):
            yield from self._entry(entry, (*path, index))

    def _entry(self, entry: Any, path: Path) -> Iterator[Diagnostic]:
        if is_use(entry):
            for finding in use_findings(entry, self.blocks, self.blocks.names):
                yield finding.under(path)
            counted = (INDEX,) if entry.get("repeat") is not None else ()
            for key, value in entry.items():
                own = () if key in ("repeat", "when", "block") else counted
                yield from self._expressions(value, (*path, key), own)
            return
        if not isinstance(entry, dict):
            yield from self._read(entry, path)
            return
        data = {key: value for key, value in entry.items() if key != "when"}
        if "when" in entry and not is_computed(entry["when"]):
            yield from findings(Boolean(), entry["when"], (*path, "when"))
        inner = own_entries(data)
        if inner is not None:
            data = {**data, "layers": []}
        yield from self._read(data, path)
        for key, value in entry.items():
            if key in KIND_KEYS:
                self.unclear |= is_computed(value)
            elif value is not inner or inner is None:
                yield from self._expressions(value, (*path, key), ())
        if inner is not None:
            yield from self._entries(inner, (*path, "layers"))

    def _read(self, data: Any, path: Path) -> Iterator[Diagnostic]:
        """The findings about an entry that do not depend on its expressions."""
        try:
            parse_entry(data)
        except FieldError as error:
            yield error_to_diagnostic(error, path)
        except NestedError as error:
            for finding in error.diagnostics:
                key = finding.path[0] if finding.path else KIND_KEYS[0]
                on_key = finding.on_key and len(finding.path) == 1
                if on_key or key in KIND_KEYS or not is_computed(data.get(key)):
                    yield finding.under(path)

    def _expressions(self, value: Any, path: Path, own: tuple[str, ...]) -> Iterator[Diagnostic]:
        names = (*self.block.parameters, OWN_NAME, *own)
        if isinstance(value, dict) and own_entries(value) is not None:
            names = (*names, INDEX)
        for place, found in placed_expressions(value, path):
            yield from self._expression(found, place, names, "the name of a parameter")

    def _expression(
        self, found: Any, path: Path, names: tuple[str, ...], expected: str
    ) -> Iterator[Diagnostic]:
        if isinstance(found, FieldError):
            self.unclear = True
            yield error_to_diagnostic(found, path)
            return
        self.texts.update(found.texts)
        for name in found.names:
            self.names.add(name)
            if name not in names:
                self.names.update(close_matches(name, names))
                hint = did_you_mean(name, names)
                if name == INDEX:
                    hint = f"${INDEX} is the number of a repetition; it needs `repeat:`"
                elif not hint:
                    hint = f"declare it: `parameters: {{{name}: {REQUIRED}}}`"
                yield error_to_diagnostic(FieldError(expected, name, hint, "SF217"), path)


def _texts(value: Any) -> Iterator[str]:
    """The texts in nested data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
