"""`specfmt verify`: builds both programs, runs them in processes of their own and compares."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from specfmt.parity.compare import Comparison
from specfmt.parity.pair import Pair, Progress
from specfmt.parity.report import Report
from specfmt.parity.workers import Workers
from specfmt.spec.document import ModelSpec

OUTPUT_BOUND: Final = 1e-5
BATCHES: Final = (1, 2, 5)
TARGETS: Final = ("keras", "torch")


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
    workers: Workers | None = None,
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
        gradients: Also compare gradients and one step of training, at inference and in training
            mode.
        progress: Called with what is done next.
        workers: Processes that several comparisons share; one's own if not given.

    Raises:
        SpecError: The spec has mistakes, a weight file does not fit, or a program fails.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="specfmt-verify-"))
        running = workers or stack.enter_context(Workers())
        pair = Pair(spec, Path(folder), fidelity, progress or _silent, running)
        pair.make_weights(weights, seed)
        pair.make_inputs(tuple(batches), seed)
        if len(set(targets) or TARGETS) == 1:
            return alone(pair, targets[0])
        return Comparison(pair, tolerance, steps=gradients).report(layerwise=layerwise)


def _silent(_: str) -> None:
    """Progress that nobody wants to see."""


def alone(pair: Pair, target: str) -> Report:
    """Run one program on all inputs and count its parameters."""
    result = pair.run(target)
    report = Report({target: result["params"], "spec": pair.graph.count()})
    report.skipped = "one program alone: nothing to compare its outputs with"
    return report
