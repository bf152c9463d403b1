"""Every file generated from the examples, as a real file each.

A snapshot shows what a change does to the code; that the code is right is proved in
`test_generated_code` and `test_examples`.
"""

from __future__ import annotations

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

import specfmt
from tests.tools.examples_tools import EXAMPLES, Generated, generated, spec


class PythonFile(SingleFileSnapshotExtension):
    """One ``NAME.py`` for each snapshot."""

    _write_mode = WriteMode.TEXT
    file_extension = "py"

    @classmethod
    def get_snapshot_name(cls, *, test_location: Any, index: Any = 0) -> str:
        return str(index)


class JsonFile(JSONSnapshotExtension):
    """One ``NAME.json`` for each snapshot."""

    @classmethod
    def get_snapshot_name(cls, *, test_location: Any, index: Any = 0) -> str:
        return str(index)


@pytest.mark.parametrize("file", generated(), ids=lambda file: file.name)
def test_code(file: Generated, snapshot: SnapshotAssertion) -> None:
    assert file.code() == snapshot(name=file.name, extension_class=PythonFile)


@pytest.mark.parametrize("example", EXAMPLES)
def test_counts(example: str, snapshot: SnapshotAssertion) -> None:
    found = specfmt.summarize(spec(example)).to_data()
    counts = {
        "params": found["params"],
        "macs": found["macs"],
        "layers": {
            layer["name"]: [layer["output_shape"], layer["params"]] for layer in found["layers"]
        },
    }
    assert counts == snapshot(name=f"{example}_summary", extension_class=JsonFile)
