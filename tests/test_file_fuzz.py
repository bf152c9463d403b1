"""Damaged files of every kind end in a result or in findings (see `tests.fuzz.files`).

A few by default; ``SPECFMT_FUZZ=3000`` says how many.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from tests.fuzz import files

COUNT = int(os.environ.get("SPECFMT_FUZZ", "20"))

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="bounds by signals and forked processes"),
    # An archive with a member twice is what is tried.
    pytest.mark.filterwarnings("ignore:Duplicate name"),
]


def size() -> int:
    """The MiB that this process has taken at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@pytest.mark.parametrize("name", ["net.weights.h5", "net.h5", "net2.h5", "net.keras"])
def test_sound_files_are_good(name: str, tmp_path: Path) -> None:
    """What is damaged below is whole: else nothing behind the first finding is tried."""
    sound = files.Files(tmp_path)
    outcome = files.attack(sound, name, sound.good[name], tmp_path)
    assert outcome == ("SF402" if name == "net.weights.h5" else "good")


def test_some_damaged_files(tmp_path: Path) -> None:
    before = size()
    outcomes = files.run(tmp_path, COUNT, seed=5)
    assert len(outcomes) > 1
    assert size() - before < 300


@pytest.mark.slow
@pytest.mark.parametrize("ends", [".h5", ".keras", "others"])
def test_more_damaged_files(ends: str, tmp_path: Path) -> None:
    before = size()
    names = [
        name
        for name in files.Files(tmp_path).good
        if name.endswith(ends) or (ends == "others" and not name.endswith((".h5", ".keras")))
    ]
    outcomes = files.run(tmp_path, 40, seed=6, names=names)
    assert len(outcomes) > 1
    assert size() - before < 300
