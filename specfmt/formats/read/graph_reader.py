"""The common base of the readers of Sequential and Functional models."""

from __future__ import annotations

from typing import Any, Final

from specfmt.diagnostics import Diagnostic, Path, SpecError
from specfmt.formats.config.context import KERAS_3, Context
from specfmt.formats.config.reading import Json, as_map, fail, show
from specfmt.formats.read.assemble import NO_INPUT, Assembler, Record
from specfmt.formats.read.call_indices import offsets
from specfmt.formats.read.input_shapes import input_spec
from specfmt.formats.read.layer_entries import LayerReader
from specfmt.formats.read.named_functions import named_function
from specfmt.formats.read.nodes import Call, Ref, collect_refs, map_refs
from specfmt.formats.read.operations import operation_class
from specfmt.formats.read.serialized_layers import layer_parts
from specfmt.graph.model import flat_order
from specfmt.layers.naming import is_automatic

INPUT: Final = "InputLayer"

SEVERAL_OUTPUTS: Final = frozenset(
    (
        "split array_split unstack top_k moments meshgrid qr svd eig eigh slogdet "
        "lu_factor nonzero hsplit vsplit dsplit fft fft2 ifft2 rfft stft ctc_decode "
        "histogram modf frexp unravel_index"
    ).split()
)
"""Operations with several outputs."""


class GraphReader:
    """The layers and calls of one model while it is read.

    Args:
        context: The import.
        layers: Reads layers.
        policy: The model's dtype policy.
        frozen: The model is not trainable.

    Attributes:
        is_plain: The model is a chain of layers, as required for a Sequential.
    """

    def __init__(self, context: Context, layers: LayerReader, policy: Any, *, frozen: bool) -> None:
        self.context = context
        self.layers = layers
        self.policy = policy
        self.frozen = frozen
        self.is_plain = True
        self.inputs: Json = {}
        self.records: list[Record] = []
        self.ranks: dict[str, int | None] = {}
        self.problems: list[Diagnostic] = []
        self.outputs: Any = None
        self.place: Path = ()
        self.lost: list[tuple[str, str, Path]] = []
        self.unsupported: dict[str, str] = {}

    def input_layer(self, config: Any, path: Path, name: str | None = None) -> tuple[str, Json]:
        config = as_map(config, path, "the config of an InputLayer")
        if name is None:
            given = config.get("name")
            name = given if isinstance(given, str) and given else "input_layer"
        for key in ("batch_shape", "batch_input_shape", "batchInputShape"):
            if config.get(key) is not None:
                spec = input_spec(
                    config[key], config.get("dtype", config.get("input_dtype")), (*path, key)
                )
                for flag in ("sparse", "ragged", "optional"):
                    if config.get(flag) is True:
                        spec[flag] = True
                return name, spec
        return fail("SF404", "an InputLayer is missing the required key `batch_shape`", path)

    def add_input(self, name: str, spec: Json, where: Path) -> tuple[Ref, int | None]:
        if name in self.inputs:
            fail("SF410", f"expected names used once, received {show(name)} twice", where)
        self.inputs[name] = spec
        rank = len(spec["shape"]) + 1
        self.ranks[name] = rank
        return Ref(name, 0, 0), rank

    def input_of_model(self, name: str, entry: Json | None, where: Path) -> tuple[Ref, int | None]:
        """The input of a Sequential that starts with a nested model: that model's input."""
        inner = (entry or {}).get("inputs")
        if not isinstance(inner, dict) or len(inner) != 1:
            return NO_INPUT, None
        return self.add_input(name, dict(next(iter(inner.values()))), where)

    def read_layer(self, item: Any, where: Path, rank: int | None) -> Json | None:
        try:
            class_name, config, path = layer_parts(item, where)
            function = named_function(self.context, class_name, config, self.policy, path)
            if function is not None:
                return function
            return self.layers.read(item, where, self.policy, rank, frozen=self.frozen)
        except SpecError as error:
            self.problems.extend(error.diagnostics)
            return None

    def finish_reading(self) -> None:
        """Raise all errors found in the layers."""
        if self.problems:
            raise SpecError(self.problems)

    def check_names(self) -> None:
        seen = set(self.inputs)
        for record in self.records:
            if record.name in seen:
                fail(
                    "SF410",
                    f"expected names used once, received {show(record.name)} twice",
                    record.path,
                )
            seen.add(record.name)

    def settle(self, outputs: Any, path: Path) -> None:
        """Normalize call indices, and leave out unused layers."""
        index = {record.name: record for record in self.records}
        wanted: list[Ref] = []
        collect_refs(outputs, wanted)
        orders: dict[str, list[int]] = {}
        starts = offsets(self.records, wanted, self.context.generation)

        def shift(ref: Ref, side: int, where: Path) -> Ref:
            record = index.get(ref.layer)
            if record is None and ref.layer not in self.inputs:
                fail("SF411", f"expected the name of a layer, received {show(ref.layer)}", where)
            count = 1 if record is None else len(record.calls)
            node = ref.node - (starts.get(ref.layer, (0, 0))[side] if record else 0)
            if not 0 <= node < count:
                if count == 0 and record is not None:
                    fail(
                        "SF411",
                        f"expected {ref.layer} to be called, received a layer without calls",
                        where,
                    )
                fail(
                    "SF411",
                    f"expected a call of {ref.layer} from 0 to {count - 1}, received {ref.node}",
                    where,
                )
            if ref.tensor and (record is None or ref.tensor > 10_000):
                fail("SF411", f"expected an output of {ref.layer}, received {ref.tensor}", where)
            tensor = ref.tensor
            if record is not None and isinstance(record.entry.get("outputs"), (list, dict)):
                order = orders.setdefault(ref.layer, flat_order(record.entry["outputs"]))
                tensor = order[tensor] if tensor < len(order) else tensor
            return Ref(ref.layer, node, tensor)

        for record in self.records:
            for call in record.calls:
                where = call.path
                call.args = map_refs(call.args, lambda ref, where=where: shift(ref, 0, where))
                call.kwargs = map_refs(call.kwargs, lambda ref, where=where: shift(ref, 0, where))
                call.dropped_mask = map_refs(
                    call.dropped_mask, lambda ref, where=where: shift(ref, 0, where)
                )
        self.outputs = map_refs(outputs, lambda ref: shift(ref, 1, path))
        self.records = [record for record in self.records if record.calls]
        plan = self.context.plan
        if plan is not None:
            plan.models[self.place] = index
            if any(call.dropped_mask for record in self.records for call in record.calls):
                self.drop_unused(keeps_names=bool(plan.kept))
            if plan.kept is None:
                self.pin_names()
        named: list[Ref] = []
        collect_refs(self.outputs, named)
        if not named:
            fail("SF413", "expected at least one output, received none", path)
        for ref in named:
            if ref.layer in index:
                index[ref.layer].keep_name = True

    def drop_unused(self, *, keeps_names: bool) -> None:
        """Leave out operations that only served to compute masks that are left out.

        Keras numbers operations of a class, so automatic names of others in these classes are left
        out too.
        """
        index = {record.name: record for record in self.records}
        waiting: list[Ref] = []
        collect_refs(self.outputs, waiting)
        read: set[str] = set()
        while waiting:
            name = waiting.pop().layer
            if name in index and name not in read:
                read.add(name)
                for call in index[name].calls:
                    waiting += call.refs()
        unread = [record for record in self.records if record.name not in read]
        self.records = [record for record in self.records if record.name in read]
        classes = {operation_class(r.entry["op"]) for r in unread if r.is_operation}
        for record in () if keeps_names else self.records:
            kind = operation_class(record.entry["op"]) if record.is_operation else record.class_name
            if kind in classes and is_automatic(record.name, kind):
                record.keep_name = False

    def pin_names(self) -> None:
        """Keep even automatic names of operations in the classes that Keras uses for masks."""
        classes = {operation_class(r.entry["op"]) for r in self.records if r.is_operation}
        for record in self.records:
            kind = operation_class(record.entry["op"]) if record.is_operation else record.class_name
            record.pin_name = kind in classes

    def body(self, inputs: Any, outputs: Any) -> Json:
        for record in self.records:
            if record.entry.get("type") == "Model":
                drop_empty(record.calls, ("mask",))
        plan = self.context.plan
        assembler = Assembler(
            self.inputs, self.records, plan.before if plan else {}, self.context.located
        )
        entries = assembler.entries()
        if plan is not None:
            plan.calls |= {id(e): call for e, call in zip(entries, assembler.calls, strict=True)}
        body: Json = {"inputs": self.inputs, "layers": entries}
        structure = self.structure(inputs, lambda ref: ref.layer)
        names = list(self.inputs)
        if structure != (names[0] if len(names) == 1 else names):
            body["input_structure"] = structure
        named = self.structure(self.outputs, assembler.tensor)
        if not entries or named != assembler.last or _several_outputs(entries[-1]):
            body["outputs"] = named
        return body

    def structure(self, value: Any, name: Any) -> Any:
        """Tensors of a model by name; Keras 2 writes a single one as a list."""
        if self.context.generation < KERAS_3 and isinstance(value, list) and len(value) == 1:
            value = value[0]
        return map_refs(value, name)


def _several_outputs(entry: Json) -> bool:
    """Whether the last entry may have several outputs, so that the model's output must be named."""
    edges, inner = entry.get("inputs"), entry.get("layer")
    return (
        (isinstance(inner, dict) and _several_outputs(inner))
        or entry.get("op") in SEVERAL_OUTPUTS
        or "reuse" in entry
        or entry.get("return_state") is True
        or (isinstance(edges, dict) and entry.get("type") != "Model")
        or (entry.get("type") == "Model" and isinstance(entry.get("outputs"), (list, dict)))
    )


def drop_empty(calls: list[Call], names: tuple[str, ...] | None = None) -> None:
    """Drop keywords (those in ``names``, if given) that were not given: None, or nests of it."""
    for call in calls:
        call.kwargs = {
            key: value
            for key, value in call.kwargs.items()
            if _any_given(value) or (names is not None and key not in names)
        }


def _any_given(value: Any) -> bool:
    if isinstance(value, Ref):
        return True
    if isinstance(value, (list, dict)):
        return any(
            _any_given(item) for item in (value.values() if isinstance(value, dict) else value)
        )
    return value is not None
