"""User-defined layers: specfmt keeps their configuration and generates an import and a call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import Field

from specfmt.diagnostics import Path
from specfmt.fields.foreign import ClassRule, TorchClassRule
from specfmt.fields.rules import AnyMapping, Either, Integer, Nullable, OneOf, Tuple
from specfmt.fields.types import DTYPES, OptionalStr
from specfmt.layers.base import Argument, Layer, Weight
from specfmt.layers.custom_weights import WeightsRule, as_weight
from specfmt.layers.entries import EntriesRule
from specfmt.layers.mapping_calls import returned_mapping, returned_shapes
from specfmt.layers.registry import layer
from specfmt.vocab.fields import ZEROS

ClassPath = Annotated[
    str, ClassRule("a dotted path: package.module.Class", r"^[A-Za-z_][A-Za-z0-9_.>]*$(?!\n)")
]
SIZES = Tuple(Nullable(Integer(0)), 0)
OutputShape = Annotated[
    tuple[Any, ...] | None,
    Nullable(
        Either(
            SIZES, Tuple(Nullable(SIZES), 1), expected="a shape, or a list with one for each output"
        )
    ),
]
TorchClass = Annotated[
    str | None,
    Nullable(
        TorchClassRule(
            "a dotted path: package.module.Class",
            r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$(?!\n)",
        )
    ),
]
OutputDType = Annotated[str | None, Nullable(OneOf(*DTYPES))]


@layer
class Custom(Layer):
    """A user-defined layer: generated code imports its class and calls it.

    ``class`` is the dotted path of the class and ``config`` its constructor arguments.  ``shape``
    is the output's shape without the batch axis (a list of shapes for several outputs, null for
    one that is not known) and ``output_dtype`` its dtype; without ``shape`` the shapes of the
    layers after it are unknown.  ``weights`` gives the shape of each weight, in Keras's order
    (``{}`` if there are none; without it their number is unknown); ``torch`` is the PyTorch class
    that computes the same.  Alternatively ``define`` lists the layers and operations that compute
    what the class computes, with its call arguments as ``x``, ``y``, ``z``: then its shapes and
    weights are known and the class is not used.  A call may have any arguments.

    As the `cell` of an `RNN`, ``shape`` is the features of its output and of its only state
    (``[4]``), or a list with those of the output and of each state (``[[4], [4], [8]]``);
    ``define`` is not possible there.
    """

    call_arguments = (Argument("inputs", required=False),)
    supports_masking: ClassVar[bool] = False
    takes_any_arguments: ClassVar[bool] = True

    class_: ClassPath = Field(alias="class")
    config: Annotated[dict[str, Any], AnyMapping()] = Field(default={})
    registered_name: OptionalStr = None
    build_config: Annotated[dict[str, Any] | None, Nullable(AnyMapping())] = None
    shape: OutputShape = None
    output_dtype_: OutputDType = Field(default=None, alias="output_dtype")
    weights_: Annotated[dict[str, Any] | None, Nullable(WeightsRule())] = Field(
        default=None, alias="weights"
    )
    torch: TorchClass = None
    define: Annotated[Any, Nullable(EntriesRule())] = None

    @classmethod
    def output_rank(cls, fields: dict[str, Any], rank: int | None) -> int | None:
        return None

    @property
    def class_name(self) -> str:
        """The class's name without its module and without the package that it is registered in."""
        return self.class_.rpartition(".")[2].rpartition(">")[2]

    @property
    def lists_weights(self) -> bool:
        return self.weights_ is not None or bool(self.define)

    @property
    def known_weights(self) -> dict[str, Any]:
        """The entries of ``weights``."""
        return self.weights_ or {}

    def output_shape(self, *args: Any, **kwargs: Any) -> Any:
        given = args[0] if args else None
        if returned_mapping(self.class_, given) is not None:
            return self._mapped(returned_shapes(self.class_, self.config, given))
        if self.shape is None:
            return None
        first = next(_shapes((*args, *kwargs.values())), (None,))
        batch = first[:1] or (None,)
        if any(isinstance(shape, tuple) for shape in self.shape):
            return tuple(None if shape is None else (*batch, *shape) for shape in self.shape)
        return (*batch, *self.shape)

    def _mapped(self, found: list[Any]) -> Any:
        """The shapes of a call on a mapping; those that are given take precedence."""
        shape = self.shape or ()
        if len(found) > 1 and any(one is None or isinstance(one, tuple) for one in shape):
            for index, one in enumerate(shape[: len(found)]):
                if isinstance(one, tuple):
                    found[index] = ((found[index] or (None,))[0], *one)
        if all(one is None for one in found):
            return None
        return tuple(found) if len(found) > 1 else found[0]

    def returned_mapping(self, first: Any) -> dict[str, Any] | None:
        """The structure of the outputs of a call on a mapping; see `returned_mapping`."""
        return returned_mapping(self.class_, first)

    def macs(self, output: Any, /, *args: Any, **kwargs: Any) -> int:
        """0, since it is not known; a call may have arguments of any name."""
        return 0

    def weights(self, *args: Any, **kwargs: Any) -> Iterator[Weight]:
        for name, item in self.known_weights.items():
            weight = as_weight(item)
            yield Weight(
                name,
                weight.shape,
                init=ZEROS,
                trainable=weight.trainable,
                dtype=weight.dtype or "",
                store=name.rpartition("/")[0],
            )

    def policy_in(self, around: Any) -> Any:
        """The policy that its config gives, else as of other layers."""
        return self.config.get("dtype") or super().policy_in(around)

    def output_dtype(self, compute_dtype: str, *dtypes: str) -> str | tuple[str, ...]:
        return self.output_dtype_ or super().output_dtype(compute_dtype, *dtypes)


HOLDERS = ("layer", "backward_layer", "cell", "cells")
"""Fields of wrappers and recurrent layers that may hold user-defined layers."""


def customs_in(layer: Layer, path: Path) -> Iterator[tuple[Path, Custom]]:
    """The user-defined layers that a layer is or holds, each with its path in the document.

    One with ``define`` is left out: its computation is known.

    Args:
        layer: The layer.
        path: Its path.
    """
    if isinstance(layer, Custom):
        if not layer.define:
            yield path, layer
        return
    held = vars(layer)
    for field in HOLDERS:
        value = held.get(field)
        if isinstance(value, Layer):
            yield from customs_in(value, (*path, field))
        elif isinstance(value, tuple):
            for index, item in enumerate(value):
                if isinstance(item, Layer):
                    yield from customs_in(item, (*path, field, index))


def _shapes(items: Any) -> Any:
    """The shapes among a call's arguments, constants left out."""
    for item in items:
        if isinstance(item, list):
            yield from _shapes(item)
        elif isinstance(item, tuple):
            yield item
