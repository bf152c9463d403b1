"""Progress bars and tables of long commands; bars go to stderr, and only to a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from specfmt.parity.report import Report


@contextmanager
def weight_progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar over the bytes of all weights."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn("{task.description:<40.40}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("weights", total=None)

        def advance(name: str, size: int, total: int) -> None:
            bar.update(task, description=name, total=total, advance=size)

        yield advance


@contextmanager
def steps(*, plain: bool = False) -> Iterator[Callable[[str], None]]:
    """What is being done: a line that changes on a terminal.

    Args:
        plain: Elsewhere a line for each step; nothing if false.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield partial(_line, count(1)) if plain else _silent
        return
    with console.status("") as status:
        numbers = count(1)

        def say(text: str) -> None:
            status.update(f"step {next(numbers)}: {text}")

        yield say


def _line(numbers: Iterator[int], text: str) -> None:
    click.echo(f"step {next(numbers)}: {text}", err=True)


def _silent(_: str) -> None:
    """Progress that nobody asked for."""


def show_report(report: Report, *, every: bool = False) -> None:
    """The table of a comparison on stdout."""
    from rich.console import Console

    from specfmt.parity.table import show

    show(report, Console(), every=every)
