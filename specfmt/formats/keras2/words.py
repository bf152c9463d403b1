"""Writing activations, initializers etc. for Keras 2: ``{"class_name", "config"}`` without a module.

All releases of Keras 2 read this form; from 2.13 on it also writes ``module`` and
``registered_name``, but needs them only for user-defined classes.
"""

from __future__ import annotations

from typing import Any, Final

from specfmt.diagnostics import Diagnostic, Path, SpecError
from specfmt.formats.config.defaults import activation_defaults
from specfmt.formats.config.former_arguments import keras_2_names
from specfmt.formats.config.reading import Json, show
from specfmt.formats.read.words import KERAS_2_HARD_SIGMOID
from specfmt.layers.activations import ACTIVATION_LAYERS
from specfmt.layers.policies import compute_dtype
from specfmt.vocab.base import CUSTOM, Term
from specfmt.vocab.naming import to_snake_case

ACTIVATIONS: Final = {
    "Elu": "elu",
    "Exponential": "exponential",
    "Gelu": "gelu",
    "Linear": "linear",
    "Mish": "mish",
    "Relu": "relu",
    "Selu": "selu",
    "Sigmoid": "sigmoid",
    "Silu": "swish",
    "Softmax": "softmax",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Tanh": "tanh",
}
"""Activations without arguments that are the same in Keras 2, by Keras 2's names."""

INITIALIZERS: Final = frozenset(
    (
        "Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity LecunNormal "
        "LecunUniform Ones Orthogonal RandomNormal RandomUniform TruncatedNormal "
        "VarianceScaling Zeros"
    ).split()
)
"""Initializers that Keras 2 has."""

KNOWN: Final = {
    "initializer": INITIALIZERS,
    "regularizer": frozenset({"L1", "L2", "L1L2", "OrthogonalRegularizer"}),
    "constraint": frozenset({"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"}),
}
"""Objects that have the same name and arguments in both versions."""

LACKING: Final = frozenset({"input_axes", "output_axes"})
"""Arguments of initializers that Keras 2 does not have."""

CODE: Final = "SF306"
_HINT: Final = "export to keras3, or use something that Keras 2 also has"


class Refusals:
    """Collects everything that Keras 2 cannot express, so that an export reports all of it at once."""

    def __init__(self) -> None:
        self.found: list[Diagnostic] = []

    def add(self, expected: str, received: str, path: Path, hint: str = _HINT) -> None:
        """Add an error; its message is "expected ..., received ..."."""
        self.found.append(Diagnostic(CODE, f"expected {expected}, received {received}", path, hint))

    def check(self) -> None:
        """Raise a `SpecError` with all errors, if there are any."""
        if self.found:
            raise SpecError(self.found)


class WordWriter:
    """Writes activations, initializers, regularizers and constraints.

    Args:
        refusals: Collects errors about what Keras 2 does not have.
    """

    def __init__(self, refusals: Refusals) -> None:
        self.refusals = refusals

    def write(self, term: Term | None, owner: str, path: Path, dtype: Any) -> Any:
        """An object in a layer's field; None stays None.

        Args:
            term: The object.
            owner: The layer, for messages.
            path: Its path in the document.
            dtype: The layer's dtype, as Keras 2 writes it.
        """
        if term is None:
            return None
        if term.type == CUSTOM:
            return custom_word(term)
        if term.kind == "activation":
            return self._activation(term, owner, path, dtype)
        if term.type not in KNOWN[term.kind]:
            self._refuse(term, owner, path)
            return None
        spec = term.spec
        config: Json = {}
        for name, field in type(spec).model_fields.items():
            value = getattr(spec, name)
            if name not in LACKING:
                config[field.alias or name] = plain(value)
            elif value != field.default:
                self._refuse(term, owner, path)
        return {"class_name": term.type, "config": config}

    def _activation(self, term: Term, owner: str, path: Path, dtype: Any) -> Any:
        if term.to_data() == KERAS_2_HARD_SIGMOID:
            return KERAS_2_HARD_SIGMOID["type"]
        if any(isinstance(value, (int, float)) and value < 0 for value in self._numbers(term)):
            self._refuse(term, owner, path)
            return None
        layer = self._as_layer(term, dtype)
        if layer is not None:
            return layer
        if term.type in ACTIVATIONS and not term.args:
            return ACTIVATIONS[term.type]
        self._refuse(term, owner, path)
        return None

    @staticmethod
    def _numbers(term: Term) -> list[Any]:
        """The arguments of `relu`, which Keras 2 accepts only from 0 on."""
        return list(term.args.values()) if term.type == "Relu" else []

    def _as_layer(self, term: Term, dtype: Any) -> Json | None:
        """A function with arguments as the layer that applies it; None if there is none."""
        function = term.name
        arguments = {key: value for key, value in term.args.items() if key != "layer"}
        if term.type == "Relu6":
            function, arguments = "relu", {"max_value": 6.0}
        is_function = not arguments and function in ACTIVATIONS.values()
        cls = ACTIVATION_LAYERS.get(function)
        if cls is None or (is_function and not term.layer):
            return None
        class_name, names = cls.type_name, keras_2_names(cls)
        own = {key: getattr(term.spec, key, None) for key in activation_defaults(cls)}
        config = {names.get(key, key): plain(v) for key, v in {**own, **arguments}.items()}
        name = term.layer or to_snake_case(class_name)
        policy = "float32" if term.layer else dtype  # an activation layer computes in its own dtype
        return {
            "class_name": class_name,
            "config": {"name": name, "trainable": True, "dtype": policy, **config},
        }

    def _refuse(self, term: Term, owner: str, path: Path) -> None:
        received = term.to_data()
        text = (
            received
            if isinstance(received, str)
            else ", ".join(
                f"{key}: {show(value)}" if key != "type" else str(value)
                for key, value in received.items()
            )
        )
        hint = _HINT
        if term.type == "HardSigmoid":
            hint = "Keras 2's hard sigmoid is {type: hard_sigmoid, slope: 0.2}"
        article = "an" if term.kind[0] in "ai" else "a"
        self.refusals.add(f"{article} {term.kind} of {owner} that Keras 2 has", text, path, hint)


def dtype_policy(policy: str) -> Any:
    """A dtype policy as Keras 2 writes it: a name, or an object for a mixed policy."""
    if policy == compute_dtype(policy):
        return policy
    return {"class_name": "Policy", "config": {"name": policy}}


def custom_word(term: Term) -> Any:
    """A user-defined object, unchanged."""
    spec = term.spec
    module, _, class_name = spec.class_.rpartition(".")
    if class_name == "function" and not module:
        return spec.config  # Keras 2 writes a function as its name
    item: Json = {"class_name": class_name, "config": spec.config}
    if module:
        item = {"module": module, **item, "registered_name": spec.registered_name or class_name}
    elif spec.registered_name is not None:
        item["registered_name"] = spec.registered_name
    return item


def plain(value: Any) -> Any:
    """A field's value as JSON: tuples as lists."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value
