"""Messages for libyaml's syntax errors that name the mistake and the remedy.

Imported only when a YAML text has a syntax error.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

from yaml.error import MarkedYAMLError, YAMLError

from specfmt.text.events import offset_of

Finding: TypeAlias = tuple[str, int, int, str, str]
"""Code, start, end, message, hint."""

_CONFLICT = re.compile(r"^(?:<<<<<<<|>>>>>>>|=======)(?= |$)", re.MULTILINE)
_UNREADABLE = re.compile(
    r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_NO_SPACE = re.compile(r"[ -]*[\w.]+(:)([^\s:/][^\r\n]{0,20})")


def explain(text: str, error: YAMLError, brackets: Sequence[int]) -> Finding:
    """A syntax error as a finding.

    Args:
        text: The source.
        error: The parser's error.
        brackets: The offset of the innermost open bracket, if there is one.
    """
    if not isinstance(error, MarkedYAMLError):
        return _unreadable(text, error)
    problem, context = error.problem or "", error.context or ""
    offset = min(offset_of(error.problem_mark), len(text))
    opened = min(offset_of(error.context_mark), len(text)) if error.context_mark else offset
    if (conflict := _CONFLICT.search(text)) is not None:
        message = "expected a spec, received a merge conflict marker"
        return "SF102", *conflict.span(), message, "resolve the conflict and remove its markers"
    if (tab := _leading_tab(text, offset)) is not None:
        message = "expected spaces as indentation, received a tab"
        return "SF102", tab, tab + 1, message, "indent with two spaces"
    if "quoted scalar" in context and "end of stream" in problem:
        message = "expected a closing quote, received the end of the file"
        return "SF102", opened, opened + 1, message, "close the quote that opens here"
    if brackets and not text[offset:].strip():
        at = brackets[0]
        message = f"expected a bracket that closes {text[at]!r}, received the file's end"
        return "SF102", at, at + 1, message, "close this bracket"
    return _worded(text, problem, context, offset, opened, brackets)


def _worded(
    text: str, problem: str, context: str, offset: int, opened: int, brackets: Sequence[int]
) -> Finding:
    at, received = offset, _received(text, offset)
    hint = "check the indentation and the brackets around this place"
    if "mapping values are not allowed" in problem:
        return _second_colon(text, offset)
    if brackets:
        line = text.count("\n", 0, brackets[0]) + 1
        expected = "a value, a comma or a closing bracket"
        hint = f"the bracket {text[brackets[0]]!r} of line {line} is open here: close it"
    elif "could not find expected ':'" in problem:
        finding = _missing_space(text, text.rfind("\n", 0, opened) + 1)
        if finding is not None:
            return finding
        at, received = opened, _received(text, opened)
        expected = "`key: value`"
        hint = "write a colon and a space after the key, or indent the line as part of its text"
    elif "cannot start any token" in problem:
        expected = "a value"
        hint = f"a value that begins with {text[offset : offset + 1]!r} needs quotes"
    elif "document start" in problem:
        expected, hint = "the end of the document", "check brackets and quotes before this place"
    elif "expected key" in problem and text[text.rfind("\n", 0, offset) + 1 : offset].strip():
        expected, hint = "the end of the line", "quote the whole value, or remove this part"
    elif "expected key" in problem:
        expected, hint = "a key in the column of the keys before it", "correct the indentation"
    elif "expected '-' indicator" in problem:
        expected, hint = "another `- ` entry or the end of the list", "correct the indentation"
    elif "alphabetic or numeric" in problem:
        expected, hint = "a name after & or *", "quote the value if it is text"
    elif "escape" in problem:
        expected, hint = "a known escape after the backslash", "double the backslash"
    else:
        expected = f"valid YAML ({problem}{' ' + context if context else ''})"
    return "SF102", at, at + 1, f"expected {expected}, received {received}", hint


def _second_colon(text: str, offset: int) -> Finding:
    line_start = text.rfind("\n", 0, offset) + 1
    finding = _missing_space(text, text.rfind("\n", 0, max(line_start - 1, 0)) + 1)
    if line_start and finding is not None:
        return finding
    message = "expected one `key: value` on this line, received a second colon"
    hint = "quote the value if the colon is part of it"
    if ":" not in text[line_start:offset]:
        message = "expected the line to continue the value above, received a key"
        hint = "align this key with the keys before it"
    return "SF102", offset, offset + 1, message, hint


def _missing_space(text: str, line_start: int) -> Finding | None:
    """The finding about a line such as ``units:3``, which YAML reads as text."""
    match = _NO_SPACE.match(text, line_start)
    if match is None:
        return None
    colon = match.start(1)
    message = f"expected a space after the colon, received {match[2]!a}"
    return "SF102", colon, colon + 1, message, "write `key: value`"


def _leading_tab(text: str, offset: int) -> int | None:
    """The offset of a tab in the indentation of the line at ``offset``."""
    start = text.rfind("\n", 0, offset) + 1
    for at in range(start, len(text)):
        if text[at] == "\t":
            return at
        if text[at] != " ":
            return None
    return None


def _received(text: str, offset: int) -> str:
    rest = text[offset : offset + 24].split("\n")[0].strip()
    if rest:
        return ascii(rest)
    return "the end of the line" if offset < len(text) else "the end of the file"


def _unreadable(text: str, error: YAMLError) -> Finding:
    match = _UNREADABLE.search(text)
    if match is None:
        return "SF102", 0, 0, f"expected valid YAML, received: {error}", "check the file"
    message = f"expected text, received the control character U+{ord(match[0]):04X}"
    hint = "remove it, or write it as an escape in double quotes"
    return "SF101", match.start(), match.end(), message, hint
