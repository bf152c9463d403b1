"""Progress bars and tables of long commands; bars go to stderr, and only to a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import click

from specfmt.diagnostics import printable

if TYPE_CHECKING:
    from rich.console import Console

    from specfmt.parity.report import Report


@contextmanager
def weight_progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar over the bytes of all weights, on a terminal."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    console = _console(stderr=True)
    if not console.is_terminal:
        yield _uncounted
        return
    columns = (TextColumn("{task.description:<40.40}", markup=False), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("weights", total=None)

        def advance(name: str, size: int, total: int) -> None:
            bar.update(task, description=name, total=total, advance=size)

        yield advance


@contextmanager
def steps(*, plain: bool = False, total: int = 0) -> Iterator[Callable[[str], None]]:
    """What is being done: a line that changes on a terminal.

    What is said as ``step: part`` is a part of one step.

    Args:
        plain: Elsewhere a line for each step; nothing if false.
        total: How many steps there are, if that is known.
    """
    from rich.text import Text

    console = _console(stderr=True)
    if not console.is_terminal:
        yield partial(_line, _Numbers(total)) if plain else _silent
        return
    with console.status("") as status:
        numbers = _Numbers(total)

        def say(text: str) -> None:
            status.update(Text(printable(numbers.put_before(text))))

        yield say


class _Numbers:
    """Numbers steps; the parts of one step have its number."""

    def __init__(self, total: int) -> None:
        self.total, self.number, self.step = total, 0, ""

    def put_before(self, text: str) -> str:
        """The text behind its step's number."""
        step, colon, _ = text.partition(": ")
        self.number += not (colon and step == self.step)
        self.step = step
        return f"step {self.number}{f' of {self.total}' if self.total else ''}: {text}"


def _line(numbers: _Numbers, text: str) -> None:
    click.echo(numbers.put_before(text), err=True)


def _silent(_: str) -> None:
    """Progress that nobody asked for."""


def _uncounted(_name: str, _size: int, _total: int) -> None:
    """Weights that nobody watches."""


def _console(*, stderr: bool = False) -> Console:
    """A console that shows names as they are: `[red]` and `:cat:` in them mean nothing."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def show_report(report: Report, *, every: bool = False) -> None:
    """The table of a comparison on stdout."""
    from specfmt.parity.table import show

    show(report, _console(), every=every)
