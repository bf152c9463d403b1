"""PyTorch lowerings of losses, metrics, and the encoding of labels."""

from __future__ import annotations

from typing import Any

from specfmt.layers import loss_operations as ops
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Attr, Binary, Call, Method, Tensor, Unary
from specfmt.targets.torch.lowerings.operand_values import EPSILON, indices, result, results
from specfmt.targets.torch.lowerings.operations import as_operand, to_dtype, torch_dtype
from specfmt.targets.torch.registry import TargetError, lower


def clipped(x: Any) -> Method:
    """Probabilities within the bounds whose logarithm is finite."""
    return Method(x, "clamp", (EPSILON, Binary("-", 1, EPSILON)))


@lower(ops.BinaryCrossentropy)
def binary_crossentropy(
    layer: ops.BinaryCrossentropy, builder: LayerBuilder, target: Tensor, output: Tensor
) -> Tensor:
    if layer.from_logits:
        name, value = "F.binary_cross_entropy_with_logits", output
    else:
        name, value = "F.binary_cross_entropy", clipped(output)  # type: ignore[assignment]
    expr = Call(name, (value, target), {"reduction": "none"})
    return result(builder, expr, output.shape, output.dtype)


@lower(ops.CategoricalCrossentropy)
def categorical_crossentropy(
    layer: ops.CategoricalCrossentropy, builder: LayerBuilder, target: Tensor, output: Tensor
) -> Tensor:
    """Written out: `F.cross_entropy` takes logits only."""
    dim = {"dim": layer.axis}
    if layer.from_logits:
        logs: Any = Method(output, "log_softmax", (), dim)
    else:
        total = Method(output, "sum", (), {**dim, "keepdim": True})
        logs = Method(clipped(Binary("/", output, total)), "log")
    place = layer.axis % output.rank
    shape = tuple(size for k, size in enumerate(output.shape) if k != place)
    expr = Unary("-", Method(Binary("*", target, logs), "sum", (), dim))
    return result(builder, expr, shape, output.dtype)


@lower(ops.SparseCategoricalCrossentropy)
def sparse_categorical_crossentropy(
    layer: ops.SparseCategoricalCrossentropy,
    builder: LayerBuilder,
    target: Tensor,
    output: Tensor,
) -> Tensor:
    """`F.cross_entropy`, which has the classes at axis 1; Keras normalizes probabilities too."""
    logits: Any = output if layer.from_logits else Method(clipped(output), "log")
    if output.rank > 2:
        logits = Method(logits, "movedim", (-1, 1))
    index = indices(builder, target)
    if target.rank == output.rank:
        index = Method(index, "squeeze", (-1,))
    expr = Call("F.cross_entropy", (logits, index), {"reduction": "none"})
    return result(builder, expr, output.shape[:-1], output.dtype)


@lower(ops.CTCLoss)
def ctc_loss(
    layer: ops.CTCLoss,
    builder: LayerBuilder,
    target: Tensor,
    output: Tensor,
    target_length: Tensor,
    output_length: Tensor,
) -> Tensor:
    logs = Method(Method(output, "log_softmax", (-1,)), "transpose", (0, 1))
    blank = {"blank": blank_class(layer.mask_index, output)} if layer.mask_index else {}
    lengths = (indices(builder, output_length), indices(builder, target_length))
    options = {**blank, "reduction": "none"}
    expr = Call("F.ctc_loss", (logs, indices(builder, target), *lengths), options)
    return result(builder, expr, target.shape[:1], output.dtype)


def blank_class(index: int, logits: Tensor) -> int:
    """The number of the blank class; Keras counts negative ones from the end.

    Raises:
        TargetError: The number of classes is not known.
    """
    classes = logits.shape[-1]
    if index >= 0 or classes is not None:
        return index if index >= 0 else index + (classes or 0)
    raise TargetError("expected a known number of classes", field="mask_index")


@lower(ops.CTCDecode)
def ctc_decode(
    layer: ops.CTCDecode, builder: LayerBuilder, inputs: Tensor, sequence_lengths: Tensor
) -> Any:
    if layer.strategy != "greedy":
        raise TargetError(
            "expected strategy: greedy, received a beam search, which PyTorch does not have",
            "use strategy: greedy",
            "strategy",
        )
    seen = as_operand(inputs), as_operand(sequence_lengths)
    shapes, dtypes = layer.output_shape(*seen), layer.result_dtype(*seen)
    merge = {} if layer.merge_repeated else {"merge": False}
    args = (inputs, sequence_lengths, blank_class(layer.mask_index, inputs))
    expr = Call(builder.helper("greedy_ctc_decode"), args, merge)
    return results(builder, expr, shapes, dtypes)


@lower(ops.PSNR)
def psnr(layer: ops.PSNR, builder: LayerBuilder, x1: Tensor, x2: Tensor) -> Tensor:
    error = Call("F.mse_loss", (x1, x2))
    expr = Binary("/", layer.max_val**2, error)
    return result(builder, Binary("*", 10, Call("torch.log10", (expr,))), (), x1.dtype)


@lower(ops.InTopK)
def in_top_k(
    layer: ops.InTopK, builder: LayerBuilder, targets: Tensor, predictions: Tensor
) -> Tensor:
    expr = Call(builder.helper("in_top_k"), (predictions, indices(builder, targets), layer.k))
    return result(builder, expr, targets.shape, "bool")


@lower(ops.MultiHot)
def multi_hot(layer: ops.MultiHot, builder: LayerBuilder, x: Tensor) -> Tensor:
    """A comparison with every class, as for one_hot."""
    classes = Call("torch.arange", (layer.num_classes,), {"device": Attr(x, "device")})
    hot: Any = Binary("==", Method(x, "unsqueeze", (-1,)), classes)
    if layer.axis not in (-1, x.rank):
        hot = Method(hot, "movedim", (-1, layer.axis))
    dtype = layer.dtype or "float32"
    torch_dtype(dtype)
    expr: Any = Method(hot, "any", (), {"dim": 1 if x.rank > 1 else 0})
    expr = expr if dtype == "bool" else to_dtype(expr, dtype)
    return result(builder, expr, layer.output_shape(as_operand(x)), dtype)
