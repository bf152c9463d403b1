"""PyTorch lowerings of multi-head attention: helper modules around
`F.scaled_dot_product_attention`."""

from __future__ import annotations

from functools import reduce
from math import prod
from typing import Any

from specfmt.layers.attention import GroupQueryAttention, HeadsAttention, MultiHeadAttention
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Attr, Binary, Call, Method, SelfAttr, Size, Subscript, Tensor
from specfmt.targets.torch.params import ByLayout, WeightExpr
from specfmt.targets.torch.registry import TargetError, lower
from specfmt.targets.torch.steps import ModuleDef
from specfmt.vocab.base import CUSTOM

ALL = slice(None)


def boolean(mask: Tensor) -> Any:
    """A mask as booleans."""
    return mask if mask.dtype == "bool" else Method(mask, "bool")


def step(
    builder: LayerBuilder, expr: Any, shape: tuple[int | None, ...], dtype: str, name: str
) -> Tensor:
    """Add a step in Keras's axis order, whose output has its own variable ``name``."""
    y: Tensor = builder.tensor(shape, dtype, keeps_name=True)
    y.name = name
    builder.step(expr, y, layout="keras")
    return y


def linear(
    builder: LayerBuilder, keras: str, name: str, rows: int
) -> dict[str, WeightExpr | ByLayout]:
    """The parameters of a projection as an `nn.Linear` with ``rows`` input features."""
    params: dict[str, WeightExpr | ByLayout] = {
        f"{name}.weight": builder.weights[f"{keras}/kernel"].reshape(rows, -1).T
    }
    if f"{keras}/bias" in builder.weights:
        params[f"{name}.bias"] = builder.weights[f"{keras}/bias"].reshape(-1)
    return params


def head_mask(
    builder: LayerBuilder,
    query: Tensor,
    key: Tensor,
    masks: list[Tensor | None],
    attention_mask: Tensor | None,
    *,
    causal: bool,
    window: int | None,
) -> Tensor | None:
    """Combine all masks to one of shape (N, 1, T, S), as Keras does; None if there are none.

    Args:
        builder: The layer's builder.
        query, key: The query (N, T, ...) and the key (N, S, ...).
        masks: The masks of query, value and key.
        attention_mask: The call's ``attention_mask``.
        causal: Whether steps only attend to earlier steps.
        window: Keras's ``sliding_window``.

    Raises:
        TargetError: Keras cannot combine the masks either.
    """
    lengths = (query.shape[1], key.shape[1])
    known: Any = (query, key) if None in lengths else lengths
    memo = ("head_mask", known, *masks, attention_mask, causal, window)
    if memo in builder.class_builder.memo:
        return builder.class_builder.memo[memo]
    terms: list[Any] = []
    for index, mask in enumerate(masks):
        if mask is None or mask in masks[1:index]:
            continue
        if mask.rank != 2 or (attention_mask is not None and attention_mask.rank != 3):
            raise TargetError(
                "expected masks of shape (N, T) and an attention mask of shape (N, T, S), "
                "received other ranks, which Keras cannot combine",
                "remove the mask before this layer, or use an attention mask of shape (N, T, S)",
            )
        where = (ALL, None, ALL, None) if index == 0 else (ALL, None, None, ALL)
        terms.append(Subscript(boolean(mask), where))
    if causal:
        terms.append(Call(builder.helper("causal_mask"), (query, key)))
    if window is not None:
        terms.append(Call(builder.helper("window_mask"), (query, key, window)))
    if attention_mask is not None:
        terms.insert(0, over_heads(attention_mask, 1, 0))
    if not terms:
        return None
    whole = reduce(lambda left, right: Binary("&", left, right), terms)
    result = step(builder, whole, (query.shape[0], 1, *lengths), "bool", "mask")
    builder.class_builder.memo[memo] = result
    return result


def over_heads(mask: Tensor, axes: int, others: int) -> Any:
    """Merge the attention axes of a mask (N, T..., S...) and add an axis for the heads.

    Args:
        mask: Keras's mask.
        axes: The number of attention axes.
        others: The number of other axes besides the batch.

    Raises:
        TargetError: The mask has too few or too many axes.
    """
    given = mask.rank - 2 * axes
    missing = 2 + others - given
    if given < 1 or missing < 0:
        raise TargetError(
            f"expected an attention mask of {1 + 2 * axes} to {2 + others + 2 * axes} axes, "
            f"received {mask.rank}",
            "use a mask of shape (N, T, S)",
        )
    result = boolean(mask)
    if axes > 1:
        result = Method(Method(result, "flatten", (-axes, -1)), "flatten", (-1 - axes, -2))
    for _ in range(missing):
        result = Method(result, "unsqueeze", (-3,))
    return result


def call_heads(
    builder: LayerBuilder,
    module: ModuleDef,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    out: int,
    heads: int,
    *,
    scored: bool,
    causal: bool,
) -> tuple[Tensor, Tensor | None]:
    """Call a helper module; returns the output, and the attention weights if ``scored``."""
    kwargs: dict[str, Any] = {}
    if mask is not None:
        kwargs["mask"] = mask
    elif causal and not scored:
        kwargs["is_causal"] = True
    y = builder.tensor((*query.shape[:-1], out))
    expr = Call(SelfAttr(module.attr), (query, key, value), kwargs)
    if not scored:
        builder.step(expr, y, layout="keras", module_def=module, heavy=True)
        return y, None
    weights = builder.tensor((*query.shape[:-2], heads, query.shape[-2], key.shape[-2]))
    weights.name = f"{builder.node.name}_weights"
    builder.step(expr, y, weights, layout="keras", module_def=module, heavy=True)
    return y, weights


def penalize_parts(
    layer: MultiHeadAttention | GroupQueryAttention,
    builder: LayerBuilder,
    module: ModuleDef,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    y: Tensor,
) -> None:
    """Add the penalties of the projections, to which Keras passes the activity regularizer.

    Raises:
        TargetError: The regularizer is a user-defined function (SF304).
    """
    term = layer.activity_regularizer
    if term is None or not builder.class_builder.trains:
        return
    if term.type == CUSTOM:
        raise TargetError(
            f"a user-defined activity regularizer of the projections in {layer.type_name} has no "
            "PyTorch form",
            "use L1, L2 or L1L2",
            "activity_regularizer",
            "SF304",
        )
    projections = [("query", query), ("key", key), ("value", value)]
    projections += [("gate", query)] if layer.use_gate else []
    for name, x in projections:
        part = Tensor((*x.shape[:-1], None), x.dtype, f"{builder.node.name}_{name}")
        expr: Any = Call(Attr(SelfAttr(module.attr), name), (x,))
        if name == "gate":
            expr = Call("torch.sigmoid", (expr,))
        builder.step(expr, part, layout="keras")
        builder.penalize(term, part)
    builder.penalize(term, y)


def options(layer: HeadsAttention, *, bias: bool) -> dict[str, Any]:
    """The constructor arguments that all helper modules take."""
    kwargs: dict[str, Any] = {}
    if layer.dropout:
        kwargs["dropout"] = layer.dropout
    return kwargs if bias else kwargs | {"bias": False}


def variant(name: str, *, gate: bool, scored: bool) -> str:
    """The name of a helper class with a gate or with returned attention weights."""
    return f"{'Gated' if gate else ''}{'Scored' if scored else ''}{name}"


@lower(MultiHeadAttention)
def multi_head_attention(
    layer: MultiHeadAttention,
    builder: LayerBuilder,
    query: Tensor,
    value: Tensor,
    key: Tensor | None = None,
    query_mask: Tensor | None = None,
    value_mask: Tensor | None = None,
    key_mask: Tensor | None = None,
    attention_mask: Tensor | None = None,
    return_attention_scores: bool = False,
    use_causal_mask: bool = False,
) -> Any:
    """A helper module: projections around `F.scaled_dot_product_attention`.

    Keras overwrites ``query_mask`` with the query's own mask.
    """
    key_mask = key_mask or (key.mask if key is not None else None)
    key = value if key is None else key
    masks = [query.mask, value_mask or value.mask, key_mask]
    axes = layer.axes(query.rank)
    causal, window = use_causal_mask, layer.sliding_window
    scored = return_attention_scores
    if query.rank == 3:
        alone = not scored and window is None and attention_mask is None and not any(masks)
        mask = None
        if not (causal and alone):
            mask = head_mask(
                builder, query, key, masks, attention_mask, causal=causal, window=window
            )
    else:
        if causal or window is not None or any(masks):
            raise TargetError(
                f"expected no mask of steps for inputs of {query.rank} axes, received one",
                "use an `attention_mask`, or remove the mask before this layer",
            )
        mask = None
        if attention_mask is not None:
            others = query.rank - 2 - len(axes)
            over = over_heads(attention_mask, len(axes), others)
            mask = step(builder, over, (None,) * (4 + others), "bool", "mask")
            # With more than three axes, Keras's output for a query without keys is zero.
            scored = scored or not layer.dropout
    sizes = layer.out(query.shape)
    module = heads_module(layer, builder, query, key, value, prod(sizes), scored=scored)
    moved = {x: arranged(builder, x, tuple(sorted(axes))) for x in (query, key, value)}
    y, weights = call_heads(
        builder,
        module,
        moved[query],
        moved[key],
        moved[value],
        mask,
        prod(sizes),
        layer.num_heads,
        scored=scored,
        causal=causal,
    )
    penalize_parts(layer, builder, module, moved[query], moved[key], moved[value], y)
    y = restored(builder, y, query, tuple(sorted(axes)))
    if len(sizes) > 1:
        out = (*query.shape[:-1], *sizes)
        y = builder.method(y, "unflatten", -1, sizes, shape=out, layout="keras")
    if not return_attention_scores:
        return y
    if len(axes) > 1:
        if tuple(sorted(axes)) != axes:
            raise TargetError(
                f"expected sorted attention_axes to return scores, received {list(axes)}",
                "sort the axes",
                "attention_axes",
            )
        weights = spread(builder, weights, query, key, axes)
    return y, weights


def heads_module(
    layer: MultiHeadAttention,
    builder: LayerBuilder,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    out: int,
    *,
    scored: bool,
) -> ModuleDef:
    """The helper module of a layer."""
    dim, kdim, vdim = (x.shape[-1] or 0 for x in (query, key, value))
    kwargs: dict[str, Any] = {}
    if layer.value_size != layer.key_dim:
        kwargs["value_dim"] = layer.value_size
    for name, size in (("kdim", kdim), ("vdim", vdim), ("out_dim", out)):
        if size != dim:
            kwargs[name] = size
    kwargs |= options(layer, bias=layer.use_bias)
    params = {
        **linear(builder, "query", "query", dim),
        **linear(builder, "key", "key", kdim),
        **linear(builder, "value", "value", vdim),
        **linear(builder, "attention_output", "output", layer.num_heads * layer.value_size),
    }
    if layer.use_gate:
        params |= linear(builder, "gate", "gate", dim)
    helper = builder.helper(variant("MultiHeadAttention", gate=layer.use_gate, scored=scored))
    return builder.module(helper, dim, layer.num_heads, layer.key_dim, params=params, **kwargs)


def arranged(builder: LayerBuilder, x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """``x`` with the attention axes merged to one, just before the features."""
    others = [k for k in range(1, x.rank - 1) if k not in axes]
    order = (0, *others, *axes, x.rank - 1)
    if len(axes) == 1 and order == tuple(range(x.rank)):
        return x
    expr: Any = x
    if order != tuple(range(x.rank)):
        expr = Method(expr, "permute", order)
    if len(axes) > 1:
        expr = Method(expr, "flatten", (-1 - len(axes), -2))
    steps = [x.shape[k] for k in axes]
    count = None if None in steps else prod(n or 1 for n in steps)
    shape = (x.shape[0], *(x.shape[k] for k in others), count, x.shape[-1])
    return step(builder, expr, shape, x.dtype, x.name)


def restored(builder: LayerBuilder, y: Tensor, query: Tensor, axes: tuple[int, ...]) -> Tensor:
    """The inverse of `arranged`; the number of features may differ."""
    rank = query.rank
    others = [k for k in range(1, rank - 1) if k not in axes]
    order = (0, *others, *axes, rank - 1)
    if len(axes) == 1 and order == tuple(range(rank)):
        return y
    expr: Any = y
    if len(axes) > 1:
        expr = Method(expr, "unflatten", (-2, sizes_of(query, axes)))
    if order != tuple(range(rank)):
        expr = Method(expr, "permute", tuple(order.index(k) for k in range(rank)))
    z = builder.tensor((*query.shape[:-1], y.shape[-1]))
    builder.step(expr, z, layout="keras")
    return z


def sizes_of(x: Tensor, axes: tuple[int, ...]) -> tuple[Any, ...]:
    """The sizes of some axes; sizes that are only known at run time are expressions."""
    return tuple(Size(x, k) if x.shape[k] is None else x.shape[k] for k in axes)


def spread(
    builder: LayerBuilder, weights: Tensor | None, query: Tensor, key: Tensor, axes: tuple[int, ...]
) -> Tensor:
    """The attention weights with the attention axes split again."""
    assert weights is not None
    expr = Method(weights, "unflatten", (-1, sizes_of(key, axes)))
    expr = Method(expr, "unflatten", (-1 - len(axes), sizes_of(query, axes)))
    found = (*(query.shape[k] for k in axes), *(key.shape[k] for k in axes))
    return step(builder, expr, (*weights.shape[:-2], *found), weights.dtype, weights.name)


@lower(GroupQueryAttention)
def group_query_attention(
    layer: GroupQueryAttention,
    builder: LayerBuilder,
    query: Tensor,
    value: Tensor,
    key: Tensor | None = None,
    query_mask: Tensor | None = None,
    value_mask: Tensor | None = None,
    key_mask: Tensor | None = None,
    attention_mask: Tensor | None = None,
    return_attention_scores: bool = False,
    use_causal_mask: bool = False,
) -> Any:
    """A helper module in which a group of query heads shares a key and value head."""
    key_mask = key_mask or (key.mask if key is not None else None)
    key = value if key is None else key
    masks = [query_mask or query.mask, value_mask or value.mask, key_mask]
    causal, window, scored = use_causal_mask, layer.sliding_window, return_attention_scores
    alone = not scored and window is None and attention_mask is None and not any(masks)
    mask = None
    if not (causal and alone):
        mask = head_mask(builder, query, key, masks, attention_mask, causal=causal, window=window)
    dim, kdim = query.shape[-1] or 0, key.shape[-1] or 0
    kwargs = options(layer, bias=layer.use_bias)
    if kdim != dim:
        kwargs["kdim"] = kdim
    heads = layer.num_query_heads
    params = {
        **linear(builder, "query", "query", dim),
        **linear(builder, "key", "key", kdim),
        **linear(builder, "value", "value", dim),
        **linear(builder, "attention_output", "output", heads * layer.head_dim),
    }
    if layer.use_gate:
        params |= linear(builder, "gate", "gate", dim)
    helper = builder.helper(variant("GroupQueryAttention", gate=layer.use_gate, scored=scored))
    module = builder.module(
        helper, dim, heads, layer.num_key_value_heads, layer.head_dim, params=params, **kwargs
    )
    y, weights = call_heads(
        builder, module, query, key, value, mask, dim, heads, scored=scored, causal=causal
    )
    penalize_parts(layer, builder, module, query, key, value, y)
    # Unlike MultiHeadAttention, the layer itself is penalized too.
    builder.penalize(layer.activity_regularizer, y, *((weights,) if weights else ()))
    return (y, weights) if scored else y
