"""Words of the user's own: what generated code calls them."""

import ast
import itertools
import json

import specfmt


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
