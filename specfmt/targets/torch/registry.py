"""The registry of lowerings by layer class, and the error that they raise."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from specfmt.diagnostics import Diagnostic
from specfmt.graph.model import Node
from specfmt.layers.base import Layer
from specfmt.layers.policies import is_mixed_map, quantized_name

Lowering = Callable[..., Any]
"""``lowering(layer, builder, *inputs, **arguments)``: returns the output tensor or tensors."""

LOWERINGS: dict[type[Layer], Lowering] = {}
"""Layer class -> lowering; not by name, since a layer and an operation may share one (`Add`)."""


def lower(cls: type[Layer]) -> Callable[[Lowering], Lowering]:
    """Decorator that registers the PyTorch lowering of a layer class."""

    def register(function: Lowering) -> Lowering:
        LOWERINGS[cls] = function
        return function

    return register


def find_lowering(cls: type[Layer]) -> Lowering | None:
    """The lowering of a layer class; None if there is none.

    The module of the layer's family is imported when it is first needed.
    """
    if cls not in LOWERINGS:
        name = f"specfmt.targets.torch.lowerings.{cls.family}"
        if find_spec(name) is not None:
            import_module(name)
    return LOWERINGS.get(cls)


class TargetError(Exception):
    """PyTorch cannot express a layer with these arguments.

    Args:
        message: What cannot be expressed.
        hint: What to do instead.
        field: The field that causes it; empty for the whole layer.
        code: The diagnostic's code.
    """

    def __init__(self, message: str, hint: str = "", field: str = "", code: str = "SF301") -> None:
        self.message, self.hint, self.field, self.code = message, hint, field, code
        super().__init__(message)

    def diagnostic(self, node: Node) -> Diagnostic:
        """The finding, located at the layer or the field."""
        path = (*node.unit.path, self.field) if self.field else node.unit.path
        return Diagnostic(self.code, f"{node.name}: {self.message}", path, self.hint)


def check_policy(layer: Layer) -> None:
    """Refuse dtype policies that PyTorch code does not express.

    Raises:
        TargetError: The policy is quantized, or differs between parts of the layer.
    """
    policy = layer.dtype
    if policy is None or isinstance(policy, str) or layer.takes_any_arguments:
        return
    if is_mixed_map(policy):
        raise TargetError(
            "a DTypePolicyMap gives parts of the layer different dtypes, which has no PyTorch form",
            "give the layer one dtype policy",
            "dtype",
        )
    mode = quantized_name(policy)
    if mode:
        raise TargetError(
            f"the quantized dtype policy {mode} has no PyTorch form",
            "translate the model as it was before `quantize()`, with a floating dtype, and "
            "quantize it in PyTorch",
            "dtype",
        )
