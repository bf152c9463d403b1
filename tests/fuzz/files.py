"""Model and weight files, damaged in every layer that they have: bytes, zip, JSON, HDF5, pickle.

The files are built here, small, without a framework: what specfmt itself writes is checked
against the frameworks elsewhere.  `attack` runs everything that reads such a file; all that may
come of it is a result or findings, soon.
"""

from __future__ import annotations

import copy
import faulthandler
import io
import json
import random
import shutil
import signal
import struct
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from click.testing import CliRunner

import specfmt
from specfmt import api
from specfmt.cli import main
from specfmt.diagnostics import SpecError
from specfmt.weights import keras_h5
from specfmt.weights.convert import convert
from tests.tools.harness import build_graph

SECONDS = 40.0
"""What one step may take on a loaded machine; a sound file takes a hundredth."""

LONGEST_LINE = 2_000
"""Characters of a line of the output, however long the names in a file are."""

DOCUMENT: dict[str, Any] = {
    "specfmt": 1,
    "name": "net",
    "inputs": {"words": {"shape": [1], "dtype": "string"}, "x": {"shape": [4, 3]}},
    "layers": [
        {
            "type": "TextVectorization",
            "name": "text",
            "output_sequence_length": 4,
            "vocabulary": ["cat", "dog", "mat"],
            "inputs": "words",
        },
        {"type": "Embedding", "name": "embedding", "input_dim": 9, "output_dim": 3},
        {"type": "Add", "name": "add", "inputs": ["embedding", "x"]},
        {
            "type": "Model",
            "name": "inner",
            "inputs": {"y": {"shape": [4, 3]}},
            "layers": [{"type": "GRU", "name": "gru", "units": 2}, {"type": "BatchNormalization"}],
        },
        {"type": "Dense", "name": "last", "units": 2},
    ],
    "train": {"loss": "mse", "optimizer": {"type": "Adam", "learning_rate": 0.01}},
}

JUNK: list[Any] = [
    *(None, True, 0, -1, 2**70, 1.5, float("inf"), float("nan"), "", "x", "Dense", "\ud800", "\0"),
    *("a" * 5000, "../../x", "é\u202e", [], {}, [[]], [None], {"class_name": "Dense"}),
    *({"class_name": "Lambda", "config": {"function": "x"}}, {"config": []}, [10**9, 10**9]),
]

NAMES = [
    *("", "/", "..", "../config.json", "/etc/passwd", "C:\\x", "config.json", "CONFIG.JSON"),
    *("model.weights.h5", "model.weights.json", "metadata.json", "assets", "net/data.pkl"),
    *("assets/layers/text_vectorization/vocabulary.txt", ".\\config.json", "é\u202e\n.h5"),
    *("x" * 3000, "a/" * 300, "layers/dense/vars/0", "vars", "0", "\x1b[31m", "model.weights.h5 "),
]

ARRAYS: list[Any] = [
    *(0, 1.5, "text", [1, 2, 3], b"bytes", ["a", "b"], np.zeros((0, 3)), np.zeros((3, 2), "c8")),
    *(np.arange(6, dtype="i8"), np.ones((2, 2), "f2"), np.array([b"x" * 900] * 3)),
    *(np.zeros(3, [("a", "f4"), ("b", "i4")]), np.zeros((1, 1, 1, 1)), "x" * 5000),
]


# -- sound files -----------------------------------------------------------------------------------


class Files:
    """Sound files of every kind in a folder, and the spec of the model in them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec = api.loads(json.dumps(DOCUMENT))
        self.graph = build_graph(DOCUMENT)
        rng = np.random.default_rng(0)
        units = [unit for unit in self.graph.walk_units() if unit.weights]
        values = {u.name: {w.name: rng.random(w.shape, "f4") for w in u.weights} for u in units}
        weights = folder / "net.weights.h5"
        keras_h5.write(weights, self.graph, [(u, lambda u=u: dict(values[u.name])) for u in units])
        model = json.loads(specfmt.to_keras_json(self.spec))
        config = json.dumps(model).encode()
        former = specfmt.to_keras_json(self.spec, "keras2").encode()
        self.good: dict[str, bytes] = {"net.weights.h5": weights.read_bytes(), "net.json": config}
        self.good["net2.json"] = former
        self.good["net.h5"] = self._whole(config, "3.9.0", values)
        self.good["net2.h5"] = self._whole(former, "2.15.0", values)
        opened = copy.deepcopy(model)
        next(o for o in opened["config"]["layers"] if o["class_name"] == "TextVectorization")[
            "config"
        ]["vocabulary"] = None
        members = {
            "metadata.json": b'{"keras_version": "3.9.0", "date_saved": "2025-01-01@00:00:00"}',
            "config.json": json.dumps(opened).encode(),
            "model.weights.h5": self.good["net.weights.h5"],
            "assets/layers/text_vectorization/vocabulary.txt": b"\n[UNK]\ncat\ndog\nmat\n",
        }
        self.good["net.keras"] = zipped(list(members.items()), zipfile.ZIP_STORED)
        self.good["packed.keras"] = zipped(list(members.items()), zipfile.ZIP_DEFLATED)
        for name in ("net.safetensors", "net.pt"):
            convert(self.graph, weights, folder / name)
            self.good[name] = (folder / name).read_bytes()
        arrays = io.BytesIO()
        np.savez(arrays, **{f"{u}/{w}": a for u, ws in values.items() for w, a in ws.items()})
        self.good["net.npz"] = arrays.getvalue()

    def _whole(self, config: bytes, version: str, values: dict[str, dict[str, Any]]) -> bytes:
        """An ``.h5`` file with a whole model: groups that list the names of their weights."""
        stream = io.BytesIO()
        with h5py.File(stream, "w") as file:
            file.attrs["model_config"] = config
            file.attrs["keras_version"] = version
            file.attrs["training_config"] = b'{"loss": "mse", "optimizer_config": null}'
            top = file.create_group("model_weights")
            layers = [u.name for u in self.graph.units if u.type_name != "InputLayer"]
            top.attrs["layer_names"] = [name.encode() for name in layers]
            top.attrs["backend"] = "tensorflow"
            for name in layers:
                group = top.create_group(name)
                own = values.get(name, {})
                if name == "inner":
                    own = {f"{u}/{w}": values[u][w] for u in values for w in values[u]}
                    own = {k: v for k, v in own.items() if k[:3] in ("gru", "bat")}
                group.attrs["weight_names"] = [f"{name}/{w}:0".encode() for w in own]
                for weight, array in own.items():
                    group[f"{name}/{weight}:0"] = array
        return stream.getvalue()


def zipped(members: list[tuple[str, bytes]], kind: int) -> bytes:
    """An archive, whatever its members are called."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as file:
        for name, content in members:
            info = zipfile.ZipInfo(name or "\0", (2020, 1, 1, 0, 0, 0))
            info.filename = name
            info.compress_type = kind
            file.writestr(info, content)
    return stream.getvalue()


# -- damage ----------------------------------------------------------------------------------------


def damaged_bytes(data: bytes, rng: random.Random) -> bytes:
    """Bytes changed, cut out, doubled, moved, set to extremes; the end cut off."""
    found = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        if not found:
            break
        place, many = rng.randrange(len(found)), rng.choice([1, 2, 4, 8, 64])
        match rng.randrange(8):
            case 0:
                found[place] = rng.randrange(256)
            case 1:
                found[place] ^= 1 << rng.randrange(8)
            case 2:
                del found[place : place + many]
            case 3:
                found[place:place] = found[place : place + many]
            case 4:
                found[place : place + many] = rng.choice([b"\0", b"\xff"]) * many
            case 5:
                numbers = [0, 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1, len(found)]
                found[place : place + 8] = struct.pack("<Q", rng.choice(numbers))
            case 6:
                other = rng.randrange(len(found))
                found[place : place + many] = found[other : other + many]
            case _:
                if rng.random() < 0.3:
                    del found[place:]
    return bytes(found)


def damaged_json(data: bytes, rng: random.Random) -> bytes:
    """Values of a JSON text replaced, removed, renamed; now and then its bytes."""
    try:
        value = json.loads(data)
    except ValueError:
        return damaged_bytes(data, rng)
    if rng.random() < 0.2:
        return damaged_bytes(data, rng)
    for _ in range(rng.choice([1, 1, 2, 5])):
        places: list[Any] = []
        stack = [value]
        while stack:
            item = stack.pop()
            if isinstance(item, dict | list) and item:
                places.append(item)
                stack += item.values() if isinstance(item, dict) else item
        if not places:
            break
        place = rng.choice(places)
        key: Any = rng.choice(list(place)) if isinstance(place, dict) else rng.randrange(len(place))
        match rng.randrange(5):
            case 0:
                del place[key]
            case 1:
                place[key] = copy.deepcopy(rng.choice(places))
            case 2 if isinstance(place, dict):
                place[rng.choice([*NAMES, *place])] = place.pop(key)
            case 3 if isinstance(place[key], str):
                place[key] = rng.choice(NAMES)
            case _:
                place[key] = copy.deepcopy(rng.choice(JUNK))
    text = json.dumps(value).encode()
    return text * 2 if rng.random() < 0.02 else text


def damaged_zip(data: bytes, rng: random.Random) -> bytes:
    """Members damaged by kind, renamed, removed, doubled; sizes that lie; the archive's bytes."""
    if rng.random() < 0.25:
        return damaged_bytes(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        kind = file.infolist()[0].compress_type
        members = [(name, file.read(name)) for name in file.namelist()]
    for _ in range(rng.choice([1, 1, 2, 3])):
        if not members:
            break
        index = rng.randrange(len(members))
        name, content = members[index]
        match rng.randrange(6):
            case 0:
                members[index] = (rng.choice(NAMES), content)
            case 1 if rng.random() < 0.5:
                del members[index]
            case 2:
                members.append((rng.choice([name, *NAMES]), rng.choice(members)[1]))
            case _:
                members[index] = (name, _damaged(name, content, rng))
    found = bytearray(zipped(members, rng.choice([kind, zipfile.ZIP_DEFLATED])))
    if members and rng.random() < 0.2:
        for mark, place in ((b"PK\x03\x04", 18), (b"PK\x01\x02", 20)):
            start = found.rindex(mark)
            sizes = [rng.choice([0, 1, 2**20, 2**31, 2**32 - 1, len(found)]) for _ in range(2)]
            struct.pack_into("<II", found, start + place, *sizes)
    return bytes(found)


def damaged_hdf5(data: bytes, rng: random.Random) -> bytes:
    """Groups, datasets and attributes replaced, renamed, linked, removed; the file's bytes."""
    if rng.random() < 0.4:
        return damaged_bytes(data, rng)
    stream = io.BytesIO(data)
    try:
        with h5py.File(stream, "r+") as file:
            for _ in range(rng.choice([1, 1, 2, 4])):
                _change(file, rng)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError):
        pass  # h5py takes no such name or value: what was done before stays
    return stream.getvalue()


def _change(file: Any, rng: random.Random) -> None:
    paths: list[str] = []
    file.visit(paths.append)
    holder = file[rng.choice(["/", *paths])]
    match rng.randrange(8):
        case 0 | 1 if len(holder.attrs):
            name = rng.choice(sorted(holder.attrs))
            value = holder.attrs[name]
            if isinstance(value, bytes | str) and rng.random() < 0.6:
                text = value if isinstance(value, bytes) else value.encode()
                holder.attrs[name] = np.bytes_(damaged_json(text, rng))
            else:
                holder.attrs[name] = rng.choice(ARRAYS)
        case 2:
            names = ("weight_names", "layer_names", "layer_names0", "dtype", "model_config", "")
            holder.attrs[rng.choice(names)] = rng.choice(ARRAYS)
        case 3 if paths:
            del file[rng.choice(paths)]
        case 4 if paths:
            file.move(rng.choice(paths), rng.choice([*NAMES, *paths]) or "x")
        case 5 if paths:
            path = rng.choice(paths)
            del file[path]
            file[path] = rng.choice(ARRAYS)
        case 6 if paths:
            links = (h5py.SoftLink("/"), h5py.ExternalLink("/etc/passwd", "/"), holder)
            file[rng.choice([p + "/x" for p in paths])] = rng.choice(links)
        case _:
            file.create_dataset(rng.choice(NAMES) or "y", (10**9, 10**6), chunks=(1, 2), dtype="f8")


def damaged_safetensors(data: bytes, rng: random.Random) -> bytes:
    """The header's values, its length, the file's bytes."""
    if rng.random() < 0.3:
        return damaged_bytes(data, rng)
    length = int.from_bytes(data[:8], "little")
    header = damaged_json(data[8 : 8 + length], rng)
    said = len(header) if rng.random() < 0.8 else rng.choice([0, 1, 2**40, 2**64 - 1])
    return said.to_bytes(8, "little") + header + data[8 + length :]


def damaged_text(data: bytes, rng: random.Random) -> bytes:
    """A vocabulary: its bytes, lines doubled, breaks of other kinds, no end."""
    match rng.randrange(4):
        case 0:
            return damaged_bytes(data, rng)
        case 1:
            return data * rng.choice([2, 3, 5000])
        case 2:
            return data.replace(b"\n", rng.choice([b"\r", b"\r\n", b"\0", b"\xff", b"", b"\x85"]))
        case _:
            return rng.choice([b"", b"\n" * 9, b"\xff\xfe" + data, b"x" * 2**16, b"[UNK]"])


ENDS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    ".json": damaged_json,
    ".h5": damaged_hdf5,
    ".keras": damaged_zip,
    ".pt": damaged_zip,
    ".npz": damaged_zip,
    ".safetensors": damaged_safetensors,
    ".txt": damaged_text,
}


def _damaged(name: str, data: bytes, rng: random.Random) -> bytes:
    return ENDS.get(Path(name).suffix, damaged_bytes)(data, rng)


# -- attack ----------------------------------------------------------------------------------------


class TooSlowError(BaseException):
    """No `Exception`: nothing that is tested may swallow it."""


@contextmanager
def bounded(what: str) -> Iterator[None]:
    """Ends a step that takes too long; one that hangs in a library ends the process, with a trace."""

    def late(*_: object) -> None:
        raise TooSlowError(what)

    former = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    faulthandler.dump_traceback_later(5 * SECONDS, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def attack(files: Files, name: str, data: bytes, again: Path) -> str:
    """Everything that reads such a file.

    Args:
        files: Gives the folder and the spec.
        name: What the file is called.
        data: Its damaged content.
        again: Where the file is kept while it is tried, so that a failure leaves it.

    Returns:
        How it ended: ``good``, or the code of the first finding.

    Raises:
        AssertionError: Something else than a result or findings came of it.
    """
    source = again / name
    source.write_bytes(data)
    outcome = "good"
    folder = files.folder / "out"
    for model in (None, files.spec):
        with bounded(f"import and weights of {source}"):
            try:
                if model is None and name.endswith((".json", ".h5", ".keras")):
                    model, _ = api.import_spec(source)
                if model is not None:
                    dest = files.folder / "w.safetensors"
                    dest.unlink(missing_ok=True)
                    api.convert_weights(model, source, dest)
                    api.convert_weights(model, dest, files.folder / "back.weights.h5")
            except SpecError as error:
                outcome = error.diagnostics[0].code
    with bounded(f"convert {source}"):
        arguments = ["convert", str(source), "-o", str(folder), "--no-verify"]
        done = CliRunner().invoke(main, arguments)
    escaped = done.exception
    if escaped is not None and not isinstance(escaped, SystemExit):
        raise AssertionError(f"convert {source}: {escaped!r}") from escaped
    assert done.exit_code in (0, 1), done.output
    assert (done.exit_code == 0) == folder.exists(), done.output
    lines = done.output.splitlines()
    assert max(map(len, lines), default=0) <= LONGEST_LINE + 2 * len(str(source)), done.output
    for file in folder.glob("*.py"):
        compile(file.read_text(encoding="utf-8"), file.name, "exec")
    shutil.rmtree(folder, ignore_errors=True)
    left = [path.name for path in files.folder.iterdir() if ".specfmt-" in path.name]
    assert not left
    source.unlink()
    return outcome


def run(folder: Path, count: int, seed: int, names: list[str] | None = None) -> dict[str, int]:
    """Attack with so many damaged files.

    Returns:
        How often each outcome came.
    """
    files = Files(folder)
    again = folder / "again"
    again.mkdir()
    rng = random.Random(seed)
    outcomes: dict[str, int] = {}
    for index in range(count):
        name = rng.choice(names or sorted(files.good))
        data = _damaged(name, files.good[name], rng)
        try:
            outcome = attack(files, name, data, again)
        except BaseException as error:
            error.add_note(f"input {index} of seed {seed}, {name}: kept as {again / name}")
            raise
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    return outcomes


if __name__ == "__main__":
    import tempfile

    start = time.monotonic()
    print(run(Path(tempfile.mkdtemp()), int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
    print(f"{time.monotonic() - start:.0f} s")
