"""From the text of a spec to plain Python data that knows its places.

YAML is read by YAML 1.2 rules from the parser's events, JSON by the standard library;
both under the same bounds on depth, size and aliases, and with the same diagnostics.
Nothing in a document is ever executed, and no input costs more than linear time.
"""

from __future__ import annotations

import codecs
import json
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from specfmt.spec.diagnostics import Diagnostic, SpecError
from specfmt.spec.scalars import CORE_TAGS, resolve, resolve_tagged

if TYPE_CHECKING:
    from yaml._yaml import Mark as CMark
    from yaml.error import Mark as PyMark
    from yaml.events import CollectionStartEvent, NodeEvent, ScalarEvent

    from specfmt.spec.diagnostics import Path, Span
    from specfmt.spec.positions import Positions

MAX_SIZE = 256 * 1024 * 1024
"""Bytes (or characters) of a document."""
MAX_DEPTH = 100
"""Lists and mappings inside each other, aliases followed."""
ALIAS_BUDGET = 1_000_000
"""Characters that aliases may repeat, besides ten times the document's own length.

A value takes two characters at least, so this bounds the values a reader must visit.
"""


class Document:
    """A spec as it was read.

    Attributes:
        data: Dicts, lists, strings, numbers, booleans and ``None``.  Aliases share objects.
        file: The name that diagnostics show.
        text: The decoded source, without a byte order mark.
        is_json: The source is JSON, not YAML.
    """

    def __init__(self, data: Any, file: str, text: str, *, is_json: bool) -> None:
        self.data = data
        self.file = file
        self.text = text
        self.is_json = is_json

    @cached_property
    def _positions(self) -> Positions:
        from specfmt.spec.positions import Positions

        return Positions(self.text, is_json=self.is_json)

    def span(self, path: Path, *, on_key: bool = False) -> Span | None:
        """Where the value at ``path`` stands, or its key.

        A path that does not exist gives the place of the nearest ancestor that does.
        """
        return self._positions.span(path, on_key=on_key)

    def place(self, diagnostic: Diagnostic) -> Diagnostic:
        """The same finding with its file, line and column."""
        return diagnostic.at(self.span(diagnostic.path, on_key=diagnostic.on_key), self.file)


def read(text: str | bytes, file: str = "<string>") -> Document:
    """Read a spec in YAML or JSON; which of the two is found from its content.

    Args:
        text: The document; bytes may be UTF-8, or UTF-16 or UTF-32 with a byte order mark.
        file: The name that diagnostics show.

    Raises:
        SpecError: SF101 to SF111, placed in the text.
    """
    source = _Source(_decode(text, file), file)
    opening = source.text.lstrip(" \t\r\n")[:1]
    if opening and opening in "{[":
        found = _read_json(source)
        if found is not None:
            return found
    return Document(_YamlReader(source).read(), file, source.text, is_json=False)


class _Source:
    """The text, and the findings so far."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.findings: list[tuple[int, Diagnostic]] = []

    def report(self, code: str, start: int, end: int, message: str, hint: str, path: Path) -> None:
        """Add a finding; offsets become lines and columns when it is raised."""
        finding = Diagnostic(code=code, message=message, hint=hint, path=path)
        self.findings.append((start, finding))
        self._ends[start] = end

    @cached_property
    def _ends(self) -> dict[int, int]:
        return {}

    def fail(self) -> NoReturn:
        """Raise all findings, in the order of the text."""
        from specfmt.spec.positions import Lines

        lines = Lines(self.text)
        raise SpecError(
            finding.at(lines.span(start, self._ends[start]), self.file)
            for start, finding in sorted(self.findings, key=lambda pair: pair[0])
        )

    def fail_with(
        self, code: str, start: int, end: int, message: str, hint: str = "", path: Path = ()
    ) -> NoReturn:
        """Add a last finding and raise all."""
        self.report(code, start, end, message, hint, path)
        self.fail()

    def report_duplicates(self, *, is_json: bool, stop: int | None = None) -> None:
        """Add a finding for each key that its mapping holds already."""
        from specfmt.spec.positions import Lines, compose_json, compose_yaml, duplicate_keys

        root = compose_json(self.text) if is_json else compose_yaml(self.text, stop)
        lines = Lines(self.text)
        for path, first, again in duplicate_keys(root):
            line, column = lines.place(first.start)
            self.report(
                "SF104",
                again.start,
                again.end,
                f"expected each key once, received {_shown(str(path[-1]))} again; "
                f"it stands already at {line}:{column}",
                "remove or rename one of the two",
                path,
            )


def _shown(value: object, limit: int = 40) -> str:
    """A value in a message, in bounded length and always printable."""
    text = value if isinstance(value, str) else str(value)
    return ascii(text if len(text) <= limit else text[: limit - 3] + "...")


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
    (b"\x80", "binary data", "give a spec in YAML or JSON"),
)


def _decode(text: str | bytes, file: str) -> str:
    if len(text) > MAX_SIZE:
        size = f"{len(text) / 2**20:.0f} MiB"
        hint = "keep data and weights in files of their own and name them in the spec"
        raise _unplaced("SF110", f"expected at most 256 MiB, received {size}", hint, file)
    if isinstance(text, bytes):
        text = _decode_bytes(text, file)
    text = text.removeprefix("\ufeff")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            message = f"expected text, received the lone surrogate U+{ord(text[error.start]):04X}"
            source = _Source(text, file)
            source.fail_with("SF101", error.start, error.end, message, "remove this character")
    if (at := text.find("\0")) >= 0:
        message = "expected text, received a NUL character"
        hint = "save the file as UTF-8; UTF-16 is read if it begins with a byte order mark"
        _Source(text, file).fail_with("SF101", at, at + 1, message, hint)
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
        _Source(before + "?", file).fail_with(
            "SF101", len(before), len(before) + 1, message, hint
        )


def _unplaced(code: str, message: str, hint: str, file: str) -> SpecError:
    from specfmt.spec.diagnostics import Span

    span = Span(1, 1, 1, 1)
    return SpecError([Diagnostic(code=code, message=message, hint=hint, span=span, file=file)])


# ------------------------------------------------------------------------------- JSON


def _read_json(source: _Source) -> Document | None:
    """The document as JSON; ``None`` if it is no JSON but YAML in flow style."""
    from specfmt.spec import json_checks as checks

    text = source.text
    duplicates = False
    constants: list[str] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal duplicates
        found = dict(pairs)
        if len(found) != len(pairs):
            duplicates = True
        return found

    try:
        data = json.loads(text, object_pairs_hook=collect, parse_constant=constants.append)
    except json.JSONDecodeError as error:
        return _as_yaml_flow(source, error)
    except RecursionError:
        if checks.too_deep_at(text, MAX_DEPTH) is None:
            raise  # the caller's own stack is nearly used up
        data = None
    except ValueError:
        start, end = checks.long_integer(text)
        source.fail_with("SF110", start, end, *_LONG_INTEGER)
    if not checks.shallow(data, text, MAX_DEPTH) or data is None:
        deep = checks.too_deep_at(text, MAX_DEPTH) or 0
        source.fail_with("SF107", deep, deep + 1, *_TOO_DEEP)
    for path, node in checks.non_finite(text) if constants else ():
        message = f"expected a JSON value, received {node.value}"
        hint = "JSON has no such number; in YAML it is .nan, .inf or -.inf"
        source.report("SF102", node.start, node.end, message, hint, path)
    for path, node in checks.lone_surrogates(text):
        message = "expected text, received half of a surrogate pair"
        hint = "write both halves, or the character itself"
        source.report("SF101", node.start, node.end, message, hint, path)
    if duplicates:
        source.report_duplicates(is_json=True)
    if source.findings:
        source.fail()
    return Document(data, source.file, text, is_json=True)


def _as_yaml_flow(source: _Source, error: json.JSONDecodeError) -> Document:
    """Read what is no JSON as YAML; where neither reads it, tell of what got further."""
    from specfmt.spec import syntax

    try:
        if source.file.endswith(".json"):
            raise SpecError([])
        data = _YamlReader(source).read()
    except SpecError as failure:
        reached = max((start for start, _ in source.findings), default=-1)
        if any(finding.code != "SF102" for finding in failure.diagnostics) or reached > error.pos:
            raise
    else:
        return Document(data, source.file, source.text, is_json=False)
    source.findings.clear()
    source.fail_with("SF102", *syntax.explain_json(source.text, error))


_TOO_DEEP = (
    f"expected at most {MAX_DEPTH} lists and mappings inside each other, received more",
    "check for brackets that are never closed",
)
_LONG_INTEGER = (
    "expected a number, received an integer of more than 4,300 digits",
    "shorten it, or quote it if it is text",
)


# ------------------------------------------------------------------------------- YAML


class _Mark:
    """A state of the reader that is no value: no key yet, a key to skip, a merge."""


_NO_KEY, _SKIPPED, _MERGE = _Mark(), _Mark(), _Mark()
_UNSEEN = _Mark()


class _YamlReader:
    """Builds the data from the parser's events, without recursion.

    A frame on the stack holds an enclosing collection: its key in waiting, the event that
    opened it, the height of its deepest finished child, and what aliases had repeated
    when it began.
    """

    def __init__(self, source: _Source) -> None:
        self.source = source
        self.stack: list[tuple[Any, Any, CollectionStartEvent | None, int, int]] = []
        self.anchors: dict[str, tuple[Any, int, int] | None] = {}  # value, height, cost
        self.merges: dict[int, list[tuple[Any, NodeEvent]]] = {}
        self.repeated = 0
        self.duplicates = False

    def read(self) -> Any:
        """The document's data.

        Raises:
            SpecError: It has mistakes.
        """
        from yaml.error import YAMLError

        self._refuse_tag_directives()
        try:
            data = self._build()
        except YAMLError as error:
            from specfmt.spec import syntax

            opening = next((e for *_, e, _, _ in reversed(self.stack) if e and e.flow_style), None)
            at = _offset(opening.start_mark) if opening else None
            self._fail(*syntax.explain_yaml(self.source.text, error, at))
        if data is _UNSEEN:
            message = "expected a spec, received an empty document"
            self._fail("SF103", 0, 0, message, "`specfmt init` writes a spec to start from")
        if self.duplicates:
            self.source.report_duplicates(is_json=False)
        if self.source.findings:
            self.source.fail()
        return data

    def _build(self) -> Any:
        from yaml.events import (
            AliasEvent,
            DocumentStartEvent,
            MappingEndEvent,
            MappingStartEvent,
            ScalarEvent,
            SequenceEndEvent,
            SequenceStartEvent,
        )

        from specfmt.spec.events import event_source

        next_event = event_source(self.source.text)
        stack, anchors = self.stack, self.anchors
        cache: dict[str, Any] = {}
        root: Any = _UNSEEN
        container: Any = None
        key: Any = _NO_KEY
        opened: CollectionStartEvent | None = None
        height = begun = 0
        node: NodeEvent
        while (event := next_event()) is not None:
            kind = type(event)
            if kind is ScalarEvent:
                node = event
                value: Any = event.value
                if event.tag is not None:
                    value = self._tagged(event, container, key)
                elif not event.style:
                    found = cache.get(value, _UNSEEN)
                    if found is _UNSEEN:
                        found = cache[value] = self._plain(event, container, key)
                    if value == "<<" and key is _NO_KEY and type(container) is dict:
                        found = _MERGE
                    value = found
                if event.anchor is not None:
                    anchors[event.anchor] = (value, 0, len(event.value))
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                stack.append((container, key, opened, height, begun))
                if len(stack) > MAX_DEPTH:
                    self._fail("SF107", *_extent(event), *_TOO_DEEP)
                if event.tag is not None or event.anchor is not None:
                    self._open_marked(event, container, key)
                container = {} if kind is MappingStartEvent else []
                key, opened, height, begun = _NO_KEY, event, 0, self.repeated
                continue
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                value = container
                node = opened
                if id(container) in self.merges:
                    self._merge(container)
                own, cost = height + 1, self.repeated - begun
                container, key, opened, height, begun = stack.pop()
                if own > height:
                    height = own
                if node.anchor is not None:
                    cost += _offset(event.end_mark) - _offset(node.start_mark)
                    anchors[node.anchor] = (value, own, cost)
            elif kind is AliasEvent:
                node = event
                value, own = self._follow(event, container, key)
                if own > height:
                    height = own
            elif kind is DocumentStartEvent and root is not _UNSEEN:
                self._fail("SF109", *_extent(event), *_SEVERAL)
            else:
                continue

            if type(container) is list:
                container.append(value)
            elif container is None:
                if kind is not ScalarEvent or value is not None or event.end_mark.index > (
                    event.start_mark.index
                ):
                    root = value
            elif key is _NO_KEY:
                key = value
                if type(value) is not str and value is not _MERGE:
                    if value is not _SKIPPED:
                        self._not_a_key(node, value, container)
                    key = _SKIPPED
            elif key is _MERGE:
                self.merges.setdefault(id(container), []).append((value, node))
                key = _NO_KEY
            else:
                if key in container:
                    self.duplicates = True
                elif key is not _SKIPPED:
                    container[key] = value
                key = _NO_KEY
        return root

    # What follows is off the common path: it reports, or serves tags and aliases.

    def _path(self, container: Any, key: Any) -> Path:
        frames = [*((frame[0], frame[1]) for frame in self.stack), (container, key)]
        parts = [len(c) if type(c) is list else k for c, k in frames if c is not None]
        parts = ["<<" if part is _MERGE else part for part in parts]
        return tuple(part for part in parts if isinstance(part, (str, int)))

    def _fail(
        self, code: str, start: int, end: int, message: str, hint: str, path: Path = ()
    ) -> NoReturn:
        if self.duplicates:
            self.source.report_duplicates(is_json=False, stop=start)
        self.source.fail_with(code, start, end, message, hint, path)

    def _report(self, code: str, event: NodeEvent, message: str, hint: str, path: Path) -> None:
        self.source.report(code, *_extent(event), message, hint, path)

    def _plain(self, event: ScalarEvent, container: Any, key: Any) -> Any:
        try:
            return resolve(event.value)
        except ValueError:
            self._report("SF110", event, *_LONG_INTEGER, self._path(container, key))
            return _SKIPPED

    def _tagged(self, event: ScalarEvent, container: Any, key: Any) -> Any:
        tag = CORE_TAGS.get(event.tag or "")
        if tag is None or tag in ("map", "seq"):
            self._bad_tag(event, "a scalar", container, key)
            return _SKIPPED
        try:
            return resolve_tagged(tag, event.value, plain=not event.style)
        except ValueError:
            message = f"expected a value of type !!{tag}, received {_shown(event.value)}"
            hint = "remove the tag, or write a value of that type"
            self._report("SF108", event, message, hint, self._path(container, key))
            return _SKIPPED

    def _open_marked(self, event: CollectionStartEvent, container: Any, key: Any) -> None:
        """A collection with a tag or an anchor begins."""
        from yaml.events import MappingStartEvent

        is_map = isinstance(event, MappingStartEvent)
        if event.tag is not None and CORE_TAGS.get(event.tag) != ("map" if is_map else "seq"):
            self._bad_tag(event, "a mapping" if is_map else "a list", container, key)
        if event.anchor is not None:
            self.anchors[event.anchor] = None  # open: an alias to it now would be a cycle

    def _bad_tag(
        self, event: ScalarEvent | CollectionStartEvent, what: str, container: Any, key: Any
    ) -> None:
        short = (event.tag or "").replace("tag:yaml.org,2002:", "!!")
        message = f"expected {what} without a tag, received the tag {_shown(short)}"
        hint = "remove the tag: a spec holds plain data only"
        self._report("SF108", event, message, hint, self._path(container, key))

    def _not_a_key(self, event: NodeEvent, value: Any, container: Any) -> None:
        if isinstance(value, (dict, list)):
            received = "a mapping" if isinstance(value, dict) else "a list"
            hint = "quote the key, or check the brackets"
        else:
            kind = "the empty key" if value is None else f"the {type(value).__name__}"
            start, end = _extent(event)
            written = self.source.text[start:end]
            received = f"{kind} {written}".rstrip()
            hint = f'quote it: "{written}"' if written else "write a key before the colon"
        message = f"expected a string as key, received {received}"
        self._report("SF105", event, message, hint, self._path(container, _NO_KEY))

    def _follow(self, event: NodeEvent, container: Any, key: Any) -> tuple[Any, int]:
        """What an alias refers to, and its height."""
        name = event.anchor or ""
        path = self._path(container, key)
        if name not in self.anchors:
            message = f"expected an anchor &{name} before this alias, received none"
            known = ", ".join(f"*{known}" for known in sorted(self.anchors)[:5])
            hint = f"known here: {known}" if known else f"write &{name} before the value it names"
            self._report("SF111", event, message, hint, path)
            return _SKIPPED, 0
        target = self.anchors[name]
        if target is None:
            message = f"expected a value that ends, received *{name} inside the value it names"
            self._report("SF106", event, message, "move the anchor or remove the alias", path)
            return _SKIPPED, 0
        value, height, cost = target
        self.repeated += cost
        if self.repeated > ALIAS_BUDGET + 10 * len(self.source.text):
            message = "expected aliases that repeat little, received a document that grows without"
            hint = "write the values out, or nest fewer aliases in anchors"
            self._fail("SF106", *_extent(event), message + " bound", hint, path)
        if len(self.stack) + height > MAX_DEPTH:
            self._fail("SF107", *_extent(event), *_TOO_DEEP, path)
        return value, height

    def _merge(self, container: dict[str, Any]) -> None:
        """Fill in the entries of ``<<``, which never override a mapping's own."""
        entries = self.merges.pop(id(container))
        path = (*self._path(None, None), "<<")
        if len(entries) > 1:
            self.duplicates = True
        for value, event in entries:
            sources = value if isinstance(value, list) else [value]
            for source in sources:
                if isinstance(source, dict):
                    for name, item in source.items():
                        container.setdefault(name, item)
                elif source is not _SKIPPED:
                    message = "expected a mapping or a list of mappings to merge, received "
                    kind = "nothing" if source is None else f"a {type(source).__name__}"
                    hint = "write `<<: *name` with the anchor of a mapping"
                    self._report("SF111", event, message + kind, hint, path)

    def _refuse_tag_directives(self) -> None:
        """Their handling in libyaml is quadratic, and no tag they could define is allowed."""
        text = self.source.text
        at = 0 if text.startswith("%TAG") else text.find("\n%TAG") + 1
        if at or text.startswith("%TAG"):
            message = "expected a spec without tags, received a %TAG directive"
            self._fail("SF108", at, at + 4, message, "remove the line")


_SEVERAL = (
    "expected one document, received the start of a second one",
    "keep one spec in a file; remove the `---` line or split the file",
)


def _offset(mark: CMark | PyMark | None) -> int:
    return mark.index if mark is not None else 0


def _extent(event: Any) -> tuple[int, int]:
    """The offsets of an event; a block collection shows its first character."""
    return _offset(event.start_mark), _offset(event.end_mark)
