"""The JSON Schema (2020-12) of the spec language, made from the same rules that the reader uses.

An entry is ``type`` as an enumeration plus one ``if type / then`` for each type: editors then
complete the types, offer only that type's fields, and name all types in their message.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from specfmt.layers.index import INDEX, OPERATIONS
from specfmt.spec.document import InputSpec, Model, ModelSpec, Reuse
from specfmt.spec.field_docs import field_doc
from specfmt.spec.fields import Rule
from specfmt.spec.layer import COMMON_FIELDS, to_data
from specfmt.spec.registry import layer_class, op_class
from specfmt.vocab.base import word_class
from specfmt.vocab.index import INDEX as WORDS
from specfmt.vocab.index import MODULES, REQUIRED

ID = "https://specfmt.dev/schema/specfmt.schema.json"


def rule_of(cls: type[BaseModel], field: str) -> Rule:
    """The rule behind a field."""
    for item in cls.model_fields[field].metadata:
        if isinstance(item, Rule):
            return item
    raise TypeError(f"{cls.__name__}.{field} has no rule")


def json_schema() -> dict[str, Any]:
    """The whole schema as data."""
    defs: dict[str, Any] = {
        "input": object_schema(InputSpec),
        "reuse": object_schema(Reuse),
        "train": object_schema(_train_class()),
        "entry": _entry(),
        "layer": _choice("type", {name: f"layer_{name}" for name in INDEX}),
    }
    defs |= _train_defs()
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
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "specfmt model spec, version 1",
        **object_schema(ModelSpec),
        "$defs": defs,
    }


def _train_class() -> type[BaseModel]:
    train: type[BaseModel] = import_module("specfmt.spec.train").TrainSpec
    return train


def _train_defs() -> dict[str, Any]:
    defs: dict[str, Any] = import_module("specfmt.spec.train").schema_definitions(object_schema)
    return defs


def object_schema(cls: type[BaseModel], tag: tuple[str, str] | None = None) -> dict[str, Any]:
    """The schema of one class.

    Args:
        cls: A layer, word or document class.
        tag: The key that names the type, and its value.
    """
    properties: dict[str, Any] = {}
    required = []
    doc = _summary(cls)
    if tag is not None:
        properties[tag[0]] = {"const": tag[1], "description": doc}
        required.append(tag[0])
    own = [name for name in cls.model_fields if name not in COMMON_FIELDS]
    for name in (*own, *(name for name in COMMON_FIELDS if name in cls.model_fields)):
        field = cls.model_fields[name]
        key = field.alias or name
        schema = dict(rule_of(cls, name).schema())
        schema["description"] = field_doc(cls, name)
        if field.is_required():
            required.append(key)
        elif (default := to_data(field.default)) not in (None, "", [], {}):
            schema["default"] = default
        properties[key] = schema
    return {
        "type": "object",
        "description": doc,
        "properties": properties,
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _summary(cls: type[BaseModel]) -> str:
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split())


def _choice(tag: str, names: dict[str, str]) -> dict[str, Any]:
    """An object whose ``tag`` decides which definition it follows."""
    return {
        "type": "object",
        "properties": {tag: {"type": "string", "enum": list(names)}},
        "required": [tag],
        "allOf": [_branch(tag, value, ref) for value, ref in names.items()],
    }


def _branch(tag: str, value: str, ref: str) -> dict[str, Any]:
    return {
        "if": {"properties": {tag: {"const": value}}, "required": [tag]},
        "then": {"$ref": f"#/$defs/{ref}"},
    }


def _entry() -> dict[str, Any]:
    types = {name: f"layer_{name}" for name in (*INDEX, "Model")}
    return {
        "type": "object",
        "properties": {
            "type": {
                "type": "string",
                "enum": list(types),
                "description": "The layer's class, as Keras names it.",
            },
            "reuse": {"description": "The layer or model to call again, sharing its weights."},
            "op": {
                "type": "string",
                "enum": list(OPERATIONS),
                "description": "A tensor operation of keras.ops.",
            },
        },
        "oneOf": [{"required": ["type"]}, {"required": ["reuse"]}, {"required": ["op"]}],
        "allOf": [
            *(_branch("type", name, ref) for name, ref in types.items()),
            {"if": {"required": ["reuse"]}, "then": {"$ref": "#/$defs/reuse"}},
            *(_branch("op", name, f"op_{name}") for name in OPERATIONS),
        ],
    }


def _word_defs(kind: str) -> dict[str, Any]:
    """A vocabulary: a bare name, or an object with ``type`` and that word's arguments."""
    table = WORDS[kind]
    bare = [name for name, cls in table.items() if not REQUIRED.get((kind, cls))]
    types = {name: f"{kind}_{cls}" for name, cls in table.items()}
    definitions: dict[str, Any] = {
        kind: {
            "anyOf": [
                {"type": "string", "enum": bare},
                _choice("type", types),
            ]
        }
    }
    for type_name in dict.fromkeys(table.values()):
        spellings = [name for name, cls in table.items() if cls == type_name]
        schema = object_schema(word_class(kind, type_name))
        schema["properties"] = {
            "type": {"enum": spellings, "description": schema["description"]},
            **schema["properties"],
        }
        schema["required"] = ["type", *schema.get("required", [])]
        definitions[f"{kind}_{type_name}"] = schema
    return definitions


def schema_text() -> str:
    """The content of ``schema/specfmt.schema.json``."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


def schema_file() -> Path:
    """Where the committed (or packaged) schema is."""
    from specfmt.targets.templates import data_folder

    return data_folder("schema") / "specfmt.schema.json"
