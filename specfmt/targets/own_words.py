"""Words of the user's own in generated code: what they are called, and stubs to fill in.

The code of such a word is not in the model's file.  Where its module is known, Keras code
imports it; everywhere else the generated file has a small function or class at its top, under
the word's real name, that says what to write.
"""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from specfmt.spec.naming import is_identifier
from specfmt.targets.naming import identifier
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

ARTICLES: Final = ("activation", "initializer", "optimizer")
"""Kinds of words that start with a vowel."""


def own_words(value: Any) -> list[Term]:
    """The words of the user's own inside layers, terms or a training section, each once."""
    return list({term: None for term in terms_in(value) if term.type == CUSTOM})


def module_of(term: Term) -> str:
    """The module from which a word can be imported; empty where none is known."""
    module, name = term.spec.place
    parts = module.split(".")
    if module in ("", "builtins", "__main__"):
        return ""
    return module if all(map(is_identifier, (*parts, name))) else ""


def python_name(term: Term) -> str:
    """What code calls a word of the user's own: its name, or an identifier that reads like it."""
    _, name = term.spec.place
    text = identifier(name, term.kind)
    taken = keyword.iskeyword(text) or hasattr(builtins, text) or text in RESERVED
    return f"{text}_{term.kind}" if taken else text


def title(term: Term) -> str:
    """``The loss `dice_loss` of the original model``, safe in a docstring."""
    _, name = term.spec.place
    shown = comment(name).replace("`", "'")
    return f"The {term.kind} `{shown[:80]}` of the original model"


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
    """Import lines of the words whose module is known."""
    lines = {
        f"from {module_of(term)} import {term.spec.place[1]}": None
        for term in terms
        if module_of(term)
    }
    return list(lines)


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
    doc = f'"""{docstring(title(term))}, whose code its file does not hold."""'
    body = _keras_body(term, name, is_activity)
    if term.spec.is_function:
        arguments = FUNCTION_ARGUMENTS.get(term.kind, KERAS_FORMS[term.kind].arguments)
        return "\n".join([f"def {name}({arguments}):", f"    {doc}", *_indented(body)])
    return _keras_class(name, terms, doc, body)


def _keras_body(term: Term, name: str, is_activity: bool) -> list[str]:
    if term.kind == "initializer":
        return [
            "# Trained weights do not need it; until it is written, training starts from this.",
            "return keras.initializers.GlorotUniform()(shape, dtype)",
        ]
    if term.kind == "regularizer" and is_activity:
        return ["# Write the penalty here: training adds it to the loss.", "return 0.0"]
    return [f"raise NotImplementedError({string(missing(term, name))})"]


def missing(term: Term, name: str) -> str:
    """What to do about a stub that is called."""
    return f"write {name}: the {term.kind} of the original model, whose code its file does not hold"


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
    """A word of the user's own in Keras code: the function, or the object of its class."""
    name = term.spec.place[1] if module_of(term) else python_name(term)
    if term.spec.is_function:
        return str(name)
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


def torch_stub(term: Term) -> str:
    """The function that stands for a word of the user's own in PyTorch code."""
    name = python_name(term)
    arguments, returns = TORCH_FORMS[term.kind]
    gives = "; one value for each sample" if term.kind == "metric" else ""
    return "\n".join(
        [
            f"def {name}({arguments}) -> {returns}:",
            f'    """{docstring(title(term))}, whose code its file does not hold{docstring(gives)}."""',
            f"    raise NotImplementedError({string(missing(term, name))})",
        ]
    )
