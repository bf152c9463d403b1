"""Core layers: Dense, Activation, Embedding, Masking, Identity."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from specfmt.fields.rules import AnyMapping, Nullable
from specfmt.fields.spellings import REMOVED, FormerArguments, removed
from specfmt.fields.types import (
    Bool,
    Float,
    OptionalDType,
    OptionalFloat,
    OptionalPositiveFloat,
    OptionalPositiveInt,
    PositiveInt,
)
from specfmt.layers.base import Argument, FloatLayer, Layer, Shape, ShapeError, Weight
from specfmt.layers.lora import check_lora, lora_weights
from specfmt.layers.quantization import (
    Kernel,
    Quantizable,
    embedding_weights,
    kernel_weights,
    reverse_weights,
)
from specfmt.layers.registry import layer
from specfmt.layers.sizes import layer_weight
from specfmt.vocab.fields import (
    GLOROT_UNIFORM,
    LINEAR,
    RANDOM_UNIFORM,
    ZEROS,
    Constraint,
    Initializer,
    Regularizer,
)
from specfmt.vocab.fields import (
    Activation as ActivationName,
)

INPUTS_ONLY = (Argument("inputs"),)
LORA = ("lora_rank", "quantization_config")

QuantizationConfig = Annotated[dict[str, Any] | None, Nullable(AnyMapping())]
"""Settings of a later `layer.quantize()`; they do not quantize the layer by themselves."""


@layer
class Dense(Quantizable, FloatLayer):
    """Fully connected layer: `activation(x @ kernel + bias)` over the last axis."""

    noun = "dense layer"
    prominence = 1
    positionwise = True
    keras_2_lacks = LORA
    keras_2_inputs = ("float", "int")

    units: PositiveInt
    activation: ActivationName = LINEAR
    use_bias: Bool = True
    kernel_initializer: Initializer = GLOROT_UNIFORM
    bias_initializer: Initializer = ZEROS
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None
    lora_rank: OptionalPositiveInt = None
    lora_alpha: OptionalFloat = None
    quantization_config: QuantizationConfig = None

    def output_shape(self, x: Shape, training: object = None) -> Shape:
        if len(x) < 2 or x[-1] is None:
            raise ShapeError(
                "a last axis of known size", f"shape {x}", "give the size of the last axis"
            )
        check_lora(self.lora_rank, self.kernel_constraint, "kernel_constraint")
        return (*x[:-1], self.units)

    def weights(self, x: Shape, training: object = None) -> Iterator[Weight]:
        features = x[-1] or 0
        shape = (features, self.units)
        kernel = layer_weight(self, "kernel", shape, trainable=self.lora_rank is None)
        bias = [layer_weight(self, "bias", (self.units,))] if self.use_bias else []
        factors = lora_weights("lora_kernel", shape, self.lora_rank, self.kernel_regularizer)
        how = self.quantization()
        if how is None:
            yield from (kernel, *bias, *factors)
            return
        whole = Kernel(kernel, features, self.units, shape, (self.units,))
        yield from kernel_weights(how, whole, bias, factors)

    def macs(self, output: Shape, x: Shape, training: object = None) -> int:
        positions = prod(size or 1 for size in output[1:-1])
        features, rank = x[-1] or 1, self.lora_rank or 0
        return positions * (features * self.units + rank * (features + self.units))


class IndexEmbedding(Quantizable, FloatLayer):
    """Base of the layers that map indices to learned vectors."""

    quantized_modes = ("int8", "int4")
    reads_indices = True
    writes_activity_regularizer = True
    keras_2_lacks = LORA
    keras_2_inputs = ("float", "int")
    call_arguments: ClassVar[tuple[Argument, ...]] = INPUTS_ONLY
    casts_inputs = False
    former_arguments: ClassVar[FormerArguments] = {
        "init": "embeddings_initializer",
        "W_regularizer": "embeddings_regularizer",
        "W_constraint": "embeddings_constraint",
        "dropout": removed(
            0,
            left_out="which dropped whole words in training; Keras 3 has no such option",
            hint="it has no effect at inference; a SpatialDropout1D after the layer is similar",
        ),
        "sparse": REMOVED,
        "use_one_hot_matmul": REMOVED,
    }

    if TYPE_CHECKING:  # fields of the subclasses, which have them in Keras's order
        input_dim: PositiveInt
        output_dim: PositiveInt
        embeddings_initializer: Initializer
        embeddings_regularizer: Regularizer
        embeddings_constraint: Constraint
        mask_zero: Bool
        lora_rank: OptionalPositiveInt

    @classmethod
    def output_rank(cls, fields: dict[str, Any], rank: int | None) -> int | None:
        return None if rank is None else rank + 1

    def output_shape(self, x: Shape) -> Shape:
        check_lora(self.lora_rank, self.embeddings_constraint, "embeddings_constraint")
        return (*x, self.output_dim)

    def weights(self, x: Shape) -> Iterator[Weight]:
        shape = (self.input_dim, self.output_dim)
        factors = lora_weights(
            "lora_embeddings", shape, self.lora_rank, self.embeddings_regularizer
        )
        how = self.quantization()
        if how is not None:
            yield from factors
            yield from embedding_weights(how, *shape)
            return
        yield layer_weight(self, "embeddings", shape, trainable=self.lora_rank is None)
        yield from factors

    def macs(self, output: Shape, x: Shape) -> int:
        return prod(size or 1 for size in output[1:]) * (self.lora_rank or 0)

    def output_mask(self, *masked: bool, **kwargs: bool) -> bool:
        return self.mask_zero

    def mask_rank(self, *shapes: Shape) -> int | None:
        return len(shapes[0]) if self.mask_zero else None

    def mask_operations(self, operation: Any, inputs: Any, masks: Any) -> Any:
        return operation("not_equal", inputs, 0)


@layer
class Embedding(IndexEmbedding):
    """Maps integer indices to learned vectors; with ``mask_zero`` index 0 is masked."""

    input_dim: PositiveInt
    output_dim: PositiveInt
    embeddings_initializer: Initializer = RANDOM_UNIFORM
    embeddings_regularizer: Regularizer = None
    embeddings_constraint: Constraint = None
    mask_zero: Bool = False
    lora_rank: OptionalPositiveInt = None
    lora_alpha: OptionalFloat = None
    quantization_config: QuantizationConfig = None


@layer
class ReversibleEmbedding(IndexEmbedding):
    """Maps integer indices to learned vectors; called with ``reverse``, it projects vectors back
    to a score for each index."""

    in_keras_2 = False
    call_arguments = (Argument("inputs"), Argument("reverse", "value", required=False))

    input_dim: PositiveInt
    output_dim: PositiveInt
    tie_weights: Bool = True
    embeddings_initializer: Initializer = RANDOM_UNIFORM
    embeddings_regularizer: Regularizer = None
    embeddings_constraint: Constraint = None
    mask_zero: Bool = False
    reverse_dtype: OptionalDType = None
    logit_soft_cap: OptionalPositiveFloat = None
    lora_rank: OptionalPositiveInt = None
    lora_alpha: OptionalFloat = None
    quantization_config: QuantizationConfig = None

    @classmethod
    def output_rank(cls, fields: dict[str, Any], rank: int | None) -> int | None:
        return None

    def output_shape(self, x: Shape, reverse: bool = False) -> Shape:
        quantized = self.quantization() is not None
        if self.lora_rank is not None and not self.tie_weights and not quantized:
            raise ShapeError(
                "tied weights with LoRA",
                "tie_weights: false",
                "remove `lora_rank`; Keras cannot build the layer with both",
                field="tie_weights",
            )
        if not reverse:
            return super().output_shape(x)
        if not x or x[-1] not in (None, self.output_dim):
            raise ShapeError(
                f"a last axis of size {self.output_dim} for a reverse call",
                f"shape {x}",
                field="inputs",
            )
        return (*x[:-1], self.input_dim)

    def weights(self, x: Shape, reverse: bool = False) -> Iterator[Weight]:
        yield from super().weights(x)
        how = self.quantization()
        if not self.tie_weights and how is not None:
            yield from reverse_weights(how, self.input_dim, self.output_dim)
        elif not self.tie_weights:
            shape = (self.output_dim, self.input_dim)
            yield Weight("reverse_embeddings", shape, self.embeddings_initializer)

    def macs(self, output: Shape, x: Shape, reverse: bool = False) -> int:
        if not reverse:
            return super().macs(output, x)
        return prod(size or 1 for size in output[1:]) * self.output_dim

    def output_mask(self, *masked: bool, reverse: bool = False, **kwargs: bool) -> bool:
        return self.mask_zero and not reverse


@layer
class Masking(FloatLayer):
    """Masks the time steps whose features all equal ``mask_value`` and sets them to zero."""

    built_at_creation = True
    call_arguments = INPUTS_ONLY

    mask_value: Float = 0.0

    def output_mask(self, *masked: bool, **kwargs: bool) -> bool:
        return True

    def mask_rank(self, *shapes: Shape) -> int | None:
        return len(shapes[0]) - 1

    def mask_operations(self, operation: Any, inputs: Any, masks: Any) -> Any:
        return operation("any", operation("not_equal", inputs, self.mask_value), axis=-1)


@layer
class Identity(Layer):
    """Returns its input unchanged."""

    built_at_creation = True
    positionwise = True
    keras_2_inputs = ("float", "int", "bool")
    keras_2_drops_masks = True
    call_arguments = INPUTS_ONLY

    def returns_input(self) -> bool:
        return True


@layer
class Activation(FloatLayer):
    """Applies an activation function to its input."""

    word_field = "activation"
    built_at_creation = True
    positionwise = True
    call_arguments = INPUTS_ONLY
    former_arguments: ClassVar[FormerArguments] = {"target": REMOVED, "beta": REMOVED}

    activation: ActivationName

    def returns_input(self) -> bool:
        return self.activation.type == "Linear"
