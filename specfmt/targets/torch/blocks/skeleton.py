"""What must be equal in the uses of a block for one class to say them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

from specfmt.targets.blocks.parameters import plain, same
from specfmt.targets.torch.blocks.model import BlockDef
from specfmt.targets.torch.expr import Call, Expr, Name, SelfAttr, Tensor
from specfmt.targets.torch.initializers import statements
from specfmt.targets.torch.layout import written_layout
from specfmt.targets.torch.params import Literal, Memory
from specfmt.targets.torch.program import ClassProgram
from specfmt.targets.torch.steps import ModuleDef, ParamDef, Step

DEFAULTS: Final[dict[str, Any]] = {
    "stride": 1,
    "padding": 0,
    "dilation": 1,
    "groups": 1,
    "bias": True,
    "output_padding": 0,
}
"""Arguments of modules that are left out where they have these values."""

FIXED: Final = frozenset(
    ["axis", "rank", "dims", "inputs", "output", "either", "op", "name", "attr", "text", "func"]
)
"""Fields of expressions that no parameter can replace."""

HOLE = "?"


def skeleton(expr: Any, keys: dict[Any, Any]) -> Any:
    """An expression without what parameters or other values can replace."""
    if isinstance(expr, Tensor):
        return "tensor"
    if isinstance(expr, SelfAttr):
        return ("self", keys.get(expr.attr, expr.attr))
    if isinstance(expr, Name):
        return ("name", expr.text)
    if isinstance(expr, Call):
        return (
            "call",
            expr.func if isinstance(expr.func, str) else skeleton(expr.func, keys),
            tuple(HOLE if is_plain(item) else skeleton(item, keys) for item in expr.args),
            tuple(
                (name, HOLE if is_plain(item) else skeleton(item, keys))
                for name, item in sorted(expr.kwargs.items())
                if name not in DEFAULTS and name != "inplace"
            ),
        )
    if isinstance(expr, Expr) and is_dataclass(expr):
        parts = (
            (f.name, value if f.name in FIXED and is_plain(value) else skeleton(value, keys))
            for f in fields(expr)
            for value in (getattr(expr, f.name),)
        )
        return (type(expr).__name__, *parts)
    if isinstance(expr, dict):
        return ("dict", *((key, skeleton(item, keys)) for key, item in expr.items()))
    if isinstance(expr, (tuple, list)):
        return (type(expr).__name__, *(skeleton(item, keys) for item in expr))
    if isinstance(expr, slice):
        return ("slice", *(skeleton(item, keys) for item in (expr.start, expr.stop, expr.step)))
    if expr is None or expr is Ellipsis:
        return repr(expr)
    return HOLE


def is_plain(value: Any) -> bool:
    """Whether a value is plain data, which a parameter can replace."""
    return isinstance(value, (str, int, float)) or (
        isinstance(value, (tuple, list)) and all(map(is_plain, value))
    )


def of_step(step: Step, program: ClassProgram, keys: dict[Any, Any]) -> Any:
    """What must be equal in a step."""
    channels = program.channels
    return (
        skeleton(step.expr, keys) if step.calls is None else step.calls.container,
        bool(written_layout(step, channels)),
        step.autocast,
        step.effect,
        _form(step.target),
        step.carried,
        tuple((t.rank, t.dtype, bool(channels.get(t))) for t in step.outputs),
    )


def _form(target: Any) -> Any:
    return tuple(_form(item) for item in target) if isinstance(target, tuple) else target and "t"


def of_definition(
    item: ModuleDef | ParamDef | BlockDef, program: ClassProgram, keys: dict[Any, Any]
) -> Any:
    """What must be equal in a definition."""
    if isinstance(item, BlockDef):
        return (item.cls, item.container)
    weights = {weight.name: weight for weight in item.unit.weights}

    def initial(value: Any) -> Any:
        expr = program.resolve(value)
        if isinstance(expr, (Literal, Memory)):
            return (expr, expr.shape)
        return statements(expr, weights)

    if isinstance(item, ParamDef):
        rank = len(program.resolve(item.value).shape)
        return (initial(item.value), item.trainable, item.dtype, rank)
    # Whether there is a bias is an argument.
    made = {name: initial(raw) for name, raw in item.params.items() if name != "bias"}
    bias = initial(item.params["bias"]) if "bias" in item.params else None
    return (
        skeleton(item.ctor, keys),
        tuple(sorted(made.items(), key=lambda pair: pair[0])),
        item.frozen,
        item.buffers,
        item.stays_eval,
        item.comment,
        item.dtype,
        item.initializes_itself,
        bias if "bias" not in item.ctor.kwargs else None,
    )


def by_parts(items: Mapping[int, Any], join: Callable[[Mapping[int, Any]], Any]) -> Any:
    """One structure for several of the same form.

    Args:
        items: Use -> its structure: an expression, list, tuple, dict or slice.
        join: Makes one part of one of each use.
    """
    first = next(iter(items.values()))
    if isinstance(first, dict):
        return {key: join({n: item[key] for n, item in items.items()}) for key in first}
    if isinstance(first, (tuple, list)):
        parts = range(len(first))
        return type(first)(join({n: item[k] for n, item in items.items()}) for k in parts)
    if isinstance(first, slice):
        ends = ("start", "stop", "step")
        return slice(*(join({n: getattr(i, end) for n, i in items.items()}) for end in ends))
    made = {}
    for f in fields(first):
        found = {n: getattr(item, f.name) for n, item in items.items()}
        value = found[next(iter(found))]
        equal = f.name in FIXED and all(same(plain(one), plain(value)) for one in found.values())
        made[f.name] = value if equal else join(found)
    return type(first)(**made)
