"""Calls of models inside a model: their arguments, masks and results.

A mask that crosses the border of a generated class is an argument of its ``forward``, or another
value that it returns.  Only masks that a layer behind the border reads are passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from specfmt.diagnostics import Diagnostic
from specfmt.graph.mask_flow import MaskFlow, MaskFlows
from specfmt.graph.model import Graph
from specfmt.layers.base import is_floating
from specfmt.targets.naming import Scope
from specfmt.targets.source import string
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import (
    Attr,
    Call,
    Layout,
    Method,
    Name,
    SelfAttr,
    Size,
    Subscript,
    Tensor,
)
from specfmt.targets.torch.program import ClassProgram, Options
from specfmt.targets.torch.registry import TargetError
from specfmt.targets.torch.stubs import Stubs


@dataclass(eq=False)
class Lowering:
    """What the classes of a file share while they are lowered.

    Attributes:
        options: Axis order, fidelity and what training needs.
        scope: Module-level names in use in the generated file.
        flows: The masks in all models.
        returned: The masks that the classes return: model and output name.  Which ones the model
            around them reads is known only once that is lowered; see `missing`.
        problems: What PyTorch cannot express.
        stubs: Calls of layers that specfmt does not define.
        missing: Masks that a model reads and the one inside does not return yet.
    """

    options: Options
    scope: Scope
    flows: MaskFlows
    returned: frozenset[tuple[Graph, str]] = frozenset()
    problems: list[Diagnostic] = field(default_factory=list)
    stubs: Stubs = field(default_factory=Stubs)
    missing: set[tuple[Graph, str]] = field(default_factory=set)

    def again(self, used: Iterable[str]) -> Lowering:
        """A new attempt, in which the missing masks are returned.

        Args:
            used: The module-level names in use before the first attempt.
        """
        returned = self.returned | self.missing
        return Lowering(self.options, Scope(used), self.flows, returned)

    def flow(self, graph: Graph) -> MaskFlow:
        """The masks in a model; none in one that no call reaches."""
        found = self.flows.flows.get(graph)
        return MaskFlow() if found is None else found


def add_masks(program: ClassProgram, lowering: Lowering, tensors: dict[Any, Tensor]) -> None:
    """Give masks to the inputs of a class, of which `keep_needed` keeps those that are read."""
    graph = program.graph
    several = len(graph.inputs) > 1
    for name, rank in lowering.flows.masked.get(graph, {}).items():
        value = tensors[graph.inputs[name]]
        mask = Tensor(value.shape[:rank], "bool", f"{name}_mask" if several else "mask")
        mask.keeps_name = True
        value.mask = program.masks[name] = program.entering[name] = mask


def keep_needed(program: ClassProgram, lowering: Lowering, results: Sequence[Tensor]) -> bool:
    """Remove the mask arguments that nothing reads.

    Args:
        program: The class, whose steps are complete.
        lowering: Gets the masks that inner models do not return yet.
        results: What the class computes.

    Returns:
        Whether all masks that the class reads are there.
    """
    needed = set(results)
    for step in reversed(program.builder.steps):
        if step.effect or any(tensor in needed for tensor in step.outputs):
            needed.update(step.reads)
    program.masks = {name: mask for name, mask in program.masks.items() if mask in needed}
    missing = {asked for mask, asked in program.builder.absent_masks.items() if mask in needed}
    lowering.missing |= missing
    return not missing


@dataclass(eq=False)
class Border:
    """The masks of one call of a class.

    Attributes:
        builder: The call's builder.
        inner: The class.
        given: Input name -> the argument and its mask.
    """

    builder: LayerBuilder
    inner: ClassProgram
    given: dict[str, tuple[Tensor, Tensor | None]]

    def arguments(self) -> tuple[Tensor, ...]:
        """The arguments for the masks that the class reads.

        Raises:
            TargetError: A mask does not have the form that the class expects.
        """
        found = []
        for name, wanted in self.inner.masks.items():
            x, mask = self.given[name]
            if wanted.rank < 2:
                raise TargetError(
                    "expected a mask of steps for the inner model, received one value for each of "
                    "its samples",
                    "mask the inner sequences, or remove the mask before this layer",
                )
            if mask is not None and mask.rank != wanted.rank:
                raise TargetError(
                    f"expected masks of {wanted.rank} axes in all calls of {self.inner.graph.name}, "
                    f"received {mask.rank}",
                    "use two models, or masks of one shape",
                )
            found.append(self._all_true(x, wanted.rank) if mask is None else _boolean(self, mask))
        return tuple(found)

    def _all_true(self, x: Tensor, rank: int) -> Tensor:
        """The mask of an argument that has none in this call, but in another one."""
        sizes = tuple(Size(x, k) for k in range(rank))
        options = {"dtype": Name("torch.bool"), "device": Attr(x, "device")}
        mask = Tensor(x.shape[:rank], "bool", f"{x.name}_mask")
        result: Tensor = self.builder.step(Call("torch.ones", sizes, options), mask, layout="any")
        return result

    def give(self, names: Sequence[str], outputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Give the outputs their masks; returns those that the class returns."""
        returned = []
        for name, output in zip(names, outputs, strict=True):
            mask = self.inner.output_masks.get(name)
            if mask is None:
                continue
            passed = next((n for n, own in self.inner.entering.items() if own is mask), None)
            if passed is not None:
                output.mask = self.given[passed][1]
                continue
            output.mask = Tensor(
                (*output.shape[: mask.rank],), "bool", f"{output.name}_mask", keeps_name=True
            )
            if name in self.inner.returned_masks:
                returned.append(output.mask)
            else:
                absent = self.builder.class_builder.absent_masks
                absent[output.mask] = (self.inner.graph, name)
        return tuple(returned)


def _boolean(border: Border, mask: Tensor) -> Tensor:
    if mask.dtype == "bool":
        return mask
    same: Tensor = border.builder.method(mask, "bool", layout="keras", dtype="bool")
    return same


def call_model(builder: LayerBuilder, inner: ClassProgram, args: dict[str, Any]) -> Any:
    """``self.encoder(x)``, with the masks that the inner class reads.

    Raises:
        TargetError: The masks of several calls do not go together.
    """
    inputs = {
        name: _as_declared(builder, args[name], tensor)
        for name, tensor in inner.inputs.items()
        if name in args
    }
    masks = {name: tensor.mask for name, tensor in inputs.items()}
    explicit = args.get("mask")
    if isinstance(explicit, Tensor):
        masks[next(iter(masks))] = explicit
    border = Border(builder, inner, {name: (x, masks[name]) for name, x in inputs.items()})
    passed = (*inputs.values(), *border.arguments())
    module = builder.module(inner.name, heavy=True)
    outputs = tuple(
        Tensor(value.shape or (), value.dtype, value.name) for value in builder.node.outputs
    )
    returned = border.give(list(inner.outputs), outputs)
    layout, output_layout = layouts(inner)
    form = inner.graph.output_form
    expr: Any = Call(SelfAttr(module.attr), passed)
    if form != "single" and len(outputs) == 1 and not returned:
        key = Name(string(next(iter(inner.outputs)))) if form == "mapping" else 0
        expr = Subscript(expr, (key,))
    elif form == "mapping":
        expr = Method(expr, "values")
    plain = form == "single" and len(passed) == 1 and not returned
    builder.step(
        expr,
        *outputs,
        *returned,
        layout=layout,
        output_layout=output_layout,
        module_def=module,
        module=module.ctor if plain else None,
        heavy=True,
    )
    return outputs[0] if len(outputs) == 1 else outputs


def _as_declared(builder: LayerBuilder, x: Any, declared: Tensor) -> Any:
    """An input in the floating-point dtype that the model declares for it, as Keras casts it."""
    kinds = (x.dtype, declared.dtype) if isinstance(x, Tensor) else ("", "")
    if kinds[0] == kinds[1] or not all(map(is_floating, kinds)):
        return x
    cast = builder.method(x, "to", Name(f"torch.{declared.dtype}"), dtype=declared.dtype)
    cast.mask = x.mask
    return cast


def layouts(inner: ClassProgram) -> tuple[Layout, Layout | None]:
    """The layouts of a class's inputs and outputs; ``keras`` if they differ among each other."""
    given = {_layout(inner, t) for t in inner.inputs.values() if t.has_layout}
    results = {_layout(inner, t) for t in inner.outputs.values() if t.has_layout}
    layout: Layout = given.pop() if len(given) == 1 else "keras"
    return layout, results.pop() if len(results) == 1 else None


def _layout(program: ClassProgram, tensor: Tensor) -> Layout:
    return "channels" if program.channels.get(tensor) else "keras"
