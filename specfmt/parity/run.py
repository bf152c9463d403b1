"""`specfmt verify`: builds both programs, runs them in separate processes and compares them."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import prod
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any, Final

from specfmt.extras import require
from specfmt.files import scratch_folder
from specfmt.graph.analyze import analyze
from specfmt.parity.compare import Comparison
from specfmt.parity.differences import worst
from specfmt.parity.half_precision import in_float32
from specfmt.parity.original import Original, Reference
from specfmt.parity.pair import Pair, Progress
from specfmt.parity.report import Against, Report
from specfmt.parity.runnable import RunnablePart, runnable_part
from specfmt.parity.workers import TARGETS, ProgramTarget, Workers
from specfmt.spec.document import ModelSpec
from specfmt.targets.options import Axes, Fidelity, require_choice
from specfmt.targets.registry import find_target
from specfmt.targets.torch import program_options

OUTPUT_BOUND: Final = 1e-5
BATCHES: Final = (1, 2, 5)
FEW: Final = (1, 3)
"""Batch sizes for large models: one, and enough for batch statistics."""

LARGE: Final = 2**20
"""Models with at least this many activations per sample are large."""

UNKNOWN_SIZE: Final = 16
"""The assumed size of an unknown axis, to estimate the activations."""

SIGNALS: Final = ("SIGTERM", "SIGHUP")


def verify(
    spec: ModelSpec,
    *,
    weights: str | Path | None = None,
    targets: Sequence[ProgramTarget] = (),
    seed: int = 0,
    batches: Sequence[int] | None = None,
    layerwise: bool = False,
    tolerance: float = OUTPUT_BOUND,
    fidelity: Fidelity | None = None,
    axes: Axes | None = None,
    gradients: bool = True,
    original: str | Path | None = None,
    reference: str | Path | None = None,
    progress: Progress | None = None,
    workers: Workers | None = None,
) -> Report:
    """Compare both programs; see `specfmt.verify`.

    The default batch sizes are `BATCHES`, or `FEW` if the model is large.
    """
    for target in targets:
        require_choice("targets", target, TARGETS)
    options = program_options(axes=axes, fidelity=fidelity)
    with ExitStack() as stack:
        stack.enter_context(ended_by_signals())
        running = workers or stack.enter_context(Workers())
        chosen = [target for target in TARGETS if target in (targets or TARGETS)]
        require(
            [*(find_target(target).package for target in chosen), "h5py"], "to run both programs"
        )
        for target in chosen:
            running.start(target)  # the frameworks load while the programs are written
        folder = stack.enter_context(scratch_folder("verify"))
        known = runnable_part(spec.model_copy(update={"train": None}), analyze(spec))
        if known.spec is None:
            return nothing(known)
        spec = known.spec
        whole = known.whole if known.missing else None
        coarse, coarsest = in_float32(spec)
        pair = Pair(coarse, folder, options.fidelity, progress or _silent, running, options.axes)
        came_from = None if original is None else Original(Path(original), folder, seed)
        if came_from is not None and known.missing:
            came_from.why = came_from.why or f"there is no implementation of {known.needs()}"
        source: str | Path | None = weights
        if source is None and came_from is not None:
            source = came_from.draw_weights(pair) if came_from.drawn else came_from.file
        pair.make_weights(source, seed, whole)
        pair.make_inputs(tuple(batches or usual_batches(pair)), seed)
        given = None
        if reference is not None and not known.missing:
            given = Reference(Path(reference), pair)
        if len(chosen) == 1:
            return alone(pair, chosen[0], tolerance, came_from, given)
        comparison = Comparison(
            pair,
            tolerance,
            steps=gradients,
            original=came_from,
            reference=given,
            coarse=coarse is not spec,
        )
        report = comparison.report(layerwise=layerwise)
        report.missing = known.missing
        if known.missing and reference is not None:
            report.against.append(
                Against(
                    "reference",
                    str(reference),
                    why=f"there is no implementation of {known.needs()}",
                )
            )
        if coarse is not spec:
            report.own_type = coarsest
            report.own_outputs = comparison.in_own_type(spec, coarsest)
        return report


def usual_batches(pair: Pair) -> Sequence[int]:
    """Default batch sizes."""
    made = sum(
        prod(size or UNKNOWN_SIZE for size in value.shape[1:])
        for node in pair.graph.nodes
        for value in node.outputs
        if value.shape
    )
    return FEW if made >= LARGE else BATCHES


def nothing(known: RunnablePart) -> Report:
    """The report for a model without known layers."""
    count = known.whole.count()
    report = Report(
        {"spec": count},
        skipped="nothing to compare: the code of every layer is still to be written",
    )
    report.missing = known.missing
    return report


def _silent(_: str) -> None:
    """Ignore progress."""


def alone(
    pair: Pair, target: str, tolerance: float, original: Original | None, given: Reference | None
) -> Report:
    """Run one program on all inputs, count its parameters, and compare it with original or reference."""
    pending = None if original is None else original.send(pair)
    result = pair.run(target)
    theirs = None if pending is None else pending()
    report = Report({target: result["params"], "spec": pair.graph.count()})
    if original is not None:
        found = Against("original", str(original.file), original.by, why=original.why)
        if theirs is not None:
            found.outputs = {target: worst(theirs["outputs"], result["outputs"], tolerance)}
        report.against.append(found)
    if given is not None:
        rows = worst([given.outputs], [result["outputs"][given.index]], tolerance)
        report.against.append(Against("reference", str(given.file), outputs={target: rows}))
    if not report.against:
        report.skipped = "only one program was run: there was nothing to compare its outputs with"
    return report


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Make SIGTERM and SIGHUP act like Ctrl-C, so that processes and temporary files are removed."""
    held = {}
    if current_thread() is main_thread():
        for name in SIGNALS:
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                held[number] = signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)


def _end(number: int, _: Any) -> None:
    raise SystemExit(128 + number)
