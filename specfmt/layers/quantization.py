"""Quantized layers: the weights that Keras keeps for a kernel in few bits, and their scales.

Source: `quantized_build` and `variable_serialization_spec` of `keras/src/layers/core/dense.py`,
`einsum_dense.py`, `embedding.py` and `reversible_embedding.py` of Keras 3.15.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from specfmt.fields.types import HISTORY
from specfmt.layers.base import Layer, ShapeError, Weight
from specfmt.layers.policies import compute_dtype, is_mixed_map, quantized_name
from specfmt.vocab.fields import ONES, ZEROS

FLOAT8_TENSORS: Final = ("inputs", "kernel", "outputs_grad")
"""The tensors that float8 scales."""

GROUPED: Final = {"int4": 1, "gptq": 2, "awq": 2}
"""Modes whose name ends with a group size -> the number of numbers in it."""

BITS: Final = {"gptq": (2, 3, 4, 8), "awq": (4,)}
"""Mode -> the numbers of bits that Keras can quantize a kernel to."""

CONFIGS: Final = {"Int4QuantizationConfig": "int4", "GPTQConfig": "gptq", "AWQConfig": "awq"}
"""Classes of quantization configs that give a group size -> the mode they are for."""

DEFAULT_GROUP: Final = 128
"""The group size of `GPTQConfig` and `AWQConfig`."""

WITHOUT_LORA: Final = ("float8", "gptq", "awq")
"""Modes in which Keras cannot call a layer with LoRA."""

MAX_DIGITS: Final = 10

RUNS: Final = "give the layer a floating dtype; Keras cannot run it either"


@dataclass(frozen=True, slots=True)
class Quantization:
    """How a layer is quantized.

    Attributes:
        mode: ``int8``, ``int4``, ``float8``, ``gptq`` or ``awq``.
        group: The number of rows that share a scale; None for all.
        bits: The bits of a number of the kernel.
        history: The number of largest values that float8 remembers of each tensor.
    """

    mode: str
    group: int | None = None
    bits: int = 8
    history: int = HISTORY

    def groups(self, rows: int) -> int:
        """The number of groups of a number of rows."""
        return 1 if self.group is None else -(-rows // self.group)

    def packed(self, columns: int) -> int:
        """The number of bytes for a number of columns."""
        return (columns + 1) // 2 if self.bits == 4 else columns


class Quantizable(Layer):
    """Base of the layers that Keras can quantize."""

    quantized_modes: ClassVar[tuple[str, ...]] = ("int8", "int4", "float8", "gptq", "awq")

    def quantization(self) -> Quantization | None:
        """How the layer is quantized; None if it is not.

        Raises:
            ShapeError: Keras cannot build the layer with this policy.
        """
        name = check_policy(self)
        if not name:
            return None
        mode, *numbers = name.split("/")
        lora: int | None = getattr(self, "lora_rank", None)
        if lora is not None and mode in WITHOUT_LORA:
            raise ShapeError(
                f"a layer without LoRA in {mode}",
                f"lora_rank={lora}",
                "remove `lora_rank`; Keras cannot run both",
                field="lora_rank",
            )
        if mode in ("int8", "float8"):
            return Quantization(mode, history=_history(self.dtype))
        config: Any = getattr(self, "quantization_config", None)
        if isinstance(config, dict) and CONFIGS.get(str(config.get("class_name"))) == mode:
            given = config.get("config")
            return _configured(mode, given if isinstance(given, dict) else {})
        sizes = [int(number) for number in numbers if _is_size(number)]
        complete = len(sizes) == len(numbers) == GROUPED[mode] or (mode == "int4" and not numbers)
        if not complete or (mode in BITS and sizes[0] not in BITS[mode]):
            form = "int4/<group size>" if mode == "int4" else f"{mode}/<bits>/<group size>"
            raise ShapeError(f"the mode {form}", name, RUNS, field="dtype")
        group = sizes[-1] if sizes else -1
        return Quantization(mode, None if group == -1 else group, sizes[0] if mode == "gptq" else 4)


def check_policy(layer: Layer, around: Any = None) -> str:
    """The mode of a layer's dtype policy with its numbers, such as ``int4/128``; empty for floats.

    Args:
        layer: The layer.
        around: The policy of its model.

    Raises:
        ShapeError: Keras cannot run the layer with it, or it differs between parts of the layer.
    """
    policy = layer.dtype
    if policy is None and isinstance(around, dict) and quantized_name(around):
        raise ShapeError(
            "a floating dtype for the model",
            quantized_name(around),
            "write the quantized policy as the `dtype` of each layer that has it",
            field="dtype",
        )
    if policy is None or layer.takes_any_arguments:  # a user-defined layer does what it wants
        return ""
    if is_mixed_map(policy, quantized_name):
        raise ShapeError(
            "one quantization for the whole layer",
            "a DTypePolicyMap with several",
            "give the layer one dtype policy",
            field="dtype",
        )
    name = quantized_name(policy)
    mode = name.partition("/")[0]
    if not name:
        return ""
    if mode not in layer.quantized_modes:
        modes = ", ".join(layer.quantized_modes)
        wanted = f"one of the modes {modes}" if modes else "a layer that Keras can quantize"
        raise ShapeError(f"{wanted} for a quantized dtype policy", name, RUNS, field="dtype")
    if mode == "int8" and compute_dtype(policy) == "float16":
        raise ShapeError("int8 from float32 or bfloat16", "float16", RUNS, field="dtype")
    return name


def _is_size(number: str) -> bool:
    return number == "-1" or (
        number.isascii() and number.isdigit() and len(number) < MAX_DIGITS and int(number) > 0
    )


def _history(policy: Any) -> int:
    config = policy.get("config") if isinstance(policy, dict) else None
    length = config.get("amax_history_length") if isinstance(config, dict) else None
    return length if isinstance(length, int) and length >= 0 else HISTORY


def _configured(mode: str, config: dict[str, Any]) -> Quantization:
    """The quantization of a config, which counts more than the policy's name."""
    key, default = ("block_size", None) if mode == "int4" else ("group_size", DEFAULT_GROUP)
    group, bits = config.get(key, default), config.get("weight_bits", 4) if mode == "gptq" else 4
    known = group is None or (type(group) is int and (group > 0 or group == -1))
    if not known or type(bits) is not int:
        raise ShapeError(
            f"{key} as a positive integer or -1", f"{group!r}", field="quantization_config"
        )
    return Quantization(mode, group if group and group > 0 else None, bits)


@dataclass(frozen=True, slots=True)
class Kernel:
    """The kernel of a matrix product, before it is quantized.

    Attributes:
        weight: It as a weight of floats.
        rows, columns: Its sizes as a matrix, for int4.
        turned: Its sizes as a matrix, for gptq and awq.
        scales: The shape of the scales of int8.
        zero: The name of the zero points of gptq and awq.
    """

    weight: Weight
    rows: int
    columns: int
    turned: tuple[int, int]
    scales: tuple[int, ...]
    zero: str = "kernel_zero"


def frozen(name: str, shape: tuple[int, ...], dtype: str = "", *, ones: bool = False) -> Weight:
    """A weight of quantization, which is not trained."""
    return Weight(name, shape, ONES if ones else ZEROS, trainable=False, dtype=dtype)


def kernel_weights(
    how: Quantization, kernel: Kernel, bias: Iterable[Weight], factors: Iterable[Weight]
) -> Iterator[Weight]:
    """The weights of a quantized matrix product, in the order of Keras's `layer.weights`.

    Args:
        how: The quantization.
        kernel: The kernel.
        bias: The bias, if there is one.
        factors: The factors of LoRA, if there are any.
    """
    if how.mode == "float8":
        scales = [
            Weight(f"{name}_{suffix}", shape, init, dtype="float32")
            for name in FLOAT8_TENSORS
            for suffix, shape, init in (
                ("scale", (), ONES),
                ("amax_history", (how.history,), ZEROS),
            )
        ]
        yield from in_files((*scales, kernel.weight, *bias), ("kernel", "bias"))
    elif how.mode in ("int8", "int4"):
        trained = (*bias, *factors)
        yield from in_files((*trained, *_integers(how, kernel)), ("kernel", "bias"))
    else:
        yield from bias
        yield from _turned(how, kernel)


def _integers(how: Quantization, kernel: Kernel) -> Iterator[Weight]:
    """The weights of int8 and int4 that are not trained."""
    if how.mode == "int8":
        yield frozen("kernel", kernel.weight.shape, "int8")
        yield frozen("kernel_scale", kernel.scales, ones=True)
        return
    grouped = how.group is not None
    scales = (how.groups(kernel.rows), kernel.columns) if grouped else (kernel.columns,)
    yield frozen("kernel", (kernel.rows, how.packed(kernel.columns)), "int8")
    yield frozen("kernel_scale", scales, ones=True)
    if grouped:
        yield frozen("kernel_zero", scales, "int8")
        yield frozen("g_idx", (kernel.rows,), "float32")


def _turned(how: Quantization, kernel: Kernel) -> Iterator[Weight]:
    """The weights of gptq and awq that are not trained; the kernel is transposed."""
    rows, columns = kernel.turned
    scales = (columns, how.groups(rows))
    yield frozen("kernel", (how.packed(columns), rows), "uint8")
    yield frozen("kernel_scale", scales, ones=True)
    yield frozen(kernel.zero, scales, "uint8")
    if how.mode == "awq":
        yield frozen("awq_scales", (rows,), ones=True)
    yield frozen("g_idx", (rows,), "float32")


def in_files(weights: Sequence[Weight], first: tuple[str, ...]) -> Iterator[Weight]:
    """Weights with their numbers in files, where those named in ``first`` come first."""
    kept = [weight.name for weight in weights if not weight.merged_into]
    order = sorted(kept, key=lambda name: first.index(name) if name in first else len(first))
    for weight in weights:
        place = None if weight.merged_into else order.index(weight.name)
        yield replace(weight, file_index=place)


def embedding_weights(how: Quantization, rows: int, size: int) -> Iterator[Weight]:
    """The weights of an embedding of ``rows`` vectors of ``size`` in int8 or int4."""
    grouped = how.mode == "int4" and how.group is not None
    scales = (rows, how.groups(size)) if grouped else (rows,)
    width = how.packed(size) if how.mode == "int4" else size
    yield frozen("embeddings", (rows, width), "int8")
    yield frozen("embeddings_scale", scales, ones=True)
    if grouped:
        yield frozen("embeddings_zero", scales, "int8")
        yield frozen("g_idx", (size,), "float32")


def reverse_weights(how: Quantization, rows: int, size: int) -> Iterator[Weight]:
    """The weights of the projection back of an embedding whose weights are not tied."""
    grouped = how.mode == "int4" and how.group is not None
    scales = (how.groups(size), rows) if grouped else (rows,)
    height = how.packed(size) if how.mode == "int4" else size
    yield frozen("reverse_embeddings", (height, rows), "int8")
    yield frozen("reverse_embeddings_scale", scales, ones=True)
    if grouped:
        yield frozen("reverse_embeddings_zero", scales)
