"""Whole models of any generation, nested ones included, as the fields of a spec."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from specfmt.formats import legacy_models
from specfmt.formats.assemble import NO_INPUT, Assembler, Record
from specfmt.formats.context import KERAS_2, KERAS_3, Context
from specfmt.formats.input_shapes import input_spec, layer_input
from specfmt.formats.layer_entries import (
    MODELS,
    LayerReader,
    layer_parts,
    output_rank,
    read_policy,
)
from specfmt.formats.nodes import Call, Ref, collect_refs, map_refs, read_call, read_tensors
from specfmt.formats.operations import (
    is_operation,
    operation_entry,
    settle_call,
)
from specfmt.formats.reading import Json, as_list, as_map, as_text, fail, need, show
from specfmt.formats.tf_operations import (
    CLASSES as TF_OPERATIONS,
)
from specfmt.formats.tf_operations import (
    LostOperand,
    Unsupported,
    convert_function,
    convert_node,
)
from specfmt.spec.diagnostics import Diagnostic, Path, SpecError

DEFAULT_POLICY: Final = "float32"
INPUT: Final = "InputLayer"
TF_PREFIXES: Final = ("tf.", "tf_op_layer_", "TensorFlowOpLayer")


class ModelReader:
    """Reads models; one for an import.

    Args:
        context: The import.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.layers = LayerReader(context, self.read)

    def read(
        self, class_name: str, config: Any, path: Path, policy: Any = None, frozen: bool = False
    ) -> Json:
        """The fields of a model: name, inputs, layers, outputs and what differs from defaults.

        Args:
            class_name: The model's class.
            config: Its config, or the list of its layers.
            path: Where the config stands.
            policy: The dtype policy around it; None for the outermost model.
            frozen: The model around it is not trainable.

        Raises:
            SpecError: With every finding in its layers.
        """
        if isinstance(config, list):
            config, path, layers_path = {"layers": config}, path, path
        else:
            layers_path = (*path, "layers")
        config = as_map(config, path, f"the config of {class_name}")
        layers = as_list(need(config, "layers", path, f"a {class_name}"), layers_path, "the layers of a model")
        outer = policy
        own = read_policy(config.get("dtype"), (*path, "dtype"))
        if own is not None:
            policy = own
        elif policy is None:
            policy = self._common_policy(layers)
        trainable = config.get("trainable")
        if not isinstance(trainable, bool):
            trainable = not frozen
        fields: Json = {}
        if config.get("name") is not None:
            fields["name"] = as_text(config["name"], (*path, "name"), "the name of a model")
        graph = _Graph(self, policy, frozen=not trainable)
        if class_name == "Sequential":
            body = graph.sequential(layers, layers_path, config)
        elif class_name == "Graph":
            body = graph.graph_of_keras_0(config, path)
        else:
            body = graph.functional(layers, layers_path, config, path, class_name)
        style = "sequential" if class_name == "Sequential" and graph.is_plain else "functional"
        if style != default_style(body):
            fields["style"] = style
        fields.update(body)
        if trainable is frozen:
            fields["trainable"] = trainable
        if policy != (outer or DEFAULT_POLICY):
            fields["dtype"] = policy
        return fields

    def _common_policy(self, layers: list[Any]) -> Any:
        """The policy that most layers have; plain dtypes of inputs do not count."""
        found: Counter[str] = Counter()
        for item in layers:
            config = item.get("config") if isinstance(item, dict) else None
            if not isinstance(config, dict) or item.get("class_name") == INPUT:
                continue
            dtype = config.get("dtype")
            if isinstance(dtype, dict) and isinstance(dtype.get("config"), dict):
                dtype = dtype["config"].get("name")
            if isinstance(dtype, str) and dtype and "int" not in dtype and dtype != "bool":
                found[dtype] += 1
        return found.most_common(1)[0][0] if found else DEFAULT_POLICY


def default_style(body: Json) -> str:
    """The style that a spec has without saying so: sequential for a chain of layers."""
    inputs = body.get("inputs")
    chain = (
        (inputs is None or len(inputs) == 1)
        and "outputs" not in body
        and "input_structure" not in body
        and not any(
            key in entry for entry in body["layers"] for key in ("op", "reuse", "inputs", "call") if not (key == "inputs" and entry.get("type") == "Model")
        )
    )
    return "sequential" if chain else "functional"


class _Graph:
    """The layers and calls of one model while it is read."""

    def __init__(self, reader: ModelReader, policy: Any, *, frozen: bool) -> None:
        self.context = reader.context
        self.layers = reader.layers
        self.policy = policy
        self.frozen = frozen
        self.is_plain = True
        self.inputs: Json = {}
        self.records: list[Record] = []
        self.ranks: dict[str, int | None] = {}
        self.problems: list[Diagnostic] = []

    # Sequential

    def sequential(self, layers: list[Any], path: Path, config: Json) -> Json:
        """The body of a Sequential."""
        last, _ = self.chain(layers, path, config.get("build_input_shape"), path)
        self.finish_reading()
        self.check_names()
        assembler = Assembler(self.inputs, self.records)
        entries = assembler.entries()
        body: Json = {"inputs": self.inputs} if self.inputs else {}
        body["layers"] = entries
        del last
        return body

    def chain(self, layers: list[Any], path: Path, build_shape: Any, outer: Path) -> tuple[Ref, int | None]:
        """Add layers that read each other in turn; returns the last tensor and its rank."""
        current: Ref | None = None
        rank: int | None = None
        for i, item in enumerate(layers):
            where = (*path, i)
            class_name, config, config_path = layer_parts(item, where)
            if class_name == INPUT:
                if current is not None:
                    fail("SF413", "expected an InputLayer only at the start, received another", where)
                name, spec = self.input_layer(config, config_path)
                current, rank = self.add_input(name, spec, where)
                continue
            if class_name == "Merge" and isinstance(config.get("layers"), list):
                current, rank = self.merge(config, config_path)
                continue
            name = self.new_name(class_name, config)
            if current is None:
                found = layer_input(class_name, config, config_path, self.context, build_shape)
                if found is None and class_name not in MODELS:
                    current = NO_INPUT
                elif found is not None:
                    current, rank = self.add_input(f"{name}_input", found, where)
            entry = self.read_layer(item, where, rank)
            if current is None:
                current, rank = self.input_of_model(f"{name}_input", entry, where)
            record = Record(name, entry or {"type": "Custom"}, where, [Call([current], {}, where)])
            self.records.append(record)
            if class_name == INPUT:
                continue
            rank = output_rank(record.entry, rank)
            current = Ref(name, 0, 0)
        if current is None:
            if build_shape is not None:
                found = input_spec(build_shape, None, (*outer, "build_input_shape"))
                current, rank = self.add_input("input", found, outer)
            else:
                current = NO_INPUT
        return current, rank

    def merge(self, config: Json, path: Path) -> tuple[Ref, int | None]:
        """Keras 1's Merge of whole models, as the first layer of a Sequential."""
        self.is_plain = False
        ends = []
        rank: int | None = None
        for i, branch in enumerate(as_list(config["layers"], (*path, "layers"), "the branches")):
            where = (*path, "layers", i)
            class_name, inner, inner_path = layer_parts(branch, where)
            if class_name == "Sequential" or class_name not in MODELS:
                if class_name not in MODELS:
                    items, items_path = [branch], (*path, "layers")
                elif isinstance(inner, list):
                    items, items_path = inner, inner_path
                else:
                    items = as_list(inner.get("layers"), (*inner_path, "layers"), "the layers of a branch")
                    items_path = (*inner_path, "layers")
                end, rank = self.chain(items, items_path, None, where)
            else:
                name = self.new_name(class_name, inner)
                entry = self.read_layer(branch, where, None) or {}
                start, rank = self.input_of_model(f"{name}_input", entry, where)
                self.records.append(Record(name, entry, where, [Call([start], {}, where)]))
                end = Ref(name, 0, 0)
            ends.append(end)
        name = self.new_name("Merge", config)
        entry = legacy_models.merge_entry(config, path, name)
        self.records.append(Record(name, entry, path, [Call([ends], {}, path)]))
        return Ref(name, 0, 0), rank

    def new_name(self, class_name: str, config: Any) -> str:
        """A layer's name, or (Keras 0) one made of its class."""
        if isinstance(config, dict) and isinstance(config.get("name"), str) and config["name"]:
            name: str = config["name"]
            if self.context.generation > 0 or name not in self.names():
                return name
        return legacy_models.unique_name(class_name, self.names())

    def names(self) -> set[str]:
        return {record.name for record in self.records} | set(self.inputs)

    # Functional

    def functional(self, layers: list[Any], path: Path, config: Json, config_path: Path, class_name: str) -> Json:
        """The body of a model with an explicit graph."""
        self.is_plain = False
        names = self.layer_names(layers, path)
        known = set(names)
        pending: dict[str, Json] = {}
        for i, (item, name) in enumerate(zip(layers, names, strict=True)):
            where = (*path, i)
            try:
                layer_class_name, layer_config, layer_path = layer_parts(item, where)
                if layer_class_name == INPUT:
                    pending[name] = self.input_layer(layer_config, layer_path, name)[1]
                    continue
                self.add_layer(item, layer_class_name, layer_config, layer_path, name, known, where)
            except SpecError as error:
                self.problems.extend(error.diagnostics)
        inputs = self.input_tensors(config, config_path)
        outputs = read_tensors(
            need(config, "output_layers", config_path, f"a {class_name}"), (*config_path, "output_layers")
        )
        self.take_inputs(inputs, pending, (*config_path, "input_layers"))
        self.finish_reading()
        self.check_names()
        self.settle(outputs, (*config_path, "output_layers"))
        return self.body(inputs, outputs)

    def layer_names(self, layers: list[Any], path: Path) -> list[str]:
        """Every layer's name; calls refer to layers by it."""
        names = []
        for i, item in enumerate(layers):
            mapping = as_map(item, (*path, i), "a layer")
            name = mapping.get("name")
            if name is None and isinstance(mapping.get("config"), dict):
                name = mapping["config"].get("name")
            names.append(as_text(name, (*path, i, "name"), "the name of a layer"))
        return names

    def add_layer(
        self, item: Json, class_name: str, config: Any, config_path: Path, name: str, known: set[str], where: Path
    ) -> None:
        nodes_path = (*where, "inbound_nodes")
        nodes = as_list(item.get("inbound_nodes") or [], nodes_path, "the calls of a layer")
        keep_list = class_name in TF_OPERATIONS
        calls = [read_call(node, known, (*nodes_path, i), keep_list=keep_list) for i, node in enumerate(nodes)]
        rank = self.input_rank(calls)
        if is_operation(item):
            entry = operation_entry(class_name, as_map(config, config_path, "the config of an operation"))
            for call in calls:
                settle_call(entry["op"], call)
            record = Record(name, {**entry, "name": name}, where, calls)
        elif class_name in TF_OPERATIONS:
            record = self.tf_operation(item, class_name, config, config_path, name, calls, where)
        elif class_name == "Merge":
            record = Record(name, legacy_models.merge_entry(config, config_path, name), where, calls)
        else:
            entry = self.layers.read(item, where, self.policy, rank, frozen=self.frozen)
            record = Record(name, {**entry, "name": name}, where, calls)
            legacy_models.bind_states(record, self.context.legacy)
        self.records.append(record)
        self.ranks[name] = output_rank(record.entry, rank)

    def input_rank(self, calls: list[Call]) -> int | None:
        refs = calls[0].refs() if calls else []
        return self.ranks.get(refs[0].layer) if refs else None

    def tf_operation(
        self, item: Json, class_name: str, config: Any, config_path: Path, name: str, calls: list[Call], where: Path
    ) -> Record:
        """An operation that tf.keras recorded; an opaque layer if `keras.ops` cannot say it."""
        config = as_map(config, config_path, "the config of an operation")
        entry: Json = {}
        kept = [Call(list(call.args), dict(call.kwargs), call.path) for call in calls]
        try:
            for call in calls:
                if class_name == "TensorFlowOpLayer":
                    entry = convert_node(config, call, config_path)
                else:
                    entry = convert_function(class_name, config, call)
                settle_call("", call)
            if not calls:
                raise Unsupported("it reads nothing")
        except Unsupported as reason:
            if not any(call.refs() for call in kept):
                self.lost_operand(name, where)
            self.context.warn("SF433", f"kept the operation {name} as it is: {reason}", where)
            entry = {"type": "Custom", "name": name, "class": class_name, "config": config}
            return Record(name, entry, where, kept)
        except LostOperand:
            self.lost_operand(name, where)
        automatic = name.startswith(TF_PREFIXES)
        return Record(name, {**entry, "name": name}, where, calls, keep_name=not automatic)

    def lost_operand(self, name: str, where: Path) -> None:
        fail(
            "SF423",
            f"expected the operands of {name}, received a call without them",
            (*where, "inbound_nodes"),
            "tf.keras did not write them; rebuild this operation in Keras 3",
        )

    # Inputs

    def input_layer(self, config: Any, path: Path, name: str | None = None) -> tuple[str, Json]:
        config = as_map(config, path, "the config of an InputLayer")
        if name is None:
            given = config.get("name")
            name = given if isinstance(given, str) and given else "input_layer"
        for key in ("batch_shape", "batch_input_shape", "batchInputShape"):
            if config.get(key) is not None:
                spec = input_spec(config[key], config.get("dtype", config.get("input_dtype")), (*path, key))
                for flag in ("sparse", "ragged", "optional"):
                    if config.get(flag) is True:
                        spec[flag] = True
                return name, spec
        fail("SF404", "expected an InputLayer to have `batch_shape`, it is missing", path)

    def add_input(self, name: str, spec: Json, where: Path) -> tuple[Ref, int | None]:
        if name in self.inputs:
            fail("SF410", f"expected names used once, received {show(name)} twice", where)
        self.inputs[name] = spec
        rank = len(spec["shape"]) + 1
        self.ranks[name] = rank
        return Ref(name, 0, 0), rank

    def input_of_model(self, name: str, entry: Json | None, where: Path) -> tuple[Ref, int | None]:
        """The input of a Sequential that starts with a model: that model's own input."""
        inner = (entry or {}).get("inputs")
        if not isinstance(inner, dict) or len(inner) != 1:
            return NO_INPUT, None
        return self.add_input(name, dict(next(iter(inner.values()))), where)

    def input_tensors(self, config: Json, path: Path) -> Any:
        where = (*path, "input_layers")
        return read_tensors(need(config, "input_layers", path, "a model"), where)

    def take_inputs(self, tensors: Any, pending: dict[str, Json], path: Path) -> None:
        """Order the inputs as the model takes them."""
        refs: list[Ref] = []
        collect_refs(tensors, refs)
        if not refs:
            fail("SF413", "expected at least one input, received none", path)
        for ref in refs:
            if ref.layer not in pending:
                fail("SF413", f"expected the name of an InputLayer, received {show(ref.layer)}", path)
            if ref.layer in self.inputs:
                fail("SF413", f"expected each input once, received {show(ref.layer)} twice", path)
            self.inputs[ref.layer] = pending[ref.layer]

    # Both

    def read_layer(self, item: Any, where: Path, rank: int | None) -> Json | None:
        try:
            return self.layers.read(item, where, self.policy, rank, frozen=self.frozen)
        except SpecError as error:
            self.problems.extend(error.diagnostics)
            return None

    def finish_reading(self) -> None:
        """Raise what was found in the layers, all of it."""
        if self.problems:
            raise SpecError(self.problems)

    def check_names(self) -> None:
        seen = set(self.inputs)
        for record in self.records:
            if record.name in seen:
                fail("SF410", f"expected names used once, received {show(record.name)} twice", record.path)
            seen.add(record.name)

    def settle(self, outputs: Any, path: Path) -> None:
        """Bring call indices to one convention, and leave out layers that nothing reads."""
        index = {record.name: record for record in self.records}
        wanted: list[Ref] = []
        collect_refs(outputs, wanted)
        offsets = _offsets(self.records, wanted, self.context.generation)

        def shift(ref: Ref, side: int, where: Path) -> Ref:
            record = index.get(ref.layer)
            if record is None and ref.layer not in self.inputs:
                fail("SF411", f"expected the name of a layer, received {show(ref.layer)}", where)
            count = 1 if record is None else len(record.calls)
            node = ref.node - (offsets.get(ref.layer, (0, 0))[side] if record else 0)
            if not 0 <= node < count:
                if count == 0 and record is not None:
                    fail("SF411", f"expected {ref.layer} to be called, it never is", where)
                fail("SF411", f"expected a call of {ref.layer} from 0 to {count - 1}, received {ref.node}", where)
            if ref.tensor and (record is None or ref.tensor > 10_000):
                fail("SF411", f"expected an output of {ref.layer}, received {ref.tensor}", where)
            return Ref(ref.layer, node, ref.tensor)

        for record in self.records:
            for call in record.calls:
                where = call.path
                call.args = map_refs(call.args, lambda ref, where=where: shift(ref, 0, where))
                call.kwargs = map_refs(call.kwargs, lambda ref, where=where: shift(ref, 0, where))
        self.outputs = map_refs(outputs, lambda ref: shift(ref, 1, path))
        self.records = [record for record in self.records if record.calls]
        named: list[Ref] = []
        collect_refs(self.outputs, named)
        if not named:
            fail("SF413", "expected at least one output, received none", path)
        for ref in named:
            if ref.layer in index:
                index[ref.layer].keep_name = True

    def body(self, inputs: Any, outputs: Any) -> Json:
        if not self.records:
            fail("SF402", "expected at least one layer, received none")
        for record in self.records:
            if record.entry.get("type") == "Model":
                for call in record.calls:
                    _drop_empty_masks(call)
        assembler = Assembler(self.inputs, self.records)
        entries = assembler.entries()
        body: Json = {"inputs": self.inputs, "layers": entries}
        structure = self.structure(inputs, lambda ref: ref.layer)
        names = list(self.inputs)
        if structure != (names[0] if len(names) == 1 else names):
            body["input_structure"] = structure
        said = self.structure(self.outputs, assembler.tensor)
        if said != self.last_name(assembler, entries):
            body["outputs"] = said
        return body

    def last_name(self, assembler: Assembler, entries: list[Json]) -> str:
        del entries
        return assembler.last

    def structure(self, value: Any, name: Any) -> Any:
        """Tensors of a model by name; Keras 2 wrote a single one as a list of one."""
        if self.context.generation < KERAS_3 and isinstance(value, list) and len(value) == 1:
            value = value[0]
        return map_refs(value, name)


def _drop_empty_masks(call: Call) -> None:
    """Keras 3 notes that a model got no mask; that is so unless said otherwise."""
    if "mask" in call.kwargs and not _any_given(call.kwargs["mask"]):
        del call.kwargs["mask"]


def _any_given(value: Any) -> bool:
    if isinstance(value, Ref):
        return True
    if isinstance(value, (list, dict)):
        return any(_any_given(item) for item in (value.values() if isinstance(value, dict) else value))
    return value is not None


def _offsets(records: list[Record], outputs: list[Ref], generation: int) -> dict[str, tuple[int, int]]:
    """Where the source starts to count the calls of each nested model: (in calls, in outputs).

    A model is born with a call of its own.  Keras 3 counts it in outputs only, Keras 2 counts
    it everywhere, earlier releases and models without an input shape do not count it.
    """
    models = {r.name: len(r.calls) for r in records if r.entry.get("type") == "Model"}
    if not models:
        return {}
    used: dict[str, tuple[list[int], list[int]]] = {name: ([], []) for name in models}
    for record in records:
        for call in record.calls:
            for ref in call.refs():
                if ref.layer in used:
                    used[ref.layer][0].append(ref.node)
    for ref in outputs:
        if ref.layer in used:
            used[ref.layer][1].append(ref.node)
    found = {}
    for name, (inner, outer) in used.items():
        count = models[name]
        if generation == KERAS_3:
            sequential = False
            found[name] = (_offset(inner, count, 0), _offset(outer, count, 0 if sequential else 1))
        else:
            offset = _offset(inner + outer, count, 1 if generation == KERAS_2 else 0)
            found[name] = (offset, offset)
    return found


def _offset(indices: list[int], count: int, usual: int) -> int:
    if not indices or 0 in indices:
        return 0
    if max(indices) >= count:
        return 1
    return usual
