"""User-defined objects in Keras code: imports, calls, and stubs that the user implements.

The template of the stubs is ``keras/user_objects.j2``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from specfmt.layers.naming import is_identifier
from specfmt.targets.source import argument, literal
from specfmt.targets.user_objects import by_name, module_of, python_name, task, title
from specfmt.vocab.base import Term


@dataclass(frozen=True)
class Form:
    """How a kind of object is implemented in Keras.

    Attributes:
        base: The base class.
        arguments: The parameters of the function or the method.
        method: The method to implement.
        before: The config entries that the base class's constructor takes.
        function_arguments: The parameters of a function, if they differ from the method's.
    """

    base: str
    arguments: str
    method: str = "__call__"
    before: tuple[str, ...] = ()
    function_arguments: str = ""


FORMS: Final[dict[str, Form]] = {
    "activation": Form("", "x"),
    "initializer": Form("keras.initializers.Initializer", "shape, dtype=None"),
    "regularizer": Form("keras.regularizers.Regularizer", "x"),
    "constraint": Form("keras.constraints.Constraint", "w"),
    "loss": Form("keras.losses.Loss", "y_true, y_pred", "call", ("name", "reduction", "dtype")),
    "metric": Form(
        "keras.metrics.Metric",
        "y_true, y_pred, sample_weight=None",
        "update_state",
        ("name", "dtype"),
        function_arguments="y_true, y_pred",
    ),
    "optimizer": Form(
        "keras.optimizers.Optimizer",
        "gradient, variable, learning_rate",
        "update_step",
        ("learning_rate", "name"),
    ),
    "schedule": Form("keras.optimizers.schedules.LearningRateSchedule", "step"),
    "callback": Form("keras.callbacks.Callback", "epoch, logs=None", "on_epoch_end"),
}


@dataclass(frozen=True)
class UserObject:
    """A function or class that the user has to implement.

    Attributes:
        name: Its name in the code.
        kind: ``loss``, ``metric``, ``activation`` etc.
        form: How its kind is implemented in Keras.
        title: Its description.
        task: The message of its `NotImplementedError`.
        is_function: Whether it is a function.
        is_penalty: Whether it is an activity regularizer, which Keras calls even without training.
        registration: The package and name under which the class is registered in Keras.
        keys: The parameters of its constructor.
        is_optional: Whether some calls leave out some of them.
        takes_more: Whether the config has keys that are not identifiers.
    """

    name: str
    kind: str
    form: Form
    title: str
    task: str
    is_function: bool
    is_penalty: bool
    registration: tuple[str, str] | None
    keys: list[str]
    is_optional: bool
    takes_more: bool

    @property
    def arguments(self) -> str:
        """The parameters of the function or the method."""
        form = self.form
        return (self.is_function and form.function_arguments) or form.arguments

    @property
    def parameters(self) -> list[str]:
        """The parameters of the constructor."""
        default = "=None" if self.is_optional else ""
        more = ["**config"] if self.takes_more else []
        return ["self", *(f"{key}{default}" for key in self.keys), *more]

    @property
    def handed_on(self) -> list[str]:
        """The arguments of the base class's constructor."""
        given = [f"{key}={key}" for key in self.form.before if key in self.keys]
        rate = self.kind == "optimizer" and "learning_rate" not in self.keys
        return ["learning_rate=0.001", *given] if rate else given

    @property
    def attributes(self) -> list[str]:
        """The parameters that the constructor assigns to attributes."""
        return [key for key in self.keys if key not in self.form.before]

    @property
    def calls_base(self) -> bool:
        """Whether the constructor calls the base class's constructor."""
        return bool(self.form.before) or self.kind == "callback"

    @property
    def has_config(self) -> bool:
        """Whether it needs `get_config`, because saved models contain its config."""
        saved = self.form.base and self.kind != "callback"
        return bool(saved and (self.attributes or self.kind == "schedule"))


def keras_imports(terms: Iterable[Term]) -> list[str]:
    """The import lines of the objects whose module is known."""
    lines = []
    for term in terms:
        if module := module_of(term):
            name, called = term.spec.place[1], python_name(term)
            alias = "" if called == name else f" as {called}"
            lines.append(f"from {module} import {name}{alias}")
    return list(dict.fromkeys(lines))


def to_be_written(terms: Iterable[Term], *, activity: Iterable[Term] = ()) -> list[UserObject]:
    """Functions and classes for the objects that cannot be imported.

    Args:
        terms: The user-defined objects.
        activity: The activity regularizers among them, which Keras calls even without training.
    """
    called = {python_name(term) for term in activity}
    groups = by_name(term for term in terms if not module_of(term))
    return [_user_object(name, group, name in called) for name, group in groups.items()]


def _user_object(name: str, terms: Sequence[Term], is_activity: bool) -> UserObject:
    term = terms[0]
    configs = [t.spec.config if isinstance(t.spec.config, dict) else {} for t in terms]
    keys = list(dict.fromkeys(key for config in configs for key in config))
    plain = all(map(is_identifier, keys))
    package, mark, registered = (term.spec.registered_name or "").rpartition(">")
    return UserObject(
        name=name,
        kind=term.kind,
        form=FORMS[term.kind],
        title=title(terms),
        task=task(terms, name),
        is_function=term.spec.is_function,
        is_penalty=term.kind == "regularizer" and is_activity,
        registration=(package, registered) if mark and package else None,
        keys=keys if plain else [],
        is_optional=not all(set(keys) <= set(config) for config in configs),
        takes_more=not plain,
    )


def keras_call(term: Term) -> str:
    """A user-defined object as an expression: a function's name, or a call of the class."""
    name = python_name(term)
    if term.spec.is_function:
        return name
    config = term.spec.config if isinstance(term.spec.config, dict) else {}
    if all(map(is_identifier, config)):
        arguments = ", ".join(argument(key, literal(item)) for key, item in config.items())
        return f"{name}({arguments})"
    return f"{name}.from_config({literal(config)})"
