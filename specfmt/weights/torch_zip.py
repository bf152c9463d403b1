"""``.pt`` files, the zip archives of `torch.save`, read and written without PyTorch.

The archive holds ``data.pkl``, a pickle whose tensors refer to storages, and a member per storage.
The pickle is read by `specfmt.weights.pickles`, which calls nothing and accepts less than PyTorch
does with ``weights_only=True``.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np

from specfmt.weights.arrays import Array, widen_bfloat16, write_array
from specfmt.weights.pickles import STORAGES, UnsafeError, View, load
from specfmt.weights.problems import fail, unreadable
from specfmt.weights.sources import Stored, Tensor

NAMES: Final = {np.dtype(k): n for n, k in STORAGES.items() if k != "bfloat16"}
NESTED: Final = ("state_dict", "model_state_dict", "model", "module", "net", "network", "weights")
"""The keys under which checkpoints of training loops keep the `state_dict`."""

MAX_NESTING: Final = 4
"""The deepest nesting of these mappings."""

MAX_PICKLE: Final = 16 * 2**20
MAX_BYTEORDER: Final = 16
WHAT: Final = "a .pt file of torch.save"
SAFE_HINT: Final = "save only the weights: torch.save(model.state_dict(), 'weights.pt')"


def read(file: Path, stack: ExitStack) -> Mapping[str, Stored]:
    """The tensors of a file, to be read on demand.

    Args:
        file: The file.
        stack: Keeps it open, so that its list of members is read once, not for every tensor.

    Raises:
        SpecError: SF500 if the file is damaged, SF504 if it contains no tensors, SF505 if loading
            it could run code.
    """
    try:
        archive = stack.enter_context(zipfile.ZipFile(file))
        names = [n for n in archive.namelist() if n.endswith("/data.pkl")]
        if len(names) != 1:
            unreadable(file, WHAT, "it has no data.pkl")
        folder = names[0].removesuffix("data.pkl")
        if archive.getinfo(names[0]).file_size > MAX_PICKLE:
            fail("SF505", f"expected a small {names[0]}, received a huge one", file, SAFE_HINT)
        order = f"{folder}byteorder"
        if order in archive.namelist():
            if archive.getinfo(order).file_size > MAX_BYTEORDER:
                fail("SF505", f"expected one word in {order}, received more", file, SAFE_HINT)
            if archive.read(order) != b"little":
                unreadable(file, WHAT, "its numbers are big-endian")
        value = load(archive.read(names[0]))
        whole = file.stat().st_size
        stored = [i for i in archive.infolist() if i.compress_type == zipfile.ZIP_STORED]
        # A member whose stated size exceeds that of the file cannot be complete.
        sizes = {i.filename: i.file_size for i in stored if i.file_size <= whole}
    except UnsafeError as error:
        fail("SF505", f"expected only tensors, received {error}", file, SAFE_HINT)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        LookupError,
        ValueError,
        TypeError,
        NotImplementedError,
        RuntimeError,
        OSError,
        struct.error,
    ) as error:
        unreadable(file, WHAT, error)
    found = {}
    for key, view in _tensors(value, file).items():
        kind = view.storage.kind
        dtype = np.dtype("<u2" if kind == "bfloat16" else kind)
        member = f"{folder}data/{view.storage.member}"
        last = view.offset + sum((n - 1) * s for n, s in zip(view.shape, view.strides, strict=True))
        if prod(view.shape) and (last + 1) * dtype.itemsize > sizes.get(member, 0):
            unreadable(file, WHAT, f"the data of {key} is incomplete")
        given = np.dtype("f4") if kind == "bfloat16" else dtype
        values = partial(_read, archive, file, member, view, dtype)
        found[key] = Stored(view.shape, given, values, key)
    return found


def _tensors(value: Any, file: Path) -> dict[str, View]:
    """The `state_dict`, also inside a checkpoint, whose other parts are ignored."""
    for _ in range(MAX_NESTING):
        if not isinstance(value, dict) or any(isinstance(v, View) for v in value.values()):
            break
        inner = next((value[n] for n in NESTED if isinstance(value.get(n), dict)), None)
        if inner is None:
            break
        value = inner
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        fail("SF504", "expected a mapping of tensors, received something else", file, SAFE_HINT)
    others = [key for key, item in value.items() if not isinstance(item, View)]
    if others:
        fail("SF504", f"expected only tensors, received {others[0]}", file, SAFE_HINT)
    return value


def _read(
    archive: zipfile.ZipFile, file: Path, member: str, view: View, dtype: np.dtype[Any]
) -> Array:
    if not prod(view.shape):
        return np.empty(view.shape, np.float32 if view.storage.kind == "bfloat16" else dtype)
    try:
        info = archive.getinfo(member)
        values = np.empty(info.file_size // dtype.itemsize, dtype)
        target = values.view(np.uint8).data
        with archive.open(info) as stream:
            done = 0
            while done < len(target):
                got = stream.readinto(target[done : done + 2**22])  # type: ignore[attr-defined]
                if not got:
                    raise EOFError("the member is truncated")
                done += got
            stream.read(1)  # the checksum is compared at the end of the member
    except (zipfile.BadZipFile, EOFError, KeyError, RuntimeError, OSError, ValueError) as error:
        unreadable(file, WHAT, error)
    steps = tuple(step * dtype.itemsize for step in view.strides)
    array = np.lib.stride_tricks.as_strided(
        values[view.offset :], view.shape, steps, writeable=False
    )
    return widen_bfloat16(array) if view.storage.kind == "bfloat16" else array


def write(path: Path, tensors: Iterable[Tensor]) -> None:
    """Write a `state_dict` that `torch.load` reads, one tensor at a time."""
    entries = list(tensors)
    for tensor in entries:
        if tensor.dtype.newbyteorder("<") not in NAMES:
            fail("SF504", f"expected numbers for {tensor.key}, received {tensor.dtype}", path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("weights/data.pkl", b"".join(_pickle(entries)))
        archive.writestr("weights/byteorder", b"little")
        for index, tensor in enumerate(entries):
            info = zipfile.ZipInfo(f"weights/data/{index}")
            with archive.open(info, "w", force_zip64=True) as stream:
                write_array(stream, tensor.value())  # type: ignore[arg-type]
        archive.writestr("weights/version", b"3\n")


def _pickle(entries: list[Tensor]) -> Iterator[bytes]:
    """The pickle of an `OrderedDict` of tensors, opcode by opcode (protocol 2)."""
    empty_dict = b"ccollections\nOrderedDict\n)R"
    yield b"\x80\x02" + empty_dict + b"("
    for index, tensor in enumerate(entries):
        storage = NAMES[tensor.dtype.newbyteorder("<")]
        strides = [prod(tensor.shape[i + 1 :]) for i in range(len(tensor.shape))]
        yield _text(tensor.key) + b"ctorch._utils\n_rebuild_tensor_v2\n("
        yield b"(" + _text("storage") + f"ctorch\n{storage}\n".encode() + _text(str(index))
        yield _text("cpu") + _integer(prod(tensor.shape)) + b"tQ" + _integer(0)
        yield b"(" + b"".join(map(_integer, tensor.shape)) + b"t"
        yield b"(" + b"".join(map(_integer, strides)) + b"t"
        yield b"\x89" + empty_dict + b"tR"
    yield b"u."


def _text(value: str) -> bytes:
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def _integer(value: int) -> bytes:
    if value < 2**31:
        return b"J" + struct.pack("<i", value)
    data = value.to_bytes(9, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data
