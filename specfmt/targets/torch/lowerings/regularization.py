"""PyTorch lowerings of dropout and noise layers, which are the identity at inference."""

from __future__ import annotations

from math import sqrt

from specfmt.layers.regularization import (
    ActivityRegularization,
    AlphaDropout,
    Dropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Call, Layout, PerAxis, SelfAttr, Size, Tensor
from specfmt.targets.torch.registry import TargetError, lower


@lower(Dropout)
def dropout(layer: Dropout, builder: LayerBuilder, x: Tensor) -> Tensor:
    if layer.rate == 0:
        return x
    if layer.noise_shape is not None and 1 in layer.noise_shape:
        return shared_dropout(builder, x, layer.rate, layer.noise_shape)
    module = Call("nn.Dropout", (layer.rate,))
    return builder.call("F.dropout", x, layer.rate, SelfAttr("training"), module=module)


def shared_dropout(
    builder: LayerBuilder,
    x: Tensor,
    rate: float,
    noise_shape: tuple[int | None, ...],
) -> Tensor:
    """Dropout with one mask along each axis that has size 1 in ``noise_shape``."""
    return _shared(builder, "shared_dropout", x, rate, noise_shape)


def _shared(
    builder: LayerBuilder,
    function: str,
    x: Tensor,
    rate: float,
    noise_shape: tuple[int | None, ...],
) -> Tensor:
    """Call a helper that takes the shape of the dropout mask."""
    sizes = tuple(
        1 if noise == 1 else size if size is not None else Size(x, k)
        for k, (noise, size) in enumerate(zip(noise_shape, x.shape, strict=True))
    )
    layout: Layout = "any" if x.flat is None else "keras"
    flag = SelfAttr("training")
    return builder.call(builder.helper(function), x, rate, PerAxis(sizes), flag, layout=layout)


@lower(SpatialDropout1D)
def spatial_dropout1d(layer: SpatialDropout1D, builder: LayerBuilder, x: Tensor) -> Tensor:
    """One mask for all time steps; `F.dropout1d` would need the features at axis 1."""
    if layer.rate == 0:
        return x
    return shared_dropout(builder, x, layer.rate, (None, 1, None))


@lower(SpatialDropout2D)
@lower(SpatialDropout3D)
def spatial_dropout(
    layer: SpatialDropout2D | SpatialDropout3D,
    builder: LayerBuilder,
    x: Tensor,
) -> Tensor:
    if layer.rate == 0:
        return x
    layout: Layout = "keras" if layer.data_format == "channels_first" else "channels"
    rank = x.rank - 2
    module = Call(f"nn.Dropout{rank}d", (layer.rate,))
    flag = SelfAttr("training")
    return builder.call(f"F.dropout{rank}d", x, layer.rate, flag, layout=layout, module=module)


@lower(GaussianNoise)
def gaussian_noise(layer: GaussianNoise, builder: LayerBuilder, x: Tensor) -> Tensor:
    if layer.stddev == 0:
        return x
    return builder.call(builder.helper("gaussian_noise"), x, layer.stddev, SelfAttr("training"))


@lower(GaussianDropout)
def gaussian_dropout(layer: GaussianDropout, builder: LayerBuilder, x: Tensor) -> Tensor:
    if layer.rate == 1:
        raise TargetError(
            "expected a rate below 1, received 1, at which the noise has infinite variance",
            "choose a rate below 1",
            "rate",
        )
    if layer.rate == 0:
        return x
    stddev = sqrt(layer.rate / (1 - layer.rate))
    return builder.call(builder.helper("gaussian_dropout"), x, stddev, SelfAttr("training"))


@lower(AlphaDropout)
def alpha_dropout(layer: AlphaDropout, builder: LayerBuilder, x: Tensor) -> Tensor:
    """`F.alpha_dropout` has the same constants (`aten/src/ATen/native/Dropout.cpp`)."""
    if layer.rate == 1:
        raise TargetError(
            "expected a rate below 1, received 1, with which Keras cannot train either",
            "choose a rate below 1",
            "rate",
        )
    if layer.rate == 0:
        return x
    if layer.noise_shape is not None and 1 in layer.noise_shape:
        return _shared(builder, "shared_alpha_dropout", x, layer.rate, layer.noise_shape)
    module = Call("nn.AlphaDropout", (layer.rate,))
    return builder.call("F.alpha_dropout", x, layer.rate, SelfAttr("training"), module=module)


@lower(ActivityRegularization)
def activity_regularization(
    _layer: ActivityRegularization, _builder: LayerBuilder, x: Tensor
) -> Tensor:
    """The input itself; the module `activity` adds the penalty in training scripts."""
    return x
