"""Conversion of trained weights, by the weight expressions of the PyTorch lowerings."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from specfmt.diagnostics import Diagnostic
from specfmt.files import whole_file
from specfmt.formats.source.checkpoint.bundles import is_index
from specfmt.formats.source.folders import weight_file
from specfmt.graph.assumed import completed
from specfmt.graph.keras_order import walk_layers
from specfmt.graph.model import Graph, Unit
from specfmt.targets.torch.graph_lowering import lower_graph
from specfmt.targets.torch.params import Constant, Counter, Literal, WeightExpr
from specfmt.targets.torch.program import ClassProgram, Options, TorchParam
from specfmt.weights import (
    checkpoints,
    keras3,
    keras_h5,
    legacy_h5,
    npz,
    safetensors,
    torch_zip,
)
from specfmt.weights.archives import Opened, looks_like_map, opened
from specfmt.weights.arrays import Array
from specfmt.weights.by_names import match
from specfmt.weights.hdf5 import readable
from specfmt.weights.prefixes import without_prefixes
from specfmt.weights.problems import fail, missing, problem, raise_all, unused, wrong_shape
from specfmt.weights.sources import KerasWeights, Stored, Tensor, TorchWeights

Progress = Callable[[str, int, int], None]
"""Called before a weight is written, with its name, its size in bytes and the total size."""

TORCH: Final[dict[str, Any]] = {
    ".safetensors": safetensors.write,
    ".pt": torch_zip.write,
    ".pth": torch_zip.write,
}
KERAS: Final = ".weights.h5"
OF_TORCH: Final = ("torch", "safetensors")
"""The kinds of weight files that PyTorch reads and writes."""

HDF5_MAGIC: Final = b"\x89HDF\r\n\x1a\n"


def convert(
    graph: Graph,
    source: Path,
    dest: Path,
    *,
    options: Options | None = None,
    progress: Progress | None = None,
) -> int:
    """Convert a weight file; ``dest`` is replaced when everything is written, or not at all.

    Args:
        graph: The model.
        source: A ``.keras``, ``.weights.h5``, ``.h5``, ``.npz``, ``.safetensors`` or ``.pt`` file,
            recognized by its content, a checkpoint of TensorFlow, or the folder of a SavedModel.
        dest: A ``.safetensors``, ``.pt`` or ``.weights.h5`` file, by its name.
        options: The options that the PyTorch program is generated with.
        progress: Called for each weight.

    Returns:
        The number of tensors written.

    Raises:
        SpecError: With all findings, SF500 to SF508.
        OSError: A file cannot be read or written.
    """
    source = weight_file(source)
    to_keras = dest.name.endswith(KERAS)
    if not to_keras and dest.suffix not in TORCH:
        fail(
            "SF506",
            f"expected a destination named {', '.join(TORCH)} or {KERAS}, received {dest.name}",
            dest,
            "the suffix selects the format",
        )
    _check_place(source, dest)
    program = None
    if to_keras and file_kind(source) not in OF_TORCH:
        graph = completed(graph)  # PyTorch need not be able to compute it
    else:
        program = lower_graph(graph, options or Options())
        graph = program.graph
    with ExitStack() as stack:
        weights = Weights(graph, program, source, stack)
        if to_keras:
            units = list(_progressing_units(weights.keras_units(), progress))
            with whole_file(dest) as temporary:
                keras_h5.write(temporary, graph, units, source)
            return sum(len(unit.weights) for unit, _ in units)
        tensors = list(_progressing(weights.torch_tensors(), progress))
        with whole_file(dest) as temporary:
            TORCH[dest.suffix](temporary, tensors)
        return len(tensors)


def _check_place(source: Path, dest: Path) -> None:
    """Raise SF506 if no file can be written to ``dest``, or it is the source."""
    hint = "give the name of a new file"
    if dest.is_dir():
        fail("SF506", "expected a file as destination, received a folder", dest, hint)
    above = next(folder for folder in dest.absolute().parents if folder.exists())
    if not above.is_dir():
        fail("SF506", f"expected a folder, received the file {above}", dest, hint)
    if dest.exists() and dest.samefile(source):
        message = "expected a destination other than the source, received the same file"
        fail("SF506", message, dest, hint)


class Weights:
    """The weights of a file, for Keras or for PyTorch.

    Args:
        graph: The model.
        program: Its PyTorch program; None if neither the file nor the destination is of PyTorch.
        source: The file.
        stack: Keeps the file open.

    Raises:
        SpecError: The file does not hold this model's weights.
    """

    def __init__(
        self, graph: Graph, program: ClassProgram | None, source: Path, stack: ExitStack
    ) -> None:
        self.graph, self.source = graph, source
        self.params = list(program.parameters()) if program is not None else []
        self.keras: KerasWeights | None = None
        self.torch: TorchWeights = {}
        source = self.source = weight_file(source)
        kind = file_kind(source)
        if kind == "hdf5":
            self.keras = read_keras(graph, stack.enter_context(opened(source)), source)
        elif kind == "checkpoint":
            self.keras = checkpoints.Reader(source).read(graph)
        elif kind == "npz":
            self.keras = match(graph, npz.read(source, stack), source)
        else:
            stored = (
                safetensors.read(source) if kind == "safetensors" else torch_zip.read(source, stack)
            )
            self.torch = without_prefixes(stored, {param.key for param in self.params})
            raise_all(list(self._check_torch()))

    def _check_torch(self) -> Iterator[Diagnostic]:
        known = set()
        for param in self.params:
            known.add(param.key)
            stored = self.torch.get(param.key)
            if stored is None:
                if not isinstance(param.value, Constant | Counter | Literal):
                    yield missing(param.key, param.value.shape, param.key, self.source)
            elif stored.shape != param.value.shape:
                yield wrong_shape(
                    param.key, param.value.shape, stored.shape, param.key, self.source
                )
            elif isinstance(param.value, Constant):
                yield from self._check_constant(param, param.value.value, stored)
        yield from unused((key for key in self.torch if key not in known), self.source)

    def _check_constant(
        self, param: TorchParam, value: float, stored: Stored
    ) -> Iterator[Diagnostic]:
        if not np.array_equal(stored.read(), np.full(stored.shape, value, stored.dtype)):
            message = f"expected all elements of {param.key} to be {value:g}, received other values"
            hint = "Keras has no such weight; keep the parameter frozen when training"
            yield problem("SF507", message, self.source, hint)

    # -- to PyTorch ------------------------------------------------------------------------

    def torch_tensors(self) -> Iterator[Tensor]:
        """All entries of the `state_dict`."""
        for param in self.params:
            stored = self.torch.get(param.key)
            if stored is not None:
                yield Tensor(param.key, stored.shape, stored.dtype, stored.read)
            else:
                dtype = self._dtype(param)
                yield Tensor(
                    param.key, param.value.shape, dtype, partial(self._compute, param, dtype)
                )

    def _dtype(self, param: TorchParam) -> np.dtype[Any]:
        if isinstance(param.value, Counter):
            return np.dtype("int64")
        if isinstance(param.value, Literal):
            return np.dtype("float32" if param.value.dtype == "bfloat16" else param.value.dtype)
        found = [(self.keras or {}).get((param.unit, name)) for name in param.value.sources()]
        kinds = [stored.dtype for stored in found if stored is not None]
        return np.result_type(*kinds) if kinds else np.dtype("float32")

    def _compute(self, param: TorchParam, dtype: np.dtype[Any]) -> Array:
        value: Array = param.value.elements(partial(self._read, param.unit))
        return value.astype(dtype, copy=False)

    def _read(self, unit: Unit, name: str) -> Array:
        assert self.keras is not None
        stored = self.keras.get((unit, name))
        if stored is None:  # a LoRA factor that Keras has merged into its kernel
            weight = next(w for w in unit.weights if w.name == name)
            return np.zeros(weight.shape, "float32")
        return stored.read()

    # -- to Keras --------------------------------------------------------------------------

    def keras_units(self) -> Iterator[tuple[Unit, Callable[[], dict[str, Array]]]]:
        """Every layer with weights, and a function that computes them."""
        by_unit: dict[Unit, list[TorchParam]] = {}
        for param in self.params:
            by_unit.setdefault(param.unit, []).append(param)
        for unit in walk_layers(self.graph):
            if unit.weights and self.keras is not None:
                yield unit, partial(self._read_unit, unit)
            elif unit.weights:
                yield unit, partial(gather, unit, by_unit.get(unit, []), self.torch)

    def _read_unit(self, unit: Unit) -> dict[str, Array]:
        return {weight.name: self._read(unit, weight.name) for weight in unit.weights}


def gather(unit: Unit, params: list[TorchParam], tensors: TorchWeights) -> dict[str, Array]:
    """A layer's Keras weights, computed from its torch parameters.

    A weight that no torch parameter depends on (the `count` of `Normalization`) is zero.

    Args:
        unit: The layer.
        params: Its torch parameters, with their weight expressions.
        tensors: The tensors of the file.

    Returns:
        Weight name -> its elements in row-major order, of any shape.
    """
    arrays: dict[str, Array] = {}
    shapes = {weight.name: weight.shape for weight in unit.weights}

    def write(name: str, index: Any, value: Array) -> None:
        if index is ...:
            arrays[name] = value
            return
        if name not in arrays:
            arrays[name] = np.zeros(shapes[name], value.dtype)
        arrays[name][index] = value.reshape(arrays[name][index].shape)

    for param in params:
        stored = tensors.get(param.key)
        if stored is not None:
            _scatter(param.value, stored, write)
    for weight in unit.weights:
        if weight.name not in arrays:
            arrays[weight.name] = np.zeros(weight.shape, weight.dtype or "float32")
    return arrays


def _scatter(value: WeightExpr, stored: Stored, write: Callable[[str, Any, Array], None]) -> None:
    if next(value.sources(), None) is not None:
        value.scatter(stored.read(), write)


def read_keras(graph: Graph, files: Opened, source: Path) -> KerasWeights:
    """Find the weights in open HDF5 files, of Keras 3 or in the legacy layout.

    Raises:
        SpecError: With all findings.
    """
    with readable(source, "an HDF5 file"):
        if legacy_h5.is_layout(files.roots[0], source):
            return legacy_h5.Reader(files.roots[0], source).read(graph)
        if any(keras3.is_layout(root) for root in files.roots):
            return keras3.Reader(files.roots, source, files.order).read(graph)
    fail(
        "SF500",
        "expected an HDF5 file with the weights of a Keras model, received one without",
        source,
        "save it with `model.save_weights('model.weights.h5')`",
    )


def file_kind(file: Path) -> str:
    """The format of a weight file.

    ``hdf5`` (also inside a ``.keras``), ``checkpoint``, ``npz``, ``torch`` or ``safetensors``.

    Raises:
        SpecError: SF500 if it is none of them, SF505 for a pickle outside an archive.
    """
    with file.open("rb") as stream:
        head = stream.read(16)
    if head.startswith(HDF5_MAGIC):
        return "hdf5"
    if head.startswith(b"PK"):
        import zipfile

        try:
            with zipfile.ZipFile(file) as archive:
                names = archive.namelist()
        except (
            zipfile.BadZipFile,
            OSError,
            ValueError,
            NotImplementedError,
            struct.error,
        ) as error:
            fail(
                "SF500",
                f"expected a .keras or .pt archive, received one that cannot be read: {error}",
                file,
                "the file is truncated or damaged; save it again",
            )
        if npz.looks_like(names):
            return "npz"
        return "torch" if any(name.endswith("/data.pkl") for name in names) else "hdf5"
    if safetensors.looks_like(head):
        return "safetensors"
    if looks_like_map(file, head):
        return "hdf5"
    if is_index(file):
        return "checkpoint"
    if head.startswith(b"\x93NUMPY"):
        npz.refuse_array(file)
    if head[:1] == b"\x80":
        fail(
            "SF505",
            "expected a .pt archive, received a bare pickle, which could run any code",
            file,
            "save it with PyTorch 1.6 or later: torch.save(model.state_dict(), 'weights.pt')",
        )
    fail(
        "SF500",
        "expected .keras, .weights.h5, .h5, .npz, .safetensors, .pt or a checkpoint, received none of them",
        file,
        "the format is recognized by the content, not by the name",
    )


def _progressing(tensors: Iterator[Tensor], progress: Progress | None) -> Iterator[Tensor]:
    """The same tensors; each reports progress when it is computed."""
    found = list(tensors)
    total = sum(_size(tensor) for tensor in found)
    for tensor in found:
        if progress is None:
            yield tensor
            continue

        def value(tensor: Tensor = tensor, progress: Progress = progress) -> Array:
            array = tensor.value()
            progress(tensor.key, _size(tensor), total)
            return array

        yield Tensor(tensor.key, tensor.shape, tensor.dtype, value)


def _size(tensor: Tensor) -> int:
    return int(np.prod(tensor.shape, dtype=np.int64)) * tensor.dtype.itemsize


def _progressing_units(units: Any, progress: Progress | None) -> Iterator[Any]:
    found = list(units)
    total = sum(4 * unit.count() for unit, _ in found)
    for unit, compute in found:

        def value(unit: Unit = unit, compute: Any = compute) -> Any:
            arrays = compute()
            if progress is not None:
                progress(unit.name, 4 * unit.count(), total)
            return arrays

        yield unit, value
