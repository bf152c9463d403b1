"""What the tests of weight files share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from specfmt.weights.convert import convert
from specfmt.weights.hdf5 import datasets
from specfmt.weights.slots import slots
from tests.tools.harness import (
    Case,
    build_graph,
    execute,
    keras,
    keras_weights,
    randomize,
    state_dict,
)


def values(graph: Any, model: Any) -> dict[str, np.ndarray]:
    """Every Keras weight that a file keeps, as a copy."""
    found = {}
    for unit, variables in keras_weights(graph, model).items():
        kept = {weight.name for weight in unit.weights}
        for name, variable in variables.items():
            if name in kept:
                found[f"{id(unit)}/{name}"] = np.array(variable)
    return found


def has_lora(graph: Any) -> bool:
    return any(w.merged_into for unit in graph.walk_units() for w in unit.weights)


def check_files(case: Case, folder: Path) -> None:
    """A case's weights through every format, there and back, to the last bit."""
    import h5py
    import safetensors.numpy
    import torch

    from specfmt.targets import keras as keras_target
    from specfmt.targets import torch as torch_target
    from specfmt.targets.torch.graph_lowering import lower_graph
    from specfmt.targets.torch.program import Options

    keras().backend.clear_session(free_memory=False)
    graph = build_graph(case.document())
    if not any(unit.weights for unit in graph.walk_units()):
        return
    code = keras_target.generate_model(graph, flavor="keras")
    model = execute(code)
    randomize(model)
    program = lower_graph(graph, Options())
    expected = state_dict(program, keras_weights(graph, model))
    sources = [folder / "m.weights.h5", folder / "m.keras"]
    model.save_weights(sources[0])
    model.save(sources[1])
    if has_lora(graph):
        for unit, variables in keras_weights(graph, model).items():
            for weight in unit.weights:
                if weight.merged_into:
                    variables[weight.name].assign(np.zeros(weight.shape, "float32"))
        model.save_weights(sources[0])
        model.save(sources[1])
        expected = state_dict(program, keras_weights(graph, model))
    with h5py.File(sources[0]) as file:
        kept = [slot.place for slot in slots(graph) if not slot.weight.merged_into]
        kept += [slot.copy_place for slot in slots(graph) if slot.copy_place]
        assert sorted(kept) == sorted(
            p for p in datasets(file["layers"], "layers", sources[0]) if "seed" not in p
        )
    first = folder / "first.safetensors"
    for source in sources:
        convert(graph, source, first)
        found = safetensors.numpy.load_file(first)
        assert list(found) == list(expected) or set(found) == set(expected)
        for key, value in expected.items():
            assert np.array_equal(found[key], value.numpy().reshape(found[key].shape)), key
    module = execute(torch_target.generate_model(graph, style="subclass"))
    assert set(module.state_dict()) == set(found)
    pickled = folder / "first.pt"
    convert(graph, sources[0], pickled)
    state = torch.load(pickled, weights_only=True)
    module.load_state_dict(state, strict=True)
    torch.save(state, pickled)
    before = values(graph, model)
    back = folder / "back.weights.h5"
    convert(graph, pickled, back)
    keras().backend.clear_session(free_memory=False)  # automatic names begin again
    other = execute(code)
    other.load_weights(back)
    for (_, theirs), (name, ours) in zip(values(graph, other).items(), before.items(), strict=True):
        assert np.array_equal(theirs, ours) or name.endswith("/count"), name
    second = folder / "second.safetensors"
    convert(graph, back, second)
    assert second.read_bytes() == first.read_bytes()
