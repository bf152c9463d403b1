"""YAML events from libyaml's parser, or from PyYAML's own where libyaml is missing.

PyYAML is imported only when a YAML text is read, so that JSON specs load faster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yaml._yaml import Mark as CMark
    from yaml.error import Mark as PyMark
    from yaml.events import Event

# YAML 1.1 parsers end a line at these; in YAML 1.2 they are ordinary characters.
_OLD_BREAKS = "\x85\u2028\u2029"
_PRIVATE_USE = range(0xF0000, 0xFFFFE)


def event_source(text: str) -> Callable[[], Event | None]:
    """A function that returns the next event of ``text`` at each call, ``None`` at the end.

    The marks of the events count characters of ``text``.

    Raises:
        yaml.YAMLError: By this call or a later one, at a syntax error.
    """
    if any(character in text for character in _OLD_BREAKS):
        return _shielded(text)
    return _parser(text)


def _parser(text: str) -> Callable[[], Event | None]:
    try:
        from yaml._yaml import CParser
    except ImportError:
        from yaml import SafeLoader

        return SafeLoader(text).get_event
    return CParser(text).get_event


def _shielded(text: str) -> Callable[[], Event | None]:
    """Events of a text, in which YAML 1.1 line breaks are replaced by unused characters
    meanwhile."""
    from yaml.events import ScalarEvent

    used = set(text)
    free = (chr(code) for code in _PRIVATE_USE if chr(code) not in used)
    hide = {ord(character): next(free, character) for character in _OLD_BREAKS}
    show = {ord(stand_in): chr(code) for code, stand_in in hide.items()}
    get_event = _parser(text.translate(hide))

    def next_event() -> Event | None:
        event = get_event()
        if isinstance(event, ScalarEvent):
            event.value = event.value.translate(show)
        return event

    return next_event


def offset_of(mark: CMark | PyMark | None) -> int:
    """The offset of a parser's mark."""
    return mark.index if mark is not None else 0
