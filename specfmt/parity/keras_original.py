"""The original model, loaded by Keras 3 or Keras 2; runs in the Keras worker process."""

from __future__ import annotations

import json
from contextlib import ExitStack
from functools import lru_cache
from importlib import import_module
from math import prod, sqrt
from pathlib import Path
from typing import Any, Final

import numpy as np

from specfmt.parity.shared import Job, load_npz, plain, save_npz
from specfmt.weights.arrays import Array

FLOATS: Final = ("float32", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16")
TITLES: Final = {"keras": "Keras", "tf_keras": "tf_keras"}
WEIGHT_FILES: Final = {"keras": ".weights.h5", "tf_keras": ".h5"}
"""The suffix of weight files of each."""


def work(job: Job) -> dict[str, Any]:
    """Load a file, with random weights if it has none, and compute its outputs or its layers' outputs."""
    keras = import_module(job["framework"])
    backend = keras.backend
    before = backend.floatx()
    model = loaded(job["framework"], job["file"], job["architecture"], job["seed"])
    result: dict[str, Any] = {"framework": f"{TITLES[job['framework']]} {keras.__version__}"}
    if job["save"]:
        result["weights"] = job["save"] + WEIGHT_FILES[job["framework"]]
        model.save_weights(result["weights"])
    try:
        if job["double"]:
            backend.set_floatx("float64")
            model = in_float64(job["framework"], model)
        result["params"] = int(sum(prod(v.shape) for v in model.weights if is_float(v)))
        compute(keras, model, job)
    finally:
        backend.set_floatx(before)
    return result


def compute(keras: Any, model: Any, job: Job) -> None:
    """Write the outputs for every input, in the spec's order and under its names."""
    names = job["outputs"]
    if job["layers"] is not None:
        model, names = every_output(keras, model, job["layers"])
    for case in job["cases"]:
        values = called(model, case["inputs"], job)
        if isinstance(values, dict):
            found = [values[name] for name in names if name in values]
            values = found if len(found) == len(names) else list(values.values())
        save_npz(case["out"], dict(zip(names, map(plain, values), strict=True)))


def is_float(variable: Any) -> bool:
    """Whether a variable is a weight of floats, not the state of a random generator."""
    dtype = variable.dtype if isinstance(variable.dtype, str) else variable.dtype.name
    return bool(dtype.startswith(("float", "bfloat")))


@lru_cache(maxsize=1)
def loaded(framework: str, file: str, architecture: str, seed: int) -> Any:
    """The model, not compiled, loaded without running code of the file."""
    keras = import_module(framework)
    keras.backend.clear_session()
    with ExitStack() as stack:
        stack.enter_context(safe_mode(framework))
        if not architecture:
            found = keras.models.load_model(file, compile=False)
            if hasattr(found, "get_encoded_features"):  # a FeatureSpace
                return keras.Model(found.get_inputs(), found.get_encoded_features())
            return found
        model = described(keras, framework, Path(architecture).read_text(encoding="utf-8"))
    if not model.built:
        model.build()
    if Path(f"{file}.index").is_file():
        restore(model, file)
    elif file:
        model.load_weights(file)
    else:
        draw(model, seed)
    return model


def restore(model: Any, checkpoint: str) -> None:
    """Load a checkpoint layer by layer, by their positions in the model.

    `load_weights` numbers the layers with weights.  A lookup layer has weights until its vocabulary
    is part of the config, as it is here, and then takes the weights of the next layer with it.
    """
    by_position(model).read(checkpoint).assert_existing_objects_matched()


def by_position(item: Any) -> Any:
    """A layer; for a model, an object whose attributes are its layers."""
    tensorflow = import_module("tensorflow")
    if hasattr(item, "layers"):
        layers = {f"layer-{i}": by_position(layer) for i, layer in enumerate(item.layers)}
        return tensorflow.train.Checkpoint(**layers)
    if hasattr(getattr(item, "layer", None), "layers"):
        return tensorflow.train.Checkpoint(layer=by_position(item.layer))
    return item


def described(keras: Any, framework: str, architecture: str) -> Any:
    """The model of an architecture in the format of Keras 2 or 3."""
    config = json.loads(architecture)
    if "module" not in config and framework == "keras":  # .h5 files of Keras 3 mix both formats
        legacy = import_module("keras.src.legacy.saving.saving_utils")
        return legacy.model_from_config(config)
    if "module" not in config:
        return keras.models.model_from_json(architecture)
    saving = import_module(f"{framework}.src.saving.serialization_lib")
    return saving.deserialize_keras_object(config, safe_mode=True)


def safe_mode(framework: str) -> Any:
    """Keras's own scope in which Lambda layers are refused, in files of any kind."""
    saving = import_module(f"{framework}.src.saving.serialization_lib")
    return saving.SafeModeScope(safe_mode=True)


def draw(model: Any, seed: int) -> None:
    """Set random weights that preserve the scale of activations; ones stay near one."""
    rng = np.random.default_rng(seed)
    values = []
    for variable in model.weights:
        value = np.asarray(variable)
        if is_float(variable) and value.size:
            numbers = value.astype("float64")
            if numbers.min() == numbers.max() != 0:
                value = numbers * rng.uniform(0.5, 1.5, value.shape)
            elif value.ndim < 2:
                value = numbers + 0.1 * rng.standard_normal(value.shape)
            else:
                value = rng.standard_normal(value.shape) / sqrt(max(1, fan(value.shape)))
        values.append(value)
    model.set_weights(values)


def fan(shape: tuple[int, ...]) -> int:
    """The fan-in of a kernel; that of a depthwise kernel is its number of positions."""
    return prod(shape[:-2]) if len(shape) > 2 and shape[-1] == 1 else prod(shape[:-1])


def in_float64(framework: str, model: Any) -> Any:
    """The same model in float64."""
    with safe_mode(framework):
        wide = type(model).from_config(float64_config(model.get_config()))
    if not wide.built:
        wide.build(model.input_shape)
    wide.set_weights(
        [value.astype("float64") if is_number(value) else value for value in model.get_weights()]
    )
    return wide


def is_number(value: Array) -> bool:
    """Whether an array has a floating-point dtype, including bfloat16, which NumPy does not know."""
    return value.dtype.kind in "fV"


def float64_config(item: Any, key: str = "") -> Any:
    """A config with all dtypes and dtype policies replaced by float64."""
    if isinstance(item, dict):
        if item.get("class_name") in ("DTypePolicy", "Policy"):
            return {**item, "config": {**item["config"], "name": "float64"}}
        return {k: float64_config(v, k) for k, v in item.items()}
    if isinstance(item, list | tuple):
        return [float64_config(value) for value in item]
    return "float64" if "dtype" in key and item in FLOATS else item


def every_output(
    keras: Any, model: Any, wanted: list[tuple[list[str], str, int]]
) -> tuple[Any, Any]:
    """A model whose outputs are those of the layer calls.

    Args:
        keras: The module `keras` or `tf_keras`.
        model: A functional or sequential model.
        wanted: For each call, the names of its outputs, its layer, and its index among the layer's calls.
    """
    known = {layer.name: layer for layer in model.layers}
    found: dict[str, Any] = {}
    for names, layer, call in wanted:
        nodes = known[layer]._inbound_nodes if layer in known else []
        if call < len(nodes):
            node = nodes[call]
            outputs = getattr(node, "output_tensors", None)
            outputs = node.outputs if outputs is None else outputs
            flat = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
            if len(flat) == len(names):
                found |= dict(zip(names, flat, strict=True))
    return keras.Model(model.inputs, list(found.values())), list(found)


def called(model: Any, inputs: str, job: Job) -> Any:
    """The model's outputs, in its own order."""
    tf = import_module("tensorflow")
    given: dict[str, Array] = load_npz(inputs)
    values = [tf.constant(given[name]) for name in ordered(model, list(given))]
    if job["double"]:
        values = [tf.cast(v, "float64") if v.dtype.is_floating else v for v in values]
    result = model(values[0] if len(values) == 1 else values, training=False)
    if isinstance(result, dict):
        return result
    return list(result) if isinstance(result, list | tuple) else [result]


def ordered(model: Any, given: list[str]) -> list[str]:
    """Names of inputs in the model's order; matched by name if the names are the same."""
    names = [tensor.name.split(":")[0] for tensor in model.inputs]
    return names if sorted(names) == sorted(given) else given
