"""The most frequent values, for vocabularies."""

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any


def most_frequent(
    values: Iterable[Any], limit: int | None, special: Collection[Any]
) -> list[Any]:
    """The values besides the special ones, most frequent first, at most ``limit``.

    Equally frequent values stand in falling order, as in Keras.
    """
    counts = Counter(values)
    for value in special:
        del counts[value]
    ordered = sorted(counts, key=lambda value: (counts[value], value), reverse=True)
    return ordered[:limit]
