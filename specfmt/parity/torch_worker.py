"""Runs the generated PyTorch program; a process of its own that `specfmt verify` starts."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from specfmt.parity.shared import (
    LEARNING_RATE,
    cotangent,
    load_module,
    load_npz,
    run,
    save_npz,
)
from specfmt.weights import safetensors
from specfmt.weights.arrays import Array


def work(job: dict[str, Any]) -> dict[str, Any]:
    """Build, load weights, compute outputs, gradients and outputs after a step."""
    torch = import_module("torch")
    if job["double"]:
        torch.set_default_dtype(torch.float64)
    model = load_module(job["source"])["build_model"]()
    tensors = safetensors.read(Path(job["weights"]))
    model.load_state_dict({key: torch.from_numpy(t.read()) for key, t in tensors.items()})
    if job["double"]:
        model.double()
    model.eval()
    for case in job["cases"]:
        with torch.no_grad():
            save_npz(case["out"], outputs(model, case, job))
    made = set(job["made"])
    held = model.state_dict()
    result = {"params": int(sum(held[key].numel() for key in made))}
    if job["gradients"]:
        step(model, job)
    return result


def called(model: Any, case: dict[str, Any], job: dict[str, Any]) -> list[Any]:
    """The model's outputs, in the spec's order."""
    torch = import_module("torch")
    arrays = load_npz(case["inputs"])
    tensors = []
    for name, array in arrays.items():
        if job["double"] and array.dtype.kind == "f":
            array = array.astype("float64")
        if job["channels_first"][name]:
            array = np.moveaxis(array, -1, 1)
        tensors.append(torch.from_numpy(np.ascontiguousarray(array).reshape(array.shape)))
    result = model(*tensors)
    if isinstance(result, dict):
        return [result[name] for name in job["outputs"]]
    return list(result) if isinstance(result, list | tuple) else [result]


def outputs(model: Any, case: dict[str, Any], job: dict[str, Any]) -> dict[str, Array]:
    """The same as arrays in Keras's order of axes."""
    found = {}
    for name, value in zip(job["outputs"], called(model, case, job), strict=True):
        found[name] = keras_order(value.detach(), job["channels_first"][name])
    return found


def keras_order(value: Any, channels_first: bool) -> Array:
    """A tensor as an array, channels last."""
    torch = import_module("torch")
    array: Array = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    return np.moveaxis(array, 1, -1) if channels_first else array


def step(model: Any, job: dict[str, Any]) -> None:
    """Gradients of the loss on the first case, one step of SGD, outputs after it."""
    torch = import_module("torch")
    case = job["cases"][job["gradient_case"]]
    loss = torch.zeros(())
    for index, (name, value) in enumerate(
        zip(job["outputs"], called(model, case, job), strict=True)
    ):
        if value.is_floating_point():
            moved = torch.movedim(value, 1, -1) if job["channels_first"][name] else value
            weight = cotangent(moved.shape, index, keras_order(moved.detach(), False).dtype)
            loss = loss + (moved * torch.from_numpy(weight)).mean()
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    loss.backward()
    found = {
        name: (torch.zeros_like(p) if p.grad is None else p.grad).numpy()
        for name, p in trained.items()
    }
    save_npz(job["gradients"], found)
    torch.optim.SGD(trained.values(), lr=LEARNING_RATE).step()
    with torch.no_grad():
        save_npz(job["after"], outputs(model, case, job))


if __name__ == "__main__":
    run(work)
