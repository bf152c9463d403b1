"""Sections of the reference pages: a layer or operation with a table of its fields."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from specfmt.fields.errors import NestedError
from specfmt.fields.model import COMMON_FIELDS, to_data
from specfmt.fields.rules import Boolean, Integer, Nullable, OneOf, Rule, Text, Tuple
from specfmt.fields.types import DTYPES
from specfmt.fields.validation import keys_of, rules_of, validate
from specfmt.graph.infer import show_shape
from specfmt.layers.base import Layer, ShapeError
from specfmt.layers.core import Dense
from specfmt.layers.entries import LayerRule
from specfmt.layers.kept import INPUT_LAYER, INPUT_REMARK, KEPT, aliases
from specfmt.layers.op import Op
from specfmt.layers.recurrent import LSTM
from specfmt.reference.field_docs import class_doc, field_doc
from specfmt.spec.train import DataRule, MappingOf, PerOutput
from specfmt.targets.torch.registry import find_lowering
from specfmt.vocab.base import TermRule

EXAMPLES: tuple[Any, ...] = (
    3, 0.5, [2, 1], [1], [-1, 2], "relu", {"type": LSTM.type_name, "units": 3},
    {"type": Dense.type_name, "units": 3}, "ab,bc->ac",
)  # fmt: skip
"""Values to try for a required field when a layer is shown with shapes."""
SHAPES: tuple[tuple[int | None, ...], ...] = (
    (None, 6),
    (None, 12, 6),
    (None, 12, 12, 6),
    (None, 12, 12, 12, 6),
    (None, 12, 12, 12, 12, 6),
)


def layer_section(cls: type[Layer]) -> Iterator[str]:
    """The description, inputs, output shapes and fields of a layer."""
    also = ", ".join(f"`{name}`" for name in aliases(cls.type_name))
    yield from (f"{summary(cls)} Also {also}." if also else summary(cls), *_facts(cls))
    yield from _own_fields(cls)


def kept_section(name: str) -> Iterator[str]:
    """The description of a layer of Keras that specfmt keeps whole, and of InputLayer."""
    if name == INPUT_LAYER:
        yield f"An input of the model, {INPUT_REMARK}."
        return
    found = KEPT[name]
    yield found.what
    yield ""
    yield f"- PyTorch: {found.reason}. What to do: {found.advice}."


def operation_section(cls: type[Op]) -> Iterator[str]:
    """The description and fields of an operation."""
    yield from (summary(cls), *_own_fields(cls))


def _own_fields(cls: type[Layer]) -> Iterator[str]:
    own = [field for field in cls.model_fields if field not in COMMON_FIELDS]
    if own:
        yield from ("", *fields_table(cls, own))


def _facts(cls: type[Layer]) -> Iterator[str]:
    reads = [
        f"`{argument.name}`" + ("" if argument.required else " (optional)")
        for argument in cls.call_arguments
        if argument.kind != "value"
    ]
    yield ""
    yield f"- Inputs: {', '.join(reads)}."
    shown = shape_example(cls)
    if shown:
        yield f"- Shapes: {shown}."
    yield f"- Masks: {'passed on' if cls.supports_masking else 'not passed on'}."
    if find_lowering(cls) is None or cls.takes_any_arguments:
        yield "- Keras code only."


def shape_example(cls: type[Layer]) -> str:
    """An example of input and output shapes; empty if no simple input fits."""
    if cls.takes_any_arguments:
        return ""
    needed = [f.alias or key for key, f in cls.model_fields.items() if f.is_required()]
    several = [a for a in cls.call_arguments if a.required]
    for config in _configs(cls, needed):
        layer = validate(cls, config, cls.type_name)
        for shape in SHAPES:
            args: list[Any] = [[shape, shape] if a.kind == "tensors" else shape for a in several]
            try:
                found: Any = layer.output_shape(*args)
            except (ShapeError, ValueError, TypeError, IndexError):
                continue
            read = ", ".join(
                show_shape(s) for a in args for s in (a if isinstance(a, list) else [a])
            )
            arguments = ", ".join(f"`{key}: {json.dumps(value)}`" for key, value in config.items())
            return f"{read} to {show_shape(found)}" + (f" with {arguments}" if arguments else "")
    return ""


def _configs(cls: type[BaseModel], needed: list[str]) -> Iterator[dict[str, Any]]:
    """Combinations of values for the required fields that their rules accept."""
    if not needed:
        yield {}
        return
    choices: list[list[Any]] = []
    for field in needed:
        rule = rules_of(cls)[field]
        choices.append([value for value in EXAMPLES if _accepts(rule, value)])
    for rank in range(max(map(len, choices), default=0)):
        if all(choices):
            yield {
                field: options[min(rank, len(options) - 1)]
                for field, options in zip(needed, choices, strict=True)
            }


def _accepts(rule: Rule, value: Any) -> bool:
    try:
        rule.check(value)
    except (ValueError, NestedError):
        return False
    return True


def summary(cls: type[BaseModel]) -> str:
    """The first paragraph of a class's docstring, in Markdown."""
    return class_doc(cls).replace("``", "`")


def fields_table(cls: type[BaseModel], fields: Any) -> Iterator[str]:
    """A table of fields."""
    yield "| field | takes | default | meaning |"
    yield "| --- | --- | --- | --- |"
    keys = {name: key for key, name in keys_of(cls).items()}
    names = list(fields)
    if issubclass(cls, Op):
        names = [name for name in names if name not in COMMON_FIELDS]
    for name in names:
        field = cls.model_fields[name]
        default = "required" if field.is_required() else _default(field.default)
        cells = (f"`{keys[name]}`", takes(rules_of(cls)[keys[name]]), default, field_doc(cls, name))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(value: Any) -> str:
    return f"`{json.dumps(to_data(value), ensure_ascii=False)}`".replace('"', "")


def takes(rule: Rule) -> str:
    """The accepted values of a rule, in a few words."""
    if isinstance(rule, TermRule):
        word = f"{rule.kind} or null" if rule.nullable else rule.kind
        return f"[{word}](vocabulary.md#{plural(rule.kind)})"
    if isinstance(rule, Nullable):
        some = takes(rule.rule)
        return f"{some}, or null" if "," in some or " or null" in some else f"{some} or null"
    if isinstance(rule, Boolean):
        return "true or false"
    if isinstance(rule, OneOf):
        dtypes = rule.choices[: len(DTYPES)] == DTYPES
        return "a dtype" if dtypes else ", ".join(rule.choices)
    if isinstance(rule, Integer) and rule.minimum == rule.maximum is not None:
        return str(rule.minimum)
    if isinstance(rule, Text):
        return rule.what
    if isinstance(rule, LayerRule):
        return "one of " + ", ".join(rule.types) if rule.types else "a layer"
    if isinstance(rule, DataRule):
        return "a source with its fields"
    if isinstance(rule, Tuple):
        return _list_of(takes(rule.item))
    if isinstance(rule, PerOutput):
        lists = "a list with one per output, " if rule.sequence is not None else ""
        return f"{takes(rule.item)}, {lists}or a mapping from output name"
    if isinstance(rule, MappingOf):
        return rule.what
    expected: Any = getattr(rule, "expected", None)
    if expected is not None:
        return str(expected() if callable(expected) else expected)
    return _words(rule)


def _list_of(item: str) -> str:
    """``a positive integer`` -> ``a list of positive integers``."""
    found = re.fullmatch(r"an? ((?:positive )?(?:integer|number|string|class name))\b(.*)", item)
    return f"a list of {found[1]}s{found[2]}" if found else f"a list of: {item}"


def _words(rule: Rule) -> str:
    """The first sentence of the docstring of a rule's class."""
    text = class_doc(type(rule)).partition(". ")[0].rstrip(".")
    return (text[:1].lower() + text[1:]).replace("``", "`")


def plural(word: str) -> str:
    """The plural, for headings and links."""
    return f"{word}es" if word.endswith("s") else f"{word}s"
