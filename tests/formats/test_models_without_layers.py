"""Models whose outputs are their inputs, alone and inside other models, in files of both Keras."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import specfmt
from tests.tools.harness import as_list, execute

Make = Callable[[Any], Any]


def same(k: Any) -> Any:
    x = k.Input((4,), name="x")
    return k.Model(x, x, name="same")


def swapped(k: Any) -> Any:
    x, y = k.Input((4,), name="x"), k.Input((3,), name="y")
    return k.Model([x, y], [y, x], name="swapped")


def inside(k: Any) -> Any:
    x, y = k.Input((4,), name="a"), k.Input((3,), name="b")
    first, second = swapped(k)([x, y])
    return k.Model([x, y], [k.layers.Dense(2, name="d")(first), second], name="outer")


def chain(k: Any) -> Any:
    """A Sequential of an InputLayer only, inside another one."""
    inner = k.Sequential([k.Input((4,), name="x")], name="inner")
    return k.Sequential([k.Input((4,), name="a"), inner, k.layers.Dense(2, name="d")], name="outer")


def each_step(k: Any) -> Any:
    x = k.Input((5, 4), name="a")
    steps = k.layers.TimeDistributed(same(k), name="steps")(x)
    return k.Model(x, k.layers.Dense(2, name="d")(steps), name="outer")


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["keras", "tf_keras"])
@pytest.mark.parametrize("make", [same, swapped, inside, chain, each_step])
def test_they_compute_what_keras_computes(make: Make, framework: str, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    k = pytest.importorskip(framework)
    model = make(k)
    path = tmp_path / "model.keras"
    model.save(path)
    spec, warnings = specfmt.import_spec(path)
    assert warnings == []
    assert specfmt.summarize(spec).to_data()["params"]["total"] == model.count_params()
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(3, *tensor.shape[1:])).astype("f4") for tensor in model.inputs]
    wanted = as_list(model(x if len(x) > 1 else x[0]))
    specfmt.convert_weights(spec, path, tmp_path / "w.safetensors")
    specfmt.convert_weights(spec, path, tmp_path / "w.weights.h5")
    for style in ("auto", "functional", "subclass"):
        module = execute(specfmt.generate(spec, "torch", style=style))
        module.load_state_dict(load_file(tmp_path / "w.safetensors"))
        ours = as_list(module(*map(torch.tensor, x)))
        again = execute(specfmt.generate(spec, "keras", style=style, flavor="keras"))
        again.load_weights(tmp_path / "w.weights.h5")
        theirs = as_list(again(x if len(x) > 1 else x[0]))
        for want, one, other in zip(wanted, ours, theirs, strict=True):
            assert np.allclose(want, one.detach().numpy(), atol=1e-6), style
            assert np.allclose(want, other, atol=1e-6), style
    text = specfmt.to_keras_json(spec, format="keras3" if framework == "keras" else "keras2")
    assert specfmt.dump(specfmt.from_keras_json(text)) == specfmt.dump(spec)
    if framework == "keras":
        original, written = json.loads(model.to_json()), json.loads(text)
        assert written["config"] == original["config"]
    assert k.models.model_from_json(text).count_params() == model.count_params()


def test_a_model_without_layers_and_inputs() -> None:
    with pytest.raises(specfmt.SpecError, match="at least one layer"):
        specfmt.from_keras_json('{"class_name": "Sequential", "config": {"layers": []}}')
