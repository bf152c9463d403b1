"""Plain scalars by the YAML 1.2 core schema.

PyYAML's own resolver follows YAML 1.1, which reads ``no`` as false, ``12:30:00`` as
45000 and ``1e-3`` as a string.  Source of the rules: YAML 1.2.2, section 10.3.2.
"""

from __future__ import annotations

from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | None

_INF = float("inf")
SMALLEST, LARGEST = -(2**63), 2**64 - 1
"""The range of integers: that of int64 and uint64 together."""
WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{sign + word: _INF for sign in ("", "+") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -_INF),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
"""Plain scalars other than strings and numbers."""
_OCTAL = "01234567"
_DECIMAL = "0123456789"
_HEXADECIMAL = "0123456789abcdefABCDEF"

CORE_TAGS = {
    f"tag:yaml.org,2002:{name}": name
    for name in ("str", "int", "float", "bool", "null", "map", "seq")
} | {"!": "str"}
"""The tags that a document may use, by their full name; ``!`` alone forces a string."""


def resolve(text: str) -> Scalar:
    """The value of a plain (unquoted) scalar.

    Args:
        text: The scalar without its surrounding space.

    Raises:
        ValueError: An integer of more than 64 bits, or a float beyond the range of float64.
    """
    if text in WORDS:
        return WORDS[text]
    value = _number(text) if text[0] in "0123456789+-." else text
    if not fits_64_bits(value):
        raise ValueError("a number too large")
    return value


def fits_64_bits(value: Scalar) -> bool:
    """Whether a value is not a number, or a number that 64 bits can represent."""
    if type(value) is int:
        return SMALLEST <= value <= LARGEST
    return type(value) is not float or -_INF < value < _INF


def resolve_tagged(tag: str, text: str, *, plain: bool) -> Scalar:
    """The value of a scalar under one of the core tags.

    Args:
        tag: A value of ``CORE_TAGS``, such as ``float``.
        text: The scalar's content.
        plain: Whether it was written without quotes.

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
    """The number that the text is, or the text itself if it is none."""
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


def resolve_or_text(text: str) -> Scalar:
    """Like ``resolve``, but the text itself for a number that is too large."""
    try:
        return resolve(text)
    except ValueError:
        return None
