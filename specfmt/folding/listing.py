"""A list of layers as it is folded: entries whose edges are references instead of names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from specfmt.graph.arguments import SPECIAL
from specfmt.layers.naming import Namer
from specfmt.layers.registry import MODEL

TYPE_KEYS = ("type", "op", "reuse", "block")
"""The fields that say what an entry is."""


class Ref(NamedTuple):
    """A tensor: an output of an entry, or an input of the list.

    Attributes:
        source: The entry, or the number of the input.
        port: The number of the entry's output.
    """

    source: Item | int
    port: int = 0


@dataclass(eq=False, repr=False)
class Item:
    """An entry.

    Attributes:
        kind: The field that says what it is, and its value: ``("type", "Dense")``.
        fields: Its other fields but name and edges.
        name: Its name as written inside its list; None for the use of a block without a name.
        automatic: Whether Keras gives it this name by itself, so that it need not be written.
        edges: Its edges, with a `Ref` for each tensor; None for an entry that reads nothing.
        fixed: Whether it must stay where it is, because it is called again, or is such a call.
        last: For a repeated use, the name of the last repetition.
        origin: For a repeated call, the entry that it calls again.
        first: The index of the first entry that it stands for in the list that was read.
        unnamed: Whether it has no name there.
        out: In the model's list, the name of the layer whose output it gives.
    """

    kind: tuple[str, Any]
    fields: dict[str, Any]
    name: str | None
    automatic: bool
    edges: Any
    fixed: bool = False
    last: str | None = None
    origin: Any = None
    refs: list[Ref] = field(init=False)
    place: int = 0
    symbol: int = 0
    first: int = 0
    unnamed: bool = False
    out: str = ""

    def __post_init__(self) -> None:
        self.read(self.edges)

    def read(self, edges: Any) -> None:
        """Give it other edges."""
        self.edges = edges
        self.refs = list(dict.fromkeys(refs_in(edges)))

    @property
    def weight(self) -> int:
        """The number of statements that it is."""
        return 1 + (nested_layers(self.fields) if self.kind == ("type", MODEL) else 0)

    @property
    def is_use(self) -> bool:
        """Whether it is the use of a block."""
        return self.kind[0] == "block"

    @property
    def edges_key(self) -> str:
        """The field that holds its edges."""
        return "call" if self.kind == ("type", MODEL) else "inputs"


def nested_layers(model: Mapping[str, Any]) -> int:
    """The number of layers of a nested model, those of models inside it included."""
    layers = model.get("layers") or ()
    return sum(1 + (nested_layers(e) if isinstance(e, dict) else 0) for e in layers)


@dataclass(eq=False, repr=False)
class Listing:
    """A list of entries: the model's, or a block's.

    Attributes:
        block: The name of the block; None for the model.
        inputs: The names of the inputs.
        items: The entries in order; each stands after those that it reads.
        outputs: The tensors that the list gives.
        is_named: Whether uses of the block have names, which those of the entries follow.
        parameters: Parameter -> its default, or ``required``.
        fields: Parameter -> the field of a layer that it is for.
        description: What the block does.
        counts_all: Whether entries of the model without a name get the automatic names that they
            have now.
        in_order: Whether the entries are in the order in which they were read.
        layer_names: The names of all layers of the model.
    """

    block: str | None
    inputs: tuple[str, ...]
    items: list[Item]
    outputs: list[Ref]
    is_named: bool = True
    parameters: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    description: str = ""
    counts_all: bool = True
    in_order: bool = True
    layer_names: frozenset[str] = frozenset()
    _names: Counter[str] | None = None
    _last: list[int] | None = None

    @property
    def weight(self) -> int:
        """The number of statements of all its entries."""
        return sum(item.weight for item in self.items)

    def count_of(self, name: str) -> int:
        """How many entries have a name."""
        if self._names is None:
            self._names = Counter(item.name for item in self.items if item.name)
        return self._names[name]

    def number(self) -> None:
        """Tell each entry its place."""
        self._names = self._last = None
        for place, item in enumerate(self.items):
            item.place = place

    def last_reads(self) -> list[int]:
        """For each entry the place of the last one that reads it; the length if the list gives it."""
        if self._last is not None:
            return self._last
        found = [-1] * len(self.items)
        for item in self.items:
            for ref in item.refs:
                if isinstance(ref.source, Item):
                    found[ref.source.place] = item.place
        for ref in self.outputs:
            if isinstance(ref.source, Item):
                found[ref.source.place] = len(self.items)
        self._last = found
        return found


def refs_in(edges: Any) -> Iterator[Ref]:
    """Every reference in nested edges."""
    if isinstance(edges, Ref):
        yield edges
    elif isinstance(edges, dict):
        for inner in edges.values():
            yield from refs_in(inner)
    elif isinstance(edges, (list, tuple)):
        for inner in edges:
            yield from refs_in(inner)


def map_refs(edges: Any, change: Callable[[Ref], Any]) -> Any:
    """The same edges with every reference changed."""
    if isinstance(edges, Ref):
        return change(edges)
    if isinstance(edges, dict):
        return {key: map_refs(inner, change) for key, inner in edges.items()}
    if isinstance(edges, (list, tuple)):
        return [map_refs(inner, change) for inner in edges]
    return edges


def to_refs(edges: Any, find: Callable[[str], Ref | None]) -> Any:
    """Edges with names of tensors replaced by references; other texts stay."""
    if isinstance(edges, str):
        return find(edges) or edges
    if isinstance(edges, dict) and not SPECIAL & set(edges):
        return {key: to_refs(inner, find) for key, inner in edges.items()}
    if isinstance(edges, (list, tuple)):
        return [to_refs(inner, find) for inner in edges]
    return edges


def depth_first(items: Sequence[Item], outputs: Sequence[Ref]) -> list[Item]:
    """The entries in the order of a walk from the outputs: each right after what it reads.

    Entries that no output depends on come first.
    """
    read = {id(ref.source) for item in items for ref in item.refs}
    read |= {id(ref.source) for ref in outputs}
    unread = [item for item in items if id(item) not in read]
    roots = [*unread, *(ref.source for ref in outputs if isinstance(ref.source, Item))]
    order: list[Item] = []
    done: set[int] = set()
    for root in roots:
        if id(root) in done:
            continue
        done.add(id(root))
        stack = [(root, iter(_needs(root)))]
        while stack:
            item, needs = stack[-1]
            need = next((n for n in needs if id(n) not in done), None)
            if need is None:
                order.append(item)
                stack.pop()
            else:
                done.add(id(need))
                stack.append((need, iter(_needs(need))))
    return order


def by_numbers(ordered: list[Item], ranks: Mapping[int, int]) -> list[Item]:
    """The entries in the order in which a program made them, as numbers in their names say.

    An entry without a number comes as soon as what it reads is there.

    Args:
        ordered: The entries, each after those that it reads.
        ranks: The numbers of some entries, by `id`.
    """
    found = [ranks[id(item)] for item in ordered if id(item) in ranks]
    if found == sorted(found):
        return ordered
    keys: dict[int, int] = {}
    for item in ordered:
        before = max((keys[id(need)] for need in _needs(item)), default=-1)
        keys[id(item)] = max(before, ranks.get(id(item), -1))
    return sorted(ordered, key=lambda item: keys[id(item)])


def _needs(item: Item) -> list[Item]:
    sources = [ref.source for ref in item.refs if isinstance(ref.source, Item)]
    return [*sources, *([item.origin] if isinstance(item.origin, Item) else [])]


class LocalNames:
    """The names by which the entries of one list refer to each other, as the language gives them."""

    def __init__(self, listing: Listing) -> None:
        self.names: dict[int, str] = {}
        namer = Namer()
        for item in listing.items:
            if item.is_use and item.name is None:
                base = str(item.kind[1])
                count = item.fields.get("repeat", 1)
                for _ in range(count if isinstance(count, int) else 1):
                    self.names[id(item)] = namer.name(f"block {base}", None, None, base)
            elif item.is_use or listing.block is None:
                self.names[id(item)] = item.last or item.name or ""
            else:
                own = None if item.automatic else item.name
                self.names[id(item)] = namer.name(str(item.kind[1]), own, None)

    def of(self, item: Item) -> str:
        """The name of an entry."""
        return self.names[id(item)]
