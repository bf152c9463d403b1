"""The base class of layers: what is true of a layer in any framework.

A layer class declares its fields (Keras's constructor arguments, in Keras's order, with
Keras's defaults) and up to five facts: output shape, weights, multiply-accumulates, dtype and
mask behaviour.  Everything else (schema, reading, Keras code, Keras JSON, docs) is derived.

Shapes are tuples with the batch axis first; None is a size not known until run time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
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
"""What a layer returns: one shape, or a tuple of shapes for several outputs."""


class ShapeError(Exception):
    """A layer cannot take its inputs: what was expected, what was received, what to do.

    Args:
        expected: What the layer needs, as the end of "expected ...".
        received: What it got, as the end of "received ...".
        hint: What to do about it.
        field: The field to point at; the whole entry if empty.
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
    """Shapes in a message as users know them: ``(None, None, 3)`` is ``(N, ?, 3)``."""
    return _SHAPE.sub(lambda match: match[0].replace("(None", "(N").replace("None", "?"), message)


@dataclass(frozen=True, slots=True)
class Weight:
    """One variable of a layer.

    Attributes:
        name: Keras's path below the layer: ``kernel``, ``lstm_cell/recurrent_kernel``.
        shape: Keras's shape.
        init: The initializer.
        trainable: Whether training changes it (batch statistics: False).
        dtype: Empty for the layer's variable dtype.
        regularizer, constraint: What training does to it besides.
        store: The attribute path below the layer in a ``.weights.h5`` file where it differs
            from the layer's own group, such as ``cell``, then the index within that group.
        merged_into: The weight to which Keras adds this one when it saves, so that files do not
            hold it: the two factors of LoRA, whose product is added.
        pieces: (length, initializer) for each part along the first axis, where parts start
            from initializers of their own; ``init`` is then that of most of it.
    """

    name: str
    shape: tuple[int, ...]
    init: Term
    trainable: bool = True
    dtype: str = ""
    regularizer: Term | None = None
    constraint: Term | None = None
    store: str = ""
    merged_into: str = ""
    pieces: tuple[tuple[int, Term], ...] = ()

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
        name: Keras's name of it.
        kind: ``tensor``; ``tensors`` for a list of them; ``value`` for a plain constant.
        required: Whether a call must give it.
    """

    name: str
    kind: Literal["tensor", "tensors", "value"] = "tensor"
    required: bool = True


ONE_INPUT = (Argument("inputs"), Argument("training", "value", required=False))

KERAS_LAYERS = "keras.layers"
"""Where Keras keeps its layers; those of an application stand in the application's module."""

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
"""Fields that most classes of Keras 2 have only since some release of 2.x, or not at all."""

STRENGTHS: Final = ("rate", "dropout", "recurrent_dropout", "stddev")
"""Fields that say how strong a layer's randomness is; none at zero."""


class Layer(SpecModel):
    """Base class of all layers.

    Class attributes:
        type_name: Keras's class name, set by the registry.
        family: The module's name, set by the registry.
        call_arguments: What ``call`` takes, in Keras's order.
        supports_masking: Whether Keras lets a mask through (a layer without it drops the mask).
        open_call: Whether a call takes arguments that `call_arguments` does not name.
        keras_module: The module that holds Keras's class of the same name.
        keras_class: The class's own name, where Keras exports it under another.
        reads_masks: Whether the values depend on the masks that travel with its inputs, other
            than as a ``..._mask`` argument.
        takes_masks_of: Call arguments whose masks a call takes off, for all that run later.
        trainable_reaches_parts: Whether ``trainable: false`` freezes all its weights.  Keras
            gives some layers parts that the constructor's argument does not reach.
        takes_trainable: Whether Keras's constructor takes ``trainable``.
        training_default: The default of ``training`` in Keras's `call`, unless it is None.
        casts_inputs: Whether Keras casts what the layer reads to its compute dtype.
        automatic_parts: Classes of parts that Keras names by their class, in its order.
        penalizes_parts: Whether Keras hands ``activity_regularizer`` on to parts of the layer.
        tables: Fields that hold a table, which generated code keeps apart where it is long.
        has_statistics: Whether it takes the statistics of a batch in training mode.
        former_arguments: What its arguments were called, and what became of others.
        former_defaults: What older files mean where they leave an argument out.
        rank: How many spatial axes it works on; 0 where that is not fixed.
        positionwise: Whether it treats every position on its own.
        activation_function: The function that it applies, and may stand for where one is given.
        reads_indices: Whether it reads the numbers of categories.
        reads_sequences: Whether it reads (batch, time, features).

    What Keras writes into its files:
        built_at_creation: Whether it is built when it is made, so that no shape is noted.
        build_arguments: Call arguments whose shapes are noted; None for the first alone.
        writes_activity_regularizer: Whether it stands in the config even where there is none.
        unwritten: Fields that the config does not have.
        lists_axes: Whether ``axis`` is written as a list, whatever was given.
        sorts_axes: Whether that list is sorted.
        paired_sizes: Size fields that are written as (before, after).
        factor_from: Where the range starts that one number as ``factor`` stands for: ``zero``
            or ``minus`` that number; empty if it stays a number.

    Keras 2 (`tf_keras` 2.21), where it differs:
        in_keras_2: Whether it has the layer, with the same meaning but for what follows.
        keras_2_lacks: Fields that it does not have, or reads and does not apply.
        keras_2_later: Fields that came in the course of 2.x: written only where they are set,
            so that a model without them loads in all releases.
        keras_2_inputs: The kinds of numbers (categories and strings are ``int``) with which it
            computes as Keras 3 does.
        keras_2_drops_masks: Whether it does not pass a mask on that Keras 3 does.
        keras_2_reads_masks: Whether it looks at masks, as Keras 3 does not.
        keras_2_resolves_axis: Whether it writes ``axis`` counted from the front once it is built.
        keras_1_gates: Where the gates stand today that Keras 1 kept an array each of.
    """

    type_name: ClassVar[str] = ""
    family: ClassVar[str] = ""
    call_arguments: ClassVar[tuple[Argument, ...]] = ONE_INPUT
    supports_masking: ClassVar[bool] = True
    is_operation: ClassVar[bool] = False
    open_call: ClassVar[bool] = False
    keras_module: ClassVar[str] = KERAS_LAYERS
    keras_class: ClassVar[str] = ""
    reads_masks: ClassVar[bool] = False
    takes_masks_of: ClassVar[tuple[str, ...]] = ()
    trainable_reaches_parts: ClassVar[bool] = True
    penalizes_parts: ClassVar[bool] = False
    tables: ClassVar[tuple[str, ...]] = ()
    has_statistics: ClassVar[bool] = False
    takes_trainable: ClassVar[bool] = True
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

    built_at_creation: ClassVar[bool] = False
    build_arguments: ClassVar[tuple[str, ...] | None] = None
    writes_activity_regularizer: ClassVar[bool] = False
    unwritten: ClassVar[tuple[str, ...]] = ()
    lists_axes: ClassVar[bool] = False
    sorts_axes: ClassVar[bool] = False
    paired_sizes: ClassVar[tuple[str, ...]] = ()
    factor_from: ClassVar[Literal["", "zero", "minus"]] = ""

    in_keras_2: ClassVar[bool] = True
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

    @classmethod
    def unreadable(cls, config: dict[str, Any]) -> str:
        """What of Keras's config of such a layer the fields cannot say; empty if nothing."""
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
        """The shape (or tuple of shapes) that a call returns.

        Arguments are the shapes of the call's tensors, bound as `call_arguments` says: the
        first by position, a ``tensors`` argument as a list of shapes, the others by keyword,
        constants as they are, absent optional arguments left out.  The default is the first
        input's shape.

        Returns:
            None where the shape cannot be known (a custom layer that does not say it).

        Raises:
            ShapeError: The layer cannot take these shapes.
        """
        first = args[0]
        shape: Shape = first[0] if isinstance(first, list) else first
        return shape

    def weights(self, *args: Any, **kwargs: Any) -> Iterator[Weight]:
        """The variables, in the order of Keras's `layer.weights`, given the same arguments as
        `output_shape`."""
        yield from ()

    def macs(self, output: Any, /, *args: Any, **kwargs: Any) -> int:
        """Multiply-accumulates for one sample; a size not known counts as one."""
        return 0

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str | tuple[str, ...]:
        """The dtype that a call returns: the compute dtype, unless the input is not floating."""
        return dtypes[0] if dtypes and not is_floating(dtypes[0]) else compute_dtype

    def output_mask(self, *masked: Any, **kwargs: Any) -> bool | tuple[bool, ...]:
        """Whether the outputs carry a Keras mask, given (bound like shapes) which inputs do."""
        first: Any = masked[0] if masked else False
        return self.supports_masking and (any(first) if isinstance(first, list) else bool(first))

    def mask_operations(self, operation: Any, inputs: Any, masks: Any) -> Any:
        """The mask of the outputs, by the operations with which Keras works it out.

        Args:
            operation: Makes an operation of `keras.ops`: its name, operands and fields.
            inputs: The first call argument: a tensor, or a list of them.
            masks: Its mask, or a list of masks; None for a tensor without one.
        """
        return masks[0] if isinstance(masks, list) else masks

    def output_nest(self) -> Any:
        """The outputs of a call as Keras nests them, as numbers in lists; None for a flat list."""
        return None

    def input_nest(self, name: str) -> Any:
        """The tensors of the argument ``name`` as Keras nests them; None for a flat list."""
        return None

    def parts(self) -> Iterator[Layer]:
        """The layers in its fields."""
        for value in vars(self).values():
            if value is None or isinstance(value, (str, int, float)):  # most fields
                continue
            for item in value if isinstance(value, (list, tuple)) else (value,):
                if isinstance(item, Layer):
                    yield item

    def returns_input(self) -> bool:
        """Whether a call at inference returns the very tensor it reads, mask and all."""
        return False

    @classmethod
    def output_rank(cls, fields: dict[str, Any], rank: int | None) -> int | None:
        """How many axes the output has, from those of the input; None where it is not known.

        Args:
            fields: The fields of an entry, which need not be sound.
            rank: The number of axes of the first input, if known.
        """
        return cls.rank + 2 if cls.rank else rank

    @classmethod
    def own_dtype(cls, fields: dict[str, Any]) -> str | None:
        """The dtype of a layer with these fields that does not take its model's."""
        return None

    @classmethod
    def drop_derived(cls, config: dict[str, Any]) -> None:
        """Take out of Keras's config, in place, what Keras fills in from other arguments."""

    @classmethod
    def resolve(cls, config: dict[str, Any]) -> None:
        """Make of arguments, in place, what this class of Keras makes of them."""

    def keras_2_dtype(self) -> str | None:
        """The dtype that Keras 2 writes where none is given and it is not the model's."""
        return None

    def noise_fields(self) -> tuple[str, ...]:
        """The fields by which a call in training mode draws random numbers; none at zero."""
        fields = type(self).model_fields
        return tuple(n for n in STRENGTHS if n in fields and "seed" in fields and getattr(self, n))

    def noise_off(self) -> dict[str, Any]:
        """Values for `noise_fields` under which a call in training mode draws nothing."""
        return dict.fromkeys(self.noise_fields(), 0.0)

    def written_besides(self) -> dict[str, Any]:
        """What Keras's config of the layer says besides its constructor arguments."""
        return {}

    def is_frozen(self) -> bool:
        """Whether ``trainable: false`` keeps training from its weights."""
        return not self.trainable and self.trainable_reaches_parts

    def output_penalty(self) -> Term | None:
        """The regularizer of what a call returns; its mean over samples is added to the loss."""
        return self.activity_regularizer


class FloatLayer(Layer):
    """A layer whose output Keras declares as its compute dtype, whatever it reads.

    Keras does so for every layer that has a `compute_output_shape` and no
    `compute_output_spec`.
    """

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str:
        return compute_dtype


def is_floating(dtype: str) -> bool:
    """Whether Keras casts tensors of this dtype to the layer's compute dtype."""
    return dtype.startswith(("float", "bfloat"))


def held_layers(layer: Layer) -> Iterator[Layer]:
    """The layers in a layer's fields, and those in theirs."""
    for item in layer.parts():
        yield item
        yield from held_layers(item)
