"""A text that is being read, its findings, and the limits on what is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from specfmt.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    from specfmt.diagnostics import Path
    from specfmt.text.positions import Node

MAX_SIZE = 256 * 1024 * 1024
"""The largest size of a document in bytes (or characters)."""
MAX_DEPTH = 100
"""The largest nesting depth of lists and mappings, with aliases followed."""
ALIAS_BUDGET = 1_000_000
"""The number of characters that aliases may repeat, in addition to ten times the document's length.

A value has at least two characters, so this limits the number of values that a reader visits.
"""

TOO_DEEP = (
    f"expected at most {MAX_DEPTH} lists and mappings inside each other, received more",
    "check for brackets that are never closed",
)
LARGE_NUMBER = (
    "expected an integer of at most 64 bits or a float below 1.8e308, received a larger number",
    "make it smaller, or quote it if it is text; an infinite one is `.inf` in YAML",
)


class Source:
    """A decoded text, its file name, and the findings so far.

    Attributes:
        text: The decoded source, without a byte order mark.
        file: The file name in diagnostics.
        found: Whether anything has been reported.
    """

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self._findings: list[tuple[int, int, Diagnostic]] = []

    @property
    def found(self) -> bool:
        return bool(self._findings)

    @property
    def reached(self) -> int:
        """The offset of the furthest finding."""
        return max((start for start, _, _ in self._findings), default=-1)

    def report(
        self,
        code: str,
        start: int,
        end: int,
        message: str,
        hint: str,
        path: Path = (),
        *,
        on_key: bool = False,
    ) -> None:
        """Add a finding about the text between two offsets."""
        finding = Diagnostic(code=code, message=message, hint=hint, path=path, on_key=on_key)
        self._findings.append((start, end, finding))

    def fail(
        self, code: str, start: int, end: int, message: str, hint: str, path: Path = ()
    ) -> NoReturn:
        """Add a finding and raise all findings."""
        self.report(code, start, end, message, hint, path)
        self.raise_found()

    def raise_found(self) -> NoReturn:
        """Raise all findings, in the order of the text."""
        from specfmt.text.positions import Lines

        lines = Lines(self.text)
        raise SpecError(
            finding.at(lines.span(start, end), self.file)
            for start, end, finding in sorted(self._findings, key=lambda entry: entry[0])
        )

    def report_duplicates(self, root: Node | None) -> None:
        """Add a finding for each key that its mapping already has."""
        from specfmt.text.positions import Lines, duplicate_keys

        lines = Lines(self.text)
        for path, first, again in duplicate_keys(root):
            line, column = lines.place(first.start)
            self.report(
                "SF104",
                again.start,
                again.end,
                f"expected each key once, received {shown(path[-1])} again "
                f"(first at {line}:{column})",
                "remove or rename one of the two",
                path,
                on_key=True,
            )


def shown(value: object, limit: int = 40) -> str:
    """A value for a message, at most ``limit`` characters long and printable."""
    text = str(value)
    return ascii(text if len(text) <= limit else text[: limit - 3] + "...")
