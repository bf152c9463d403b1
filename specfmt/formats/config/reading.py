"""Parsing of untrusted JSON within limits, and typed access whose errors have a JSON pointer."""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

from specfmt.diagnostics import Diagnostic, Path, SpecError
from specfmt.text.scalars import fits_64_bits

MAX_BYTES: Final = 512 * 2**20
"""The largest accepted architecture: a hundred thousand layers of 1 to 4 KB each.

The largest model of `keras.applications` has 1.5 MB.
"""

MAX_BRACKETS: Final = 8_000_000
"""The most objects and lists; Keras writes 5 to 40 of them per layer, and 4 per input of a call."""

DENSE_BRACKETS: Final = 500_000
"""This many are always accepted; Python needs up to a hundred bytes of memory per byte of them."""

BRACKET_BYTES: Final = 8
"""Beyond that, at most one per this many bytes of JSON; Keras writes one per 17 bytes or more."""

MAX_DEPTH: Final = 200
"""The deepest accepted nesting: that of the export of the most deeply nested spec."""

MAX_WORD: Final = 200
"""The longest name in a message, in characters; a name in a zip or HDF5 file may have 64 KB."""

Json = dict[str, Any]


def fail(code: str, message: str, path: Path = (), hint: str = "") -> NoReturn:
    """Raise a `SpecError` with one diagnostic."""
    raise SpecError([Diagnostic(code, message, path, hint)])


def parse_json(text: str | bytes) -> Any:
    """Parse JSON; a string that contains a JSON object is parsed too.

    Raises:
        SpecError: SF400 if it is not JSON, SF401 if it is too large or nested too deeply.
    """
    value: Any = text
    for _ in range(4):
        source = value
        value = _parse_once(value)
        if not isinstance(value, str):
            break
    check_bounds(value, check_text=_may_hold_surrogates(source))
    return value


def _may_hold_surrogates(text: str | bytes) -> bool:
    """Whether parsed JSON text may contain half a surrogate pair, which takes an escape."""
    if isinstance(text, bytes):
        return b"\\" in text and (b"\\ud" in text or b"\\uD" in text)
    return not text.isascii() or ("\\" in text and ("\\ud" in text or "\\uD" in text))


def size_problem(text: str | bytes) -> str:
    """Why the text of an architecture is too large to import; empty if it is not."""
    if len(text) > MAX_BYTES:
        return f"expected at most {MAX_BYTES // 2**20} MiB of JSON, received {len(text)} bytes"
    if isinstance(text, bytes):
        brackets = text.count(b"{") + text.count(b"[")
    else:
        brackets = text.count("{") + text.count("[")
    most = min(MAX_BRACKETS, max(DENSE_BRACKETS, len(text) // BRACKET_BYTES))
    if brackets > most:
        return f"expected at most {most:,} objects and lists, received {brackets:,}"
    return ""


def _parse_once(text: str | bytes) -> Any:
    if problem := size_problem(text):
        hint = "import only the architecture: `to_json()` or `config.json`, without weights"
        fail("SF401", problem, hint=hint)
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        return json.loads(text.removeprefix("\ufeff"), parse_int=_whole)
    except UnicodeDecodeError as error:
        fail(
            "SF400",
            f"expected UTF-8 text, received byte {error.start} that is not",
            (),
            _SAVE_AGAIN,
        )
    except json.JSONDecodeError as error:
        assert isinstance(text, str)
        _fail_syntax(text, error)
    except RecursionError:
        fail("SF401", "expected a Keras architecture, received JSON nested too deeply to read")
    except ValueError as error:  # integers of thousands of digits
        fail("SF400", f"expected JSON, received a number that cannot be read: {error}")


def _whole(digits: str) -> int | float:
    """An integer, or a float if it has more than 64 bits, which a spec does not allow."""
    value = int(digits)
    if not fits_64_bits(value):
        try:
            return float(value)
        except OverflowError as error:
            raise ValueError(str(error)) from None
    return value


_SAVE_AGAIN = "save the architecture again with `model.to_json()`"


def _fail_syntax(text: str, error: json.JSONDecodeError) -> NoReturn:
    line = text.splitlines()[error.lineno - 1] if text.strip() else ""
    where = f"line {error.lineno}, column {error.colno}"
    if line.startswith(("<<<<<<<", "=======", ">>>>>>>", "|||||||")):
        fail(
            "SF400",
            f"expected JSON, received a merge conflict marker at {where}",
            (),
            "resolve the conflict",
        )
    if not text.strip():
        fail("SF400", "expected JSON, received nothing", (), _SAVE_AGAIN)
    if error.pos >= len(text.rstrip()):
        fail(
            "SF400",
            f"expected JSON, received text that is truncated at {where}",
            (),
            "the file is truncated; " + _SAVE_AGAIN,
        )
    fail(
        "SF400",
        f"expected JSON, received invalid text at {where}: {error.msg}",
        (),
        _SAVE_AGAIN,
    )


def check_bounds(value: Any, *, check_text: bool = True) -> None:
    """Refuse values nested deeper than `MAX_DEPTH` and strings that are not valid Unicode.

    The check is not recursive, so deep nesting cannot overflow the stack; its time is linear.
    """
    level: list[Any] = [value] if type(value) in _CONTAINERS else []
    if check_text and type(value) is str:
        _check_text(value)
    for _ in range(MAX_DEPTH + 1):
        if check_text:
            for item in level:
                _check_texts(item)
        level = [
            inner
            for item in level
            for inner in (item.values() if type(item) is dict else item)
            if type(inner) in _CONTAINERS
        ]
        if not level:
            return
    fail(
        "SF401",
        f"expected at most {MAX_DEPTH} levels of nesting, received more",
        hint="a Keras architecture is not nested this deeply; the file is damaged",
    )


_CONTAINERS: Final = frozenset({dict, list, tuple})


def _check_texts(item: Any) -> None:
    """The keys of a mapping, and the strings in a mapping or list."""
    if type(item) is dict:
        for key in item:
            if not isinstance(key, str):
                fail("SF403", f"expected text as the keys of an object, received {show(key)}")
            _check_text(key)
    for inner in item.values() if type(item) is dict else item:
        if type(inner) is str:
            _check_text(inner)


def _check_text(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        fail("SF400", "expected Unicode text, received half a surrogate pair", (), _SAVE_AGAIN)


def show(value: object) -> str:
    """A received value for a message, shortened."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


_LONG: Final = re.compile(rf"\S{{{MAX_WORD + 1},}}")


def cut_words(text: str) -> str:
    """A text with words (names, paths) longer than `MAX_WORD` shortened."""
    half = MAX_WORD // 2
    return _LONG.sub(lambda word: f"{word[0][:half]}...{word[0][-half:]}", text)


def as_map(value: Any, path: Path, what: str) -> Json:
    """``value`` if it is an object; else raise SF403."""
    if not isinstance(value, dict):
        fail("SF403", f"expected {what} as an object, received {show(value)}", path)
    return value


def as_list(value: Any, path: Path, what: str) -> list[Any]:
    """``value`` if it is a list; else raise SF403."""
    if not isinstance(value, (list, tuple)):
        fail("SF403", f"expected {what} as a list, received {show(value)}", path)
    return list(value)


def as_text(value: Any, path: Path, what: str) -> str:
    """``value`` if it is a non-empty string; else raise SF403."""
    if not isinstance(value, str) or not value:
        fail("SF403", f"expected {what} as text, received {show(value)}", path)
    return value


def as_index(value: Any, path: Path, what: str) -> int:
    """``value`` as a non-negative integer (tf.js writes whole floats); else raise SF403."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        fail("SF403", f"expected {what} as an integer from 0, received {show(value)}", path)
    return value


def need(mapping: Json, key: str, path: Path, what: str) -> Any:
    """``mapping[key]``; raise SF404 if it is missing."""
    if key not in mapping:
        fail("SF404", f"{what} is missing the required key `{key}`", path)
    return mapping[key]
