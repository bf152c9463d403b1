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
    """Show the current step, on a terminal as a line that changes.

    The block calls the function it gets with a description of each step; a description of the form
    ``step: part`` is a part of that step.

    Args:
        plain: If stderr is not a terminal, print a line per step instead of nothing.
        total: The number of steps, if it is known.
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
    """Numbers the steps; all parts of a step get its number."""

    def __init__(self, total: int) -> None:
        self.total, self.number, self.step = total, 0, ""

    def put_before(self, text: str) -> str:
        """The text with the number of its step in front."""
        step, colon, _ = text.partition(": ")
        self.number += not (colon and step == self.step)
        self.step = step
        return f"step {self.number}{f' of {self.total}' if self.total else ''}: {text}"


def _line(numbers: _Numbers, text: str) -> None:
    click.echo(numbers.put_before(text), err=True)


def _silent(_: str) -> None:
    """Show nothing."""


def _uncounted(_name: str, _size: int, _total: int) -> None:
    """Show nothing."""


def _console(*, stderr: bool = False) -> Console:
    """A console without markup: `[red]` and `:cat:` in names are printed unchanged."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def show_report(report: Report, *, every: bool = False) -> None:
    """Print the table of a comparison to stdout."""
    from specfmt.parity.table import show

    show(report, _console(), every=every)
