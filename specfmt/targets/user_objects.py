"""User-defined losses, metrics, activations, ... in generated code: their names, and stubs to fill in.

The code of such an object is not in the model's file.  Where its module is known, Keras code
imports it; everywhere else the generated file has a small function or class at its top, under
the object's real name, that says what to write.
"""

from __future__ import annotations

import builtins
import keyword
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from itertools import chain, count
from typing import Any, Concatenate, Final, ParamSpec

from specfmt.graph.model import Graph
from specfmt.layers.base import held_layers
from specfmt.layers.naming import is_identifier
from specfmt.spec.train import train_section
from specfmt.targets.naming import class_name, identifier
from specfmt.targets.source import argument, comment, docstring, literal, string
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
"""Kinds of functions that take the same arguments: one function may serve as both."""

ARTICLES: Final = ("activation", "initializer", "optimizer")
"""Kinds of words that start with a vowel."""


def user_objects(value: Any) -> list[Term]:
    """The user-defined objects inside layers, terms or a training section, each once."""
    return list({term: None for term in terms_in(value) if term.type == CUSTOM})


def module_of(term: Term) -> str:
    """The module from which an object can be imported; empty where none is known."""
    module, name = term.spec.place
    parts = module.split(".")
    if module in ("", "builtins", "__main__"):
        return ""
    return module if all(map(is_identifier, (*parts, name))) else ""


Identity = tuple[str, str, str, bool]
"""Kind, module, name, and whether it is a function: what makes two objects the same code."""

_NAMES: ContextVar[Mapping[Identity, str]] = ContextVar("names of user-defined objects")


def _identity(term: Term) -> Identity:
    return (term.kind, *term.spec.place, term.spec.is_function)


@contextmanager
def distinct_names(terms: Iterable[Term], taken: Iterable[str] = ()) -> Iterator[None]:
    """Give each user-defined object a distinct name in what is generated inside the block.

    A loss and an initializer may have one name, or two modules a class of one name: what comes
    later is called after its kind, then numbered.

    Args:
        terms: All user-defined objects of the program.
        taken: Names of its classes.
    """
    names: dict[Identity, str] = {}
    owners: dict[str, Identity | None] = dict.fromkeys(taken)
    numbers: defaultdict[str, count[int]] = defaultdict(lambda: count(2))
    # Metrics first: Keras shows the name of the function.
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
    """Decorator: a code generator in which the user-defined objects of a graph have distinct names."""

    @wraps(function)
    def generate(graph: Graph, /, *args: P.args, **options: P.kwargs) -> str:
        layers = [unit.layer for unit in graph.walk_units()]
        with distinct_names(user_objects([layers, train_section(graph.spec)]), _classes(graph)):
            return function(graph, *args, **options)

    return generate


def _classes(graph: Graph) -> Iterator[str]:
    """What the classes of models, and of user-defined layers, may be called in code."""
    yield class_name(graph.name)
    yield class_name("", "Layer")
    for unit in graph.units:
        if unit.graph is not None:
            yield class_name(unit.name)
            yield from _classes(unit.graph)
            continue
        for layer in (unit.layer, *held_layers(unit.layer)):
            fields = vars(layer)
            for dotted in filter(None, (fields.get("class_"), fields.get("torch"))):
                name = str(dotted).rpartition(".")[2]
                yield from (name, class_name(name, "Layer"))


def python_name(term: Term) -> str:
    """What code calls a user-defined object (see `distinct_names`)."""
    return _NAMES.get({}).get(_identity(term)) or _plain_name(term)


def _plain_name(term: Term) -> str:
    """A word's name, or an identifier that reads like it."""
    _, name = term.spec.place
    text = name if is_identifier(name) else identifier(name, term.kind)
    taken = keyword.iskeyword(text) or hasattr(builtins, text) or text in RESERVED
    return f"{text}_{term.kind}" if taken else text


def title(terms: Sequence[Term]) -> str:
    """``The loss `dice_loss` of the original model``, safe in a docstring."""
    _, name = terms[0].spec.place
    shown = comment(name).replace("`", "'")
    return f"The {_kinds(terms)} `{shown[:80]}` of the original model"


def _kinds(terms: Sequence[Term]) -> str:
    """``loss and metric``."""
    return " and ".join(dict.fromkeys(term.kind for term in terms))


@dataclass(frozen=True)
class _Form:
    """How a kind of word is written in Keras.

    Attributes:
        base: The class to derive from.
        arguments: Of the function, or of the method.
        method: The method to write.
        before: Names of the config that the base class takes.
    """

    base: str
    arguments: str
    method: str = "__call__"
    before: tuple[str, ...] = ()


KERAS_FORMS: Final[dict[str, _Form]] = {
    "activation": _Form("", "x"),
    "initializer": _Form("keras.initializers.Initializer", "shape, dtype=None"),
    "regularizer": _Form("keras.regularizers.Regularizer", "x"),
    "constraint": _Form("keras.constraints.Constraint", "w"),
    "loss": _Form("keras.losses.Loss", "y_true, y_pred", "call", ("name", "reduction", "dtype")),
    "metric": _Form(
        "keras.metrics.Metric",
        "y_true, y_pred, sample_weight=None",
        "update_state",
        ("name", "dtype"),
    ),
    "optimizer": _Form(
        "keras.optimizers.Optimizer",
        "gradient, variable, learning_rate",
        "update_step",
        ("learning_rate", "name"),
    ),
    "schedule": _Form("keras.optimizers.schedules.LearningRateSchedule", "step"),
    "callback": _Form("keras.callbacks.Callback", "epoch, logs=None", "on_epoch_end"),
}

FUNCTION_ARGUMENTS: Final = {"metric": "y_true, y_pred"}
"""What a function takes where that differs from the method."""


def keras_imports(terms: Iterable[Term]) -> list[str]:
    """Import lines of the objects whose module is known."""
    lines = []
    for term in terms:
        if module := module_of(term):
            name, called = term.spec.place[1], python_name(term)
            alias = "" if called == name else f" as {called}"
            lines.append(f"from {module} import {name}{alias}")
    return list(dict.fromkeys(lines))


def keras_stubs(terms: Iterable[Term], *, activity: Iterable[Term] = ()) -> list[str]:
    """Functions and classes for the words that cannot be imported.

    Args:
        terms: The words.
        activity: Those of them that penalize outputs, which Keras asks at every call.
    """
    groups: dict[str, list[Term]] = {}
    for term in terms:
        if not module_of(term):
            groups.setdefault(python_name(term), []).append(term)
    called = {python_name(term) for term in activity}
    return [_keras_stub(name, group, name in called) for name, group in groups.items()]


def _keras_stub(name: str, terms: list[Term], is_activity: bool) -> str:
    term = terms[0]
    doc = f'"""{docstring(title(terms))}, whose code its file does not hold."""'
    body = _keras_body(terms, name, is_activity)
    if term.spec.is_function:
        arguments = FUNCTION_ARGUMENTS.get(term.kind, KERAS_FORMS[term.kind].arguments)
        return "\n".join([f"def {name}({arguments}):", f"    {doc}", *_indented(body)])
    return _keras_class(name, terms, doc, body)


def _keras_body(terms: Sequence[Term], name: str, is_activity: bool) -> list[str]:
    term = terms[0]
    if term.kind == "initializer":
        return [
            "# Trained weights do not need it; until it is written, training starts from this.",
            "return keras.initializers.GlorotUniform()(shape, dtype)",
        ]
    if term.kind == "regularizer" and is_activity:
        return ["# Write the penalty here: training adds it to the loss.", "return 0.0"]
    return [f"raise NotImplementedError({string(missing(terms, name))})"]


def missing(terms: Sequence[Term], name: str) -> str:
    """What to do about a stub that is called."""
    return f"write {name}: the {_kinds(terms)} of the original model, whose code its file does not hold"


def _keras_class(name: str, terms: list[Term], doc: str, body: list[str]) -> str:
    """A class with the config's keys as arguments and attributes."""
    term, form = terms[0], KERAS_FORMS[terms[0].kind]
    configs = [t.spec.config if isinstance(t.spec.config, dict) else {} for t in terms]
    keys = list(dict.fromkeys(key for config in configs for key in config))
    plain = all(map(is_identifier, keys))
    keys = keys if plain else []
    always = all(set(keys) <= set(config) for config in configs)
    parameters = "".join(f", {key}" if always else f", {key}=None" for key in keys)
    lines = [*_registration(term), f"class {name}({form.base}):" if form.base else f"class {name}:"]
    lines += [f"    {doc}", ""]
    above = [key for key in form.before if key in keys]
    given = ", ".join(f"{key}={key}" for key in above)
    if term.kind == "optimizer" and "learning_rate" not in above:
        given = ", ".join(["learning_rate=0.001", *([given] if given else [])])
    setup = [f"super().__init__({given})"] if form.before or term.kind == "callback" else []
    setup += [f"self.{key} = {key}" for key in keys if key not in above]
    if setup:
        rest = "" if plain else ", **config"
        lines += [f"    def __init__(self{parameters}{rest}):", *_indented(setup, 2), ""]
    lines += [f"    def {form.method}(self, {form.arguments}):", *_indented(body, 2)]
    if term.kind == "metric":
        lines += ["", "    def result(self):", *_indented(body, 2)]
    own = [key for key in keys if key not in above]
    if form.base and term.kind != "callback" and (own or term.kind == "schedule"):
        entries = ", ".join(f"{string(key)}: self.{key}" for key in own)
        inherited = "**super().get_config(), " if form.before else ""
        lines += ["", "    def get_config(self):", f"        return {{{inherited}{entries}}}"]
    return "\n".join(lines)


def _registration(term: Term) -> list[str]:
    """The decorator under which saved models know the class."""
    package, mark, name = (term.spec.registered_name or "").rpartition(">")
    if not mark or not package:
        return []
    # In `keras.utils` it is reached by `from tensorflow import keras` too.
    return [f"@keras.utils.register_keras_serializable({string(package)}, {string(name)})"]


def _indented(lines: list[str], levels: int = 1) -> list[str]:
    return [f"{'    ' * levels}{line}" for line in lines]


def keras_call(term: Term) -> str:
    """A user-defined object in Keras code: the function, or the object of its class."""
    name = python_name(term)
    if term.spec.is_function:
        return name
    config = term.spec.config if isinstance(term.spec.config, dict) else {}
    if all(map(is_identifier, config)):
        arguments = ", ".join(argument(key, literal(item)) for key, item in config.items())
        return f"{name}({arguments})"
    return f"{name}.from_config({literal(config)})"


TORCH_FORMS: Final = {
    "activation": ("x: torch.Tensor", "torch.Tensor"),
    "regularizer": ("weight: torch.Tensor", "torch.Tensor"),
    "constraint": ("weight: torch.Tensor", "torch.Tensor"),
    "loss": ("prediction: torch.Tensor, target: torch.Tensor", "torch.Tensor"),
    "metric": ("prediction: torch.Tensor, target: torch.Tensor", "torch.Tensor"),
    "optimizer": (
        "parameters: Iterable[nn.Parameter], learning_rate: float",
        "torch.optim.Optimizer",
    ),
    "schedule": ("step: int", "float"),
    "callback": ("model: nn.Module, epoch: int, history: dict[str, list[float]]", "None"),
}
"""Arguments and result of the function that stands for each kind of word in PyTorch."""


def torch_stubs(terms: Iterable[Term]) -> dict[str, str]:
    """The functions that stand for user-defined objects in PyTorch code, by their names."""
    groups: dict[str, list[Term]] = {}
    for term in terms:
        if term.kind in TORCH_FORMS:
            groups.setdefault(python_name(term), []).append(term)
    return {name: _torch_stub(name, group) for name, group in groups.items()}


def _torch_stub(name: str, terms: Sequence[Term]) -> str:
    arguments, returns = TORCH_FORMS[terms[0].kind]
    gives = "; one value for each sample" if "metric" in {t.kind for t in terms} else ""
    return "\n".join(
        [
            f"def {name}({arguments}) -> {returns}:",
            f'    """{docstring(title(terms))}, whose code its file does not hold{docstring(gives)}."""',
            f"    raise NotImplementedError({string(missing(terms, name))})",
        ]
    )
