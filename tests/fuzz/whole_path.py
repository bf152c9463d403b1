"""The whole path of one input: read, checked, analyzed, summed up, generated, compiled, exported.

Whatever the input is, it ends in findings or in programs.  What may not be: another error than
`SpecError`, more than two seconds of processor time, memory without bound, a program that is no
Python or that says a text of the input outside of constants, comments and safe identifiers.
"""

from __future__ import annotations

import json
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import specfmt
from specfmt import SpecError, generate
from specfmt.api import to_keras_json
from specfmt.console.summary import summary_html, summary_text
from specfmt.graph.summary import summarize
from specfmt.spec.document import ModelSpec
from tests.fuzz.markers import OPTIONS, check_program
from tests.tools.imports import import_source

SLOW = 2.0
"""Seconds of processor time that a small input may take, all its programs together."""
MEMORY = 3 << 30
"""Bytes of address space."""


class TooSlow(BaseException):
    """Raised by the timer; no handler of errors may catch it."""


@contextmanager
def bounded(seconds: float = 10 * SLOW) -> Iterator[None]:
    """Stops what takes more processor time than this."""

    def stop(*_: object) -> None:
        raise TooSlow(f"more than {seconds} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def limit_memory(size: int = MEMORY) -> None:
    """Bounds the address space of this process for good."""
    resource.setrlimit(resource.RLIMIT_AS, (size, resource.getrlimit(resource.RLIMIT_AS)[1]))


@dataclass
class Journey:
    """What came of one input.

    Attributes:
        faults: Step and error of each that ended neither well nor in findings.
        programs: How many programs were generated and checked.
        read: Whether the input was accepted.
        seconds: Processor time of each step.
    """

    faults: list[tuple[str, str]] = field(default_factory=list)
    programs: int = 0
    read: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    def step(self, name: str, function: Callable[[], Any], bound: float = 10 * SLOW) -> Any:
        """Runs a step; None where it ends in findings."""
        start = time.process_time()
        try:
            with bounded(bound):
                return function()
        except SpecError as error:
            if not error.diagnostics:
                self.faults.append((name, "a SpecError without findings"))
            return None
        except (Exception, TooSlow) as error:  # noqa: BLE001, RUF100 (what the harness is for)
            self.faults.append((name, located(error)))
            return None
        finally:
            self.seconds[name] = time.process_time() - start

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def located(error: BaseException) -> str:
    """An error with the innermost place in the package."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/specfmt/" in frame.filename] or list(frames)
    place = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "?"
    return f"{type(error).__name__} at {place}: {str(error)[:120]}"


def travel(text: str | bytes, form: str = "short") -> Journey:
    """A spec's way from its text to all programs and formats."""
    journey = Journey()
    journey.step("check", lambda: specfmt.check(text, targets=("keras", "torch")))
    journey.step("format", lambda: specfmt.api.format_spec(text, fix=True))
    spec = journey.step("load", lambda: specfmt.loads(text))
    if spec is not None:
        journey.read = True
        travel_on(spec, journey, form)
    return journey


def travel_on(spec: ModelSpec, journey: Journey, form: str) -> None:
    """The way of a spec that was read."""
    journey.step("dump", lambda: specfmt.loads(specfmt.dump(spec)))
    graph = journey.step("analyze", lambda: specfmt.analyze(spec))
    if graph is not None:
        journey.step("summary", lambda: json.dumps(summarize(graph).to_data(), allow_nan=False))
        journey.step(
            "shown", lambda: (summary_text(summarize(graph)), summary_html(summarize(graph)))
        )
    for name in ("keras3", "keras2"):
        journey.step(name, lambda name=name: strict_json(to_keras_json(spec, name)))
    for options in OPTIONS[form]:
        name = " ".join(options.values())
        code = journey.step(name, lambda options=options: generate(spec, **options))
        if code is not None:
            journey.programs += 1
            journey.step(f"{name}, compiled", lambda code=code: check_program(code))


def imported(content: bytes, form: str = "short") -> Journey:
    """A Keras file's way: import, then the spec's."""
    journey = Journey()
    found = journey.step("import", lambda: import_source("-", content)[0])
    if found is None:
        return journey
    rest = travel(found, form)
    if not rest.read:
        journey.faults.append(("import", "what it wrote is no valid spec"))
    rest.faults[:0] = journey.faults
    rest.seconds.update(journey.seconds)
    return rest


def strict_json(text: str) -> Any:
    """JSON as its standard has it, without Infinity and NaN."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)
