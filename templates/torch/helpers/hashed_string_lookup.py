"""Strings into their numbers in a vocabulary, unknown ones by a hash."""

from collections.abc import Callable, Sequence

from .string_lookup import StringLookup


class HashedStringLookup(StringLookup):
    """A lookup that spreads unknown strings over several numbers."""

    def __init__(
        self,
        vocabulary: Sequence[str],
        hasher: Callable[[str], int],
        first: int = 0,
        unknown: int = 2,
        mask: dict[str, int] | None = None,
    ) -> None:
        super().__init__(vocabulary, first, unknown, mask)
        self.hasher = hasher

    def number(self, text: str) -> int:
        """The number of a string."""
        known = self.numbers.get(text)
        return self.first + self.hasher(text) % self.unknown if known is None else known
