"""Training scripts in Keras."""

from __future__ import annotations

from typing import Any

from specfmt.graph.model import Graph
from specfmt.spec.train import TrainSpec
from specfmt.targets.keras.user_objects import keras_call
from specfmt.targets.keras.values import NAMESPACES, term_arguments, value_source
from specfmt.targets.source import literal, string
from specfmt.targets.training.outputs import log_names
from specfmt.targets.training.script import Script
from specfmt.vocab.base import CUSTOM, Term

PATH_ARGUMENTS = ("filepath", "filename", "log_dir")
"""Arguments of callbacks that are paths; they are placed below ``--out``."""

MANY_EPOCHS = 50
"""With more epochs than this, one progress bar over all epochs is shown instead of one each."""


class KerasScript(Script):
    """The values for the template ``keras/train.py.j2``; see `Script`."""

    @property
    def has_bar(self) -> bool:
        """Whether there is one progress bar over all epochs."""
        return self.epochs > MANY_EPOCHS

    @property
    def learning_rate(self) -> str:
        """The optimizer's learning rate; empty if it is a schedule or there is none."""
        rate = getattr(self.train.optimizer.spec, "learning_rate", None)
        return literal(rate) if isinstance(rate, (int, float)) else ""

    @property
    def schedule(self) -> str:
        """The learning rate schedule; empty if there is none."""
        spec = self.train.optimizer.spec
        if self.learning_rate or "learning_rate" not in type(spec).model_fields:
            return ""
        return value_source(spec.learning_rate)

    @property
    def optimizer(self) -> str:
        """The call that creates the optimizer, with the learning rate from the command line."""
        term = self.train.optimizer
        if term.type == CUSTOM:
            return keras_call(term)
        arguments = [text for text in term_arguments(term) if not text.startswith("learning_rate=")]
        if "learning_rate" in type(term.spec).model_fields:
            rate = "args.learning_rate" if self.learning_rate else "learning_rate"
            arguments.insert(0, f"learning_rate={rate}")
        return f"keras.optimizers.{term.type}({', '.join(arguments)})"

    @property
    def compile_options(self) -> dict[str, str]:
        """The arguments of ``model.compile`` besides the optimizer."""
        options = {}
        for key in ("loss", "loss_weights", "metrics", "weighted_metrics"):
            value = by_output(self.graph, self.train, key)
            if value is not None:
                options[key] = nested_source(value)
        defaults = TrainSpec.model_fields
        for key in ("run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss"):
            if getattr(self.train, key) != defaults[key].default:
                options[key] = literal(getattr(self.train, key))
        return options

    def targets(self, y: str, *, weighted: bool = False) -> str:
        """The targets as `fit` takes them.

        Args:
            y: The variable of the targets.
            weighted: Whether there are sample weights, which need targets nested like the
                outputs.
        """
        form = self.graph.output_form
        as_list = not outputs_by_name(self.graph) or (weighted and form == "list")
        return f"list({y}.values())" if as_list else y

    @property
    def class_weight(self) -> str:
        """The class weights, as source of a dict; empty if there are none."""
        weights = self.train.class_weight
        return "" if weights is None else literal(weights)

    @property
    def callbacks(self) -> list[str]:
        """The calls that create the callbacks of the spec."""
        return [callback_source(term) for term in self.train.callbacks]

    @property
    def adapting(self) -> list[str]:
        """The calls of ``adapt`` for the layers of ``model``."""
        return [
            f"model.get_layer({string(one.unit.name)}).adapt({one.samples})"
            for one in self.adapted.layers
        ]

    @property
    def needs_archive(self) -> bool:
        """Whether the weights alone do not restore the model, but its archive does."""
        return any(one.unit.layer.unadapted and not one.unit.weights for one in self.adapted.layers)

    @property
    def columns(self) -> str:
        """The names of the logged values in the order of the outputs, as source of a list."""
        return literal([*log_names(self.graph, self.train), "learning_rate"])

    @property
    def unpacked(self) -> str:
        """The conversion of ``predictions`` to one array or a dict; empty if none is needed."""
        form, names = self.graph.output_form, list(self.graph.outputs)
        if form == "single" or (form == "mapping" and len(names) > 1):
            return ""
        if len(names) > 1:
            return f"dict(zip({literal(names)}, predictions, strict=True))"
        return f"predictions[{literal(0 if form == 'list' else names[0])}]"


def by_output(graph: Graph, train: TrainSpec, key: str) -> Any:
    """An argument of `compile` in the form that Keras takes for several outputs.

    Keras needs losses and loss weights for every output, all as dicts by output name, or all as
    lists if Keras does not know an output by its name in the spec.

    Args:
        graph: The model.
        train: Its training section.
        key: The argument's name.
    """
    value = getattr(train, key)
    names = list(graph.outputs)
    if value is None or graph.output_form == "single":
        return value
    if not isinstance(value, (dict, tuple)):
        if key == "loss" and train.loss_weights is None:
            return value
        value = dict.fromkeys(names, value)
    filler = 1.0 if key == "loss_weights" else None
    given = value if isinstance(value, dict) else dict(zip(names, value, strict=True))
    if "metrics" in key:
        if not outputs_by_name(graph):
            return [given.get(name) or [] for name in names]
        return {name: item for name, item in given.items() if item not in (None, ())}
    items = {name: filler if given.get(name) is None else given[name] for name in names}
    return items if outputs_by_name(graph) else list(items.values())


def outputs_by_name(graph: Graph) -> bool:
    """Whether Keras knows each output by its name in the spec."""
    if graph.output_form != "list":
        return True
    nodes = [value.node for value in graph.outputs.values()]
    return all(
        node is not None and node.name == name == node.unit.name and len(node.outputs) == 1
        for name, node in zip(graph.outputs, nodes, strict=True)
    )


def nested_source(value: Any) -> str:
    """The source of a term, or of lists and dicts of terms."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(k)}: {nested_source(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(nested_source(item) for item in value)}]"
    return value_source(value)


def callback_source(term: Term) -> str:
    """The call that creates a callback; its files are placed below ``--out``."""
    if term.type == CUSTOM:
        return keras_call(term)
    fields = type(term.spec).model_fields
    arguments = []
    for source in term_arguments(term):
        key, equals, _ = source.partition("=")
        arguments.append(source if equals and key in fields and key not in PATH_ARGUMENTS else "")
    paths = [
        f"{key}=str(args.out / {literal(getattr(term.spec, key))})"
        for key in PATH_ARGUMENTS
        if key in fields
    ]
    named = [source for source in arguments if source]
    return f"keras.{NAMESPACES['callback']}.{term.type}({', '.join([*paths, *named])})"
