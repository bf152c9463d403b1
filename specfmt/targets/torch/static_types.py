"""Static types of generated code, and how to write code that passes a strict type checker.

`nn.Module.__call__` is declared to return ``Any``, so everything computed from it is ``Any`` too,
while functions and methods of tensors have declared types.  Undeclared attributes of a module
(parameters of an `nn.LSTM`, parts of an `nn.Sequential`) have the type ``Tensor | Module``, and
the bias of a convolution may be None; `get_parameter` returns the right type for all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from specfmt.targets.source import string
from specfmt.targets.torch.expr import (
    Attr,
    AxisSubscript,
    Binary,
    ByOrder,
    Call,
    Expr,
    FlattenFrom,
    Method,
    Name,
    Relabel,
    SelfAttr,
    Size,
    Subscript,
    Tensor,
    Unary,
)
from specfmt.targets.torch.mixed_precision import CAST_CALL
from specfmt.targets.torch.steps import Step

UNDECLARED: Final = ("nn.GRU", "nn.LSTM", "nn.RNN", "SpectralNorm")
"""Modules whose class declares none of their parameters."""

UNTYPED: Final = (
    "F.max_pool",
    "F.adaptive_max_pool",
    "torch.linalg.",
    "torch.fft.",
    "torch.tensordot",
)
"""Prefixes of functions for which PyTorch declares no return type."""


def is_declared(ctor: str, name: str) -> bool:
    """Whether PyTorch's type hints declare a parameter or buffer of a module as a tensor."""
    if ctor in UNDECLARED:
        return False
    held, _, last = f"{ctor}.{name}".rpartition(".")
    return not (
        (last == "bias" and "conv" in held.lower())
        or (last.startswith("running_") and ctor.startswith("nn."))
    )


def attribute(owner: str, ctor: str, name: str, *, buffer: bool = False) -> str:
    """The expression for a module's parameter: ``self.dense.weight``.

    Args:
        owner: The expression for the module.
        ctor: The module's constructor.
        name: The parameter's name in the module.
        buffer: Whether it is a buffer.
    """
    return f"{owner}.{name}" if is_declared(ctor, name) else looked_up(owner, name, buffer=buffer)


def looked_up(owner: str, name: str, *, buffer: bool = False) -> str:
    """A parameter or buffer by its path: ``model.get_parameter("dense.weight")``."""
    return f"{owner}.{'get_buffer' if buffer else 'get_parameter'}({string(name)})"


def is_known(expr: Any, known: Collection[Tensor], helpers: Collection[str]) -> bool:
    """Whether a type checker knows that an expression is a tensor.

    Args:
        expr: The expression.
        known: Tensors of known type.
        helpers: Functions defined in the file.
    """
    match expr:
        case Tensor():
            return expr in known
        case Call(func=str() as func):
            if func.startswith(("F.", "torch.")):
                return not func.startswith(UNTYPED)
            return func in helpers and func != CAST_CALL
        case Method(name="unflatten"):
            return True
        case Method() | Attr() | Subscript() | AxisSubscript():
            return is_known(expr.obj, known, helpers)
        case Binary():
            return all(is_known(side, known, helpers) for side in (expr.left, expr.right))
        case Unary():
            return is_known(expr.operand, known, helpers)
        case Relabel() | FlattenFrom():
            return is_known(expr.tensor, known, helpers)
        case ByOrder():
            return all(is_known(one, known, helpers) for one in (expr.keras, expr.channels))
        case SelfAttr() | Name():
            return True
        case Size():
            return True
    return not isinstance(expr, Expr)


def known_outputs(
    steps: Sequence[Step], known: Collection[Tensor], helpers: Collection[str]
) -> set[Tensor]:
    """The outputs of a line that a type checker knows to be tensors."""
    found: set[Tensor] = set()
    for step in steps:
        if is_known(step.expr, {*known, *found}, helpers):
            # A helper that also returns states declares no type for them, as in PyTorch.
            own = isinstance(step.expr, Call) and step.expr.func in helpers
            found.update(step.outputs[:1] if own else step.outputs)
    return found
