"""PyTorch lowerings of the normalization layers."""

from __future__ import annotations

from typing import Any

from specfmt.layers.base import is_floating
from specfmt.layers.normalization import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
    UnitNormalization,
    normal_axes,
    sized_axes,
)
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import (
    Axis,
    Binary,
    Call,
    Expr,
    Layout,
    Method,
    SelfAttr,
    Tensor,
    axis,
)
from specfmt.targets.torch.params import ByLayout, WeightExpr, constant, flat_rows
from specfmt.targets.torch.registry import TargetError, lower
from specfmt.targets.torch.steps import ModuleDef

UNBIASED = "PyTorch averages the unbiased variance, Keras the biased one."
SYNCHRONIZED = (
    "Keras synchronizes the statistics of all devices: under DistributedDataParallel use "
    "nn.SyncBatchNorm.convert_sync_batchnorm."
)

Params = dict[str, WeightExpr | ByLayout]


def affine(builder: LayerBuilder, x: Tensor, size: int) -> tuple[Params, dict[str, Any]]:
    """``weight`` and ``bias`` of a stock module, which has both or neither (``affine``).

    If Keras has only one of them, the other is a frozen constant.

    Args:
        builder: The layer's builder.
        x: The input, whose feature order the vectors get.
        size: The number of features.

    Returns:
        The parameters, and ``affine=False`` if there are none.
    """
    names = {"weight": ("gamma", 1.0), "bias": ("beta", 0.0)}
    if not any(keras in builder.weights for keras, _ in names.values()):
        return {}, {"affine": False}
    return {
        name: flat_rows(x, builder.weights[keras])
        if keras in builder.weights
        else constant(value, size)
        for name, (keras, value) in names.items()
    }, {}


def per_channel(
    builder: LayerBuilder, module: ModuleDef, x: Tensor, k: int, rank: int | None, *args: Any
) -> Tensor:
    """Call a module that takes its channels at axis 1.

    Args:
        builder: The layer's builder.
        module: The module.
        x: Its input.
        k: Keras's number of the channel axis, from 0.
        rank: The number of axes that the module takes; None for any number.
        args: Further arguments of the call, in the layout of ``x``.
    """
    fits = rank in (None, x.rank)
    if x.rank == 2 and k == 1:
        return builder.apply(module, x, *args)
    if k in (1, x.rank - 1) and fits:
        return builder.apply(module, x, *args, layout="keras" if k == 1 else "channels")
    # The channels are swapped with axis 1, since all other axes are treated alike.
    inside: Expr | Tensor = x if k in (1, x.rank - 1) else Method(x, "transpose", (1, k))
    whole = inside if fits else Method(inside, "flatten", (2,))
    result: Expr = Call(SelfAttr(module.attr), (whole, *args))
    if not fits:
        result = Method(result, "view_as", (inside,))
    if inside is not x:
        result = Method(result, "transpose", (1, k))
    y = builder.tensor(x.shape, x.dtype)
    layout: Layout = "channels" if k == x.rank - 1 else "keras"
    builder.step(result, y, layout=layout, module_def=module)
    return y


@lower(BatchNormalization)
def batch_normalization(
    layer: BatchNormalization,
    builder: LayerBuilder,
    x: Tensor,
    mask: Tensor | None = None,
) -> Tensor:
    """`nn.BatchNorm1d`, `2d` or `3d`, or a helper for masks, renorm and exact training."""
    (features,) = sized_axes(layer.axis, x.shape)
    (k,) = normal_axes(layer.axis, x.shape)
    mask = mask or x.mask
    if not is_floating(x.dtype):
        x = builder.method(x, "float", dtype="float32")
    params, switch = affine(builder, x, features)
    params["running_mean"] = flat_rows(x, builder.weights.moving_mean)
    params["running_var"] = flat_rows(x, builder.weights.moving_variance)
    kwargs: dict[str, Any] = {"eps": layer.epsilon, "momentum": rounded(1 - layer.momentum)}
    kwargs |= switch
    trains = builder.trainable
    if not trains:
        kwargs["stays_eval"] = True
    if trains and layer.renorm:
        return renormalize(layer, builder, x, k, mask, params, kwargs)
    if trains and mask is not None:
        module = builder.module(
            builder.helper("MaskedBatchNorm"), features, params=params, **kwargs
        )
        return per_channel(builder, module, x, k, None, expanded(builder, mask, x, k))
    if trains and builder.class_builder.fidelity == "exact":
        module = builder.module(builder.helper("BatchNorm"), features, params=params, **kwargs)
        return per_channel(builder, module, x, k, None)
    if trains:
        kwargs["comment"] = SYNCHRONIZED if layer.synchronized else UNBIASED
    rank = min(max(x.rank, 3), 5)
    name = {3: "nn.BatchNorm1d", 4: "nn.BatchNorm2d", 5: "nn.BatchNorm3d"}[rank]
    if x.rank > 5:
        rank, name = 3, "nn.BatchNorm1d"
    module = builder.module(name, features, params=params, **kwargs)
    return per_channel(builder, module, x, k, rank if x.rank > 2 else None)


def rounded(value: float) -> float:
    """Remove rounding errors: 1 - 0.99 becomes 0.01."""
    return float(f"{value:.12g}")


def expanded(builder: LayerBuilder, mask: Tensor, x: Tensor, k: int) -> Tensor:
    """A mask without the last axis, with an axis of size 1 added.

    Raises:
        TargetError: The mask does not fit; Keras would refuse it too.
    """
    if mask.rank != x.rank - 1:
        raise TargetError(
            f"expected a mask of {x.rank - 1} axes, received {mask.rank}",
            "remove the mask before this layer",
        )
    if k not in (1, x.rank - 1):
        raise TargetError(
            f"expected the last axis for a masked input, received axis {k} of {x.rank}",
            "normalize the last axis",
            "axis",
        )
    m = builder.tensor((*mask.shape, 1), "bool")
    m.name = "mask"
    last = Axis(x.rank - 1, x.rank)
    layout: Layout = "channels" if mask.rank == 2 and k == 2 else "keras"
    builder.step(Method(mask, "unsqueeze", (last,)), m, layout=layout)
    return m


def renormalize(
    layer: BatchNormalization,
    builder: LayerBuilder,
    x: Tensor,
    k: int,
    mask: Tensor | None,
    params: Params,
    kwargs: dict[str, Any],
) -> Tensor:
    """Batch renormalization by a helper module."""
    buffers = {
        "running_std": builder.weights.moving_stddev,
        "renorm_mean": builder.weights.renorm_mean,
        "renorm_std": builder.weights.renorm_stddev,
    }
    params |= {name: flat_rows(x, weight) for name, weight in buffers.items()}
    limits = layer.renorm_clipping or {}
    kwargs["renorm_momentum"] = rounded(1 - layer.renorm_momentum)
    kwargs |= {name: limits[name] for name in ("rmin", "rmax", "dmax") if name in limits}
    features = x.shape[k]
    module = builder.module(
        builder.helper("BatchRenorm"), features, params=params, buffers=tuple(buffers), **kwargs
    )
    args = () if mask is None else (expanded(builder, mask, x, k),)
    return per_channel(builder, module, x, k, None, *args)


def check_floating(x: Tensor) -> None:
    """Refuse integers, for which Keras truncates the result to integers.

    Raises:
        TargetError: The input is not floating-point.
    """
    if not is_floating(x.dtype):
        raise TargetError(
            f"expected a floating-point input, received {x.dtype}",
            "cast the input first, for example by a Rescaling layer",
        )


def trailing(builder: LayerBuilder, module: ModuleDef, x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Call a module that normalizes the last axes; Keras's ``axes`` are moved there."""
    if x.rank == 2 and axes == (1,):
        return builder.apply(module, x)
    last = tuple(range(x.rank - len(axes), x.rank))
    if axes == last:
        return builder.apply(module, x, layout="keras")
    one = len(axes) == 1
    source, target = (axes[0], -1) if one else (axes, tuple(n - x.rank for n in last))
    moved = Method(x, "movedim", (source, target))
    y = builder.tensor(x.shape, x.dtype)
    back = Method(Call(SelfAttr(module.attr), (moved,)), "movedim", (target, source))
    builder.step(back, y, layout="keras", module_def=module)
    return y


def along(
    builder: LayerBuilder, name: str, x: Tensor, axes: tuple[int, ...]
) -> WeightExpr | ByLayout:
    """A weight along the given axes.

    Keras's weight has the axes as they are listed, but is used, row-major, in ascending order of
    the axes.  A vector gets the feature order of ``x``.
    """
    sizes = tuple(x.shape[k] or 1 for k in sorted(axes))
    return (
        flat_rows(x, builder.weights[name])
        if len(axes) == 1
        else builder.weights[name].reshape(*sizes)
    )


@lower(LayerNormalization)
def layer_normalization(layer: LayerNormalization, builder: LayerBuilder, x: Tensor) -> Tensor:
    """`nn.LayerNorm` over the last axes; other axes are moved there."""
    check_floating(x)
    axes = normal_axes(layer.axis, x.shape)
    if layer.rms_scaling:
        return scale_by_deviation(layer, builder, x, axes)
    ordered = tuple(sorted(axes))
    shape: Any = tuple(x.shape[k] for k in ordered)
    if None in shape:
        return normalize_unknown(layer, builder, x, ordered)
    kwargs: dict[str, Any] = {"eps": layer.epsilon}
    params: Params = {}
    if layer.scale:
        params["weight"] = along(builder, "gamma", x, axes)
    elif layer.center:
        params["weight"] = constant(1.0, *shape)
    if layer.center:
        params["bias"] = along(builder, "beta", x, axes)
    elif layer.scale:
        kwargs["bias"] = False
    else:
        kwargs["elementwise_affine"] = False
    size = shape[0] if len(shape) == 1 else list(shape)
    module = builder.module("nn.LayerNorm", size, params=params, heavy=False, **kwargs)
    return trailing(builder, module, x, ordered)


def dims(x: Tensor, axes: tuple[int, ...]) -> Any:
    """Axes as PyTorch's ``dim`` argument."""
    return axis(axes[0], x) if len(axes) == 1 else tuple(axis(k, x) for k in axes)


def normalize_unknown(
    layer: LayerNormalization, builder: LayerBuilder, x: Tensor, axes: tuple[int, ...]
) -> Tensor:
    """Layer normalization without weights over axes of unknown size."""
    where = {"dim": dims(x, axes), "keepdim": True}
    centered = builder.expr(Binary("-", x, Method(x, "mean", (), where)), x)
    spread = Method(centered, "var", (), {**where, "correction": 0})
    inverse = Call("torch.rsqrt", (Binary("+", spread, layer.epsilon),))
    return builder.expr(Binary("*", centered, inverse), centered)


def scale_by_deviation(
    layer: LayerNormalization, builder: LayerBuilder, x: Tensor, axes: tuple[int, ...]
) -> Tensor:
    """Keras's deprecated ``rms_scaling``: division by the standard deviation, without centering."""
    spread = Method(x, "var", (), {"dim": dims(x, axes), "correction": 0, "keepdim": True})
    inverse = Call("torch.rsqrt", (Binary("+", spread, layer.epsilon),))
    y = builder.tensor(x.shape, x.dtype, flat=x.flat)
    gamma = along(builder, "gamma", x, axes)
    if not isinstance(gamma, ByLayout):
        first = min(axes)
        full = tuple((x.shape[k] or 1) if k in axes else 1 for k in range(first, x.rank))
        gamma = builder.aligned(gamma.reshape(*full), y)
    scale = Binary("*", inverse, builder.parameter(gamma, "weight"))
    builder.step(Binary("*", x, scale), y, same_line=True)
    return y


@lower(GroupNormalization)
def group_normalization(layer: GroupNormalization, builder: LayerBuilder, x: Tensor) -> Tensor:
    """`nn.GroupNorm` with the channels at axis 1."""
    check_floating(x)
    (channels,) = sized_axes(layer.axis, x.shape)
    (k,) = normal_axes(layer.axis, x.shape)
    params, switch = affine(builder, x, channels)
    groups = channels if layer.groups == -1 else layer.groups
    others = [size for axis, size in enumerate(x.shape) if axis not in (0, k)]
    single = groups == channels and all(size in (1, None) for size in others)
    kind = builder.helper("AnyGroupNorm") if single else "nn.GroupNorm"
    module = builder.module(kind, groups, channels, params=params, eps=layer.epsilon, **switch)
    if x.rank == 2:
        # A group is adjacent features in Keras's order.
        return builder.apply(module, x, layout="keras")
    return per_channel(builder, module, x, k, None)


@lower(RMSNormalization)
def rms_normalization(layer: RMSNormalization, builder: LayerBuilder, x: Tensor) -> Tensor:
    """`nn.RMSNorm` over the last axes; Keras's scale always applies to the last axes."""
    check_floating(x)
    axes = tuple(sorted(normal_axes(layer.axis, x.shape)))
    weight = builder.weights.scale
    if axes != tuple(range(x.rank - len(axes), x.rank)):
        y = builder.tensor(x.shape, x.dtype, flat=x.flat)
        scale = builder.parameter(builder.aligned(weight, y), "weight")
        power = Method(Method(x, "square"), "mean", (), {"dim": dims(x, axes), "keepdim": True})
        inverse = Call("torch.rsqrt", (Binary("+", power, layer.epsilon),))
        builder.step(Binary("*", Binary("*", x, inverse), scale), y, same_line=True)
        return y
    params: Params = {"weight": flat_rows(x, weight)}
    size = weight.shape[0] if len(axes) == 1 else list(weight.shape)
    module = builder.module("nn.RMSNorm", size, params=params, heavy=False, eps=layer.epsilon)
    return builder.apply(module, x, layout="any" if x.rank == 2 else "keras")


@lower(UnitNormalization)
def unit_normalization(layer: UnitNormalization, builder: LayerBuilder, x: Tensor) -> Tensor:
    """`F.normalize` for one axis, its formula for several."""
    check_floating(x)
    axes = tuple(sorted(set(normal_axes(layer.axis, x.shape))))
    if len(axes) == 1:
        return builder.call("F.normalize", x, dim=dims(x, axes))
    norm = Call("torch.linalg.vector_norm", (x,), {"dim": dims(x, axes), "keepdim": True})
    return builder.expr(Binary("/", x, Method(norm, "clamp", (), {"min": 1e-12})), x)
