"""Nested models that are called twice at every level: time must not double with each level."""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable
from typing import Any

import pytest

import specfmt
from specfmt.api import lint_spec
from specfmt.parity.inputs import index_limits


def document(depth: int, *, masked: bool) -> dict[str, Any]:
    """Each model calls the one inside it twice; the innermost has a dropout with a fixed mode."""
    first: dict[str, Any] = {"type": "Masking"} if masked else {"type": "Dense", "units": 4}
    fixed = {"type": "Dropout", "name": "drop", "rate": 0.5}
    fixed["inputs"] = {"inputs": "first", "training": True}
    layers: list[dict[str, Any]] = [first | {"name": "first"}, fixed]
    for level in range(depth):
        name, inputs = f"m{level}", {"a": {"shape": [3, 4]}}
        inner = {"type": "Model", "name": name, "inputs": inputs, "layers": layers}
        layers = [inner, {"reuse": name, "name": f"again{level}"}]
    return {"specfmt": 1, "inputs": {"x": {"shape": [3, 4]}}, "layers": layers}


def calls(action: Callable[[], Any]) -> int:
    profile = cProfile.Profile()
    profile.enable()
    action()
    profile.disable()
    return pstats.Stats(profile).total_calls  # type: ignore[attr-defined, no-any-return]


ACTIONS: dict[str, Callable[[specfmt.ModelSpec], Any]] = {
    "summarize": specfmt.summarize,
    "lint": lint_spec,
    "keras": lambda spec: specfmt.generate(spec, "keras"),
    "keras subclass": lambda spec: specfmt.generate(spec, "keras", style="subclass"),
    "torch": lambda spec: specfmt.generate(spec, "torch"),
    "export": specfmt.to_keras_json,
    "inputs of verify": lambda spec: index_limits(specfmt.analyze(spec)),
}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", ACTIONS)
def test_calls_grow_with_the_depth(name: str, masked: bool) -> None:
    few, many = (
        specfmt.loads(
            specfmt.dump(specfmt.ModelSpec.model_validate(document(depth, masked=masked)))
        )
        for depth in (5, 15)
    )
    ACTIONS[name](few)  # imports what it needs
    assert calls(lambda: ACTIONS[name](many)) < 9 * calls(lambda: ACTIONS[name](few))
