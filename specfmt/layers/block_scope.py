"""What the names and expressions of an entry mean, while the uses of blocks are written out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from specfmt.diagnostics import Diagnostic, InUse, Path
from specfmt.fields.errors import FieldError, did_you_mean, error_to_diagnostic, show
from specfmt.layers.block_sizes import MODEL_LAYERS, Sizes, compute
from specfmt.layers.blocks import MAX_LAYERS, Block, BlockCall
from specfmt.layers.naming import Namer

SPECIAL = frozenset({"const", "slice", "ellipsis"})
"""Keys of mappings among operands that are constants."""

SEEN = 12
"""The most names that a hint lists."""


class Library:
    """The blocks of a document, while its layers are read.

    Attributes:
        blocks: Those that can be written out.
        names: The names of all, those with mistakes included.
        known: The code and place, ``blocks`` left out, of each finding that is reported already.
        sizes: What the uses of blocks stand for.
        left: How many more layers uses may stand for.
    """

    def __init__(
        self,
        blocks: Mapping[str, Block],
        names: frozenset[str] = frozenset(),
        known: frozenset[tuple[str, Path]] = frozenset(),
    ) -> None:
        self.blocks = blocks
        self.names = names
        self.known = known
        self.sizes = Sizes(blocks)
        self.left = MAX_LAYERS


class Context(NamedTuple):
    """Where a list of layers stands.

    Attributes:
        library: The blocks of the document.
        call: The use of the block around the nested model that has the list.
        values: The values of names in expressions.
    """

    library: Library
    call: BlockCall | None = None
    values: Mapping[str, Any] = MappingProxyType({})


_CONTEXT: ContextVar[Context | None] = ContextVar("CONTEXT", default=None)


def context() -> Context:
    """Where the list of layers stands that is read."""
    return _CONTEXT.get() or Context(Library({}))


def stands_in_block() -> bool:
    """Whether the list of layers that is read stands in a nested model inside a block."""
    found = _CONTEXT.get()
    return found is not None and found.call is not None


@contextmanager
def reading(place: Context) -> Iterator[None]:
    """Let the lists of layers that are read inside stand at ``place``."""
    token = _CONTEXT.set(place)
    try:
        yield
    finally:
        _CONTEXT.reset(token)


@dataclass
class Frame:
    """The entries of one list, while it is written out.

    Attributes:
        call: The use of the block whose entries they are; None for the layers of a model.
        path: The place of the list.
        values: The values of names in expressions.
        tensors: Name -> the tensor in the flat list.
        previous: The tensor that the entry before gives.
        items: Indices in the flat list, and uses.
        layers: Name of an entry that stands -> its name in the flat list.
        uses: Name of a use -> its index.
        namer: Gives entries without a name theirs.
    """

    call: BlockCall | None
    path: Path
    values: Mapping[str, Any]
    tensors: dict[str, str]
    previous: str | None
    items: list[int | BlockCall]
    layers: dict[str, str] = field(default_factory=dict)
    uses: dict[str, int] = field(default_factory=dict)
    namer: Namer = field(default_factory=Namer)

    def place(self, index: int, *rest: str | int) -> Path:
        return (*self.path, index, *rest)


class BlockScope:
    """The meaning of names and expressions, and the findings about them.

    Attributes:
        problems: The findings.
        mistakes: The number of mistakes, those included that are known already.
    """

    def __init__(self) -> None:
        self.context = context()
        self.library = self.context.library
        self.problems: list[Diagnostic] = []
        self.mistakes = 0

    def report(self, finding: Diagnostic | FieldError, path: Path = ()) -> None:
        """Add a finding, unless it is one about the block that is reported already."""
        if isinstance(finding, FieldError):
            finding = error_to_diagnostic(finding, path)
        self.mistakes += 1
        head, *rest = finding.path
        if not isinstance(head, InUse) or (finding.code, tuple(rest)) not in self.library.known:
            self.problems.append(finding)

    def in_block(self, frame: Frame) -> bool:
        """Whether entries may have expressions."""
        return frame.call is not None or self.context.call is not None

    def value(self, values: Mapping[str, Any], written: Any, path: Path) -> Any:
        """A value with its expressions computed; None if one has a mistake, which is reported."""
        try:
            return compute(written, values)
        except FieldError as error:
            if not isinstance(written, (dict, list)):
                self.report(error, path)
                return None
        items = written.items() if isinstance(written, dict) else enumerate(written)
        for key, item in items:
            self.value(values, item, (*path, key))
        return None

    def first_read(self, frame: Frame, data: Mapping[str, Any]) -> str | None:
        """The first tensor that an entry would read."""
        edges = data.get(edges_key(data))
        while isinstance(edges, (list, dict)) and edges:
            edges = next(iter(edges.values())) if isinstance(edges, dict) else edges[0]
        found = self.tensor(frame, edges) if isinstance(edges, str) else None
        return frame.previous if found is None else found

    def tensor(self, frame: Frame, name: str) -> str | None:
        """The tensor that a name means, in the flat list; None if it is unknown."""
        if name in frame.tensors:
            return frame.tensors[name]
        base, mark, number = name.rpartition(":")
        if mark and base in frame.tensors and ":" not in frame.tensors[base]:
            return f"{frame.tensors[base]}:{number}"
        return name if frame.call is None else None

    def renamed(self, frame: Frame, edges: Any, path: Path, *, loose: bool = False) -> Any:
        """Edges with the names of the flat list.

        Args:
            frame: The list of the entry that has them.
            edges: The edges as written, with expressions computed.
            path: Their place.
            loose: Whether a text may be something else than the name of a tensor.
        """
        if isinstance(edges, str):
            found = self.tensor(frame, edges)
            if found is None and not loose:
                self.unknown("SF201", "a layer or input", edges, frame, path)
            return edges if found is None else found
        if isinstance(edges, (list, tuple)):
            return [
                self.renamed(frame, item, (*path, number), loose=loose)
                for number, item in enumerate(edges)
            ]
        if isinstance(edges, dict) and not SPECIAL & set(edges):
            return {
                name: self.renamed(frame, item, (*path, str(name)), loose=loose)
                for name, item in edges.items()
            }
        return edges

    def unknown(self, code: str, what: str, name: str, frame: Frame, path: Path) -> None:
        """Report a name that an entry of a block cannot read."""
        assert frame.call is not None
        known = frame.layers if code == "SF208" else frame.tensors
        seen = [name for name in known if ":" not in name]
        shown = ", ".join(seen[:SEEN]) + (", ..." if len(seen) > SEEN else "")
        hint = did_you_mean(name, seen)
        hint = hint or f"an entry of a block sees what is before it in the block: {shown}"
        expected = f"expected the name of {what} of the block {frame.call.kind}"
        self.report(Diagnostic(code, f"{expected}, received {show(name)}", path, hint))


def edges_key(data: Mapping[str, Any]) -> str:
    """The key of an entry's edges: ``call`` in a nested model."""
    return "call" if data.get("type") == MODEL_LAYERS[0] else "inputs"
