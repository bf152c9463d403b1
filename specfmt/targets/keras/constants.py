"""Long initializers, regularizers and constraints that stand several times, as constants of the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from specfmt.graph.model import Graph, Unit
from specfmt.targets.keras.values import construction
from specfmt.targets.ruff import WIDTH, text_width
from specfmt.targets.source import literal
from specfmt.vocab.base import CUSTOM, Term
from specfmt.vocab.naming import to_snake_case

KINDS = ("initializer", "regularizer", "constraint")
"""Kinds of terms that may be constants: those that layers take as objects."""

FEWEST = 3
"""The smallest number of uses for which a constant pays."""

INDENT = 8
"""The indentation of an argument that stands on a line of its own, in columns."""


@dataclass
class TermConstant:
    """A constant with a term.

    Attributes:
        term: The term.
        uses: The layers that have it, with the field.
    """

    term: Term
    uses: list[tuple[Unit, str]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its name, after the field and the kind of layers: ``CONV_KERNEL_INITIALIZER``."""
        ((key, _),) = Counter(key for _, key in self.uses).most_common(1)
        kinds = {unit.type_name for unit, _ in self.uses}
        families = {unit.layer.family for unit, _ in self.uses}
        owner = "conv" if families == {"convolutional"} else ""
        if len(kinds) == 1 and not owner:
            owner = to_snake_case(next(iter(kinds)))
        return (f"{owner}_{key}" if owner else key).upper()

    def source(self, name: str) -> str:
        """The assignment to a variable.

        A random initializer is a dict, of which each layer makes its own: with one object, all
        layers of the same shape would begin with equal weights.
        """
        if not is_random(self.term):
            return f"{name} = {construction(self.term)}"
        spec = self.term.spec
        fields = type(spec).model_fields
        config = {
            fields[key].alias or key: list(item) if isinstance(item, tuple) else item
            for key, item in spec.explicit_arguments().items()
        }
        entries = f'"class_name": {literal(self.term.type)}, "config": {literal(config)}'
        return f"{name} = {{  # each layer makes an initializer of its own\n{entries}}}"


def term_constants(graph: Graph, unwanted: Collection[str] = ()) -> Iterator[TermConstant]:
    """The terms that are long and stand in several layers.

    Args:
        graph: The model.
        unwanted: The sources of terms that are not to be constants.
    """
    found: dict[str, TermConstant] = {}
    for unit in graph.walk_units():
        for key, value in unit.layer.explicit_arguments().items():
            if not isinstance(value, Term) or not may_be_constant(value):
                continue
            source = construction(value)
            alias = type(unit.layer).model_fields[key].alias or key
            fits = INDENT + text_width(f"{alias}={source},") <= WIDTH
            if not fits and source not in unwanted:
                found.setdefault(source, TermConstant(value)).uses.append((unit, key))
    return (constant for constant in found.values() if len(constant.uses) >= FEWEST)


def may_be_constant(term: Term) -> bool:
    """Whether layers can share a term: it is Keras's own and has no seed."""
    if term.kind not in KINDS or term.type == CUSTOM or not term.args:
        return False
    return getattr(term.spec, "seed", None) is None


def is_random(term: Term) -> bool:
    """Whether an initializer draws its values."""
    return "seed" in type(term.spec).model_fields
