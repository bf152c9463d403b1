"""specfmt: from declarative neural-network specs to Keras and PyTorch code.

The public API is what `__all__` lists; `specfmt.api` defines its functions.  Importing this package
imports only its version; the module of any other name is imported when the name is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from specfmt.version import __version__ as __version__

if TYPE_CHECKING:
    from specfmt.api import (
        Blocks,
        Imported,
        KerasFormat,
        allowing,
        analyze,
        catalogue,
        check,
        compare,
        convert,
        convert_weights,
        dump,
        expand,
        explain,
        format_spec,
        from_keras_json,
        generate,
        import_spec,
        json_schema,
        lint_spec,
        load,
        loads,
        refactor,
        refactor_text,
        starter,
        starters,
        summarize,
        target_names,
        to_keras_json,
        train,
        verify,
        with_customs,
    )
    from specfmt.diagnostics import Diagnostic, Span, SpecError
    from specfmt.graph.model import Graph
    from specfmt.graph.summary import LayerSummary, Summary, TensorSummary
    from specfmt.migration import Migration
    from specfmt.parity.report import Report
    from specfmt.reference.catalogue import LayerSupport
    from specfmt.spec.document import ModelSpec
    from specfmt.targets.options import Axes, Fidelity, Flavor, OptionError, Part, Style

_HOMES = {
    "Axes": "targets.options",
    "Diagnostic": "diagnostics",
    "Fidelity": "targets.options",
    "Flavor": "targets.options",
    "LayerSummary": "graph.summary",
    "LayerSupport": "reference.catalogue",
    "Migration": "migration",
    "OptionError": "targets.options",
    "Part": "targets.options",
    "Report": "parity.report",
    "Span": "diagnostics",
    "SpecError": "diagnostics",
    "Style": "targets.options",
    "Summary": "graph.summary",
    "TensorSummary": "graph.summary",
}
"""The modules of the public names that `specfmt.api` does not define."""

__all__ = [
    "Axes",
    "Blocks",
    "Diagnostic",
    "Fidelity",
    "Flavor",
    "Graph",
    "Imported",
    "KerasFormat",
    "LayerSummary",
    "LayerSupport",
    "Migration",
    "ModelSpec",
    "OptionError",
    "Part",
    "Report",
    "Span",
    "SpecError",
    "Style",
    "Summary",
    "TensorSummary",
    "allowing",
    "analyze",
    "catalogue",
    "check",
    "compare",
    "convert",
    "convert_weights",
    "dump",
    "expand",
    "explain",
    "format_spec",
    "from_keras_json",
    "generate",
    "import_spec",
    "json_schema",
    "lint_spec",
    "load",
    "loads",
    "refactor",
    "refactor_text",
    "starter",
    "starters",
    "summarize",
    "target_names",
    "to_keras_json",
    "train",
    "verify",
    "with_customs",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'api')}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
