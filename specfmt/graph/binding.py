"""Binding the inputs of an entry to the arguments of the layer's call."""

from __future__ import annotations

from typing import Any

from specfmt.diagnostics import Path
from specfmt.fields.errors import did_you_mean, show
from specfmt.graph.arguments import (
    call_signature,
    constant,
    edges_of,
    has_open_signature,
    is_one,
    leaves,
    names_read,
    only_tensor,
    open_arguments,
    reads_previous,
)
from specfmt.graph.model import Graph, Unit, Value, flatten
from specfmt.graph.scope import Scope, Unresolved
from specfmt.layers.entries import Model
from specfmt.layers.naming import is_identifier
from specfmt.layers.op import Op

MODEL_ARGUMENTS = ("training", "mask")
"""Call arguments of a nested model besides its inputs."""


class Binder:
    """Binds the inputs of one model's layers.

    Attributes:
        form: The structure in which the last bound call passes inputs to a nested model; None if
            it was not a call of a nested model.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.form: Any = None

    def bind(self, entry: Any, unit: Unit, index: int, path: Path) -> dict[str, Any] | None:
        """Call arguments by name, or None if one is missing or cannot be resolved."""
        self.form = None
        key = "call" if isinstance(entry, Model) else "inputs"
        edges = edges_of(entry)
        only = only_tensor(unit)
        if only is not None and isinstance(edges, str | None):  # most calls
            value = (
                self.scope.previous(index, path, key)
                if edges is None
                else self.scope.resolve(edges, (*path, key))
            )
            return {only: value} if isinstance(value, Value) else None
        before = len(self.scope.problems)
        if isinstance(entry, Op) and reads_previous(entry):
            previous = self.scope.previous(index, path, key)
            bound = {} if previous is None else {"0": previous}
            return None if isinstance(previous, Unresolved) or not bound else bound
        if isinstance(entry, Op):
            items = edges if isinstance(edges, tuple) else (edges,)
            bound = {
                str(i): self._operand(item, (*path, key) if edges is not items else (*path, key, i))
                for i, item in enumerate(items)
            }
            unknown = any(isinstance(v, Unresolved) for v in leaves(bound))
            return None if unknown or len(self.scope.problems) > before else bound
        if unit.graph is not None:
            bound = self._bind_model(unit, unit.graph, edges, index, path, key)
        elif edges is None:
            previous = self.scope.previous(index, path, key)
            bound = {} if previous is None else self._positional(unit, [previous], path)
        elif isinstance(edges, str):
            bound = self._positional(unit, [self.scope.resolve(edges, (*path, key))], path)
        elif isinstance(edges, dict):
            bound = self._by_name(unit, edges, (*path, key))
        else:
            values = [self.scope.resolve(name, (*path, key, i)) for i, name in enumerate(edges)]
            bound = self._positional(unit, values, path)
        if any(isinstance(value, Unresolved) for value in leaves(bound)):
            return None
        if len(self.scope.problems) > before:
            return None
        for argument, required, kind in call_signature(unit):
            if required and argument not in bound:
                self.scope.report(
                    "SF204",
                    f"{unit.type_name} is missing the required call argument `{argument}`",
                    path,
                    f"add it to `{key}:`",
                )
            elif (
                unit.graph is None
                and not has_open_signature(unit)
                and not _is_bound(bound.get(argument), kind, required)
            ):
                self.scope.report(
                    "SF204",
                    f"expected a tensor as argument `{argument}` of {unit.type_name}, received a constant",
                    (*path, key),
                    "give the name of a layer or an input",
                )
        return None if len(self.scope.problems) > before else bound

    def _bind_model(
        self, unit: Unit, inner: Graph, edges: Any, index: int, path: Path, key: str
    ) -> dict[str, Any]:
        """Call arguments of a nested model by the names of its inputs."""
        extra: dict[str, Any] = {}
        if edges is None:
            form: Any = self.scope.previous(index, path, key)
            if form is None:
                return {}
        else:
            where: Path = (*path, key)
            if isinstance(edges, dict):
                own = set(inner.inputs)
                extra = {k: v for k, v in edges.items() if k in MODEL_ARGUMENTS and k not in own}
                named = {k: v for k, v in edges.items() if k not in extra}
                nest: Any = inner.input_nest
                args: Any = named.get("args")
                if set(named) == {"args"} and "args" not in own and is_one(args):
                    edges, where = args[0], (*where, "args", 0)
                elif isinstance(nest, dict) and set(named) == set(nest):
                    edges = named
                else:
                    return self._by_name(unit, {**named, **extra}, where)
            form = self._nest(edges, where)
        names = [value.name for value in flatten(inner.input_nest) if value is not None]
        values = flatten(form)
        if len(values) > len(names):
            return self._positional(unit, values, path)
        self.form = form
        bound = dict(zip(names, values, strict=False))
        return {**bound, **(self._by_name(unit, extra, (*path, key)) if extra else {})}

    def _nest(self, item: Any, path: Path) -> Any:
        """A structure with tensor names replaced by their values."""
        if isinstance(item, dict):
            return {key: self._nest(inner, (*path, key)) for key, inner in item.items()}
        if isinstance(item, (list, tuple)):
            return [self._nest(inner, (*path, i)) for i, inner in enumerate(item)]
        return self.scope.resolve(item, path) if isinstance(item, str) else item

    def _positional(
        self, unit: Unit, values: list[Value | Unresolved], path: Path
    ) -> dict[str, Any]:
        if has_open_signature(unit):
            return open_arguments(values)
        signature = [item for item in call_signature(unit) if item[2] != "value"]
        for place, (name, _, kind) in enumerate(signature):
            if kind == "tensors" and place < len(values):
                # A list argument takes all remaining tensors: [x, h, c] is x with its states.
                names = [before for before, _, _ in signature[:place]]
                return {**dict(zip(names, values, strict=False)), name: values[place:]}
        if len(values) > len(signature):
            known = ", ".join(name for name, _, _ in signature)
            self.scope.report(
                "SF205",
                f"expected at most {len(signature)} input "
                f"tensor{'s' if len(signature) > 1 else ''} of {unit.type_name} ({known}), "
                f"received {len(values)}",
                (*path, "inputs"),
            )
            return {}
        return {name: value for (name, _, _), value in zip(signature, values, strict=False)}

    def _by_name(self, unit: Unit, edges: dict[str, Any], path: Path) -> dict[str, Any]:
        # The call arguments of a custom layer are unknown, so any structure of tensors is allowed.
        signature = [] if has_open_signature(unit) else call_signature(unit)
        kinds = {name: kind for name, _, kind in signature}
        bound: dict[str, Any] = {}
        for argument, item in edges.items():
            kind = kinds.get(argument)
            if argument == "args" and isinstance(item, tuple) and "args" not in kinds:
                values = [self._nest(inner, (*path, argument, i)) for i, inner in enumerate(item)]
                bound.update(self._positional(unit, values, path))
            elif kind is None and not has_open_signature(unit):
                self.scope.report(
                    "SF205",
                    f"expected a call argument of {unit.type_name}, received {show(argument)}",
                    (*path, argument),
                    did_you_mean(argument, kinds) or "it takes " + ", ".join(kinds),
                    on_key=True,
                )
            elif kind is None and not is_identifier(argument):
                self.scope.report(
                    "SF205",
                    f"expected the name of a call argument, received {show(argument)}",
                    (*path, argument),
                    "argument names must be Python identifiers",
                    on_key=True,
                )
            elif item is not None and not _fits_kind(item, kind, nested=unit.graph is not None):
                some = "a list of tensor names" if kind == "tensors" else "the name of a tensor"
                self.scope.report(
                    "SF201",
                    f"expected {some} as `{argument}`, received {show(item)}",
                    (*path, argument),
                )
            elif kind == "value" or not any(True for _ in names_read(item)):
                bound[argument] = item
            elif isinstance(item, str):
                value = self.scope.resolve(item, (*path, argument))
                bound[argument] = [value] if kind == "tensors" else value
            else:
                bound[argument] = self._nest(item, (*path, argument))
        return bound

    def _operand(self, item: Any, path: Path) -> Any:
        if isinstance(item, str):
            return self.scope.resolve(item, path)
        if isinstance(item, dict) and "const" in item:
            return constant(item["const"])
        if isinstance(item, tuple):
            return tuple(self._operand(inner, (*path, i)) for i, inner in enumerate(item))
        return item


def _is_bound(item: Any, kind: str, required: bool) -> bool:
    """Whether a call argument has a value of its kind: a tensor, a list of tensors, or anything."""
    if kind == "tensor":
        return isinstance(item, Value) or (item is None and not required)
    if kind == "tensors":
        items = item if isinstance(item, (list, tuple)) else ()
        each = all(isinstance(i, Value) or (i is None and not required) for i in items)
        return each and bool(items or (item is None and not required))
    return True


def _fits_kind(item: Any, kind: str | None, *, nested: bool) -> bool:
    """Whether the value of a call argument has the form of its kind.

    Args:
        item: The given value.
        kind: The argument's kind; None for unknown arguments.
        nested: It is an input of a nested model, which may be lists and mappings of tensors.
    """
    if kind not in ("tensor", "tensors"):
        return True
    if nested and isinstance(item, dict):
        return bool(item) and all(_fits_kind(inner, kind, nested=True) for inner in item.values())
    if isinstance(item, (list, tuple)) and (nested or kind == "tensors"):
        return bool(item) and all(
            inner is None or _fits_kind(inner, "tensor", nested=nested) for inner in item
        )
    return isinstance(item, str)
