"""Plain scalars by the YAML 1.2 core schema: text to value, and back to text.

PyYAML's own resolver follows YAML 1.1, which reads ``no`` as false, ``12:30:00`` as
45000 and ``1e-3`` as a string.  Source of the rules: YAML 1.2.2, section 10.3.2.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | None

_INF = float("inf")
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{sign + word: _INF for sign in ("", "+") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -_INF),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_OCTAL = "01234567"
_DECIMAL = "0123456789"
_HEXADECIMAL = "0123456789abcdefABCDEF"

CORE_TAGS = {
    f"tag:yaml.org,2002:{name}": name
    for name in ("str", "int", "float", "bool", "null", "map", "seq")
} | {"!": "str"}
"""The tags a document may use, by their full name; ``!`` alone forces a string."""


def resolve(text: str) -> Scalar:
    """The value of a plain (unquoted) scalar.

    Args:
        text: The scalar without its surrounding space.

    Raises:
        ValueError: A decimal integer longer than Python's limit on digits.
    """
    if text in _WORDS:
        return _WORDS[text]
    return _number(text) if text[0] in "0123456789+-." else text


def resolve_tagged(tag: str, text: str, *, plain: bool) -> Scalar:
    """The value of a scalar under one of the core tags.

    Args:
        tag: A value of ``CORE_TAGS``, such as ``float``.
        text: The scalar's content.
        plain: It stood without quotes.

    Raises:
        ValueError: The text is not of that type.
    """
    if tag == "str":
        return text
    value = resolve(text)
    if tag == "null" and value is None and (plain or not text):
        return None
    if tag == "bool" and isinstance(value, bool):
        return value
    if tag == "int" and type(value) is int:
        return value
    if tag == "float" and type(value) in (int, float):
        try:
            return float(value)  # type: ignore[arg-type]
        except OverflowError as error:
            raise ValueError(f"a number too large for !!{tag}") from error
    raise ValueError(f"not of type !!{tag}")


def _number(text: str) -> Scalar:
    """An integer or a float, or the text itself if it is neither."""
    prefix, rest = text[:2], text[2:]
    if prefix == "0x":
        return int(rest, 16) if rest and not rest.strip(_HEXADECIMAL) else text
    if prefix == "0o":
        return int(rest, 8) if rest and not rest.strip(_OCTAL) else text
    if text.strip("0123456789+-.eE"):
        return text
    digits = text[1:] if text[0] in "+-" else text
    if digits and not digits.strip(_DECIMAL):
        return int(text)
    try:
        return float(text)
    except ValueError:
        return text


# ---------------------------------------------------------------------------- writing

_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# What may not stand in a plain scalar at all: white space at an end, a comment mark, a
# colon before a space or at the end, and anything that is no printable character.
_NOT_PLAIN = re.compile(
    r"""\A[\s,\[\]{}#&*!|>'"%@`]|\A[-?:](?:\s|\Z)|\A(?:---|\.\.\.)|:\s|:\Z|\s\#|\s\Z"""
    r"|[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_NOT_IN_FLOW = re.compile(r"[,\[\]{}]|\A[-?:]|:[,\[\]{}]")
# Strings under YAML 1.2 that a YAML 1.1 reader takes for something else.
_OLD_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null", "<<", "="))
_OLD_NUMBER = re.compile(
    r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+"
    r"|[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9_]+(?:[eE][-+]?[0-9]+)?"
    r"|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|\.(?:inf|Inf|INF))\Z"
    r"|\.(?:nan|NaN|NAN)\Z|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt\s].*)?\Z"
)
_ESCAPED = re.compile(
    r"[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


@lru_cache(maxsize=4096)
def write_string(text: str, *, flow: bool) -> str:
    """A string as a one-line YAML scalar, in double quotes only where it needs them.

    Args:
        text: The string.
        flow: It stands inside ``[...]`` or ``{...}``, where commas and brackets end it.
    """
    if _SIMPLE.match(text):
        return f'"{text}"' if text.lower() in _OLD_WORDS else text
    if (
        text in _WORDS
        or text in _OLD_WORDS
        or _NOT_PLAIN.search(text)
        or (flow and _NOT_IN_FLOW.search(text))
        or _OLD_NUMBER.match(text)
        or not isinstance(resolve_or_text(text), str)
    ):
        return _ESCAPED.sub(_escape, json.dumps(text, ensure_ascii=False))
    return text


def resolve_or_text(text: str) -> Scalar:
    """Like ``resolve``, for text that may be an integer too long to read."""
    try:
        return resolve(text)
    except ValueError:
        return None


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def write_number(value: bool | int | float | None) -> str:
    """A value that is no string, such that YAML 1.1 and 1.2 readers agree on it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if value != value:  # only NaN differs from itself
        return ".nan"
    if value in (_INF, -_INF):
        return ".inf" if value > 0 else "-.inf"
    mantissa, mark, exponent = repr(value).partition("e")
    if not mark:
        return mantissa
    if "." not in mantissa:
        mantissa += ".0"  # without the point YAML 1.1 sees a string
    return f"{mantissa}e{exponent[0]}{exponent[1:].lstrip('0')}"


def tidy_number(text: str) -> str | None:
    """A plain scalar that is no string, as its author wrote it but for spelling variants.

    Returns:
        ``None`` if the scalar is a string.
    """
    value = resolve(text)
    if isinstance(value, str):
        return None
    if text[:2] in ("0x", "0o"):
        return text
    if not isinstance(value, float):
        return write_number(value)
    if not text[-1].isdigit() and text[-1] != ".":  # .inf and .nan, but not 1e999
        return write_number(value)
    sign = "-" if text[0] == "-" else ""
    mantissa, mark, exponent = text.lstrip("+-").replace("E", "e").partition("e")
    whole, point, fraction = mantissa.partition(".")
    if point:
        mantissa = f"{whole or '0'}.{fraction or '0'}"
    return f"{sign}{mantissa}{mark}{exponent}"
