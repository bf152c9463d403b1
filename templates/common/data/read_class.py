"""A class's name in a table."""

import sys

CLASSES: list[str] = []


def read_class(place: str, row: dict[str, str], column: str) -> int:
    """The number of the class that a cell names."""
    if row[column] not in CLASSES:
        shown = ", ".join(CLASSES)
        sys.exit(
            f"{place}, column {column}: expected one of {shown}, received {row[column]!r}"
        )
    return CLASSES.index(row[column])
