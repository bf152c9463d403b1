"""One comparison: both programs are run, and all their results are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, partial
from math import inf
from typing import Any, Final

from specfmt.diagnostics import SpecError
from specfmt.graph.training import always_draws, draws, fixed_calls
from specfmt.parity.deterministic import deterministic
from specfmt.parity.differences import as_keras, gradients, statistics, worst
from specfmt.parity.original import Original, Reference
from specfmt.parity.pair import INFERENCE, TRAINING, Pair, Result
from specfmt.parity.precision import MOVE, bounded, coarser
from specfmt.parity.report import EXACT_BOUND, Against, Difference, Report, Rounding, Step
from specfmt.parity.workers import TARGETS
from specfmt.spec.document import ModelSpec
from specfmt.spec.expand import expand
from specfmt.weights.arrays import Array

GRADIENT_BOUND: Final = 1e-4
"""Tolerance of gradients, relative to the largest of the weight; their sums round more."""

DOUBLE_BOUND: Final = 1e-8
"""Tolerance of everything that is compared in float64."""

NO_CASES: Final = ()
FIRST: Final = (0,)
LIKE_THE_WORST: Final = 0.1
"""A smaller input is used instead if it shows this fraction of the largest difference."""

Both = tuple[Result, Result]


class Comparison:
    """The comparison of both programs of a model.

    Args:
        pair: The programs, their weights and inputs.
        tolerance: The largest allowed difference of outputs, relative to their largest value.
        steps: Also compare gradients and a training step, at inference and in training mode.
        original: The model that the spec was imported from.
        reference: Inputs and outputs of it that the user recorded.
        coarse: The original has a lower precision than the programs that are compared.
    """

    def __init__(
        self,
        pair: Pair,
        tolerance: float,
        *,
        steps: bool,
        original: Original | None = None,
        reference: Reference | None = None,
        coarse: bool = False,
    ) -> None:
        self.pair, self.tolerance = pair, tolerance
        self.original, self.reference, self.coarse = original, reference, coarse
        learns = any(p.trainable for p in pair.program.parameters())
        floats = any(v.dtype.startswith("float") for v in pair.graph.outputs.values())
        self.modes: tuple[str, ...] = (INFERENCE, TRAINING) if steps and learns and floats else ()
        self.why = (
            ""
            if self.modes or not steps
            else "gradients not compared: the model has no trainable weights"
        )
        if self.modes and max(pair.batches) == 1:  # a batch of one has no variance
            self.modes = (INFERENCE,)
            self.why = "training mode not compared: a batch of one sample has no statistics"
        drawing = [unit.name for unit in pair.graph.walk_units() if always_draws(unit)]
        if TRAINING in self.modes and drawing:
            self.modes = (INFERENCE,)
            self.why = f"training mode not compared: {', '.join(drawing)} cannot be without noise"
        self.doubtful: tuple[int, ...] = NO_CASES
        self.unsure: tuple[str, ...] = ()
        self.deterministic = pair
        self.without_noise: tuple[str, ...] = ()
        always = any(fixed and draws(node.unit) for node, fixed in fixed_calls(pair.graph))
        if always or TRAINING in self.modes:
            spec, self.without_noise = deterministic(pair.spec)
            if self.without_noise:
                self.deterministic = pair.like(spec, "deterministic", pair.options.fidelity)
        if always:
            self.pair = self.deterministic

    @cached_property
    def faithful(self) -> Pair:
        """The programs in training mode, the PyTorch one with ``--fidelity exact``."""
        return self.deterministic.like(self.deterministic.spec, "exact", "exact")

    @cached_property
    def exact(self) -> Both:
        """Both programs in float64, for the inputs for which float32 is not decisive."""
        both: Both = self.both(double=True)
        return both

    @cached_property
    def coarsest(self) -> str:
        """The lowest-precision dtype that a program uses although it should run in float64."""
        return coarser(*(result["coarsest"] for result in self.exact))

    @cached_property
    def moved(self) -> Result:
        """The PyTorch program in float64, with every weight and input perturbed a little."""
        return self.start("torch", double=True, perturb=MOVE)()

    def responses(self) -> list[Difference]:
        """How far outputs move when weights and inputs are perturbed."""
        return worst(self.exact[1]["outputs"], self.moved["outputs"], 0.0)

    def report(self, *, layerwise: bool) -> Report:
        """Run and compare; what differs in float32 is run again in float64."""
        pending = None if self.original is None else partial(self.original.send, self.pair)
        both, original = self.both(also=pending)
        keras, torch = both
        self.doubt(both, original)
        params = {"keras": keras["params"], "torch": torch["params"]}
        report = Report(params, without_noise=self.without_noise, skipped=self.why)
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
        if double:  # in float64 a difference is not due to rounding
            if not report.outputs_agree:
                report.rounding = self.rounding(both)
            self.take_steps(report, self.exact, double=True)
        if layerwise or not report.outputs_agree:
            report.layers = self.layers(self.pair, training=False, double=double)
        elif report.training is not None and not report.training.ok:
            report.layers = self.layers(self.deterministic, training=True, double=double)
        report.first = next((d.name for d in report.layers if not d.ok), "")
        if self.original is not None:
            report.against.append(self.against(both, original))
        if self.reference is not None:
            report.against.append(self.against_reference(both))
        return report

    def doubt(self, both: Both, original: Result | None) -> None:
        """Find the inputs for which float32 is not decisive; only these are run in float64, as it is slow."""
        keras, torch = both
        known: list[list[dict[str, Array]]] = [[] for _ in self.pair.inputs]
        if original is not None:
            for outputs, case in zip(known, original["outputs"], strict=True):
                outputs.append(case)
        if self.reference is not None:
            known[self.reference.index].append(self.reference.outputs)
        largest_by_case = []
        for others, ours, theirs in zip(known, keras["outputs"], torch["outputs"], strict=True):
            pairs = [(ours, theirs), *((o, p) for o in others for p in (ours, theirs))]
            rows = [row for a, b in pairs for row in worst([a], [b], 0.0)]
            largest_by_case.append(max((row.max_rel for row in rows), default=0.0))
        self.doubtful = self.pair.smallest(
            {i: d for i, d in enumerate(largest_by_case) if d > self.tolerance}, LIKE_THE_WORST
        )
        if self.coarse and not self.doubtful:
            self.doubtful = FIRST
        self.unsure = tuple(
            mode
            for mode, pair in ((INFERENCE, self.pair), (TRAINING, self.deterministic))
            if mode in self.modes and not self.step(pair, keras[mode], torch[mode], False).ok
        )

    def picked(self, single: Result) -> Result:
        """The float32 outputs for the inputs that were also run in float64."""
        return {"outputs": [single["outputs"][index] for index in self.doubtful]}

    def both(self, *, double: bool = False, also: Any = None) -> Any:
        """Run both programs at once.

        Args:
            double: Run in float64.
            also: Starts another run at the same time; its result is returned with the others.
        """
        pending = [self.start(target, double=double) for target in ("keras", "torch")]
        other = None if also is None else also()
        found: list[Result] = []
        failed: SpecError | None = None
        for receive in pending:  # read every answer: the processes may be shared
            try:
                found.append(receive())
            except SpecError as error:
                failed = failed or error
        result = None if other is None else other()
        if failed is not None:
            raise failed
        both = (found[0], found[1])
        return both if double else (both, result)

    def start(self, target: str, *, double: bool, perturb: float = 0.0) -> Callable[[], Result]:
        """Start a program; in training mode, the one without dropout and noise."""
        options: dict[str, Any] = {"double": double, "perturb": perturb}
        modes, cases = (self.unsure, self.doubtful) if double else (self.modes, None)
        if self.deterministic is self.pair:
            return self.pair.send(target, cases=cases, steps=modes, **options)
        steps = [mode for mode in modes if mode == INFERENCE]
        if not steps and cases == NO_CASES:
            return self.deterministic.send(target, cases=NO_CASES, steps=modes, **options)
        found = self.pair.send(target, cases=cases, steps=steps, **options)
        if TRAINING not in modes:
            return found
        found_training = self.deterministic.send(
            target, cases=NO_CASES, steps=(TRAINING,), **options
        )

        def receive() -> Result:
            return found() | {TRAINING: found_training()[TRAINING]}

        return receive

    def in_own_type(self, spec: ModelSpec, name: str) -> list[Difference]:
        """Compare the outputs of both programs in the half-precision dtype of the model."""
        own = self.pair.like(spec, "own", self.pair.options.fidelity)
        keras, torch = (receive() for receive in [own.send(target) for target in TARGETS])
        rows = worst(keras["outputs"], torch["outputs"], 0.0)
        return bounded(rows, self.responses, name, self.tolerance)

    def rounding(self, single: Both) -> Rounding:
        """Compare outputs in float64: those of both programs, and of each with its float32 outputs."""
        exact = self.exact
        rows = bounded(
            worst(exact[0]["outputs"], exact[1]["outputs"], 0.0),
            self.responses,
            self.coarsest,
            EXACT_BOUND,
        )
        worse = max(rows, key=lambda row: row.max_rel / row.bound)
        own = [largest(exact[i], self.picked(single[i])) for i in range(2)]
        return Rounding(own[0], own[1], worse.max_rel, worse.bound)

    def against(self, both: Both, original: Result | None) -> Against:
        """Compare both programs with the original."""
        assert self.original is not None
        found = Against("original", str(self.original.file), self.original.by)
        if original is None:
            found.why = self.original.why
            return found
        programs = dict(zip(TARGETS, both, strict=True))
        theirs = original["outputs"]
        found.outputs = {
            t: worst(theirs, p["outputs"], self.tolerance) for t, p in programs.items()
        }
        if found.ok and not self.coarse:
            return found
        exact = self.original.send(self.pair, cases=self.doubtful, double=True)()
        if exact is None:
            self.original.why = ""
            found.outputs = {t: self.rounded(both, rows) for t, rows in found.outputs.items()}
        else:
            found.exact = True
            found.outputs = {
                target: bounded(
                    worst(exact["outputs"], program["outputs"], 0.0),
                    self.responses,
                    self.coarsest,
                    EXACT_BOUND,
                )
                for target, program in zip(TARGETS, self.exact, strict=True)
            }
        if not found.ok:
            found.layers = self.layers_against(double=found.exact)
        return found

    def against_reference(self, both: Both) -> Against:
        """Compare both programs with the outputs that the user recorded."""
        assert self.reference is not None
        found = Against("reference", str(self.reference.file))
        case = self.reference.index
        for target, program in zip(TARGETS, both, strict=True):
            rows = worst([self.reference.outputs], [program["outputs"][case]], self.tolerance)
            found.outputs[target] = rows
        if not found.ok:
            found.outputs = {t: self.rounded(both, rows) for t, rows in found.outputs.items()}
        return found

    def rounded(self, both: Both, rows: list[Difference]) -> list[Difference]:
        """Differences from something that cannot be run in float64, with bounds for its rounding.

        Its rounding error and that of the programs can add up.
        """
        own = max(largest(self.exact[i], self.picked(both[i])) for i in range(2))
        return [replace(row, bound=max(row.bound, 4 * own)) for row in rows]

    def take_steps(self, report: Report, both: Both, *, double: bool) -> None:
        """Compare the training steps of both modes that do not agree yet."""
        keras, torch = both
        if INFERENCE in self.modes and not (report.step and report.step.ok):
            found = self.step(self.pair, keras[INFERENCE], torch[INFERENCE], double)
            if double and not found.ok:
                found = self.measured(self.pair, INFERENCE, found)
            report.step = replace(found, outputs=[], statistics=[])
        if TRAINING in self.modes and not (report.training and report.training.ok):
            found = self.step(self.deterministic, keras[TRAINING], torch[TRAINING], double)
            if double and not found.ok:
                found = self.measured(self.deterministic, TRAINING, found)
            report.training = self.designed(found, keras[TRAINING], double)

    def step(self, pair: Pair, keras: Result, torch: Result, double: bool) -> Step:
        """Compare one training step of both programs."""
        bound = DOUBLE_BOUND if double else self.tolerance
        gradient_bound = DOUBLE_BOUND if double else GRADIENT_BOUND
        return Step(
            worst([keras["outputs"]], [torch["outputs"]], bound),
            gradients(pair, keras, torch, gradient_bound),
            statistics(pair, keras, torch, bound),
            worst([keras["after"]], [torch["after"]], 10 * bound),
            exact=double,
        )

    def measured(self, pair: Pair, mode: str, step: Step) -> Step:
        """A step in float64, with bounds from how far its results move when weights are perturbed."""
        keras, torch, moved = self.exact[0][mode], self.exact[1][mode], self.moved[mode]
        same = as_keras(pair, keras, torch)
        response = self.step(pair, same, moved, double=True)

        def bound(rows: list[Difference], moves: list[Difference]) -> list[Difference]:
            return bounded(rows, lambda: moves, self.coarsest, DOUBLE_BOUND)

        return Step(
            bound(step.outputs, response.outputs),
            bound(step.gradients, response.gradients),
            bound(step.statistics, response.statistics),
            bound(step.after, response.after),
            exact=True,
        )

    def designed(self, step: Step, keras: Result, double: bool) -> Step:
        """Mark what differs only in the idiomatic program, not in the exact one."""
        idiomatic = self.deterministic.options.fidelity != "exact"
        if (
            step.ok
            or not idiomatic
            or self.deterministic.code("torch") == self.faithful.code("torch")
        ):
            return step
        torch = self.faithful.run("torch", cases=NO_CASES, steps=(TRAINING,), double=double)
        other = self.step(self.faithful, keras, torch[TRAINING], double)

        def marked(ours: list[Difference], theirs: list[Difference]) -> list[Difference]:
            apart = {item.name: item.max_rel for item in theirs}
            return [
                replace(item, by_design=not item.ok and apart.get(item.name, inf) <= item.bound)
                for item in ours
            ]

        return Step(
            marked(step.outputs, other.outputs),
            marked(step.gradients, other.gradients),
            marked(step.statistics, other.statistics),
            marked(step.after, other.after),
            exact=double,
        )

    def layers(self, pair: Pair, *, training: bool, double: bool) -> list[Difference]:
        """Compare the output of every layer call, by a spec that returns all of them."""
        cases = (self.doubtful or FIRST)[:1]
        if training:
            cases = (pair.inputs.index(pair.step_input(TRAINING)),)
        keras, torch = self.every(pair, cases, training=training, double=double)
        return worst(keras["outputs"], torch["outputs"], self.tolerance)

    def layers_against(self, *, double: bool) -> dict[str, list[Difference]]:
        """Compare the output of every layer in both programs with that of the original."""
        assert self.original is not None
        cases = (self.doubtful or FIRST)[:1]
        original = self.original.send(self.pair, cases=cases, layers=True, double=double)()
        if original is None:  # the original has run, but not with these outputs
            return {}
        found: dict[str, list[Difference]] = {}
        both = self.every(self.pair, cases, training=False, double=double)
        for target, program in zip(TARGETS, both, strict=True):
            theirs = [
                {k: v for k, v in case.items() if k in original["outputs"][0]}
                for case in program["outputs"]
            ]
            ordered = [{k: original["outputs"][0][k] for k in theirs[0]}]
            found[target] = worst(ordered, theirs, self.tolerance)
        return found

    def every(
        self, pair: Pair, cases: tuple[int, ...], *, training: bool, double: bool
    ) -> list[Result]:
        """Run both programs with the output of every layer call."""
        pair.say("layer by layer")
        names = [value.name for node in pair.graph.nodes for value in node.outputs]
        update = {"outputs": tuple(names), "train": None, "style": "functional"}
        spec = expand(pair.spec).model_copy(update=update)  # also the layers inside of blocks
        every = pair.like(spec, "layers", pair.options.fidelity)
        pending = [
            every.send(target, cases=cases, training=training, double=double) for target in TARGETS
        ]
        return [receive() for receive in pending]


def largest(a: Result, b: Result) -> float:
    """The largest difference of any output of two runs."""
    return max((d.max_rel for d in worst(a["outputs"], b["outputs"], 0.0)), default=0.0)
