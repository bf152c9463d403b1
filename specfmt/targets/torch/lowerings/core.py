"""PyTorch lowerings of the core layers."""

from __future__ import annotations

from typing import Any

from specfmt.layers.base import is_floating
from specfmt.layers.core import (
    Activation,
    Dense,
    Embedding,
    Identity,
    Masking,
    ReversibleEmbedding,
)
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import (
    Attr,
    Binary,
    Call,
    Method,
    Name,
    SelfAttr,
    Tensor,
    Unary,
    axis,
)
from specfmt.targets.torch.lowerings.functions import activation
from specfmt.targets.torch.params import ByLayout, WeightExpr, flat_rows, map_layout
from specfmt.targets.torch.registry import lower

INDEX_DTYPES = ("int32", "int64")


@lower(Dense)
def dense(layer: Dense, builder: LayerBuilder, x: Tensor) -> Tensor:
    """`nn.Linear` over the last axis; after a `Flatten` the kernel's rows are reordered with it.

    Keras 3.15 sets ``lora_alpha`` to the rank, whatever the constructor's argument
    (`Dense.build`), so the low-rank product is added unscaled.
    """
    x = floating(builder, x)
    frozen = () if layer.lora_rank is None else ("weight",)
    bias = builder.weights.bias if layer.use_bias else None
    y = linear(builder, x, builder.weights.kernel.T, bias, frozen)
    if layer.lora_rank is not None:
        first = builder.parameter(flat_rows(x, builder.weights.lora_kernel_a), "lora_a")
        second = builder.parameter(builder.weights.lora_kernel_b, "lora_b")
        delta = Binary("@", Binary("@", x, first), second)
        y = builder.expr(Binary("+", y, delta), y, layout="any" if x.rank == 2 else "keras")
    return activation(builder, layer.activation, y)


def floating(builder: LayerBuilder, x: Tensor) -> Tensor:
    """``x`` in the layer's dtype where it holds integers or truth values."""
    if is_floating(x.dtype):
        return x
    wanted = builder.compute_dtype
    return builder.method(x, "to", Name(f"torch.{wanted}"), dtype=wanted)


def linear(
    builder: LayerBuilder,
    x: Tensor,
    weight: WeightExpr,
    bias: WeightExpr | None,
    frozen: tuple[str, ...] = (),
) -> Tensor:
    """`nn.Linear` over the last axis of ``x``.

    Args:
        builder: The call's builder.
        x: What it reads; after a Flatten the weight's columns follow its order.
        weight: Of shape (output, input).
        bias: Of shape (output,), or None.
        frozen: Which of ``weight`` and ``bias`` are not trained.
    """
    units = weight.shape[0]
    unfolded = builder.class_builder.feature_shapes.get(builder.node)
    y = builder.tensor((*x.shape[:-1], units), x.dtype, flat=unfolded)
    rows = map_layout(flat_rows(x, weight.T), lambda kernel: flat_rows(y, kernel.T))
    params: dict[str, WeightExpr | ByLayout] = {"weight": rows}
    said: dict[str, Any] = {} if bias is not None else {"bias": False}
    if bias is not None:
        params["bias"] = flat_rows(y, bias)
    module = builder.module("nn.Linear", x.shape[-1], units, params=params, frozen=frozen, **said)
    builder.apply(module, x, layout="any" if x.rank == 2 else "keras", into=y)
    return y


@lower(Embedding)
def embedding(layer: Embedding | ReversibleEmbedding, builder: LayerBuilder, x: Tensor) -> Tensor:
    """`nn.Embedding`; as in Keras, row 0 is an ordinary row and the mask marks the padding."""
    out = (*x.shape, layer.output_dim)
    ids = x if x.dtype in INDEX_DTYPES else builder.method(x, "int", layout="keras", dtype="int32")
    frozen = () if layer.lora_rank is None else ("weight",)
    params: dict[str, WeightExpr | ByLayout] = {"weight": builder.weights.embeddings}
    table = builder.module(
        "nn.Embedding", layer.input_dim, layer.output_dim, params=params, frozen=frozen
    )
    y = builder.apply(table, ids, shape=out, layout="keras", dtype=builder.compute_dtype)
    y.flat = None
    if layer.lora_rank is not None:
        first = builder.parameter(builder.weights.lora_embeddings_a, "lora_a")
        second = builder.parameter(builder.weights.lora_embeddings_b, "lora_b")
        delta = Binary("@", Call("F.embedding", (ids, first)), second)
        y = builder.expr(Binary("+", y, delta), y, layout="keras")
    if layer.mask_zero:
        mask = Tensor(x.shape, "bool", f"{builder.node.name}_mask")
        y.mask = builder.step(Binary("!=", x, 0), mask, layout="keras")
    return y


@lower(ReversibleEmbedding)
def reversible_embedding(
    layer: ReversibleEmbedding, builder: LayerBuilder, x: Tensor, reverse: bool = False
) -> Tensor:
    """`nn.Embedding`, whose matrix a reverse call multiplies with unless it has its own."""
    if not layer.tie_weights:
        own = builder.module(
            "nn.Linear",
            layer.output_dim,
            layer.input_dim,
            params={"weight": builder.weights.reverse_embeddings.T},
            suffix="reverse",
            bias=False,
        )
    if not reverse:
        vectors: Tensor = embedding(layer, builder, x)
        return vectors
    frozen = () if layer.lora_rank is None else ("weight",)
    table = builder.module(
        "nn.Embedding",
        layer.input_dim,
        layer.output_dim,
        params={"weight": builder.weights.embeddings},
        frozen=frozen,
    )
    weight: Any = Attr(SelfAttr((table if layer.tie_weights else own).attr), "weight")
    if layer.lora_rank is not None:
        factors = (
            builder.parameter(builder.weights[f"lora_embeddings_{which}"], f"lora_{which}")
            for which in "ab"
        )
        weight = Binary("+", weight, Binary("@", *factors))
    dtype = layer.reverse_dtype or x.dtype
    y = builder.tensor((*x.shape[:-1], layer.input_dim), dtype)
    if layer.reverse_dtype is None and not layer.tie_weights:
        builder.apply(own, x, layout="keras", into=y)
    else:
        value: Any = x
        if dtype not in (x.dtype, builder.dtype):
            value, weight = (Method(each, "to", (Name(f"torch.{dtype}"),)) for each in (x, weight))
        builder.step(Call("F.linear", (value, weight)), y, layout="keras", heavy=True)
    if layer.logit_soft_cap is None:
        return y
    cap = layer.logit_soft_cap
    soft = Binary("*", Call("torch.tanh", (Binary("/", y, cap),)), cap)
    return builder.expr(soft, y, layout="keras")


@lower(Masking)
def masking(layer: Masking, builder: LayerBuilder, x: Tensor) -> Tensor:
    """Steps that are all ``mask_value`` are masked and set to zero."""
    value = int(layer.mask_value) if layer.mask_value.is_integer() else layer.mask_value
    differs = Method(Binary("!=", x, value), "any", (), {"dim": axis(-1, x)})
    mask = Tensor(x.shape[:-1], "bool", f"{builder.node.name}_mask")
    builder.step(differs, mask, layout="keras")
    y = builder.tensor(x.shape, x.dtype, flat=x.flat)
    if value == 0 and x in builder.class_builder.model_inputs:
        builder.step(x, y)  # masked steps are zero already, and no gradient passes
    else:
        hidden = Unary("~", Method(mask, "unsqueeze", (-1,)))
        builder.step(Method(x, "masked_fill", (hidden, 0)), y, layout="keras")
    y.mask = mask
    return y


@lower(Identity)
def identity(layer: Identity, builder: LayerBuilder, x: Tensor) -> Tensor:
    return x


@lower(Activation)
def activation_layer(layer: Activation, builder: LayerBuilder, x: Tensor) -> Tensor:
    return activation(builder, layer.activation, x)
