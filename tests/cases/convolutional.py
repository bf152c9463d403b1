"""Cases of the convolutions."""

from __future__ import annotations

from typing import Any

from tests.tools.harness import Case


def conv(type_: str, filters: int | None, kernel: Any, **options: Any) -> dict[str, Any]:
    """An entry of a convolution."""
    given = {} if filters is None else {"filters": filters}
    return {"type": type_, **given, "kernel_size": kernel, **options}


def same(type_: str, filters: int | None, kernel: Any, strides: Any = 1, **options: Any) -> Any:
    """The same with padding: same."""
    return conv(type_, filters, kernel, strides=strides, padding="same", **options)


FIRST = {"data_format": "channels_first"}
"""No case here has as many filters as columns: Keras 3.15's TensorFlow `add`, called eagerly,
takes the last axis for the channels then and adds the bias along it."""

LORA = {"lora_rank": 2, "lora_alpha": 3}

CASES = [
    Case(same("Conv2D", 4, 3, 2) | LORA | {"activation": "relu"}, (8, 7, 3)),
    Case(conv("Conv2D", 4, [2, 3], use_bias=False, dilation_rate=2) | {"lora_rank": 3}, (8, 9, 2)),
    Case(conv("Conv1D", 4, 3, padding="causal") | LORA, (None, 2), sizes=(6,)),
    Case(conv("Conv1D", 4, 3, **FIRST) | LORA, (3, 8)),
    Case(conv("Conv3D", 4, 2) | LORA, (4, 5, 3, 2)),
    Case(conv("Conv2D", 4, 3) | LORA | {"trainable": False}, (6, 7, 3)),
    # All groups of channels share the first LoRA factor.
    Case(conv("Conv2D", 4, 3, groups=2) | LORA, (6, 7, 6)),
    Case(same("Conv2D", 6, [2, 3], 2, groups=3, activation="relu") | LORA, (8, 7, 6)),
    Case(conv("Conv1D", 6, 3, padding="causal", groups=2) | LORA, (None, 4), sizes=(6,)),
    Case(conv("Conv1D", 4, 3, groups=2, use_bias=False, **FIRST) | LORA, (4, 8)),
    Case(conv("Conv3D", 4, 2, groups=4) | {"lora_rank": 3}, (4, 5, 3, 4)),
    # Sizes, strides and kernels, odd and even, known and unknown (T3).
    Case(conv("Conv2D", 4, 3), (6, 7, 3)),
    Case(conv("Conv2D", 4, [2, 3], strides=[2, 3], activation="relu"), (8, 9, 2)),
    Case(conv("Conv2D", 4, 3, dilation_rate=[1, 2], use_bias=False), (8, 9, 2)),
    Case(same("Conv2D", 4, 3), (6, 7, 3)),
    Case(same("Conv2D", 4, [2, 4]), (6, 7, 3)),
    Case(same("Conv2D", 4, [2, 3], dilation_rate=[3, 2]), (None, 7, 3)),
    Case(same("Conv2D", 4, 3, 2), (8, 8, 3)),
    Case(same("Conv2D", 4, 3, 2), (7, 7, 3)),
    Case(same("Conv2D", 4, [3, 2], [2, 1]), (8, 7, 2)),
    Case(same("Conv2D", 4, 7, 3), (10, 11, 2)),
    Case(same("Conv2D", 4, 1, 2), (None, 8, 2)),
    Case(same("Conv2D", 4, 3, 2), (None, None, 2), sizes=(8, 9)),
    Case(same("Conv2D", 4, [4, 5], [3, 2]), (None, 6, 2), sizes=(10,)),
    Case(conv("Conv2D", 4, 3), (None, None, 2)),
    # Groups, biases, activations, data formats, trainability.
    Case(conv("Conv2D", 6, 3, groups=3, activation="softmax"), (5, 6, 6)),
    Case(same("Conv2D", 5, 3, 2, **FIRST), (3, 8, 7)),
    Case(same("Conv2D", 5, [2, 3], 2, activation="softmax", **FIRST), (2, None, 7)),
    Case(conv("Conv2D", 4, 3, trainable=False), (6, 7, 3)),
    Case([conv("Conv2D", 4, 3, **FIRST), same("Conv2D", 5, 3, 2)], (3, 8, 9), name="mixed-formats"),
    # One kernel over pictures of two sizes, whose paddings differ.
    Case(
        [
            same("Conv2D", 3, 3, 2, name="shared", inputs="in0"),
            {"reuse": "shared", "inputs": "in1", "name": "again"},
        ],
        ((8, 8, 3), (7, 7, 3)),
        outputs=["shared", "again"],
        name="Conv2D-shared-between-sizes",
    ),
    # Inside a wrapper, and in another precision.
    Case(
        [
            {"type": "TimeDistributed", "layer": same("Conv2D", 4, 3, 2)},
            {"type": "TimeDistributed", "layer": {"type": "Flatten"}},
            {"type": "LSTM", "units": 2},
        ],
        (3, 8, 7, 2),
        name="TimeDistributed-Conv2D-Flatten",
    ),
    Case(conv("Conv2D", 4, 3, dtype="float64"), (6, 7, 3)),
    # One and three axes.
    Case(conv("Conv1D", 4, 3), (7, 3)),
    Case(same("Conv1D", 4, 3, 2), (8, 3)),
    Case(same("Conv1D", 4, 4, 3), (None, 3), sizes=(10,)),
    Case(conv("Conv1D", 4, 3, padding="causal", dilation_rate=2), (8, 3)),
    Case(conv("Conv1D", 4, 2, padding="causal", strides=2), (None, 3)),
    Case(conv("Conv1D", 4, 3, padding="causal", **FIRST), (3, 8)),
    Case(same("Conv1D", 4, 5, groups=2), (8, 4)),
    Case([conv("Conv1D", 4, 3), conv("Conv1D", 5, 2, activation="relu")], (9, 3)),
    Case(conv("Conv3D", 4, [2, 3, 1], strides=[1, 2, 1]), (5, 6, 4, 2)),
    Case(same("Conv3D", 3, 3, 2), (6, 5, 4, 2)),
    Case(same("Conv3D", 3, 3, [1, 2, 3]), (None, 5, 4, 2)),
    # Depthwise and separable (T7); both strides and dilation may be above 1 here.
    Case(conv("DepthwiseConv2D", None, 3), (6, 7, 3)),
    Case(same("DepthwiseConv2D", None, 3, 2, depth_multiplier=2, activation="relu"), (8, 8, 3)),
    Case(same("DepthwiseConv2D", None, [2, 4], use_bias=False, **FIRST), (3, 6, 7)),
    Case(same("DepthwiseConv2D", None, 3, 2, dilation_rate=2), (9, 8, 3)),
    Case(same("DepthwiseConv2D", None, 3, 2, depth_multiplier=2), (None, None, 2), sizes=(8, 6)),
    Case(conv("DepthwiseConv1D", None, 3, strides=2, depth_multiplier=2), (9, 3)),
    Case(same("DepthwiseConv1D", None, 4, dilation_rate=2), (9, 3)),
    Case(conv("SeparableConv2D", 5, 3, activation="relu"), (6, 7, 3)),
    Case(same("SeparableConv2D", 5, 3, 2, depth_multiplier=2, use_bias=False), (8, 8, 3)),
    Case(same("SeparableConv2D", 5, 3, 3, **FIRST), (3, 8, 11)),
    Case(same("SeparableConv1D", 5, 3, 2, depth_multiplier=2), (8, 3)),
    Case(conv("SeparableConv1D", 5, 2, dilation_rate=3), (None, 3), sizes=(9,)),
    # Transposed (T6): what PyTorch's arguments can say, and what must be cut.
    *(
        Case(same("Conv2DTranspose", 4, k, s), (4, 5, 3))
        for k, s in ((3, 2), (4, 1), (4, 2), (5, 3), (5, 1), (2, 3), (3, 3), ([3, 4], [2, 3]))
    ),
    Case(conv("Conv2DTranspose", 4, 2, strides=3), (4, 5, 3)),
    Case(conv("Conv2DTranspose", 4, [3, 2], strides=[2, 1], activation="relu"), (4, 5, 3)),
    Case(conv("Conv2DTranspose", 4, 3, strides=3, output_padding=[2, 0]), (4, 5, 3)),
    Case(same("Conv2DTranspose", 4, 3, 2, output_padding=0), (4, 5, 3)),
    Case(same("Conv2DTranspose", 4, 3, 2, output_padding=1), (4, 5, 3)),
    Case(same("Conv2DTranspose", 4, [5, 3], 3, output_padding=[2, 1]), (4, 5, 3)),
    Case(same("Conv2DTranspose", 4, 4, 2, output_padding=1), (4, 5, 3)),
    Case(same("Conv2DTranspose", 4, 3, dilation_rate=2, use_bias=False), (6, 5, 3)),
    Case(same("Conv2DTranspose", 4, 3, 2), (None, None, 3), sizes=(4, 5)),
    Case(conv("Conv1DTranspose", 4, 3, strides=2), (5, 3)),
    Case(same("Conv1DTranspose", 4, 3, 2), (5, 3)),
    Case(same("Conv1DTranspose", 4, 5, 3, output_padding=1), (None, 3)),
    Case(same("Conv3DTranspose", 3, 3, 2), (2, 3, 4, 2)),
    Case(conv("Conv3DTranspose", 3, [2, 1, 3], strides=[1, 2, 2]), (2, 3, 4, 2)),
]
