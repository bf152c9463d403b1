"""Memory and time of an import by the size of its file: the table "Limits" of `docs/migration.md`."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from specfmt import api
from specfmt.diagnostics import SpecError
from tests.tools.timing import ratio

MIB = 2**20
LARGE = 16 * MIB
WHOLE = 1024
"""MiB that no import of so many bytes exceeds."""

FLOOR = 20
"""MiB for modules that an import loads later, whatever the file."""


def peak(source: Path) -> tuple[float, str]:
    """The MiB that an import takes at most, beyond those of an empty one, and what it says."""
    code = (
        "import re, sys; sys.path.insert(0, sys.argv[1])\n"
        "from specfmt import api; from specfmt.diagnostics import SpecError\n"
        "import specfmt.formats.keras_json, specfmt.formats.source.sources, specfmt.formats.behaviour_changes\n"
        # Not `ru_maxrss`: that begins with the size of the process that started this one.
        "status = lambda: open('/proc/self/status').read()\n"
        "size = lambda: int(re.search(r'VmHWM:\\s*(\\d+)', status())[1])\n"
        "before, said = size(), 'read'\n"
        "try: api.dump(api.import_spec(sys.argv[2]).spec)\n"
        "except SpecError as error: said = error.diagnostics[0].code\n"
        "print((size() - before) / 1024, said)\n"
    )
    root = str(Path(__file__).resolve().parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code, root, str(source)],
        capture_output=True,
        text=True,
        check=True,
        timeout=400,
    )
    size, _, said = done.stdout.strip().partition(" ")
    return float(size), said


def layer(index: int) -> str:
    """A layer as Keras writes it."""
    initial = {"module": "keras.initializers", "class_name": "GlorotUniform", "config": {}}
    config: dict[str, Any] = {"name": f"dense_{index}", "trainable": True, "units": 64}
    config |= {
        "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}}
    }
    config |= {"activation": "relu", "use_bias": True, "kernel_initializer": initial}
    config |= {"bias_initializer": {**initial, "class_name": "Zeros"}, "bias_constraint": None}
    config |= {"kernel_regularizer": None, "bias_regularizer": None, "kernel_constraint": None}
    whole = {"module": "keras.layers", "class_name": "Dense", "config": config}
    return json.dumps({**whole, "registered_name": None, "build_config": {"input_shape": [None]}})


def sequential(layers: str) -> str:
    return '{"class_name":"Sequential","config":{"name":"s","layers":[' + layers + "]}}"


def test_a_real_model(tmp_path: Path) -> None:
    first = '{"class_name":"InputLayer","config":{"batch_shape":[null,64],"name":"i"}},'
    source = tmp_path / "a.json"
    source.write_text(sequential(first + ",".join(map(layer, range(1500)))))
    size, said = peak(source)
    assert said == "read"
    assert size <= 40 * source.stat().st_size / MIB + FLOOR


def filled(start: str, item: str, end: str) -> str:
    """Long JSON of one item over and over."""
    count = (LARGE - len(start) - len(end) - 10) // (len(item) + 1)
    return start + ",".join([item] * count) + end


UNITS = '{"class_name":"Dense","config":{"name":"a","units":2,'
QUICK: dict[str, Callable[[], str]] = {
    "objects": lambda: '{"x":[' + ",".join(["{}"] * 490_000) + "]}",
    "too many": lambda: '{"x":[' + ",".join(["[]"] * 5_000_000) + "]}",
}
LONG: dict[str, Callable[[], str]] = {
    "lists": lambda: sequential(",".join(["[]"] * 490_000)),
    "deep": lambda: "[" * 150 + ",".join(["[" * 9 + "]" * 9] * 50_000) + "]" * 150,
    "numbers": lambda: filled(sequential(UNITS + '"x":[')[:-3], "1.5", "]}}]}}"),
    "strings": lambda: filled('{"x":[', '"ab"', "]}"),
    "one string": lambda: '{"x":"' + "a" * (LARGE - 20) + '"}',
    "wide string": lambda: '{"x":"\U0001f600' + "a" * (LARGE - 20) + '"}',
    "escapes": lambda: '{"x":"' + "\\u00e9" * (LARGE // 6 - 20) + '"}',
    "keys": lambda: "{" + ",".join(f'"{i:x}":1' for i in range(LARGE // 11)) + "}",
    "layers": lambda: sequential(
        ",".join(['{"class_name":"Dense","config":{"units":1}}'] * 50_000)
    ),
}


def check(text: str, tmp_path: Path) -> None:
    """A hundred bytes a byte and `WHOLE` at most; packed, no more, and little where refused."""
    source = tmp_path / "a.json"
    source.write_text(text)
    size, _ = peak(source)
    assert size <= min(100 * len(text.encode()) / MIB + FLOOR, WHOLE)
    packed = tmp_path / "a.keras"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", text)
    size, said = peak(packed)
    unpacked = max(100 * packed.stat().st_size, MIB)  # the most that the archive may hold
    assert size <= (100 if said == "SF401" else min(100 * unpacked / MIB + FLOOR, WHOLE))


@pytest.mark.parametrize("name", QUICK)
def test_dense_json(name: str, tmp_path: Path) -> None:
    check(QUICK[name](), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_the_densest_json(name: str, tmp_path: Path) -> None:
    check(LONG[name](), tmp_path)


def test_small_archive_of_much(tmp_path: Path) -> None:
    """39 KB: refused by its ratio, before it is unpacked."""
    packed = tmp_path / "a.keras"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config.json", sequential("{}," * 5_000_000 + "{}"))
    assert packed.stat().st_size < 40_000
    size, said = peak(packed)
    assert said == "SF401"
    assert size < 100


@pytest.mark.parametrize("config", ['{"units":1}', '{"units":1,"name":"a"}'])
def test_time_is_linear_in_layers(config: str) -> None:
    """Also of layers without names, or all of one name."""

    def read(count: int) -> None:
        text = sequential(",".join(['{"class_name":"Dense","config":' + config + "}"] * count))
        with pytest.raises(SpecError):
            api.dump(api.import_spec("-", text.encode()).spec)

    read(10)
    assert ratio(partial(read, 1600), partial(read, 200), times=8, enough=3) < 3
