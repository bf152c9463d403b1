"""A report as a table for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from specfmt.diagnostics import printable
from specfmt.parity.report import Against, Difference, Report
from specfmt.targets.registry import find_target

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 12
"""The most rows of gradients and layers that are shown: those with the largest differences."""


def _title(name: str) -> str:
    """The display name of a target, or of the spec."""
    return name if name == "spec" else find_target(name).title


def show(report: Report, console: Console, *, every: bool = False) -> None:
    """Print a report as a table; with ``every``, all layers."""
    counts = report.params
    ran = [_title(key) for key in counts if key != "spec"]
    table = Table(title=" and ".join(ran))
    for title, justify in (
        ("what", "left"),
        ("name", "left"),
        ("max abs", "right"),
        ("max rel", "right"),
        ("", "left"),
    ):
        table.add_column(title, justify=justify)  # type: ignore[arg-type]
    mark = _mark(report.counts_agree)
    listed = ", ".join(f"{_title(key)} {count:,}" for key, count in counts.items())
    table.add_row("parameters", listed, "", "", mark)
    if tried := len(report.shapes):
        table.add_row(
            "shapes", f"{tried} input{'s' * (tried != 1)}", "", "", _mark(report.shapes_agree)
        )
    _rows(table, "output", report.outputs)
    _rows(table, f"output ({report.own_type})", report.own_outputs)
    for item in report.against:
        for target, rows in item.outputs.items():
            digits = " (float64)" if item.exact else ""
            _rows(table, f"{item.what}: {_title(target)}{digits}", rows)
            if not item.ok:
                _rows(
                    table,
                    f"{item.what}: {_title(target)} layer",
                    _largest(item.layers.get(target, [])),
                )
    gradients = 0
    for step, mode in ((report.step, ""), (report.training, "training: ")):
        if step is None:
            continue
        gradients += len(step.gradients)
        digits = " (float64)" if step.exact else ""
        _rows(table, f"{mode}output{digits}", step.outputs)
        _rows(table, f"{mode}gradient{digits}", _largest(step.gradients))
        _rows(table, f"{mode}statistic{digits}", _largest(step.statistics))
        _rows(table, f"{mode}after a step{digits}", step.after)
    _rows(table, "layer", report.layers if every else _largest(report.layers))
    if ran:  # otherwise there is only the count of the spec
        console.print(table)
    if gradients > 2 * SHOWN:
        _line(console, f"{gradients} gradients compared; the largest differences shown.")
    if report.without_noise:
        _line(console, f"Compared without the noise of {', '.join(report.without_noise)}.")
    if report.training is not None and any(d.by_design for d in report.training.rows()):
        _line(
            console,
            "By design: idiomatic PyTorch computes this differently (see the comment in its source); "
            "--fidelity exact makes it equal.",
        )
    if report.skipped:
        _line(console, report.skipped)
    if report.rounding is not None:
        r = report.rounding
        _line(
            console,
            f"float32 against float64: Keras {r.keras:.1e}, PyTorch {r.torch:.1e}; "
            f"both in float64 differ by {r.both:.1e}"
            + (": rounding." if r.explains else f", more than rounding ({r.bound:.0e})."),
        )
    if report.first:
        _line(console, f"The first layer that differs is {report.first}.")
    for name, layers in report.missing.items():
        _line(
            console,
            f"not compared: {', '.join(layers)} (the code of {name} is still to be written)",
        )
    for item in report.against:
        _against(item, console)
    if not report.ok:
        _line(console, "NOT equal")
    elif not report.compared:
        if not any(item.why for item in report.against):
            _line(console, "not compared")
    else:
        _line(console, "equal" + " in all compared layers" * bool(report.missing))


def _against(item: Against, console: Console) -> None:
    """Print the result of the comparison with the original, and the first layers that differ."""
    if item.why:
        _line(console, f"not compared with the {item.what}: {item.why}")
        return
    by = f", loaded by {item.by}" if item.by else ""
    end = "equal to" if item.ok else "NOT equal to"
    _line(console, f"{end} the {item.what} ({item.file}{by})")
    for target in item.outputs:
        if item.first(target):
            _line(
                console,
                f"The first layer in which {_title(target)} differs from the {item.what}: {item.first(target)}.",
            )


def _line(console: Console, text: str) -> None:
    """Print a line without wrapping it: it may contain a command to copy."""
    console.print(printable(text), soft_wrap=True)


def _mark(ok: bool) -> str:
    return "ok" if ok else "DIFFERS"


def _largest(items: list[Difference]) -> list[Difference]:
    apart = [item for item in items if not item.ok or item.by_design]
    rest = sorted((i for i in items if i not in apart), key=lambda item: -item.max_rel)
    return (apart + rest)[: max(SHOWN, len(apart))] if len(items) > SHOWN else items


def _rows(table: Table, what: str, items: list[Difference]) -> None:
    for item in items:
        mark = "by design" if item.by_design else _mark(item.ok)
        table.add_row(
            what, printable(item.name), f"{item.max_abs:.1e}", f"{item.max_rel:.1e}", mark
        )
