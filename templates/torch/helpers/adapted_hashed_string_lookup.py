"""Strings into numbers of a computed vocabulary, unknown ones by a hash."""

from collections.abc import Callable, Collection

from .adapted_string_lookup import AdaptedStringLookup


class AdaptedHashedStringLookup(AdaptedStringLookup):
    """An adapted lookup that spreads unknown strings over several numbers."""

    def __init__(
        self,
        hasher: Callable[[str], int],
        limit: int | None = None,
        first: int = 0,
        unknown: int = 2,
        mask: dict[str, int] | None = None,
        special: Collection[str] = ("[UNK]",),
    ) -> None:
        super().__init__(limit, first, unknown, mask, special)
        self.hasher = hasher

    def number(self, text: str) -> int:
        """The number of a string."""
        known = self.numbers.get(text)
        return self.first + self.hasher(text) % self.unknown if known is None else known
