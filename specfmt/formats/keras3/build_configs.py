"""``build_config``: the shapes with which Keras 3 notes that a layer was built."""

from __future__ import annotations

from typing import Any, Final

from specfmt.formats.config.reading import Json
from specfmt.graph.model import Value

SHAPE_ARGUMENTS: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(["MultiHeadAttention", "GroupQueryAttention"], ("query", "value", "key")),
    **dict.fromkeys(
        ["LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional"], ("sequences", "initial_state")
    ),
    **dict.fromkeys(["ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"], ("sequences", "initial_state")),
}
"""Call arguments whose shapes a layer's ``build`` takes, where there is more than the first."""

UNBUILT: Final = frozenset(
    (
        "Activation ActivityRegularization AlphaDropout Dropout ELU GaussianDropout GaussianNoise "
        "Identity LeakyReLU Masking ReLU Softmax SpatialDropout1D SpatialDropout2D "
        "SpatialDropout3D UnitNormalization Reshape"
    ).split()
    + [
        f"{kind}Pooling{rank}D"
        for kind in (
            "Max",
            "Average",
            "GlobalMax",
            "GlobalAverage",
            "AdaptiveMax",
            "AdaptiveAverage",
        )
        for rank in (1, 2, 3)
    ]
)
"""Layers of which Keras notes no shape: they are built when they are made."""


EMPTY: Final = ("StringLookup", "IntegerLookup")
"""Layers that note nothing of what they were built with."""


def build_config(type_name: str, args: dict[str, Any]) -> Json | None:
    """The ``build_config`` of a layer from the arguments of its first call.

    Args:
        type_name: Keras's class name.
        args: Call argument -> `Value`, a list of values, or a constant.
    """
    if type_name in UNBUILT:
        return None
    if type_name in EMPTY:
        return {}
    names = SHAPE_ARGUMENTS.get(type_name)
    if names is None:
        return {"input_shape": shapes(next(iter(args.values())))}
    found = {f"{name}_shape": shapes(args[name]) for name in names if args.get(name) is not None}
    if len(found) == 1:
        return {"input_shape": next(iter(found.values()))}
    return {"shapes_dict": found}


def shapes(item: Any) -> Any:
    """A nest of values (or of plain shapes) as a nest of shapes."""
    if isinstance(item, Value):
        return None if item.shape is None else list(item.shape)
    if isinstance(item, dict):
        return {key: shapes(inner) for key, inner in item.items()}
    if isinstance(item, (list, tuple)):
        return [shapes(inner) for inner in item]
    return item
