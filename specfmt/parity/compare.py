"""One comparison: both programs run, everything they computed held against each other."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Final

from specfmt.graph.training import draws, fixed_calls
from specfmt.parity.differences import gradients, statistics, worst
from specfmt.parity.pair import INFERENCE, TRAINING, Pair, Result
from specfmt.parity.quiet import quiet
from specfmt.parity.report import Difference, Report, Rounding, Step

GRADIENT_BOUND: Final = 1e-4
"""Of a gradient, by its weight's largest; sums over a batch and many layers round more."""

DOUBLE_BOUND: Final = 1e-8
"""Of everything that is compared in float64."""

NO_CASES: Final = slice(0, 0)
Both = tuple[Result, Result]


class Comparison:
    """Both programs of a model, compared.

    Args:
        pair: The programs, their weights and inputs.
        tolerance: What outputs may differ by, relative to their largest value.
        steps: Also compare gradients and a step of training, in both modes.
    """

    def __init__(self, pair: Pair, tolerance: float, *, steps: bool) -> None:
        self.pair, self.tolerance = pair, tolerance
        learns = any(p.trainable for p in pair.program.parameters())
        floats = any(v.dtype.startswith("float") for v in pair.graph.outputs.values())
        self.modes: tuple[str, ...] = (INFERENCE, TRAINING) if steps and learns and floats else ()
        self.why = "" if self.modes or not steps else "gradients: nothing is trained"
        if self.modes and max(pair.batches) == 1:  # such a batch has no variance
            self.modes = (INFERENCE,)
            self.why = "training mode: a batch of one sample has no statistics"
        self.calm = pair
        self.silenced: tuple[str, ...] = ()
        always = any(fixed and draws(node.unit) for node, fixed in fixed_calls(pair.graph))
        if always or TRAINING in self.modes:
            spec, self.silenced = quiet(pair.spec)
            if self.silenced:
                self.calm = pair.like(spec, "quiet", pair.options.fidelity)
        if always:
            self.pair = self.calm

    @cached_property
    def faithful(self) -> Pair:
        """The programs in training mode, PyTorch's of ``--fidelity exact``."""
        return self.calm.like(self.calm.spec, "exact", "exact")

    def report(self, *, layerwise: bool) -> Report:
        """Run and compare; what differs in float32 is run again in float64."""
        self.pair.workers.start("torch")  # it gets ready while Keras, the slower one, is asked
        keras, torch = both = self.both()
        params = {"keras": keras["params"], "torch": torch["params"]}
        report = Report(params, quiet=self.silenced, skipped=self.why)
        for index, (ours, theirs) in enumerate(
            zip(keras["outputs"], torch["outputs"], strict=True)
        ):
            report.shapes.append(
                {
                    "inputs": index,
                    "keras": {name: list(array.shape) for name, array in ours.items()},
                    "torch": {name: list(array.shape) for name, array in theirs.items()},
                }
            )
        report.outputs = worst(keras["outputs"], torch["outputs"], self.tolerance)
        self.take_steps(report, both, double=False)
        double = not report.ok and report.shapes_agree
        if double:  # in float64 nothing of a difference is rounding
            exact = self.both(double=True)
            if not report.outputs_agree:
                report.rounding = rounding(both, exact)
            self.take_steps(report, exact, double=True)
        if layerwise or not report.outputs_agree:
            report.layers = self.layers(self.pair, training=False, double=double)
        elif report.training is not None and not report.training.ok:
            report.layers = self.layers(self.calm, training=True, double=double)
        report.first = next((d.name for d in report.layers if not d.ok), "")
        return report

    def both(self, *, double: bool = False) -> Both:
        """Run both programs."""
        return self.run("keras", double=double), self.run("torch", double=double)

    def run(self, target: str, *, double: bool) -> Result:
        """Run a program; in training mode, that without noise."""
        if self.calm is self.pair:
            return self.pair.run(target, steps=self.modes, double=double)
        found = self.pair.run(target, steps=(INFERENCE,), double=double)
        calm = self.calm.run(target, cases=NO_CASES, steps=(TRAINING,), double=double)
        return found | {TRAINING: calm[TRAINING]}

    def take_steps(self, report: Report, both: Both, *, double: bool) -> None:
        """Compare the steps of both modes that do not agree yet."""
        keras, torch = both
        if INFERENCE in self.modes and not (report.step and report.step.ok):
            found = self.step(self.pair, keras[INFERENCE], torch[INFERENCE], double)
            report.step = replace(found, outputs=[], statistics=[])
        if TRAINING in self.modes and not (report.training and report.training.ok):
            found = self.step(self.calm, keras[TRAINING], torch[TRAINING], double)
            report.training = self.designed(found, keras[TRAINING], double)

    def step(self, pair: Pair, keras: Result, torch: Result, double: bool) -> Step:
        """Compare one step of each program."""
        bound = DOUBLE_BOUND if double else self.tolerance
        gradient_bound = DOUBLE_BOUND if double else GRADIENT_BOUND
        return Step(
            worst([keras["outputs"]], [torch["outputs"]], bound),
            gradients(pair, keras, torch, gradient_bound),
            statistics(pair, keras, torch, bound),
            worst([keras["after"]], [torch["after"]], 10 * bound),
            exact=double,
        )

    def designed(self, step: Step, keras: Result, double: bool) -> Step:
        """Mark what differs in the idiomatic program alone."""
        idiomatic = self.calm.options.fidelity != "exact"
        if step.ok or not idiomatic or self.calm.code("torch") == self.faithful.code("torch"):
            return step
        torch = self.faithful.run("torch", cases=NO_CASES, steps=(TRAINING,), double=double)
        other = self.step(self.faithful, keras, torch[TRAINING], double)

        def marked(ours: list[Difference], theirs: list[Difference]) -> list[Difference]:
            agreeing = {item.name for item in theirs if item.ok}
            return [replace(item, by_design=not item.ok and item.name in agreeing) for item in ours]

        return Step(
            marked(step.outputs, other.outputs),
            marked(step.gradients, other.gradients),
            marked(step.statistics, other.statistics),
            marked(step.after, other.after),
            exact=double,
        )

    def layers(self, pair: Pair, *, training: bool, double: bool) -> list[Difference]:
        """Every call's output, from a spec that returns all of them."""
        pair.say("layer by layer")
        names = [value.name for node in pair.graph.nodes for value in node.outputs]
        update = {"outputs": tuple(names), "train": None, "style": "functional"}
        spec = pair.spec.model_copy(update=update)
        every = pair.like(spec, "layers", pair.options.fidelity)
        chosen = pair.inputs.index(pair.step_input(TRAINING)) if training else 0
        cases = slice(chosen, chosen + 1)
        keras, torch = (
            every.run(target, cases=cases, training=training, double=double)
            for target in ("keras", "torch")
        )
        return worst(keras["outputs"], torch["outputs"], self.tolerance)


def rounding(single: Both, double: Both) -> Rounding:
    """Outputs of both programs in float64, against each other and against float32."""

    def largest(a: Result, b: Result) -> float:
        return max((d.max_rel for d in worst(a["outputs"], b["outputs"], 0.0)), default=0.0)

    return Rounding(
        largest(double[0], single[0]), largest(double[1], single[1]), largest(double[0], double[1])
    )
