"""What a generated class is made of: its modules, its parameters and the steps of its forward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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


@dataclass(eq=False)
class ModuleDef:
    """A module that the class holds.

    Attributes:
        attr: Attribute name.
        ctor: The constructor call.
        params: torch parameter name -> expression over the unit's Keras weights.
        unit: The graph unit whose weights these are.
        heavy: Whether it stands on a line of its own in forward.
        frozen: Those of ``params`` that training leaves alone.
        buffers: Those of ``params`` that are buffers, besides ``running_...``.
        stays_eval: Whether it stays in evaluation mode while the model trains.
        comment: A remark for the reader, above its definition.
        dtype: Its parameters' dtype where that is not float32.
        starts_itself: Whether nothing outside of it says how its parameters start.
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
    starts_itself: bool = False

    @property
    def creation(self) -> Call | Method:
        """The constructor call, brought to the dtype."""
        return Method(self.ctor, "to", (Name(f"torch.{self.dtype}"),)) if self.dtype else self.ctor

    def is_buffer(self, name: str) -> bool:
        """Whether an entry of ``params`` is a buffer."""
        return name.startswith("running_") or name in self.buffers

    @property
    def counts_batches(self) -> bool:
        """Whether PyTorch's own module keeps a count beside its running statistics."""
        return str(self.ctor.func).startswith("nn.") and "running_mean" in self.params


@dataclass(eq=False)
class ParamDef:
    """An `nn.Parameter` (or a buffer, if not trainable) that the class itself holds."""

    attr: str
    value: Any
    unit: Any
    trainable: bool = True
    dtype: str = ""


@dataclass(eq=False)
class Step:
    """One computation of forward: ``outputs = expr``.

    Attributes:
        outputs: The values it gives (several for a tuple).
        expr: What it computes.
        layout: The axis order it needs of every input that has one.
        output_layout: The order its outputs stand in (default: as ``layout``); ``free`` if it can
            give either, whatever it reads; then the expression follows the output's order.
        node: The graph node it belongs to.
        module: The stock module (or chain of them) that does the same, for `nn.Sequential`;
            None if there is none.
        same_line: Whether it may join the line of the step before it (element-wise, norms).
        comment: A remark for the reader, on a line above.
        target: The nest of ``outputs`` that the call returns, where it is not a flat tuple:
            ``(out, (h, c))``.
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
    _gathered: tuple[Any, tuple[Tensor, ...]] = (None, ())

    @property
    def reads(self) -> tuple[Tensor, ...]:
        """The tensors that it reads, as often as its text names them."""
        expr, tensors = self._gathered
        if expr is not self.expr:
            tensors = tuple(tensors_in(self.expr))
            self._gathered = (self.expr, tensors)
        return tensors
