"""PyTorch lowerings of the pooling layers."""

from __future__ import annotations

from typing import Any

from specfmt.fields.types import expand
from specfmt.layers.base import is_floating
from specfmt.layers.policies import HALVES
from specfmt.layers.pooling import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
    AdaptivePool,
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    GlobalPool,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
    Pool,
)
from specfmt.layers.sizes import same_padding, spatial_axes, spatial_sizes
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import (
    AxisSubscript,
    Binary,
    Call,
    Chain,
    Method,
    Name,
    Tensor,
    Unary,
    axis,
)
from specfmt.targets.torch.lowerings.operations import to_dtype
from specfmt.targets.torch.lowerings.padding import (
    compact,
    data_format,
    is_never_negative,
    layout_of,
    unpadded,
    when_channels,
)
from specfmt.targets.torch.registry import lower


@lower(MaxPooling1D)
@lower(MaxPooling2D)
@lower(MaxPooling3D)
def max_pool(layer: Pool, builder: LayerBuilder, x: Tensor, **_: object) -> Tensor:
    """`F.max_pool1d` and the like; both frameworks pad with minus infinity."""
    plan = SamePlan(layer, x)
    window = layer.window()
    if not plan.known:
        padded = Call(
            builder.helper("same_pad"), (x, *window), {"value": Unary("-", Name("math.inf"))}
        )
        return windowed(layer, builder, x, "max", {}, operand=padded)
    options, operand = plan.options(), x
    if not options:
        operand, options = zeros_as_padding(layer, builder, x)
    return plan.crop(builder, windowed(layer, builder, operand, "max", options, out=plan.out))


def zeros_as_padding(
    layer: Pool, builder: LayerBuilder, x: Tensor
) -> tuple[Tensor, dict[str, Any]]:
    """A `ZeroPadding` before the pooling as the pooling's ``padding=``, if it is equivalent.

    It is if the values are never negative: padding with zeros then has the same maximum as
    padding with minus infinity.

    Returns:
        The input before the `ZeroPadding`, or ``x``, and the options of the pooling.
    """
    pool, _ = layer.window()
    axes = spatial_axes(layer.rank, data_format(layer))
    source, padding = unpadded(builder, layer, x, axes)
    fits = all(2 * p <= k for p, k in zip(expand(padding, layer.rank), pool, strict=True))
    if padding and fits and is_never_negative(builder, source):
        return source, {"padding": padding}
    return x, {}


@lower(AveragePooling1D)
@lower(AveragePooling2D)
@lower(AveragePooling3D)
def average_pool(layer: Pool, builder: LayerBuilder, x: Tensor, **_: object) -> Tensor:
    """`F.avg_pool1d` and the like; the padding is not counted in the mean."""
    if layer.rank == 3 and x.dtype in HALVES:  # on a CPU, PyTorch has it only for float32
        y = average_pool(layer, builder, builder.method(x, "float", dtype="float32"))
        return builder.expr(to_dtype(y, x.dtype), y, dtype=x.dtype)
    plan = SamePlan(layer, x)
    if not plan.known:
        out = layer.output_shape(x.shape)
        helper = builder.helper("same_avg_pool")
        return builder.call(helper, x, *layer.window(), shape=out, layout=layout_of(layer))
    options = plan.options()
    if "padding" in options:
        options["count_include_pad"] = False
    return plan.crop(builder, windowed(layer, builder, x, "avg", options, out=plan.out))


def windowed(
    layer: Pool,
    builder: LayerBuilder,
    x: Tensor,
    kind: str,
    options: dict[str, Any],
    *,
    operand: Any = None,
    out: tuple[int | None, ...] | None = None,
) -> Tensor:
    """The call ``F.max_pool2d(x, 2)``.

    Args:
        layer: The layer.
        builder: Its builder.
        x: The input.
        kind: ``max`` or ``avg``.
        options: Further keyword arguments.
        operand: The argument of the call, if it is not ``x``.
        out: The output's shape, if it is not the layer's.
    """
    pool, strides = layer.window()
    stride = {} if strides == pool else {"stride": compact(strides)}
    name = {"max": "nn.MaxPool", "avg": "nn.AvgPool"}[kind]
    module = Call(f"{name}{layer.rank}d", (compact(pool),), stride | options)
    call = Call(
        f"F.{kind}_pool{layer.rank}d",
        (x if operand is None else operand, compact(pool)),
        stride | options,
    )
    return builder.expr(
        call,
        x,
        shape=out or layer.output_shape(x.shape),
        layout=layout_of(layer),
        module=module if operand is None else None,
    )


class SamePlan:
    """``padding="same"`` as arguments of PyTorch's poolings.

    PyTorch pads both ends equally, by up to half the window.  With a stride above 1, more padding
    at the end is expressed by ``ceil_mode``.  With stride 1, an even window is padded by one more
    element at the start, and the first output is dropped.

    Attributes:
        known: Whether the padding is known before run time.
        out: The pooled shape before the crop.
    """

    def __init__(self, layer: Pool, x: Tensor) -> None:
        pool, strides = layer.window()
        padding: str = getattr(layer, "padding")  # noqa: B009 (declared by the subclasses)
        self.padding: list[int] = []
        self.ceil = False
        self.crops: dict[int, Any] = {}
        self.known = True
        self.shape = layer.output_shape(x.shape)
        out = list(self.shape)
        axes = spatial_axes(layer.rank, data_format(layer)) if padding == "same" else range(0)
        for place, size, width, stride in zip(
            axes, spatial_sizes(x.shape, data_format(layer)), pool, strides, strict=False
        ):
            if stride == 1:
                self.padding.append(width // 2)
                if width % 2 == 0:
                    self.crops[place] = slice(1, None)
                    pooled = out[place]
                    out[place] = None if pooled is None else pooled + 1
                continue
            if size is None:  # the padding for all possible sizes
                totals = range(max(width - stride, 0), width)
                least, most = totals[0], totals[-1]
            else:
                least = most = sum(same_padding(size, width, stride) or (0, 0))
            self.known = self.known and least // 2 == most // 2
            self.ceil = self.ceil or least % 2 == 1 or least < most
            self.padding.append(least // 2)
        self.out = tuple(out)

    def options(self) -> dict[str, Any]:
        """Keyword arguments of the pooling call."""
        options: dict[str, Any] = {}
        if any(self.padding):
            options["padding"] = compact(tuple(self.padding))
        if self.ceil:
            options["ceil_mode"] = True
        return options

    def crop(self, builder: LayerBuilder, y: Tensor) -> Tensor:
        """Drop the outputs that the additional padding at the start caused."""
        if not self.crops:
            return y
        return builder.expr(AxisSubscript(y, self.crops, y.rank), y, shape=self.shape)


@lower(GlobalMaxPooling1D)
@lower(GlobalMaxPooling2D)
@lower(GlobalMaxPooling3D)
def global_max_pool(layer: GlobalPool, builder: LayerBuilder, x: Tensor, **_: object) -> Tensor:
    """``x.amax(dim=(2, 3))``."""
    return reduced(layer, builder, x, "amax", "Max")


@lower(GlobalAveragePooling2D)
@lower(GlobalAveragePooling3D)
def global_average_pool(layer: GlobalPool, builder: LayerBuilder, x: Tensor, **_: object) -> Tensor:
    """``x.mean(dim=(2, 3))``."""
    return reduced(layer, builder, x, "mean", "Avg")


@lower(GlobalAveragePooling1D)
def global_average_pool_1d(
    layer: GlobalPool, builder: LayerBuilder, x: Tensor, mask: Tensor | None = None, **_: object
) -> Tensor:
    """The mean of the unmasked steps; nan if all steps are masked, as in Keras."""
    mask = x.mask if mask is None else mask
    if mask is None:
        return reduced(layer, builder, x, "mean", "Avg")
    (steps,) = spatial_axes(1, data_format(layer))
    shape = list(x.shape)
    shape[3 - steps] = 1
    kept = Tensor(tuple(shape), "bool", "kept", keeps_name=True)
    builder.step(AxisSubscript(mask, {3 - steps: None}, 3), kept)
    options: dict[str, Any] = {"dim": axis(steps, x)} | (
        {"keepdim": True} if layer.keepdims else {}
    )
    out = layer.output_shape(x.shape)
    total = builder.method(
        builder.method(x, "masked_fill", Unary("~", kept), 0), "sum", shape=out, **options
    )
    total.name = f"{builder.node.name}_total"
    return builder.expr(Binary("/", total, Method(kept, "sum", (), options)), x, shape=out)


def reduced(layer: GlobalPool, builder: LayerBuilder, x: Tensor, method: str, kind: str) -> Tensor:
    """``x.mean(dim=(2, 3))``, in either layout."""
    dims = tuple(axis(place, x) for place in spatial_axes(layer.rank, data_format(layer)))
    options: dict[str, Any] = {"keepdim": True} if layer.keepdims else {}
    if method == "mean" and not is_floating(x.dtype):
        x = builder.method(x, "float", dtype="float32")
    pool = Call(f"nn.Adaptive{kind}Pool{layer.rank}d", (1,))
    return builder.method(
        x,
        method,
        shape=layer.output_shape(x.shape),
        module=when_channels(layer, pool if layer.keepdims else Chain((pool, Call("nn.Flatten")))),
        dim=dims[0] if len(dims) == 1 else dims,
        **options,
    )


@lower(AdaptiveMaxPooling1D)
@lower(AdaptiveMaxPooling2D)
@lower(AdaptiveMaxPooling3D)
def adaptive_max_pool(layer: AdaptivePool, builder: LayerBuilder, x: Tensor) -> Tensor:
    """``F.adaptive_max_pool2d(x, 7)``; both frameworks use the same windows."""
    return adaptive(layer, builder, x, "Max")


@lower(AdaptiveAveragePooling1D)
@lower(AdaptiveAveragePooling2D)
@lower(AdaptiveAveragePooling3D)
def adaptive_average_pool(layer: AdaptivePool, builder: LayerBuilder, x: Tensor) -> Tensor:
    """``F.adaptive_avg_pool2d(x, 7)``."""
    return adaptive(layer, builder, x, "Avg")


def adaptive(layer: AdaptivePool, builder: LayerBuilder, x: Tensor, kind: str) -> Tensor:
    """The pooling, as a function or a module."""
    size = compact(expand(layer.output_size, layer.rank))
    return builder.expr(
        Call(f"F.adaptive_{kind.lower()}_pool{layer.rank}d", (x, size)),
        x,
        shape=layer.output_shape(x.shape),
        layout=layout_of(layer),
        module=Call(f"nn.Adaptive{kind}Pool{layer.rank}d", (size,)),
    )
