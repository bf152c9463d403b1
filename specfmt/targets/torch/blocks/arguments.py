"""What the arguments of PyTorch's modules are in Keras."""

from __future__ import annotations

from typing import Any, Final

from specfmt.targets.blocks.parameters import is_whole_number
from specfmt.targets.torch.blocks.fit import LIKE_CHANNELS
from specfmt.targets.torch.blocks.skeleton import DEFAULTS

ARGUMENTS: Final[dict[str, tuple[str, ...]]] = {
    "nn.Conv": ("", "filters", "kernel_size"),
    "nn.ConvTranspose": ("", "filters", "kernel_size"),
    "nn.Linear": ("", "units"),
    "nn.LSTM": ("", "units"),
    "nn.GRU": ("", "units"),
    "nn.Embedding": ("input_dim", "output_dim"),
}
"""The fields of layers that arguments of modules are, by position."""

KEYWORDS: Final[dict[str, tuple[str, ...]]] = {
    "stride": ("strides",),
    "dilation": ("dilation_rate",),
    "groups": ("groups",),
    "eps": ("epsilon",),
    "p": ("rate",),
    "bias": ("use_bias",),
    "kernel_size": ("kernel_size", "pool_size"),
}


def size_name(func: str, place: int) -> str:
    """The name of a parameter for an argument by position."""
    if func.startswith("nn.Conv"):
        return ("in_channels", "out_channels", "kernel_size")[place] if place < 3 else "size"
    if func.startswith(("nn.Linear", "nn.LSTM", "nn.GRU")):
        return ("in_features", "out_features")[place] if place < 2 else "size"
    return "channels" if "Norm" in func else "size"


def is_telling(value: Any) -> bool:
    """Whether a value is rarely equal to another one by chance."""
    return isinstance(value, float) or (is_whole_number(value) and value >= LIKE_CHANNELS)


def keyword_order(name: str) -> int:
    """The place of a keyword among those that PyTorch's modules share."""
    order = list(DEFAULTS)
    return order.index(name) if name in order else -1


def fields_of(func: str) -> tuple[str, ...]:
    """The fields of layers that the arguments of a module are, by position."""
    return next((names for start, names in ARGUMENTS.items() if func.startswith(start)), ())
