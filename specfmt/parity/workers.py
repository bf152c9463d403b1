"""The worker processes that run generated programs: one per framework, for any number of jobs."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, get_args

from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.targets.registry import find_target
from specfmt.targets.running import environment

ProgramTarget = Literal["keras", "torch"]
TARGETS: Final[tuple[ProgramTarget, ...]] = get_args(ProgramTarget)
"""The targets whose programs are compared, each in its own worker."""

ENVIRONMENT: Final = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
"""The comparison runs on the CPU: matrix products on a GPU have a lower precision."""

GRACE: Final = 10.0
"""Seconds that a process has to end after it has closed its output."""

KILLED: Final = 9
"""The signal that Linux sends when memory runs out."""


class Workers:
    """Keeps the worker processes alive: starting a framework takes longer than most jobs.

    Use it as a context manager; processes start when they are first needed.
    """

    def __init__(self) -> None:
        self.running: dict[str, _Worker] = {}

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in self.running.values():
            worker.stop()
        self.running.clear()

    def start(self, target: str) -> _Worker:
        """The worker process of a framework, started if it is not running."""
        worker = self.running.get(target)
        if worker is None:
            worker = self.running[target] = _Worker(target)
        return worker

    def send(self, target: str, job: Path) -> None:
        """Send the job in a file to a worker; `receive` returns the answers in the order of the jobs."""
        self.start(target).send(job)

    def receive(self, target: str) -> dict[str, Any]:
        """The answer to the oldest unanswered job.

        Raises:
            SpecError: SF510 with the error of the program or of its process.
        """
        answer = self.answer(target)
        if "result" in answer:
            result: dict[str, Any] = answer["result"]
            return result
        message = (
            f"expected the {find_target(target).title} program to run, received: {answer['error']}"
        )
        missing = answer["error"].startswith(("ModuleNotFoundError", "ImportError"))
        hint = (
            f"pip install 'specfmt[{target}]'"
            if missing
            else f"generate it with `specfmt generate --target {target}` and run it"
        )
        raise SpecError([Diagnostic("SF510", message, hint=hint)])

    def answer(self, target: str) -> dict[str, Any]:
        """The answer to the oldest unanswered job; an ``error`` is returned, not raised."""
        answer = self.start(target).receive()
        if answer is None:
            answer = {"error": self.running.pop(target).stop(GRACE)}
        return answer


class _Worker:
    """A worker process."""

    def __init__(self, target: str) -> None:
        checkout = Path(__file__).resolve().parents[2]
        # If specfmt is installed it is found anyway; its folder would then precede the standard library.
        root = "" if checkout.name.endswith("-packages") else str(checkout)
        self.errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", f"specfmt.parity.{target}_worker"],
            env=environment(**ENVIRONMENT, PYTHONPATH=root),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            encoding="utf-8",
        )

    def send(self, job: Path) -> None:
        """Send a job; if the process has ended, `receive` reports it."""
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.write(f"{job}\n")
            self.process.stdin.flush()

    def receive(self) -> dict[str, Any] | None:
        """The answer to a job; None if the process has ended."""
        assert self.process.stdout is not None
        try:
            line = self.process.stdout.readline()
        except OSError:
            return None
        return json.loads(line) if line.endswith("\n") else None

    def stop(self, grace: float = 0.0) -> str:
        """End the process and return the last line of its error output.

        Args:
            grace: Seconds to wait for a process that is ending by itself.
        """
        try:
            ended = self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            ended = self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what could not be sent cannot be sent now either
                    pipe.close()
        with self.errors as stream:
            stream.seek(0)
            lines = [line.strip() for line in stream if line.strip()]
        if ended < 0:
            return f"its process was ended by signal {-ended}" + (
                "; the machine may be out of memory" * (ended == -KILLED)
            )
        return lines[-1] if lines else f"exit code {ended}"
