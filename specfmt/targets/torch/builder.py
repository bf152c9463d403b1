"""The interface through which lowerings create modules, parameters and steps.

A lowering is a function of a layer, a `LayerBuilder` and the call's tensors (with the same
parameters as the layer's `output_shape`).  It returns the output tensor, or a tuple of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

from specfmt.graph.model import Node
from specfmt.layers.base import Layer, is_floating
from specfmt.layers.policies import HALVES, compute_dtype, variable_dtype
from specfmt.targets.naming import identifier
from specfmt.targets.tables import is_long
from specfmt.targets.torch.activity import penalize
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
from specfmt.targets.torch.mixed_precision import IN_FLOAT32, in_compute_dtype
from specfmt.targets.torch.params import ByLayout, WeightExpr, Weights, flat_rows
from specfmt.targets.torch.params import Literal as LiteralExpr
from specfmt.targets.torch.registry import TargetError, check_policy, find_lowering
from specfmt.targets.torch.steps import ModuleDef, ParamDef, Step
from specfmt.vocab.base import Term


class LayerBuilder:
    """Builds the code of one call of a layer.

    Args:
        class_builder: The class to which modules, parameters and steps are added.
        node: The call.
        without_activation: Whether to leave out the final softmax or sigmoid (training on
            logits).
        weights: The layer's Keras weights; by default those of the call's unit.
        part: A suffix for the attribute names of the layer's modules.
        trainable: Whether the weights are trained; by default as in the graph.
        policy: The dtype policy of the layer; by default that of the call's unit.

    Attributes:
        unit: The graph unit that is called.
        weights: The layer's Keras weights, as expressions.
        compute_dtype: The dtype that the layer computes in.
        dtype: The parameters' dtype if it is not float32, else empty.
        casts: Whether it computes in half precision, for which parameters may have to be cast.
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
        policy: Any = None,
    ) -> None:
        self.class_builder = class_builder
        self.node = node
        self.unit = node.unit
        self.without_activation = without_activation
        self.weights = weights or Weights({w.name: w.shape for w in node.unit.weights})
        self.part = part
        self.trainable = node.unit.trainable if trainable is None else trainable
        self.policy = policy or node.unit.policy
        own = node.unit.graph is None and not node.unit.layer.is_operation
        self.compute_dtype = compute_dtype(self.policy) if own else "float32"
        kept = variable_dtype(self.policy) if own and node.unit.weights else "float32"
        self.dtype = "" if kept == "float32" else kept
        self.casts = self.compute_dtype in HALVES

    def inner(self, layer: Layer, part: str, prefix: str = "") -> LayerBuilder:
        """The builder for a layer inside this one (wrappers).

        Args:
            layer: The inner layer.
            part: A suffix for its attribute names; empty for none.
            prefix: The path of its weights below this layer's.
        """
        return LayerBuilder(
            self.class_builder,
            self.node,
            weights=self.weights.under(prefix) if prefix else self.weights,
            part="_".join(filter(None, (self.part, part))),
            trainable=self.trainable and not layer.is_frozen(),
            policy=layer.dtype or (self.policy if layer is self.unit.spec else self.around),
        )

    @property
    def around(self) -> Any:
        """The dtype policy of inner layers that have none."""
        return self.unit.around

    def autocast(self, tensor: Tensor) -> Tensor:
        """Cast a floating-point tensor to the layer's compute dtype, as Keras does."""
        if not is_floating(tensor.dtype) or tensor.dtype == self.compute_dtype:
            return tensor
        cast = self.method(
            tensor, "to", Name(f"torch.{self.compute_dtype}"), dtype=self.compute_dtype
        )
        cast.mask = tensor.mask
        return cast

    def without_casts(self) -> LayerBuilder:
        """The same builder for steps whose calls of modules are written again by the caller."""
        other = copy(self)
        other.casts = False
        return other

    def lower(self, layer: Layer, *args: Any, **kwargs: Any) -> Any:
        """Lower an inner layer: ``builder.inner(layer, "cell", "lstm_cell").lower(layer, x)``.

        Raises:
            TargetError: The layer has no PyTorch lowering (SF300), or not with its dtype policy.
        """
        check_policy(layer)
        lowering = find_lowering(type(layer))
        if lowering is None:
            raise TargetError(f"{layer.type_name} has no PyTorch lowering", code="SF300")
        if self.node.unit.graph is None and not self.unit.layer.is_operation:
            args = tuple(map_nest(item, self.autocast) for item in args)
            kwargs = {key: map_nest(item, self.autocast) for key, item in kwargs.items()}
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
        initializes_itself: bool = False,
        **kwargs: Any,
    ) -> ModuleDef:
        """A submodule of the class; calls of a shared layer get the same one.

        Args:
            ctor: ``nn.Linear`` or a helper's name.
            args, kwargs: Constructor arguments: Python values or expressions.
            params: PyTorch parameter (or buffer) name -> expression over Keras weights.
            suffix: A suffix to the layer's name, if one layer needs several modules.
            heavy: Whether it multiplies by a matrix (default: whether it has a weight matrix).
            frozen: The names in ``params`` that are not trained.
            buffers: The names in ``params`` that are buffers, besides ``running_...``.
            stays_eval: Whether it stays in evaluation mode while the model trains.
            comment: A comment above its definition; written once per class.
            initializes_itself: Whether the module initializes its own parameters.
        """
        if ctor.startswith("nn.") and None in args:
            raise TargetError(
                f"expected inputs of known size for {ctor}, received images that are cropped in "
                "training only",
                "put a CenterCrop after the RandomCrop",
            )
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
                ""
                if not params or (self.dtype in HALVES and ctor.startswith(IN_FLOAT32))
                else self.dtype,
                initializes_itself,
            )
            self.class_builder.modules[key] = known
        return known

    def parameter(
        self, value: WeightExpr | ByLayout, suffix: str, *, trainable: bool = True
    ) -> SelfAttr:
        """A parameter (or a buffer, if not trainable) of the class itself, as an expression.

        Args:
            value: Its value as an expression over Keras weights.
            suffix: The suffix of its name.
            trainable: Whether it is a parameter.
        """
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
        """Numbers from the spec as a buffer that broadcasts against ``x``.

        Args:
            values: The numbers, row-major.
            shape: Their shape along the last axes of ``x``, in Keras's axis order.
            x: The output of the step that uses them, in either layout.
            suffix: The suffix of the buffer's name.
        """
        numbers = tuple(float(value) for value in values)
        literal = LiteralExpr(shape, numbers, self.compute_dtype)
        return self.parameter(self.aligned(literal, x), suffix, trainable=False)

    def table(self, values: Sequence[Any], suffix: str) -> Any:
        """A table as an argument: a list, or the name of a constant if it is long."""
        if not is_long(values):
            return list(values)
        suffix = self._suffix(suffix)
        key = (self.unit, suffix)
        name = self.class_builder.table_names.get(key)
        if name is None:
            preferred = identifier(f"{self.unit.name}_{suffix}").upper()
            name = self.class_builder.table_names[key] = self.class_builder.file_scope.claim(
                preferred
            )
            self.class_builder.tables[name] = values
        return Name(name)

    def table_buffer(self, values: Sequence[float], suffix: str) -> SelfAttr:
        """A vector of numbers from the spec as a float32 buffer, in the given order."""
        listed = self.table(values, suffix)
        constant = listed.text if isinstance(listed, Name) else ""
        numbers = tuple(float(value) for value in values)
        literal = LiteralExpr((len(values),), numbers, constant=constant)
        return self.parameter(literal, suffix, trainable=False)

    def aligned(self, expr: WeightExpr, x: Tensor) -> WeightExpr | ByLayout:
        """A weight that broadcasts against the last axes of ``x``, in either layout.

        Args:
            expr: The weight.
            x: The output of the step that uses it (an input may be permuted before the step).
        """
        rank = len(expr.shape)
        if not x.has_layout or x.rank < 3:
            return expr if x.flat is None else flat_rows(x, expr)
        full = expr.reshape(*(1,) * (x.rank - 1 - rank), *expr.shape)
        moved = full.permute(x.rank - 2, *range(x.rank - 2))
        return ByLayout(x, expr, moved)

    def helper(self, name: str) -> str:
        """Use a function or class from ``templates/torch/helpers``; returns its name."""
        self.class_builder.helpers[name] = None
        return name

    def penalize(self, term: Term | None, *outputs: Tensor) -> None:
        """Add an activity regularizer's penalty for outputs of an inner layer (training only)."""
        penalize(self.class_builder, self.node, term, outputs)

    # -- computation -----------------------------------------------------------------------

    def tensor(self, shape: Shape, dtype: str = "", **kwargs: Any) -> Tensor:
        """A new tensor, named after the call; ``shape`` is in Keras's axis order.

        Without ``dtype`` it has the layer's compute dtype.
        """
        return Tensor(tuple(shape), dtype or self.compute_dtype, self.node.name, **kwargs)

    def step(
        self,
        expr: Any,
        *outputs: Tensor,
        layout: Layout = "any",
        output_layout: OutputLayout | None = None,
        **kwargs: Any,
    ) -> Any:
        """Add a step; returns its output, or a tuple if there are several.

        Args:
            expr: The expression.
            outputs: The tensors that it computes.
            layout: The layout of its inputs.
            output_layout: The layout of its outputs; None if it is the inputs' layout.
            kwargs: Further attributes of the `Step`.
        """
        if self.casts:
            new, automatic = in_compute_dtype(self.class_builder, self.compute_dtype, expr)
            if new != expr or automatic:
                kwargs["module"] = None  # an nn.Sequential casts nothing
                for tensor in outputs:
                    if is_floating(tensor.dtype):
                        tensor.dtype = self.compute_dtype
            expr, kwargs["autocast"] = new, self.compute_dtype if automatic else ""
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
            args, kwargs: Its other arguments.
            shape: The output's shape in Keras's axis order; by default that of ``x``.
            layout: The layout of its inputs.
            dtype: The output's dtype; by default that of ``x``.
            into: The output tensor; if it has ``flat``, its features can be in either order.
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
        """Call a function: ``func(x, *args, **kwargs)``.

        Args:
            func: ``F.relu`` or a helper's name.
            x: Its main operand.
            args, kwargs: Its other arguments.
            shape: The output's shape in Keras's axis order; by default that of ``x``.
            layout: The layout of its inputs.
            dtype: The output's dtype; by default that of ``x``.
            module: The equivalent `torch.nn` module, for `nn.Sequential`.
            comment: A comment on the line above.
        """
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
        """Call a method: ``x.name(*args, **kwargs)``; see `call`."""
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
        """Add any expression with the main operand ``x``; see `call`."""
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
        """Flatten all axes but the batch; the order of the features is left open.

        Args:
            x: The tensor.
            shape: The output's shape.
        """
        known = all(size is not None for size in x.shape[1:])
        y = self.tensor(shape, x.dtype)
        if x.rank >= 3 and known and not one_order(x.shape):
            y.flat = tuple(size or 0 for size in x.shape[1:])
        layout: Layout = "any" if known or one_order(x.shape) else "keras"
        result: Tensor = self.step(
            FlattenFrom(x), y, layout=layout, module=Call("nn.Flatten"), same_line=False
        )
        return result


def map_nest(args: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Apply ``change`` to every tensor in nested lists, tuples and dicts."""
    if isinstance(args, Tensor):
        return change(args)
    if isinstance(args, dict):
        return {key: map_nest(item, change) for key, item in args.items()}
    if isinstance(args, (list, tuple)):
        return type(args)(map_nest(item, change) for item in args)
    return args
