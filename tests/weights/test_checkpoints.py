"""Checkpoints of TensorFlow, and ``.npz`` files, as sources of weights."""

from __future__ import annotations

import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specfmt.formats.source.checkpoint.checksums import checksum, masked
from specfmt.formats.source.checkpoint.tables import table as read_table
from tests.tools import checkpoint_tools as tools
from tests.weights.test_weights_hostile import BIAS, KERNEL, Net

NODES = [
    ({"layer-0": 1, "layer_with_weights-0": 1, "optimizer": 2}, "", ""),
    ({"kernel": 3, "bias": 4}, "", ""),
    ({"m": 5}, "", ""),
    ({}, "k", "dense/kernel"),
    ({}, "b", "dense/bias"),
    ({}, "m", "Adam/m/dense/kernel"),
]
TENSORS = {"k": KERNEL, "b": BIAS, "m": KERNEL}


@pytest.fixture
def net(tmp_path: Path) -> Net:
    return Net(tmp_path)


def checkpoint(folder: Path, tensors: Any = TENSORS, nodes: Any = NODES) -> Path:
    return tools.write(folder / "ckpt", tensors, tools.objects(nodes))


def same(found: dict[str, np.ndarray]) -> bool:
    return np.array_equal(found["dense.weight"], KERNEL.T) and np.array_equal(
        found["dense.bias"], BIAS
    )


def test_table_with_many_blocks() -> None:
    """Keys that share prefixes, in several blocks."""
    entries = [(f"layer-{i:03d}/kernel".encode(), str(i).encode()) for i in range(100)]
    found = [(key, bytes(value)) for key, value in read_table(tools.table(entries))]
    assert found == entries


@pytest.mark.parametrize(
    "given", ["ckpt", "ckpt.index", "ckpt.data-00000-of-00001", "", "checkpoint"]
)
def test_ways_to_name_it(net: Net, given: str) -> None:
    checkpoint(net.folder)
    state = 'model_checkpoint_path: "C:\\\\train\\\\ckpt"\nall_model_checkpoint_paths: "ckpt"\n'
    (net.folder / "checkpoint").write_text(state)
    assert same(net.accepted(net.folder / given))


def test_several_without_a_state_file(net: Net) -> None:
    checkpoint(net.folder)
    tools.write(net.folder / "later", TENSORS)
    assert "received ckpt, later" in net.refused(net.folder, "SF500")


def test_model_as_an_attribute(net: Net) -> None:
    """`tf.train.Checkpoint(model=model, optimizer=optimizer)`."""
    moved = [
        ({name: child + 1 for name, child in children.items()}, key, full)
        for children, key, full in NODES
    ]
    nodes = [({"optimizer": 3, "save_counter": 7, "net": 1}, "", ""), *moved, ({}, "m", "count")]
    assert same(net.accepted(checkpoint(net.folder, nodes=nodes)))


def test_names_without_objects(net: Net) -> None:
    """TensorFlow 1: slots of optimizers below the variable's name, and their counters."""
    tensors = {
        "dense/kernel": KERNEL,
        "dense/bias": BIAS,
        "dense/kernel/Adam": KERNEL,
        "beta1_power": np.float32(1),
        "training/Adam/dense/bias/v": BIAS,
        "global_step": np.int64(3),
    }
    assert same(net.accepted(tools.write(net.folder / "model.ckpt", tensors)))


def test_bfloat16(net: Net) -> None:
    bits = (KERNEL.view("u4") >> 16).astype("u2")
    found = net.accepted(checkpoint(net.folder, {**TENSORS, "k": bits}))
    assert np.array_equal(found["dense.weight"], KERNEL.T)


def test_other_model(net: Net) -> None:
    """A missing layer, one too many, and another shape are all named."""
    nodes = [*NODES, ({}, "z", "other/kernel")]
    nodes[0] = ({**NODES[0][0], "layer_with_weights-1": 6}, "", "")
    path = checkpoint(net.folder, {**TENSORS, "k": KERNEL.T.copy(), "z": BIAS}, nodes)
    message = net.refused(path, "SF502", "SF503")
    assert "layer_with_weights-1/other/kernel" in message
    assert "expected dense/kernel (3, 4), received (4, 3)" in message


def test_numbers_that_are_none(net: Net) -> None:
    path = checkpoint(net.folder, {**TENSORS, "k": KERNEL.astype("c8")})
    assert "received another dtype" in net.refused(path, "SF504")


# -- partitioned variables -----------------------------------------------------------------

ROWS = [[(0, 2), None], [(2, 1), None]]
GRID = [[(0, 1), (0, 3)], [(0, 1), (3, 1)], [(1, 2), (0, 1)], [(1, 2), (1, 3)]]


@pytest.mark.parametrize("parts", [ROWS, GRID, [[None, None]]])
def test_partitioned(net: Net, parts: Any) -> None:
    others = {"dense/bias": BIAS}
    assert same(
        net.accepted(tools.write_parts(net.folder / "ckpt", "dense/kernel", KERNEL, parts, others))
    )


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        (ROWS[:1], "8 of 12 elements"),
        ([[(0, 2), None], [(1, 1), None]], "slices that overlap"),
        ([[(0, 2), None], [(1, 2), None]], "16 of 12 elements"),
        ([[(0, 3), None], [(3, 0), None], [(3, 1), None]], "ends beyond its tensor"),
        ([[(0, 2), None], [(-(2**62), 2**62), None]], "ends beyond its tensor"),
        ([[(0, 2)]], "another rank"),
    ],
)
def test_parts_that_do_not_fit(net: Net, parts: Any, reason: str) -> None:
    others = {"dense/bias": BIAS}
    path = tools.write_parts(net.folder / "ckpt", "dense/kernel", KERNEL, parts, others)
    assert reason in refused_cheaply(net, path, "SF500")


def test_parts_that_are_not_listed(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "slice_key", lambda name, part: b"\0other" + bytes(part[0]))
    others = {"dense/bias": BIAS}
    path = tools.write_parts(net.folder / "ckpt", "dense/kernel", KERNEL, ROWS, others)
    assert "does not list a slice of dense/kernel" in net.refused(path, "SF500")


# -- checksums -----------------------------------------------------------------------------


def test_checksum() -> None:
    """The test vectors of RFC 3720, B.4; the mask of LevelDB."""
    vectors = [
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ]
    for data, expected in vectors:
        assert checksum(data) == checksum(data[:7], b"", data[7:]) == expected
        assert masked(expected) != expected
        assert masked(expected) == (((expected >> 15) | (expected << 17)) + 0xA282EAD8) % 2**32


@pytest.mark.parametrize("kind", ["a block", "k", "the lengths of its texts", "its texts"])
def test_changed_data(net: Net, kind: str) -> None:
    """One changed byte in each kind of data: blocks, numbers, lengths and content of texts."""
    path = checkpoint(net.folder)
    data = path.with_name("ckpt.data-00000-of-00001")
    packed, _ = tools.texts([tools.objects(NODES)])
    place = {"a block": 4, "k": len(packed) + 40, "the lengths of its texts": 3, "its texts": 20}
    file = path if kind == "a block" else data
    changed = bytearray(file.read_bytes())
    whole = changed[place[kind]]
    changed[place[kind]] ^= 64
    file.write_bytes(changed)
    assert f"the checksum of {kind} is wrong" in net.refused(path, "SF500")
    changed[place[kind]] = whole
    file.write_bytes(changed)
    assert same(net.accepted(path))


def test_without_google_crc32c(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    path = checkpoint(net.folder)
    missing = "google_crc32c"
    monkeypatch.setattr("specfmt.extras.is_installed", lambda module: module != missing)
    done = net.run(path, net.folder / "out.safetensors")
    assert done.exit_code == 1
    assert "error[SF312]: expected google-crc32c to verify the checksums" in done.stderr
    assert 'pip install "specfmt[weights]"' in done.stderr


# -- damaged and hostile checkpoints -------------------------------------------------------


def test_no_data(net: Net) -> None:
    path = checkpoint(net.folder)
    (net.folder / "ckpt.data-00000-of-00001").unlink()
    assert "is not in its folder" in net.refused(path, "SF500")


def test_truncated_anywhere(net: Net) -> None:
    """Every prefix of both files is refused, without a traceback."""
    path = checkpoint(net.folder)
    data = path.with_name("ckpt.data-00000-of-00001")
    for file in (path, data):
        whole = file.read_bytes()
        for length in range(0, len(whole) - 1, max(1, len(whole) // 25)):
            file.write_bytes(whole[:length])
            done = net.run(path, net.folder / "out.safetensors")
            last = file == data and length >= len(whole) - KERNEL.nbytes  # the optimizer's state
            assert done.exit_code == (0 if last else 1), (file, length, done.output)
        file.write_bytes(whole)


def test_damaged_anywhere(net: Net) -> None:
    """Any changed byte gives weights or a finding, quickly."""
    path = checkpoint(net.folder)
    data = path.with_name("ckpt.data-00000-of-00001")
    rng = np.random.default_rng(0)
    start = time.process_time()
    for file in (path, data):
        whole = file.read_bytes()
        for place in rng.integers(0, len(whole), 120):
            changed = bytearray(whole)
            changed[place] ^= int(rng.integers(1, 256))
            file.write_bytes(changed)
            done = net.run(path, net.folder / "out.safetensors")
            assert done.exit_code == 0 or "error[SF5" in done.stderr, done.output
        file.write_bytes(whole)
    assert time.process_time() - start < 30


def refused_cheaply(net: Net, path: Path, *codes: str) -> str:
    """Refused within seconds and a few times the size of the file in memory."""
    size = sum(file.stat().st_size for file in net.folder.glob("ckpt*"))
    start = time.process_time()
    done = net.run(path, net.folder / "out.safetensors")
    seconds = time.process_time() - start
    tracemalloc.start()
    net.run(path, net.folder / "out.safetensors")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert done.exit_code == 1
    assert all(f"error[{code}]" in done.stderr for code in codes), done.stderr
    assert seconds < 3 + size / 2**20
    assert peak < 2**23 + 20 * size
    return str(done.stderr)


def hostile(folder: Path, graph: bytes, entries: Any = ()) -> Path:
    """A checkpoint with these objects, and further raw entries."""
    packed, crc = tools.texts([graph])
    listed = [
        (b"", tools.field(1, 1)),
        (b"_CHECKPOINTABLE_OBJECT_GRAPH", tools.entry(7, (), 0, len(packed), checksum=crc)),
        *entries,
    ]
    (folder / "ckpt.data-00000-of-00001").write_bytes(packed)
    path = folder / "ckpt.index"
    path.write_bytes(tools.table(listed))
    return path


HUGE = 2**62


@pytest.mark.parametrize(
    "entry",
    [
        tools.entry(1, (3, 4), 0, HUGE),
        tools.entry(1, (2**31, 2**31), 0, 2**63),
        tools.entry(1, (3, 4), HUGE, 48),
        tools.entry(1, (3, 4), 0, 48, shard=HUGE),
        tools.entry(1, (1,) * 100, 0, 4),
        tools.entry(1, (2**64 - 1,), 0, 4),
        b"\xff" * 20,
    ],
    ids=["size", "shape", "offset", "shard", "rank", "negative", "noise"],
)
def test_giant_numbers(net: Net, entry: bytes) -> None:
    nodes = tools.objects(NODES)
    bias = tools.entry(1, (4,), 0, 16)
    path = hostile(net.folder, nodes, [(b"b", bias), (b"k", entry)])
    refused_cheaply(net, path, "SF500")


def test_giant_text(net: Net) -> None:
    """Objects whose lengths exceed the file."""
    data = tools.varint(HUGE) + b"crc!"
    entries = [
        (b"", tools.field(1, 1)),
        (b"_CHECKPOINTABLE_OBJECT_GRAPH", tools.entry(7, (), 0, len(data))),
    ]
    (net.folder / "ckpt.data-00000-of-00001").write_bytes(data)
    path = net.folder / "ckpt.index"
    path.write_bytes(tools.table(entries))
    refused_cheaply(net, path, "SF500")


def test_shared_prefixes(net: Net) -> None:
    """Many keys of 16 KB that share a prefix take a few bytes each."""
    content = tools.varint(0) + tools.varint(2**14 - 2) + tools.varint(0) + b"k" * (2**14 - 2)
    content += (tools.varint(2**14 - 2) + tools.varint(1) + tools.varint(0) + b"x") * 200_000
    content += bytes(4) + (1).to_bytes(4, "little")
    index = tools.block([(b"z", tools.varint(0) + tools.varint(len(content)))])
    out = tools.with_trailer(content)
    handles = tools.varint(len(out)) + tools.varint(len(index))
    out += tools.with_trailer(index)
    path = net.folder / "ckpt.index"
    path.write_bytes(out + (handles * 2).ljust(40, b"\0") + tools.MAGIC)
    assert "far more than is stored" in refused_cheaply(net, path, "SF500")


@pytest.mark.slow
def test_one_block_many_times(net: Net) -> None:
    content = tools.block([(f"key-{i}".encode(), b"") for i in range(20_000)])
    handle = tools.varint(0) + tools.varint(len(content))
    index = tools.block([(f"b{i}".encode(), handle) for i in range(20_000)])
    out = tools.with_trailer(content)
    handles = tools.varint(len(out)) + tools.varint(len(index))
    out += tools.with_trailer(index)
    path = net.folder / "ckpt.index"
    path.write_bytes(out + (handles * 2).ljust(40, b"\0") + tools.MAGIC)
    assert "far more than is stored" in refused_cheaply(net, path, "SF500")


@pytest.mark.slow
def test_objects_in_a_circle(net: Net) -> None:
    """Layers that own themselves and each other."""
    children = {f"a{i}": i for i in range(300)}
    nodes = [({"layer_with_weights-0": 0, "layer-0": 0, **children}, "", "")]
    nodes += [(children, "", "") for _ in range(300)]
    refused_cheaply(net, hostile(net.folder, tools.objects(nodes)), "SF501")


@pytest.mark.slow
def test_many_objects(net: Net) -> None:
    """Two bytes per object."""
    path = hostile(net.folder, b"\x0a\x00" * 1_000_000)
    assert "objects" in refused_cheaply(net, path, "SF500")


def test_one_name_for_all(net: Net) -> None:
    """Many variables with the same name, in one layer."""
    names = {f"v{i}": i + 2 for i in range(5000)}
    nodes = [({"layer_with_weights-0": 1, "layer-0": 1}, "", ""), (names, "", "")]
    nodes += [({}, f"k{i}", "dense/kernel") for i in range(5000)]
    bias = tools.entry(1, (4,), 0, 16)
    listed = sorted((f"k{i}".encode(), bias) for i in range(5000))
    refused_cheaply(net, hostile(net.folder, tools.objects(nodes), listed), "SF502")


def test_names_of_many_parts(net: Net) -> None:
    """Tails of a name with thousands of parts are not made one by one."""
    path = net.folder / "ckpt.npz"
    np.savez(path, **{"a/" * 30_000 + "dense/kernel": KERNEL, "dense/bias": BIAS})
    start = time.process_time()
    assert same(net.accepted(path))
    tracemalloc.start()
    net.accepted(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.process_time() - start < 5
    assert peak < 2**24


def test_compressed_blocks(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = tools.with_trailer
    monkeypatch.setattr(tools, "with_trailer", lambda content: plain(content, b"\1"))
    path = checkpoint(net.folder)
    assert "compressed" in net.refused(path, "SF500")


# -- .npz ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ("dense/kernel:0", "dense/bias:0"),
        ("dense/kernel", "dense/bias"),
        ("net/dense/kernel", "net/dense/bias"),
        ("other/kernel", "dense/bias"),
        ("w", "b"),
    ],
)
def test_npz_with_names(net: Net, names: tuple[str, str]) -> None:
    path = net.folder / "weights.npz"
    np.savez(path, **dict(zip(names, (KERNEL, BIAS), strict=True)))
    assert same(net.accepted(path))
    if names[0].startswith("dense"):  # in any order
        np.savez_compressed(path, **dict(zip(names[::-1], (BIAS, KERNEL), strict=True)))
        assert same(net.accepted(path))


def test_npz_by_order(net: Net) -> None:
    path = net.folder / "any_name"
    with path.open("wb") as stream:
        np.savez(stream, KERNEL.astype("f2"), np.asfortranarray(BIAS).astype(">f8"))
    found = net.accepted(path)
    assert found["dense.weight"].dtype == np.float16
    assert np.array_equal(found["dense.bias"], BIAS)


def test_npz_of_another_model(net: Net) -> None:
    path = net.folder / "weights.npz"
    np.savez(path, KERNEL.T, BIAS, BIAS)
    message = net.refused(path, "SF502", "SF503")
    assert "expected dense/kernel (3, 4), received (4, 3) at arr_0" in message
    np.savez(path, KERNEL)
    assert "expected dense/bias (4,)" in net.refused(path, "SF501")
    np.savez(path, **{"dense/kernel": KERNEL, "dense/gamma": BIAS})
    assert "received dense/gamma" in net.refused(path, "SF501", "SF502")


def test_npz_without_numbers(net: Net) -> None:
    path = net.folder / "weights.npz"
    np.savez(path, np.array([KERNEL, BIAS], dtype=object), BIAS.astype("c8"), np.array(["a"]))
    assert net.refused(path, "SF504").count("SF504") == 3
    np.save(net.folder / "w.npy", np.array([KERNEL, BIAS], dtype=object), allow_pickle=True)
    assert "np.savez" in net.refused(net.folder / "w.npy", "SF505")


def test_npz_damaged(net: Net) -> None:
    path = net.folder / "weights.npz"
    np.savez(path, KERNEL, BIAS)
    whole = path.read_bytes()
    for length in range(4, len(whole), 29):
        path.write_bytes(whole[:length])
        net_done = net.run(path, net.folder / "out.safetensors")
        assert net_done.exit_code == 1
        assert "error[SF500]" in net_done.stderr
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(whole), 100):
        changed = bytearray(whole)
        changed[place] ^= int(rng.integers(1, 256))
        path.write_bytes(changed)
        done = net.run(path, net.folder / "out.safetensors")
        assert done.exit_code == 0 or "error[SF5" in done.stderr, done.output


def test_npz_bomb(net: Net) -> None:
    """A header that promises more than there is, and zeros that unpack to 400 MB."""
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999,), }"
    member = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    path = net.folder / "ckpt.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("arr_0.npy", member)
    refused_cheaply(net, path, "SF500")
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("arr_0.npy", "w") as stream,
    ):
        for _ in range(100):
            stream.write(bytes(2**22))
    refused_cheaply(net, path, "SF505")
