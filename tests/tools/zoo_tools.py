"""The models of `keras.applications` through the whole way: JSON, spec, source, weights, outputs."""

from __future__ import annotations

import gc
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import specfmt
from specfmt.parity.keras_worker import keep_digits
from specfmt.parity.report import Report
from specfmt.targets import torch as torch_target
from specfmt.weights.convert import convert
from tests.tools.harness import channels_first, execute, keras, relative_error

MODELS = (
    "ConvNeXtBase ConvNeXtLarge ConvNeXtSmall ConvNeXtTiny ConvNeXtXLarge DenseNet121 DenseNet169 "
    "DenseNet201 EfficientNetB0 EfficientNetB1 EfficientNetB2 EfficientNetB3 EfficientNetB4 "
    "EfficientNetB5 EfficientNetB6 EfficientNetB7 EfficientNetV2B0 EfficientNetV2B1 "
    "EfficientNetV2B2 EfficientNetV2B3 EfficientNetV2L EfficientNetV2M EfficientNetV2S "
    "InceptionResNetV2 InceptionV3 MobileNet MobileNetV2 MobileNetV3Large MobileNetV3Small "
    "NASNetLarge NASNetMobile ResNet101 ResNet101V2 ResNet152 ResNet152V2 ResNet50 ResNet50V2 "
    "VGG16 VGG19 Xception"
).split()

PERMUTE = re.compile(r"\.(?:permute|transpose|movedim)\(")


@dataclass(frozen=True)
class Result:
    """One model's figures.

    Attributes:
        errors: Relative error against Keras in float32, by batch size.
        exact: The same of float32 Keras and of float32 PyTorch against float64 PyTorch, where asked.
        exact_pair: float64 Keras against float64 PyTorch, where asked.
    """

    name: str
    params: int
    permutes: int
    size: tuple[int, ...]
    errors: dict[int, float]
    exact: tuple[float, float] | None
    exact_pair: float | None
    seconds: float


def randomize(model: Any, seed: int) -> None:
    """Trained-looking weights: kernels keep their scale, statistics and scales vary around theirs."""
    rng = np.random.default_rng(seed)
    for variable in model.variables:
        path, shape = variable.path, tuple(variable.shape)
        if not variable.dtype.startswith("float") or "seed_generator" in path:
            continue
        if len(shape) > 1:
            fan = np.prod(shape[:2]) if "depthwise" in path else np.prod(shape[:-1])
            value = rng.standard_normal(shape, "float32") * np.float32(1.4 / np.sqrt(fan))
        elif path.endswith(("variance", "gamma")) or "layer_scale" in path:
            value = rng.uniform(0.5, 1.5, shape)
        else:
            value = 0.1 * rng.standard_normal(shape)
        variable.assign(value.astype("float32"))


def inputs_for(model: Any, size: int | None, batch: int, seed: int = 3) -> np.ndarray:
    """Pictures: numbers from 0 to 255, as the models with a preprocessing layer want them."""
    shape = [size or s or 224 for s in model.input_shape[1:3]]
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 255, (batch, *shape, 3)).astype("float32")


def spread_logits(model: Any, size: int | None) -> None:
    """Scale the last layer so that the softmax answers with more than a single one."""
    end = model.layers[-1]
    softmax, end.activation = end.activation, keras().activations.linear
    logits = np.asarray(model(inputs_for(model, size, 1), training=False))
    end.activation = softmax
    last = [v for v in model.trainable_variables if len(v.shape) > 1][-1]
    last.assign(np.asarray(last) * np.float32(1.5 / logits.std()))


def random_model(name: str, size: int | None = None) -> Any:
    """An application with trained-looking weights whose answers are not all one class."""
    k = keras()
    k.backend.clear_session()
    gc.collect()
    model = getattr(k.applications, name)(weights=None, **shape_options(size))
    randomize(model, seed=len(name))
    spread_logits(model, size)
    return model


def shape_options(size: int | None) -> dict[str, Any]:
    """Arguments of an application for pictures of a size; its own size if None."""
    return {} if size is None else {"input_shape": (size, size, 3)}


def float64_copy(name: str, options: dict[str, Any], weights: Path) -> Any:
    """The Keras model in double precision with the same weights."""
    k = keras()
    keep_digits()
    k.config.set_floatx("float64")
    k.config.set_dtype_policy("float64")
    try:
        model = getattr(k.applications, name)(weights=None, **options)
        model.load_weights(weights)
    finally:
        k.config.set_floatx("float32")
        k.config.set_dtype_policy("float32")
    return model


def check_model(
    name: str,
    folder: Path,
    *,
    size: int | None = None,
    batches: tuple[int, ...] = (1, 2),
    exact: bool = False,
    blocks: bool = False,
) -> Result:
    """Compare one application with the programs that specfmt makes of it.

    Args:
        name: The application.
        folder: A folder for its weights.
        size: Of its pictures; its own if None.
        batches: The sizes of batches with which outputs are compared.
        exact: Also compare in double precision.
        blocks: Whether what occurs several times becomes blocks; then the JSON of the model that
            the Keras program builds is compared too.
    """
    import safetensors.torch
    import torch

    start = time.perf_counter()
    model = random_model(name, size)
    text = model.to_json()
    spec = specfmt.from_keras_json(text)
    if blocks:
        spec = specfmt.refactor(spec)
        keras().backend.clear_session()  # automatic names are counted from the start
        program = execute(specfmt.generate(spec, "keras", flavor="keras"))
        assert json.loads(program.to_json()) == json.loads(text)
    graph = specfmt.analyze(spec)
    assert graph.count() == model.count_params()
    code = torch_target.generate_model(graph, style="subclass")
    weights, converted = folder / "model.weights.h5", folder / "model.safetensors"
    model.save_weights(weights)
    convert(graph, weights, converted)
    module = execute(code).eval()
    module.load_state_dict(safetensors.torch.load_file(converted))
    errors = {}
    with torch.no_grad():
        for batch in batches:
            x = inputs_for(model, size, batch)
            theirs = np.asarray(model(x, training=False))
            ours = module(torch.from_numpy(np.ascontiguousarray(channels_first(x, False)))).numpy()
            errors[batch] = relative_error(theirs, ours)
    figures, pair = None, None
    if exact or max(errors.values()) > 1e-5:
        with torch.no_grad():
            wide = torch.from_numpy(
                np.ascontiguousarray(channels_first(x, False)).astype("float64")
            )
            truth = module.double()(wide).numpy()
        figures = (relative_error(truth, theirs), relative_error(truth, ours))
        del model
        gc.collect()
        other = float64_copy(name, shape_options(size), weights)
        pair = relative_error(np.asarray(other(x.astype("float64"), training=False)), truth)
    shape = tuple(x.shape[1:])
    params = graph.count()
    seconds = time.perf_counter() - start
    return Result(name, params, len(PERMUTE.findall(code)), shape, errors, figures, pair, seconds)


def training_line(report: Report) -> str:
    """The largest differences of gradients and of outputs after a step, in both modes."""
    parts = []
    for label, step in (("inference", report.step), ("training", report.training)):
        assert step is not None
        counted = [item for item in step.gradients if not item.by_design]
        after = [item.max_rel for item in step.after if not item.by_design]
        end = f"after {max(after):.1e}" if after else "after: by design"
        parts.append(
            f"{label}{' in float64' if step.exact else ''}: gradients "
            f"{max(item.max_rel for item in counted):.1e}, {end}"
        )
    return "; ".join(parts)


def line(result: Result) -> str:
    """One row of the table."""
    errors = "  ".join(f"{error:.1e}" for error in result.errors.values())
    row = (
        f"{result.name:<18} {result.params:>11,} {'x'.join(map(str, result.size)):<11} "
        f"{result.permutes:>4}  {errors}"
    )
    if result.exact is not None:
        row += f"  float64: Keras {result.exact[0]:.1e}, PyTorch {result.exact[1]:.1e}, both {result.exact_pair:.1e}"
    return row
