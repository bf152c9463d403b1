"""Reading models with an explicit graph: Functional of any Keras version, and Graph of Keras 0."""

from __future__ import annotations

from typing import Any, Final, NoReturn

from specfmt.diagnostics import Path, SpecError
from specfmt.formats.config.defaults import op_defaults
from specfmt.formats.config.reading import Json, as_list, as_map, as_text, fail, need, show
from specfmt.formats.read import legacy_models
from specfmt.formats.read.assemble import Record
from specfmt.formats.read.graph_reader import INPUT, GraphReader, drop_empty
from specfmt.formats.read.named_functions import (
    function_of,
    named_function,
    settle_function,
    warn_of,
)
from specfmt.formats.read.nodes import Call, Ref, collect_refs, read_call, read_tensors
from specfmt.formats.read.operations import (
    is_operation,
    knows_operation,
    operation_entry,
    settle_call,
)
from specfmt.formats.read.recorded_masks import drop_model_masks, drop_recorded
from specfmt.formats.read.serialized_layers import layer_parts, output_rank
from specfmt.formats.read.tensor_shapes import add_output_shapes
from specfmt.formats.read.tensorflow.graph_sizes import Sizes
from specfmt.formats.read.tensorflow.operations import CLASSES as TF_OPERATIONS
from specfmt.formats.read.tensorflow.operations import convert_function
from specfmt.formats.read.tensorflow.steps import Helper, LostOperandError, UnsupportedError
from specfmt.formats.read.tensorflow.tables import FUNCTIONS
from specfmt.vocab.base import CUSTOM

TF_PREFIXES: Final = ("tf.", "tf_op_layer_", "TensorFlowOpLayer")
"""The pattern of automatic names of TensorFlow operations."""


def einsum_equation(config: Json, calls: list[Call]) -> str | None:
    """The equation of a `tf.einsum` that is called once and without other arguments."""
    if config.get("function") != "einsum" or len(calls) != 1 or calls[0].kwargs:
        return None
    args = calls[0].args
    equation = args[0].get("const") if len(args) == 1 and isinstance(args[0], dict) else None
    return equation if isinstance(equation, str) else None


class FunctionalReader(GraphReader):
    """Reads layers and the calls between them."""

    def functional(
        self, layers: list[Any], path: Path, config: Json, config_path: Path, class_name: str
    ) -> Json:
        """The body of a model with an explicit graph."""
        self.is_plain = False
        self.place = path
        names = self.layer_names(layers, path)
        known = set(names)
        pending: dict[str, Json] = {}
        self.sizes = Sizes(self.records, pending)
        for i, (item, name) in enumerate(zip(layers, names, strict=True)):
            where = (*path, i)
            try:
                layer_class_name, layer_config, layer_path = layer_parts(item, where)
                if layer_class_name == INPUT:
                    pending[name] = self.input_layer(layer_config, layer_path, name)[1]
                    self.ranks[name] = len(pending[name]["shape"]) + 1
                    continue
                self.add_layer(item, layer_class_name, layer_config, layer_path, name, known, where)
            except SpecError as error:
                self.problems.extend(error.diagnostics)
        self.finish_reading()
        inputs = self.input_tensors(config, config_path)
        outputs = read_tensors(
            need(config, "output_layers", config_path, f"a {class_name}"),
            (*config_path, "output_layers"),
        )
        self.drop_sizes(outputs)
        self.find_operands(names)
        if not self.context.legacy:
            returned: list[Ref] = []
            collect_refs(outputs, returned)
            add_output_shapes(self.records, layers, self.policy, returned)
        self.take_inputs(inputs, pending, (*config_path, "input_layers"))
        self.check_names()
        self.settle(outputs, (*config_path, "output_layers"))
        return self.body(inputs, outputs)

    def layer_names(self, layers: list[Any], path: Path) -> list[str]:
        """The name of every layer; calls refer to layers by name."""
        names = []
        for i, item in enumerate(layers):
            mapping = as_map(item, (*path, i), "a layer")
            name = mapping.get("name")
            if name is None and isinstance(mapping.get("config"), dict):
                name = mapping["config"].get("name")
            names.append(as_text(name, (*path, i, "name"), "the name of a layer"))
        return names

    def add_layer(
        self,
        item: Json,
        class_name: str,
        config: Any,
        config_path: Path,
        name: str,
        known: set[str],
        where: Path,
    ) -> None:
        nodes_path = (*where, "inbound_nodes")
        nodes = as_list(item.get("inbound_nodes") or [], nodes_path, "the calls of a layer")
        keep_list = class_name in TF_OPERATIONS
        calls = [
            read_call(node, known, (*nodes_path, i), keep_list=keep_list)
            for i, node in enumerate(nodes)
        ]
        rank = self.input_rank(calls)
        if is_operation(item) and knows_operation(class_name):
            entry = operation_entry(
                class_name, as_map(config, config_path, "the config of an operation")
            )
            for call in calls:
                settle_call(entry["op"], call)
            record = Record(name, {**entry, "name": name}, where, calls)
        elif class_name in TF_OPERATIONS:
            record = self.tf_operation(item, class_name, config, config_path, name, calls, where)
        elif class_name == "Merge":
            entry = legacy_models.merge_entry(config, config_path, name)
            record = Record(name, entry, where, calls)
            drop_empty(calls)
        elif function := self.function_entry(class_name, config, calls, where):
            record = Record(name, {**function, "name": name}, where, calls)
        else:
            entry = self.layers.read(item, where, self.policy, rank, frozen=self.frozen)
            record = Record(name, {**entry, "name": name}, where, calls, class_name=class_name)
            if self.context.plan is not None and entry["type"] == "Model":
                drop_model_masks(self.context.plan, calls)
            elif self.context.plan is not None and entry["type"] != CUSTOM:
                drop_recorded(self.context.plan, entry["type"], item, calls)
            if self.context.legacy and entry["type"] != CUSTOM:
                legacy_models.bind_states(record)
                legacy_models.place_required(record)
                drop_empty(calls)
        self.records.append(record)
        self.ranks[name] = output_rank(record.entry, rank)

    def function_entry(
        self, class_name: str, config: Any, calls: list[Call], where: Path
    ) -> Json | None:
        """The entry of a Lambda of a named function that is called on single tensors."""
        if not all(len(call.refs()) == 1 for call in calls):
            return None
        entry = named_function(self.context, class_name, config, self.policy, where)
        if entry is not None:
            settle_function(entry, calls)
            return entry
        return self.tensorflow_entry(class_name, config, calls, where)

    def tensorflow_entry(
        self, class_name: str, config: Any, calls: list[Call], where: Path
    ) -> Json | None:
        """The operation that equals a TensorFlow function which a Lambda calls by name."""
        name, arguments = function_of(class_name, config, self.policy, where)
        known = [key for key in (name, f"nn.{name}", f"math.{name}") if key in FUNCTIONS]
        found: Json | None = None
        changed = [Call(list(call.refs()), dict(arguments), call.path) for call in calls]
        for call in changed if known else ():
            recorded = {"function": known[0]}
            sizes = Sizes([], {})
            try:
                found, helpers = convert_function(
                    TF_OPERATIONS[0], recorded, where, call, name, sizes
                )
            except (UnsupportedError, LostOperandError):
                return None
            if helpers or op_defaults(found.get("op", "")) is None:
                return None
        if found is not None:
            warn_of(self.context, config, f"tf.{known[0]}", where)
            for call, other in zip(calls, changed, strict=True):
                call.args, call.kwargs = other.args, other.kwargs
        return found

    def input_rank(self, calls: list[Call]) -> int | None:
        refs = calls[0].refs() if calls else []
        return self.ranks.get(refs[0].layer) if refs else None

    def tf_operation(
        self,
        item: Json,
        class_name: str,
        config: Any,
        config_path: Path,
        name: str,
        calls: list[Call],
        where: Path,
    ) -> Record:
        """An operation that tf.keras recorded; a custom layer if `keras.ops` has no equivalent."""
        config = as_map(config, config_path, "the config of an operation")
        entry: Json = {}
        helpers: list[Helper] = []
        kept = [Call(list(call.args), dict(call.kwargs), call.path) for call in calls]
        sizes = self.sizes if len(calls) == 1 else Sizes([], {})
        try:
            for k, call in enumerate(calls):
                place = f"{name}/call_{k}" if k else name
                entry, helpers = convert_function(
                    class_name, config, config_path, call, place, sizes
                )
                if "op" in entry and op_defaults(entry["op"]) is None:
                    raise UnsupportedError(f"specfmt does not know the operation {entry['op']}")
                for helper in helpers:
                    self.records.append(
                        Record(helper.name, helper.entry, where, [helper.call], keep_name=False)
                    )
            if not calls:
                raise UnsupportedError("it has no input tensors")
        except UnsupportedError as reason:
            if name in sizes.values:
                self.unsupported[name] = str(reason)
                entry = {"type": CUSTOM, "name": name, "class": class_name, "config": config}
                return Record(name, entry, where, kept)
            equation = einsum_equation(config, kept)
            if equation is not None:
                self.lost.append((name, equation, where))
                entry = {"op": "einsum", "subscripts": equation, "name": name}
                return Record(name, entry, where, [Call([], {}, kept[0].path)], keep_name=False)
            if not any(call.refs() for call in kept):
                self.lost_operand(name, where)
            self.context.warn(
                "SF433", f"kept the operation {name} as a custom layer: {reason}", where
            )
            entry = {"type": CUSTOM, "name": name, "class": class_name, "config": config}
            return Record(name, entry, where, kept)
        except LostOperandError:
            self.lost_operand(name, where)
        automatic = name.startswith(TF_PREFIXES)
        return Record(name, {**entry, "name": name}, where, calls, keep_name=not automatic)

    def drop_sizes(self, outputs: Any) -> None:
        """Leave out operations on sizes whose results have been substituted."""
        if not self.sizes.values:
            return
        returned: list[Ref] = []
        collect_refs(outputs, returned)
        read = {ref.layer for ref in returned}
        left = []
        for record in reversed(self.records):
            base = record.name.rpartition("/")[0]
            if record.name not in read and {record.name, base} & self.sizes.values.keys():
                continue
            read |= {ref.layer for call in record.calls for ref in call.refs()}
            left.append(record)
            if record.name in self.unsupported:
                reason = self.unsupported[record.name]
                self.context.warn(
                    "SF433",
                    f"kept the operation {record.name} as a custom layer: {reason}",
                    record.path,
                )
        self.records = left[::-1]

    def find_operands(self, names: list[str]) -> None:
        """Connect a `tf.einsum`, whose operands tf.keras does not save, to the tensors nothing else uses.

        Raises:
            SpecError: SF423 if their number differs from that of the equation's terms.
        """
        records = {record.name: record for record in self.records}
        for name, equation, where in self.lost:
            read = {ref.layer for record in self.records for c in record.calls for ref in c.refs()}
            place = names.index(name)
            free = [other for other in names[:place] if other not in read]
            terms = equation.partition("->")[0].split(",")
            if len(free) == 1:
                free *= len(terms)
            if len(free) != len(terms):
                self.lost_operand(name, where)
            records[name].calls[0].args = [Ref(other, 0, 0) for other in free]
            self.context.warn(
                "SF433",
                f"tf.keras did not save the inputs of {name}; took the tensors that nothing else uses: "
                f"{', '.join(free)}",
                where,
                "check `inputs:`, and their order, against the code that built the model",
            )

    def lost_operand(self, name: str, where: Path) -> NoReturn:
        fail(
            "SF423",
            f"expected the operands of {name}, received a call without them",
            (*where, "inbound_nodes"),
            "tf.keras did not save them; rebuild this operation in Keras 3",
        )

    def input_tensors(self, config: Json, path: Path) -> Any:
        where = (*path, "input_layers")
        return read_tensors(need(config, "input_layers", path, "a model"), where)

    def take_inputs(self, tensors: Any, pending: dict[str, Json], path: Path) -> None:
        """Put the inputs into the order of the model's arguments."""
        refs: list[Ref] = []
        collect_refs(tensors, refs)
        if not refs:
            fail("SF413", "expected at least one input, received none", path)
        for ref in refs:
            if ref.layer not in pending:
                fail(
                    "SF413", f"expected the name of an InputLayer, received {show(ref.layer)}", path
                )
            if ref.layer in self.inputs:
                fail("SF413", f"expected each input once, received {show(ref.layer)} twice", path)
            self.inputs[ref.layer] = pending[ref.layer]

    def keras_0_graph(self, config: Json, path: Path) -> Json:
        """The body of a Graph of Keras 0: nodes that name their inputs."""
        self.is_plain = False
        for i, item in enumerate(
            as_list(config.get("input_config"), (*path, "input_config"), "the inputs")
        ):
            where = (*path, "input_config", i)
            name, spec = legacy_models.graph_input(item, where)
            self.add_input(name, spec, where)
        layers = as_map(config.get("nodes"), (*path, "nodes"), "the nodes")
        for i, item in enumerate(
            as_list(config.get("node_config"), (*path, "node_config"), "the nodes")
        ):
            where = (*path, "node_config", i)
            node = as_map(item, where, "a node")
            name = as_text(node.get("name"), (*where, "name"), "the name of a node")
            read = self.graph_reads(node, name, where)
            entry = self.read_layer(layers.get(name), (*path, "nodes", name), None) or {}
            self.records.append(
                Record(name, {**entry, "name": name}, where, [Call([read], {}, where)])
            )
        outputs: Json = {}
        for i, item in enumerate(
            as_list(config.get("output_config"), (*path, "output_config"), "the outputs")
        ):
            where = (*path, "output_config", i)
            node = as_map(item, where, "an output")
            name = as_text(node.get("name"), (*where, "name"), "the name of an output")
            outputs[name] = self.graph_reads(node, name, where)
        self.finish_reading()
        self.check_names()
        self.settle(outputs, (*path, "output_config"))
        return self.body([Ref(name, 0, 0) for name in self.inputs], self.outputs)

    def graph_reads(self, node: Json, name: str, where: Path) -> Ref:
        """The input of a node of a Graph; several inputs are merged first."""
        if node.get("input"):
            return Ref(as_text(node["input"], (*where, "input"), "the name of a node"), 0, 0)
        sources = as_list(node.get("inputs"), (*where, "inputs"), "the inputs of a node")
        refs = [
            Ref(as_text(s, (*where, "inputs", i), "the name of a node"), 0, 0)
            for i, s in enumerate(sources)
        ]
        merged = f"merge_inputs_for_{name}"
        config = {**node, "mode": node.get("merge_mode", "concat")}
        entry = legacy_models.merge_entry(config, where, merged)
        self.records.append(Record(merged, entry, where, [Call([refs], {}, where)]))
        return Ref(merged, 0, 0)
