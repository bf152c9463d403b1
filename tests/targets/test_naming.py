"""Names of models, inputs and layers that are words of Python, modules or parts of a framework."""

from __future__ import annotations

import keyword
import sys
from typing import Any

import pytest

from specfmt.targets.naming import FRAMEWORKS, module_name
from tests.tools.harness import build_graph, execute

NAMES = [
    *("signal", "random", "token", "queue", "copy", "types", "operator", "torch", "typing"),
    *("abc", "keras", "numpy", "nn", "F", "f", "self", "Self", "math", "ordered_dict", "x"),
    *("OrderedDict", "Model", "model", "layer", "layers", "inputs", "outputs", "build_model"),
    *("sequence", "path", "tensor", "module", "none", "True", "lambda", "class", "match", "_"),
    *("print", "list", "super", "type", "forward", "training", "T", "state_dict", "tf", "os"),
    *("ops", "np", "int", "float", "input", "eval", "exec", "__init__", "__class__", "mro"),
]


def document(name: str, place: str) -> dict[str, Any]:
    """A model with two inputs in which one thing bears the name."""
    names = {"model": "net", "input": "a", "layer": "d", "operation": "o", "nested": "inner"}
    names[place] = name
    return {
        "specfmt": 1,
        "name": names["model"],
        "inputs": {names["input"]: {"shape": [4]}, "b_side": {"shape": [4]}},
        "layers": [
            {"type": "Dense", "units": 4, "name": names["layer"], "inputs": names["input"]},
            {"op": "add", "name": names["operation"], "inputs": [names["layer"], "b_side"]},
            {
                "type": "Model",
                "name": names["nested"],
                "inputs": {"y": {"shape": [4]}},
                "layers": [{"type": "Dense", "units": 3}, {"op": "square"}],
            },
        ],
    }


@pytest.mark.parametrize("name", [*NAMES, *keyword.kwlist])
def test_file_names_hide_no_module(name: str) -> None:
    """A file beside the script is found before the module that it is named like."""
    found = module_name(name)
    assert found.isidentifier()
    assert not keyword.iskeyword(found)
    hidden = {item.lower() for item in (*sys.stdlib_module_names, *FRAMEWORKS)}
    assert found.lower() not in hidden


@pytest.mark.slow
@pytest.mark.parametrize("place", ["model", "input", "layer", "operation", "nested"])
def test_programs_run_under_any_name(place: str) -> None:
    """Both programs build and compute, whatever a part of the model is called."""
    import torch

    from specfmt.targets import keras as keras_target
    from specfmt.targets import torch as torch_target

    wrong = {}
    for name in NAMES:
        if name in ("b_side", "a", "d", "o", "inner", "net", "y"):
            continue
        graph = build_graph(document(name, place))
        try:
            for style in ("subclass", "auto"):
                module = execute(torch_target.generate_model(graph, style=style))
                assert module(torch.ones(2, 4), torch.ones(2, 4)).shape == (2, 3)
            model = execute(keras_target.generate_model(graph, flavor="keras"))
            assert model.count_params() == graph.count()
        except Exception as error:
            wrong[name] = f"{type(error).__name__}: {error}"[:200]
    assert not wrong
