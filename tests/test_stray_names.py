"""What is known of a layer stands on its class: no layer's name is a string elsewhere.

A table of names in a reader, a writer or a rule is a fact that whoever adds a layer has to find.
Code outside asks the class instead (`Layer` lists what can be asked), or takes the class itself.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from specfmt.layers.index import INDEX
from specfmt.vocab.base import CUSTOM
from specfmt.vocab.index import INDEX as WORDS

PACKAGE = Path(__file__).resolve().parents[1] / "specfmt"

HOMES = ("layers/", "targets/torch/lowerings/", "vocab/")
"""Layers, what PyTorch makes of each, and the words of the vocabulary, some of which are named
like layers; the vocabulary stands below layers and cannot mean them."""

WORD_NAMES = {name for table in WORDS.values() for name in table.values()} | {CUSTOM}
"""Softmax is an activation too, Identity an initializer."""

NAMES = frozenset(INDEX) - WORD_NAMES


def stray_names(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of every string that is a layer's name, or a pattern of such names."""
    tree = ast.parse(source)
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if node in skipped:
            continue
        match node:
            case ast.Expr(value=ast.Constant() as text):  # of a module, class or variable
                skipped.add(text)
            case ast.Call(
                func=ast.Attribute(value=ast.Constant(value=str(words)) as text, attr="split")
            ):
                skipped.add(text)
                yield from ((text.lineno, word) for word in words.split() if word in NAMES)
            case ast.JoinedStr(values=values):
                parts = [
                    re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"\w+"
                    for part in values
                ]
                skipped.update(values)
                literal = re.sub(r"\W", "", "".join(part for part in parts if part != r"\w+"))
                pattern = re.compile("".join(parts))
                if len(literal) >= 3 and any(pattern.fullmatch(name) for name in NAMES):
                    yield node.lineno, pattern.pattern
            case ast.Constant(value=str(name)) if name in NAMES:
                yield node.lineno, name


def modules() -> Iterator[tuple[str, str]]:
    """Path within the package and text of every module outside `HOMES`."""
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        if not place.startswith(HOMES):
            yield place, path.read_text(encoding="utf-8")


def test_no_stray_layer_name() -> None:
    found = [
        f"specfmt/{place}:{line}: {name}"
        for place, source in modules()
        for line, name in stray_names(source)
    ]
    assert not found, "make it a fact of the layer (specfmt/layers/base.py):\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ('if layer.type_name == "Dense":\n    pass', ["Dense"]),
        ('TABLE = {"LSTM": 4, "GRU": 3}', ["LSTM", "GRU"]),
        ('KEPT = "Flatten Reshape\\nPermute other".split()', ["Flatten", "Reshape", "Permute"]),
        ('NAMES = [f"Conv{n}D" for n in (1, 2, 3)]', [r"Conv\w+D"]),
        ('match kind:\n    case "Embedding":\n        pass', ["Embedding"]),
        ('def f():\n    """Dense"""\n    return "a Dense layer"', []),
        ('TABLE = 1\n"""Dense"""', []),
        ('hint = "put a Flatten before it"; name = f"{x}D"; key = "dense"', []),
        ('if term.type == "Softmax": pass', []),
    ],
)
def test_what_is_found(source: str, names: list[str]) -> None:
    assert [name for _, name in stray_names(source)] == names
