"""Builds both programs, runs them in processes of their own and compares what they computed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from specfmt import api
from specfmt.graph.keras_order import walk_layers
from specfmt.graph.model import Graph
from specfmt.parity.inputs import input_shapes, random_inputs, random_weights
from specfmt.parity.report import Difference, Report, Rounding
from specfmt.parity.shared import load_npz, save_npz
from specfmt.spec.diagnostics import Diagnostic, SpecError
from specfmt.spec.document import ModelSpec
from specfmt.targets.torch.program import ClassProgram, Options, TorchParam, lower_graph
from specfmt.weights import keras_h5
from specfmt.weights.arrays import Array
from specfmt.weights.convert import convert
from specfmt.weights.slots import slots

OUTPUT_BOUND: Final = 1e-5
GRADIENT_BOUND: Final = 1e-4
"""Of a gradient, by its weight's largest; sums over a batch and many layers round more."""

GRADIENT_FLOOR: Final = 1e-3
"""A weight whose gradients are this much smaller than the largest of all is held against that."""

BATCHES: Final = (1, 2, 5)
TARGETS: Final = ("keras", "torch")
Progress = Callable[[str], None]


def verify(
    spec: ModelSpec,
    *,
    weights: str | Path | None = None,
    targets: Sequence[str] = TARGETS,
    seed: int = 0,
    batches: Sequence[int] = BATCHES,
    layerwise: bool = False,
    tolerance: float = OUTPUT_BOUND,
    fidelity: str = "idiomatic",
    gradients: bool = True,
    progress: Progress | None = None,
) -> Report:
    """Compare both programs; see `specfmt.verify`.

    Args:
        spec: The model.
        weights: A weight file; random weights if not given.
        targets: Both; one alone is run and its parameters are counted.
        seed: Of random weights and inputs.
        batches: Batch sizes to try.
        layerwise: Compare the output of every layer, even if the model's outputs agree.
        tolerance: What outputs may differ by, relative to their largest value.
        fidelity: How the PyTorch program is generated.
        gradients: Also compare gradients and one step of training.
        progress: Called with what is done next.

    Raises:
        SpecError: The spec has mistakes, a weight file does not fit, or a program fails.
    """
    say = progress or _silent
    with tempfile.TemporaryDirectory(prefix="specfmt-verify-") as folder:
        pair = Pair(spec, Path(folder), fidelity, say)
        pair.make_weights(weights, seed)
        pair.make_inputs(tuple(batches), seed)
        if len(set(targets) or TARGETS) == 1:
            return alone(pair, targets[0])
        return compare(pair, tolerance=tolerance, layerwise=layerwise, gradients=gradients)


def _silent(_: str) -> None:
    """Progress that nobody wants to see."""


class Pair:
    """Both programs of a model, their weights and inputs, in a folder.

    Args:
        spec: The model.
        folder: Where files go.
        fidelity: How the PyTorch program is generated.
        say: Called with what is done next.
    """

    def __init__(self, spec: ModelSpec, folder: Path, fidelity: str, say: Progress) -> None:
        self.spec, self.folder, self.say = spec, folder, say
        self.options = Options(fidelity=fidelity)
        self.graph: Graph = api.analyze(spec)
        self.program: ClassProgram = lower_graph(self.graph, self.options)
        self.cases: list[dict[str, str]] = []
        self.keras_weights = folder / "model.weights.h5"
        self.torch_weights = folder / "model.safetensors"
        sources = {
            "keras": api.generate(spec, "keras"),
            "torch": api.generate(spec, "torch", fidelity=fidelity),
        }
        for target, code in sources.items():
            (folder / f"{target}_model.py").write_text(code, encoding="utf-8")

    def make_weights(self, source: str | Path | None, seed: int) -> None:
        """Weights for both: converted from a file, or drawn."""
        self.say("weights")
        if source is None:
            drawn = random_weights(walk_layers(self.graph), seed)
            keras_h5.write(self.keras_weights, self.graph, drawn)
        else:
            convert(self.graph, Path(source), self.keras_weights, options=self.options)
        first = self.keras_weights if source is None else Path(source)
        convert(self.graph, first, self.torch_weights, options=self.options)

    def make_inputs(self, batches: tuple[int, ...], seed: int) -> None:
        """Inputs of several batch sizes, and of several sizes where the spec leaves them open."""
        for index, shapes in enumerate(input_shapes(self.graph, batches)):
            path = self.folder / f"inputs{index}.npz"
            save_npz(path, random_inputs(self.graph, shapes, seed + index))
            self.cases.append({"inputs": str(path)})

    def channels_first(self) -> dict[str, bool]:
        """Which inputs and outputs stand channels-first in PyTorch."""
        tensors = {**self.program.inputs, **self.program.outputs}
        return {
            name: self.program.channels.get(tensor, False) and tensor.rank in (4, 5)
            for name, tensor in tensors.items()
        }

    def run(
        self,
        target: str,
        *,
        gradients: bool = False,
        double: bool = False,
        cases: slice = slice(None),
    ) -> dict[str, Any]:
        """Run one program on the inputs; returns what it says of itself, its arrays read."""
        self.say(f"{'Keras' if target == 'keras' else 'PyTorch'}{' in float64' if double else ''}")
        chosen = self.cases[cases]
        stem = self.folder / f"{target}{'64' if double else ''}"
        job: dict[str, Any] = {
            "source": str(self.folder / f"{target}_model.py"),
            "weights": str(self.keras_weights if target == "keras" else self.torch_weights),
            "cases": [{**case, "out": f"{stem}_out{i}.npz"} for i, case in enumerate(chosen)],
            "outputs": list(self.graph.outputs),
            "channels_first": self.channels_first(),
            "made": [
                p.key for p in self.program.parameters() if any(True for _ in p.value.sources())
            ],
            "gradients": f"{stem}_gradients.npz" if gradients else "",
            "gradient_case": min(1, len(chosen) - 1),
            "after": f"{stem}_after.npz",
            "double": double,
        }
        path = Path(f"{stem}.json")
        path.write_text(json.dumps(job), encoding="utf-8")
        start(target, path)
        result: dict[str, Any] = json.loads(path.with_suffix(".result").read_text(encoding="utf-8"))
        result["outputs"] = [load_npz(case["out"]) for case in job["cases"]]
        if gradients:
            result["gradients"] = load_npz(job["gradients"])
            result["after"] = load_npz(job["after"])
        return result


def start(target: str, job: Path) -> None:
    """Run a worker process to its end.

    Raises:
        SpecError: SF510 with the last line that it wrote.
    """
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
    command = [sys.executable, "-m", f"specfmt.parity.{target}_worker", str(job)]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        last = lines[-1] if lines else f"exit code {done.returncode}"
        name = "Keras" if target == "keras" else "PyTorch"
        raise SpecError(
            [
                Diagnostic(
                    "SF510",
                    f"expected the {name} program to run, received: {last}",
                    hint=f"generate it with `specfmt generate --target {target}` and run it",
                )
            ]
        )


def alone(pair: Pair, target: str) -> Report:
    """Run one program on all inputs and count its parameters."""
    result = pair.run(target)
    report = Report({target: result["params"], "spec": pair.graph.count()})
    report.skipped = "one program alone: nothing to compare its outputs with"
    return report


def compare(pair: Pair, *, tolerance: float, layerwise: bool, gradients: bool) -> Report:
    """Run both and compare everything."""
    made = {p.unit: p for p in pair.program.parameters()}
    trains = gradients and any(p.trainable for p in pair.program.parameters())
    trains = trains and any(v.dtype.startswith("float") for v in pair.graph.outputs.values())
    keras = pair.run("keras", gradients=trains)
    torch = pair.run("torch", gradients=trains)
    report = Report({"keras": keras["params"], "torch": torch["params"]})
    if not trains and made:
        report.skipped = "gradients: nothing is trained"
    for index, (ours, theirs) in enumerate(zip(keras["outputs"], torch["outputs"], strict=True)):
        report.shapes.append(
            {
                "inputs": index,
                "keras": {name: list(array.shape) for name, array in ours.items()},
                "torch": {name: list(array.shape) for name, array in theirs.items()},
            }
        )
    report.outputs = worst(keras["outputs"], torch["outputs"], tolerance)
    if trains:
        report.gradients = compare_gradients(pair, keras["gradients"], torch["gradients"])
        report.after_step = worst([keras["after"]], [torch["after"]], 10 * tolerance)
    apart = not all(d.ok for d in (*report.outputs, *report.after_step, *report.gradients))
    if apart and report.shapes_agree:
        exact = pair.run("keras", gradients=trains, double=True)
        other = pair.run("torch", gradients=trains, double=True)
        report.rounding = rounding(keras, torch, exact, other)
        if trains:  # in float64 nothing of a difference is rounding
            report.gradients = compare_gradients(pair, exact["gradients"], other["gradients"])
            report.after_step = worst([exact["after"]], [other["after"]], 10 * tolerance)
    if layerwise or not report.ok:
        report.layers = compare_layers(pair, tolerance)
        report.first = next((d.name for d in report.layers if not d.ok), "")
    return report


def difference(
    name: str, ours: Array, theirs: Array, bound: float, floor: float = 0.0
) -> Difference:
    """The largest difference of two arrays; infinite where one has NaN and the other has not."""
    if ours.shape != theirs.shape:
        return Difference(name, float("inf"), float("inf"), bound, "shapes differ")
    if not ours.size:
        return Difference(name, 0.0, 0.0, bound)
    a, b = ours.astype("float64"), theirs.astype("float64")
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        apart = np.where(same, 0.0, np.abs(a - b))
    apart = np.where(np.isnan(apart), np.inf, apart)
    finite = np.abs(a[np.isfinite(a)])
    scale = max(float(finite.max()) if finite.size else 0.0, floor)
    largest = float(apart.max())
    return Difference(name, largest, largest / scale if scale else largest, bound)


def worst(
    ours: list[dict[str, Array]], theirs: list[dict[str, Array]], bound: float
) -> list[Difference]:
    """The largest difference of each output over all inputs."""
    found: dict[str, Difference] = {}
    for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        for name in a:
            now = difference(name, a[name], b[name], bound)
            now = Difference(name, now.max_abs, now.max_rel, bound, f"inputs {index}")
            if name not in found or now.max_rel > found[name].max_rel:
                found[name] = now
    return list(found.values())


def compare_gradients(
    pair: Pair, keras: dict[str, Array], torch: dict[str, Array]
) -> list[Difference]:
    """Gradients by Keras weight: torch's are put back through the parameter expressions."""
    by_unit: dict[Any, list[TorchParam]] = {}
    for param in pair.program.parameters():
        by_unit.setdefault(param.unit, []).append(param)
    largest = max((float(np.abs(g).max()) for g in keras.values() if g.size), default=0.0)
    found = []
    back: dict[Any, dict[str, Array]] = {}
    for slot in slots(pair.graph):
        if slot.unit not in back:
            back = {slot.unit: add_up(slot.unit, by_unit.get(slot.unit, []), torch)}
        index = slot.unit.weights.index(slot.weight)
        key = f"{'/'.join((*slot.owners, slot.unit.name))}:{index}"
        if key in keras:
            floor = GRADIENT_FLOOR * largest
            theirs = back[slot.unit].get(slot.weight.name, np.zeros(0))
            found.append(difference(slot.name, keras[key], theirs, GRADIENT_BOUND, floor))
    return found


def add_up(unit: Any, params: list[TorchParam], torch: dict[str, Array]) -> dict[str, Array]:
    """A layer's gradients by Keras weight; a weight that stands in several tensors has their sum."""
    found = {w.name: np.zeros(w.shape) for w in unit.weights}

    def add(name: str, index: Any, value: Array) -> None:
        found[name][index] += value

    for param in params:
        if param.key in torch:
            param.value.scatter(torch[param.key], add)
    return found


def rounding(
    keras: dict[str, Any], torch: dict[str, Any], exact: dict[str, Any], other: dict[str, Any]
) -> Rounding:
    """Outputs of both programs in float64, against each other and against float32.

    Args:
        keras, torch: What the programs gave in float32.
        exact, other: The same in float64.
    """

    def largest(a: list[dict[str, Array]], b: list[dict[str, Array]]) -> float:
        return max((d.max_rel for d in worst(a, b, 0.0)), default=0.0)

    return Rounding(
        largest(exact["outputs"], keras["outputs"]),
        largest(other["outputs"], torch["outputs"]),
        largest(exact["outputs"], other["outputs"]),
    )


def compare_layers(pair: Pair, tolerance: float) -> list[Difference]:
    """Every call's output on the first input, from a spec that returns all of them."""
    pair.say("layer by layer")
    names = [value.name for node in pair.graph.nodes for value in node.outputs]
    update = {"outputs": tuple(names), "train": None, "style": "functional"}
    spec = pair.spec.model_copy(update=update)
    folder = pair.folder / "layers"
    folder.mkdir()
    every = Pair(spec, folder, pair.options.fidelity, pair.say)
    every.make_weights(pair.keras_weights, 0)
    every.cases = pair.cases[:1]
    keras, torch = every.run("keras"), every.run("torch")
    return worst(keras["outputs"], torch["outputs"], tolerance)
