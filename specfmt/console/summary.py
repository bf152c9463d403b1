"""The summary of a model as a table for a terminal, or as HTML for a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Final

from specfmt.console.terminal import WIDTH, table
from specfmt.diagnostics import SpecError
from specfmt.graph.analyze import analyze
from specfmt.graph.model import Graph
from specfmt.graph.summary import summarize

if TYPE_CHECKING:
    from specfmt.diagnostics import Diagnostic
    from specfmt.graph.summary import Summary
    from specfmt.spec.document import ModelSpec

HEAD: Final = ("layer", "type", "output shape", "params", "reads")
FIRST: Final = 60
LAST: Final = 20
"""Rows at the start and at the end of a larger model that a notebook shows."""

READ: Final = 8
"""The most input names per layer that a notebook shows."""

Row = tuple[str, str, str, str, str]


def summary_text(summary: Summary, width: int = WIDTH, *, expand: bool = False) -> str:
    """The summary as a text table.

    Args:
        summary: The summary.
        width: The width of the terminal in columns.
        expand: Show the layers in blocks one by one, not the uses of the blocks.
    """
    rows = _rows(summary, expand=expand)
    lines = [table([HEAD, *rows], right=(HEAD.index("params"),), width=width), ""]
    lines += [f"{name:<12}{text}" for name, text in _totals(summary)]
    return "\n".join(lines)


def html(shown: ModelSpec | Graph) -> str:
    """A spec or a graph in a notebook: its summary, or the findings of a spec with errors."""
    try:
        graph = shown if isinstance(shown, Graph) else analyze(shown)
    except SpecError as error:
        return findings_html(shown.name, error.diagnostics)
    return summary_html(summarize(graph))


def summary_html(summary: Summary) -> str:
    """The summary as an HTML table without colours and fonts of its own.

    In a model with many layers the middle rows are replaced by one with their number.
    """
    rows = list(_rows(summary, expand=False))
    hidden = len(rows) - FIRST - LAST
    if hidden > 0:
        more = f'<td colspan="{len(HEAD)}"><em>{hidden:,} rows are not shown</em></td>'
        shown = [*map(_cells, rows[:FIRST]), more, *map(_cells, rows[-LAST:])]
    else:
        shown = list(map(_cells, rows))
    head = "".join(f'<th scope="col">{name}</th>' for name in HEAD)
    total = "".join(
        f'<tr><th scope="row">{name}</th><td colspan="{len(HEAD) - 1}">{escape(text)}</td></tr>'
        for name, text in _totals(summary)
    )
    body = "\n".join(f"<tr>{cells}</tr>" for cells in shown)
    return (
        f"<table>\n<caption>{escape(summary.name)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n<tfoot>{total}</tfoot>\n</table>"
    )


def findings_html(name: str, diagnostics: Sequence[Diagnostic]) -> str:
    """Diagnostics as an HTML list; of many, only the first are shown."""
    items = [
        f"<li><strong>{escape(d.severity)}[{escape(d.code)}]</strong> "
        f"<code>{escape(d.pointer or '/')}</code>: {escape(d.message)}"
        + (f"<br><em>help:</em> {escape(d.hint)}" if d.hint else "")
        + "</li>"
        for d in diagnostics[:FIRST]
    ]
    hidden = len(diagnostics) - len(items)
    if hidden:
        items.append(f"<li><em>{hidden:,} more</em></li>")
    return f"<p>{escape(name)} has mistakes:</p>\n<ul>\n" + "\n".join(items) + "\n</ul>"


def _rows(summary: Summary, *, expand: bool) -> Iterable[Row]:
    for item in summary.inputs:
        yield item.name, "input", _typed(item.text, item.dtype), "", ""
    for layer in summary.layers if expand else summary.folded:
        yield (
            layer.name,
            layer.type,
            ", ".join(map(_typed, layer.texts, layer.dtypes)),
            "unknown" if layer.params is None else f"{layer.params:,}",
            ", ".join(layer.inputs),
        )


def _typed(shape: str, dtype: str) -> str:
    """A shape, with its dtype behind it if that is not float32: ``(N, 3) int32``."""
    return shape if dtype == "float32" else f"{shape} {dtype}"


def _cells(row: Row) -> str:
    """The cells of a row; the first one is a header, numbers are right-aligned."""
    name, kind, shapes, params, reads = map(escape, (*row[:-1], _limited(row[-1])))
    return (
        f'<th scope="row">{name}</th><td>{kind}</td><td>{shapes}</td>'
        f'<td style="text-align: right">{params}</td><td>{reads}</td>'
    )


def _limited(names: str) -> str:
    """The first names, and the number of further ones."""
    every = names.split(", ")
    hidden = len(every) - READ
    return f"{', '.join(every[:READ])} and {hidden:,} more" if hidden > 1 else names


def _totals(summary: Summary) -> Iterable[tuple[str, str]]:
    frozen = summary.params - summary.trainable
    least, unknown = "", ""
    if summary.uncounted:
        least, unknown = "at least ", f"; unknown for {_limited(', '.join(summary.uncounted))}"
    count = f"{summary.params:,} ({summary.trainable:,} trainable, {frozen:,} not)"
    yield "parameters", f"{least}{count}{unknown}"
    yield "arithmetic", f"{least}{summary.macs:,} multiply-accumulates per sample"
    yield "activations", f"{least}{_bytes(summary.activation_bytes)} per sample"


def _bytes(count: int) -> str:
    if count < 1000:
        return f"{count} B"
    tenths, units = count // 100, ["kB", "MB", "GB"]
    while tenths >= 10_000 and len(units) > 1:
        tenths //= 1000
        del units[0]
    return f"{tenths // 10:,}.{tenths % 10} {units[0]}"
