"""Graph nodes of tf.keras 2.0 to 2.3: traced by TensorFlow, written as those releases did."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import numpy as np
import pytest

from tests.formats.test_tensorflow_functions import functions, sized_functions
from tests.tools.harness import (
    Case,
    as_list,
    build_graph,
    channels_first,
    execute,
    random_inputs,
    relative_error,
)

KEPT = {
    "rot90",
    "eye",
    "resize bilinear True",
    "resize bicubic True",
    *(f"resize lanczos{n} {smooth}" for n in (3, 5) for smooth in (False, True)),
}
"""Functions whose nodes no operation of Keras stands for."""


def model_of(tf: Any, function: Any, case: Case, form: str) -> dict[str, Any]:
    """The JSON of a model whose graph holds a node for each step of a function."""
    from google.protobuf import json_format

    layers: list[dict[str, Any]] = []
    names: dict[str, str] = {}

    def edge(tensor: Any) -> list[Any]:
        return [names[tensor.op.name], 0, tensor.value_index]

    constant: dict[str, bool] = {}

    def is_constant(tensor: Any) -> bool:
        return constant[tensor.op.name]

    with tf.Graph().as_default() as graph:
        shapes = [[None, *shape] for shape in case.input_shapes()]
        dtypes = (*case.dtypes, *("float32",) * len(shapes))
        inputs = [
            tf.compat.v1.placeholder(dtype, shape)
            for dtype, shape in zip(dtypes, shapes, strict=False)
        ]
        outputs = as_list(function(*inputs))
        session = tf.compat.v1.Session()
        for op in graph.get_operations():
            name = names[op.name] = "tf_op_layer_" + op.name
            reads_none = op.type != "Placeholder" and all(map(is_constant, op.inputs))
            constant[op.name] = reads_none  # those releases wrote its value
            if op.type == "Placeholder":
                place = [tensor.op is op for tensor in inputs].index(True)
                config = {"batch_input_shape": shapes[place], "dtype": dtypes[place], "name": name}
                layers.append(
                    {
                        "name": name,
                        "class_name": "InputLayer",
                        "config": config,
                        "inbound_nodes": [],
                    }
                )
            if op.type == "Placeholder" or reads_none:
                continue
            node: Any = json_format.MessageToDict(op.node_def)
            if form == "text":
                node = json.dumps(node)
            elif form == "wire":
                with contextlib.suppress(UnicodeDecodeError):  # as they did
                    node = op.node_def.SerializeToString().decode()
            constants = {
                str(i): np.asarray(session.run(tensor)).tolist()
                for i, tensor in enumerate(op.inputs)
                if is_constant(tensor)
            }
            read = [[*edge(tensor), {}] for tensor in op.inputs if not is_constant(tensor)]
            config = {
                "name": op.name,
                "trainable": True,
                "dtype": "float32",
                "node_def": node,
                "constants": constants,
            }
            layers.append(
                {
                    "name": name,
                    "class_name": "TensorFlowOpLayer",
                    "config": config,
                    "inbound_nodes": [read],
                }
            )
    config = {
        "name": "model",
        "layers": layers,
        "input_layers": [edge(tensor) for tensor in inputs],
        "output_layers": [edge(tensor) for tensor in outputs],
    }
    return {"class_name": "Model", "config": config, "keras_version": "2.3.0-tf"}


def difference(tf: Any, function: Any, case: Case, form: str) -> Any:
    """What is wrong with the PyTorch program, or how far it is from TensorFlow."""
    import torch

    from specfmt.formats.keras_json import document_from_keras_json
    from specfmt.targets import torch as torch_target
    from specfmt.targets.torch.program import is_channels_first

    data = random_inputs(case)
    expected = [np.asarray(y) for y in as_list(function(*map(tf.constant, data)))]
    text = json.dumps(model_of(tf, function, case, form))
    document, problems = document_from_keras_json(text)
    warnings = [p.message for p in problems if not p.message.startswith("renamed")]
    if warnings:
        return warnings
    graph = build_graph(document)
    stays = is_channels_first(graph)
    module = execute(torch_target.generate_model(graph, style="subclass")).eval()
    with torch.no_grad():
        results = as_list(
            module(*(torch.tensor(np.ascontiguousarray(channels_first(x, stays))) for x in data))
        )
    return max(
        relative_error(channels_first(y, stays), result.numpy())
        for y, result in zip(expected, results, strict=True)
    )


@pytest.mark.slow
def test_nodes_mean_the_same() -> None:
    tf = pytest.importorskip("tensorflow")
    backend = pytest.importorskip("tf_keras").backend
    wrong = {}
    for place, (name, function, case) in enumerate(
        [*functions(tf, backend), *sized_functions(tf, backend)]
    ):
        if name == "grayscale_to_rgb":  # reads text, of assertions
            continue
        found = difference(tf, function, case, ("dict", "text", "wire")[place % 3])
        if isinstance(found, list) or found > 1e-5:
            wrong[name] = found
    assert all(isinstance(wrong.get(name), list) for name in KEPT)
    assert not {name: found for name, found in wrong.items() if name not in KEPT}
