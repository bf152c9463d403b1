"""Names of classes where their numbers are expected."""

import sys
from pathlib import Path


def refuse_names(path: Path, rows: dict[str, dict[str, str]], column: str) -> None:
    """Says which names of classes a column holds, if it does not hold numbers."""
    words = sorted({row[column] for row in rows.values()} - {""})
    if words and all(any(map(str.isalpha, word)) for word in words):
        shown = ", ".join(words[:20])
        sys.exit(
            f"{path}, column {column}: expected class numbers, received the names {shown}; "
            f"list them in the spec, under train.data: classes: [{shown}]"
        )
