"""Layers that wrap another layer: Bidirectional, TimeDistributed, SpectralNormalization."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Final

from specfmt.fields.rules import Nullable
from specfmt.fields.types import Literal, PositiveInt
from specfmt.layers.base import Argument, FloatLayer, Layer, Shape, ShapeError, Shapes, Weight
from specfmt.layers.entries import LayerRule
from specfmt.layers.naming import inner_name
from specfmt.layers.quantization import check_policy
from specfmt.layers.recurrent import RNN_ARGUMENTS, Recurrent, reads_mask
from specfmt.layers.registry import layer
from specfmt.vocab.base import Term

MergeMode = Literal["concat", "sum", "mul", "ave"] | None


def inner_weights(
    inner: Layer, name: str, store: str, *args: Any, **kwargs: Any
) -> Iterator[Weight]:
    """The weights of a wrapped layer, under the wrapper's paths."""
    check_policy(inner)
    for weight in inner.weights(*args, **kwargs):
        trainable = weight.trainable and not inner.is_frozen()
        yield replace(weight.below(store, name), trainable=trainable)


def shifted(nest: Any, by: int) -> Any:
    """Nested lists of numbers with ``by`` added to each number."""
    return nest + by if isinstance(nest, int) else [shifted(item, by) for item in nest]


def _first(shape: Any) -> Any:
    """The shape of a call's first output."""
    return shape[0] if isinstance(shape[0], tuple) else shape


POWER_START: Final = Term("initializer", "TruncatedNormal", {"stddev": 0.02})
"""What the power iteration of SpectralNormalization starts from."""

RNN_LAYERS = ("SimpleRNN", "LSTM", "GRU", "RNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")


@layer
class Bidirectional(Layer):
    """Runs a recurrent layer over the sequence in both directions and merges the outputs."""

    call_arguments: ClassVar[tuple[Argument, ...]] = RNN_ARGUMENTS
    trainable_reaches_parts: ClassVar[bool] = False
    reads_sequences: ClassVar[bool] = True
    build_arguments: ClassVar[tuple[str, ...] | None] = ("sequences", "initial_state")

    layer: Annotated[Any, LayerRule(*RNN_LAYERS)]
    merge_mode: MergeMode = "concat"
    backward_layer: Annotated[Any, Nullable(LayerRule(*RNN_LAYERS))] = None

    @classmethod
    def output_rank(cls, fields: dict[str, Any], rank: int | None) -> int | None:
        return None

    @property
    def has_known_weights(self) -> bool:
        return all(part.has_known_weights for part in self.directions())

    def directions(self) -> tuple[Recurrent, Recurrent]:
        """The forward and the backward layer as Keras creates them, names included."""
        forward, backward = self.layer, self.backward_layer
        name = inner_name(forward)
        # Keras makes masked steps of sequences zero, so that both directions agree.
        zeros = {"zero_output_for_mask": forward.return_sequences}
        if backward is None:
            mirrored = f"backward_{name.removeprefix('backward_')}"
            backward = forward.model_copy(update={"name": mirrored, "go_backwards": True})
        backward = backward.model_copy(update=zeros)
        ahead = f"forward_{name.removeprefix('forward_')}"
        return forward.model_copy(update={"name": ahead, **zeros}), backward

    def output_shape(
        self,
        sequences: Shape,
        initial_state: list[Shape] | None = None,
        mask: Shape | None = None,
        training: object = None,
    ) -> Any:
        forward, backward = self.directions()
        self._check_pair(forward, backward)
        one: Any = forward.output_shape(sequences, mask=mask)
        other: Any = backward.output_shape(sequences, mask=mask)
        for found in (one, other):
            if found is None or (forward.return_state and None in found):
                return None  # a user-defined cell does not tell its sizes
        if one != other:
            raise ShapeError(
                "outputs of the same shape in both directions",
                f"{_first(one)} forwards and {_first(other)} backwards",
                field="layer" if self.backward_layer is None else "backward_layer",
            )
        if initial_state is not None:
            if forward.states != backward.states:  # each gets half of them
                raise ShapeError(
                    "layers with the same number of states to give both an initial state",
                    f"{forward.states} forwards and {backward.states} backwards",
                    field="backward_layer",
                )
            kept = (*forward.state_shapes(sequences), *backward.state_shapes(sequences))
            forward.check_states(initial_state, kept)
        output, states = (one[0], one[1:]) if forward.return_state else (one, ())
        if self.merge_mode is None:
            return (output, output, *states, *states)
        if self.merge_mode == "concat":
            # Keras concatenates along the last axis, even where the channels are the first.
            output = (*output[:-1], 2 * output[-1])
        return (output, *states, *states) if states else output

    def _check_pair(self, forward: Recurrent, backward: Recurrent) -> None:
        field = "layer" if self.backward_layer is None else "backward_layer"
        if forward.stateful and forward.return_state:
            raise ShapeError(
                "one of `stateful` and `return_state`",
                "both, which Keras 3.15 fails to build (bidirectional.py, `compute_mask`)",
                field="layer",
            )
        if forward.go_backwards == backward.go_backwards:
            raise ShapeError(
                "one layer with `go_backwards: true` and one without",
                f"`go_backwards: {str(forward.go_backwards).lower()}` in both",
                "leave `backward_layer` out to get a reversed copy of the forward layer",
                field=field,
            )
        if forward.width != backward.width:
            raise ShapeError(
                f"both layers to have `{forward.width}`",
                f"{forward.type_name} forwards and {backward.type_name} backwards",
                field=field,
            )
        for name in ("stateful", "return_sequences", "return_state", forward.width):
            ours, theirs = getattr(forward, name), getattr(backward, name)
            if ours != theirs:
                raise ShapeError(
                    f"the same `{name}` in both directions",
                    f"{ours} forwards and {theirs} backwards",
                    field=field,
                )
        if forward.states != backward.states and forward.return_state:
            raise ShapeError(
                "layers with the same number of states in both directions",
                f"{forward.type_name} and {backward.type_name}",
                field=field,
            )

    def output_nest(self) -> Any:
        forward, backward = self.directions()
        nest = forward.output_nest()
        if nest is None or backward.output_nest() is None:
            return None
        outputs = 2 if self.merge_mode is None else 1
        ahead = shifted(nest[1:], outputs - 1)
        return [*range(outputs), *ahead, *shifted(ahead, forward.states)]

    def input_nest(self, name: str) -> Any:
        forward, _ = self.directions()
        nest = forward.input_nest(name)
        return None if nest is None else [*nest, *shifted(nest, forward.states)]

    def weights(self, sequences: Shape, **kwargs: Any) -> Iterator[Weight]:
        forward, backward = self.directions()
        yield from inner_weights(forward, inner_name(forward), "forward_layer", sequences)
        yield from inner_weights(backward, inner_name(backward), "backward_layer", sequences)

    def macs(self, output: Shapes, sequences: Shape, **kwargs: Any) -> int:
        """The sum of both directions."""
        return sum(one.macs((), sequences) for one in self.directions())

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str:
        """The compute dtype, for sequences of any dtype."""
        return compute_dtype

    def output_mask(self, *masked: bool, **kwargs: Any) -> bool | tuple[bool, ...]:
        """Sequences keep the mask; the last output and the states have none."""
        through = self.layer.return_sequences and reads_mask(masked, kwargs)
        outputs = 2 if self.merge_mode is None else 1
        states = 2 * self.layer.states if self.layer.return_state else 0
        masks = (through,) * outputs + (False,) * states
        return masks if len(masks) > 1 else masks[0]


@layer
class TimeDistributed(Layer):
    """Applies a layer to each time step (the slices along axis 1) separately."""

    call_arguments: ClassVar[tuple[Argument, ...]] = (
        Argument("inputs"),
        Argument("training", "value", required=False),
        Argument("mask", required=False),
    )
    trainable_reaches_parts: ClassVar[bool] = False

    layer: Annotated[Any, LayerRule()]

    @property
    def step_layer(self) -> Layer | None:
        inner: Layer = self.layer
        return inner

    @property
    def has_known_weights(self) -> bool:
        known: bool = self.layer.has_known_weights
        return known

    @classmethod
    def output_rank(cls, fields: dict[str, Any], rank: int | None) -> int | None:
        return None

    def output_shape(self, x: Shape, training: object = None, mask: Shape | None = None) -> Any:
        if len(x) < 3:
            raise ShapeError(
                "an input of shape (batch, time, ...) with at least three axes", f"shape {x}"
            )
        inner: Any = self.layer.output_shape((x[0], *x[2:]))
        if inner and isinstance(inner[0], tuple):
            raise ShapeError(
                "a layer with one output",
                f"{len(inner)} outputs of {self.layer.type_name}",
                field="layer",
            )
        if mask is not None and len(mask) < 2:
            raise ShapeError("a mask of shape (batch, time)", f"shape {mask}", field="inputs")
        return None if inner is None else (inner[0], x[1], *inner[1:])

    def weights(self, x: Shape, **kwargs: Any) -> Iterator[Weight]:
        child = (x[0], *x[2:])
        yield from inner_weights(self.layer, inner_name(self.layer), "layer", child)

    def macs(self, output: Shapes, x: Shape, **kwargs: Any) -> int:
        """The wrapped layer's multiply-accumulates times the number of time steps."""
        shape: Any = output
        inner: int = self.layer.macs((shape[0], *shape[2:]), (x[0], *x[2:]))
        return (x[1] or 1) * inner

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str | tuple[str, ...]:
        result: str | tuple[str, ...] = self.layer.output_dtype(compute_dtype, dtypes[0])
        return result

    def output_mask(self, *masked: bool, **kwargs: Any) -> bool:
        """The mask over time is passed on unchanged."""
        return reads_mask(masked, kwargs)


@layer
class SpectralNormalization(FloatLayer):
    """Divides the kernel of a layer by its spectral norm in training, so that the layer's
    Lipschitz constant is about 1 (Miyato et al., 2018)."""

    call_arguments: ClassVar[tuple[Argument, ...]] = (
        Argument("inputs"),
        Argument("training", "value", required=False),
    )
    supports_masking: ClassVar[bool] = False
    training_default: ClassVar[bool | None] = False
    in_keras_2: ClassVar[bool] = False  # but in the releases 2.13 to 2.15
    changes_weights: ClassVar[bool] = True

    layer: Annotated[Any, LayerRule()]
    power_iterations: PositiveInt = 1

    @classmethod
    def output_rank(cls, fields: dict[str, Any], rank: int | None) -> int | None:
        return None

    def kernel(self, x: Shape) -> Weight:
        """The weight of the inner layer that is normalized.

        Raises:
            ShapeError: The layer has none.
        """
        weights: Iterator[Weight] = self.layer.weights(x)
        found = next((w for w in weights if w.name in ("kernel", "embeddings")), None)
        if found is None:
            raise ShapeError(
                "a layer with a kernel or embeddings", self.layer.type_name, field="layer"
            )
        if getattr(self.layer, "lora_rank", None) is not None:
            raise ShapeError(
                "a kernel that LoRA does not adapt",
                f"lora_rank={self.layer.lora_rank}",
                "remove `lora_rank` from the layer",
                field="layer",
            )
        if check_policy(self.layer):
            raise ShapeError(
                "a kernel that is not quantized", "a quantized dtype policy", field="layer"
            )
        return found

    def output_shape(self, x: Shape, training: object = None) -> Any:
        shape = self.layer.output_shape(x)
        if not self.layer.takes_any_arguments:  # of a user-defined layer nobody knows the weights
            self.kernel(x)
        return shape

    def weights(self, x: Shape, training: object = None) -> Iterator[Weight]:
        """The kernel, the vector of the power iteration, and the layer's other weights."""
        if self.layer.takes_any_arguments:
            yield from inner_weights(self.layer, inner_name(self.layer), "layer", x)
            return
        kernel = self.kernel(x)
        rest = []
        for weight in inner_weights(self.layer, inner_name(self.layer), "layer", x):
            if weight.name.rpartition("/")[2] == kernel.name:
                yield replace(weight, copy_store="")
                yield Weight("vector_u", (1, kernel.shape[-1]), POWER_START, trainable=False)
            else:
                rest.append(weight)
        yield from rest

    def macs(self, output: Shapes, x: Shape, training: object = None) -> int:
        inner: int = self.layer.macs(output, x)
        return inner
