"""The names of user-defined losses, metrics, activations etc. in generated code.

The code of such an object is not in the model's file.  If its module is known, Keras code imports
it.  Otherwise the generated file has a stub with the object's name, a small function or class that
the user has to implement.
"""

from __future__ import annotations

import builtins
import keyword
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from itertools import chain, count
from typing import Any, Concatenate, Final, ParamSpec

from specfmt.graph.model import Graph
from specfmt.layers.base import nested_layers
from specfmt.layers.naming import is_identifier
from specfmt.spec.train import train_section
from specfmt.targets.naming import class_name, identifier
from specfmt.targets.source import comment
from specfmt.vocab.base import CUSTOM, Term, terms_in

RESERVED: Final = frozenset(
    (
        "F Path Tensor args argparse as_binary as_classes as_open_samples as_samples build_model "
        "check_split constrain csv describe evaluate existing_file export keras layers load_data "
        "loss main math model nn np optimizer parse_arguments penalty plt positive predict "
        "read_arrays read_class read_number read_rows read_sample read_texts refuse_names "
        "save_history schedule sys tensorflow tf to_dataset torch tqdm train train_epoch zipfile"
    ).split()
)
"""Names that generated files use themselves."""

SHARED: Final = ("loss", "metric")
"""Kinds of functions that take the same arguments, so that one function may be used as both."""


def user_objects(value: Any) -> list[Term]:
    """The user-defined objects in layers, terms or a training section, without duplicates."""
    return list({term: None for term in terms_in(value) if term.type == CUSTOM})


def module_of(term: Term) -> str:
    """The module from which an object can be imported; empty if it is unknown."""
    module, name = term.spec.place
    parts = module.split(".")
    if module in ("", "builtins", "__main__"):
        return ""
    return module if all(map(is_identifier, (*parts, name))) else ""


Identity = tuple[str, str, str, bool]
"""Kind, module, name and whether it is a function; objects with equal identities are the same."""

_NAMES: ContextVar[Mapping[Identity, str]] = ContextVar("names of user-defined objects")


def _identity(term: Term) -> Identity:
    return (term.kind, *term.spec.place, term.spec.is_function)


@contextmanager
def distinct_names(terms: Iterable[Term], taken: Iterable[str] = ()) -> Iterator[None]:
    """Context manager in which every user-defined object has a distinct name in generated code.

    A loss and an initializer may have the same name, or classes in two modules.  The later one gets
    its kind, then a number, as a suffix.

    Args:
        terms: All user-defined objects of the program.
        taken: The names of its classes.
    """
    names: dict[Identity, str] = {}
    owners: dict[str, Identity | None] = dict.fromkeys(taken)
    numbers: defaultdict[str, count[int]] = defaultdict(lambda: count(2))
    # Metrics first, since Keras logs a metric under the name of its function.
    for term in sorted(terms, key=lambda term: (term.kind != "metric", term.kind != "loss")):
        identity = _identity(term)
        kind, module, name, is_function = identity
        owner = identity
        if kind in SHARED and is_function:
            owner = ("", module, name, is_function)
        text = _plain_name(term)
        if identity not in names:
            numbered = (f"{text}_{number}" for number in numbers[text])
            choices = chain((text, f"{text}_{kind}"), numbered)
            names[identity] = next(c for c in choices if owners.setdefault(c, owner) == owner)
    token = _NAMES.set(names)
    try:
        yield
    finally:
        _NAMES.reset(token)


P = ParamSpec("P")
Generator = Callable[Concatenate[Graph, P], str]


def with_distinct_names(function: Generator[P]) -> Generator[P]:
    """Decorator for a code generator: the graph's user-defined objects get distinct names."""

    @wraps(function)
    def generate(graph: Graph, /, *args: P.args, **options: P.kwargs) -> str:
        layers = [unit.layer for unit in graph.walk_units()]
        with distinct_names(user_objects([layers, train_section(graph.spec)]), _classes(graph)):
            return function(graph, *args, **options)

    return generate


def _classes(graph: Graph) -> Iterator[str]:
    """The possible class names of models and user-defined layers in generated code."""
    yield class_name(graph.name)
    yield class_name("", "Layer")
    for unit in graph.units:
        if unit.graph is not None:
            yield class_name(unit.name)
            yield from _classes(unit.graph)
            continue
        for layer in (unit.layer, *nested_layers(unit.layer)):
            fields = vars(layer)
            for dotted in filter(None, (fields.get("class_"), fields.get("torch"))):
                name = str(dotted).rpartition(".")[2]
                yield from (name, class_name(name, "Layer"))


def python_name(term: Term) -> str:
    """The name of a user-defined object in generated code; see `distinct_names`."""
    return _NAMES.get({}).get(_identity(term)) or _plain_name(term)


def _plain_name(term: Term) -> str:
    """The object's name, or the closest identifier."""
    _, name = term.spec.place
    text = name if is_identifier(name) else identifier(name, term.kind)
    taken = keyword.iskeyword(text) or hasattr(builtins, text) or text in RESERVED
    return f"{text}_{term.kind}" if taken else text


def title(terms: Sequence[Term]) -> str:
    """The object in words: ``The loss `dice_loss` of the original model``, safe in a docstring."""
    _, name = terms[0].spec.place
    shown = comment(name).replace("`", "'")
    return f"The {_kinds(terms)} `{shown[:80]}` of the original model"


def _kinds(terms: Sequence[Term]) -> str:
    """The kinds of the objects: ``loss and metric``."""
    return " and ".join(dict.fromkeys(term.kind for term in terms))


def task(terms: Sequence[Term], name: str) -> str:
    """The error message of an object that the user has to implement."""
    return f"write {name}: the {_kinds(terms)} of the original model, whose code is not in the model's file"


def by_name(terms: Iterable[Term]) -> dict[str, list[Term]]:
    """Name in generated code -> objects; a loss and a metric may be the same function."""
    groups: dict[str, list[Term]] = {}
    for term in terms:
        groups.setdefault(python_name(term), []).append(term)
    return groups
