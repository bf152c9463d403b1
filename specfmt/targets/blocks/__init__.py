"""Code with blocks, for any target: the uses of a block become one body with parameters.

Each use is first written out with its own values.  `merged` then makes one body of them: lines that
only some uses have stand under a condition, and where uses differ stands an expression of
parameters.  The expressions of the spec come first; whatever is chosen has the right value for every use.
"""

from __future__ import annotations

from specfmt.targets.blocks.lines import Line, Merged, NoFitError, Variant
from specfmt.targets.blocks.merge import merged

__all__ = ["Line", "Merged", "NoFitError", "Variant", "merged"]
