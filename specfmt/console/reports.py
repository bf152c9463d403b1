"""Diagnostics as text, JSON, GitHub annotations or SARIF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from specfmt.diagnostics import Diagnostic
from specfmt.version import __version__

Checked = tuple[bytes, Sequence[Diagnostic]]
"""The content of a file, and its diagnostics."""


def report(checked: Sequence[Checked], form: str, *, width: int | None = None) -> tuple[str, int]:
    """The output of ``specfmt validate`` and its exit code: 1 if a spec has errors.

    Args:
        checked: The files.
        form: ``text``, ``json``, ``github`` or ``sarif``.
        width: The width of the terminal in columns, for text in colour and with source lines; None
            if the output is not a terminal.
    """
    found = [diagnostic for _, here in checked for diagnostic in here]
    failed = any(diagnostic.severity == "error" for diagnostic in found)
    if form != "text":
        return render(found, form), int(failed)
    lines: list[str] = []
    for content, here in checked:
        lines += map(str, here) if width is None else _coloured(here, content, width)
    return _text(lines, found, len(checked)), int(failed)


def _coloured(found: Iterable[Diagnostic], content: bytes, width: int) -> Iterator[str]:
    from specfmt.console.terminal import shown

    text = content.decode("utf-8-sig", errors="replace")
    return (shown(diagnostic, text, width) for diagnostic in found)


def render(found: Sequence[Diagnostic], form: str) -> str:
    """Diagnostics in a machine-readable format: ``json``, ``github`` or ``sarif``."""
    if form == "github":
        return "\n".join(_github(diagnostic) for diagnostic in found)
    import json

    if form == "json":
        return json.dumps([diagnostic.to_dict() for diagnostic in found], indent=2)
    return json.dumps(_sarif(found), indent=2)


def _text(lines: list[str], found: Sequence[Diagnostic], files: int) -> str:
    errors = sum(d.severity == "error" for d in found)
    warnings = len(found) - errors
    if not found:
        return "ok" if files == 1 else f"ok: {files} files"
    counts = [_count(errors, "error")] * bool(errors) + [_count(warnings, "warning")] * bool(
        warnings
    )
    return "\n".join([*lines, ", ".join(counts)])


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _github(d: Diagnostic) -> str:
    place = f"file={_property(d.file)}"
    if d.span:
        place += f",line={d.span.line},col={d.span.column},endLine={d.span.end_line},endColumn={d.span.end_column}"
    message = f"{d.message}\nhelp: {d.hint}" if d.hint else d.message
    escaped = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{d.severity} {place},title={d.code}::{escaped}"


def _property(text: str) -> str:
    for character, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C")):
        text = text.replace(character, code)
    return text


def _sarif(found: Sequence[Diagnostic]) -> dict[str, Any]:
    """SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0)."""
    rules = sorted({d.code for d in found})
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "specfmt",
                        "version": __version__,
                        "rules": [{"id": code} for code in rules],
                    }
                },
                "results": [_result(d) for d in found],
            }
        ],
    }


def _result(d: Diagnostic) -> dict[str, Any]:
    location: dict[str, Any] = {"artifactLocation": {"uri": d.file}}
    if d.span:
        location["region"] = {
            "startLine": d.span.line,
            "startColumn": d.span.column,
            "endLine": d.span.end_line,
            "endColumn": d.span.end_column,
        }
    text = f"{d.message} ({d.hint})" if d.hint else d.message
    return {
        "ruleId": d.code,
        "level": d.severity,
        "message": {"text": text},
        "locations": [{"physicalLocation": location}],
    }
