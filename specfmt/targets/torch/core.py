"""PyTorch lowerings of the core layers."""

from __future__ import annotations

from specfmt.layers.core import Activation, Dense
from specfmt.targets.torch.builder import Lower, flat_rows, lower, map_layout
from specfmt.targets.torch.expr import Tensor
from specfmt.targets.torch.functions import activation


@lower(Dense)
def dense(layer: Dense, b: Lower, x: Tensor) -> Tensor:
    """`nn.Linear` over the last axis; after a Flatten the kernel's rows follow its order."""
    features = x.shape[-1]
    kernel = map_layout(flat_rows(x, b.weights.kernel), lambda kernel: kernel.T)
    params = {"weight": kernel}
    if layer.use_bias:
        params["bias"] = b.weights.bias
    bias = {} if layer.use_bias else {"bias": False}
    linear = b.module("nn.Linear", features, layer.units, params=params, **bias)
    want = "any" if x.rank == 2 else "keras"
    y = b.apply(linear, x, out=(*x.shape[:-1], layer.units), want=want)
    y.flat = None
    return activation(b, layer.activation, y)


@lower(Activation)
def activation_layer(layer: Activation, b: Lower, x: Tensor) -> Tensor:
    return activation(b, layer.activation, x)
