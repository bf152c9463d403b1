"""The rows of a table, with what is wrong said in a sentence."""

import csv
import sys
from pathlib import Path


def read_rows(
    path: Path, columns: list[str], delimiter: str = ","
) -> dict[str, dict[str, str]]:
    """The rows of a table with a header line, each under its place in the file."""
    if not path.is_file():
        sys.exit(f"there is no file {path}; --data FILE reads another")
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, delimiter=delimiter, restval="")
        header = reader.fieldnames or []
        for name in columns:
            if name not in header:
                sys.exit(
                    f"{path}: expected a column {name}, received {', '.join(header)}"
                )
        rows = {f"{path}, line {reader.line_num}": row for row in reader}
    if not rows:
        sys.exit(f"{path}: expected rows below the header, received none")
    return rows
