"""Reading Sequential models of any Keras version, also those that start with a Merge of Keras 1."""

from __future__ import annotations

from typing import Any

from specfmt.diagnostics import Path
from specfmt.formats.config.reading import Json, as_list, fail
from specfmt.formats.read import legacy_models
from specfmt.formats.read.assemble import NO_INPUT, Assembler, Record
from specfmt.formats.read.graph_reader import INPUT, GraphReader
from specfmt.formats.read.input_shapes import input_spec, layer_input
from specfmt.formats.read.nodes import Call, Ref
from specfmt.formats.read.serialized_layers import MODELS, layer_parts, output_rank
from specfmt.formats.read.tensor_shapes import add_built_shape
from specfmt.vocab.base import CUSTOM
from specfmt.vocab.naming import to_snake_case


class SequentialReader(GraphReader):
    """Reads a chain of layers."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.taken: set[str] = set()
        self.looked = 0
        self.numbers: dict[str, int] = {}

    def sequential(self, layers: list[Any], path: Path, config: Json) -> Json:
        """The body of a Sequential."""
        last, _ = self.chain(layers, path, config.get("build_input_shape"), path)
        self.finish_reading()
        self.check_names()
        if not self.records and not self.inputs:
            fail("SF402", "expected at least one layer, received none", path)
        if self.inputs and any(NO_INPUT in call.refs() for r in self.records for call in r.calls):
            fail("SF413", "expected the shape of every input, received inputs without", path)
        assembler = Assembler(self.inputs, self.records, None, self.context.located)
        entries = assembler.entries()
        body: Json = {"inputs": self.inputs} if self.inputs else {}
        body["layers"] = entries
        if not entries or assembler.tensor(last) != assembler.last:
            body["outputs"] = assembler.tensor(last)
        return body

    def chain(
        self, layers: list[Any], path: Path, build_shape: Any, outer: Path
    ) -> tuple[Ref, int | None]:
        """Add a chain of layers; returns the last tensor and its rank."""
        current: Ref | None = None
        rank: int | None = None
        for i, item in enumerate(layers):
            where = (*path, i)
            class_name, config, config_path = layer_parts(item, where)
            if class_name == INPUT:
                if current is not None:
                    fail(
                        "SF413", "expected an InputLayer only at the start, received another", where
                    )
                name, spec = self.input_layer(config, config_path)
                current, rank = self.add_input(name, spec, where)
                continue
            if class_name == "Merge" and isinstance(config.get("layers"), list):
                current, rank = self.merge(config, config_path)
                continue
            name = self.new_name(class_name, config)
            if current is None:
                shape = build_shape if build_shape is not None else self._built_shape(item)
                found = layer_input(class_name, config, config_path, self.context, shape)
                if found is None and class_name not in MODELS:
                    current = NO_INPUT
                elif found is not None:
                    current, rank = self.add_input(f"{name}_input", found, where)
            entry = self.read_layer(item, where, rank)
            if current is None:
                current, rank = self.input_of_model(f"{name}_input", entry, where)
            record = Record(name, entry or {"type": CUSTOM}, where, [Call([current], {}, where)])
            self.records.append(record)
            if class_name == INPUT:
                continue
            rank = output_rank(record.entry, rank)
            current = Ref(name, 0, 0)
            if i + 1 < len(layers):
                add_built_shape(record.entry, layers[i + 1])
        if current is None:
            if build_shape is not None:
                found = input_spec(build_shape, None, (*outer, "build_input_shape"))
                current, rank = self.add_input("input", found, outer)
            else:
                current = NO_INPUT
        return current, rank

    def _built_shape(self, item: Any) -> Any:
        """The input shape with which the first layer was built, or the one given to the import."""
        built = item.get("build_config") if isinstance(item, dict) else None
        shape = built.get("input_shape") if isinstance(built, dict) else None
        if isinstance(shape, list) and shape and not isinstance(shape[0], (list, dict)):
            return shape
        given = self.context.input_shape
        return None if given is None else [None, *given]

    def merge(self, config: Json, path: Path) -> tuple[Ref, int | None]:
        """A Merge of whole models in Keras 1, as the first layer of a Sequential."""
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
                    items = as_list(
                        inner.get("layers"), (*inner_path, "layers"), "the layers of a branch"
                    )
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
        """A layer's name, or (for Keras 0) one formed from its class."""
        if isinstance(config, dict) and isinstance(config.get("name"), str) and config["name"]:
            name: str = config["name"]
            if self.context.generation > 0 or not self._is_taken(name):
                return name
        base = to_snake_case(class_name)
        number = self.numbers.get(base, 0)
        while self._is_taken(name := f"{base}_{number}" if number else base):
            number += 1
        self.numbers[base] = number
        return name

    def _is_taken(self, name: str) -> bool:
        """Whether a layer or input has this name."""
        self.taken.update(record.name for record in self.records[self.looked :])
        self.looked = len(self.records)
        return name in self.taken or name in self.inputs
