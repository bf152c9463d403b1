"""Layers of Keras that specfmt keeps whole: what they compute is Python code, or another program.

They are entries ``{type: Custom, class: keras.layers.TFSMLayer, config: {...}}``, which Keras code and
Keras JSON have as they are; PyTorch code has a class to complete, unless the entry says what computes
the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from specfmt.layers.former_types import FORMER_TYPES
from specfmt.layers.keras_names import KERAS_LAYERS


@dataclass(frozen=True, slots=True)
class Kept:
    """A layer that is kept whole.

    Attributes:
        what: What it computes.
        reason: Why PyTorch code cannot compute it.
        advice: What to do.
    """

    what: str
    reason: str
    advice: str


LAMBDA: Final = "Lambda"
INPUT_LAYER: Final = "InputLayer"

_JAX = (
    "PyTorch cannot run JAX code",
    "set `torch:` to a PyTorch class that computes the same, or `define:`",
)

KEPT: Final[dict[str, Kept]] = {
    LAMBDA: Kept(
        "Computes a Python function; if it is a named function of Keras, it is imported as that one.",
        "PyTorch cannot run Keras's Python code",
        "describe the function by operations with `define:`, or set `torch:` to a class",
    ),
    "TFSMLayer": Kept(
        "Runs the TensorFlow graph of a SavedModel, a folder on disk.",
        "PyTorch cannot run a TensorFlow graph",
        "import the model that was exported to the SavedModel, or set `torch:` to a class",
    ),
    "TorchModuleWrapper": Kept(
        "Runs a PyTorch module, which the file holds as a pickle.",
        "its PyTorch module is a pickle, which could run any code",
        "the module is PyTorch already: set `torch:` to its class, and load its `state_dict`",
    ),
    "JaxLayer": Kept("Runs a function of JAX.", *_JAX),
    "FlaxLayer": Kept("Runs a module of Flax, which is JAX code.", *_JAX),
}
"""The layers, with what to do."""

INPUT_REMARK: Final = "written as `inputs:` of the model"


def kept_layer(dotted: str) -> Kept | None:
    """A layer of Keras that is kept whole, by the path or name of its class."""
    module, _, name = dotted.rpartition(".")
    return KEPT.get(name) if not module or module.startswith(("keras", "tf_keras")) else None


def aliases(type_name: str) -> list[str]:
    """The other names under which `keras.layers` exports a layer."""
    return [
        name for name, today in FORMER_TYPES.items() if today == type_name and name in KERAS_LAYERS
    ]
