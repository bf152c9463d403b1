"""Texts that try to become code, planted in every field that takes a text.

A payload holds a mark, which may stand in strings, comments and identifiers, and behind characters
that end those, names that may never be identifiers of a program on their own.
"""

from __future__ import annotations

import ast
import copy
import io
import itertools
import json
import tokenize
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import specfmt
from specfmt.diagnostics import SpecError
from specfmt.spec.document import ModelSpec, parse_document

MARK = "zqmark"
CODE = frozenset({"zqcode", "zqrun"})
"""Names that stand for what an attacker would call."""

PAYLOADS = {
    "quotes": f'{MARK}"""; zqcode.zqrun("x"); """',
    "single": f"{MARK}'''; zqcode.zqrun('x'); '",
    "mixed": f'{MARK}\'"; zqcode.zqrun(1) #"\'""',
    "end": f'{MARK} zqcode.zqrun()"',
    "backslash": f'{MARK}\\"; zqcode.zqrun() #\\',
    "named": f"{MARK}\\N{{BULLET}}\\x22\\u0022; zqcode.zqrun()",
    "braces": f"{MARK}{{zqcode.zqrun()}}{{{{zqcode}}}}{{0}}{{",
    "percent": f"{MARK}%(prog)s%(zqcode)s %s %d %",
    "comment": f"{MARK} # zqcode: zqrun",
    "separators": f"{MARK}\u2028zqcode.zqrun()\u2029zqcode.zqrun()",
    "bidirectional": f"{MARK}\u202e)(nurqz\u202c\u2066 zqcode.zqrun()\u2069\u200f",
    "astral": f"{MARK}\U000e0041 zqcode\U0001f600",
    "newline": f"{MARK}\nzqcode.zqrun()\n#",
    "return": f"{MARK}\rzqcode.zqrun()\r\n",
    "page": f"{MARK}\x0czqcode.zqrun()\x85\x1e\x00\x1b[31m\x7f",
    "surrogate": f"{MARK}\ud800 zqcode",
    "dunder": "__class__",
    "template": f"{MARK}{{{{ zqcode.zqrun() }}}}{{% include 'zqcode' %}}{{# #}}",
    "fullwidth": f"{MARK}\uff02\uff02\uff02; zqcode.zqrun()",
    "uneven": f"{MARK}'\")]}}; zqcode.zqrun(",
    "long": f'{MARK}" ' + "'zqcode.zqrun(); " * 20,
    "import": f"{MARK}\nimport zqcode\nfrom zqcode import zqrun",
}

OPTIONS: dict[str, list[dict[str, str]]] = {
    "short": [
        {"target": "keras", "part": "train"},
        {"target": "keras", "style": "subclass"},
        {"target": "torch", "part": "train"},
        {"target": "torch", "style": "functional"},
    ],
    "long": [
        *(
            {"target": "keras", "style": style, "part": part, "flavor": flavor}
            for style, part, flavor in itertools.product(
                ("auto", "sequential", "functional", "subclass"),
                ("model", "train"),
                ("tf.keras", "keras"),
            )
        ),
        *(
            {"target": "torch", "style": style, "part": part, "fidelity": fidelity, "axes": axes}
            for style, part, fidelity, axes in itertools.product(
                ("auto", "functional"),
                ("model", "train"),
                ("idiomatic", "exact"),
                ("torch", "keras"),
            )
        ),
    ],
}


TRACEBACKS: list[str] = []
"""Other errors than findings, which are another harness's matter."""


def read(document: dict[str, Any]) -> ModelSpec | None:
    """The spec of a document, None where it is refused."""
    spec, problems = parse_document(copy.deepcopy(document))
    if spec is None or problems:
        return None
    try:
        specfmt.analyze(spec)
    except SpecError:
        return None
    except Exception as error:  # noqa: BLE001, RUF100
        TRACEBACKS.append(f"{type(error).__name__}: {error}")
        return None
    return spec


def attack(document: dict[str, Any], form: str = "long", source: str = "") -> int:
    """Generate every program of a document and check it; returns how many there were.

    Raises:
        AssertionError: A text of the document is code in a program.
    """
    spec = read(document)
    if spec is None:
        return 0
    count = 0
    for options in OPTIONS[form]:
        try:
            code = specfmt.generate(spec, source=source, script=source, **options)
        except (SyntaxError, tokenize.TokenError) as error:
            raise AssertionError(f"the program is no Python: {error}") from error
        except Exception as error:  # noqa: BLE001, RUF100 (a traceback writes no program)
            if not isinstance(error, SpecError):
                TRACEBACKS.append(f"{type(error).__name__}: {error}")
            continue
        check_program(code)
        count += 1
    return count


def check_program(code: str) -> None:
    """A program that can be stored and compiled, with the payload only where text may stand."""
    code.encode("utf-8")
    strange = sorted({c for c in code if not (c.isprintable() or c == "\n")})
    assert not strange, f"characters {strange} in the program"
    tree = ast.parse(code)
    compile(code, "generated.py", "exec")
    found = CODE & set(identifiers(tree))
    assert not found, f"{sorted(found)} is code"
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        assert token.type != tokenize.COMMENT or "\n" not in token.string


def identifiers(tree: ast.AST) -> Iterator[str]:
    """Every name that a program says outside of strings and comments."""
    for node in ast.walk(tree):
        for _, value in ast.iter_fields(node):
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, str) and not isinstance(node, ast.Constant):
                    yield from item.split(".")


# -- where payloads go -----------------------------------------------------------------------------


def values(text: str) -> Iterator[Any]:
    """The forms in which a text may stand in a field."""
    custom = {"type": "Custom", "class": "zqmine.Mine"}
    held = {"type": "Custom", "class": "zqmine.Mine", "config": {text: text, "plain": [text]}}
    yield from (text, [text], [text, text], {text: 1}, {text: text}, {"a": text}, {text: [text]})
    yield from ([[text]], {"type": text}, held, [held], {text: held})
    yield custom | {"config": text, "registered_name": text}
    yield custom | {"class": "zqmine.function", "config": text}


def planted(
    document: dict[str, Any],
    path: tuple[Any, ...],
    names: Iterable[str],
    text: str,
    forms: tuple[int, ...] = (),
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Documents with the text in each field of the mapping at a path, in every form or in some."""
    for name in names:
        for form, value in enumerate(values(text)):
            if forms and form not in forms:
                continue
            changed = copy.deepcopy(document)
            target: Any = changed
            for key in path:
                target = target[key]
            target[name] = value
            yield f"{'/'.join(map(str, path))}/{name}#{form}", changed


def renamed(document: Any, old: str, new: str) -> Any:
    """The document with a name spelled otherwise wherever it stands."""
    if isinstance(document, dict):
        return {
            new if key == old else key: renamed(item, old, new) for key, item in document.items()
        }
    if isinstance(document, list):
        return [renamed(item, old, new) for item in document]
    return new if document == old else document


def in_block(
    document: dict[str, Any], index: int, field: str, values: Iterable[Any]
) -> dict[str, Any]:
    """The document's layers as a block that is used with each of the values in a field of one."""
    changed = copy.deepcopy(document)
    entries, inputs = changed.pop("layers"), list(changed["inputs"])
    entries[index][field] = "$value"
    block = {"parameters": {"value": "required"}, "inputs": inputs, "layers": entries}
    uses = [
        {"block": "zqblock", "name": f"zquse_{number}", "inputs": inputs, "value": value}
        for number, value in enumerate(values)
    ]
    changed |= {"blocks": {"zqblock": block}, "layers": uses}
    changed["outputs"] = [use["name"] for use in uses]
    changed.pop("train", None)
    return changed


def respelled(document: Any, old: str, new: str) -> Any:
    """The document with a part of its texts spelled otherwise wherever it stands."""
    if isinstance(document, dict):
        return {
            respelled(key, old, new): respelled(item, old, new) for key, item in document.items()
        }
    if isinstance(document, list):
        return [respelled(item, old, new) for item in document]
    return document.replace(old, new) if isinstance(document, str) else document


TRAIN = {
    "data": {"source": "synthetic"},
    "loss": "mse",
    "optimizer": "adam",
    "metrics": ["mae"],
    "epochs": 1,
}
PLAIN: dict[str, Any] = {
    "specfmt": 1,
    "name": "plain",
    "description": "Says something.",
    "inputs": {"zqin": {"shape": [4]}},
    "layers": [
        {"type": "Dense", "units": 3, "name": "zqlayer", "activation": "relu"},
        {"type": "Dense", "units": 2, "name": "zqlast"},
    ],
}
TWO: dict[str, Any] = {
    "specfmt": 1,
    "name": "two",
    "inputs": {"zqone": {"shape": [4]}, "zqtwo": {"shape": [4]}},
    "layers": [
        {"type": "Dense", "units": 3, "name": "zqshared", "inputs": "zqone"},
        {"reuse": "zqshared", "inputs": "zqtwo", "name": "zqagain"},
        {"type": "Concatenate", "inputs": ["zqshared", "zqagain"], "name": "zqboth"},
        {
            "type": "Model",
            "name": "zqinner",
            "inputs": {"zqsub": {"shape": [6]}},
            "layers": [{"type": "Dense", "units": 4, "name": "zqdeep"}],
            "call": "zqboth",
        },
        {"type": "Dense", "units": 3, "activation": "softmax", "name": "zqleft"},
        {"type": "Dense", "units": 1, "activation": "sigmoid", "name": "zqright",
         "inputs": "zqinner"},
    ],
    "outputs": ["zqleft", "zqright"],
    "train": {
        "data": {
            "source": "npz",
            "path": "zqpath",
            "x": {"zqone": "zqx1", "zqtwo": "zqx2"},
            "y": {"zqleft": "zqy1", "zqright": "zqy2"},
        },
        "loss": {"zqleft": "sparse_categorical_crossentropy", "zqright": "binary_crossentropy"},
        "metrics": {"zqleft": ["accuracy"], "zqright": ["auc"]},
        "epochs": 1,
    },
}  # fmt: skip
MAPPED = TWO | {"outputs": {"zqname": "zqleft", "zqother": "zqright"}, "train": None}
"""Documents whose names are spelled otherwise."""

BLOCKS: dict[str, Any] = {
    "specfmt": 1,
    "name": "blocks",
    "inputs": {"zqin": {"shape": [4]}, "zqside": {"shape": [4]}},
    "blocks": {
        "zqpart": {
            "description": "zqsays something.",
            "parameters": {"units": "required", "kind": "relu", "text": "zqtext", "more": False,
                           "list": ["zqitem"], "word": "zqword"},
            "inputs": ["zqleft", "zqright"],
            "layers": [
                {"type": "Dense", "units": "$units", "name": "1_zqdense", "inputs": "zqleft",
                 "when": "$(more and text != 'zqnever')"},
                {"type": "Activation", "activation": "$kind", "name": "zqkind_$name"},
                {"type": "Dense", "units": "$units", "name": "zqlow.$text", "inputs": "zqright"},
                {"type": "Add", "name": "zqsum", "inputs": ["zqkind_$name", "zqlow.$text"]},
                {"type": "Custom", "class": "zqmine.Mine", "name": "zqown",
                 "config": {"a": "$text", "b": "zqb-$text", "c": "$list", "zqkey": "zqd$(units)",
                            "e": "$('zqyes' if more else word)"}},
            ],
            "outputs": ["zqsum", "zqown"],
        },
        "zqrow": {
            "parameters": {"depth": "required", "first": "zqfirst"},
            "layers": [
                {"type": "Dense", "units": 4, "name": "zqa"},
                {"block": "zqunit", "name": "zqturn$(chr(97 + i))", "repeat": "$depth",
                 "label": "zqlabel_$first", "when": "$(depth > 1)"},
            ],
        },
        "zqunit": {
            "parameters": {"label": "zqnone"},
            "layers": [
                {"type": "Dense", "units": 4, "name": "zqb_$label", "when": "$(label != 'zqoff')"},
                {"type": "Dense", "units": 4},
            ],
        },
    },
    "layers": [
        {"block": "zqpart", "name": "zqone", "units": 3, "inputs": ["zqin", "zqside"],
         "text": "zqgiven", "more": True},
        {"block": "zqpart", "name": "zqtwo", "units": 4, "kind": "tanh", "word": "zqnew",
         "inputs": ["zqin", "zqside"], "list": ["zqother", "zqanother"]},
        {"block": "zqrow", "name": "zqthree", "depth": 3, "inputs": "zqone"},
        {"block": "zqrow", "name": "zqfour", "depth": 2, "first": "zqlast"},
        {"block": "zqrow", "name": "zqfive", "depth": 1, "first": "zqno"},
        {"type": "Concatenate", "name": "zqend",
         "inputs": ["zqone:1", "zqtwo", "zqtwo:1", "zqfive"]},
    ],
}  # fmt: skip
CHAINED: dict[str, Any] = PLAIN | {
    "blocks": {
        "zqpair": {
            "description": "zqsays something.",
            "parameters": {"units": "required", "kind": "relu", "tag": "zqtag", "more": True},
            "layers": [
                {"type": "Dense", "units": "$units", "name": "zqdense_$tag"},
                {"type": "Activation", "activation": "$kind", "name": "2_zqact", "when": "$more"},
            ],
        },
        "zqpile": {
            "parameters": {"depth": 2, "tag": "zqmark"},
            "layers": [
                {
                    "block": "zqpair",
                    "name": "zqpart$(i + 2)",
                    "units": "$(4 * (i + 1))",
                    "repeat": "$depth",
                    "tag": "zqpiled_$tag",
                },
            ],
        },
    },
    "layers": [
        {"block": "zqpair", "name": "zqone", "units": 3, "tag": "zqnear"},
        {"block": "zqpair", "name": "zqtwo", "units": 5, "kind": "tanh", "tag": "zqfar"},
        {"block": "zqpair", "name": "zqthree", "units": 5, "more": False},
        {"block": "zqpile", "name": "zqfour", "tag": "zqleft"},
        {"block": "zqpile", "name": "zqfive", "depth": 3},
        {"type": "Dense", "units": 2, "name": "zqlast"},
    ],
}
"""Documents with blocks, in whose texts a part is spelled otherwise."""

REUSED: dict[str, Any] = PLAIN | {
    "blocks": {
        "zqblock": {
            "parameters": {"units": "required"},
            "layers": [
                {"type": "Dense", "units": 4, "name": "zqheld"},
                {"type": "Dense", "units": "$units", "name": "zqwide"},
                {"type": "Dense", "units": 4, "name": "zqback"},
                {"reuse": "zqheld", "name": "zqagain", "inputs": "zqback"},
            ],
        },
    },
    "layers": [
        {"block": "zqblock", "name": "zqone", "units": 3},
        {"block": "zqblock", "name": "zqtwo", "units": 5},
    ],
}

CSV = {"source": "csv", "path": "d.csv", "features": ["a", "b", "c", "d"], "target": "t"}
SOURCES: list[dict[str, Any]] = [
    {"source": "sklearn", "name": "iris"},
    {"source": "npz", "path": "d.npz", "x": "x", "y": "y"},
    CSV,
    CSV | {"classes": ["zqa", "zqb", "zqc"]},
    {"source": "inline", "x": [[1, 2, 3, 4]] * 4, "y": [0, 1, 2, 0]},
    {"source": "synthetic"},
]
CLASSIFIER = PLAIN | {
    "layers": [{"type": "Dense", "units": 3, "activation": "softmax", "name": "zqlast"}]
}


def spec_names(document: Any) -> list[str]:
    """Names in a document that can be spelled otherwise."""
    text = json.dumps(document)
    return sorted({part for part in text.split('"') if part.startswith("zq")})


Host = tuple[str, dict[str, Any], tuple[Any, ...], list[str]]
"""A definition of the schema, a document with an instance of it, where that is, its fields."""


def hosts(schema: dict[str, Any], cases: Iterable[dict[str, Any]]) -> Iterator[Host]:
    """A document for every definition of the schema that has fields.

    Args:
        schema: The language's JSON Schema.
        cases: Documents that hold a layer or an operation of each type.
    """
    trained = PLAIN | {"train": TRAIN}
    yield "document", trained, (), list(schema["properties"])
    definitions: dict[str, dict[str, Any]] = schema["$defs"]
    entries = _entries(cases)
    for name, definition in definitions.items():
        fields = list(definition.get("properties", ()))
        kind, _, rest = name.partition("_")
        if name == "input":
            yield name, trained, ("inputs", "zqin"), fields
        elif name == "train":
            yield name, trained, ("train",), fields
        elif name == "reuse":
            yield name, TWO, ("layers", 1), fields
        elif name == "body_reuse":
            yield name, REUSED, ("blocks", "zqblock", "layers", 3), fields
        elif name == "block":
            yield name, CHAINED, ("blocks", "zqpair"), fields
        elif name == "use":
            yield name, CHAINED, ("layers", 0), fields
        elif name == "layer_Model":
            yield name, TWO, ("layers", 3), fields
        elif kind in ("layer", "op") and name in entries:
            document, index = entries[name]
            yield name, document, ("layers", index), fields
        elif kind == "data" and rest:
            for source in SOURCES:
                if source["source"] == rest:
                    train = TRAIN | {"data": source, "loss": "sparse_categorical_crossentropy",
                                     "metrics": ["accuracy"]}  # fmt: skip
                    yield name, CLASSIFIER | {"train": train}, ("train", "data"), fields
        elif kind in _PLACES and rest:
            spelled = definition["properties"]["type"]
            word = {"type": spelled.get("const") or spelled["enum"][0]} | {
                key: _example(definition["properties"][key], definitions)
                for key in definition.get("required", ())
                if key != "type"
            }
            if word["type"] == "Custom":
                word["class"] = "zqmine.Mine"
            yield name, *_PLACES[kind](word), fields


KINDS = frozenset(
    "activation initializer regularizer constraint loss optimizer schedule metric callback "
    "layer entry data train input reuse operands".split()
)
"""Definitions that are attacked on their own wherever they stand."""


def takes_text(
    schema: dict[str, Any], definitions: dict[str, Any], entered: tuple[str, ...] = ()
) -> bool:
    """Whether a field's schema lets through texts that it does not list."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        known = name in KINDS or name in entered
        return not known and takes_text(definitions[name], definitions, (*entered, name))
    if "enum" in schema or "const" in schema:
        return False
    kinds = schema.get("type", ())
    if "string" in ([kinds] if isinstance(kinds, str) else kinds):
        return True
    rest = schema.get("additionalProperties", "properties" not in schema)
    if kinds == "object" and (rest is True or "propertyNames" in schema or "not" in schema):
        return True
    parts = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), schema.get("items"), rest]
    return any(takes_text(part, definitions, entered) for part in parts if isinstance(part, dict))


def text_fields(schema: dict[str, Any], name: str) -> list[str]:
    """Fields of a definition that take texts of the user's own."""
    definitions = schema["$defs"]
    own = schema if name == "document" else definitions[name]
    return [key for key, item in own["properties"].items() if takes_text(item, definitions)]


def _entries(cases: Iterable[dict[str, Any]]) -> dict[str, tuple[dict[str, Any], int]]:
    """Definition -> a document that is accepted, and which entry of it is an instance."""
    found: dict[str, tuple[dict[str, Any], int]] = {}
    for document in cases:
        new = []
        for index, entry in enumerate(document["layers"]):
            name = f"layer_{entry['type']}" if "type" in entry else f"op_{entry.get('op')}"
            if name not in found:
                new.append((name, index))
        if new and read(document) is not None:
            found.update({name: (document, index) for name, index in new})
    return found


def _layer_word(field: str) -> Callable[[dict[str, Any]], tuple[dict[str, Any], tuple[Any, ...]]]:
    def place(word: dict[str, Any]) -> tuple[dict[str, Any], tuple[Any, ...]]:
        document = copy.deepcopy(PLAIN | {"train": TRAIN})
        document["layers"][0][field] = word
        if read(document) is None:  # it wants a kernel of three axes
            document["inputs"]["zqin"] = {"shape": [8, 1]}
            document["layers"][0] |= {"type": "Conv1D", "filters": 3, "kernel_size": 5}
            del document["layers"][0]["units"]
            document["layers"].insert(1, {"type": "Flatten"})
        return document, ("layers", 0, field)

    return place


def _train_word(*path: Any) -> Callable[[dict[str, Any]], tuple[dict[str, Any], tuple[Any, ...]]]:
    def place(word: dict[str, Any]) -> tuple[dict[str, Any], tuple[Any, ...]]:
        document = copy.deepcopy(PLAIN | {"train": TRAIN})
        train = document["train"]
        if path[0] == "learning_rate":
            train["optimizer"] = {"type": "Adam", "learning_rate": word}
            return document, ("train", "optimizer", "learning_rate")
        train[path[0]] = [word] if len(path) > 1 else word
        return document, ("train", *path)

    return place


_PLACES = {
    "activation": _layer_word("activation"),
    "initializer": _layer_word("kernel_initializer"),
    "regularizer": _layer_word("kernel_regularizer"),
    "constraint": _layer_word("kernel_constraint"),
    "loss": _train_word("loss"),
    "optimizer": _train_word("optimizer"),
    "schedule": _train_word("learning_rate"),
    "metric": _train_word("metrics", 0),
    "callback": _train_word("callbacks", 0),
    "word": _train_word("metrics", 0),
}


def _example(schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    """A small value that a schema accepts."""
    if "$ref" in schema:
        return _example(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return _example(schema[key][0], definitions)
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return max(1, schema.get("minimum", 1)) if schema.get("maximum", 2) >= 1 else 0.5
    if kind == "array":
        return [_example(schema.get("items", {"type": "integer"}), definitions)] * max(
            1, schema.get("minItems", 1)
        )
    return {"string": "zqmine.Mine", "boolean": True}.get(str(kind), {})
