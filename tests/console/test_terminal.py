"""Findings and tables on a terminal: colours, source lines with carets, 80 columns."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from specfmt.api import check
from specfmt.console.terminal import shown, table

HEAD = "specfmt: 1\ninputs: {x: {shape: [28, 28, 3]}}\nlayers:\n"


def plain(text: str) -> list[str]:
    return re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()


@pytest.mark.parametrize(
    ("entry", "meant"),
    [
        ("  - {type: Desne, units: 3}", "Desne"),
        ("  - {type: Dense, unots: 3}", "unots"),
        ("  - {type: Dense, name: 図図, units: 3, activation: rellu}", "rellu"),
        ("  - {type: Conv2D, filters: 8, " + "kernel_initializer: zeros, " * 1
         + "bias_initializer: zeros, kernel_size: 3, strides: 1, padding: smae}", "smae"),
    ],
)  # fmt: skip
def test_carets_stand_below_what_is_meant(entry: str, meant: str) -> None:
    text = HEAD + entry + "\n"
    finding = check(text)[0]
    lines = plain(shown(finding, text, 80))
    source, carets = lines[1], lines[2]
    assert len(source) <= 80
    wide = sum(2 if ord(c) > 0x2E80 else 1 for c in source[: source.index(meant)])
    assert carets.index("^") == wide
    assert carets.count("^") == len(meant)


def test_nothing_of_a_source_line_reaches_the_terminal_as_a_control() -> None:
    text = HEAD + '  - {type: Desne, name: "a\u202eb"}\n'
    finding = check(text)[0]
    assert all(line.isprintable() for line in plain(shown(finding, text, 80)))


@pytest.mark.parametrize("width", [40, 80, 200])
def test_tables_fit_and_lose_nothing(width: int) -> None:
    name = "block_17_" + "expansion_" * 6 + "convolution"
    rows = [("layer", "type", "params", "reads"), (name, "Conv2D", "1,234", f"{name}, {name}")]
    lines = table(rows, right=(2,), width=width).splitlines()
    assert max(map(len, lines)) <= width
    start = lines[0].index("type")
    assert "".join(line[:start].strip() for line in lines[2:]) == name
    assert lines[2].split()[-1 if width < 100 else 2] != ""


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_only_on_a_terminal_that_wants_them(
    environment: dict[str, str], coloured: bool, tmp_path: Path
) -> None:
    (tmp_path / "wrong.yaml").write_text(HEAD + "  - {type: Desne}\n")
    command = [sys.executable, "-m", "specfmt", "validate", "wrong.yaml"]
    variables = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    variables |= {"TERM": "xterm", **environment}
    piped = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, check=False)
    assert b"\x1b" not in piped.stdout
    ours, theirs = pty.openpty()
    subprocess.run(command, cwd=tmp_path, env=variables, stdout=theirs, check=False)
    os.close(theirs)
    seen = os.read(ours, 4096)
    os.close(ours)
    assert (b"\x1b[" in seen) is coloured
    assert (b"^^^^^" in seen) is coloured


def test_prose_makes_room_before_a_name_is_broken() -> None:
    rows = [("type", "remark"), ("GlobalAveragePooling2D", "short words " * 20)]
    lines = table(rows, width=50).splitlines()
    assert lines[2].startswith("GlobalAveragePooling2D  short words")
    assert max(map(len, lines)) <= 50


def test_table_with_unbroken_names() -> None:
    """A name is never broken: where it does not fit, the rest of its row is on the next line."""
    long = "ContrastLimitedAdaptiveHistogramEqualization"
    rows = [("type", "family", "remark"), ("Add", "merging", "a b"), (long, "colors", "some words")]
    lines = table(rows, width=30, unbroken=(0,)).splitlines()
    assert lines[3] == long
    assert lines[4].split() == ["colors", "some", "words"]
    assert len(table(rows, width=None).splitlines()) == 4
