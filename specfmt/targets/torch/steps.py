"""The parts of a generated class: modules, parameters and the steps of forward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from specfmt.targets.torch.expr import (
    Call,
    Layout,
    Method,
    Name,
    OutputLayout,
    Stock,
    Tensor,
    tensors_in,
)

if TYPE_CHECKING:
    from specfmt.targets.torch.blocks.model import BlockDef


@dataclass(eq=False)
class ModuleDef:
    """A submodule of the class.

    Attributes:
        attr: Its attribute name.
        ctor: The constructor call.
        params: PyTorch parameter name -> expression over the unit's Keras weights.
        unit: The graph unit that has these weights.
        heavy: Whether it multiplies by a matrix (convolution, linear, recurrent); a line of
            forward has at most one such module.
        frozen: The names in ``params`` that are not trained.
        buffers: The names in ``params`` that are buffers, besides ``running_...``.
        stays_eval: Whether it stays in evaluation mode while the model trains.
        comment: A comment above its definition.
        dtype: Its parameters' dtype if it is not float32, else empty.
        initializes_itself: Whether the module initializes its own parameters.
    """

    attr: str
    ctor: Call
    params: dict[str, Any]
    unit: Any
    heavy: bool = False
    frozen: tuple[str, ...] = ()
    buffers: tuple[str, ...] = ()
    stays_eval: bool = False
    comment: str = ""
    dtype: str = ""
    initializes_itself: bool = False

    @property
    def creation(self) -> Call | Method:
        """The constructor call, converted to the dtype."""
        return Method(self.ctor, "to", (Name(f"torch.{self.dtype}"),)) if self.dtype else self.ctor

    def is_buffer(self, name: str) -> bool:
        """Whether an entry of ``params`` is a buffer."""
        return name.startswith("running_") or name in self.buffers

    @property
    def counts_batches(self) -> bool:
        """Whether it is a PyTorch module with a `num_batches_tracked` buffer."""
        return str(self.ctor.func).startswith("nn.") and "running_mean" in self.params


@dataclass(eq=False)
class ParamDef:
    """An `nn.Parameter` (or a buffer, if not trainable) of the class itself."""

    attr: str
    value: Any
    unit: Any
    trainable: bool = True
    dtype: str = ""


@dataclass(eq=False)
class Step:
    """One computation in forward: ``outputs = expr``.

    Attributes:
        outputs: The resulting values; several if the result is a tuple.
        expr: The expression.
        layout: The layout of all inputs that have one.
        output_layout: The layout of the outputs; None if it is the inputs' layout.  ``free``:
            either layout, whatever the inputs'; the expression then follows the output's.
        node: The graph node it belongs to.
        module: The equivalent `torch.nn` module (or chain), for `nn.Sequential`; None if there
            is none.
        module_def: The submodule that it calls, if any.
        same_line: Whether it may be written on the line of the previous step (element-wise
            functions, normalizations).
        heavy: Whether it multiplies by a matrix; a line has at most one such step.
        comment: A comment on the line above.
        effect: Whether it is a statement that runs although nothing reads its result.
        target: ``outputs`` nested as in the call's result, if that is not a flat tuple:
            ``(out, (h, c))``.
        autocast: The dtype of the `torch.autocast` under which it runs; empty if it runs
            without.
        when: The condition under which it runs, as source; empty if it always runs.
        calls: The use of a block that it calls, if any.
        carried: The index of the argument that a loop hands from one call to the next; None if
            the step is not a loop over the modules of a list.
    """

    outputs: tuple[Tensor, ...]
    expr: Any
    layout: Layout = "any"
    output_layout: OutputLayout | None = None
    node: Any = None
    module: Stock | None = None
    module_def: ModuleDef | None = None
    same_line: bool = False
    heavy: bool = False
    comment: str = ""
    target: tuple[Any, ...] | None = None
    effect: bool = False
    autocast: str = ""
    when: str = ""
    calls: BlockDef | None = None
    carried: int | None = None
    _gathered: tuple[Any, tuple[Tensor, ...]] = (None, ())

    @property
    def reads(self) -> tuple[Tensor, ...]:
        """The tensors in the expression, once for each occurrence in its source text."""
        expr, tensors = self._gathered
        if expr is not self.expr:
            tensors = tuple(tensors_in(self.expr))
            self._gathered = (self.expr, tensors)
        return tensors
