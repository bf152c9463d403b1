"""Writes the reference pages of ``docs/`` from the classes: ``python -m specfmt.reference.docs``."""

from __future__ import annotations

import sys
from collections.abc import Container
from itertools import groupby
from pathlib import Path

from specfmt.fields.model import COMMON_FIELDS
from specfmt.layers.base import Layer
from specfmt.layers.blocks import Block, BlockUse
from specfmt.layers.entries import InputSpec, Model, Reuse
from specfmt.layers.index import INDEX, OPERATIONS
from specfmt.layers.kept import INPUT_LAYER, KEPT
from specfmt.layers.registry import layer_class, op_class
from specfmt.reference.codes import codes, title_and_text
from specfmt.reference.sections import (
    fields_table,
    kept_section,
    layer_section,
    operation_section,
    plural,
    summary,
)
from specfmt.spec.document import ModelSpec
from specfmt.spec.train import SOURCES, TrainSpec
from specfmt.targets.torch.training.optimizers import OPTIMIZERS
from specfmt.targets.torch.training.schedules import SCHEDULES
from specfmt.vocab.base import term_class
from specfmt.vocab.index import INDEX as WORDS

NOTE = (
    "<!-- Written by `python -m specfmt.reference.docs`. Change the classes, not this page. -->\n"
)

TORCH_WORDS: dict[str, Container[str]] = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES}
"""Kinds of which PyTorch code supports only some objects -> those objects."""


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
    lines += ["", *fields_table(Layer, COMMON_FIELDS)]
    for family, group in groupby(INDEX, key=lambda name: INDEX[name]):
        lines += ["", f"## {family.replace('_', ' ').capitalize()}"]
        for name in group:
            cls = layer_class(name)
            assert cls is not None
            lines += ["", f"### {name}", "", *layer_section(cls)]
    lines += ["", "## Layers that are kept whole", "", KEPT_WHOLE]
    for name in (INPUT_LAYER, *KEPT):
        lines += ["", f"### {name}", "", *kept_section(name)]
    lines += ["", "## Other entries", "", "### Model", "", summary(Model), ""]
    lines += fields_table(Model, Model.model_fields)
    lines += ["", "### reuse", "", summary(Reuse), "", *fields_table(Reuse, Reuse.model_fields)]
    lines += ["", "### block", "", summary(BlockUse), ""]
    lines += fields_table(BlockUse, BlockUse.model_fields)
    return "\n".join(lines) + "\n"


KEPT_WHOLE = (
    "What these layers compute is Python code, or a program of another library, which specfmt neither "
    "reads nor runs. An import keeps them as [Custom](#custom) with Keras's class and configuration, "
    "which Keras code and Keras JSON contain unchanged."
)


def operations_page() -> str:
    """Every tensor operation with its fields."""
    lines = [NOTE, "# Operations", ""]
    lines.append(
        "Functions of `keras.ops`, written as entries: `{op: mean, inputs: x, axis: 1}`. "
        "`inputs` lists the positional arguments: a string is the name of a tensor, numbers and lists "
        "are constants, `{const: text}` is a string constant."
    )
    for name in OPERATIONS:
        cls = op_class(name)
        assert cls is not None
        lines += ["", f"## {name}", "", *operation_section(cls)]
    return "\n".join(lines) + "\n"


# --------------------------------------------------------------------------- vocabulary


def vocabulary_page() -> str:
    """Every object of the vocabulary, and the sections of the document, with their fields."""
    lines = [NOTE, "# Vocabulary", ""]
    lines.append(
        "Activations, initializers, regularizers, losses and other objects are given by name, such as "
        "`relu`, or as a mapping with arguments: `{type: L2, l2: 0.01}`. Names, arguments and defaults "
        "are those of Keras 3."
    )
    for kind, table in WORDS.items():
        lines += ["", f"## {plural(kind).capitalize()}"]
        for type_name in dict.fromkeys(table.values()):
            cls = term_class(kind, type_name)
            names = [f"`{name}`" for name, other in table.items() if other == type_name]
            lines += ["", f"### {names[0].strip('`')}", ""]
            also = f" Also {', '.join(names[1:])}." if names[1:] else ""
            lines.append(f"{summary(cls)}{also}{_keras_only(kind, type_name)}")
            if cls.model_fields:
                lines += ["", *fields_table(cls, cls.model_fields)]
    lines += ["", "## The document", "", *fields_table(ModelSpec, ModelSpec.model_fields)]
    lines += ["", "### An input", "", *fields_table(InputSpec, InputSpec.model_fields)]
    lines += ["", "### A block", "", *fields_table(Block, Block.model_fields)]
    lines += ["", "### train", "", *fields_table(TrainSpec, TrainSpec.model_fields)]
    for source, data in SOURCES.items():
        lines += ["", f"### train.data with source: {source}", "", summary(data), ""]
        lines += fields_table(data, data.model_fields)
    return "\n".join(lines) + "\n"


def _keras_only(kind: str, type_name: str) -> str:
    return "" if type_name in TORCH_WORDS.get(kind, (type_name,)) else " Keras code only."


# -------------------------------------------------------------------------------- codes


def codes_page() -> str:
    """Every diagnostic code."""
    hundreds = {
        "1": "Reading",
        "2": "Graph and shapes",
        "3": "Targets",
        "4": "Import",
        "5": "Weights",
        "6": "Lint",
    }
    lines = [NOTE, "# Codes", "", "`specfmt explain SF203` prints the page of a code."]
    for digit, group in groupby(codes(), key=lambda code: code[2]):
        lines += ["", f"## {digit}xx: {hundreds[digit]}"]
        for code in group:
            title, text = title_and_text(code)
            lines += ["", f"### {code}: {title[0].upper()}{title[1:]}", "", text]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` check that they are up to date."""
    folder = Path(__file__).resolve().parents[2] / "docs"
    pages = {folder / name: text for name, text in documents().items()}
    if "--check" not in arguments:
        for path, text in pages.items():
            path.write_text(text, encoding="utf-8")
        return 0
    stale = [path.name for path, text in pages.items() if path.read_text(encoding="utf-8") != text]
    if stale:
        sys.stderr.write(f"{', '.join(stale)} out of date; run: python -m specfmt.reference.docs\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
