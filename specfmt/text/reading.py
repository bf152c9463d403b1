"""Reading the text of a spec as plain Python data with positions.

YAML is read by YAML 1.2 rules from the parser's events, JSON by the standard library, with the
same limits on depth, size and aliases and the same diagnostics.  Nothing in a document is
executed, and reading takes linear time for every input.
"""

from __future__ import annotations

import codecs
from functools import cached_property
from typing import TYPE_CHECKING, Any

from specfmt.diagnostics import Diagnostic, Span, SpecError
from specfmt.text.source import MAX_SIZE, Source

if TYPE_CHECKING:
    from specfmt.diagnostics import Path
    from specfmt.text.json_reading import NotJsonError
    from specfmt.text.positions import Positions


class Document:
    """A spec that has been read.

    Attributes:
        data: Dicts, lists, strings, numbers, booleans and ``None``.  Aliases share objects.
        file: The file name in diagnostics.
        text: The decoded source, without a byte order mark.
        is_json: Whether the source is JSON instead of YAML.
    """

    def __init__(self, data: Any, file: str, text: str, *, is_json: bool) -> None:
        self.data = data
        self.file = file
        self.text = text
        self.is_json = is_json

    @cached_property
    def _positions(self) -> Positions:
        from specfmt.text.positions import Positions

        return Positions(self.text, is_json=self.is_json)

    def span(self, path: Path, *, on_key: bool = False) -> Span | None:
        """The span of the value at ``path``, or of its key.

        For a path that does not exist, the span of the nearest ancestor's value.
        """
        return self._positions.span(path, on_key=on_key)

    def place(self, diagnostic: Diagnostic) -> Diagnostic:
        """The same finding with its file, line and column."""
        return diagnostic.at(self.span(diagnostic.path, on_key=diagnostic.on_key), self.file)


def read(text: str | bytes, file: str = "<string>") -> Document:
    """Read a spec in YAML or JSON, depending on its content.

    A text that begins with a bracket is read as JSON; if it is not valid JSON, as YAML.

    Args:
        text: The document; bytes may be UTF-8, or UTF-16 or UTF-32 with a byte order mark.
        file: The file name in diagnostics.

    Raises:
        SpecError: SF101 to SF111, with positions in the text.
    """
    source = Source(_decode(text, file), file)
    if source.text.lstrip(" \t\r\n")[:1] in ("{", "["):
        from specfmt.text.json_reading import NotJsonError, explain, read_json

        try:
            return Document(read_json(source), file, source.text, is_json=True)
        except NotJsonError as error:
            if file.endswith(".json"):
                source.fail(*explain(source.text, error))
            data = _read_flow(source, error)
    else:
        from specfmt.text.yaml_reading import read_yaml

        data = read_yaml(source)
    return Document(data, file, source.text, is_json=False)


def _read_flow(source: Source, error: NotJsonError) -> Any:
    """Read as YAML a text that is not JSON; if it is neither, report the parser that got
    further."""
    from specfmt.text.json_reading import explain
    from specfmt.text.yaml_reading import read_yaml

    attempt = Source(source.text, source.file)
    try:
        return read_yaml(attempt)
    except SpecError as failure:
        plain_error = all(finding.code == "SF102" for finding in failure.diagnostics)
        if plain_error and attempt.reached <= error.offset:
            source.fail(*explain(source.text, error))
        raise


# --------------------------------------------------------------------------- decoding

_MARKS = (  # UTF-32 first: its mark begins with UTF-16's
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BINARIES = (
    (b"\x89HDF", "an HDF5 file (.h5)", "read it with `specfmt import`"),
    (b"PK\x03\x04", "a zip archive (.keras)", "read it with `specfmt import`"),
)


def _decode(text: str | bytes, file: str) -> str:
    if len(text) > MAX_SIZE:
        size = f"{len(text) / 2**20:.0f} MiB"
        hint = "keep data and weights in separate files and name these in the spec"
        raise _unplaced("SF110", f"expected at most 256 MiB, received {size}", hint, file)
    if isinstance(text, bytes):
        text = _decode_bytes(text, file)
    text = text.removeprefix("\ufeff")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            message = f"expected text, received the lone surrogate U+{ord(text[error.start]):04X}"
            source = Source(text.encode(errors="replace").decode(), file)
            source.fail("SF101", error.start, error.start + 1, message, "remove this character")
    if (at := text.find("\0")) >= 0:
        message = "expected text, received a NUL character"
        hint = "save the file as UTF-8; UTF-16 is read if it begins with a byte order mark"
        Source(text, file).fail("SF101", at, at + 1, message, hint)
    return text


def _decode_bytes(data: bytes, file: str) -> str:
    for magic, what, hint in _BINARIES:
        if data.startswith(magic):
            raise _unplaced("SF101", f"expected a spec in text, received {what}", hint, file)
    encoding = "utf-8"
    for mark, name in _MARKS:
        if data.startswith(mark):
            data, encoding = data[len(mark) :], name
            break
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding)
        message = f"expected {encoding.upper()} text, received the byte 0x{data[error.start]:02X}"
        hint = "save the file as UTF-8"
        source = Source(before + "?", file)
        source.fail("SF101", len(before), len(before) + 1, message, hint)


def _unplaced(code: str, message: str, hint: str, file: str) -> SpecError:
    span = Span(1, 1, 1, 1)
    return SpecError([Diagnostic(code=code, message=message, hint=hint, span=span, file=file)])
