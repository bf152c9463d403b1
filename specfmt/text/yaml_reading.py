"""Reading a spec as YAML: the parser's events become data, by YAML 1.2 rules.

One loop without recursion builds the data and checks the limits on depth and on what aliases
repeat, so that no document can exhaust time or memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from specfmt.text.events import event_source, offset_of
from specfmt.text.scalars import CORE_TAGS, resolve, resolve_tagged
from specfmt.text.source import ALIAS_BUDGET, LARGE_NUMBER, MAX_DEPTH, TOO_DEEP, Source, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from yaml.error import YAMLError
    from yaml.events import CollectionStartEvent, Event, NodeEvent, ScalarEvent

    from specfmt.diagnostics import Path

_SEVERAL = (
    "expected one document, received the start of a second one",
    "keep one spec per file; remove the `---` line or split the file",
)


def read_yaml(source: Source) -> Any:
    """The data of a YAML text.

    Raises:
        SpecError: It has mistakes.
    """
    return _YamlReader(source).read()


class _Mark:
    """A state of the reader in place of a value: no key yet, a key to skip, a merge."""


_NO_KEY, _SKIPPED, _MERGE = _Mark(), _Mark(), _Mark()
_UNSEEN = _Mark()


class _YamlReader:
    """Builds the data from the parser's events, without recursion.

    A frame on the stack is an enclosing collection with its pending key, the height of its
    deepest finished child, and the number of characters that aliases had repeated when it began.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.stack: list[tuple[Any, Any, int, int]] = []
        self.opened: list[CollectionStartEvent] = []
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
            from specfmt.text import syntax

            self._refuse_depth(error)
            brackets = [offset_of(e.start_mark) for e in self.opened if e.flow_style]
            self._fail(*syntax.explain(self.source.text, error, brackets[-1:]))
        if data is _UNSEEN:
            message = "expected a spec, received an empty document"
            self._fail("SF103", 0, 0, message, "`specfmt init` writes a spec to start from")
        if self.duplicates:
            self._report_duplicates()
        if self.source.found:
            self.source.raise_found()
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

        next_event: Callable[[], Any] = event_source(self.source.text)
        stack, opened, anchors = self.stack, self.opened, self.anchors
        cache: dict[str, Any] = {}
        root: Any = _UNSEEN
        container: Any = None
        key: Any = _NO_KEY
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
                if len(stack) == MAX_DEPTH:
                    self._fail("SF107", *_extent(event), *TOO_DEEP, self._path(container, key))
                if event.tag is not None or event.anchor is not None:
                    self._open_marked(event, container, key)
                stack.append((container, key, height, begun))
                opened.append(event)
                container = {} if kind is MappingStartEvent else []
                key, height, begun = _NO_KEY, 0, self.repeated
                continue
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                value = container
                node = opened.pop()
                if id(container) in self.merges:
                    self._merge(container)
                own, cost = height + 1, self.repeated - begun
                container, key, height, begun = stack.pop()
                if own > height:
                    height = own
                if node.anchor is not None:
                    cost += offset_of(event.end_mark) - offset_of(node.start_mark)
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
                if value is not None or self.source.text[slice(*_extent(event))]:
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

    # The methods below are not on the common path: they report, or handle tags and aliases.

    def _refuse_depth(self, error: YAMLError) -> None:
        """Report SF107 if the parser stopped at its own limit on depth, as it reads ahead.

        Not all releases of libyaml have such a limit.  It is larger than `MAX_DEPTH`, so the text
        before the error is already nested too deep.
        """
        if "nesting" in str(getattr(error, "problem", "")):
            before = self.source.text[: offset_of(getattr(error, "problem_mark", None))]
            _YamlReader(Source(before, self.source.file)).read()

    def _path(self, container: Any, key: Any) -> Path:
        frames = [*((frame[0], frame[1]) for frame in self.stack), (container, key)]
        parts = [len(c) if type(c) is list else k for c, k in frames if c is not None]
        parts = ["<<" if part is _MERGE else part for part in parts]
        return tuple(part for part in parts if isinstance(part, (str, int)))

    def _fail(
        self, code: str, start: int, end: int, message: str, hint: str, path: Path = ()
    ) -> NoReturn:
        if self.duplicates:
            self._report_duplicates(stop=start)
        self.source.fail(code, start, end, message, hint, path)

    def _report_duplicates(self, stop: int | None = None) -> None:
        from specfmt.text.positions import compose_yaml

        self.source.report_duplicates(compose_yaml(self.source.text, stop))

    def _report(self, code: str, event: NodeEvent, message: str, hint: str, path: Path) -> None:
        self.source.report(code, *_extent(event), message, hint, path)

    def _plain(self, event: ScalarEvent, container: Any, key: Any) -> Any:
        try:
            return resolve(event.value)
        except ValueError:
            self._report("SF110", event, *LARGE_NUMBER, self._path(container, key))
            return _SKIPPED

    def _tagged(self, event: ScalarEvent, container: Any, key: Any) -> Any:
        tag = CORE_TAGS.get(event.tag or "")
        if tag is None or tag in ("map", "seq"):
            self._bad_tag(event, "a scalar", container, key)
            return _SKIPPED
        try:
            return resolve_tagged(tag, event.value, plain=not event.style)
        except ValueError:
            message = f"expected a value of type !!{tag}, received {shown(event.value)}"
            hint = "remove the tag, or write a value of that type"
            self._report("SF108", event, message, hint, self._path(container, key))
            return _SKIPPED

    def _open_marked(self, event: CollectionStartEvent, container: Any, key: Any) -> None:
        """Begin a collection with a tag or an anchor."""
        from yaml.events import MappingStartEvent

        is_map = isinstance(event, MappingStartEvent)
        if event.tag is not None and CORE_TAGS.get(event.tag) != ("map" if is_map else "seq"):
            self._bad_tag(event, "a mapping" if is_map else "a list", container, key)
        if event.anchor is not None:
            self.anchors[event.anchor] = None  # still open: an alias to it would be a cycle

    def _bad_tag(
        self, event: ScalarEvent | CollectionStartEvent, what: str, container: Any, key: Any
    ) -> None:
        short = (event.tag or "").replace("tag:yaml.org,2002:", "!!")
        message = f"expected {what} without a tag, received the tag {shown(short)}"
        hint = "remove the tag: a spec holds plain data only"
        self._report("SF108", event, message, hint, self._path(container, key))

    def _not_a_key(self, event: NodeEvent, value: Any, container: Any) -> None:
        if isinstance(value, (dict, list)):
            received = "a mapping" if isinstance(value, dict) else "a list"
            hint = "quote the key, or check the brackets"
        else:
            start, end = _extent(event)
            written = self.source.text[start:end]
            received = f"{_named(value)} {written}".rstrip()
            hint = f'quote it: "{written}"' if written else "write a key before the colon"
        message = f"expected a string as key, received {received}"
        self._report("SF105", event, message, hint, self._path(container, _NO_KEY))

    def _follow(self, event: NodeEvent, container: Any, key: Any) -> tuple[Any, int]:
        """The value that an alias refers to, and its height."""
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
            self._fail("SF107", *_extent(event), *TOO_DEEP, path)
        return value, height

    def _merge(self, container: dict[str, Any]) -> None:
        """Add the entries of ``<<``, which never override those of the mapping itself."""
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
                    hint = "write `<<: *name` with the anchor of a mapping"
                    self._report("SF111", event, message + _named(source), hint, path)

    def _refuse_tag_directives(self) -> None:
        """Report %TAG: libyaml takes quadratic time for it, and no tag that it defines is
        allowed."""
        text = self.source.text
        at = 0 if text.startswith("%TAG") else text.find("\n%TAG") + 1
        if at or text.startswith("%TAG"):
            message = "expected a spec without tags, received a %TAG directive"
            self._fail("SF108", at, at + 4, message, "remove the line")


def _named(value: Any) -> str:
    """The kind of a value, with its article."""
    if value is None:
        return "nothing"
    names = {bool: "the boolean", int: "the integer", float: "the number", str: "the string"}
    return names.get(type(value), "a list")


def _extent(event: Event) -> tuple[int, int]:
    """The offsets of an event; for a block collection, those of its beginning."""
    return offset_of(event.start_mark), offset_of(event.end_mark)
