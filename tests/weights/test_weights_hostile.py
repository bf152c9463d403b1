"""Hostile and damaged weight files through the command line: a 5xx finding, nothing written."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from specfmt.cli import main
from specfmt.diagnostics import SpecError
from specfmt.weights import keras3, keras_h5, safetensors
from specfmt.weights.convert import convert
from specfmt.weights.sources import Tensor
from tests.tools.harness import build_graph

DOCUMENT: dict[str, Any] = {
    "specfmt": 1,
    "name": "net",
    "inputs": {"x": {"shape": [3]}},
    "layers": [{"type": "Dense", "name": "dense", "units": 4}],
}
KERNEL = np.arange(12, dtype="f4").reshape(3, 4)
BIAS = np.array([0.5, -1, 2, 3], "f4")
PLACE = "layers/dense/vars/0"


class Net:
    """A small model, its spec file and a good ``.weights.h5``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.graph = build_graph(DOCUMENT)
        self.spec = folder / "net.json"
        self.spec.write_text(json.dumps(DOCUMENT))
        self.h5 = folder / "net.weights.h5"
        (unit,) = [u for u in self.graph.units if u.weights]
        keras_h5.write(self.h5, self.graph, [(unit, lambda: {"kernel": KERNEL, "bias": BIAS})])

    def run(self, source: Path, dest: Path) -> Any:
        """`specfmt weights`; an exception that is not handled fails the test."""
        arguments = ["weights", str(self.spec), str(source), "-o", str(dest)]
        done = CliRunner().invoke(main, arguments)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert "Traceback" not in done.output
        return done

    def refused(self, source: Path, *codes: str) -> str:
        """The message; exit code 1, no destination, an older one unharmed, nothing left beside."""
        message = ""
        for name in ("out.safetensors", "out.pt", "out.weights.h5"):
            folder = self.folder / "dest"
            folder.mkdir(exist_ok=True)
            dest = folder / name
            done = self.run(source, dest)
            assert done.exit_code == 1, done.output
            assert list(folder.iterdir()) == []
            dest.write_bytes(b"older")
            again = self.run(source, dest)
            assert again.exit_code == 1
            assert [path.name for path in folder.iterdir()] == [name]
            assert dest.read_bytes() == b"older"
            dest.unlink()
            message = done.stderr
            found = {code for code in codes if f"error[{code}]" in message}
            assert found == set(codes), message
            assert message.count("error[") == message.count("error[SF5"), message
            assert "expected " in message
        return message

    def accepted(self, source: Path) -> dict[str, np.ndarray]:
        """The torch tensors that come of a source."""
        dest = self.folder / "accepted.safetensors"
        done = self.run(source, dest)
        assert done.exit_code == 0, done.output
        return {key: stored.read() for key, stored in safetensors.read(dest).items()}


@pytest.fixture
def net(tmp_path: Path) -> Net:
    return Net(tmp_path)


# -- .keras archives ---------------------------------------------------------------------------


def archive(path: Path, members: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def lie(path: Path, *, packed: int, unpacked: int) -> None:
    """Declare other sizes for the last member, in its local header and in the directory."""
    data = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 18), (b"PK\x01\x02", 20)):
        start = data.rindex(mark)
        struct.pack_into("<II", data, start + place, packed, unpacked)
    path.write_bytes(data)


def test_bomb(net: Net) -> None:
    """300 MB of zeros in 300 kB."""
    path = net.folder / "bomb.keras"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file,
        file.open("model.weights.h5", "w") as stream,
    ):
        for _ in range(300):
            stream.write(bytes(2**20))
    assert path.stat().st_size < 3 * 2**20
    assert "unpack" in net.refused(path, "SF505")


@pytest.mark.slow
def test_bomb_of_shards(net: Net) -> None:
    """Six shards of 50 MB, each from a few bytes."""
    path = net.folder / "bomb.keras"
    names = [f"model_{i:05d}.weights.h5" for i in range(6)]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2, compresslevel=1) as file:
        file.writestr("model.weights.json", json.dumps({"weight_map": {"/a/vars": names}}))
        for name in names:
            with file.open(name, "w") as stream:
                for _ in range(50):
                    stream.write(bytes(2**20))
    assert path.stat().st_size < 2**18
    assert "times the archive" in net.refused(path, "SF505")


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    ("packed", "unpacked", "code"),
    [
        (100, 2**32 - 2, "SF505"),
        (2**32 - 2, 2**32 - 2, "SF500"),
        (2**31, 2**32 - 2, "SF500"),
    ],
)
def test_declared_sizes(net: Net, kind: int, packed: int, unpacked: int, code: str) -> None:
    path = archive(net.folder / "a.keras", {"model.weights.h5": net.h5.read_bytes()}, kind)
    lie(path, packed=packed, unpacked=unpacked)
    net.refused(path, code)


def test_archive_without_weights(net: Net) -> None:
    path = archive(net.folder / "a.keras", {"config.json": b"{}", "metadata.json": b"{}"})
    assert "without" in net.refused(path, "SF500")


def test_archive_without_config(net: Net) -> None:
    """The weights alone are enough for `weights`, not for `convert`."""
    path = archive(net.folder / "a.keras", {"model.weights.h5": net.h5.read_bytes()})
    assert np.array_equal(net.accepted(path)["dense.weight"], KERNEL.T)
    done = CliRunner().invoke(main, ["convert", str(path), "-o", str(net.folder / "out")])
    assert done.exit_code == 1
    assert "error[SF402]" in done.stderr
    assert not (net.folder / "out").exists()


KERAS_CONFIG = {
    "class_name": "Sequential",
    "module": "keras",
    "config": {
        "name": "net",
        "layers": [
            {
                "class_name": "InputLayer",
                "module": "keras.layers",
                "config": {"batch_shape": [None, 3]},
            },
            {
                "class_name": "Dense",
                "module": "keras.layers",
                "config": {"name": "dense", "units": 4, "activation": "linear"},
            },
        ],
    },
}


@pytest.mark.parametrize("kind", ["absent", "text", "broken", "other"])
def test_convert_leaves_nothing(net: Net, kind: str) -> None:
    """A migration whose weights cannot be read writes no source either."""
    members = {"config.json": json.dumps(KERAS_CONFIG).encode()}
    good = net.h5.read_bytes()
    if kind == "text":
        members["model.weights.h5"] = b"no HDF5"
    elif kind == "broken":
        members["model.weights.h5"] = good[: len(good) // 2]
    elif kind == "other":
        with h5py.File(net.h5, "a") as file:
            del file[PLACE]
        members["model.weights.h5"] = net.h5.read_bytes()
    path, out = archive(net.folder / "a.keras", members), net.folder / "out"
    done = CliRunner().invoke(main, ["convert", str(path), "-o", str(out)])
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert "error[SF50" in done.stderr
    assert not out.exists()


def test_convert_whole(net: Net) -> None:
    members = {
        "config.json": json.dumps(KERAS_CONFIG).encode(),
        "model.weights.h5": net.h5.read_bytes(),
    }
    path, out = archive(net.folder / "a.keras", members), net.folder / "out"
    done = CliRunner().invoke(main, ["convert", str(path), "-o", str(out), "--no-verify"])
    assert done.exit_code == 0, done.output
    names = ["load_net.py", "net.py", "net.safetensors", "net.yaml"]
    assert sorted(file.name for file in out.iterdir()) == names


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damaged_compression(net: Net, kind: int) -> None:
    path = archive(net.folder / "a.keras", {"model.weights.h5": net.h5.read_bytes()}, kind)
    assert np.array_equal(net.accepted(path)["dense.weight"], KERNEL.T)
    data = bytearray(path.read_bytes())
    for place in range(60, 200):
        data[place] ^= 0x5A
    path.write_bytes(data)
    net.refused(path, "SF500")


def test_encrypted_archive(net: Net) -> None:
    path = archive(net.folder / "a.keras", {"model.weights.h5": net.h5.read_bytes()})
    data = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.rindex(mark) + place] |= 1
    path.write_bytes(data)
    net.refused(path, "SF500")


# -- destinations and sources ------------------------------------------------------------------


def test_dest_is_source(net: Net) -> None:
    """The trained weights are never overwritten, whatever name leads to them."""
    before = net.h5.read_bytes()
    link = net.folder / "link.safetensors"
    link.symlink_to(net.h5)
    for dest in (net.h5, link, net.folder / "dest" / ".." / net.h5.name):
        (net.folder / "dest").mkdir(exist_ok=True)
        done = net.run(net.h5, dest)
        assert done.exit_code == 1
        assert "error[SF506]" in done.stderr
        assert net.h5.read_bytes() == before
    assert link.is_symlink()


def test_dest_in_an_absent_folder(net: Net) -> None:
    """It is created."""
    dest = net.folder / "a" / "b" / "c.safetensors"
    assert net.run(net.h5, dest).exit_code == 0
    assert np.array_equal(safetensors.read(dest)["dense.bias"].read(), BIAS)


def test_failure_leaves_no_folder(net: Net) -> None:
    path = net.folder / "a.safetensors"
    path.write_bytes(b"nothing of the kind")
    assert net.run(path, net.folder / "a" / "b.pt").exit_code == 1
    assert not (net.folder / "a").exists()


@pytest.mark.parametrize("name", ["folder.safetensors", "folder.pt", "folder.weights.h5"])
def test_dest_is_a_folder(net: Net, name: str) -> None:
    dest = net.folder / name
    dest.mkdir()
    (dest / "kept").write_text("kept")
    done = net.run(net.h5, dest)
    assert done.exit_code == 1
    assert "error[SF506]" in done.stderr
    assert (dest / "kept").read_text() == "kept"


def test_dest_below_a_file(net: Net) -> None:
    done = net.run(net.h5, net.spec / "a.safetensors")
    assert done.exit_code == 1
    assert "error[SF506]" in done.stderr
    assert json.loads(net.spec.read_text()) == DOCUMENT


def test_source_does_not_exist(net: Net) -> None:
    """What the command line itself refuses is a usage error: exit code 2."""
    source, dest = net.folder / "source.h5", net.folder / "a.pt"
    done = net.run(source, dest)
    assert done.exit_code == 2
    assert "source.h5" in done.stderr
    assert not dest.exists()
    with pytest.raises(OSError, match=r"source\.h5"):
        convert(net.graph, source, dest)


def test_source_is_an_empty_folder(net: Net) -> None:
    """A folder may be a SavedModel or hold a checkpoint."""
    source, dest = net.folder / "source.h5", net.folder / "a.pt"
    source.mkdir()
    done = net.run(source, dest)
    assert done.exit_code == 1
    assert "error[SF500]" in done.stderr
    assert not dest.exists()


def test_unreadable(net: Net, monkeypatch: Any) -> None:
    """A file that the system refuses to read: its own message, exit code 1."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(net.h5))

    monkeypatch.setattr("specfmt.weights.convert.file_kind", refuse)
    dest = net.folder / "a.pt"
    done = net.run(net.h5, dest)
    assert done.exit_code == 1
    assert "Permission denied" in done.stderr
    assert not dest.exists()


# -- HDF5 --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"", b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + b"\xff" * 3000, b"no HDF5" * 99]
)
def test_no_hdf5(net: Net, content: bytes) -> None:
    path = net.folder / "a.h5"
    path.write_bytes(content)
    net.refused(path, "SF500")


def test_other_hdf5(net: Net) -> None:
    path = net.folder / "a.h5"
    with h5py.File(path, "w") as file:
        file["table"] = np.zeros(3)
    net.refused(path, "SF500")


COMPOUND = np.dtype([("a", "u1"), ("b", "u1")])
OTHER_KINDS = {
    "fixed text": np.full((3, 4), b"text"),
    "compound": np.zeros((3, 4), [("a", "f4"), ("b", "f4")]),
    "compound of two bytes": np.zeros((3, 4), COMPOUND),
    "complex": np.zeros((3, 4), "c8"),
    "opaque": np.zeros((3, 4), "V5"),
}


def in_both_layouts(net: Net, fill: Callable[[Any, str], None]) -> list[Path]:
    """The good file, and one in the layout of Keras 2, with the kernel replaced by `fill`."""
    older = net.folder / "older.h5"
    with h5py.File(older, "w") as file:
        group = file.create_group("dense")
        group["dense/bias:0"] = BIAS
        group.attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0"]
        file.attrs["layer_names"] = [b"dense"]
        file.attrs["keras_version"] = "2.15.0"
        fill(file, "dense/dense/kernel:0")
    with h5py.File(net.h5, "a") as file:
        del file[PLACE]
        fill(file, PLACE)
    return [net.h5, older]


def test_both_layouts_are_good(net: Net) -> None:
    for path in in_both_layouts(net, lambda file, place: file.create_dataset(place, data=KERNEL)):
        assert np.array_equal(net.accepted(path)["dense.weight"], KERNEL.T)


@pytest.mark.parametrize("name", OTHER_KINDS)
def test_no_numbers(net: Net, name: str) -> None:
    fill = lambda file, place: file.create_dataset(place, data=OTHER_KINDS[name])  # noqa: E731
    for path in in_both_layouts(net, fill):
        net.refused(path, "SF504")


@pytest.mark.parametrize("kind", [h5py.string_dtype(), h5py.ref_dtype, h5py.vlen_dtype("f4")])
def test_objects(net: Net, kind: Any) -> None:
    for path in in_both_layouts(net, lambda file, place: file.create_dataset(place, (3, 4), kind)):
        net.refused(path, "SF504")


def test_group_instead_of_data(net: Net) -> None:
    for path in in_both_layouts(net, lambda file, place: file.create_group(place)):
        net.refused(path, "SF500")


def test_no_space(net: Net) -> None:
    """A dataset without a shape."""
    empty = h5py.Empty("f4")
    for path in in_both_layouts(net, lambda file, place: file.create_dataset(place, data=empty)):
        net.refused(path, "SF500")


def test_false_bfloat16(net: Net) -> None:
    """float32 that says it is bfloat16."""

    def fill(file: Any, place: str) -> None:
        file[place] = KERNEL
        file[place].attrs["dtype"] = "bfloat16"

    for path in in_both_layouts(net, fill):
        net.refused(path, "SF504")


def test_external_data(net: Net) -> None:
    secret = net.folder / "secret"
    secret.write_bytes(bytes(48))
    fill = lambda file, place: file.create_dataset(  # noqa: E731
        place, (3, 4), "f4", external=[(str(secret), 0, 48)]
    )
    for path in in_both_layouts(net, fill):
        net.refused(path, "SF505")


def test_virtual_data(net: Net) -> None:
    layout = h5py.VirtualLayout((3, 4), "f4")
    layout[:] = h5py.VirtualSource(str(net.folder / "other.h5"), "x", (3, 4))
    fill = lambda file, place: file.create_virtual_dataset(place, layout)  # noqa: E731
    for path in in_both_layouts(net, fill):
        net.refused(path, "SF505")


@pytest.mark.parametrize("place", ["model_weights", "layers", "layers/dense", "layers/dense/vars"])
@pytest.mark.parametrize("link", [h5py.ExternalLink("other.h5", "/"), h5py.SoftLink("/real")])
def test_links(net: Net, place: str, link: Any) -> None:
    with h5py.File(net.h5, "a") as file, h5py.File(net.folder / "other.h5", "w") as other:
        for root in (file.require_group("real"), other):
            root.attrs["layer_names"] = [b"dense"]
            root.create_group("dense")
        if place in file:
            del file[place]
        file[place] = link
    net.refused(net.h5, "SF505")


def test_groups_without_end(net: Net) -> None:
    """Forty groups that hold the next one twice: 2^40 paths."""
    with h5py.File(net.h5, "a") as file:
        inner = file.create_group("layers/extra")
        for _ in range(40):
            below = inner.create_group("a")
            inner["b"] = below
            inner = below
        inner["x"] = np.zeros(3, "f4")
    net.refused(net.h5, "SF505")


def test_group_in_itself(net: Net) -> None:
    with h5py.File(net.h5, "a") as file:
        file["layers/dense/again"] = file["layers"]
    net.refused(net.h5, "SF505")


def test_hollow_data(net: Net) -> None:
    """A gigabyte declared, a few bytes stored."""
    document = {**DOCUMENT, "layers": [{"type": "Dense", "name": "dense", "units": 2**27}]}
    net.spec.write_text(json.dumps(document))
    with h5py.File(net.h5, "a") as file:
        del file["layers/dense/vars"]
        file.create_dataset(PLACE, (3, 2**27), "f4", chunks=(1, 2**20), compression="gzip")
        file.create_dataset("layers/dense/vars/1", (2**27,), "f4", chunks=(2**20,))
    net.refused(net.h5, "SF505")


def test_huge_chunk(net: Net) -> None:
    """A chunk that unpacks to far more than the data in it."""

    def fill(file: Any, place: str) -> None:
        file.create_dataset(
            place, (3, 4), "f4", maxshape=(None, 4), chunks=(2**25, 4), compression="gzip"
        )

    for path in in_both_layouts(net, fill):
        net.refused(path, "SF505")


# -- .safetensors ------------------------------------------------------------------------------


def write_header(
    path: Path, header: Any, data: bytes = bytes(64), length: int | None = None
) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def entry(shape: Any, start: Any, end: Any, dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


LIES: dict[str, tuple[Any, str]] = {
    "overlap": ({"dense.weight": entry([4, 3], 0, 48), "dense.bias": entry([4], 32, 48)}, "SF500"),
    "the same bytes twice": (
        {"dense.weight": entry([4, 3], 0, 48), "dense.bias": entry([4], 0, 16)},
        "SF500",
    ),
    "a hole": ({"dense.weight": entry([4, 3], 0, 48), "dense.bias": entry([3], 52, 64)}, "SF500"),
    "beyond the end": (
        {"dense.weight": entry([4, 3], 0, 48), "dense.bias": entry([8], 48, 80)},
        "SF500",
    ),
    "far beyond": ({"dense.bias": entry([2**62], 0, 2**64)}, "SF500"),
    "negative": (
        {"dense.weight": entry([4, 3], -48, 0), "dense.bias": entry([4], 48, 64)},
        "SF500",
    ),
    "backwards": ({"dense.bias": entry([4], 64, 48)}, "SF500"),
    "negative sizes": ({"dense.bias": entry([-4, -4], 0, 64)}, "SF500"),
    "sizes that are none": ({"dense.bias": entry([16.0], 0, 64)}, "SF500"),
    "a truth as a size": ({"dense.bias": entry([True, 16], 0, 64)}, "SF500"),
    "a list for a kind": ({"dense.bias": entry([16], 0, 64, ["F32"])}, "SF500"),
    "no kind": ({"dense.bias": entry([16], 0, 64, None)}, "SF504"),
    "text for a shape": ({"dense.bias": entry("16", 0, 64)}, "SF500"),
    "a number for an entry": ({"bias": 3}, "SF500"),
    "a list": ([1, 2], "SF500"),
    "deep": (b'{"a":' + b"[" * 100_000, "SF500"),
    "a long number": (b'{"a":' + b"9" * 5000 + b"}", "SF500"),
    "no text": (b'{"\xff\xfe": 3}', "SF500"),
    "half a surrogate": (
        b'{"\\ud800":{"dtype":"F32","shape":[16],"data_offsets":[0,64]}}',
        "SF502",
    ),
}


@pytest.mark.parametrize("name", LIES)
def test_safetensors_lies(net: Net, name: str) -> None:
    header, code = LIES[name]
    net.refused(write_header(net.folder / "a.safetensors", header), code)


@pytest.mark.parametrize("length", [10 * 2**30, 2**63, 2**64 - 1, 99_99_999])
def test_safetensors_header_length(net: Net, length: int) -> None:
    path = write_header(
        net.folder / "a.safetensors", {"dense.bias": entry([16], 0, 64)}, length=length
    )
    net.refused(path, "SF500")


def test_safetensors_good(net: Net) -> None:
    """The lies above differ from this in one point each."""
    good = {"dense.weight": entry([4, 3], 0, 48), "dense.bias": entry([4], 48, 64)}
    data = KERNEL.T.tobytes() + BIAS.tobytes()
    path = write_header(net.folder / "a.safetensors", good, data)
    assert np.array_equal(net.accepted(path)["dense.bias"], BIAS)


# -- .pt ---------------------------------------------------------------------------------------


def torch_file(path: Path, program: bytes, data: bytes = bytes(64), **members: bytes) -> Path:
    return archive(path, {"x/data.pkl": program, "x/data/0": data, **members})


def tensor(
    shape: str = "K\x04K\x03\x86", strides: str = "K\x03K\x01\x86", offset: str = "K\x00"
) -> bytes:
    """Opcodes of a tensor over the storage 0."""
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
        b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x10tQ"
        + (offset + shape + strides).encode("latin-1")
        + b"\x89ccollections\nOrderedDict\n)RtR"
    )


def mapping(**values: bytes) -> bytes:
    keys = (
        b"X" + struct.pack("<I", len(key) + 6) + b"dense." + key.encode() + v
        for key, v in values.items()
    )
    return b"\x80\x02}(" + b"".join(keys) + b"u."


BIAS_OPCODES = tensor("K\x04\x85", "K\x01\x85", "K\x0c")


def test_torch_good(net: Net) -> None:
    data = KERNEL.T.tobytes() + BIAS.tobytes()
    path = torch_file(net.folder / "a.pt", mapping(weight=tensor(), bias=BIAS_OPCODES), data)
    found = net.accepted(path)
    assert np.array_equal(found["dense.weight"], KERNEL.T)
    assert np.array_equal(found["dense.bias"], BIAS)


class Runs:
    """Unpickled, it makes a file."""

    def __init__(self, sentinel: Path) -> None:
        self.sentinel = sentinel

    def __reduce__(self) -> Any:
        return (Path.touch, (self.sentinel,))


class RunsByOs(Runs):
    def __reduce__(self) -> Any:
        import os

        return (os.system, (f"touch {self.sentinel}",))


class RunsByExec(Runs):
    def __reduce__(self) -> Any:
        return (exec, (f"open({str(self.sentinel)!r}, 'w')",))


@pytest.mark.parametrize("kind", [Runs, RunsByOs, RunsByExec])
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_pickle_runs_nothing(net: Net, kind: Any, protocol: int) -> None:
    sentinel = net.folder / "sentinel"
    pickled = pickle.dumps({"weight": kind(sentinel)}, protocol)
    net.refused(torch_file(net.folder / "a.pt", pickled), "SF505")
    bare = net.folder / "bare.pt"
    bare.write_bytes(pickled)
    net.refused(bare, "SF505" if protocol >= 2 else "SF500")
    assert not sentinel.exists()
    pickle.loads(pickled)
    assert sentinel.exists()


GLOBALS = b"cbuiltins\neval\n(X\x03\x00\x00\x001+1tR"
PROGRAMS: dict[str, tuple[bytes, str]] = {
    "calls a builtin": (mapping(weight=GLOBALS), "SF505"),
    "names a module's own names": (
        mapping(weight=b"cnumpy.core.multiarray\n_reconstruct\n"),
        "SF505",
    ),
    "a path through a known name": (
        mapping(weight=b"ccollections\nOrderedDict.__init__\n"),
        "SF505",
    ),
    "an extension": (mapping(weight=b"\x82\x01"), "SF505"),
    "a class instance": (mapping(weight=b"(icollections\nOrderedDict\n"), "SF505"),
    "NEWOBJ": (mapping(weight=b"ccollections\nOrderedDict\n)\x81"), "SF505"),
    "calls a text": (mapping(weight=b"X\x01\x00\x00\x00a)R"), "SF505"),
    "numbers": (mapping(weight=b"K\x01"), "SF504"),
    "no mapping": (b"\x80\x02K\x01.", "SF504"),
    "cut off": (mapping(weight=tensor())[:-40], "SF500"),
    "no stop": (mapping(weight=tensor())[:-1], "SF500"),
    "nothing": (b"", "SF500"),
    "an opcode that no tensor needs": (b"\x80\x020.", "SF505"),
    "an empty stack": (b"\x80\x02a.", "SF500"),
    "no mark": (b"\x80\x02}u.", "SF500"),
    "an unknown opcode": (b"\x80\x02\xff.", "SF500"),
    "a memo that is not there": (b"\x80\x02h\x07.", "SF500"),
    "a memo of 2^31 places": (b"\x80\x02}r\xff\xff\xff\x7f.", "SF501"),
    "a text of 2^60 bytes": (b"\x80\x04\x8d" + struct.pack("<Q", 2**60) + b".", "SF500"),
    "bytes of 2^40": (b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b".", "SF500"),
    "a deep key": (b"\x80\x02}K\x01" + b"\x85" * 100_000 + b"K\x01s.", "SF500"),
    "a wide key": (b"\x80\x02}K\x01" + b"q\x00h\x00\x86" * 200 + b"K\x01s.", "SF500"),
    "a list as a key": (b"\x80\x02}]K\x01s.", "SF500"),
    "deep lists": (b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".", "SF504"),
    "more sizes than steps": (
        mapping(weight=tensor(strides="K\x01\x85"), bias=BIAS_OPCODES),
        "SF500",
    ),
    "a negative offset": (
        mapping(weight=tensor(offset="J\xff\xff\xff\xff"), bias=BIAS_OPCODES),
        "SF500",
    ),
    "an offset past the end": (
        mapping(weight=tensor(offset="M\x00\x40"), bias=BIAS_OPCODES),
        "SF500",
    ),
    "steps past the end": (
        mapping(weight=tensor(strides="M\x00\x40K\x01\x86"), bias=BIAS_OPCODES),
        "SF500",
    ),
    "negative steps": (
        mapping(weight=tensor(strides="J\xff\xff\xff\xffK\x01\x86"), bias=BIAS_OPCODES),
        "SF500",
    ),
    "text for sizes": (mapping(weight=tensor(shape="X\x01\x00\x00\x00a")), "SF500"),
    "a tensor rewritten": (
        mapping(
            weight=tensor() + b"}X\x06\x00\x00\x00offsetJ\x00\x00\x00\x80sb", bias=BIAS_OPCODES
        ),
        "SF505",
    ),
}


DEEP = ("a deep key", "deep lists")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in DEEP else n for n in PROGRAMS]
)
def test_torch_programs(net: Net, name: str) -> None:
    program, code = PROGRAMS[name]
    net.refused(torch_file(net.folder / "a.pt", program), code)


def test_torch_bombs(net: Net) -> None:
    """Members that unpack to far more than is there."""
    good = mapping(weight=tensor(), bias=BIAS_OPCODES)
    path = net.folder / "a.pt"
    for name in ("x/data.pkl", "x/byteorder"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
            if name != "x/data.pkl":
                file.writestr("x/data.pkl", good)
            with file.open(name, "w") as stream:
                for _ in range(80):
                    stream.write(bytes(2**20))
        net.refused(path, "SF505")


@pytest.mark.parametrize("size", [2**32 - 2, 2**20])
def test_torch_declared_sizes(net: Net, size: int) -> None:
    path = torch_file(net.folder / "a.pt", mapping(weight=tensor(), bias=BIAS_OPCODES))
    lie(path, packed=size, unpacked=size)
    net.refused(path, "SF500")


def test_torch_compressed(net: Net) -> None:
    """PyTorch stores plainly; anything else is somebody's bomb."""
    members = {"x/data.pkl": mapping(weight=tensor(), bias=BIAS_OPCODES), "x/data/0": bytes(64)}
    net.refused(archive(net.folder / "a.pt", members, zipfile.ZIP_DEFLATED), "SF500")


def test_torch_checkpoint_with_other_keys(net: Net) -> None:
    """An optimizer's state has numbers as keys."""
    import torch

    path = net.folder / "a.pt"
    state = OrderedDict(
        {"dense.weight": torch.tensor(KERNEL.T.copy()), "dense.bias": torch.tensor(BIAS)}
    )
    for protocol in (2, 4, 5):
        whole = {
            "epoch": 3,
            "loss": 0.25,
            "name": "net",
            "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}, "betas": (0.9, 0.99)},
            "model_state_dict": state,
        }
        torch.save(whole, path, pickle_protocol=protocol)
        assert np.array_equal(net.accepted(path)["dense.weight"], KERNEL.T)


# -- numbers -----------------------------------------------------------------------------------

SPECIAL = np.array([[np.nan, np.inf, -np.inf, -0.0], [1e-45, 3.4e38, 0, 1], [2, 3, 4, 5]], "f4")


def test_nan_passes(net: Net) -> None:
    """Every bit pattern comes through every format unharmed."""
    bits = SPECIAL.view("u4").copy()
    bits[2] = [0x7FC12345, 0xFFC00001, 0x7F800001, 0x80000001]  # NaNs with a message, a denormal
    odd = bits.view("f4")
    with h5py.File(net.h5, "a") as file:
        file[PLACE][...] = odd
    names = ("a.safetensors", "a.pt", "back.weights.h5", "b.pt", "b.safetensors")
    source = net.h5
    for name in names:
        dest = net.folder / name
        assert net.run(source, dest).exit_code == 0
        source = dest
    with h5py.File(net.folder / "back.weights.h5") as file:
        assert file[PLACE][()].tobytes() == bits.tobytes()
    assert safetensors.read(source)["dense.weight"].read().tobytes() == bits.T.tobytes()


@pytest.mark.parametrize("kind", ["f2", "f8", ">f4", ">f8"])
def test_other_precision(net: Net, kind: str) -> None:
    """Numbers of another precision are carried over as they are, both ways; bytes are ordered."""
    values = (KERNEL / 7).astype(kind)
    for path in in_both_layouts(net, lambda file, place: file.create_dataset(place, data=values)):
        found = net.accepted(path)["dense.weight"]
        assert found.dtype == np.dtype(kind).newbyteorder("<")
        assert np.array_equal(found, values.T)
        assert net.run(net.folder / "accepted.safetensors", net.folder / "b.pt").exit_code == 0
        assert net.run(net.folder / "b.pt", net.folder / "b.weights.h5").exit_code == 0
        with h5py.File(net.folder / "b.weights.h5") as file:
            assert np.array_equal(file[PLACE][()], values)


# -- anything ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt", "a.keras", "packed.keras"])
def test_random_damage(net: Net, name: str) -> None:
    """Bytes changed, cut out and doubled: a finding or weights, never another exception."""
    source, dest = net.folder / name, net.folder / "dest.weights.h5"
    if name.endswith(".keras"):
        kind = zipfile.ZIP_DEFLATED if "packed" in name else zipfile.ZIP_STORED
        archive(source, {"model.weights.h5": net.h5.read_bytes()}, kind)
    else:
        convert(net.graph, net.h5, source)
    good = source.read_bytes()
    rng = np.random.default_rng(len(name))
    refused = 0
    for _ in range(150):
        data = bytearray(good)
        # Nothing inside HDF5 itself is damaged: the archive's checksum stands before it.
        for _ in range(rng.integers(1, 4)):
            place = int(rng.integers(len(data)))
            match rng.integers(3):
                case 0:
                    data[place] = int(rng.integers(256))
                case 1:
                    del data[place : place + int(rng.integers(1, 9))]
                case _:
                    data[place:place] = data[place : place + int(rng.integers(1, 9))]
        source.write_bytes(data)
        try:
            convert(net.graph, source, dest)
        except SpecError as error:
            refused += 1
            others = [d for d in error.diagnostics if not d.code.startswith("SF50")]
            if others:
                raise
            assert not dest.exists()
        dest.unlink(missing_ok=True)
    assert refused > 75


def test_extra_tensors_are_named(net: Net) -> None:
    path = net.folder / "a.safetensors"
    arrays = {"dense.weight": KERNEL.T, "dense.bias": BIAS, "extra": BIAS, "other.0": BIAS}
    safetensors.write(path, [Tensor(k, v.shape, v.dtype, lambda v=v: v) for k, v in arrays.items()])
    message = net.refused(path, "SF502")
    assert "received extra\n" in message
    assert "received other.0\n" in message


def test_numbers_of_groups() -> None:
    """Names that look like numbers to Python, but are none, or too long to convert."""
    assert keras3.number("12") == 12
    assert [keras3.number(text) for text in ("\u00b2", "\u0663", "9" * 5000, "", "-1")] == [
        None
    ] * 5
