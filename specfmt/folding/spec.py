"""A spec with what stands in it several times as blocks."""

from __future__ import annotations

from typing import Any

from specfmt.folding.fold import fold
from specfmt.folding.listing import (
    TYPE_KEYS,
    Item,
    Listing,
    LocalNames,
    Ref,
    by_numbers,
    depth_first,
    map_refs,
    refs_in,
    to_refs,
)
from specfmt.graph.arguments import reads_previous
from specfmt.layers.blocks import REQUIRED, Expanded
from specfmt.layers.entries import Model, Reuse, naming
from specfmt.layers.naming import Counter, Namer, automatic_names, is_automatic
from specfmt.spec.document import ModelSpec, parse_document
from specfmt.vocab.naming import to_snake_case


def refactor(spec: ModelSpec) -> ModelSpec:
    """The same model with blocks; the spec itself if none would save anything.

    See `specfmt.refactor`.
    """
    found = folded(spec)
    return spec if found is None else found[0]


def folded(spec: ModelSpec) -> tuple[ModelSpec, Listing, dict[str, Any]] | None:
    """The same model with blocks, its list of layers, and the spec as plain data.

    Returns:
        None if no block would save anything.
    """
    if isinstance(spec.layers, Expanded) or not spec.inputs:
        return None
    listing = read_listing(spec)
    if listing is None:
        return None
    blocks = fold(listing, {to_snake_case(str(item.kind[1])) for item in listing.items})
    if not blocks:
        return None
    counts_all = listing.counts_all
    data: dict[str, Any] = {}
    for key, value in spec.to_data().items():
        if key == "layers":
            data["blocks"] = {
                name: write_block(block, counts_all) for name, block in blocks.items()
            }
            data[key] = write_items(listing, counts_all)
        else:
            data[key] = value
    last = automatic_names([naming(entry) for entry in spec.layers])[-1]
    found = _read_same(spec, data, last)
    if found is None:  # the last entry is another one
        data = {**data, "outputs": last}
        found = _read_same(spec, data, last)
    return None if found is None else (found, listing, data)


def _read_same(spec: ModelSpec, data: dict[str, Any], last: str) -> ModelSpec | None:
    """The spec of plain data; None if it is not the same model."""
    found, problems = parse_document(data)
    if found is None or problems or not isinstance(found.layers, Expanded):
        return None
    ends = found.layers.last if found.outputs is None else last
    return found if ends == last and same_model(spec, found) else None


def same_model(spec: ModelSpec, other: ModelSpec) -> bool:
    """Whether two specs have the same entries, but for their order and the order of edges' names."""
    return _resolved(spec) == _resolved(other)


def _resolved(spec: ModelSpec) -> dict[str, Any]:
    """Every entry by name, with the names of all that it reads."""
    names = automatic_names([naming(entry) for entry in spec.layers])
    found: dict[str, Any] = {}
    inputs = list(spec.inputs or ())
    for index, (entry, name) in enumerate(zip(spec.layers, names, strict=True)):
        before = names[index - 1] if index else (inputs[0] if len(inputs) == 1 else None)
        data = {k: v for k, v in _filled(entry).items() if k not in ("name",)}
        key = "call" if isinstance(entry, Model) else "inputs"
        if reads_previous(entry):
            data[key] = before
        edges = data.get(key)
        if isinstance(edges, (list, tuple)) and len(edges) == 1 and "op" not in data:
            data[key] = edges[0]
        found[name] = data
    return found


def _filled(entry: Any) -> dict[str, Any]:
    """The fields of an entry as plain data, without those that have their defaults."""
    data: dict[str, Any] = entry.to_data()
    fields = type(entry).model_fields
    kept = {}
    for key, value in data.items():
        info = fields.get(key)
        default = (
            None
            if info is None or info.is_required()
            else info.get_default(call_default_factory=True)
        )
        given = getattr(entry, key, None)
        if (
            info is not None
            and not info.is_required()
            and given == default
            and type(given) is type(default)
        ):
            continue
        kept[key] = value
    return kept


# ---------------------------------------------------------------------------------- read


def read_listing(spec: ModelSpec) -> Listing | None:
    """The list of a spec's layers; None if something in it cannot be moved."""
    names = automatic_names([naming(entry) for entry in spec.layers])
    inputs = tuple(spec.inputs or ())
    known: dict[str, Ref] = {name: Ref(number) for number, name in enumerate(inputs)}
    items: list[Item] = []
    if len(set(names) | set(inputs)) < len(names) + len(inputs):
        return None
    for entry, name in zip(spec.layers, names, strict=True):
        data = entry.to_data()
        tag = next(key for key in TYPE_KEYS if key in data)
        key = "call" if isinstance(entry, Model) else "inputs"
        fields = {k: v for k, v in data.items() if k not in (tag, "name", key)}
        item = Item((tag, data[tag]), fields, name, False, None)
        item.origin = data.get(key)
        item.first, item.unnamed, item.out = len(items), entry.name is None, name
        items.append(item)
        known[name] = Ref(item)

    def find(name: str) -> Ref | None:
        if name in known:
            return known[name]
        base, mark, number = name.rpartition(":")
        if mark and base in known and number.isdigit():
            return Ref(known[base].source, int(number))
        return None

    for index, (entry, item) in enumerate(zip(spec.layers, items, strict=True)):
        edges, item.origin = item.origin, None
        if reads_previous(entry):
            before = Ref(items[index - 1]) if index else Ref(0) if len(inputs) == 1 else None
            item.read(before)
        else:
            item.read(to_refs(edges, find))
        item.fixed = "$" in str(item.name) or "$" in str(map_refs(item.edges, lambda _: 0))
        if isinstance(entry, Reuse):
            item.origin = known[entry.reuse].source if entry.reuse in known else None
            item.fixed = True
            if isinstance(item.origin, Item):
                item.origin.fixed = True
        if any(ref.port for ref in item.refs):
            item.fixed = True
            for ref in item.refs:
                if ref.port and isinstance(ref.source, Item):
                    ref.source.fixed = True
    given = spec.to_data().get("outputs")
    outputs = list(refs_in(to_refs(given, find))) if given is not None else [Ref(items[-1])]
    if given is not None:
        for ref in outputs:  # a name in `outputs:` must not be inside a block
            if isinstance(ref.source, Item):
                ref.source.fixed = True
    ordered = by_numbers(depth_first(items, outputs), _ranks(items))
    if len(ordered) != len(items):
        return None
    kinds = {name: naming(entry) for entry, name in zip(spec.layers, names, strict=True)}
    counts_all = _find_automatic(ordered, kinds)
    in_order = all(item.first == place for place, item in enumerate(ordered))
    return Listing(
        None, inputs, ordered, outputs,
        counts_all=counts_all, in_order=in_order, layer_names=frozenset(names),
    )  # fmt: skip


def _ranks(items: list[Item]) -> dict[int, int]:
    """The numbers in the automatic names of the type that has the most of them, by `id`."""
    by_type: dict[str, dict[int, int]] = {}
    for item in items:
        kind = str(item.kind[1])
        if item.kind[0] == "type" and item.name and is_automatic(item.name, kind):
            number = item.name.removeprefix(to_snake_case(kind)).lstrip("_")
            by_type.setdefault(kind, {})[id(item)] = int(number or 0)
    return max(by_type.values(), key=len, default={})


def _find_automatic(items: list[Item], kinds: dict[str, Any]) -> bool:
    """Note the names that Keras would give by itself in this order.

    Returns:
        Whether entries without a name would get them too, which count all others.
    """
    counter, namer = Counter(), Namer()
    same = True
    for item in items:
        kind, _, reused = kinds[str(item.name)]
        plain = namer.name(kind, None, reused)
        known = to_snake_case(kind) == to_snake_case(str(item.kind[1]))
        if counter.count(kind, str(item.name)) and known and reused is None:
            item.automatic = True
            same = same and plain == item.name
    return same


# --------------------------------------------------------------------------------- write


def write_items(listing: Listing, counts_all: bool) -> list[dict[str, Any]]:
    """The entries of a list as plain data.

    Args:
        listing: The list.
        counts_all: Whether entries without a name get the automatic names that they have.
    """
    local = LocalNames(listing)

    def write(ref: Ref) -> str:
        if isinstance(ref.source, int):
            name = listing.inputs[ref.source]
        else:
            name = local.of(ref.source)
        return f"{name}:{ref.port}" if ref.port else name

    written = []
    before: Ref | None = Ref(0) if listing.block or len(listing.inputs) == 1 else None
    for item in listing.items:
        data: dict[str, Any] = {item.kind[0]: item.kind[1]}
        if item.unnamed and listing.in_order:
            pass
        elif not item.automatic or (listing.block is None and not item.is_use):
            data["name"] = item.name
        elif listing.block is not None and (listing.is_named or not (counts_all or item.is_use)):
            data["name"] = None
        data |= item.fields
        if item.edges != before or isinstance(item.edges, list):
            edges = map_refs(item.edges, write)
            if edges is not None:
                data[item.edges_key] = edges
        written.append(data)
        before = Ref(item)
    return written


def write_block(block: Listing, counts_all: bool) -> dict[str, Any]:
    """A block as plain data."""
    data: dict[str, Any] = {"description": block.description}
    if block.parameters:
        data["parameters"] = dict(block.parameters)
    if len(block.inputs) > 1:
        data["inputs"] = list(block.inputs)
    data["layers"] = write_items(block, counts_all)
    if block.outputs != [Ref(block.items[-1])]:
        local = LocalNames(block)
        data["outputs"] = [
            local.of(ref.source) for ref in block.outputs if isinstance(ref.source, Item)
        ]
    return data


__all__ = ["REQUIRED", "refactor"]
