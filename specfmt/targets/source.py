"""Python source for values: the only way that data of a spec gets into generated code."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from specfmt.layers.naming import is_identifier

if TYPE_CHECKING:
    from specfmt.graph.model import Graph


def literal(value: Any) -> str:
    """Python source of plain data, formatted as `ruff format` would.

    Strings are quoted and escaped, so text from a spec can never become code.

    Raises:
        TypeError: The value is not plain data.
    """
    if value is None or value is True or value is False:
        return repr(value)
    if isinstance(value, str):
        return string(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return number(value)
    if isinstance(value, tuple):
        inner = ", ".join(literal(item) for item in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, list):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    if isinstance(value, dict):
        items = ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items())
        return "{" + items + "}"
    raise TypeError(f"no literal for {type(value).__name__}")


_SIMPLE = re.compile(r"[-+~]?(?:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*|\d+(?:\.\d*)?(?:e[-+]?\d+)?)")
"""Operands around which ``**`` is written without spaces: names, attributes and numbers."""


def binary(left: str, operator: str, right: str) -> str:
    """``left operator right`` with the spacing that ruff uses."""
    if operator == "**" and _SIMPLE.fullmatch(left) and _SIMPLE.fullmatch(right):
        return f"{left}**{right}"
    return f"{left} {operator} {right}"


def string(text: str) -> str:
    """A string literal on one line, with the quotes that ruff prefers."""
    if "\\" not in text and text.isprintable():
        if '"' not in text:
            return f'"{text}"'
        if "'" not in text:
            return f"'{text}'"
    return '"' + "".join(map(_escaped, text)) + '"'


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escaped(character: str) -> str:
    """A character in a string literal; control and bidirectional characters as escapes."""
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def number(value: float) -> str:
    """The shortest decimal that Python parses as the same float."""
    if math.isnan(value):
        return 'float("nan")'
    if math.isinf(value):
        return 'float("inf")' if value > 0 else '-float("inf")'
    return repr(float(value)).replace("e+", "e")


def mapping(items: Mapping[str, str]) -> str:
    """The source of a dict.

    Args:
        items: Name -> the source of its value; the names become string keys.
    """
    return "{" + ", ".join(f"{string(name)}: {item}" for name, item in items.items()) + "}"


def argument(name: str, source: str) -> str:
    """A keyword argument: ``name=source``.

    Raises:
        ValueError: The name is not an identifier, and so could contain code.
    """
    if not is_identifier(name):
        raise ValueError(f"not a keyword argument: {name!r}")
    return f"{name}={source}"


def comment(text: str) -> str:
    """Text that is safe in a comment or docstring: one line that cannot close the docstring."""
    return _plain(" ".join(text.split()))


def remark(text: str) -> str:
    """A comment: ``# text``."""
    return f"# {comment(text)}"


def docstring(text: str) -> str:
    """Text that is safe between triple quotes and may have several lines."""
    text = "\n".join(_plain(line) for line in text.split("\n"))
    return f"{text[:-1]}'" if text.endswith('"') else text


def embedded(text: str) -> str:
    """Text that is safe between the double quotes of an f-string."""
    return comment(text).replace('"', "'").replace("{", "{{").replace("}", "}}")


def formatted(text: str) -> str:
    """An f-string.

    Args:
        text: Its content: placeholders, and text that went through `embedded`.
    """
    return f'f"{text}"'


def _plain(line: str) -> str:
    """A line without backslashes, triple quotes and unprintable characters."""
    line = line.replace("\\", "/").replace('"""', "'''")
    return line if line.isprintable() else "".join(c if c.isprintable() else "?" for c in line)


def document_line(graph: Graph) -> str:
    """The first line of a generated file's docstring: ``iris_mlp: classifies iris flowers.``"""
    description = comment(getattr(graph.spec, "description", ""))
    name = comment(graph.name)
    if not description:
        return f"{name}."
    end = "" if description.endswith((".", "!", "?")) else "."
    first = description.partition(" ")[0]
    if first[1:].islower() or len(first) == 1:  # a word, not a name such as GAN or ResNet
        description = description[:1].lower() + description[1:]
    return f"{name}: {description}{end}"
