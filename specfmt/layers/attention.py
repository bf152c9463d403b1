"""Attention layers: dot-product, additive, multi-head and grouped-query attention."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from specfmt.fields.rules import Either, Integer, Nullable, Tuple
from specfmt.fields.spellings import FormerArguments, removed
from specfmt.fields.types import (
    Bool,
    Fraction,
    Literal,
    OptionalBool,
    OptionalPositiveInt,
    PositiveInt,
    Seed,
)
from specfmt.layers.base import (
    KERAS_2_LATER,
    Argument,
    FloatLayer,
    Shape,
    ShapeError,
    Shapes,
    Weight,
)
from specfmt.layers.fans import with_fans
from specfmt.layers.registry import layer
from specfmt.layers.size_rules import agree, matching
from specfmt.layers.sizes import check_mask
from specfmt.layers.symbols import Size
from specfmt.vocab.fields import GLOROT_UNIFORM, ONES, ZEROS, Constraint, Initializer, Regularizer

LIST_CALL = (
    Argument("inputs", "tensors"),
    Argument("mask", "tensors", required=False),
    Argument("training", "value", required=False),
    Argument("return_attention_scores", "value", required=False),
    Argument("use_causal_mask", "value", required=False),
)
HEADS_CALL = (
    Argument("query"),
    Argument("value"),
    Argument("key", required=False),
    Argument("query_mask", required=False),
    Argument("value_mask", required=False),
    Argument("key_mask", required=False),
    Argument("attention_mask", required=False),
    Argument("return_attention_scores", "value", required=False),
    Argument("training", "value", required=False),
    Argument("use_causal_mask", "value", required=False),
)

ScoreMode = Literal["dot", "concat"]
Sizes = Annotated[
    int | tuple[int, ...] | None,
    Nullable(Either(Integer(1), Tuple(Integer(1)), expected="a size or a list of sizes")),
]
OptionalAxes = Annotated[
    int | tuple[int, ...] | None,
    Nullable(Either(Integer(), Tuple(Integer()), expected="an axis or a list of axes")),
]


def volume(*sizes: int | None) -> int:
    """The product of sizes, in which an unknown size counts as 1."""
    return prod(size or 1 for size in sizes)


class ListAttention(FloatLayer):
    """Base of the layers that are called on ``[query, value]`` or ``[query, value, key]``."""

    word = "attention"
    noun = "attention layer"
    prominence = 7
    keras_2_lacks = ("seed",)
    keras_2_later = KERAS_2_LATER | {"dropout"}
    call_arguments = LIST_CALL
    training_default = False
    former_arguments: ClassVar[FormerArguments] = {
        "causal": removed(False, hint="set `use_causal_mask: true` in the call")
    }

    def output_shape(
        self, inputs: list[Shape], return_attention_scores: bool = False, **rest: Any
    ) -> Shapes:
        if len(inputs) not in (2, 3):
            raise ShapeError(
                "two or three inputs: query, value and optionally key",
                f"{len(inputs)}",
                "list them in that order",
                field="inputs",
            )
        query, value, key = inputs[0], inputs[1], inputs[-1]
        if min(len(query), len(value), len(key)) < 2:
            raise ShapeError("inputs of shape (N, steps, features)", f"shape {query}")
        if not agree(query[-1], key[-1]):
            raise ShapeError(
                "query and key with the same number of features",
                f"{query[-1]} and {key[-1]} features",
                field="inputs",
            )
        if not agree(value[-2], key[-2]):
            raise ShapeError("as many keys as values", f"{key[-2]} and {value[-2]}", field="inputs")
        masks = rest.get("mask") or ()
        for name, mask, shape in zip(("a query mask", "a value mask"), masks, inputs, strict=False):
            check_mask(name, mask, shape[-2])
        output = (*query[:-1], value[-1])
        return (output, (*query[:-1], key[-2])) if return_attention_scores else output

    def macs(self, output: Shapes, inputs: list[Shape], **rest: Any) -> int:
        query, value, key = inputs[0], inputs[1], inputs[-1]
        scores = volume(*query[1:-1], key[-2])
        return scores * (volume(query[-1]) + volume(value[-1]))

    def output_mask(self, *masked: Any, **kwargs: Any) -> bool | tuple[bool, ...]:
        given = kwargs.get("mask")
        query = masked[0][0] if given is None else given[0] is not None
        return (query, False) if kwargs.get("return_attention_scores") else query

    def mask_operations(self, operation: Any, inputs: Any, masks: Any) -> Any:
        return operation("convert_to_tensor", masks[0])


@layer
class Attention(ListAttention):
    """Dot-product attention (Luong): `softmax(query @ key^T) @ value`."""

    use_scale: Bool = False
    score_mode: ScoreMode = "dot"
    dropout: Fraction = 0.0
    seed: Seed = None

    def weights(self, inputs: list[Shape], **rest: Any) -> Iterator[Weight]:
        if self.use_scale:
            yield Weight("scale", (), ONES)
        if self.score_mode == "concat":
            yield Weight("concat_score_weight", (), ONES)


@layer
class AdditiveAttention(ListAttention):
    """Additive attention (Bahdanau): `softmax(sum(tanh(query + key))) @ value`."""

    use_scale: Bool = True
    dropout: Fraction = 0.0
    seed: Seed = None

    def output_shape(
        self, inputs: list[Shape], return_attention_scores: bool = False, **rest: Any
    ) -> Shapes:
        if self.use_scale and inputs[0][-1] is None:
            raise ShapeError("a last axis of known size", f"shape {inputs[0]}", field="inputs")
        return super().output_shape(inputs, return_attention_scores, **rest)

    def weights(self, inputs: list[Shape], **rest: Any) -> Iterator[Weight]:
        if self.use_scale:
            yield Weight("scale", (inputs[0][-1] or 0,), GLOROT_UNIFORM)


class HeadsAttention(FloatLayer):
    """Base of the layers that project query, key and value to several heads."""

    word = "attention"
    noun = "attention layer"
    prominence = 7
    call_arguments = HEADS_CALL
    trainable_reaches_parts = False
    penalizes_parts = True
    automatic_parts = ("Softmax",)
    build_arguments = ("query", "value", "key")
    writes_activity_regularizer = True
    omitted_fields = ("flash_attention",)

    if TYPE_CHECKING:  # fields of the subclasses, which have them in Keras's order
        dropout: Fraction
        use_bias: Bool
        flash_attention: OptionalBool
        kernel_initializer: Initializer
        bias_initializer: Initializer

    def projection(
        self, name: str, store: str, features: tuple[int, ...], out: tuple[int, ...]
    ) -> Iterator[Weight]:
        """The kernel and the bias of a projection from some axes to others."""
        fans = len(features)
        outputs = tuple(range(fans, fans + len(out)))
        init = with_fans(self.kernel_initializer, tuple(range(fans)), outputs)
        for part, shape in (("kernel", (*features, *out)), ("bias", out)):
            if part == "bias" and not self.use_bias:
                return
            yield Weight(
                f"{name}/{part}",
                shape,
                init if part == "kernel" else self.bias_initializer,
                regularizer=getattr(self, f"{part}_regularizer"),
                constraint=getattr(self, f"{part}_constraint"),
                store=store,
            )

    def check(
        self, query: Shape, value: Shape, key: Shape, masks: dict[str, Any], *, scores: bool
    ) -> None:
        """Check the shapes and options of a call.

        Args:
            query, value, key: Their shapes.
            masks: Shapes of the given masks by argument, and other call arguments.
            scores: Whether the call returns the attention scores too.

        Raises:
            ShapeError: Keras would raise for these shapes or options.
        """
        for name, shape in (("query", query), ("value", value), ("key", key)):
            if len(shape) < 3 or shape[-1] is None:
                raise ShapeError(
                    f"a {name} of shape (N, steps, features) with known features",
                    f"shape {shape}",
                    field="inputs",
                )
        if len(value) != len(key) or not all(map(matching, value[1:-1], key[1:-1])):
            raise ShapeError(
                "value and key of the same shape, except for the features",
                f"shapes {value} and {key}",
                field="inputs",
            )
        if len(query) != len(value):
            raise ShapeError(
                "query and value with the same number of axes",
                f"shapes {query} and {value}",
                field="inputs",
            )
        if len(query) == 3:
            check_mask("a query mask", masks.get("query_mask"), query[1])
            check_mask("a value mask", masks.get("value_mask"), value[1])
            check_mask("a key mask", masks.get("key_mask"), key[1])
            check_mask("an attention mask", masks.get("attention_mask"), query[1], value[1])
        if self.flash_attention and (scores or self.dropout):
            raise ShapeError(
                "neither dropout nor attention scores with flash attention",
                "attention scores" if scores else f"dropout {self.dropout:g}",
                "remove `flash_attention`",
                field="flash_attention",
            )

    def output_mask(self, *masked: Any, **kwargs: Any) -> bool | tuple[bool, ...]:
        query = bool(masked[0])
        return (query, False) if kwargs.get("return_attention_scores") else query


@layer
class MultiHeadAttention(HeadsAttention):
    """Multi-head attention (Vaswani et al., 2017): ``num_heads`` heads with keys of size
    ``key_dim`` attend to the value in parallel, and their results are projected to the output."""

    removes_masks_of = ("query", "value", "key")
    keras_2_lacks = ("sliding_window", "use_gate", "seed")
    former_arguments: ClassVar[FormerArguments] = {"softmax_robust_masking": removed(False)}

    num_heads: PositiveInt
    key_dim: PositiveInt
    value_dim: OptionalPositiveInt = None
    dropout: Fraction = 0.0
    use_bias: Bool = True
    output_shape_: Sizes = Field(default=None, alias="output_shape")
    attention_axes: OptionalAxes = None
    sliding_window: OptionalPositiveInt = None
    flash_attention: OptionalBool = None
    kernel_initializer: Initializer = GLOROT_UNIFORM
    bias_initializer: Initializer = ZEROS
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None
    use_gate: Bool = False
    seed: Seed = None

    @property
    def value_size(self) -> int:
        """The size of each head's values."""
        return self.value_dim or self.key_dim

    def out(self, query: Shape) -> tuple[int, ...]:
        """The sizes of the output's last axes, which replace the query's features."""
        sizes = self.output_shape_
        if isinstance(sizes, int):
            return (sizes,)
        return sizes or (query[-1] or 0,)

    def axes(self, rank: int) -> tuple[int, ...]:
        """The attention axes, counted from the front, in the given order."""
        given = self.attention_axes
        if given is None:
            return tuple(range(1, rank - 1))
        return tuple(k % rank for k in ((given,) if isinstance(given, int) else given))

    def output_shape(
        self,
        query: Shape,
        value: Shape,
        key: Shape | None = None,
        return_attention_scores: bool = False,
        **rest: Any,
    ) -> Shapes:
        self.check(query, value, key or value, rest, scores=return_attention_scores)
        rank = len(query)
        if any(k in (0, rank - 1) for k in self.axes(rank)) or not self.axes(rank):
            raise ShapeError(
                f"attention axes from 1 to {rank - 2}",
                f"{self.attention_axes} for shape {query}",
                field="attention_axes",
            )
        output = (*query[:-1], *self.out(query))
        if not return_attention_scores:
            return output
        # Keras declares this shape regardless of the length of the key.
        last = (key or value)[1] if isinstance(query[1], Size) else query[1]
        return output, (query[0], self.num_heads, query[1], last)

    def weights(
        self, query: Shape, value: Shape, key: Shape | None = None, **rest: Any
    ) -> Iterator[Weight]:
        sources = {"query": query, "key": key or value, "gate": query, "value": value}
        for name, source in sources.items():
            if name == "gate" and not self.use_gate:
                continue
            size = self.key_dim if name in ("query", "key") else self.value_size
            store = "_gate_dense" if name == "gate" else f"{name}_dense"
            heads = (self.num_heads, size)
            yield from self.projection(name, store, (source[-1] or 0,), heads)
        heads = (self.num_heads, self.value_size)
        yield from self.projection("attention_output", "output_dense", heads, self.out(query))

    def macs(
        self, output: Shapes, query: Shape, value: Shape, key: Shape | None = None, **rest: Any
    ) -> int:
        key = key or value
        keys, values = self.num_heads * self.key_dim, self.num_heads * self.value_size
        gate = values if self.use_gate else 0
        steps, sources = volume(*query[1:-1]), volume(*value[1:-1])
        attended = volume(*(value[k] for k in self.axes(len(query))))
        return (
            steps * volume(query[-1]) * (keys + gate)
            + sources * (volume(key[-1]) * keys + volume(value[-1]) * values)
            + steps * attended * (keys + values)
            + steps * values * volume(*self.out(query))
        )


@layer
class GroupQueryAttention(HeadsAttention):
    """Grouped-query attention: multi-head attention whose query heads share fewer key and value
    heads."""

    keras_class = "GroupedQueryAttention"
    in_keras_2 = False

    head_dim: PositiveInt
    num_query_heads: PositiveInt
    num_key_value_heads: PositiveInt
    dropout: Fraction = 0.0
    use_bias: Bool = True
    sliding_window: OptionalPositiveInt = None
    flash_attention: OptionalBool = None
    kernel_initializer: Initializer = GLOROT_UNIFORM
    bias_initializer: Initializer = ZEROS
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None
    use_gate: Bool = False
    seed: Seed = None

    def output_shape(
        self,
        query: Shape,
        value: Shape,
        key: Shape | None = None,
        return_attention_scores: bool = False,
        **rest: Any,
    ) -> Shapes:
        key = key or value
        self.check(query, value, key, rest, scores=return_attention_scores)
        if len(query) != 3:
            raise ShapeError("inputs of shape (N, steps, features)", f"shape {query}")
        if self.num_query_heads % self.num_key_value_heads:
            raise ShapeError(
                "`num_query_heads` to be a multiple of `num_key_value_heads`",
                f"{self.num_query_heads} and {self.num_key_value_heads}",
                "each key and value head is shared by the same number of query heads",
                field="num_query_heads",
            )
        if not matching(query[-1], value[-1]):
            raise ShapeError(
                "query and value with the same number of features",
                f"{query[-1]} and {value[-1]}",
                field="inputs",
            )
        if not return_attention_scores:
            return query
        return query, (query[0], self.num_query_heads, query[1], key[1])

    def weights(
        self, query: Shape, value: Shape, key: Shape | None = None, **rest: Any
    ) -> Iterator[Weight]:
        sources = {"query": query, "key": key or value, "gate": query, "value": value}
        for name, source in sources.items():
            if name == "gate" and not self.use_gate:
                continue
            shared = name in ("key", "value")
            count = self.num_key_value_heads if shared else self.num_query_heads
            out = (count, self.head_dim)
            yield from self.projection(name, f"_{name}_dense", (source[-1] or 0,), out)
        heads = (self.num_query_heads, self.head_dim)
        features = (query[-1] or 0,)
        yield from self.projection("attention_output", "_output_dense", heads, features)

    def macs(
        self, output: Shapes, query: Shape, value: Shape, key: Shape | None = None, **rest: Any
    ) -> int:
        key = key or value
        heads = self.num_query_heads * self.head_dim
        shared = self.num_key_value_heads * self.head_dim
        projections = 3 if self.use_gate else 2
        steps, sources = volume(query[1]), volume(value[1])
        return (
            steps * volume(query[-1]) * heads * projections
            + sources * (volume(key[-1]) + volume(value[-1])) * shared
            + 2 * steps * sources * heads
        )
