"""Weights in files of every layout that Keras wrote: archives, shards, counted and named groups."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from specfmt import api
from specfmt.diagnostics import SpecError
from specfmt.weights import keras_h5, safetensors
from specfmt.weights.convert import convert
from specfmt.weights.order import order_of
from specfmt.weights.unknown import described
from tests.tools.harness import build_graph

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"

DOCUMENT: dict[str, Any] = {
    "specfmt": 1,
    "name": "net",
    "inputs": {"x": {"shape": [4]}},
    "layers": [
        {"type": "Dense", "name": "first", "units": 4},
        {"type": "Dropout", "rate": 0.5},
        {"type": "Dense", "name": "second", "units": 4},
        {"type": "Dropout", "rate": 0.5},
        {
            "type": "Model",
            "name": "inner",
            "inputs": {"y": {"shape": [4]}},
            "layers": [
                {"type": "Dense", "name": "third", "units": 4},
                {"type": "BatchNormalization", "name": "norm"},
                {"type": "Dense", "name": "fourth", "units": 4},
            ],
        },
        {"type": "Dense", "name": "last", "units": 4},
    ],
}
"""All kernels of one shape, so that a layer that is mistaken for another is not refused."""


def weights_of(graph: Any) -> dict[str, dict[str, np.ndarray]]:
    """Layer -> weights, all different."""
    rng = np.random.default_rng(3)
    return {
        unit.name: {w.name: rng.random(w.shape, "f4") for w in unit.weights}
        for unit in graph.walk_units()
        if unit.weights
    }


class Net:
    """The model, its weights as paths of an HDF5 file, and as PyTorch has them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.graph = build_graph(DOCUMENT)
        values = weights_of(self.graph)
        units = [
            (u, lambda u=u: dict(values[u.name])) for u in self.graph.walk_units() if u.weights
        ]
        path = folder / "plain.weights.h5"
        keras_h5.write(path, self.graph, units)
        self.arrays: dict[str, np.ndarray] = {}
        with h5py.File(path) as file:
            file.visititems(
                lambda name, item: (
                    self.arrays.update({name: item[...]})
                    if isinstance(item, h5py.Dataset)
                    else None
                )
            )
        self.expected = self.torch(path)

    def torch(self, source: Path) -> dict[str, np.ndarray]:
        """What a source becomes."""
        dest = self.folder / "found.safetensors"
        convert(self.graph, source, dest)
        return {key: stored.read() for key, stored in safetensors.read(dest).items()}

    def check(self, source: Path) -> None:
        """A source holds the same weights."""
        found = self.torch(source)
        assert found.keys() == self.expected.keys()
        for key, value in self.expected.items():
            assert np.array_equal(found[key], value), key


@pytest.fixture
def net(tmp_path: Path) -> Net:
    return Net(tmp_path)


def hdf5(arrays: dict[str, np.ndarray], windows: bool = False) -> bytes:
    """An HDF5 file; on Windows the path of a layer is one name."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for path, array in arrays.items():
            layer, _, index = path.rpartition("/vars/")
            name = layer.replace("/", "\\") if windows else layer
            file.require_group(name).require_group("vars")[index] = array
    return stream.getvalue()


def double_counted(path: str) -> str:
    """A path as Keras 2.12 and 2.13 named it: layers with weights count twice."""
    parts = path.split("/")
    for i, part in enumerate(parts):
        name, _, number = part.rpartition("_")
        if part == "layers":
            parts[i] = "_layer_checkpoint_dependencies"
        elif name and number.isdigit():
            parts[i] = f"{name}_{2 * int(number)}"
    return "/".join(parts)


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


@pytest.mark.parametrize("windows", [False, True])
@pytest.mark.parametrize("rename", [str, double_counted])
def test_groups_of_every_version(net: Net, rename: Callable[[str], str], windows: bool) -> None:
    """Paths as one name, layers that count twice; bare and in an archive."""
    content = hdf5({rename(path): array for path, array in net.arrays.items()}, windows)
    bare = net.folder / "a.weights.h5"
    bare.write_bytes(content)
    net.check(bare)
    net.check(archive(net.folder / "a.keras", {"model.weights.h5": content}))
    net.check(archive(net.folder / "b.keras", {".\\model.weights.h5": content}))


def test_order_of_the_file(net: Net) -> None:
    """Groups count layers as the configuration lists them, not as this version sorts them."""
    layers = [
        {"class_name": kind, "config": {"name": name}}
        for kind, name in [
            ("pkg>Own", "elsewhere"),
            ("Dense", "last"),
            ("Dense", "second"),
            ("Dense", "first"),
        ]
    ]
    inner = {"class_name": "Functional", "config": {"name": "inner", "layers": []}}
    config = {"class_name": "Functional", "config": {"layers": [*layers, inner]}}
    order = order_of(config)
    assert order is not None
    assert order.classes == {
        "elsewhere": "own",
        "last": "dense",
        "second": "dense",
        "first": "dense",
        "inner": "functional",
    }
    swapped = {"layers/dense": "layers/dense_2", "layers/dense_2": "layers/dense"}
    arrays = {
        f"{swapped.get(layer, layer)}/vars/{index}": array
        for path, array in net.arrays.items()
        for layer, _, index in [path.rpartition("/vars/")]
    }
    members = {"config.json": json.dumps(config).encode(), "model.weights.h5": hdf5(arrays)}
    net.check(archive(net.folder / "a.keras", members))


@pytest.mark.parametrize("inside", [False, True])
def test_shards(net: Net, inside: bool) -> None:
    """A list of files and the files, in an archive or beside each other; a layer in two of them."""
    paths = sorted(net.arrays)
    parts = [paths[::3], paths[1::3], paths[2::3]]
    members = {}
    listed: dict[str, list[str]] = {}
    for i, part in enumerate(parts):
        name = f"model_{i:05}.weights.h5"
        members[name] = hdf5({path: net.arrays[path] for path in part})
        for path in part:
            listed.setdefault("/" + path.rpartition("/")[0], []).append(name)
    text = json.dumps({"metadata": {"total_size": 1}, "weight_map": listed})
    members["model.weights.json"] = text.encode()
    if inside:
        net.check(archive(net.folder / "a.keras", members))
        return
    for name, content in members.items():
        (net.folder / name).write_bytes(content)
    net.check(net.folder / "model.weights.json")
    (net.folder / "model_00001.weights.h5").unlink()
    assert refused(net, net.folder / "model.weights.json") == ["SF500"]


@pytest.mark.parametrize("name", ["../x.h5", "/etc/passwd", "a\\b.h5", "c:x.h5"])
def test_shards_elsewhere(net: Net, name: str) -> None:
    """A list of shards names files of its own folder alone."""
    source = net.folder / "m.weights.json"
    source.write_text(json.dumps({"weight_map": {"/layers/dense/vars": name}}))
    assert refused(net, source) == ["SF505"]


def refused(net: Net, source: Path) -> list[str]:
    dest = net.folder / "none.safetensors"
    with pytest.raises(SpecError) as caught:
        convert(net.graph, source, dest)
    assert not dest.exists()
    return sorted({d.code for d in caught.value.diagnostics})


def test_one_layer_less(net: Net) -> None:
    """Order alone never makes up for a weight that is not there."""
    del net.arrays["layers/dense_1/vars/0"], net.arrays["layers/dense_1/vars/1"]
    source = net.folder / "a.weights.h5"
    source.write_bytes(hdf5(net.arrays))
    assert refused(net, source) == ["SF501"]


@pytest.mark.parametrize(
    "prefix",
    ["", "module.", "_orig_mod.", "model.", "module._orig_mod.", "model._orig_mod.module."],
)
def test_prefixes(net: Net, prefix: str) -> None:
    """What wrappers put before the keys of a module is taken away."""
    torch = pytest.importorskip("torch")
    source = net.folder / "a.pt"
    state = {prefix + key: torch.tensor(value) for key, value in net.expected.items()}
    torch.save(state, source)
    net.check(source)
    torch.save({"epoch": 3, "state_dict": state, "optimizer_states": [{"state": {}}]}, source)
    net.check(source)
    torch.save({"n_averaged": torch.tensor(4), **state}, source)
    if prefix:
        net.check(source)
    else:
        assert refused(net, source) == ["SF502"]
    torch.save({**state, "criterion.weight": torch.ones(2)}, source)
    assert refused(net, source) == ["SF502"]
    torch.save({**state, "twice." + next(iter(state)): torch.ones(2)}, source)
    assert refused(net, source) == ["SF502"]


def test_prefix_inside(net: Net) -> None:
    """A submodule that was compiled alone."""
    torch = pytest.importorskip("torch")
    source = net.folder / "a.pt"
    key, value = next((k, v) for k, v in net.expected.items() if "." in k)
    first, _, rest = key.partition(".")
    state = {k: torch.tensor(v) for k, v in net.expected.items() if k != key}
    torch.save({**state, f"{first}._orig_mod.{rest}": torch.tensor(value)}, source)
    net.check(source)


@pytest.mark.skipif(not CASES.is_dir(), reason="the case files are not here")
@pytest.mark.parametrize("name", ["m01_keras215_windows_backslash", "m02_keras213_double_counted"])
def test_files_from_the_field(name: str, tmp_path: Path) -> None:
    """The weights of the original: its outputs follow from them."""
    source = CASES / f"{name}.keras"
    spec = api.loads(api.dump(api.import_spec(source).spec))
    api.convert_weights(spec, source, tmp_path / "a.safetensors")
    values = {k: v.read() for k, v in safetensors.read(tmp_path / "a.safetensors").items()}
    reference = np.load(CASES / f"{name}.ref.npz")
    x = reference["x0"].astype("f8")
    for i in range(0, len(values), 2):
        weight, bias = list(values.values())[i : i + 2]
        x = x @ weight.T.astype("f8") + bias
        x = np.maximum(x, 0) if i + 2 < len(values) else x
    assert np.abs(x - reference["y0"]).max() <= 1e-5 * np.abs(reference["y0"]).max()


# -- damaged files -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(not CASES.is_dir(), reason="the case files are not here")
def test_endless_hdf5(tmp_path: Path) -> None:
    """A damaged file makes libhdf5 loop for ever; its process is ended."""
    source = CASES / "hostile" / "28_h5_hang.h5"
    start = time.monotonic()
    with pytest.raises(SpecError) as caught:
        api.import_spec(source)
    assert [d.code for d in caught.value.diagnostics] == ["SF400"]
    spec = api.load(CASES / "hostile" / "28_spec.yaml")
    with pytest.raises(SpecError) as caught:
        api.convert_weights(spec, source, tmp_path / "a.safetensors")
    assert [d.code for d in caught.value.diagnostics] == ["SF500"]
    assert time.monotonic() - start < 60


# -- layers of the user's own in a wrapper -------------------------------------------------------


def legacy(groups: dict[str, dict[str, np.ndarray]]) -> bytes:
    """An HDF5 file in the layout of Keras 1: groups that list their weights."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in groups]
        file.attrs["keras_version"] = "3.9.0"
        for name, arrays in groups.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [weight.encode() for weight in arrays]
            for weight, array in arrays.items():
                group[weight] = array
    return stream.getvalue()


@pytest.mark.parametrize("layout", ["groups", "names"])
@pytest.mark.parametrize("deep", [False, True])
def test_own_layer_in_a_wrapper(layout: str, deep: bool, tmp_path: Path) -> None:
    """Its weights are found in a file; a spec that does not say them asks for them."""
    own = {"type": "Custom", "class": "Scale", "name": "scale", "shape": [5]}
    held: dict[str, Any] = {"type": "TimeDistributed", "layer": own}
    if deep:
        held = {"type": "TimeDistributed", "layer": {**held, "name": "each"}}
        own["shape"] = [5]
    spec = api.loads(
        json.dumps(
            {
                "specfmt": 1,
                "inputs": {"x": {"shape": [2, 3, 5] if deep else [3, 5]}},
                "layers": [{**held, "name": "steps"}, {"type": "Dense", "name": "d", "units": 2}],
            }
        )
    )
    gain, kernel = np.arange(5, dtype="f4"), np.ones((5, 2), "f4")
    place = "layers/time_distributed/layer/layer" if deep else "layers/time_distributed/layer"
    source = tmp_path / "a.h5"
    if layout == "groups":
        arrays = {"layers/dense/vars/0": kernel, "layers/dense/vars/1": kernel[0]}
        source.write_bytes(hdf5({f"{place}/vars/0": gain, **arrays}))
    else:
        dense = {"d/kernel": kernel, "d/bias": kernel[0]}
        source.write_bytes(legacy({"steps": {"steps/scale/g": gain}, "d": dense}))
    with pytest.raises(SpecError) as caught:
        api.convert_weights(spec, source, tmp_path / "a.safetensors")
    assert {d.code for d in caught.value.diagnostics} == {"SF508"}
    api.convert_weights(described(spec, source), source, tmp_path / "a.safetensors")
    found = safetensors.read(tmp_path / "a.safetensors")
    assert [v.read().tolist() for v in found.values() if v.shape == (5,)] == [gain.tolist()]
