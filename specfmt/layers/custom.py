"""A layer that specfmt does not know: kept whole, never looked into."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from specfmt.spec.fields import AnyMapping, Integer, Nullable, OptionalStr, Text, Tuple
from specfmt.spec.layer import Argument, Layer, Shape
from specfmt.spec.registry import layer

ClassPath = Annotated[str, Text("a dotted path: package.module.Class", r"^[A-Za-z_][\w.>]*$(?!\n)")]
OutputShape = Annotated[tuple[int | None, ...] | None, Nullable(Tuple(Nullable(Integer(0)), 0))]


@layer
class Custom(Layer):
    """A class of the user's own: generates an import and a call, survives every round trip.

    ``class`` is the dotted path to the class; ``config`` its keyword arguments.  Its output
    shape cannot be known, so ``shape`` (without the batch axis) may say it; the first
    input's is taken otherwise.  Its call may take any arguments.
    """

    call_arguments = (Argument("inputs", required=False),)
    supports_masking: ClassVar[bool] = False
    open_call: ClassVar[bool] = True

    class_: ClassPath = Field(alias="class")
    config: Annotated[dict[str, Any], AnyMapping()] = Field(default={})
    registered_name: OptionalStr = None
    build_config: Annotated[dict[str, Any] | None, Nullable(AnyMapping())] = None
    shape: OutputShape = None

    def output_shape(self, *args: Any, **kwargs: Any) -> Shape:
        first = next(_shapes((*args, *kwargs.values())), (None,))
        return first if self.shape is None else (first[0] if first else None, *self.shape)


def _shapes(items: Any) -> Any:
    """The shapes among a call's arguments; constants are no shapes."""
    for item in items:
        if isinstance(item, list):
            yield from _shapes(item)
        elif isinstance(item, tuple):
            yield item
