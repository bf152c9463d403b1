"""Models in real Keras 2 (`tf_keras`) beside the same ones in Keras 3: load, weigh, compare."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import json
from typing import Any

import numpy as np

from specfmt.formats.export import export_data
from specfmt.formats.keras_json import document_from_keras_json
from specfmt.graph.build import build
from specfmt.graph.held import HeldModel
from specfmt.graph.model import Array, Value, map_leaves
from specfmt.layers.base import Layer
from specfmt.spec.document import parse_document
from tests.tools.harness import as_list, execute, keras_weights, random_inputs, randomize

Json = dict[str, Any]

OLD_NAMES = {
    ("DepthwiseConv1D", "kernel"): "depthwise_kernel",
    ("DepthwiseConv2D", "kernel"): "depthwise_kernel",
}
"""Keras 2's names of weights where they are not Keras 3's."""


def exported(document: Json) -> Json:
    """A document as Keras 2 JSON; SpecError SF306 where Keras 2 cannot express it."""
    return export_data(graph_of(document), "keras2")


def graph_of(document: Json) -> Any:
    """The graph of a document that must be right."""
    spec, problems = parse_document(document)
    assert spec is not None
    assert not problems, [str(p) for p in problems]
    graph, problems = build(spec)
    assert not [p for p in problems if p.severity == "error" and p.code != "SF207"]
    return graph


def imported(data: Json) -> Json:
    """The document of Keras 2 JSON."""
    return document_from_keras_json(json.loads(json.dumps(data)))[0]


def load(k2: Any, data: Json, **options: Any) -> Any:
    """The model that `tf_keras` makes of JSON."""
    k2.backend.clear_session()
    return k2.models.model_from_json(json.dumps(data), **options)


def keras_2_weights(graph: Any, model: Any) -> dict[Any, list[Any]]:
    """Unit -> the variables of the layer of that name, nested models entered."""
    found: dict[Any, list[Any]] = {}
    for unit in graph.units:
        if getattr(unit.spec, "is_operation", False):
            continue
        layer = model.get_layer(unit.name)
        if unit.graph is not None:
            found |= keras_2_weights(unit.graph, layer)
        elif "idf_weights" in layer.get_config():
            found[unit] = []  # Keras 3 has these as an argument, not as a weight
        else:
            found[unit] = layer.weights
    return found


def pairs(graph: Any, model_3: Any, model_2: Any) -> list[tuple[Any, Any]]:
    """(Keras 3's, Keras 2's) variables, layer by layer; shapes, order and names must agree."""
    theirs = keras_2_weights(graph, model_2)
    found = []
    for unit, variables in keras_weights(graph, model_3).items():
        ours = {name: v for name, v in variables.items() if "seed_generator" not in name}
        # Keras 2 lists what is trained first, through all layers of a model that a layer holds.
        ours = dict(sorted(ours.items(), key=lambda item: not item[1].trainable))
        shapes = [(name, tuple(v.shape)) for name, v in ours.items()]
        assert [tuple(v.shape) for v in theirs[unit]] == [shape for _, shape in shapes], (
            [(v.name, tuple(v.shape)) for v in theirs[unit]],
            shapes,
        )
        for variable, (name, value) in zip(theirs[unit], ours.items(), strict=True):
            end = OLD_NAMES.get((unit.type_name, name), name).rpartition("/")[2]
            assert variable.name.partition(":")[0].rpartition("/")[2] == end, (variable.name, name)
            found.append((value, variable))
    return found


def give_weights(graph: Any, model_3: Any, model_2: Any) -> None:
    """Keras 3's weights to the Keras 2 model."""
    for ours, theirs in pairs(graph, model_3, model_2):
        theirs.assign(np.asarray(ours))
    settle(model_2)


def give_back(graph: Any, model_2: Any, model_3: Any) -> None:
    """Keras 2's weights to the Keras 3 model."""
    for ours, theirs in pairs(graph, model_3, model_2):
        ours.assign(np.asarray(theirs))
    settle(model_3)


def settle(model: Any) -> None:
    """`Normalization` computes with a copy of its weights."""
    for layer in model._flatten_layers():
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def outputs(model: Any, data: list[Any]) -> list[Any]:
    """What a model gives for data, as arrays of the dtypes that it says.

    A lookup of Keras 3 says float32 of its vectors, and gives int64.
    """
    given = data if len(data) > 1 else data[0]
    arrays = [np.asarray(y) for y in nest_of(model(given, training=False))]
    nest = model.outputs if len(model.outputs) == len(arrays) == 1 else model.output
    said = [str(getattr(y.dtype, "name", y.dtype)) for y in nest_of(nest)]
    return [
        array.astype(dtype) if array.dtype.kind == "i" and dtype.startswith("float") else array
        for array, dtype in zip(arrays, said, strict=True)
    ]


def nest_of(nest: Any) -> list[Any]:
    """The leaves of a nest, a dict's by key."""
    if isinstance(nest, dict):
        return [leaf for key in sorted(nest) for leaf in nest_of(nest[key])]
    if isinstance(nest, (list, tuple)):
        return [leaf for item in nest for leaf in nest_of(item)]
    return [nest]


def difference(a: Any, b: Any) -> float:
    """The largest difference, relative to the largest number."""
    assert a.shape == b.shape, (a.shape, b.shape)
    assert a.dtype == b.dtype, (a.dtype, b.dtype)
    if not a.size:
        return 0.0
    a64, b64 = a.astype("float64"), b.astype("float64")
    assert np.array_equal(np.isnan(a64), np.isnan(b64))
    scale = max(1.0, float(np.nan_to_num(np.abs(a64)).max()))
    return float(np.nan_to_num(np.abs(a64 - b64)).max()) / scale


def described(graph: Any) -> Json:
    """What a graph says, without what only its document's form says: who reads what, and as what.

    Entries in another order, names of calls, arguments by position or by name, and a dtype or
    ``trainable`` said by the model or by its layers make no difference.
    """
    names = {value: name for name, value in graph.inputs.items()}

    def origin(item: Any) -> Any:
        if isinstance(item, Value):
            node = item.node
            if node is None:
                return names[item]
            return (node.unit.name, node.unit.calls.index(node), item.index)
        if isinstance(item, dict):
            return {key: origin(inner) for key, inner in item.items()}
        if isinstance(item, (list, tuple)):
            return [origin(inner) for inner in item]
        return item

    units = {}
    for unit in graph.units:
        calls = [
            {key: origin(item) for key, item in node.args.items() if item is not None}
            for node in unit.calls
        ]
        if unit.graph is not None:
            units[unit.name] = ("Model", described(unit.graph), calls)
            continue
        spec = unit.spec
        fields = described_fields(spec, graph.policy, ("name", "inputs", "dtype", "trainable"))
        if getattr(spec, "is_operation", False):
            units[unit.name] = (unit.type_name, {**fields, "dtype": spec.dtype}, calls)
        else:
            units[unit.name] = (
                unit.type_name,
                fields,
                unit.trainable,
                unit.policy or "float32",
                calls,
            )
    return {
        "name": graph.name,
        "sequential": graph.is_sequential,
        "inputs": {name: vars(spec) for name, spec in graph.input_specs.items()},
        "input nest": single(map_leaves(graph.input_nest, origin)),
        "output nest": single(map_leaves(graph.output_nest, origin)),
        "units": units,
    }


def described_fields(layer: Any, policy: Any, left_out: tuple[str, ...] = ()) -> Json:
    """A layer's fields; those of a layer that it holds with the policy that holds for it."""
    found = {}
    for name in type(layer).model_fields:
        value = getattr(layer, name)
        if isinstance(value, HeldModel):
            found[name] = described(value.graph)
        elif isinstance(value, Layer):
            inner = described_fields(value, policy)
            found[name] = {**inner, "type": value.type_name}
        elif name == "dtype" and name not in left_out:
            found[name] = value or policy or "float32"
        elif name not in left_out:
            found[name] = single(value)
    return found


def single(nest: Any) -> Any:
    """A list of one as the one: Keras 2 does not tell them apart, nor does a list of axes."""
    return nest[0] if isinstance(nest, (list, tuple)) and len(nest) == 1 else nest


def differences(a: Any, b: Any, where: str = "") -> list[str]:
    """Where two nests differ."""
    if isinstance(a, dict) and isinstance(b, dict):
        return [
            found
            for key in sorted({*a, *b}, key=str)
            for found in differences(a.get(key), b.get(key), f"{where}/{key}")
        ]
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)) and len(a) == len(b):
        return [
            found
            for i, (x, y) in enumerate(zip(a, b, strict=True))
            for found in differences(x, y, f"{where}/{i}")
        ]
    if isinstance(a, Array) or isinstance(b, Array):
        a, b = as_array(a), as_array(b)
    return [] if a == b else [f"{where}: {a!r} -> {b!r}"]


def as_array(item: Any) -> Any:
    """Numbers that an operation reads: a list of them says the same as an array.

    Their dtype is that in which the operation computes, for Keras 2 joins no others.
    """
    return listed(item.value if isinstance(item, Array) else item)


def listed(nest: Any) -> Any:
    return [listed(item) for item in nest] if isinstance(nest, (list, tuple)) else nest


__all__ = [
    "as_list",
    "described",
    "difference",
    "differences",
    "execute",
    "exported",
    "give_back",
    "give_weights",
    "graph_of",
    "imported",
    "load",
    "nest_of",
    "outputs",
    "random_inputs",
    "randomize",
    "settle",
]
