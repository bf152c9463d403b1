"""The vocabulary: index, classes, spellings and signatures against Keras's own."""

from __future__ import annotations

import ast
import os
from importlib import import_module
from typing import Any

import pytest

from specfmt.fields.errors import FieldError, NestedError
from specfmt.targets.keras.values import (
    NAMESPACES,
    activation_functions,
    activation_name,
    term_source,
    terms_in,
)
from specfmt.targets.templates import fill
from specfmt.vocab.base import Term, TermRule, TermSpec, bare_names, term_class
from specfmt.vocab.fields import LearningRateRule
from specfmt.vocab.former_names import FORMER
from specfmt.vocab.index import CONSTRUCTED, INDEX, REQUIRED, module_of

WORDS = [(kind, name) for kind in INDEX for name in dict.fromkeys(INDEX[kind].values())]

# Names of classes that Keras keeps for its older files.
COMPATIBLE = {"IdentityInitializer", "OrthogonalInitializer", "STFTInitializer"}

# Keras's classes that no spec can name, with the reason.
LEFT_OUT = {
    "initializer": {"Initializer"},  # base class
    "regularizer": {"Regularizer"},  # base class
    "constraint": {"Constraint"},  # base class
    "loss": {"Loss", "LossFunctionWrapper"},  # base classes
    "metric": {"Metric", "Mean", "Sum", "MeanMetricWrapper"},  # not for targets and predictions
    # MultiOptimizer and OptimizerMap route Python objects, layer by layer.
    "optimizer": {"Optimizer", "MultiOptimizer", "OptimizerMap"},
}


def example(kind: str, name: str) -> dict[str, Any]:
    """Required arguments with some value."""
    values = {
        "inner_optimizer": "adam",
        "boundaries": [10],
        "values": [0.1, 0.2],
        "num_classes": 3,
        "target_class_ids": [0],
        "filename": "log.csv",
        "filepath": "best.keras",
        "threshold": 0.5,
        "default_value": 0.0,
    }
    return {key: values.get(key, 0.5) for key in REQUIRED.get((kind, name), ())}


@pytest.mark.parametrize(("kind", "name"), WORDS)
def test_every_word_has_a_class_with_the_required_fields_of_the_index(kind: str, name: str) -> None:
    cls = term_class(kind, name)
    assert cls.kind == kind
    assert cls.__doc__
    assert cls.__doc__.rstrip().endswith(".")
    required = tuple(n for n, f in cls.model_fields.items() if f.is_required())
    assert required == REQUIRED.get((kind, name), ())
    data = {"type": next(s for s, t in INDEX[kind].items() if t == name), **example(kind, name)}
    term = TermRule(kind).check(data)
    assert term is not None
    assert TermRule(kind).check(term.to_data()) == term


@pytest.mark.parametrize("kind", list(INDEX))
def test_every_class_is_in_the_index(kind: str) -> None:
    names = {module_of(kind, name) for name in INDEX[kind].values()}
    modules = [import_module(f"specfmt.vocab.{name}") for name in names]
    classes = {
        name
        for module in modules
        for name, item in vars(module).items()
        if isinstance(item, type)
        and issubclass(item, TermSpec)
        and item.__module__ == module.__name__
        and not name.startswith("_")
        and not name.endswith("Spec")
    }
    assert classes == set(INDEX[kind].values())


def test_required_and_constructed_name_words() -> None:
    assert set(REQUIRED) | set(CONSTRUCTED) <= set(WORDS)


def test_the_type_of_an_activation_is_written_as_keras_names_it() -> None:
    term = TermRule("activation").check({"type": "relu", "max_value": 6})
    assert term is not None
    assert (term.type, term.name) == ("Relu", "relu")
    assert term.to_data() == {"type": "relu", "max_value": 6.0}
    term = TermRule("initializer").check({"type": "random_normal", "stddev": 1})
    assert term is not None
    assert term.to_data() == {"type": "RandomNormal", "stddev": 1.0}


def test_losses_and_metrics_keep_their_spelling_for_it_names_them_in_the_logs() -> None:
    for kind, spelling in (("loss", "MSE"), ("metric", "acc"), ("metric", "AUC")):
        term = TermRule(kind).check(spelling)
        assert term is not None
        assert term.to_data() == spelling
        assert term_source(term) == f'"{spelling}"'
    assert TermRule("initializer").check("GlorotUniform").name == "glorot_uniform"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("activation", "rellu", "relu"),
        ("initializer", "normal", "random_normal"),
        ("activation", {"type": "threshold"}, "threshold"),
        ("activation", "threshold", "threshold, default_value"),
        ("optimizer", {"type": "Adam", "lr": 0.1}, "lr"),
        ("metric", {"type": "F1Score", "average": "mean"}, "micro"),
        ("loss", 3, "name of a loss"),
    ],
)
def test_wrong_words_are_refused_with_a_hint(kind: str, value: Any, message: str) -> None:
    with pytest.raises((FieldError, NestedError)) as caught:
        TermRule(kind).check(value)
    error: Any = caught.value
    texts = [f"{d.message} {d.hint}" for d in getattr(error, "diagnostics", ())] or [
        f"{error.message} {error.hint}"
    ]
    assert any(message in text for text in texts), texts


def test_a_learning_rate_is_a_number_or_a_schedule() -> None:
    rule = LearningRateRule()
    assert rule.check(1) == 1.0
    schedule = {"type": "CosineDecay", "initial_learning_rate": 0.1, "decay_steps": 100}
    term = rule.check(schedule)
    assert isinstance(term, Term)
    assert term.kind == "schedule"
    for wrong in ("fast", -1, {"type": "Cosine"}):
        with pytest.raises((FieldError, NestedError)):
            rule.check(wrong)


def test_keras_source_of_words() -> None:
    def source(kind: str, value: Any) -> str:
        term = TermRule(kind).check(value)
        assert term is not None
        return term_source(term)

    assert source("optimizer", "adam") == '"adam"'
    assert source("optimizer", {"type": "Adam", "learning_rate": 1}) == (
        "keras.optimizers.Adam(learning_rate=1.0)"
    )
    assert source("optimizer", "Lamb") == "keras.optimizers.Lamb()"
    assert source("metric", "Accuracy") == "keras.metrics.Accuracy()"
    assert source("callback", {"type": "CSVLogger", "filename": "a.csv"}) == (
        'keras.callbacks.CSVLogger("a.csv")'
    )
    nested = {
        "type": "SGD",
        "learning_rate": {
            "type": "PiecewiseConstantDecay",
            "boundaries": [5],
            "values": [1, 2],
        },
        "name": "slow",
    }
    assert source("optimizer", nested) == (
        "keras.optimizers.SGD(learning_rate="
        "keras.optimizers.schedules.PiecewiseConstantDecay([5.0], [1.0, 2.0]), "
        'name="slow")'
    )


def test_activations_with_arguments_become_functions_of_the_file() -> None:
    rule = TermRule("activation")
    values = (
        {"type": "relu", "max_value": 6},
        {"type": "hard_sigmoid", "slope": 0.2},
        {"type": "gelu", "approximate": True},
        {"type": "relu", "max_value": 6.0},
        {"type": "threshold", "threshold": -0.5, "default_value": 0},
        "relu",
    )
    terms = [rule.check(value) for value in values]
    helpers = [fill("keras/activations.j2", activations=[f]) for f in activation_functions(terms)]
    assert len(helpers) == 4
    names = [activation_name(term) for term in terms[:-1] if term]
    assert names[:3] == ["relu_max_value_6", "hard_sigmoid_slope_0_2", "gelu_approximate"]
    assert names[4] == "threshold_threshold_minus_0_5_default_value_0"
    for helper in helpers:
        tree = ast.parse(helper)
        assert isinstance(tree.body[0], ast.FunctionDef)
        assert tree.body[0].name in names
    assert "0.2 * x + 0.5" in helpers[1]


def test_terms_are_found_inside_layers_and_words() -> None:
    from specfmt.layers.registry import build_layer

    layer = build_layer({"type": "Dense", "units": 2, "activation": {"type": "elu", "alpha": 2}})
    found = [term.type for term in terms_in(layer)]
    assert found == ["Elu", "GlorotUniform", "Zeros"]


@pytest.fixture(scope="module")
def keras() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    return import_module("keras")


def namespace(keras: Any, kind: str) -> Any:
    found = keras
    for part in NAMESPACES[kind].split("."):
        found = getattr(found, part)
    return found


@pytest.mark.slow
def test_fields_order_and_defaults_are_those_of_keras(keras: Any) -> None:
    import inspect

    for kind, name in WORDS:
        if name.endswith("ByShape"):
            continue
        cls = term_class(kind, name)
        keras_name = bare_names(kind)[name] if kind == "activation" else name
        signature = inspect.signature(getattr(namespace(keras, kind), keras_name))
        parameters = {
            p.name: p.default
            for p in signature.parameters.values()
            if p.kind is not p.VAR_KEYWORD and not (kind == "activation" and p.name == "x")
        }
        fields = {
            n: inspect.Parameter.empty if f.is_required() else f.default
            for n, f in cls.model_fields.items()
            if n not in cls.extra_fields
        }
        assert list(fields) == list(parameters), (kind, name)
        assert fields == parameters, (kind, name)


@pytest.mark.slow
def test_spellings_are_exactly_those_that_keras_takes(keras: Any) -> None:
    for kind in ("activation", "initializer", "regularizer", "constraint", "loss", "metric"):
        module = import_module(f"keras.src.{NAMESPACES[kind]}")
        theirs = {
            spelling: (item.__name__, getattr(item, "_fn", None))
            for spelling, item in module.ALL_OBJECTS_DICT.items()
            if item.__name__ not in LEFT_OUT.get(kind, ())
            and spelling.replace("_", "") not in {n.lower() for n in LEFT_OUT.get(kind, ())}
        }
        ours = INDEX[kind]
        known = set(ours) | set(FORMER.get(kind, ()))
        assert set(theirs) - COMPATIBLE <= known, (kind, set(theirs) - known)
        extra = {s for s in ours if s not in theirs}
        by_shape = {s for s, t in ours.items() if t.endswith("ByShape")}
        theirs = {s: name for s, name in theirs.items() if s not in by_shape}
        constructed = {t for k, t in CONSTRUCTED if k == kind}
        assert extra <= by_shape | constructed, (kind, extra)
        for spelling, target in ours.items():
            if spelling in theirs and target[0].isupper() and theirs[spelling][0][0].isupper():
                assert theirs[spelling][0] == target, (kind, spelling)


@pytest.mark.slow
def test_optimizers_callbacks_and_schedules_are_all_there(keras: Any) -> None:
    from keras.src.optimizers import ALL_OBJECTS

    theirs = {item.__name__ for item in ALL_OBJECTS} - LEFT_OUT["optimizer"]
    assert theirs | {"Lamb"} == set(INDEX["optimizer"].values())
    for spelling, name in INDEX["optimizer"].items():
        if ("optimizer", name) not in CONSTRUCTED and name != "LossScaleOptimizer":
            assert type(keras.optimizers.get(spelling)).__name__ == name
    schedules = {n for n in dir(keras.optimizers.schedules) if n[0].isupper()}
    assert schedules - {"LearningRateSchedule"} == set(INDEX["schedule"].values())
    assert all(hasattr(keras.callbacks, name) for name in INDEX["callback"].values())


@pytest.mark.slow
def test_every_word_constructs_from_its_source(keras: Any) -> None:
    for kind, name in WORDS:
        if kind == "activation":
            continue
        args = example(kind, name)
        checked = TermRule(kind).check({"type": bare_names(kind)[name], **args})
        assert checked is not None
        built = eval(term_source(checked), {"keras": keras})  # our own source
        if isinstance(built, str):
            get = getattr(namespace(keras, kind), "get", None)
            if name.endswith("ByShape") or get is None:
                continue
            built = get(built)
        if kind != "loss":
            assert type(built).__name__ == name
    array = TermRule("initializer").check({"type": "Constant", "value": [[1, 2], [3, 4]]})
    assert array is not None
    value = eval(term_source(array), {"keras": keras})((2, 2))
    assert value.numpy().tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.slow
def test_generated_activation_functions_save_with_the_model(keras: Any, tmp_path: Any) -> None:
    import numpy as np

    term = TermRule("activation").check({"type": "hard_sigmoid", "slope": 0.2})
    assert term is not None
    space: dict[str, Any] = {"keras": keras}
    exec(fill("keras/activations.j2", activations=activation_functions([term])), space)
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2, activation=space[term_source(term)])]
    )
    path = tmp_path / "model.keras"
    model.save(path)
    x = np.array([[-4.0, 0.5, 3.0]], "float32")
    again = keras.models.load_model(path)
    np.testing.assert_array_equal(model(x), again(x))
    clipped = space[term_source(term)](np.array([-4.0, 0.5, 3.0], "float32"))
    np.testing.assert_allclose(clipped, [0.0, 0.6, 1.0], rtol=1e-6)
