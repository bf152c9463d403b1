"""Words of the user's own: what generated code calls them."""

import ast
import itertools
import json
from pathlib import Path

import numpy as np
import pytest

import specfmt
from tests.tools.harness import execute


def own(name, **config):
    return {"type": "Custom", "class": name, "config": config}


def own_function(name, module=""):
    return {"type": "Custom", "class": f"{module}function", "config": name}


def test_words_of_one_name_have_stubs_of_their_own():
    """Losses, initializers, layers, modules: whatever shares a name, each is its own code."""
    document = {
        "specfmt": 1,
        "name": "focal",
        "inputs": {"x": {"shape": [4]}},
        "layers": [
            {
                "type": "Dense",
                "units": 3,
                "kernel_initializer": own_function("dice"),
                "activation": own_function("dice"),
                "kernel_regularizer": own("dice"),
                "kernel_constraint": own("Focal", a=1),
            },
            {"type": "Custom", "class": "Focal", "config": {}},
            {"type": "Custom", "class": "dice_loss", "config": {}},
        ],
        "train": {
            "data": {"source": "npz", "path": "d.npz"},
            "loss": own_function("dice"),
            "metrics": [
                own_function("dice"),
                own("one.Focal", g=2),
                own("two.Focal", g=3),
                own("three.Focal", g=4),
                own_function("dice-loss"),
            ],
            "optimizer": own("dice", learning_rate=0.1),
        },
    }
    spec = specfmt.loads(json.dumps(document))
    for target, style in itertools.product(("keras", "torch"), ("auto", "subclass")):
        code = specfmt.generate(spec, target, style=style, part="train")
        tree = ast.parse(code)
        bound = [n.name for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
        for node in tree.body:
            if isinstance(node, ast.ImportFrom):
                bound += [alias.asname or alias.name for alias in node.names]
        assert sorted(bound) == sorted(set(bound)), (target, style)
        called = {"dice", "dice_activation", "dice_regularizer", "dice_optimizer"}
        called |= {"Focal_constraint", "Focal_metric", "Focal_2", "Focal_3"}
        assert called <= set(bound), (target, style)
        # One function is both, as in the original: written once, logged under its name.
        assert "The loss and metric `dice` of the original model" in code
        assert "write dice: the loss and metric of the original model" in code
        if target == "keras":
            assert "from three import Focal as Focal_3" in code
            for call in ("Focal_metric(g=2)", "Focal_2(g=3)", "Focal_3(g=4)"):
                assert call in code


def test_a_name_that_python_can_say_stays():
    """A leading underscore is part of it."""
    document = {
        "specfmt": 1,
        "inputs": {"x": {"shape": [4]}},
        "layers": [
            {
                "type": "Dense",
                "units": 3,
                "kernel_initializer": own("mine._Scaled__", a=1),
            }
        ],
    }
    code = specfmt.generate(specfmt.loads(json.dumps(document)))
    assert "from mine import _Scaled__\n" in code
    assert "kernel_initializer=_Scaled__(a=1)" in code


@pytest.mark.slow
@pytest.mark.parametrize("style", ["functional", "subclass"])
def test_layers_of_one_name_from_two_modules(
    style: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is imported under its own name, beside a stub and names that the file uses itself."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for module, factor in (("first_scales", 2), ("second_scales", 3)):
        (tmp_path / f"{module}.py").write_text(
            "from keras import layers\n\n\nclass Scale(layers.Layer):\n"
            f"    def call(self, x):\n        return {factor} * x\n\n"
            "    def compute_output_shape(self, shape):\n        return shape\n\n\n"
            "class layers(Scale):\n    pass\n"
        )
    scale = {"type": "Custom", "shape": [4]}
    places = ("first_scales.Scale", "second_scales.Scale", "second_scales.layers")
    entries = [{**scale, "class": place} for place in places]
    held = {"type": "TimeDistributed", "layer": {**scale, "class": places[1]}, "inputs": "y"}
    document = {
        "specfmt": 1,
        "inputs": {"x": {"shape": [4]}, "y": {"shape": [2, 4]}},
        "layers": [{**entries[0], "inputs": "x"}, *entries[1:], held],
        "outputs": ["custom_2", "time_distributed"],
    }
    spec = specfmt.loads(json.dumps(document))
    code = specfmt.generate(spec, "keras", flavor="keras", style=style)
    assert "from first_scales import Scale\n" in code
    assert "from second_scales import Scale as Scale2\n" in code
    assert "from second_scales import layers as layers2\n" in code
    x, y = np.ones((1, 4), "f4"), np.ones((1, 2, 4), "f4")
    outputs = execute(code)([x, y])
    assert [float(np.max(output)) for output in outputs] == [18.0, 3.0]
    document["layers"].insert(0, {**scale, "class": "Scale", "inputs": "x", "name": "own"})
    document["outputs"].append("own")
    code = specfmt.generate(specfmt.loads(json.dumps(document)), "keras", style=style)
    assert "class Scale(layers.Layer)" in code
    assert "from first_scales import Scale as Scale2\n" in code
