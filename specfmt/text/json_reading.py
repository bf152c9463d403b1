"""Reading a spec as JSON, with the standard library's parser and without PyYAML."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from specfmt.text.scalars import fits_64_bits
from specfmt.text.source import LARGE_NUMBER, MAX_DEPTH, TOO_DEEP, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_NUMBER = re.compile(r'"(?:[^"\\]|\\.)*"|(-?[0-9][0-9.eE+-]*)', re.DOTALL)
_LONG_NUMBER = re.compile(r"[0-9]{19}|[0-9.][eE]\+?[0-9]{3}")
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_CONSTANTS = ("NaN", "Infinity", "-Infinity")


class NotJsonError(Exception):
    """The text is not JSON.

    Attributes:
        problem: The parser's message.
        offset: Where the parser stopped.
    """

    def __init__(self, problem: str, offset: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.offset = offset


def read_json(source: Source) -> Any:
    """The data of a JSON text.

    Raises:
        NotJsonError: It is not JSON.
        SpecError: It is JSON with mistakes that a spec may not have.
    """
    text = source.text
    duplicates = False
    constants: list[str] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal duplicates
        found = dict(pairs)
        if len(found) != len(pairs):
            duplicates = True
        return found

    data: Any = None
    try:
        data = json.loads(text, object_pairs_hook=collect, parse_constant=constants.append)
        deep = _too_deep_at(text) if _is_deep(data, text) else None
    except json.JSONDecodeError as error:
        raise NotJsonError(error.msg, error.pos) from None
    except RecursionError:
        deep = _too_deep_at(text)
        if deep is None:
            raise  # the caller's stack is nearly exhausted
    except ValueError:  # an integer beyond Python's limit on digits
        deep = None
    if deep is not None:
        source.fail("SF107", deep, deep + 1, *TOO_DEEP)
    if _LONG_NUMBER.search(text):
        _report_large_numbers(source)
    if constants:
        _report_constants(source)
    if _SURROGATE_ESCAPE.search(text):
        _report_lone_surrogates(source)
    if duplicates:
        from specfmt.text.positions import compose_json

        source.report_duplicates(compose_json(text))
    if source.found:
        source.raise_found()
    return data


def explain(text: str, error: NotJsonError) -> tuple[str, int, int, str, str]:
    """A syntax error: code, start, end, message, hint."""
    offset = min(error.offset, len(text))
    if error.problem.startswith("Unterminated string"):
        message = "expected a string that ends, received an opening quote without a closing one"
        return "SF102", offset, offset + 1, message, "close the string on the same line"
    if error.problem.startswith("Invalid control") and text[offset] in "\r\n":
        message = "expected a closing quote, received the end of the line"
        return "SF102", offset, offset + 1, message, "close the string on the same line"
    if not text[offset:].strip():
        opening = _last_open(text[:offset])
        if opening is not None:
            message = f"expected a bracket that closes {text[opening]!r}, received the file's end"
            return "SF102", opening, opening + 1, message, "close this bracket"
    before = text[:offset].rstrip()
    if before.endswith(",") and text[offset:].lstrip()[:1] in ("]", "}"):
        message = "expected a value after the comma, received a closing bracket"
        return "SF102", len(before) - 1, len(before), message, "remove the comma"
    wording = {
        "Extra data": "the end of the file",
        "Expecting value": "a value",
        "Expecting property name enclosed in double quotes": "a key in double quotes",
        "Expecting ',' delimiter": "a comma or a closing bracket",
        "Expecting ':' delimiter": "a colon after the key",
    }
    expected = wording.get(error.problem, f"valid JSON ({error.problem.lower()})")
    received = ascii(text[offset : offset + 20].split("\n")[0].strip() or text[offset : offset + 1])
    message = f"expected {expected}, received {received}"
    return "SF102", offset, offset + 1, message, "check quotes, commas and brackets here"


def _is_deep(data: Any, text: str) -> bool:
    """Whether collections are nested deeper than ``MAX_DEPTH``."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    level = [data] if isinstance(data, (dict, list)) else []
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if type(parent) is dict else parent)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return False
    return True


def _brackets(text: str) -> Iterator[tuple[int, list[int]]]:
    """Each bracket's offset and the offsets of those open after it."""
    opened: list[int] = []
    for match in _BRACKET.finditer(text):
        if match[0] in ("[", "{"):
            opened.append(match.start())
        elif match[0] in ("]", "}"):
            if opened:
                opened.pop()
        else:
            continue
        yield match.start(), opened


def _too_deep_at(text: str) -> int | None:
    """The offset of the first bracket that is nested too deep."""
    return next((at for at, opened in _brackets(text) if len(opened) > MAX_DEPTH), None)


def _last_open(text: str) -> int | None:
    """The offset of the innermost bracket that is still open at the end."""
    opened = next(reversed([opened for _, opened in _brackets(text)]), [])
    return opened[-1] if opened else None


def _report_large_numbers(source: Source) -> None:
    for match in _NUMBER.finditer(source.text):
        if match[1] and _LONG_NUMBER.search(match[1]):
            try:
                large = not fits_64_bits(json.loads(match[1]))
            except ValueError:
                large = True
            if large:
                source.fail("SF110", *match.span(), *LARGE_NUMBER)


def _report_constants(source: Source) -> None:
    from specfmt.text.positions import compose_json, scalars

    for path, node in scalars(compose_json(source.text)):
        if node.value in _CONSTANTS and not node.style:
            message = f"expected a JSON value, received {node.value}"
            hint = "JSON has no such number; in YAML it is .nan, .inf or -.inf"
            source.report("SF102", node.start, node.end, message, hint, path)


def _report_lone_surrogates(source: Source) -> None:
    from specfmt.text.positions import compose_json, scalars

    for path, node in scalars(compose_json(source.text)):
        try:
            node.value.encode()
        except UnicodeEncodeError:
            message = "expected text, received half of a surrogate pair"
            hint = "write both halves, or the character itself"
            source.report("SF101", node.start, node.end, message, hint, path)
