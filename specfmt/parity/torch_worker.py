"""The worker process of `specfmt verify` that runs generated PyTorch programs."""

from __future__ import annotations

from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from specfmt.parity.shared import (
    LEARNING_RATE,
    Job,
    cotangent,
    load_module,
    load_npz,
    perturbed,
    save_npz,
    serve,
)
from specfmt.weights import safetensors
from specfmt.weights.arrays import Array


def start() -> None:
    """Import the framework."""
    import_module("torch")


def work(job: Job) -> dict[str, Any]:
    """Build the model, load weights, compute outputs, and take training steps."""
    torch = import_module("torch")
    torch.set_default_dtype(torch.float64 if job["double"] else torch.float32)
    model = load_module(job["source"], job["user_folder"])["build_model"]()
    if job["double"]:
        model.double()
    load(model, job)
    for case in job["cases"]:
        model.train(case["training"])
        with torch.no_grad():
            save_npz(case["out"], arrays(called(model, case["inputs"], job), job))
    for step in job["steps"]:
        load(model, job)
        training_step(model, step, job)
    held = model.state_dict()
    result: dict[str, Any] = {"params": int(sum(held[key].numel() for key in job["made"]))}
    if job["double"]:
        model.eval()
        result["coarsest"] = coarsest(model, [*job["cases"], *job["steps"]][0]["inputs"], job)
    return result


def coarsest(model: Any, inputs: str, job: Job) -> str:
    """The lowest-precision floating-point dtype that the model computes in."""
    torch = import_module("torch")
    dispatch = import_module("torch.utils._python_dispatch")
    seen = set()

    class Watch(dispatch.TorchDispatchMode):  # type: ignore[misc, name-defined]
        def __torch_dispatch__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            result = function(*args, **(kwargs or {}))
            for item in result if isinstance(result, tuple | list) else [result]:
                if isinstance(item, torch.Tensor):
                    seen.add(item.dtype)
            return result

    with Watch(), torch.no_grad():
        called(model, inputs, job)
    found = ("bfloat16", "float16", "float32")
    return next((name for name in found if getattr(torch, name) in seen), "float64")


def load(model: Any, job: Job) -> None:
    """Load the model's weights."""
    torch = import_module("torch")
    tensors = safetensors.read(Path(job["weights"]))
    values = {key: t.read() for key, t in tensors.items()}
    if job["perturb"]:
        values = {
            key: perturbed(array.astype("float64"), job["perturb"], index)
            if array.dtype.kind == "f"
            else array
            for index, (key, array) in enumerate(values.items())
        }
    model.load_state_dict({key: torch.from_numpy(array) for key, array in values.items()})


def called(model: Any, inputs: str, job: Job) -> list[Any]:
    """The model's outputs, in the spec's order."""
    torch = import_module("torch")
    tensors: list[Any] = []
    for index, (name, array) in enumerate(load_npz(inputs).items()):
        if array.dtype.kind == "U":
            tensors.append(array.tolist())
            continue
        if job["double"] and array.dtype.kind == "f":
            array = perturbed(array.astype("float64"), job["perturb"], -1 - index & 0xFFFF)
        if job["channels_first"][name]:
            array = np.moveaxis(array, -1, 1)
        tensor = torch.from_numpy(np.ascontiguousarray(array).reshape(array.shape))
        if tensor.is_floating_point() and not job["double"]:  # Keras casts them by itself
            tensor = tensor.to(getattr(torch, job["dtypes"][name]))
        tensors.append(tensor)
    with float64_casts() if job["double"] else nullcontext():
        result = model(*tensors)
    if isinstance(result, dict):
        return [result[name] for name in job["outputs"]]
    return list(result) if isinstance(result, list | tuple) else [result]


def float64_casts() -> Any:
    """A scope in which casts to float32 become casts to float64, the dtype of the weights."""
    torch = import_module("torch")
    overrides = import_module("torch.overrides")
    narrow = {torch.float32, torch.float16, torch.bfloat16}
    casts = {torch.Tensor.float, torch.Tensor.half, torch.Tensor.bfloat16}

    def wide(item: Any) -> Any:
        return torch.float64 if isinstance(item, torch.dtype) and item in narrow else item

    class Wide(overrides.TorchFunctionMode):  # type: ignore[misc, name-defined]
        def __torch_function__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            function = torch.Tensor.double if function in casts else function
            named = {key: wide(value) for key, value in (kwargs or {}).items()}
            return function(*map(wide, args), **named)

    return Wide()


def arrays(values: list[Any], job: Job) -> dict[str, Array]:
    """Outputs by name, as arrays in Keras's axis order."""
    return {
        name: keras_order(value.detach(), job["channels_first"][name])
        for name, value in zip(job["outputs"], values, strict=True)
    }


def keras_order(value: Any, channels_first: bool) -> Array:
    """A tensor as an array, channels last."""
    torch = import_module("torch")
    array: Array = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    return np.moveaxis(array, 1, -1) if channels_first else array


def training_step(model: Any, step: dict[str, Any], job: Job) -> None:
    """Take one step of plain SGD; write outputs and gradients before it, weights and outputs after it."""
    torch = import_module("torch")
    model.train(step["training"])
    loss = torch.zeros(())
    found = called(model, step["inputs"], job)
    save_npz(step["outputs"], arrays(found, job))
    for index, (name, value) in enumerate(zip(job["outputs"], found, strict=True)):
        if value.is_floating_point():
            moved = torch.movedim(value, 1, -1) if job["channels_first"][name] else value
            weight = cotangent(moved.shape, index, keras_order(moved.detach(), False).dtype)
            loss = loss + (moved * torch.from_numpy(weight)).mean()
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    model.zero_grad()
    loss.backward()
    gradients = {
        name: (torch.zeros_like(p) if p.grad is None else p.grad).numpy()
        for name, p in trained.items()
    }
    save_npz(step["gradients"], gradients)
    torch.optim.SGD(trained.values(), lr=LEARNING_RATE).step()
    held = model.state_dict()
    others = [key for key in job["made"] if key not in trained and held[key].is_floating_point()]
    save_npz(step["statistics"], {key: keras_order(held[key], False) for key in others})
    model.eval()
    with torch.no_grad():
        save_npz(step["after"], arrays(called(model, step["inputs"], job), job))


if __name__ == "__main__":
    serve(start, work)
