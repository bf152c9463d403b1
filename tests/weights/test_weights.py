"""Trained weights across and back: every layer, every format, every way a file can be wrong."""

from __future__ import annotations

import io
import json
import pickle
import struct
import subprocess
import sys
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from specfmt.diagnostics import SpecError
from specfmt.graph.keras_order import walk_layers
from specfmt.parity.inputs import random_weights
from specfmt.targets.torch.graph_lowering import lower_graph
from specfmt.targets.torch.program import Options
from specfmt.weights import keras_h5, npz, safetensors, torch_zip
from specfmt.weights.convert import convert
from specfmt.weights.sources import Tensor
from tests.layers.test_cases import table
from tests.tools.harness import Case, build_graph
from tests.tools.weights_tools import check_files

DOCUMENT: dict[str, Any] = {
    "specfmt": 1,
    "name": "net",
    "inputs": {"image": {"shape": [6, 5, 2]}},
    "layers": [
        {"type": "Conv2D", "name": "conv", "filters": 3, "kernel_size": 3},
        {"type": "BatchNormalization", "name": "norm"},
        {"type": "Flatten", "name": "flat"},
        {"type": "Dense", "name": "dense", "units": 4},
    ],
}


@pytest.fixture
def graph() -> Any:
    return build_graph(DOCUMENT)


@pytest.fixture
def keras_file(graph: Any, tmp_path: Path) -> Path:
    """A ``.weights.h5`` of the model, written without Keras."""
    rng = np.random.default_rng(0)
    path = tmp_path / "net.weights.h5"
    units = [
        (u, lambda u=u: {w.name: rng.standard_normal(w.shape).astype("f4") for w in u.weights})
        for u in graph.units
        if u.weights
    ]
    keras_h5.write(path, graph, units)
    return path


def codes(graph: Any, source: Path, dest: Path) -> list[str]:
    """The codes of the findings; the destination must not be there afterwards."""
    with pytest.raises(SpecError) as caught:
        convert(graph, source, dest)
    assert not dest.exists()
    assert [p.name for p in dest.parent.iterdir() if p.name.startswith(".")] == []
    return [d.code for d in caught.value.diagnostics]


@pytest.mark.slow
@pytest.mark.parametrize("case", [c for c in table() if c.torch], ids=str)
def test_every_layer(case: Case, tmp_path: Path) -> None:
    """Keras files to torch and back, bit for bit, with the groups that Keras writes."""
    check_files(case, tmp_path)


def test_round_trip(graph: Any, keras_file: Path, tmp_path: Path) -> None:
    """Keras -> safetensors -> pt -> Keras -> safetensors, without a framework."""
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    pickled, back = tmp_path / "a.pt", tmp_path / "b.weights.h5"
    assert convert(graph, keras_file, first) == 9
    convert(graph, first, pickled)
    convert(graph, pickled, back)
    convert(graph, back, second)
    assert first.read_bytes() == second.read_bytes()
    with h5py.File(keras_file) as a, h5py.File(back) as b:
        names: list[str] = []
        a.visititems(
            lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
        )
        assert len(names) == 8
        for name in names:
            assert np.array_equal(a[name][()], b[name][()]), name


def test_official_readers(graph: Any, keras_file: Path, tmp_path: Path) -> None:
    """What is written by hand, the formats' own libraries read."""
    import safetensors.numpy as official
    import torch

    a, b = tmp_path / "a.safetensors", tmp_path / "a.pt"
    convert(graph, keras_file, a)
    convert(graph, keras_file, b)
    ours = official.load_file(a)
    theirs = torch.load(b, weights_only=True)
    assert list(theirs) == [p.key for p in lower_graph(graph, Options()).parameters()]
    for key, tensor in theirs.items():
        assert np.array_equal(ours[key], tensor.numpy())


def test_flatten_follows_layout(graph: Any, keras_file: Path, tmp_path: Path) -> None:
    """The kernel after a Flatten is permuted, not the pictures."""
    dest = tmp_path / "a.safetensors"
    convert(graph, keras_file, dest)
    kernel = safetensors.read(dest)["dense.weight"].read()
    with h5py.File(keras_file) as file:
        keras = file["layers/dense/vars/0"][()]
    assert np.array_equal(kernel, keras.reshape(4, 3, 3, 4).transpose(2, 0, 1, 3).reshape(36, 4).T)


def test_missing(graph: Any, keras_file: Path, tmp_path: Path) -> None:
    with h5py.File(keras_file, "a") as file:
        del file["layers/conv2d/vars/1"], file["layers/dense"]
    with pytest.raises(SpecError) as caught:
        convert(graph, keras_file, tmp_path / "a.pt")
    assert [d.code for d in caught.value.diagnostics] == ["SF501"] * 3
    assert "conv/bias (3,) at layers/conv2d/vars/1, which the file does not have" in str(
        caught.value
    )


def test_unused_weight(graph: Any, keras_file: Path, tmp_path: Path) -> None:
    with h5py.File(keras_file, "a") as file:
        file["layers/conv2d/vars/2"] = np.zeros(3, "f4")
        file["optimizer/vars/0"] = np.zeros(3, "f4")
        file["layers/dropout/seed_generator/vars/0"] = np.zeros(2, "u4")
    assert codes(graph, keras_file, tmp_path / "a.pt") == ["SF502"]


def test_wrong_shape(graph: Any, keras_file: Path, tmp_path: Path) -> None:
    with h5py.File(keras_file, "a") as file:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = np.zeros((35, 4), "f4")
    assert codes(graph, keras_file, tmp_path / "a.pt") == ["SF503"]


def test_torch_side_is_checked(graph: Any, keras_file: Path, tmp_path: Path) -> None:
    """Missing, left over and misshapen in one go, from a torch file."""
    source, dest = tmp_path / "a.safetensors", tmp_path / "b.weights.h5"
    convert(graph, keras_file, source)
    kept = {k: s.read() for k, s in safetensors.read(source).items() if k != "conv.bias"}
    kept["dense.bias"] = np.zeros(5, "f4")
    kept["extra"] = np.zeros(1, "f4")
    safetensors.write(source, [Tensor(k, v.shape, v.dtype, lambda v=v: v) for k, v in kept.items()])
    assert codes(graph, source, dest) == ["SF501", "SF503", "SF502"]


@pytest.mark.parametrize("kind", ["net.weights.h5", "a.safetensors", "a.pt"])
@pytest.mark.parametrize("part", [0.05, 0.5, 0.97])
def test_truncated(graph: Any, keras_file: Path, tmp_path: Path, kind: str, part: float) -> None:
    source = tmp_path / kind
    if kind != keras_file.name:
        convert(graph, keras_file, source)
    whole = source.read_bytes()
    source.write_bytes(whole[: int(part * len(whole))])
    dest = tmp_path / "out" / "b.safetensors"
    dest.parent.mkdir()
    assert set(codes(graph, source, dest)) == {"SF500"}


def test_corrupt_bytes(graph: Any, keras_file: Path, tmp_path: Path) -> None:
    """Archives have checksums: a turned bit in the numbers is found."""
    source = tmp_path / "a.pt"
    convert(graph, keras_file, source)
    with zipfile.ZipFile(source) as archive:
        info = archive.getinfo("weights/data/0")
    data = bytearray(source.read_bytes())
    data[info.header_offset + 90] ^= 1
    source.write_bytes(data)
    assert codes(graph, source, tmp_path / "b.weights.h5") == ["SF500"]


def test_keras_archive_checksum(graph: Any, keras_file: Path, tmp_path: Path) -> None:
    archive = tmp_path / "net.keras"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(keras_file, "model.weights.h5")
    dest = tmp_path / "a.safetensors"
    convert(graph, archive, dest)
    dest.unlink()
    data = bytearray(archive.read_bytes())
    data[2500] ^= 255
    archive.write_bytes(data)
    assert codes(graph, archive, dest) == ["SF500"]


def test_compressed_archive(graph: Any, keras_file: Path, tmp_path: Path) -> None:
    archive, a, b = tmp_path / "net.keras", tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.write(keras_file, "model.weights.h5")
    convert(graph, archive, a)
    convert(graph, keras_file, b)
    assert a.read_bytes() == b.read_bytes()


class Evil:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("/tmp/specfmt-was-here"),))


def torch_archive(path: Path, value: Any) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", pickle.dumps(value, 2))


def test_pickled_code(graph: Any, tmp_path: Path) -> None:
    """Nothing is called that a pickle names."""
    source, dest = tmp_path / "a.pt", tmp_path / "b.weights.h5"
    torch_archive(source, {"conv.weight": Evil()})
    assert codes(graph, source, dest) == ["SF505"]
    source.write_bytes(pickle.dumps(Evil(), 2))
    assert codes(graph, source, dest) == ["SF505"]
    assert not Path("/tmp/specfmt-was-here").exists()
    torch_archive(source, {"conv.weight": 3})
    assert codes(graph, source, dest) == ["SF504"]
    torch_archive(source, [1, 2])
    assert codes(graph, source, dest) == ["SF504"]


def test_checkpoint_of_a_training_loop(graph: Any, keras_file: Path, tmp_path: Path) -> None:
    """``{"state_dict": ..., "epoch": 3}`` and a Parameter are understood."""
    import torch

    plain, dest = tmp_path / "a.pt", tmp_path / "a.safetensors"
    convert(graph, keras_file, plain)
    convert(graph, keras_file, dest)
    expected = dest.read_bytes()
    state = {
        k: torch.nn.Parameter(v, requires_grad=v.is_floating_point())
        for k, v in torch.load(plain).items()
    }
    torch.save({"epoch": 3, "state_dict": state}, plain)
    convert(graph, plain, dest)
    assert dest.read_bytes() == expected


def test_links_are_refused(graph: Any, keras_file: Path, tmp_path: Path) -> None:
    with h5py.File(keras_file, "a") as file:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = h5py.ExternalLink("/etc/passwd", "/x")
    assert codes(graph, keras_file, tmp_path / "a.pt") == ["SF505"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello, world, this is text",
        b"\x00" * 64,
        struct.pack("<Q", 10**15) + b"{}",
        b"PK\x03\x04" + b"x" * 50,
    ],
)
def test_not_a_weight_file(graph: Any, tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "a.safetensors"
    source.write_bytes(content)
    assert codes(graph, source, tmp_path / "b.pt") == ["SF500"]


def test_safetensors_header(graph: Any, tmp_path: Path) -> None:
    """Offsets outside the file, sizes that do not fit, numbers nobody knows."""
    source = tmp_path / "a.safetensors"
    for entry, code in (
        ({"dtype": "F32", "shape": [3], "data_offsets": [0, 1000]}, "SF500"),
        ({"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}, "SF500"),
        ({"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]}, "SF500"),
        ({"dtype": "F8_E4M3", "shape": [12], "data_offsets": [0, 12]}, "SF504"),
        ({"shape": [12]}, "SF500"),
    ):
        header = json.dumps({"conv.bias": entry}).encode()
        source.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 12)
        assert codes(graph, source, tmp_path / "b.pt") == [code], entry


def test_bfloat16(tmp_path: Path) -> None:
    """bfloat16 is widened exactly, from both formats."""
    import torch

    values = torch.randn(5, 3).to(torch.bfloat16)
    path = tmp_path / "a.pt"
    torch.save({"w": values}, path)
    with ExitStack() as stack:
        found = torch_zip.read(path, stack)
        assert np.array_equal(found["w"].read(), values.float().numpy())
    from safetensors.torch import save_file

    other = tmp_path / "a.safetensors"
    save_file({"w": values}, other)
    assert np.array_equal(safetensors.read(other)["w"].read(), values.float().numpy())


def test_strided_tensor(tmp_path: Path) -> None:
    """A transposed view and a slice of a larger storage."""
    import torch

    base = torch.arange(24.0).reshape(4, 6)
    torch.save({"t": base.T, "s": base[1:3, 2:5]}, tmp_path / "a.pt")
    with ExitStack() as stack:
        found = torch_zip.read(tmp_path / "a.pt", stack)
        assert np.array_equal(found["t"].read(), base.T.numpy())
        assert np.array_equal(found["s"].read(), base[1:3, 2:5].numpy())


@pytest.mark.parametrize("kind", ["pt", "npz"])
def test_archive_is_opened_once(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening an archive reads the list of all its members: once, not for every weight."""
    path = tmp_path / f"many.{kind}"
    arrays = {f"w{i}": np.full((2,), i, "f4") for i in range(50)}
    if kind == "npz":
        np.savez(path, **arrays)  # type: ignore[arg-type]
    else:
        torch_zip.write(
            path, [Tensor(k, v.shape, v.dtype, lambda v=v: v) for k, v in arrays.items()]
        )
    opened = []

    class Counted(zipfile.ZipFile):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            opened.append(self)

    monkeypatch.setattr(zipfile, "ZipFile", Counted)
    with ExitStack() as stack:
        found = (npz if kind == "npz" else torch_zip).read(path, stack)
        for key, array in arrays.items():
            assert np.array_equal(found[key].read(), array)
    assert len(opened) == 1
    assert opened[0].fp is None  # closed with the stack


def test_unknown_destination(graph: Any, keras_file: Path, tmp_path: Path) -> None:
    assert codes(graph, keras_file, tmp_path / "a.onnx") == ["SF506"]


def test_frozen_constant(tmp_path: Path) -> None:
    """An LSTM's second bias is zero; a file that says otherwise is refused."""
    document = {
        "specfmt": 1,
        "inputs": {"x": {"shape": [4, 3]}},
        "layers": [{"type": "LSTM", "units": 2}],
    }
    graph = build_graph(document)
    program = lower_graph(graph, Options())
    arrays = {p.key: np.ones(p.value.shape, "f4") for p in program.parameters()}
    source = tmp_path / "a.safetensors"
    safetensors.write(
        source, [Tensor(k, v.shape, v.dtype, lambda v=v: v) for k, v in arrays.items()]
    )
    assert codes(graph, source, tmp_path / "b.weights.h5") == ["SF507"]


def test_dest_survives_a_failure(
    graph: Any, keras_file: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    """What stood there stays when writing fails halfway."""
    dest = tmp_path / "a.safetensors"
    dest.write_bytes(b"before")

    def broken(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("specfmt.weights.safetensors.write_array", broken)
    with pytest.raises(OSError, match="No space"):
        convert(graph, keras_file, dest)
    assert dest.read_bytes() == b"before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.safetensors", "net.weights.h5"]


def test_no_framework_is_imported(keras_file: Path, tmp_path: Path) -> None:
    """Neither framework, nor safetensors' own library, for any format."""
    spec = tmp_path / "net.json"
    spec.write_text(json.dumps(DOCUMENT))
    code = (
        "import sys, specfmt; spec = specfmt.load(sys.argv[1])\n"
        "for a, b in zip(sys.argv[2:], sys.argv[3:]): specfmt.convert_weights(spec, a, b)\n"
        "bad = {'torch', 'tensorflow', 'keras', 'safetensors'} & set(sys.modules)\n"
        "assert not bad, bad"
    )
    files = [keras_file, *(tmp_path / n for n in ("a.safetensors", "b.pt", "c.weights.h5"))]
    done = subprocess.run(
        [sys.executable, "-c", code, spec, *files], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_window_reads_any_place(tmp_path: Path) -> None:
    from specfmt.formats.source.survey import Window

    path = tmp_path / "x"
    path.write_bytes(bytes(range(100)))
    with path.open("rb") as stream:
        window = io.BufferedReader(Window(stream, 10, 50))
        assert window.read() == bytes(range(10, 60))
        window.seek(-5, io.SEEK_END)
        assert window.read(100) == bytes(range(55, 60))
        window.seek(3)
        assert window.read(2) == b"\x0d\x0e"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory in kilobytes")
def test_memory(tmp_path: Path) -> None:
    """A conversion holds one copy of its largest tensor, also of one that is permuted."""
    layers = [{"type": "Flatten"}, {"type": "Dense", "units": 1500, "name": "wide"}]
    peaks = {}
    for side in (2, 40):
        document = {
            "specfmt": 1,
            "inputs": {"x": {"shape": [side, side, 16]}},
            "layers": [{"type": "Conv2D", "filters": 16, "kernel_size": 1}, *layers],
        }
        graph = build_graph(document)
        first = tmp_path / f"{side}.weights.h5"
        keras_h5.write(first, graph, random_weights(walk_layers(graph), 0))
        spec = tmp_path / f"{side}.json"
        spec.write_text(json.dumps(document))
        for source, dest in (
            (first, tmp_path / f"{side}.safetensors"),
            (tmp_path / f"{side}.safetensors", tmp_path / f"{side}.back.weights.h5"),
        ):
            peaks[side, dest.suffix] = peak_memory("weights", spec, source, "-o", dest)
    largest = 40 * 40 * 16 * 1500 * 4
    for suffix in (".safetensors", ".h5"):
        held = peaks[40, suffix] - peaks[2, suffix]
        assert 0.9 * largest < held < 1.4 * largest, suffix


def peak_memory(*arguments: object) -> int:
    """Bytes that a command held at most."""
    # A process of its own starts it: the peak of this one would count as its child's.
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [sys.executable, "-m", "specfmt", *map(str, arguments)]
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, check=True)
    return int(done.stdout) * 1024


def test_idf_weights(tmp_path: Path) -> None:
    """Keras 3 loads a lookup layer of mode tf_idf only with its IDF weights, of all indices."""
    words = {"vocabulary": ["x", "y"], "idf_weights": [1.0, 2.0], "output_mode": "tf_idf"}
    document = {
        "specfmt": 1,
        "inputs": {"a": {"shape": [1], "dtype": "string"}},
        "layers": [
            {"type": "StringLookup", "inputs": "a", **words},
            {"type": "TextVectorization", "inputs": "a", **words},
        ],
        "outputs": ["string_lookup", "text_vectorization"],
    }
    keras_h5.write(tmp_path / "w.weights.h5", build_graph(document), [])
    with h5py.File(tmp_path / "w.weights.h5") as file:
        for group in ("string_lookup", "text_vectorization", "text_vectorization/_lookup_layer"):
            assert list(file[f"layers/{group}/vars/idf_weights"]) == [1.5, 1.0, 2.0]
