"""What a lowering talks to: it asks for modules, calls and parameters, and gets tensors.

A lowering is a function of a layer, a `LayerBuilder` and the call's tensors (bound as the layer's
`output_shape` is).  It returns the output tensor, or a tuple of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from specfmt.graph.infer import compute_dtype
from specfmt.graph.model import Node, Unit
from specfmt.layers.base import Layer
from specfmt.targets.naming import identifier
from specfmt.targets.tables import is_long
from specfmt.targets.torch.class_builder import ClassBuilder
from specfmt.targets.torch.expr import (
    Call,
    Expr,
    FlattenFrom,
    Layout,
    Method,
    Name,
    OutputLayout,
    SelfAttr,
    Shape,
    Stock,
    Tensor,
    one_order,
)
from specfmt.targets.torch.params import ByLayout, WeightExpr, Weights, flat_rows
from specfmt.targets.torch.params import Literal as LiteralExpr
from specfmt.targets.torch.registry import TargetError, find_lowering
from specfmt.targets.torch.steps import ModuleDef, ParamDef, Step


def parameter_dtype(unit: Unit) -> str:
    """The dtype of a layer's parameters where it is not float32, else nothing.

    Raises:
        TargetError: Mixed precision: Keras casts float32 weights at every use.
    """
    policy = unit.policy
    dtype = compute_dtype(policy)
    if dtype == "float32" or not unit.weights:
        return ""
    config = policy.get("config") if isinstance(policy, dict) else {"name": policy}
    name = str(config.get("name", "")) if isinstance(config, dict) else ""
    if name.startswith("mixed_"):
        raise TargetError(
            f"PyTorch layers have one dtype, the policy {name} has two",
            "use float32 and train under torch.autocast",
            "dtype",
        )
    return dtype


class LayerBuilder:
    """The builder as one call of one unit sees it.

    Attributes:
        weights: The unit's Keras weights, as expressions (`params.Weights`).
        without_activation: Leave out the final softmax or sigmoid (training on logits).
        trainable: Whether the unit's weights are trained.
    """

    def __init__(
        self,
        class_builder: ClassBuilder,
        node: Node,
        *,
        without_activation: bool = False,
        weights: Weights | None = None,
        part: str = "",
        trainable: bool | None = None,
    ) -> None:
        self.class_builder = class_builder
        self.node = node
        self.unit = node.unit
        self.without_activation = without_activation
        self.weights = weights or Weights({w.name: w.shape for w in node.unit.weights})
        self.part = part
        self.trainable = node.unit.trainable if trainable is None else trainable
        self.dtype = parameter_dtype(node.unit) if node.unit.graph is None else ""

    def inner(self, layer: Layer, part: str, prefix: str = "") -> LayerBuilder:
        """The builder for a layer held inside this one (wrappers).

        Args:
            layer: The inner layer.
            part: A suffix for the names of its attributes; empty for none.
            prefix: Where its weights stand below this layer's.
        """
        return LayerBuilder(
            self.class_builder,
            self.node,
            weights=self.weights.under(prefix) if prefix else self.weights,
            part="_".join(filter(None, (self.part, part))),
            trainable=self.trainable and not layer.is_frozen(),
        )

    def lower(self, layer: Layer, *args: Any, **kwargs: Any) -> Any:
        """Lower an inner layer: ``builder.inner(layer, "cell", "lstm_cell").lower(layer, x)``."""
        lowering = find_lowering(type(layer))
        if lowering is None:
            raise TargetError(f"{layer.type_name} has no PyTorch lowering", code="SF300")
        return lowering(layer, self, *args, **kwargs)

    # -- definitions ---------------------------------------------------------------------

    def _suffix(self, suffix: str) -> str:
        return "_".join(filter(None, (self.part, suffix)))

    def module(
        self,
        ctor: str,
        *args: Any,
        params: dict[str, WeightExpr | ByLayout] | None = None,
        suffix: str = "",
        heavy: bool | None = None,
        frozen: tuple[str, ...] = (),
        buffers: tuple[str, ...] = (),
        stays_eval: bool = False,
        comment: str = "",
        starts_itself: bool = False,
        **kwargs: Any,
    ) -> ModuleDef:
        """A module that the class holds; asked for again (a shared layer) it is the same one.

        Args:
            ctor: ``nn.Linear`` or a helper's name.
            args, kwargs: Constructor arguments, finished Python values or expressions.
            params: torch parameter (and buffer) name -> how it is made from Keras weights.
            suffix: Added to the layer's name where one layer needs several modules.
            heavy: Whether it gets a line of its own (default: it has a matrix).
            frozen: Those of ``params`` that training leaves alone.
            buffers: Those of ``params`` that are buffers, besides ``running_...``.
            stays_eval: Whether it stays in evaluation mode while the model trains.
            comment: A remark for the reader, above its definition; said once in a class.
            starts_itself: Whether nothing outside of it says how its parameters start.
        """
        suffix = self._suffix(suffix)
        key = (self.unit, suffix)
        known = self.class_builder.modules.get(key)
        if known is None:
            params = params or {}
            if heavy is None:
                heavy = any(len(p.shape) > 1 for p in params.values())
            frozen = frozen if self.trainable else tuple(params)
            known = ModuleDef(
                self.class_builder.attr(self.unit, suffix),
                Call(ctor, args, kwargs),
                params,
                self.unit,
                heavy,
                frozen,
                buffers,
                stays_eval,
                comment,
                self.dtype,
                starts_itself,
            )
            self.class_builder.modules[key] = known
        return known

    def parameter(
        self, value: WeightExpr | ByLayout, suffix: str, *, trainable: bool = True
    ) -> SelfAttr:
        """A parameter (a buffer, if not trainable) of the class itself, as an expression."""
        suffix = self._suffix(suffix)
        key = (self.unit, suffix)
        known = self.class_builder.parameters.get(key)
        if known is None:
            attr = self.class_builder.attr(self.unit, suffix)
            known = ParamDef(attr, value, self.unit, trainable and self.trainable, self.dtype)
            self.class_builder.parameters[key] = known
        return SelfAttr(known.attr)

    def constant(
        self, values: Sequence[float], shape: tuple[int, ...], x: Tensor, suffix: str
    ) -> SelfAttr:
        """Numbers that the spec itself gives, as a buffer that broadcasts against ``x``.

        Args:
            values: The numbers, row-major.
            shape: Their shape, in Keras's order, along the last axes of ``x``.
            x: The output of the step that uses them, in whichever layout.
            suffix: Of the buffer's name.
        """
        literal = LiteralExpr(shape, tuple(float(value) for value in values))
        return self.parameter(self.aligned(literal, x), suffix, trainable=False)

    def table(self, values: Sequence[Any], suffix: str) -> Any:
        """A table as an argument: the list itself, or the name of a constant where it is long."""
        if not is_long(values):
            return list(values)
        suffix = self._suffix(suffix)
        key = (self.unit, suffix)
        name = self.class_builder.table_names.get(key)
        if name is None:
            wish = identifier(f"{self.unit.name}_{suffix}").upper()
            name = self.class_builder.table_names[key] = self.class_builder.file_scope.claim(wish)
            self.class_builder.tables[name] = values
        return Name(name)

    def table_buffer(self, values: Sequence[float], suffix: str) -> SelfAttr:
        """A row of numbers of the spec as a buffer of their own, whatever reads them."""
        listed = self.table(values, suffix)
        constant = listed.text if isinstance(listed, Name) else ""
        numbers = tuple(float(value) for value in values)
        literal = LiteralExpr((len(values),), numbers, constant=constant)
        return self.parameter(literal, suffix, trainable=False)

    def aligned(self, expr: WeightExpr, x: Tensor) -> WeightExpr | ByLayout:
        """A weight that broadcasts against ``x`` from the last axis, in whichever layout.

        Give the output of the step that uses it: an input may be permuted just before.
        """
        rank = len(expr.shape)
        if not x.has_layout or x.rank < 3:
            return expr if x.flat is None else flat_rows(x, expr)
        full = expr.reshape(*(1,) * (x.rank - 1 - rank), *expr.shape)
        moved = full.permute(x.rank - 2, *range(x.rank - 2))
        return ByLayout(x, expr, moved)

    def helper(self, name: str) -> str:
        """Ask for a function or class of ``templates/torch/helpers``; returns its name."""
        self.class_builder.helpers[name] = None
        return name

    # -- computation -----------------------------------------------------------------------

    def tensor(self, shape: Shape, dtype: str = "float32", **kwargs: Any) -> Tensor:
        """A new value, named after the call."""
        return Tensor(tuple(shape), dtype, self.node.name, **kwargs)

    def step(
        self,
        expr: Any,
        *outputs: Tensor,
        layout: Layout = "any",
        output_layout: OutputLayout | None = None,
        **kwargs: Any,
    ) -> Any:
        """Add a computation; returns its output, or the tuple of them."""
        self.class_builder.steps.append(
            Step(outputs, expr, layout, output_layout, node=self.node, **kwargs)
        )
        return outputs[0] if len(outputs) == 1 else outputs

    def apply(
        self,
        module: ModuleDef,
        x: Tensor,
        *args: Any,
        shape: Shape | None = None,
        layout: Layout = "any",
        dtype: str | None = None,
        into: Tensor | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """Call a module: ``self.conv1(x)``.

        Args:
            module: The module.
            x: Its main operand.
            args, kwargs: What else it is called with.
            shape: The output's shape in Keras's order, where it is not that of ``x``.
            layout: The axis order that it reads.
            dtype: The output's dtype, where it is not that of ``x``.
            into: The output; where it is flat, the module's weights alone decide its order.
        """
        y = into or self.tensor(x.shape if shape is None else shape, dtype or x.dtype)
        if into is None and y.shape == x.shape:
            y.flat = x.flat
        result: Tensor = self.step(
            Call(SelfAttr(module.attr), (x, *args), kwargs),
            y,
            layout=layout,
            output_layout="free" if into is not None and into.flat is not None else None,
            module=module.ctor if not args and not kwargs else None,
            module_def=module,
            heavy=module.heavy,
            same_line=not module.heavy and y.shape == x.shape,
        )
        return result

    def call(
        self,
        func: str,
        x: Tensor,
        *args: Any,
        shape: Shape | None = None,
        layout: Layout = "any",
        dtype: str | None = None,
        module: Stock | None = None,
        comment: str = "",
        **kwargs: Any,
    ) -> Tensor:
        """``func(x, *args, **kwargs)``; ``module`` is the stock module that does the same."""
        return self._apply(Call(func, (x, *args), kwargs), x, shape, layout, dtype, module, comment)

    def method(
        self,
        x: Tensor,
        name: str,
        *args: Any,
        shape: Shape | None = None,
        layout: Layout = "any",
        dtype: str | None = None,
        module: Stock | None = None,
        comment: str = "",
        **kwargs: Any,
    ) -> Tensor:
        """``x.name(*args, **kwargs)``."""
        return self._apply(Method(x, name, args, kwargs), x, shape, layout, dtype, module, comment)

    def expr(
        self,
        expr: Expr,
        x: Tensor,
        *,
        shape: Shape | None = None,
        layout: Layout = "any",
        dtype: str | None = None,
        module: Stock | None = None,
        comment: str = "",
    ) -> Tensor:
        """Any expression; ``x`` is its main operand, whose shape is the output's unless given."""
        return self._apply(expr, x, shape, layout, dtype, module, comment)

    def _apply(
        self,
        expr: Expr,
        x: Tensor,
        shape: Shape | None,
        layout: Layout,
        dtype: str | None,
        module: Stock | None,
        comment: str,
    ) -> Tensor:
        same = shape is None or tuple(shape) == x.shape
        y = self.tensor(x.shape if shape is None else shape, dtype or x.dtype)
        if same:
            y.flat = x.flat
        result: Tensor = self.step(
            expr, y, layout=layout, module=module, same_line=same, comment=comment
        )
        return result

    def flatten(self, x: Tensor, shape: Shape) -> Tensor:
        """All axes but the batch into one; their order stays open for what follows."""
        known = all(size is not None for size in x.shape[1:])
        y = self.tensor(shape, x.dtype)
        if x.rank >= 3 and known and not one_order(x.shape):
            y.flat = tuple(size or 0 for size in x.shape[1:])
        layout: Layout = "any" if known or one_order(x.shape) else "keras"
        result: Tensor = self.step(
            FlattenFrom(x), y, layout=layout, module=Call("nn.Flatten"), same_line=False
        )
        return result
