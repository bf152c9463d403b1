"""Progress bars and tables of long commands; bars go to stderr, and only to a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

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
def steps() -> Iterator[Callable[[str], None]]:
    """A line that says what is being done."""
    from rich.console import Console

    with Console(stderr=True).status("") as status:

        def say(text: str) -> None:
            status.update(f"comparing: {text}")

        yield say


def show_report(report: Report, *, every: bool = False) -> None:
    """The table of a comparison on stdout."""
    from rich.console import Console

    from specfmt.parity.table import show

    show(report, Console(), every=every)
