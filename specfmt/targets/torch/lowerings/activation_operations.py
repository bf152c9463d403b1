"""PyTorch lowerings of activation operations, which are the activations of the same names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from specfmt.layers import activation_operations as ops
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Tensor
from specfmt.targets.torch.lowerings.activations import softmax_over
from specfmt.targets.torch.lowerings.functions import activation
from specfmt.targets.torch.registry import lower
from specfmt.vocab.base import Term


def _activation(name: str) -> Callable[..., Tensor]:
    """An activation whose arguments are the operation's fields."""

    def lowering(layer: Any, builder: LayerBuilder, x: Tensor) -> Tensor:
        arguments = {field: getattr(layer, field) for field in type(layer).own_fields()}
        return activation(builder, Term("activation", name, arguments), x)

    return lowering


for _class in (
    ops.Relu,
    ops.Relu6,
    ops.Sigmoid,
    ops.Gelu,
    ops.Silu,
    ops.Elu,
    ops.Selu,
    ops.Celu,
    ops.LeakyRelu,
    ops.HardSigmoid,
    ops.HardSilu,
    ops.HardTanh,
    ops.LogSigmoid,
    ops.Softplus,
    ops.Softsign,
    ops.SoftShrink,
    ops.HardShrink,
    ops.TanhShrink,
    ops.Glu,
    ops.Sparsemax,
    ops.SparsePlus,
    ops.SparseSigmoid,
    ops.Squareplus,
    ops.Threshold,
):
    lower(_class)(_activation(_class.type_name))


@lower(ops.Softmax)
def softmax(layer: ops.Softmax, builder: LayerBuilder, x: Tensor) -> Tensor:
    return softmax_over(builder, x, layer.axis)


@lower(ops.LogSoftmax)
def log_softmax(layer: ops.LogSoftmax, builder: LayerBuilder, x: Tensor) -> Tensor:
    return softmax_over(builder, x, layer.axis, "LogSoftmax")
