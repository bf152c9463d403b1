"""The reference pages of ``docs/``, written from the classes: ``python -m specfmt.reference.docs``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from specfmt.fields.errors import NestedError
from specfmt.fields.types import DTYPES, Boolean, Integer, Nullable, OneOf, Rule, Text, Tuple
from specfmt.fields.validation import keys_of, rules_of, validate
from specfmt.graph.infer import show_shape
from specfmt.layers.base import COMMON_FIELDS, Layer, Op, ShapeError, to_data
from specfmt.layers.index import INDEX, OPERATIONS
from specfmt.layers.registry import LayerRule, layer_class, op_class
from specfmt.reference.codes import pages
from specfmt.reference.field_docs import field_doc
from specfmt.spec.document import InputSpec, Model, ModelSpec, Reuse
from specfmt.spec.train import SOURCES, DataRule, TrainSpec
from specfmt.targets.torch.registry import find_lowering
from specfmt.vocab.base import TermRule, word_class
from specfmt.vocab.index import INDEX as WORDS

NOTE = (
    "<!-- Written by `python -m specfmt.reference.docs`. Change the classes, not this page. -->\n"
)

EXAMPLES: tuple[Any, ...] = (
    3, 0.5, [2, 1], [1], [-1, 2], "relu", {"type": "LSTM", "units": 3}, {"type": "Dense", "units": 3},
)  # fmt: skip
"""Values to try for a required field when a layer is shown with shapes."""
SHAPES: tuple[tuple[int | None, ...], ...] = (
    (None, 6),
    (None, 12, 6),
    (None, 12, 12, 6),
    (None, 12, 12, 12, 6),
    (None, 12, 12, 12, 12, 6),
)

TORCH_WORDS = {
    "optimizer": ("optimizers", "OPTIMIZERS"),
    "schedule": ("schedules", "SCHEDULES"),
}
"""Kinds of words of which PyTorch code knows some: the module and its table."""


def documents() -> dict[str, str]:
    """The name and the text of each page."""
    return {
        "layers.md": layers_page(),
        "operations.md": operations_page(),
        "vocabulary.md": vocabulary_page(),
        "codes.md": codes_page(),
    }


# ------------------------------------------------------------------------------- layers


def layers_page() -> str:
    """Every layer type with its fields."""
    lines = [NOTE, "# Layers", ""]
    lines.append(
        "Names, fields and defaults are those of Keras 3. Every layer also takes the fields "
        "below. Shapes have the batch axis first, as `N`."
    )
    lines += ["", *_fields(Layer, COMMON_FIELDS)]
    for family, group in groupby(INDEX, key=lambda name: INDEX[name]):
        lines += ["", f"## {family.replace('_', ' ').capitalize()}"]
        for name in group:
            cls = layer_class(name)
            assert cls is not None
            lines += ["", f"### {name}", "", *layer_section(cls)]
    lines += ["", "## Other entries", "", "### Model", "", _summary(Model), ""]
    lines += _fields(Model, Model.model_fields)
    lines += ["", "### reuse", "", _summary(Reuse), "", *_fields(Reuse, Reuse.model_fields)]
    return "\n".join(lines) + "\n"


def layer_section(cls: type[Layer]) -> Iterator[str]:
    """What a layer does, reads and gives, and its own fields."""
    yield from (_summary(cls), *_facts(cls), *_own_fields(cls))


def operation_section(cls: type[Op]) -> Iterator[str]:
    """What an operation does, and its fields."""
    yield from (_summary(cls), *_own_fields(cls))


def _own_fields(cls: type[Layer]) -> Iterator[str]:
    own = [field for field in cls.model_fields if field not in COMMON_FIELDS]
    if own:
        yield from ("", *_fields(cls, own))


def _facts(cls: type[Layer]) -> Iterator[str]:
    reads = [
        f"`{argument.name}`" + ("" if argument.required else " (optional)")
        for argument in cls.call_arguments
        if argument.kind != "value"
    ]
    yield ""
    yield f"- Reads: {', '.join(reads)}."
    shown = shape_example(cls)
    if shown:
        yield f"- Shapes: {shown}."
    yield f"- Masks: {'passed on' if cls.supports_masking else 'not passed on'}."
    if find_lowering(cls) is None or cls.open_call:
        yield "- Keras code only."


def shape_example(cls: type[Layer]) -> str:
    """``Dense, units 3: (N, 6) -> (N, 3)``; empty where no simple input fits."""
    if cls.open_call:
        return ""
    needed = [key for key, field in cls.model_fields.items() if field.is_required()]
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
            said = ", ".join(f"`{key}: {json.dumps(value)}`" for key, value in config.items())
            return f"{read} to {show_shape(found)}" + (f" with {said}" if said else "")
    return ""


def _configs(cls: type[BaseModel], needed: list[str]) -> Iterator[dict[str, Any]]:
    """Values for the required fields, the first that each rule accepts varied last."""
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


def operations_page() -> str:
    """Every tensor operation with its fields."""
    lines = [NOTE, "# Operations", ""]
    lines.append(
        "Functions of `keras.ops`, written as entries: `{op: mean, inputs: x, axis: 1}`. "
        "`inputs` holds the positional arguments: a string names a tensor, numbers and lists "
        "stand for themselves, `{const: text}` is a string."
    )
    for name in OPERATIONS:
        cls = op_class(name)
        assert cls is not None
        lines += ["", f"## {name}", "", *operation_section(cls)]
    return "\n".join(lines) + "\n"


# --------------------------------------------------------------------------- vocabulary


def vocabulary_page() -> str:
    """Every word, the document's sections, and their fields."""
    lines = [NOTE, "# Vocabulary", ""]
    lines.append(
        "A word is a bare name, such as `relu`, or a mapping with its arguments: "
        "`{type: L2, l2: 0.01}`. Names, arguments and defaults are those of Keras 3."
    )
    for kind, table in WORDS.items():
        lines += ["", f"## {_plural(kind).capitalize()}"]
        for type_name in dict.fromkeys(table.values()):
            cls = word_class(kind, type_name)
            names = [f"`{name}`" for name, other in table.items() if other == type_name]
            lines += ["", f"### {names[0].strip('`')}", ""]
            also = f" Also {', '.join(names[1:])}." if names[1:] else ""
            lines.append(f"{_summary(cls)}{also}{_keras_only(kind, type_name)}")
            if cls.model_fields:
                lines += ["", *_fields(cls, cls.model_fields)]
    lines += ["", "## The document", "", *_fields(ModelSpec, ModelSpec.model_fields)]
    lines += ["", "### An input", "", *_fields(InputSpec, InputSpec.model_fields)]
    lines += ["", "### train", "", *_fields(TrainSpec, TrainSpec.model_fields)]
    for source, data in SOURCES.items():
        lines += ["", f"### train.data with source: {source}", "", _summary(data), ""]
        lines += _fields(data, data.model_fields)
    return "\n".join(lines) + "\n"


def _keras_only(kind: str, type_name: str) -> str:
    if kind not in TORCH_WORDS:
        return ""
    module, table = TORCH_WORDS[kind]
    known = getattr(import_module(f"specfmt.targets.torch.training.{module}"), table)
    return "" if type_name in known else " Keras code only."


# -------------------------------------------------------------------------------- codes


def codes_page() -> str:
    """Every diagnostic code."""
    hundreds = {
        "1": "Reading",
        "2": "Graph and shapes",
        "3": "What a target cannot express",
        "4": "Import",
        "5": "Weights",
        "6": "Lint",
    }
    lines = [NOTE, "# Codes", "", "`specfmt explain SF203` prints the page of a code."]
    for digit, group in groupby(pages().items(), key=lambda item: item[0][2]):
        lines += ["", f"## {digit}xx: {hundreds[digit]}"]
        for code, (title, text) in group:
            lines += ["", f"### {code}: {title[0].upper()}{title[1:]}", "", text.strip("\n")]
    return "\n".join(lines) + "\n"


# ------------------------------------------------------------------------------- tables


def _summary(cls: type[BaseModel]) -> str:
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split()).replace("``", "`")


def _fields(cls: type[BaseModel], fields: Any) -> Iterator[str]:
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
    """What a rule accepts, in a few words."""
    if isinstance(rule, TermRule):
        word = f"{rule.kind} or null" if rule.nullable else rule.kind
        return f"[{word}](vocabulary.md#{_plural(rule.kind)})"
    if isinstance(rule, Nullable):
        some = takes(rule.rule)
        return f"{some}, or null" if "," in some else f"{some} or null"
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
        return f"a list of: {takes(rule.item)}"
    expected: Any = getattr(rule, "expected", None)
    if expected is not None:
        return str(expected() if callable(expected) else expected)
    item = getattr(rule, "item", None)
    return takes(item) if isinstance(item, Rule) else _words(rule)


def _words(rule: Rule) -> str:
    """The first sentence of what a rule's class says of itself."""
    text = " ".join((type(rule).__doc__ or "").split()).partition(". ")[0].rstrip(".")
    return (text[:1].lower() + text[1:]).replace("``", "`")


def _plural(word: str) -> str:
    return f"{word}es" if word.endswith("s") else f"{word}s"


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` tell whether they are fresh."""
    folder = Path(__file__).resolve().parents[2] / "docs"
    stale = []
    for name, text in documents().items():
        path = folder / name
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in arguments:
            folder.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if stale and "--check" in arguments:
        sys.stderr.write(f"{', '.join(stale)} out of date; run: python -m specfmt.reference.docs\n")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
