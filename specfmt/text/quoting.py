"""Scalars as YAML text that YAML 1.1 and YAML 1.2 parsers read alike."""

from __future__ import annotations

import json
import math
import re
from functools import lru_cache

from specfmt.text.scalars import WORDS, resolve, resolve_or_text

_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# What a plain scalar may not contain: white space at an end, a comment mark, a colon before a
# space or at the end, and characters that are not printable.
_NOT_PLAIN = re.compile(
    r"""\A[\s,\[\]{}#&*!|>'"%@`]|\A[-?:](?:\s|\Z)|\A(?:---|\.\.\.)|:\s|:\Z|\s\#|\s\Z"""
    r"|[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_NOT_IN_FLOW = re.compile(r"[,\[\]{}]|\A[-?:]|:[,?\[\]{}]")
# Strings of YAML 1.2 that YAML 1.1 parsers read as another type.
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
    """A string as a one-line YAML scalar, in double quotes only where they are needed.

    Args:
        text: The string.
        flow: Whether it is inside ``[...]`` or ``{...}``, where commas and brackets end it.
    """
    if _SIMPLE.match(text):
        return f'"{text}"' if text.lower() in _OLD_WORDS else text
    if (
        text in WORDS
        or text in _OLD_WORDS
        or _NOT_PLAIN.search(text)
        or (flow and _NOT_IN_FLOW.search(text))
        or _OLD_NUMBER.match(text)
        or not isinstance(resolve_or_text(text), str)
    ):
        return _ESCAPED.sub(_escape, json.dumps(text, ensure_ascii=False))
    return text


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xD800 <= code < 0xE000:
        return match[0]  # half of a surrogate pair, for which YAML has no escape
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def write_number(value: bool | int | float | None) -> str:
    """A value other than a string as text that YAML 1.1 and 1.2 parsers read alike."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    mantissa, mark, exponent = repr(value).partition("e")
    if not mark:
        return mantissa
    if "." not in mantissa:
        mantissa += ".0"  # without the point YAML 1.1 sees a string
    return f"{mantissa}e{_short_exponent(exponent)}"


def tidy_number(text: str) -> str | None:
    """A plain scalar other than a string, as its author wrote it except for spelling variants.

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
    return f"{sign}{mantissa}{mark}{_short_exponent(exponent)}"


def _short_exponent(exponent: str) -> str:
    """``-07`` as ``-7``; the sign stays, as YAML 1.1 requires it."""
    sign = exponent[:1] if exponent[:1] in ("+", "-") else ""
    return sign + (exponent[len(sign) :].lstrip("0") or exponent[-1:])
