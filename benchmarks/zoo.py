"""Generated PyTorch code compared with hand-written models: time of inference and of a training step.

    python benchmarks/zoo.py [--models ResNet50,VGG16] [--threads 2] [--rounds 15] [--clock cpu]
                             [--onnx] [--blocks [--compile]]

Needs `pytorchcv` (pip install pytorchcv --no-deps) and Keras for the architectures.  Both models
run alternately, so that other load slows both; the table shows the median of the ratios of
consecutive runs.  A ratio of 1 means as fast as the hand-written model.  The first row of a model counts the
permutes and transposes in its generated source.

With ``--onnx`` a third model is measured, the result of Keras -> tf2onnx -> onnx2torch
(pip install --no-deps tf2onnx onnx onnx2torch flatbuffers).  It has no source and no training
mode, because its batch normalization is folded into the convolutions, and its memory format is
NHWC; "ours folded" is the generated model after the same two steps:
`torch.fx.experimental.optimization.fuse(model.eval()).to(memory_format=torch.channels_last)`.

With ``--blocks`` the other model is not the hand-written one: code with blocks is compared with the
code of the same model without blocks, ``--compile`` both after `torch.compile`.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from torch import nn
from torch.fx.experimental.optimization import fuse

PAIRS = {
    "ResNet50": ("resnet", "resnet50"),
    "MobileNetV2": ("mobilenetv2", "mobilenetv2_w1"),
    "EfficientNetB0": ("efficientnet", "efficientnet_b0b"),
    "VGG16": ("vgg", "vgg16"),
    "DenseNet121": ("densenet", "densenet121"),
}
"""Keras's model and the hand-written one of the same architecture, by module and function."""

SIZE = 224

PERMUTE = re.compile(r"\.(?:permute|transpose|movedim)\(")


def application(name: str) -> Any:
    """Keras's model."""
    import keras

    keras.backend.clear_session()
    return getattr(keras.applications, name)(weights=None)


def generated(model: Any, *, blocks: bool = False) -> tuple[nn.Module, int]:
    """The PyTorch program that specfmt makes of a Keras model, and the permutes in its source."""
    import specfmt

    spec = specfmt.from_keras_json(model.to_json())
    if blocks:
        spec = specfmt.refactor(spec)
    namespace: dict[str, Any] = {"__name__": "generated"}
    code = specfmt.generate(spec, "torch", style="subclass")
    exec(code, namespace)
    return namespace["build_model"](), len(PERMUTE.findall(code))


def from_onnx(model: Any) -> nn.Module | None:
    """The graph module that tf2onnx and onnx2torch make of a Keras model; it reads NHWC.

    None where it does not run: it wants the variables of `Normalization` as inputs.
    """
    vision = ModuleType("torchvision.ops")  # onnx2torch wants it for detection layers alone
    vision.roi_align = None  # type: ignore[attr-defined]
    sys.modules.setdefault("torchvision", ModuleType("torchvision"))
    sys.modules.setdefault("torchvision.ops", vision)
    onnx2torch = import_module("onnx2torch")
    model(np.zeros((1, SIZE, SIZE, 3), "float32"))
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/model.onnx"
        model.export(path, format="onnx", verbose=False)
        found: nn.Module = onnx2torch.convert(path)
    found.reads_nhwc = True
    try:
        inference(found, 1)()
    except TypeError:
        return None
    return found


def by_hand(name: str) -> nn.Module:
    """The hand-written model."""
    module, function = PAIRS[name]
    return getattr(import_module(f"pytorchcv.models.{module}"), function)(pretrained=False)


def start_alike(model: nn.Module) -> nn.Module:
    """Kernels of one scale: numbers too small for a normal float are slow to multiply."""
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight)
    return model


def inference(model: nn.Module, batch: int) -> Callable[[], None]:
    """One forward pass without gradients."""
    model.eval()
    x = torch.rand(batch, 3, SIZE, SIZE)
    if getattr(model, "reads_nhwc", False):
        x = x.permute(0, 2, 3, 1).contiguous()
    elif isinstance(model, torch.fx.GraphModule):
        x = x.contiguous(memory_format=torch.channels_last)

    def run() -> None:
        with torch.inference_mode():
            model(x)

    return run


def training(model: nn.Module, batch: int) -> Callable[[], None]:
    """Forward, backward and a step of SGD."""
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    x, target = torch.rand(batch, 3, SIZE, SIZE), torch.zeros(batch, dtype=torch.int64)

    def run() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), target).backward()
        optimizer.step()

    return run


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
"""``cpu`` counts this process alone: for a machine that others use at the same time."""

clock = time.perf_counter


def seconds(run: Callable[[], None]) -> float:
    """How long one run takes."""
    start = clock()
    run()
    return clock() - start


def ratio(
    ours: Callable[[], None], theirs: Callable[[], None], rounds: int
) -> tuple[float, float, float]:
    """Median times of both, and the median ratio of neighbouring runs."""
    ours(), theirs()
    pairs = []
    for index in range(rounds):
        if index % 2:
            second = seconds(theirs)
            first = seconds(ours)
        else:
            first = seconds(ours)
            second = seconds(theirs)
        pairs.append((first, second))
    return (
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        statistics.median(a / b for a, b in pairs),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default=",".join(PAIRS))
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--onnx", action="store_true")
    parser.add_argument("--blocks", action="store_true")
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    globals()["clock"] = CLOCKS[args.clock]
    torch.set_num_threads(args.threads)
    print(f"{'model':<16} {'what':<28} {'specfmt':>9} {'other':>9} {'ratio':>6}")
    for name in args.models.split(","):
        model = application(name)
        program, permutes = generated(model)
        print(f"{name:<16} {'permutes in the source':<28} {permutes:7}")
        ours, theirs = start_alike(program), None
        if args.blocks:
            ours, theirs = start_alike(generated(model, blocks=True)[0]), ours
        label = "blocks" if args.blocks else "by hand"
        theirs = theirs or start_alike(by_hand(name))
        if args.compile:
            ours, theirs = torch.compile(ours), torch.compile(theirs)
        rows = [
            (f"{label}, inference, 1", ours, theirs, inference, 1, 2 * args.rounds),
            (f"{label}, inference, 8", ours, theirs, inference, 8, args.rounds),
            (f"{label}, training step, 8", ours, theirs, training, 8, max(3, args.rounds // 2)),
        ]
        other = from_onnx(model) if args.onnx else None
        if other is None and args.onnx:
            print(f"{name:<16} {'onnx2torch':<28} what it makes does not run")
        elif other is not None:
            start_alike(other)
            folded = fuse(ours.eval()).to(memory_format=torch.channels_last)
            for label, mine in (("onnx2torch", ours), ("onnx2torch, ours folded", folded)):
                rows += [
                    (f"{label}, {batch}", mine, other, inference, batch, args.rounds)
                    for batch in (1, 8)
                ]
        for what, mine, other, make, batch, rounds in rows:
            a, b, r = ratio(make(mine, batch), make(other, batch), rounds)
            print(f"{name:<16} {what:<28} {a * 1e3:7.1f}ms {b * 1e3:7.1f}ms {r:6.3f}", flush=True)


if __name__ == "__main__":
    main()
