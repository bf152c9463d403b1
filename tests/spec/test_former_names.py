"""Every former type, argument and word, the three ways: reported, rewritten, imported."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from contextlib import suppress
from itertools import permutations, product
from typing import Any

import pytest
from pydantic import BaseModel

import specfmt
from specfmt.api import check, format_spec
from specfmt.diagnostics import Diagnostic, SpecError
from specfmt.fields.spellings import Replacement, former_arguments
from specfmt.fields.validation import keys_of, required_keys
from specfmt.formats.keras_json import document_from_keras_json
from specfmt.formats.read.serialized_layers import MODELS
from specfmt.layers.activation_operations import Relu
from specfmt.layers.former_arguments import INPUT_KEYS
from specfmt.layers.former_types import FORMER_TYPE_ARGUMENTS, FORMER_TYPES, WITHOUT_SUCCESSOR
from specfmt.layers.index import INDEX
from specfmt.layers.registry import layer_class
from specfmt.spec.train import TrainSpec
from specfmt.vocab.base import bare_names, term_class
from specfmt.vocab.former_names import FORMER, FORMER_WITH_ARGUMENTS, current_name
from specfmt.vocab.index import INDEX as WORDS

TYPES = [name for name in INDEX if name != "Custom" and INDEX[name] != "applications"]

DENSE = {"type": "Dense", "units": 3}
CELL = {"type": "LSTMCell", "units": 3}

VALUES: dict[str, Any] = {
    "activation": "tanh",
    "axes": 1,
    "axis": 1,
    "bin_boundaries": [0.5],
    "cell": CELL,
    "cells": [CELL],
    "class": "mine.Layer",
    "constraint": "non_neg",
    "dilation_rate": 2,
    "dims": [2, 1],
    "equation": "abc,cd->abd",
    "output_shape": [9, 2],
    "factor": 1,
    "initializer": "ones",
    "kernel_size": 3,
    "layer": DENSE,
    "layers": [DENSE],
    "num_tokens": 7,
    "oov_token": -2,
    "padding": "same",
    "regularizer": "l2",
    "rate": 0.25,
    "dropout": 0.25,
    "recurrent_dropout": 0.25,
    "negative_slope": 0.25,
    "stddev": 0.25,
    "strides": 3,
    "target_shape": [2, 2],
    "use_bias": False,
    "init_values": 0.5,
}
"""A value of a field, by its name or the last part of it; 2 for all others."""

WORD_VALUES: dict[str, Any] = {"filepath": "a.keras", "inner_optimizer": "sgd"}


def value_of(field: str) -> Any:
    return VALUES.get(field, VALUES.get(field.rpartition("_")[2], 2))


def as_keras(value: Any) -> Any:
    """A layer inside a field as Keras writes it."""
    if isinstance(value, list):
        return [as_keras(item) for item in value]
    if isinstance(value, dict) and "type" in value:
        config = {key: item for key, item in value.items() if key != "type"}
        return {"class_name": value["type"], "config": config}
    return value


def samples(former: Replacement) -> list[tuple[Any, Any]]:
    """Values of a former argument that are accepted, and today's of each."""
    if former.values:
        return list(former.values.items())
    return [(value_of(former.current), value_of(former.current))]


def layer_entry(type_name: str, former: Replacement, given: dict[str, Any]) -> dict[str, Any]:
    """An entry with arguments and all that its type requires besides."""
    cls = layer_class(type_name)
    assert cls is not None
    needed = [key for key in required_keys(cls) if key not in (former.current, *former.also)]
    return {"type": type_name, **{key: value_of(key) for key in needed}, **given}


def document(entry: dict[str, Any], train: dict[str, Any] | None = None) -> str:
    data = {"specfmt": 1, "inputs": {"x": {"shape": [9, 9]}}, "layers": [DENSE, entry]}
    return json.dumps(data if train is None else {**data, "train": train})


def told(text: str, said: str) -> list[Diagnostic]:
    """What is reported of a former name."""
    return [found for found in check(text) if found.code == "SF124" and said in found.message]


def fixed(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(format_spec(text, file="a.json", fix=True))
    return found


def imported(entry: dict[str, Any], version: str) -> tuple[dict[str, Any], list[Diagnostic]]:
    config = {key: as_keras(value) for key, value in entry.items() if key != "type"}
    layer = {"class_name": entry["type"], "config": {"name": "x", **config}}
    first = {"class_name": "Dropout", "config": {"rate": 0.5, "batch_input_shape": [None, 9, 9]}}
    model = {"class_name": "Sequential", "config": [first, layer], "keras_version": version}
    read, findings = document_from_keras_json(model)
    return read["layers"][-1], findings


def field(entry: dict[str, Any], name: str) -> Any:
    """A field of an entry as the definition reads it."""
    cls = layer_class(entry["type"])
    assert cls is not None
    arguments = {key: value for key, value in entry.items() if key not in ("type", "inputs")}
    value = getattr(cls.model_validate(arguments), keys_of(cls)[name])
    return "channels_last" if name == "data_format" and value is None else value


def beside(formers: dict[str, Replacement], former: Replacement, key: str) -> dict[str, Any]:
    """The arguments that say the other axes of what ``key`` says one axis of."""
    if former.axis is None:
        return {}
    value = value_of(former.current)
    return {name: value for name, f in formers.items() if f.axis is not None and name[0] == key[0]}


@pytest.mark.parametrize("type_name", TYPES)
def test_every_former_argument_of_a_layer(type_name: str) -> None:
    cls = layer_class(type_name)
    assert cls is not None
    formers = former_arguments(cls)
    assert set(INPUT_KEYS) - set(keys_of(cls)) <= set(formers)
    for key, former in formers.items():
        for old, new in samples(former):
            entry = layer_entry(type_name, former, {**beside(formers, former, key), key: old})
            by_hand = former.values == {}

            finding, *_ = told(document(entry), f"`{key}`")
            assert f"`{former.current}`" in finding.message or not former.current

            rewritten = fixed(document(entry))["layers"][1]
            assert by_hand or key not in rewritten, rewritten
            results = [] if by_hand else [rewritten]

            for version in () if cls.keras_2_differs else ("1.2.2", "2.2.4"):
                if by_hand and key not in (*INPUT_KEYS, "weights"):
                    continue
                read, findings = imported(entry, version)
                assert read["type"] == type_name, (key, version, findings)
                assert key not in read, (key, version)
                assert [found.code for found in findings] == ["SF432"] * (key == "weights")
                results.append(read)

            for name in filter(None, (former.current, *former.also)):
                want = layer_entry(type_name, former, {} if new is None else {former.current: new})
                for result in results:
                    assert field(result, name) == field(want, former.current), (key, result)


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "LSTM", "units": 3, "time_major": True},
        {"type": "BatchNormalization", "virtual_batch_size": 4},
        {"type": "BatchNormalization", "mode": 1},
        {"type": "MaxPooling1D", "border_mode": "full"},
        {"type": "Attention", "causal": True},
    ],
)
def test_a_value_without_an_equivalent_is_left_and_refused(entry: dict[str, Any]) -> None:
    assert told(document(entry), f"`{list(entry)[-1]}`")
    assert fixed(document(entry))["layers"][1] == entry
    read, (finding,) = imported(entry, "2.2.4")
    assert (read["type"], finding.code) == ("Custom", "SF420")


def test_operations_have_no_former_arguments() -> None:
    assert former_arguments(Relu) == {}


def word_cases() -> list[Any]:
    kinds = ("activation", "initializer", "regularizer", "constraint", "optimizer", "callback")
    return [
        pytest.param(kind, type_name, key, id=f"{kind}-{type_name}-{key}")
        for kind in kinds
        for type_name in dict.fromkeys(WORDS[kind].values())
        for key in former_arguments(term_class(kind, type_name))
    ]


@pytest.mark.parametrize(("kind", "type_name", "key"), word_cases())
def test_every_former_argument_of_a_word(kind: str, type_name: str, key: str) -> None:
    cls = term_class(kind, type_name)
    former = former_arguments(cls)[key]
    needed = {name: WORD_VALUES[name] for name in required_keys(cls)}
    if type_name == "VarianceScaling":
        needed["scale"] = 3.0  # otherwise it has a name of its own
    said = type_name if type_name in WORDS[kind] else bare_names(kind)[type_name]
    old, new = next(iter(samples(former)), (0.5, 0.5))
    word = {"type": said, **needed, key: old}
    text = word_document(kind, word)
    finding, *_ = told(text, f"`{key}`")
    assert f"`{former.current}`" in finding.message or not former.current
    found = word_in(kind, fixed(text))
    if key == "decay":
        assert found["learning_rate"]["decay_rate"] == 2
        return
    want = {"type": said, **needed, **({former.current: new} if former.current else {})}
    assert found == want
    if kind not in ("initializer", "regularizer", "constraint"):
        return
    config = {"class_name": type_name, "config": {**needed, key: old}}
    for version in ("1.2.2", "2.2.4"):
        entry, _ = imported({"type": "Dense", "units": 3, f"kernel_{kind}": config}, version)
        assert field(entry, f"kernel_{kind}") == field(
            {**DENSE, f"kernel_{kind}": want}, f"kernel_{kind}"
        )


def word_document(kind: str, word: Any) -> str:
    if kind == "activation":
        return document({**DENSE, "activation": word})
    if kind in ("initializer", "regularizer", "constraint"):
        return document({**DENSE, f"kernel_{kind}": word})
    if kind == "schedule":
        return document(DENSE, {"optimizer": {"type": "SGD", "learning_rate": word}})
    if kind in ("optimizer", "loss"):
        return document(DENSE, {kind: word})
    return document(DENSE, {f"{kind}s": [word]})


def word_in(kind: str, data: dict[str, Any]) -> Any:
    if kind == "activation":
        return data["layers"][1]["activation"]
    if kind in ("initializer", "regularizer", "constraint"):
        return data["layers"][1][f"kernel_{kind}"]
    if kind == "schedule":
        return data["train"]["optimizer"]["learning_rate"]
    if kind in ("optimizer", "loss"):
        return data["train"][kind]
    return data["train"][f"{kind}s"][0]


def former_words() -> list[tuple[str, str]]:
    plain = [(kind, name) for kind, table in FORMER.items() for name in table]
    return [*plain, *FORMER_WITH_ARGUMENTS]


@pytest.mark.parametrize(("kind", "name"), former_words())
def test_every_former_word(kind: str, name: str) -> None:
    """The import asks the same function."""
    today = current_name(kind, name, WORDS[kind])
    assert today is not None
    said = today if isinstance(today, str) else today["type"]
    text = word_document(kind, {"type": name} if kind == "schedule" else name)
    (finding,) = told(text, f'"{name}"')
    assert finding.message == f'expected {kind} {said}, received "{name}"'
    want = {"type": said} if kind == "schedule" else today
    assert word_in(kind, fixed(text)) == want


@pytest.mark.parametrize("old", FORMER_TYPES)
def test_every_former_type(old: str) -> None:
    type_name = FORMER_TYPES[old]
    if type_name == "Model":
        text = document({"type": old, "layers": [DENSE]})
        assert told(text, f'"{old}"')
        assert fixed(text)["layers"][1]["type"] == "Model"
        assert old in MODELS
        return
    entry = layer_entry(type_name, Replacement(), {})
    (finding,) = told(document({**entry, "type": old}), f'"{old}"')
    assert finding.message == f'expected {type_name}, received the old spelling "{old}"'
    rewritten = fixed(document({**entry, "type": old}))["layers"][1]
    want = {**entry, **FORMER_TYPE_ARGUMENTS.get(old, {})}
    read, _ = imported({**entry, "type": old}, "2.2.4")
    for found in (rewritten, read):
        assert found["type"] == type_name
        for name in FORMER_TYPE_ARGUMENTS.get(old, entry.keys() - {"type"}):
            assert field(found, name) == field(want, name), found


@pytest.mark.parametrize("old", WITHOUT_SUCCESSOR)
def test_every_type_without_successor(old: str) -> None:
    text = document({"type": old})
    (finding,) = told(text, old)
    assert finding.hint == "build it from current layers, or write {type: Custom, ...}"
    assert fixed(text) == json.loads(text)
    read, (kept,) = imported({"type": old}, "1.2.2")
    assert (read["type"], read["class"], kept.code) == ("Custom", old, "SF422")
    assert finding.message in kept.message


KERNEL_1 = "init activation weights W_regularizer b_regularizer activity_regularizer W_constraint b_constraint bias"
WINDOW_1 = f"{KERNEL_1} nb_filter border_mode subsample dim_ordering"
RECURRENT_1 = (
    "output_dim init inner_init activation inner_activation W_regularizer U_regularizer "
    "b_regularizer dropout_W dropout_U return_sequences go_backwards stateful unroll consume_less "
    "input_dim input_length weights truncate_gradient"
)
KERAS_1 = {
    "Dense": f"{KERNEL_1} output_dim input_dim",
    "TimeDistributedDense": f"{KERNEL_1} output_dim input_dim input_length",
    "Convolution1D": f"{KERNEL_1} nb_filter filter_length border_mode subsample_length input_dim input_length",
    "AtrousConvolution1D": f"{KERNEL_1} nb_filter filter_length border_mode subsample_length atrous_rate",
    "Convolution2D": f"{WINDOW_1} nb_row nb_col",
    "AtrousConvolution2D": f"{WINDOW_1} nb_row nb_col atrous_rate",
    "Deconvolution2D": f"{WINDOW_1} nb_row nb_col output_shape",
    "SeparableConvolution2D": (
        "nb_filter nb_row nb_col init activation weights border_mode subsample depth_multiplier "
        "dim_ordering depthwise_regularizer pointwise_regularizer b_regularizer bias "
        "activity_regularizer depthwise_constraint pointwise_constraint b_constraint"
    ),
    "Convolution3D": f"{WINDOW_1} kernel_dim1 kernel_dim2 kernel_dim3",
    "Deconvolution3D": f"{WINDOW_1} kernel_dim1 kernel_dim2 kernel_dim3 output_shape",
    "MaxPooling1D": "pool_length stride border_mode",
    "AveragePooling2D": "pool_size strides border_mode dim_ordering",
    "GlobalMaxPooling2D": "dim_ordering",
    "UpSampling1D": "length",
    "UpSampling3D": "size dim_ordering",
    "ZeroPadding2D": "padding dim_ordering",
    "Cropping3D": "cropping dim_ordering",
    "SimpleRNN": RECURRENT_1.replace("inner_activation ", ""),
    "GRU": RECURRENT_1,
    "LSTM": f"{RECURRENT_1} forget_bias_init",
    "ConvLSTM2D": (
        "nb_filter nb_row nb_col init inner_init forget_bias_init activation inner_activation "
        "dim_ordering border_mode subsample W_regularizer U_regularizer b_regularizer dropout_W "
        "dropout_U return_sequences go_backwards stateful consume_less"
    ),
    "Embedding": (
        "input_dim output_dim init input_length weights W_regularizer activity_regularizer "
        "W_constraint mask_zero dropout"
    ),
    "BatchNormalization": (
        "epsilon mode axis momentum weights beta_init gamma_init gamma_regularizer beta_regularizer"
    ),
    "PReLU": "init weights shared_axes",
    "LeakyReLU": "alpha",
    "ELU": "alpha",
    "ThresholdedReLU": "theta",
    "GaussianNoise": "sigma",
    "GaussianDropout": "p",
    "Dropout": "p",
    "SpatialDropout2D": "p dim_ordering",
    "Activation": "activation target beta",
    "Reshape": "target_shape dims",
    "Permute": "dims",
    "RepeatVector": "n",
    "Masking": "mask_value",
    "ActivityRegularization": "l1 l2",
    "TimeDistributed": "layer",
    "Bidirectional": "layer merge_mode weights",
}
"""Constructor arguments of Keras 1.2.2, and some of 0.3.3."""


@pytest.mark.parametrize("old", KERAS_1)
def test_the_arguments_of_keras_1_are_known(old: str) -> None:
    cls = layer_class(FORMER_TYPES.get(old, old))
    assert cls is not None
    known = {*keys_of(cls), *former_arguments(cls)}
    common = "input_shape batch_input_shape input_dtype name trainable create_input_layer"
    assert {*KERAS_1[old].split(), *common.split()} <= known


@pytest.mark.slow
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_the_arguments_of_installed_versions_are_known(package: str) -> None:
    layers = importlib.import_module(f"{package}.layers")
    unknown = {}
    for name in INDEX:
        theirs = getattr(layers, name, None)
        cls = layer_class(name)
        if theirs is None or cls is None:
            continue
        found = {
            argument.name
            for argument in inspect.signature(theirs.__init__).parameters.values()
            if argument.kind is argument.POSITIONAL_OR_KEYWORD and argument.name != "self"
        }
        found |= set(re.findall(r"kwargs\.pop\(\s*\"(\w+)\"", inspect.getsource(theirs.__init__)))
        unknown[name] = found - {*keys_of(cls), *former_arguments(cls), *INTERNAL}
    assert not {name: rest for name, rest in unknown.items() if rest}


INTERNAL = ("has_input_vocabulary", "vocabulary_size", "has_static_table")
"""What Keras takes from its own configs alone."""


def test_every_entry_is_about_a_field_of_some_class() -> None:
    """An entry that no class can use would be dead."""
    layers = [found for name in INDEX if (found := layer_class(name)) is not None]
    words = [term_class(kind, name) for kind, table in WORDS.items() for name in table.values()]
    used: dict[type, set[str]] = {}
    classes: list[type[BaseModel]] = [*layers, *words, TrainSpec]
    for cls in classes:
        for base in cls.__mro__:
            used.setdefault(base, set()).update(former_arguments(cls))
    for base, keys in used.items():
        stated = vars(base).get("former_arguments", {})
        dead = {key for key, former in stated.items() if former is not None} - keys
        assert not dead, (base, dead)


ODD_VALUES = (3, [3, 3], None, "x", {}, [])


@pytest.mark.parametrize("type_name", TYPES)
def test_former_and_todays_arguments_together(type_name: str) -> None:
    """A damaged file that says an argument twice, or oddly, ends in a spec or in findings."""
    cls = layer_class(type_name)
    assert cls is not None
    for key, former in former_arguments(cls).items():
        said: list[list[tuple[str, Any]]] = [[(key, value)] for value in ODD_VALUES]
        if former.current:
            twice = product(ODD_VALUES, (3, {}, "x"))
            said = [[(key, value), (former.current, other)] for value, other in twice]
            said += [items[::-1] for items in said]
        for items in said:
            config = {"name": "l", "batch_input_shape": [None, 8, 8, 3], **dict(items)}
            layer = {"class_name": type_name, "config": config}
            model = {"class_name": "Sequential", "config": [layer], "keras_version": "1.2.2"}
            with suppress(SpecError):
                specfmt.from_keras_json(json.dumps(model))


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))))
def test_sizes_by_axis_in_any_order(order: tuple[int, ...]) -> None:
    config = {"name": "l", "nb_filter": 2, **{f"kernel_dim{n}": n + 1 for n in order}}
    config["batch_input_shape"] = [None, 8, 8, 8, 3]
    layer = {"class_name": "Convolution3D", "config": config}
    model = {"class_name": "Sequential", "config": [layer], "keras_version": "1.2.2"}
    (entry,) = specfmt.from_keras_json(json.dumps(model)).layers
    assert entry.kernel_size == (2, 3, 4)
