"""A layer that specfmt does not know: kept whole, never looked into."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from specfmt.spec.fields import AnyMapping, Nullable, OptionalStr, Text, Tuple
from specfmt.spec.layer import Layer, Shape, ShapeError
from specfmt.spec.fields import Integer
from specfmt.spec.registry import layer


@layer
class Custom(Layer):
    """A class of the user's own: generates an import and a call, survives every round trip.

    ``class`` is the dotted path to the class; ``config`` its keyword arguments.  Its output
    shape cannot be known, so ``output_shape`` (without the batch axis) may say it.
    """

    class_: Annotated[
        str, Text("a dotted path: package.module.Class", r"^[A-Za-z_][\w.>]*\Z")
    ] = Field(alias="class")
    config: Annotated[dict[str, Any], AnyMapping()] = {}
    registered_name: OptionalStr = None
    build_config: Annotated[dict[str, Any] | None, Nullable(AnyMapping())] = None
    shape: Annotated[tuple[int | None, ...] | None, Nullable(Tuple(Nullable(Integer(0))))] = None
