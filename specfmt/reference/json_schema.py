"""The JSON Schema (2020-12) of the spec language, derived from the rules that validate specs.

An entry is ``type`` as an enumeration plus one ``if type / then`` for each type: editors then
complete the types, offer only that type's fields, and name all types in their message.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

from specfmt.fields.model import COMMON_FIELDS, to_data
from specfmt.fields.rules import branch_schema, choice_schema
from specfmt.fields.validation import keys_of
from specfmt.layers.blocks import ENTRY_KINDS, Block, BlockUse
from specfmt.layers.entries import InputSpec, Model, Reuse, nest_schema
from specfmt.layers.index import INDEX, OPERATIONS
from specfmt.layers.registry import MODEL, layer_class, op_class
from specfmt.reference.field_docs import class_doc, field_doc
from specfmt.spec.document import ModelSpec
from specfmt.spec.train import TrainSpec, schema_definitions
from specfmt.targets.templates import data_folder
from specfmt.vocab.base import CUSTOM, term_class
from specfmt.vocab.index import INDEX as WORDS
from specfmt.vocab.index import MODULES, REQUIRED

SHARED_FROM = 3
"""Fields whose schema this many classes share are moved to ``$defs``."""
DEPTH, WIDTH = 4, 100


_OPERANDS: dict[str, Any] = {
    "anyOf": [
        {"type": ["string", "number", "boolean", "null"]},
        {"type": "array", "items": {"$ref": "#/$defs/operands"}},
        {
            "type": "object",
            "properties": {"const": {}},
            "required": ["const"],
            "additionalProperties": False,
        },
    ]
}
"""The operands of an operation: see `edges.OperandsRule`."""


def json_schema() -> dict[str, Any]:
    """The complete schema."""
    defs: dict[str, Any] = {
        "input": object_schema(InputSpec),
        "tensors": nest_schema(),
        "reuse": object_schema(Reuse),
        "train": object_schema(TrainSpec),
        "entry": _entry(""),
        "block": object_schema(Block),
        "use": {**_body(object_schema(BlockUse)), "additionalProperties": True},
        "operands": _OPERANDS,
        "layer": choice_schema("type", {name: f"layer_{name}" for name in (*INDEX, MODEL)}),
    }
    defs |= schema_definitions(object_schema)
    for name in INDEX:
        cls = layer_class(name)
        assert cls is not None
        defs[f"layer_{name}"] = object_schema(cls, tag=("type", name))
    defs["layer_Model"] = object_schema(Model, tag=("type", "Model"))
    for name in OPERATIONS:
        operation = op_class(name)
        assert operation is not None
        defs[f"op_{name}"] = object_schema(operation, tag=("op", name))
    for kind in MODULES:
        defs |= _word_defs(kind)
    defs["word_Custom"] = object_schema(term_class("", CUSTOM), tag=("type", CUSTOM))
    defs = _shared_fields(defs) | defs | {"computed": _COMPUTED}
    bodies = _bodies(defs)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "specfmt model spec, version 1",
        **object_schema(ModelSpec),
        "$defs": defs | _shared_fields(bodies, BODY) | bodies,
    }


_COMPUTED: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "pattern": "\\$"},
        {"type": "array", "contains": {"$ref": "#/$defs/computed"}},
        {
            "type": "object",
            "not": {"additionalProperties": {"not": {"$ref": "#/$defs/computed"}}},
        },
    ]
}
"""A value with an expression in it."""


def _bodies(defs: dict[str, Any]) -> dict[str, Any]:
    """The definitions of entries of blocks: any field may have an expression."""
    bodies = {"body_entry": _entry(BODY)}
    for name, definition in defs.items():
        if name == "reuse" or name.startswith(("layer_", "op_")):
            bodies[f"{BODY}{name}"] = _body(definition)
    bodies[f"{BODY}layer_{MODEL}"]["properties"]["layers"] = {
        "type": "array",
        "items": {"$ref": "#/$defs/body_entry"},
    }
    return bodies


def _body(definition: dict[str, Any]) -> dict[str, Any]:
    """The definition of a kind of entry of a block."""
    properties = {}
    for key, schema in {"when": _WHEN, **definition["properties"]}.items():
        known = {"description": schema["description"]} if "description" in schema else {}
        kind = key in ("type", "op", "block")
        either = {**known, "anyOf": [schema, {"$ref": "#/$defs/computed"}]}
        properties[key] = schema if kind else either
    return {**definition, "properties": properties}


_WHEN = {"type": "boolean", "description": "Whether the entry stands."}


def _shared_fields(defs: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Move the schemas of fields that many classes share to ``$defs``."""
    uses: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for definition in defs.values():
        for name, schema in definition.get("properties", {}).items():
            if len(schema) > 1 or "anyOf" in schema:
                key = (name, json.dumps(schema, sort_keys=True))
                uses.setdefault(key, []).append(definition["properties"])
    shared: dict[str, Any] = {}
    for (name, _), holders in uses.items():
        if len(holders) < SHARED_FROM:
            continue
        label = f"{prefix}field_{name}"
        while label in shared:
            label += "_"
        shared[label] = holders[0][name]
        for properties in holders:
            properties[name] = {"$ref": f"#/$defs/{label}"}
    return shared


class FieldsSchema(GenerateJsonSchema):
    """Pydantic's generator, with the descriptions and the order of fields that editors show.

    The definitions that a rule refers to by ``$ref`` are those of `json_schema`.
    """

    def generate(self, schema: Any, mode: JsonSchemaMode = "validation") -> JsonSchemaValue:
        return self.resolve_ref_schema(self.generate_inner(schema))

    def get_schema_from_definitions(self, json_ref: Any) -> JsonSchemaValue | None:
        found = self.json_to_defs_refs.get(json_ref)
        return None if found is None else self.definitions.get(found)

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        cls: type[BaseModel] = schema["cls"]
        made = super().model_schema(schema)
        properties = {
            key: made["properties"][key] | _described(field_doc(cls, name))
            for key, name in _own_first(keys_of(cls))
        }
        required = [key for key in properties if key in made.get("required", ())]
        return {
            "type": "object",
            "description": class_doc(cls),
            "properties": properties,
            **({"required": required} if required else {}),
            "additionalProperties": False,
        }

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if to_data(schema.get("default")) in (None, "", [], {}):
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def encode_default(self, dft: Any) -> Any:
        return to_data(dft)

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def object_schema(cls: type[BaseModel], tag: tuple[str, str] | None = None) -> dict[str, Any]:
    """The schema of one class.

    Args:
        cls: The class of a layer, a vocabulary object or a section of the document.
        tag: The key that names the type, and its value.
    """
    made = cls.model_json_schema(schema_generator=FieldsSchema)
    if tag is None:
        return made
    key, value = tag
    return {
        "title": value,
        **made,
        "properties": {
            key: {"const": value, "description": made["description"]},
            **made["properties"],
        },
        "required": [key, *made.get("required", [])],
    }


def _described(text: str) -> dict[str, str]:
    return {"description": text} if text else {}


def _own_first(keys: dict[str, str]) -> list[tuple[str, str]]:
    """Keys and fields of a class; those that every layer has come last."""
    return sorted(keys.items(), key=lambda item: item[1] in COMMON_FIELDS)


BODY = "body_"
"""The beginning of the names of definitions for entries of blocks."""


def _entry(prefix: str) -> dict[str, Any]:
    """An entry of a layer list.

    The keys of a ``reuse``, ``op`` or ``block`` entry are allowed only if it has that key, so that for
    a layer an editor suggests only the layer's own fields.

    Args:
        prefix: What the names of the definitions of its kinds begin with.
    """
    types = {name: f"{prefix}layer_{name}" for name in (*INDEX, MODEL)}
    operations = {"op": {"type": "string", "enum": list(OPERATIONS)}}
    return {
        "type": "object",
        "properties": {"type": {"type": "string", "enum": list(types)}},
        "oneOf": [{"required": [kind]} for kind in ENTRY_KINDS],
        "allOf": [
            *(branch_schema("type", name, ref) for name, ref in types.items()),
            {"if": {"required": ["reuse"]}, "then": {"$ref": f"#/$defs/{prefix}reuse"}},
            {"if": {"required": ["block"]}, "then": {"$ref": "#/$defs/use"}},
            {"if": {"required": ["op"]}, "then": {"properties": operations}},
            *(branch_schema("op", name, f"{prefix}op_{name}") for name in OPERATIONS),
        ],
    }


def _word_defs(kind: str) -> dict[str, Any]:
    """The schema of one kind of objects: a name, or an object with ``type`` and the arguments."""
    table = WORDS[kind]
    bare = [name for name, cls in table.items() if not REQUIRED.get((kind, cls))]
    types = {name: f"{kind}_{cls}" for name, cls in table.items()} | {CUSTOM: "word_Custom"}
    definitions: dict[str, Any] = {
        kind: {
            "anyOf": [
                *([{"type": "string", "enum": bare}] if bare else []),
                choice_schema("type", types),
            ]
        }
    }
    for type_name in dict.fromkeys(table.values()):
        spellings = [name for name, cls in table.items() if cls == type_name]
        schema = object_schema(term_class(kind, type_name))
        schema["properties"] = {
            "type": {"enum": spellings, "description": schema["description"]},
            **schema["properties"],
        }
        schema["required"] = ["type", *schema.get("required", [])]
        definitions[f"{kind}_{type_name}"] = schema
    return definitions


def schema_text() -> str:
    """The content of ``schema/specfmt.schema.json``."""
    return _write(json_schema(), "") + "\n"


def _write(value: Any, margin: str) -> str:
    """JSON with one line per key, down to the fields of a class."""
    line = json.dumps(value, ensure_ascii=False)
    if len(margin) == DEPTH or len(margin) + len(line) <= WIDTH:
        return line
    inner = margin + " "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {_write(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(inner + part for part in parts) + f"\n{margin}}}"
    if isinstance(value, list) and isinstance(value[0], dict):
        return "[\n" + ",\n".join(inner + _write(item, inner) for item in value) + f"\n{margin}]"
    return line


def schema_file() -> Path:
    """The path of the committed (or packaged) schema."""
    return data_folder("schema") / "specfmt.schema.json"
