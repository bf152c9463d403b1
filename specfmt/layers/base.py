"""The base class of layers, which defines what is true of a layer in every framework.

A layer class declares its fields (Keras's constructor arguments, in Keras's order, with
Keras's defaults) and where needed its output shape, weights, multiply-accumulates, output dtype
and mask behaviour.  Everything else (schema, reading, Keras code, Keras JSON, docs) is derived.

Shapes are tuples with the batch axis first; None is a size that is not known until run time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Literal

from specfmt.fields.edges import Edges
from specfmt.fields.model import COMMON_FIELDS, SpecModel
from specfmt.fields.spellings import FormerArguments, FormerDefaults
from specfmt.fields.types import Bool, OptionalName, OptionalPolicy
from specfmt.layers.former_arguments import FORMER_ARGUMENTS
from specfmt.vocab.base import Term
from specfmt.vocab.fields import Regularizer

Shape = tuple[int | None, ...]
Shapes = Shape | tuple[Shape, ...]
"""The shape of a layer's output, or a tuple of shapes for several outputs."""


class ShapeError(Exception):
    """A layer cannot be applied to its inputs.

    Args:
        expected: What the layer requires, as the end of "expected ...".
        received: What it was given, as the end of "received ...".
        hint: How to fix it.
        field: The field at which the finding is placed; the whole entry if empty.
        code: The diagnostic's code.
    """

    def __init__(
        self, expected: str, received: str, hint: str = "", *, field: str = "", code: str = "SF210"
    ) -> None:
        self.hint, self.field, self.code = hint, field, code
        self.message = _with_shapes(f"expected {expected}, received {received}")
        super().__init__(self.message)


_SHAPE = re.compile(r"\((?:None|\d+)(?:, (?:None|\d+))*,?\)")


def _with_shapes(message: str) -> str:
    """A message with shapes as in the docs: ``(None, None, 3)`` becomes ``(N, ?, 3)``."""
    return _SHAPE.sub(lambda match: match[0].replace("(None", "(N").replace("None", "?"), message)


@dataclass(frozen=True, slots=True)
class Weight:
    """One variable of a layer.

    Attributes:
        name: Keras's path below the layer: ``kernel``, ``lstm_cell/recurrent_kernel``.
        shape: Keras's shape.
        init: The initializer.
        trainable: Whether training updates it; False for batch statistics.
        dtype: Its dtype; empty for the layer's variable dtype.
        regularizer, constraint: Its regularizer and constraint, if any.
        store: The path of its group below the layer's in a ``.weights.h5`` file, such as
            ``cell``; empty for the layer's own group.
        copy_store: The path below the layer's group of a second group in which files contain a
            copy of it (empty for the layer's own group); None if there is none.
        merged_into: The weight into which Keras merges this one when it saves, so that files do
            not contain it: true of LoRA's two factors, whose product is added to the kernel.
        merge_scale: The factor of that product.
        pieces: (length, initializer) for each part along the first axis, if parts have
            different initializers; ``init`` is then the initializer of most of it.
        file_index: Its number among the variables of its group in a ``.weights.h5`` file, if that
            is not its number among the layer's weights of that group.
    """

    name: str
    shape: tuple[int, ...]
    init: Term
    trainable: bool = True
    dtype: str = ""
    regularizer: Term | None = None
    constraint: Term | None = None
    store: str = ""
    copy_store: str | None = None
    merged_into: str = ""
    merge_scale: float = 1.0
    pieces: tuple[tuple[int, Term], ...] = ()
    file_index: int | None = None

    def below(self, store: str, name: str) -> Weight:
        """The weight as one of a layer that holds its layer at the path ``store``."""

        def path(own: str) -> str:
            return "/".join(filter(None, (store, own)))

        copy = None if self.copy_store is None else path(self.copy_store)
        return replace(self, name=f"{name}/{self.name}", store=path(self.store), copy_store=copy)

    @property
    def size(self) -> int:
        """The number of elements."""
        count = 1
        for axis in self.shape:
            count *= axis
        return count


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a layer's ``call``.

    Attributes:
        name: Its name in Keras.
        kind: ``tensor``; ``tensors`` for a list of them; ``value`` for a plain constant.
        required: Whether a call must have it.
    """

    name: str
    kind: Literal["tensor", "tensors", "value"] = "tensor"
    required: bool = True


ONE_INPUT = (Argument("inputs"), Argument("training", "value", required=False))

KERAS_LAYERS = "keras.layers"
"""The module of Keras's layers, except those that an application's module defines."""

KERAS_2_LATER: Final = frozenset(
    {
        "activity_regularizer",
        "backward_layer",
        "dilation_rate",
        "groups",
        "keepdims",
        "noise_shape",
        "output_padding",
        "score_mode",
        "seed",
        "synchronized",
        "zero_output_for_mask",
    }
)
"""Fields that most classes of Keras 2 have only from some release of 2.x on, or not at all."""

RangeStart = Literal["", "zero", "one", "minus"]
"""See `Layer.factor_from`."""

Merging = Literal["", "adds", "joins", "gates"]
"""See `Layer.merging`."""

STRENGTH_FIELDS: Final = ("rate", "dropout", "recurrent_dropout", "stddev")
"""Fields that set the strength of a layer's randomness; at zero a call draws nothing."""


class Layer(SpecModel):
    """Base class of all layers.

    Class attributes:
        type_name: Keras's class name, set by the registry.
        family: The module's name, set by the registry.
        call_arguments: The arguments of Keras's ``call``, in Keras's order.
        supports_masking: Whether the output has the input's mask; otherwise the mask is dropped.
        takes_any_arguments: Whether a call may have arguments that are not in `call_arguments`.
        keras_module: The module of Keras's class of the same name.
        keras_class: The name of Keras's class, where Keras exports it under another name.
        reads_masks: Whether the output's values depend on the masks of its inputs, apart from
            ``..._mask`` arguments.
        removes_masks_of: Call arguments from whose tensors a call removes the mask, which later
            calls then do not see.
        trainable_reaches_parts: Whether ``trainable: false`` freezes all its weights.  In Keras
            the argument does not reach the inner layers of some layers.
        takes_trainable: Whether Keras's constructor has the argument ``trainable``.
        takes_base_arguments: Whether the constructor has ``trainable`` and ``dtype``, and the config
            too.
        training_default: The default of ``training`` in Keras's `call`, unless it is None.
        casts_inputs: Whether Keras casts the layer's inputs to its compute dtype.
        automatic_parts: Classes of inner layers that Keras names automatically, in its order.
        penalizes_parts: Whether Keras passes ``activity_regularizer`` on to inner layers.
        tables: Fields whose value may be a long list, which generated code then defines apart.
        has_statistics: Whether it computes batch statistics in training mode.
        changes_weights: Whether each call in training mode changes its weights.
        former_arguments: Former names of arguments, and what replaced each.
        former_defaults: Defaults that arguments had in earlier generations of Keras.
        rank: The number of spatial axes that it works on; 0 if that is not fixed.
        positionwise: Whether each position of the output depends on the same position of the
            input only.
        activation_function: The activation function that it computes, in whose place it may be
            given.
        reads_indices: Whether its inputs are category indices.
        reads_sequences: Whether its input has shape (batch, time, features).
        quantized_modes: The modes of quantized dtype policies that Keras can run it with.
        takes_mappings: Whether Keras's layer may be called on a mapping, with labels and boxes.
        box_count: The field with the number of bounding boxes that it then returns, if that is
            fixed.
        applies_lora_alpha: Whether ``lora_alpha`` has an effect; some layers of Keras ignore it.

    Names and descriptions of blocks that are found:
        word: The short word for it in names, unless that is made of its class's name.
        word_field: The field whose value, if it is a name, is that word.
        noun: What it is called in a sentence, unless that is made of its class's name.
        prominence: Its rank among the layers that a block may be named after; 0 if it has none.
        merging: What it does with branches that it merges: ``adds``, ``joins`` or ``gates`` them.

    Keras's files:
        built_at_creation: Whether Keras builds it when it is created, so that files have no
            build shape.
        build_arguments: Call arguments whose shapes are saved; None for the first only.
        writes_activity_regularizer: Whether the config contains it even if it is null.
        omitted_fields: Fields that the config does not contain.
        lists_axes: Whether ``axis`` is always written as a list.
        sorts_axes: Whether that list is sorted.
        paired_sizes: Size fields that are written as (before, after).
        factor_from: The lower end of the range that a single number x as ``factor`` is written
            as: ``zero`` for 0, ``one`` for 1, ``minus`` for -x; empty if it is written as a number.
        factor_fields: The fields to which `factor_from` applies.

    Differences in Keras 2 (`tf_keras` 2.21):
        in_keras_2: Whether Keras 2 has the layer, with the same behaviour except for what
            follows.
        keras_2_differs: What Keras 2's layer of this name does, if it differs from Keras 3's.
        keras_2_lacks: Fields that it does not have, or ignores.
        keras_2_later: Fields that were added during 2.x; they are written only where they are
            set, so that models without them load in every release.
        keras_2_inputs: The kinds of inputs (categories and strings are ``int``) for which it
            computes the same as Keras 3.
        keras_2_drops_masks: Whether it drops a mask that Keras 3 passes on.
        keras_2_reads_masks: Whether its values depend on masks that Keras 3 ignores.
        keras_2_resolves_axis: Whether it writes ``axis`` counted from the front once it is built.
        keras_1_gates: The current positions of the gates, for which Keras 1 had separate arrays.
    """

    type_name: ClassVar[str] = ""
    family: ClassVar[str] = ""
    call_arguments: ClassVar[tuple[Argument, ...]] = ONE_INPUT
    supports_masking: ClassVar[bool] = True
    is_operation: ClassVar[bool] = False
    takes_any_arguments: ClassVar[bool] = False
    keras_module: ClassVar[str] = KERAS_LAYERS
    keras_class: ClassVar[str] = ""
    reads_masks: ClassVar[bool] = False
    removes_masks_of: ClassVar[tuple[str, ...]] = ()
    trainable_reaches_parts: ClassVar[bool] = True
    penalizes_parts: ClassVar[bool] = False
    tables: ClassVar[tuple[str, ...]] = ()
    has_statistics: ClassVar[bool] = False
    changes_weights: ClassVar[bool] = False
    takes_trainable: ClassVar[bool] = True
    takes_base_arguments: ClassVar[bool] = True
    training_default: ClassVar[bool | None] = None
    casts_inputs: ClassVar[bool] = True
    automatic_parts: ClassVar[tuple[str, ...]] = ()
    former_arguments: ClassVar[FormerArguments] = FORMER_ARGUMENTS
    former_defaults: ClassVar[FormerDefaults] = {}
    rank: ClassVar[int] = 0
    positionwise: ClassVar[bool] = False
    activation_function: ClassVar[str] = ""
    reads_indices: ClassVar[bool] = False
    reads_sequences: ClassVar[bool] = False
    quantized_modes: ClassVar[tuple[str, ...]] = ()
    applies_lora_alpha: ClassVar[bool] = False
    takes_mappings: ClassVar[bool] = False
    box_count: ClassVar[str] = ""

    word: ClassVar[str] = ""
    word_field: ClassVar[str] = ""
    noun: ClassVar[str] = ""
    prominence: ClassVar[int] = 0
    merging: ClassVar[Merging] = ""

    built_at_creation: ClassVar[bool] = False
    build_arguments: ClassVar[tuple[str, ...] | None] = None
    writes_activity_regularizer: ClassVar[bool] = False
    omitted_fields: ClassVar[tuple[str, ...]] = ()
    lists_axes: ClassVar[bool] = False
    sorts_axes: ClassVar[bool] = False
    paired_sizes: ClassVar[tuple[str, ...]] = ()
    factor_from: ClassVar[RangeStart] = ""
    factor_fields: ClassVar[tuple[str, ...]] = ("factor",)

    in_keras_2: ClassVar[bool] = True
    keras_2_differs: ClassVar[str] = ""
    keras_2_lacks: ClassVar[tuple[str, ...]] = ()
    keras_2_later: ClassVar[frozenset[str]] = KERAS_2_LATER
    keras_2_inputs: ClassVar[tuple[str, ...]] = ("float",)
    keras_2_drops_masks: ClassVar[bool] = False
    keras_2_reads_masks: ClassVar[bool] = False
    keras_2_resolves_axis: ClassVar[bool] = False
    keras_1_gates: ClassVar[tuple[int, ...]] = ()

    name: OptionalName = None
    inputs: Edges = None
    activity_regularizer: Regularizer = None
    trainable: Bool = True
    dtype: OptionalPolicy = None

    @property
    def unadapted(self) -> bool:
        """Whether Keras's ``adapt()`` has to compute a table or statistics before training."""
        return False

    @classmethod
    def unsupported_config(cls, config: dict[str, Any]) -> str:
        """Why the fields cannot express a Keras config of this layer; empty if they can."""
        return ""

    @classmethod
    def own_fields(cls) -> tuple[str, ...]:
        """Keras's constructor arguments of this class, in Keras's order."""
        return tuple(
            field.alias or name
            for name, field in cls.model_fields.items()
            if name not in COMMON_FIELDS
        )

    def tag(self) -> dict[str, str]:
        return {"type": self.type_name}

    def output_shape(self, *args: Any, **kwargs: Any) -> Shapes:
        """The shape (or tuple of shapes) of a call's output; by default the first input's.

        The arguments are the shapes of the call's tensors, bound according to `call_arguments`:
        the first by position, a ``tensors`` argument as a list of shapes, the others by keyword,
        constants unchanged, optional arguments only where they are given.

        Returns:
            None if the shape is not known: of a custom layer without ``shape``.

        Raises:
            ShapeError: The layer cannot be applied to these shapes.
        """
        first = args[0]
        shape: Shape = first[0] if isinstance(first, list) else first
        return shape

    def weights(self, *args: Any, **kwargs: Any) -> Iterator[Weight]:
        """The variables in the order of Keras's `layer.weights`; arguments as for
        `output_shape`."""
        yield from ()

    def macs(self, output: Any, /, *args: Any, **kwargs: Any) -> int:
        """Multiply-accumulates per sample; a size that is not known counts as 1.

        Args:
            output: The output's shape, or a tuple of shapes.
            args, kwargs: As for `output_shape`.
        """
        return 0

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str | tuple[str, ...]:
        """The dtype of a call's output: by default the compute dtype, or the input's if that is not
        a floating-point dtype."""
        return dtypes[0] if dtypes and not is_floating(dtypes[0]) else compute_dtype

    def output_mask(self, *masked: Any, **kwargs: Any) -> bool | tuple[bool, ...]:
        """Whether the output has a Keras mask; the arguments are whether the inputs have one, bound
        as for `output_shape`."""
        first: Any = masked[0] if masked else False
        return self.supports_masking and (any(first) if isinstance(first, list) else bool(first))

    @property
    def step_layer(self) -> Layer | None:
        """The layer that this one applies to each time step, if it is such a wrapper."""
        return None

    def mask_rank(self, *shapes: Shape) -> int | None:
        """The number of axes of the mask that the layer makes from its first input's values; None
        if the mask of its output comes from its inputs."""
        return None

    def mask_operations(self, operation: Any, inputs: Any, masks: Any) -> Any:
        """The mask of the output, computed by the operations that Keras uses.

        Args:
            operation: Creates an operation of `keras.ops` from its name, operands and fields.
            inputs: The first call argument: a tensor, or a list of them.
            masks: Its mask, or a list of masks; None for a tensor without one.
        """
        return masks[0] if isinstance(masks, list) else masks

    def output_nest(self) -> Any:
        """The structure of Keras's outputs, as nested lists of output indices; None for a flat
        list."""
        return None

    def input_nest(self, name: str) -> Any:
        """The structure of Keras's argument ``name``, as nested lists of tensor indices; None for a
        flat list."""
        return None

    def parts(self) -> Iterator[Layer]:
        """The inner layers: those that are values of its fields."""
        for value in vars(self).values():
            if value is None or isinstance(value, (str, int, float)):  # most fields
                continue
            for item in value if isinstance(value, (list, tuple)) else (value,):
                if isinstance(item, Layer):
                    yield item

    @property
    def lists_weights(self) -> bool:
        """Whether all its weights are known, if their sizes are; a user-defined layer may not say."""
        return all(part.lists_weights for part in self.parts())

    @property
    def has_known_weights(self) -> bool:
        """Whether the sizes on which its weights depend are known, if those of its input are."""
        return True

    def returns_input(self) -> bool:
        """Whether a call at inference returns its input tensor itself, with its mask."""
        return False

    @classmethod
    def output_rank(cls, fields: dict[str, Any], rank: int | None) -> int | None:
        """The number of axes of the output; None if it is not known.

        Args:
            fields: The fields of an entry, which need not be valid.
            rank: The number of axes of the first input, if known.
        """
        return cls.rank + 2 if cls.rank else rank

    def policy_in(self, around: Any) -> Any:
        """The layer's dtype policy in a model with the policy ``around``."""
        return self.dtype or around

    @classmethod
    def own_dtype(cls, fields: dict[str, Any]) -> str | None:
        """The dtype of a layer with these fields, if it does not use its model's; else None."""
        return None

    @classmethod
    def remove_derived(cls, config: dict[str, Any]) -> None:
        """Remove from a Keras config, in place, what Keras derives from other arguments."""

    @classmethod
    def convert_arguments(cls, config: dict[str, Any]) -> None:
        """Convert arguments, in place, as Keras's constructor converts them."""

    def keras_2_dtype(self) -> str | None:
        """The dtype that Keras 2 writes if none is given, where it is not the model's; else
        None."""
        return None

    def stored_tables(self) -> dict[str, tuple[float, ...]]:
        """The tables that Keras 3 writes into files of weights and expects there: their paths,
        relative to the layer's group, and their values in the dtype of variables."""
        return {}

    def noise_fields(self) -> tuple[str, ...]:
        """The fields because of which a call in training mode draws random numbers; none at
        zero."""
        fields = type(self).model_fields
        return tuple(
            n for n in STRENGTH_FIELDS if n in fields and "seed" in fields and getattr(self, n)
        )

    def noise_off(self) -> dict[str, Any]:
        """Values for `noise_fields` under which a call in training mode draws nothing."""
        return dict.fromkeys(self.noise_fields(), 0.0)

    def extra_config(self) -> dict[str, Any]:
        """The entries of Keras's config of the layer that are not constructor arguments."""
        return {}

    def is_frozen(self) -> bool:
        """Whether training leaves its weights unchanged because of ``trainable: false``."""
        return not self.trainable and self.trainable_reaches_parts

    def output_penalty(self) -> Term | None:
        """The regularizer of the output; the penalty's mean over the samples is added to the
        loss."""
        return self.activity_regularizer


class FloatLayer(Layer):
    """A layer whose output Keras declares to have its compute dtype, for every input dtype.

    Keras does so for layers that define `compute_output_shape` and not `compute_output_spec`.
    """

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str:
        return compute_dtype


def is_floating(dtype: str) -> bool:
    """Whether Keras casts tensors of this dtype to the layer's compute dtype."""
    return dtype.startswith(("float", "bfloat"))


def nested_layers(layer: Layer) -> Iterator[Layer]:
    """The inner layers of a layer, and all inner layers of these."""
    for item in layer.parts():
        yield item
        yield from nested_layers(item)
