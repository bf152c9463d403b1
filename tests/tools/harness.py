"""One harness for all layers: a case goes through every question asked of a layer.

`check_case` reads the case as a document, analyses it statically, executes the generated
Keras and PyTorch code, gives both the same random weights, and compares: shapes, counts,
weight names and shapes, dtype, outputs (1e-5 relative, DESIGN section 5), and state_dict keys.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pytest

TOLERANCE = 1e-5


@dataclass(frozen=True)
class Case:
    """A layer (or a chain of entries) and the shapes of its inputs.

    Attributes:
        layers: One entry, or a list of them; the last one's outputs are the model's.
        shapes: The shape of each input without the batch axis; None for an unknown size.
        dtypes: The dtype of each input (default float32).
        sizes: What unknown sizes are at run time, in order (default 7, then 6, 5, ...).
        low, high: Range of random integer inputs.
        inputs: Data instead of random numbers, one array (with batch) an input.
        torch: False with a reason where PyTorch cannot express the case; the lowering must
            then give a 3xx finding.
        tolerance: Never above 1e-5, see DESIGN.
        name: For the test id.
        permutes: How many permutes the layout pass may put in (default: any number).
    """

    layers: dict[str, Any] | list[dict[str, Any]]
    shapes: tuple[Any, ...] | list[Any] = ((),)
    dtypes: tuple[str, ...] = ()
    sizes: tuple[int, ...] = (7, 6, 5, 4)
    low: int = 0
    high: int = 8
    inputs: tuple[Any, ...] = ()
    torch: bool = True
    name: str = ""
    outputs: Any = None
    extra: dict[str, Any] = field(default_factory=dict)
    permutes: int | None = None

    @property
    def entries(self) -> list[dict[str, Any]]:
        return self.layers if isinstance(self.layers, list) else [self.layers]

    def input_shapes(self) -> list[tuple[int | None, ...]]:
        """A single shape may be given bare: ``Case(layer, (8, 8, 3))``."""
        shapes = self.shapes
        if not shapes or not isinstance(shapes[0], (tuple, list)):
            return [tuple(shapes)]
        return [tuple(shape) for shape in shapes]

    def document(self) -> dict[str, Any]:
        inputs = {}
        for index, shape in enumerate(self.input_shapes()):
            dtype = self.dtypes[index] if index < len(self.dtypes) else "float32"
            inputs[f"in{index}"] = {"shape": list(shape)} | (
                {"dtype": dtype} if dtype != "float32" else {}
            )
        entries = [dict(entry) for entry in self.entries]
        if len(inputs) > 1 and not any(k in entries[0] for k in ("inputs", "call")):
            entries[0]["inputs"] = list(inputs)
        document = {"specfmt": 1, "name": "case", "inputs": inputs, "layers": entries}
        if self.outputs is not None:
            document["outputs"] = self.outputs
        return document | self.extra

    def __str__(self) -> str:
        if self.name:
            return self.name
        entry = self.entries[-1]
        kind = entry.get("type") or entry.get("op") or "reuse"
        options = ",".join(f"{k}={v}" for k, v in entry.items() if k not in ("type", "op"))
        return f"{kind}({options})-{'x'.join(map(str, self.shapes))}".replace(" ", "")


def random_inputs(case: Case, batch: int = 3, seed: int = 0) -> list[np.ndarray]:
    """Data for every input: normal floats (negative ones too), or integers in range."""
    if case.inputs:
        dtypes = (*case.dtypes, *("float32",) * len(case.inputs))
        return [
            np.asarray(x) if dtype == "string" else np.asarray(x, dtype)
            for x, dtype in zip(case.inputs, dtypes, strict=False)
        ]
    rng = np.random.default_rng(seed)
    arrays = []
    for index, shape in enumerate(case.input_shapes()):
        unknown = iter(case.sizes)
        sizes = [batch, *(next(unknown) if s is None else s for s in shape)]
        dtype = case.dtypes[index] if index < len(case.dtypes) else "float32"
        if dtype.startswith(("int", "uint")):
            arrays.append(rng.integers(case.low, case.high, sizes).astype(dtype))
        elif dtype == "bool":
            arrays.append(rng.random(sizes) < 0.7)
        else:
            arrays.append(rng.standard_normal(sizes).astype(dtype))
    return arrays


def build_graph(document: dict[str, Any]) -> Any:
    """The graph of a document that must be right."""
    from specfmt.graph.build import build
    from specfmt.spec.document import parse_document

    spec, problems = parse_document(document)
    assert not problems, [str(p) for p in problems]
    graph, problems = build(spec)
    assert not problems, [str(p) for p in problems]
    return graph


def execute(code: str) -> Any:
    """Run a generated file and build its model."""
    namespace: dict[str, Any] = {"__name__": "generated"}
    exec(compile(code, "generated.py", "exec"), namespace)
    return namespace["build_model"]()


@cache
def keras() -> Any:
    import keras

    return keras


def keras_weights(graph: Any, model: Any) -> dict[Any, dict[str, Any]]:
    """Unit -> {weight name below the layer: Keras variable}, nested models entered."""
    from specfmt.layers.base import nested_layers

    found: dict[Any, dict[str, Any]] = {}
    for unit in graph.units:
        if getattr(unit.spec, "is_operation", False):
            continue
        layer = model.get_layer(unit.name)
        if unit.graph is not None:
            found |= keras_weights(unit.graph, layer)
        else:
            found[unit] = {
                f"/{v.path}".split(f"/{unit.name}/", 1)[-1].removeprefix("/"): v
                for v in layer.weights
            }
            if any(part.type_name == "Model" for part in nested_layers(unit.spec)):
                found[unit] = below_models(unit, layer.weights)
    return found


def below_models(unit: Any, variables: list[Any]) -> dict[str, Any]:
    """The variables of a layer that holds a model, by specfmt's names.

    Keras lets a path begin at the innermost model that was built before it was called.
    """
    names = [weight.name for weight in unit.weights]
    for name, variable in zip(names, variables, strict=True):
        layer, _, own = variable.path.rpartition("/")
        assert f"/{name}".endswith(f"/{layer.rpartition('/')[2]}/{own}"), (name, variable.path)
    return dict(zip(names, variables, strict=True))


def randomize(model: Any, seed: int = 1) -> None:
    """Random weights; variances stay positive."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if not variable.dtype.startswith(("float", "bfloat")) or "seed_generator" in variable.path:
            continue
        value = rng.standard_normal(variable.shape) * 0.5
        if "variance" in variable.path:
            value = np.abs(value) + 0.5
        variable.assign(value.astype("float32"))
    for layer in model._flatten_layers():
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()  # Normalization computes with a copy of its weights


def state_dict(program: Any, weights: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    """The torch state that a program makes from Keras's weights."""
    import torch

    state = {}
    for param in program.parameters():
        arrays = (
            {name: np.asarray(v) for name, v in weights[param.unit].items()}
            if param.unit in weights
            else {}
        )
        state[param.key] = torch.tensor(
            np.ascontiguousarray(param.value.forward(arrays.__getitem__))
        )
    return state


def channels_first(array: np.ndarray, stays: bool) -> np.ndarray:
    """Keras's order to the order of generated PyTorch inputs and outputs."""
    return array if stays or array.ndim not in (4, 5) else np.moveaxis(array, -1, 1)


def as_list(outputs: Any) -> list[Any]:
    if isinstance(outputs, dict):
        return list(outputs.values())
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


def relative_error(a: np.ndarray, b: np.ndarray) -> float:
    """``max|a-b| / max|a|``."""
    assert a.shape == b.shape, f"shapes differ: Keras {a.shape}, torch {b.shape}"
    if a.size == 0:
        return 0.0
    a64, b64 = a.astype("float64"), b.astype("float64")
    assert np.array_equal(np.isnan(a64), np.isnan(b64))
    difference = np.nan_to_num(np.abs(a64 - b64)).max()
    scale = np.nan_to_num(np.abs(a64)).max()
    return float(difference / scale) if scale else float(difference)


def check_static(case: Case, graph: Any, model: Any) -> None:
    """Shapes, dtypes, counts, weight names and order: exactly Keras's."""
    outputs = list(graph.outputs.values())
    for value, tensor in zip(outputs, as_list(model.outputs), strict=True):
        assert value.shape == tuple(tensor.shape), (value.shape, tuple(tensor.shape))
        assert value.dtype == tensor.dtype, (value.dtype, tensor.dtype)
    assert graph.count() == model.count_params()
    trainable = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    assert graph.count(trainable=True) == trainable
    for unit, variables in keras_weights(graph, model).items():
        expected = [(w.name, w.shape) for w in unit.weights]
        got = [(name, tuple(v.shape)) for name, v in variables.items()]
        assert expected == got, (expected, got)


def count_permutes(program: Any) -> int:
    """Steps that only move axes."""
    return sum(getattr(step.expr, "name", "") in ("permute", "transpose") for step in program.steps)


def check_case(case: Case) -> None:
    """Everything asked of a case; see the module's docstring."""
    import torch

    from specfmt.diagnostics import SpecError
    from specfmt.targets import keras as keras_target
    from specfmt.targets import torch as torch_target
    from specfmt.targets.torch.graph_lowering import lower_graph
    from specfmt.targets.torch.program import Options, is_channels_first

    keras().backend.clear_session(free_memory=False)
    graph = build_graph(case.document())
    model = execute(keras_target.generate_model(graph, flavor="keras"))
    check_static(case, graph, model)
    randomize(model)
    data = random_inputs(case)
    expected = [
        np.asarray(y) for y in as_list(model(data if len(data) > 1 else data[0], training=False))
    ]
    if not case.torch:
        with pytest.raises((SpecError, NotImplementedError)) as caught:
            execute(torch_target.generate_model(graph, style="subclass"))(
                *map(torch.as_tensor, data)
            )
        if isinstance(caught.value, SpecError):
            assert all(d.code.startswith("SF3") for d in caught.value.diagnostics)
        else:
            assert "write what " in str(caught.value)
        return
    torch.set_num_threads(1)
    program = lower_graph(graph, Options())
    if case.permutes is not None:
        assert count_permutes(program) == case.permutes
    module = execute(torch_target.generate_model(graph, style="subclass"))
    state = state_dict(program, keras_weights(graph, model))
    missing, unexpected = module.load_state_dict(state, strict=False)
    assert not unexpected, unexpected
    assert all(k.endswith("num_batches_tracked") for k in missing), missing
    trainable = sum(p.numel() for p in module.parameters() if p.requires_grad)
    assert trainable == graph.count(trainable=True), (trainable, graph.count(trainable=True))
    stays = is_channels_first(graph)
    module.eval()
    with torch.no_grad():
        results = as_list(
            module(
                *(
                    x.tolist()  # no tensor holds strings
                    if x.dtype.kind == "U"
                    else torch.tensor(np.ascontiguousarray(channels_first(x, stays)))
                    for x in data
                )
            )
        )
    for y, result in zip(expected, results, strict=True):
        error = relative_error(channels_first(y, stays), result.numpy())
        assert error <= TOLERANCE, f"relative error {error:.2e}"
