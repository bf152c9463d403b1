"""Mixed precision: computing in half precision with parameters that are float32.

Keras casts a layer's inputs and weights to the compute dtype of its policy.  Here matrix products
run under `torch.autocast`, which casts the same tensors; normalizations compute in float32, as in
Keras, and parameters that an expression reads directly are cast in it.
"""

from __future__ import annotations

from typing import Any, Final

from specfmt.layers.base import is_floating
from specfmt.targets.torch.class_builder import ClassBuilder
from specfmt.targets.torch.expr import (
    Attr,
    Binary,
    Call,
    Expr,
    FlattenFrom,
    Method,
    Name,
    Rearrange,
    Relabel,
    SelfAttr,
    Tensor,
    rebuilt,
)
from specfmt.targets.torch.params import ByLayout, Literal
from specfmt.targets.torch.steps import ModuleDef, ParamDef, Step

IN_FLOAT32: Final = (
    *("nn.BatchNorm", "nn.LayerNorm", "nn.GroupNorm", "nn.RMSNorm", "nn.InstanceNorm"),
    *("BatchNorm", "MaskedBatchNorm", "BatchRenorm", "AnyGroupNorm"),
)
"""Prefixes of modules that compute in float32 whatever they read, as Keras's normalizations do."""

LOOK_UP: Final = ("nn.Embedding",)
"""Modules that return rows of their matrix, which are cast afterwards."""

CAST_FIRST: Final = ("Flexible",)
"""Modules that add and multiply parameters themselves, which `torch.autocast` does not cast."""

CAST_CALL: Final = "cast_call"
"""The helper that casts the parameters of such a module and calls it."""

UNCHANGED_METHODS: Final = frozenset(
    "to half bfloat16 float flatten reshape view view_as permute transpose movedim squeeze unsqueeze "
    "unflatten expand flip chunk contiguous relu tanh sigmoid masked_fill amax amin mean".split()
)
UNCHANGED_FUNCTIONS: Final = (
    *("F.relu", "F.tanh", "F.sigmoid", "F.silu", "F.gelu", "F.elu", "F.leaky_relu", "F.hardtanh"),
    *("F.max_pool", "F.adaptive_max_pool", "F.dropout", "F.pad", "F.one_hot"),
    *("torch.relu", "torch.tanh", "torch.sigmoid", "nn.Dropout"),
)
"""What `torch.autocast` neither casts nor computes in another dtype."""


def in_compute_dtype(builder: ClassBuilder, dtype: str, expr: Any) -> tuple[Any, bool]:
    """An expression of a layer whose parameters are float32 and which computes in ``dtype``.

    Args:
        builder: The class, with its modules and parameters.
        dtype: The compute dtype.
        expr: The expression, which reads tensors of that dtype.

    Returns:
        The expression with casts, and whether it has to run under `torch.autocast`.
    """
    modules = {m.attr: m for m in builder.modules.values() if m.params and m.dtype != dtype}
    parameters = {
        item.attr: item for item in builder.parameters.values() if needs_cast(item, dtype)
    }
    automatic = False

    def change(item: Any) -> Any:
        nonlocal automatic
        if isinstance(item, Call):
            module = called_module(item, modules)
            if module is None:
                return rebuilt(item, change)
            kind = str(module.ctor.func)
            if kind.startswith(LOOK_UP):
                return to(item, dtype)
            if kind.startswith(IN_FLOAT32):
                wide = float32_inputs(item)
                return to(wide, dtype)
            if kind.startswith(CAST_FIRST) and isinstance(item.func, SelfAttr):
                builder.helpers[CAST_CALL] = None
                inner = rebuilt(item, change)
                return Call(CAST_CALL, (inner.func, *inner.args), inner.kwargs)
            automatic = True
            return rebuilt(item, change)
        if isinstance(item, Attr) and isinstance(item.obj, SelfAttr) and item.obj.attr in modules:
            return to(item, dtype)
        if isinstance(item, SelfAttr) and item.attr in parameters:
            return to(item, dtype)
        return rebuilt(item, change)

    return change(expr), automatic


def needs_cast(item: ParamDef, dtype: str) -> bool:
    """Whether a parameter or buffer holds floating-point numbers of another dtype."""
    if item.dtype == dtype:
        return False
    value = item.value
    while isinstance(value, ByLayout):
        value = value.keras
    return not isinstance(value, Literal) or (is_floating(value.dtype) and value.dtype != dtype)


def called_module(call: Call, modules: dict[str, ModuleDef]) -> ModuleDef | None:
    """The module with parameters that a call runs, itself or through a helper function."""
    for item in (call.func, *call.args[:1]):
        if isinstance(item, SelfAttr) and item.attr in modules:
            return modules[item.attr]
    return None


def float32_inputs(call: Call) -> Call:
    """The call with its first tensor, the module's input, as float32."""
    start = 0 if isinstance(call.func, SelfAttr) else 1
    args = list(call.args)
    args[start] = Method(args[start], "float")
    return Call(call.func, tuple(args), call.kwargs)


def to(expr: Any, dtype: str) -> Method:
    """``expr`` in another dtype."""
    return Method(expr, "to", (Name(f"torch.{dtype}"),))


def is_unchanged(step: Step, modules: dict[str, ModuleDef]) -> bool:
    """Whether a step computes the same under `torch.autocast`."""

    def same(item: Any) -> bool:
        match item:
            case Tensor() | None | str() | int() | float():
                return True
            case Method(name=name):
                return name in UNCHANGED_METHODS and all(map(same, item.parts()))
            case Call(func=str() as func):
                return func.startswith(UNCHANGED_FUNCTIONS) and all(map(same, item.args))
            case Call(func=SelfAttr(attr=attr)):
                module = modules.get(attr)
                kind = str(module.ctor.func) if module is not None else ""
                own = (*IN_FLOAT32, *LOOK_UP, *UNCHANGED_FUNCTIONS)
                return kind.startswith(own) and all(map(same, item.args))
            case Binary(op="+" | "-" | "*"):
                return same(item.left) and same(item.right)
            case Relabel() | Rearrange() | FlattenFrom():
                return True
        # Axis numbers, names and sizes compute nothing.
        return not isinstance(item, (Call, Method, Binary)) and all(
            map(same, item.parts() if isinstance(item, Expr) else ())
        )

    return same(step.expr)
