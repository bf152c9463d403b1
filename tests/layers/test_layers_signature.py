"""Every class against Keras's signatures, both ways, and the index against the modules."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import pytest

from specfmt.fields.errors import FieldError, NestedError
from specfmt.fields.model import COMMON_FIELDS
from specfmt.fields.validation import rule_of
from specfmt.layers.base import Layer
from specfmt.layers.index import FAMILIES, INDEX, OPERATION_FAMILIES, OPERATIONS
from specfmt.layers.op import Op
from specfmt.layers.registry import layer_class, op_class
from specfmt.vocab.former_names import FORMER

BASE = {"self", "kwargs", "name", "dtype", "trainable", "activity_regularizer"}
"""What every layer takes; the base class has it."""

LEFT_OUT = {
    ("Embedding", "weights"): "an array; `specfmt weights` carries it, Keras's JSON leaves it out",
    ("Bidirectional", "weights"): "arrays; `specfmt weights` carries them",
}
"""Keras's arguments without a field, each with its reason."""

UNNAMED = {
    ("SimpleRNN", "zero_output_for_mask"): "handed on to RNN",
    ("LSTM", "zero_output_for_mask"): "handed on to RNN",
    ("GRU", "zero_output_for_mask"): "handed on to RNN",
    **{
        (f"ConvLSTM{rank}D", name): "handed on to RNN"
        for rank in (1, 2, 3)
        for name in ("unroll", "zero_output_for_mask")
    },
    **{
        ("ReversibleEmbedding", name): "handed on to Embedding"
        for name in ("lora_rank", "lora_alpha", "quantization_config")
    },
    **{
        (f"Conv{rank}D", name): "handed on to BaseConv"
        for rank in (1, 2, 3)
        for name in ("lora_rank", "lora_alpha")
    },
    ("AdditiveAttention", "seed"): "handed on to Attention",
    ("RandomContrast", "data_format"): "handed on to the base of image layers",
    ("RandomBrightness", "data_format"): "handed on to the base of image layers",
    ("AutoContrast", "data_format"): "handed on to the base of image layers",
    ("Solarization", "data_format"): "handed on to the base of image layers",
    ("MaxNumBoundingBoxes", "data_format"): "handed on to the base of image layers",
    ("LayerNormalization", "rms_scaling"): "taken out of the keywords",
    ("layer_normalization", "rms_scaling"): "taken out of the keywords",
}
"""Fields that Keras takes among ``**kwargs``, with what it does with them."""

NOT_KERAS = {"Custom": "any class of the user's own"}
"""Types that are no class of `keras.layers`."""

KERAS_ONLY = {
    "LayerScale": "keras.src.applications.convnext",
    "CustomScaleLayer": "keras.src.applications.inception_resnet_v2",
}
"""Classes that Keras keeps beside the model that uses them."""

OPERAND_FUNCTIONS = {"getitem": "get_item"}
"""Operations whose function in `keras.ops` has another name."""


def keras_class(type_name: str) -> Any:
    """Keras's class of a type."""
    return getattr(import_module(KERAS_ONLY.get(type_name, "keras.layers")), type_name)


def same_default(cls: type[Any], name: str, theirs: Any) -> bool:
    """Keras's default, in the canonical form of the field's rule, is ours."""
    fields = cls.model_fields.items()
    key, field = next((n, f) for n, f in fields if name in (f.alias, n))
    rule = rule_of(cls, key)
    assert rule is not None
    if theirs is inspect.Parameter.empty:
        return bool(field.is_required())
    if field.is_required():
        # A required null (`activation=None`) can never be left out unseen.
        return theirs is None
    if isinstance(theirs, tuple):
        theirs = list(theirs)
    if isinstance(theirs, str):
        theirs = FORMER["initializer"].get(theirs, theirs)
    try:
        canonical = rule.check(theirs)
    except (FieldError, NestedError):
        return theirs is None and field.default is None
    return bool(canonical == field.default)


def keras_parameters(cls: Any, *leave: str) -> dict[str, inspect.Parameter]:
    """The constructor's parameters that are a layer's own, in order."""
    found = inspect.signature(cls.__init__).parameters
    return {
        name: parameter
        for name, parameter in found.items()
        if name not in BASE
        and name not in leave
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    }


def fields_of(cls: type[Layer]) -> dict[str, Any]:
    """A class's own fields by the names that a document writes, in Keras's order."""
    table = {field.alias or name: field for name, field in cls.model_fields.items()}
    return {name: table[name] for name in cls.own_fields()}


@pytest.mark.slow
@pytest.mark.parametrize("type_name", [name for name in INDEX if name not in NOT_KERAS])
def test_layer_signature(type_name: str) -> None:
    """Names, order and defaults of the constructor's arguments."""
    cls = layer_class(type_name)
    assert cls is not None
    left_out = [name for owner, name in LEFT_OUT if owner == type_name]
    theirs = keras_parameters(keras_class(type_name), *left_out)
    ours = {k: f for k, f in fields_of(cls).items() if (type_name, k) not in UNNAMED}
    assert list(ours) == list(theirs)
    wrong = {
        name: (field.default, theirs[name].default)
        for name, field in ours.items()
        if not same_default(cls, name, theirs[name].default)
    }
    assert not wrong


@pytest.mark.slow
@pytest.mark.parametrize("type_name", [name for name in INDEX if name not in NOT_KERAS])
def test_call_signature(type_name: str) -> None:
    """Names and order of what a call takes, as far as the class says; nothing else is required."""
    cls = layer_class(type_name)
    assert cls is not None
    theirs = inspect.signature(keras_class(type_name).call).parameters
    ours = [argument.name for argument in cls.call_arguments]
    shared = [name for name in theirs if name in ours]
    assert shared == [name for name in ours if name in shared], "in Keras's order"
    if not any(p.kind is p.VAR_KEYWORD for p in theirs.values()):
        # Keras takes `training` for every layer and hands it to those that ask for it.
        assert set(ours) - {"training"} <= set(shared)
    required = {
        name
        for name, p in theirs.items()
        if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
    }
    assert required - {"self"} <= set(ours)


@pytest.mark.slow
def test_left_out_exists() -> None:
    """Nothing stands in the table that Keras does not have."""
    for type_name, argument in LEFT_OUT:
        assert argument in keras_parameters(keras_class(type_name))
    for type_name, argument in UNNAMED:
        if type_name not in INDEX:
            continue
        assert argument not in keras_parameters(keras_class(type_name))


@pytest.mark.slow
@pytest.mark.parametrize("name", list(OPERATIONS))
def test_operation_signature(name: str) -> None:
    """The function of `keras.ops`: operands first, then the fields with their defaults."""
    import keras

    cls = op_class(name)
    assert cls is not None
    home = keras.ops.image if cls.keras_namespace() == "keras.ops.image" else keras.ops
    function = getattr(home, OPERAND_FUNCTIONS.get(cls.function, cls.function))
    theirs = {
        key: parameter
        for key, parameter in inspect.signature(function).parameters.items()
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    }
    count = sum(
        p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self" and p.default is p.empty
        for p in inspect.signature(cls.output_shape).parameters.values()
    )
    assert set(cls.optional_operands) <= set(theirs)
    assert all(theirs[name].default is None for name in cls.optional_operands)
    leading = list(theirs)[: len(cls.leading_fields)]
    assert leading == list(cls.leading_fields)
    rest = [key for key in list(theirs)[len(leading) + count :] if key not in cls.optional_operands]
    takes_dtype = "dtype" in rest
    named = [key for key in cls.own_fields() if (name, key) not in UNNAMED]
    assert [*leading, *(key for key in rest if key != "dtype")] == named
    for key in named:
        theirs_of_it = theirs[key].default
        assert same_default(cls, key, theirs_of_it), (key, theirs_of_it)
    if takes_dtype:
        assert same_default(cls, "dtype", theirs["dtype"].default)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(OPERATIONS))
def test_operation_class(name: str) -> None:
    """Keras's class of the same name takes the fields in its constructor, or in its call."""
    cls = op_class(name)
    assert cls is not None
    theirs = getattr(import_module(cls.keras_module), cls.type_name)
    constructed = [f for f in cls.own_fields() if f not in cls.call_fields]
    assert [p for p in keras_parameters(theirs) if p != "dtype"] == constructed
    assert set(cls.call_fields) <= set(inspect.signature(theirs.call).parameters)


def defined_in(module_name: str) -> set[str]:
    """The registered classes of a module of ``specfmt.layers``."""
    module = import_module(f"specfmt.layers.{module_name}")
    return {
        cls.type_name
        for cls in vars(module).values()
        if isinstance(cls, type)
        and issubclass(cls, Layer)
        and cls.__module__ == module.__name__
        and "type_name" in vars(cls)
        and cls.type_name
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_index_agrees_with_modules(family: str) -> None:
    """Each module defines what the index says, and nothing else."""
    assert defined_in(family) == set(FAMILIES[family].split())
    for type_name in FAMILIES[family].split():
        cls = layer_class(type_name)
        assert cls is not None
        assert (cls.type_name, cls.family) == (type_name, family)


@pytest.mark.parametrize("family", OPERATION_FAMILIES)
def test_operation_index_agrees_with_modules(family: str) -> None:
    """Each module of operations defines what the index says; functions and classes agree."""
    names = OPERATION_FAMILIES[family].split()
    assert defined_in(family) == {OPERATIONS[name] for name in names}
    for name in names:
        cls = op_class(name)
        assert cls is not None
        assert issubclass(cls, Op)
        assert cls.function == name


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_operation_has_a_lowering(name: str) -> None:
    """PyTorch can express every operation."""
    from specfmt.targets.torch.registry import LOWERINGS

    cls = op_class(name)
    assert cls is not None
    import_module(f"specfmt.targets.torch.lowerings.{cls.family}")
    assert cls in LOWERINGS


def test_fields_are_documented_and_named() -> None:
    """Every class has a line of documentation, and no own field hides a common one."""
    for type_name in INDEX:
        cls = layer_class(type_name)
        assert cls is not None
        assert (cls.__doc__ or "").strip()
        assert not set(cls.own_fields()) & set(COMMON_FIELDS)
