"""The Keras and the PyTorch program of a model, with weights and inputs, in a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from specfmt.graph.analyze import analyze
from specfmt.graph.keras_order import walk_layers
from specfmt.graph.model import Graph, Unit
from specfmt.parity.inputs import random_inputs, random_weights
from specfmt.parity.shared import load_npz, save_npz
from specfmt.parity.sizes import input_shapes
from specfmt.parity.workers import Workers
from specfmt.spec.document import ModelSpec
from specfmt.targets.options import Axes, Fidelity
from specfmt.targets.registry import find_target, generate
from specfmt.targets.running import require_allowed
from specfmt.targets.torch import program_options
from specfmt.targets.torch.graph_lowering import lower_graph
from specfmt.targets.torch.program import ClassProgram
from specfmt.weights import keras_h5
from specfmt.weights.convert import Weights, convert

INFERENCE: Final = "inference"
TRAINING: Final = "training"
STEP_PARTS: Final = ("outputs", "gradients", "statistics", "after")
"""The results that a program writes for a training step: see `Pair.send`."""

Progress = Callable[[str], None]
Result = dict[str, Any]


def named_units(graph: Graph, owners: tuple[str, ...] = ()) -> Iterator[tuple[Any, Unit]]:
    """Every layer, with its name and those of the nested models that contain it."""
    for unit in graph.units:
        name = (*owners, unit.name)
        yield name, unit
        if unit.graph is not None:
            yield from named_units(unit.graph, name)


class Pair:
    """The Keras and the PyTorch program of a model, their weights and inputs, in a folder.

    Args:
        spec: The model.
        folder: The folder for their files; it is created.
        fidelity: An option of the PyTorch program.
        say: Called with a description of each step.
        workers: The worker processes.
        axes: An option of the PyTorch program: the order of its inputs' and outputs' axes.
    """

    def __init__(
        self,
        spec: ModelSpec,
        folder: Path,
        fidelity: Fidelity | None,
        say: Progress,
        workers: Workers,
        axes: Axes | None = None,
    ) -> None:
        self.spec, self.folder, self.say, self.workers = spec, folder, say, workers
        self.options = program_options(axes=axes, fidelity=fidelity)
        self.program: ClassProgram = lower_graph(analyze(spec), self.options)
        self.graph: Graph = self.program.graph
        self.inputs: list[str] = []
        self.batches: list[int] = []
        self.samples: list[tuple[tuple[int, ...], ...]] = []
        self.keras_weights = folder / "model.weights.h5"
        self.torch_weights = folder / "model.safetensors"
        sources = {
            "keras": generate(spec, "keras"),
            "torch": generate(spec, "torch", {"axes": axes, "fidelity": fidelity}),
        }
        self.user_folders = {t: require_allowed(spec, code, t) for t, code in sources.items()}
        folder.mkdir(exist_ok=True)
        for target, code in sources.items():
            self.source(target).write_text(code, encoding="utf-8")

    def source(self, target: str) -> Path:
        """The file of a program."""
        return self.folder / f"{target}_model.py"

    def code(self, target: str) -> str:
        """The text of a program."""
        return self.source(target).read_text(encoding="utf-8")

    def make_weights(
        self, source: str | Path | None, seed: int, whole: Graph | None = None
    ) -> None:
        """Write the weights of both programs: converted from a file, or random.

        Args:
            source: The file; None for random weights.
            seed: The seed of random weights.
            whole: The model that the file belongs to, if this model is a part of it.
        """
        self.say("weights")
        if source is not None and whole is not None:
            self._take_part(Path(source), whole)
            source = self.keras_weights
        elif source is None:
            drawn = random_weights(walk_layers(self.graph), seed)
            keras_h5.write(self.keras_weights, self.graph, drawn)
        elif source != self.keras_weights:
            convert(self.graph, Path(source), self.keras_weights, options=self.options)
        first = self.keras_weights if source is None else Path(source)
        convert(self.graph, first, self.torch_weights, options=self.options)

    def _take_part(self, source: Path, whole: Graph) -> None:
        """Take the weights of this model's layers from those of a larger model."""
        ours = dict(named_units(self.graph))
        names = {unit: name for name, unit in named_units(whole)}
        with ExitStack() as stack:
            weights = Weights(whole, lower_graph(whole, self.options), source, stack)
            taken = [
                (ours[names[unit]], compute)
                for unit, compute in weights.keras_units()
                if names[unit] in ours
            ]
            keras_h5.write(self.keras_weights, self.graph, taken)

    def make_inputs(self, batches: tuple[int, ...], seed: int) -> None:
        """Write inputs of several batch sizes, and of several sizes where the spec has unknown ones."""
        self.say("inputs")
        for index, shapes in enumerate(input_shapes(self.graph, batches)):
            path = self.folder / f"inputs{index}.npz"
            save_npz(path, random_inputs(self.graph, shapes, seed + index))
            self.inputs.append(str(path))
            self.batches.append(max((shape[0] for shape in shapes.values() if shape), default=1))
            self.samples.append(tuple(shape[1:] for shape in shapes.values()))

    def like(self, spec: ModelSpec, name: str, fidelity: Fidelity) -> Pair:
        """Another model with the same weights and inputs, in a folder below this one's."""
        place, axes = self.folder / name, self.options.axes
        other = Pair(spec, place, fidelity, self.say, self.workers, axes)
        other.make_weights(self.keras_weights, 0)
        other.inputs, other.batches, other.samples = self.inputs, self.batches, self.samples
        return other

    def channels_first(self) -> dict[str, bool]:
        """Whether each input and output is channels-first in PyTorch."""
        tensors = {**self.program.inputs, **self.program.outputs}
        return {
            name: self.program.channels.get(tensor, False) and tensor.rank in (4, 5)
            for name, tensor in tensors.items()
        }

    def step_input(self, mode: str) -> str:
        """The input file of the training step: two samples; in training mode, where batch statistics
        matter, the largest batch."""
        if mode == INFERENCE:
            return self.inputs[min(1, len(self.inputs) - 1)]
        return self.inputs[self.batches.index(max(self.batches))]

    def chosen(self, cases: Sequence[int] | None) -> list[str]:
        """The files of some inputs, or of all."""
        return self.inputs if cases is None else [self.inputs[index] for index in cases]

    def smallest(self, differences: dict[int, float], part: float) -> tuple[int, ...]:
        """The smallest inputs that show the differences: for each sample size, the fewest samples.

        Args:
            differences: Index of an input -> the difference found with it.
            part: The fraction of the largest difference that a smaller input must show.
        """
        groups: dict[Any, list[int]] = {}
        for index in differences:
            groups.setdefault(self.samples[index], []).append(index)
        found = []
        for group in groups.values():
            enough = part * max(differences[index] for index in group)
            serve = [index for index in group if differences[index] >= enough]
            found.append(min(serve, key=lambda index: (self.batches[index], index)))
        return tuple(sorted(found))

    def run(self, target: str, **options: Any) -> Result:
        """Run one program; see `send`."""
        return self.send(target, **options)()

    def send(
        self,
        target: str,
        *,
        cases: Sequence[int] | None = None,
        training: bool = False,
        steps: Sequence[str] = (),
        double: bool = False,
        perturb: float = 0.0,
    ) -> Callable[[], Result]:
        """Start to run a program.

        Args:
            target: ``keras`` or ``torch``.
            cases: The indices of the inputs; all if not given.
            training: Compute their outputs in training mode.
            steps: The modes, `INFERENCE` or `TRAINING`, in which a training step is taken.
            double: Compute in float64.
            perturb: The relative change of every weight and input (only PyTorch, in float64).

        Returns:
            A function that waits for the result: ``params``, the parameter count; ``outputs`` for
            each input; for each training step its `STEP_PARTS` (outputs, gradients by weight,
            non-trainable weights after the step, outputs at inference after the step); in float64
            also ``coarsest``, the lowest-precision dtype that the program computes in.
        """
        self.say(f"{find_target(target).title}{' in float64' if double else ''}")
        kind = f"{'64' if double else ''}{'p' if perturb else ''}{'t' if training else ''}"
        stem = f"{self.folder}/{target}{kind}"
        job: dict[str, Any] = {
            "kind": "program",
            "source": str(self.source(target)),
            "user_folder": self.user_folders[target],
            "weights": str(self.keras_weights if target == "keras" else self.torch_weights),
            "cases": [
                {"inputs": path, "out": f"{stem}_out{i}.npz", "training": training}
                for i, path in enumerate(self.chosen(cases))
            ],
            "dtypes": {name: value.dtype for name, value in self.graph.inputs.items()},
            "outputs": list(self.graph.outputs),
            "channels_first": self.channels_first(),
            "made": [
                p.key for p in self.program.parameters() if any(True for _ in p.value.sources())
            ],
            "steps": [
                {
                    "inputs": self.step_input(mode),
                    "training": mode == TRAINING,
                    **{part: f"{stem}_{mode}_{part}.npz" for part in STEP_PARTS},
                }
                for mode in steps
            ],
            "double": double,
            "perturb": perturb,
        }
        path = Path(f"{stem}{len(steps)}.json")
        path.write_text(json.dumps(job), encoding="utf-8")
        self.workers.send(target, path)

        def receive() -> Result:
            result: Result = self.workers.receive(target)
            result["outputs"] = [load_npz(case["out"]) for case in job["cases"]]
            for mode, step in zip(steps, job["steps"], strict=True):
                result[mode] = {part: load_npz(step[part]) for part in STEP_PARTS}
            return result

        return receive
