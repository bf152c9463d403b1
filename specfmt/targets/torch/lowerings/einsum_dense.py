"""PyTorch lowering of EinsumDense."""

from __future__ import annotations

from string import ascii_letters
from typing import Any

from specfmt.layers.einsum_dense import EinsumDense, Product
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Binary, Call, Subscripts, Tensor
from specfmt.targets.torch.lowerings.core import floating, linear
from specfmt.targets.torch.lowerings.functions import activation
from specfmt.targets.torch.params import WeightExpr
from specfmt.targets.torch.registry import TargetError, lower


@lower(EinsumDense)
def einsum_dense(layer: EinsumDense, builder: LayerBuilder, x: Tensor) -> Tensor:
    """`nn.Linear` where the equation is one, else `torch.einsum` with a parameter."""
    x = floating(builder, x)
    product = layer.product(x.shape)
    weight = linear_weight(layer, builder, product)
    if weight is not None:
        bias = builder.weights.bias if layer.bias_axes is not None else None
        y = linear(builder, x, weight, bias)
    else:
        y = product_of(layer, builder, x, product)
    return activation(builder, layer.activation, y)


def linear_weight(layer: EinsumDense, builder: LayerBuilder, product: Product) -> WeightExpr | None:
    """The weight of the `nn.Linear` that computes the product; None if there is none."""
    inputs, output, kernel = product.inputs, product.output, product.kernel
    new = output[-1]
    alike = (
        inputs[:-1] == output[:-1]
        and (product.leads or not product.elided)
        and new not in inputs
        and len(set(inputs)) == len(inputs)
        and layer.bias_axes in (None, new)
        and layer.lora_rank is None
    )
    if not alike or sorted(kernel) != sorted((inputs[-1], new)):
        return None
    source = builder.weights.kernel
    return source if kernel[0] == new else source.T


def product_of(layer: EinsumDense, builder: LayerBuilder, x: Tensor, product: Product) -> Tensor:
    """`torch.einsum` of the input and the kernel, and the bias."""
    used = {*product.inputs, *product.kernel, *product.output}
    spare = "".join(letter for letter in ascii_letters if letter not in used)
    if len(spare) < product.elided:
        raise TargetError("more axes than there are letters", field="equation")
    first, last = product.terms(spare)
    kernel: Any = builder.parameter(
        builder.weights.kernel, "kernel", trainable=layer.lora_rank is None
    )
    if layer.lora_rank is not None:
        factors = [
            builder.parameter(builder.weights[f"lora_kernel_{which}"], f"lora_{which}")
            for which in "ab"
        ]
        delta: Any = Binary("@", *factors)
        if layer.lora_scale != 1:
            delta = Binary("*", layer.lora_scale, delta)
        kernel = Binary("+", kernel, delta)
    y = builder.tensor(layer.computed_shape(x.shape), x.dtype)
    names = Subscripts((first, product.kernel), last)
    layout: Any = "any" if x.flat is None else "keras"
    call = Call("torch.einsum", (names, x, kernel))
    builder.step(call, y, layout=layout, output_layout="free", heavy=True)
    if layer.bias_axes is None:
        return y
    out = builder.tensor(y.shape, y.dtype)
    bias = builder.parameter(builder.aligned(builder.weights.bias, out), "bias")
    result: Tensor = builder.step(Binary("+", y, bias), out)
    return result
