"""Masks that a call sees in Keras and that are not those of the tensors that it reads.

Keras records the mask that it knows while a model is built, and a layer in between may have removed
a mask (`specfmt.graph.mask_flow`).  Such a mask is computed for the call.
"""

from __future__ import annotations

from collections.abc import Mapping

from specfmt.graph.mask_flow import Mask
from specfmt.graph.model import Node, Unit, Value
from specfmt.layers.merging import Concatenate, Merge
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.class_builder import ClassBuilder
from specfmt.targets.torch.expr import Tensor
from specfmt.targets.torch.program import ClassProgram
from specfmt.targets.torch.registry import TargetError
from specfmt.targets.torch.steps import Step


def alias(class_builder: ClassBuilder, tensor: Tensor, mask: Tensor | None = None) -> Tensor:
    """A second tensor for the same value, with the mask."""
    same = Tensor(tensor.shape, tensor.dtype, tensor.name, tensor.flat, sizes=tensor.sizes)
    class_builder.steps.append(Step((same,), tensor))
    same.mask = mask
    return same


def mask_of(
    mask: Mask, program: ClassProgram, builder: LayerBuilder, tensors: Mapping[Value, Tensor]
) -> Tensor | None:
    """The tensor of a mask, computed if the program does not have it.

    Args:
        mask: The mask.
        program: The class.
        builder: The builder of the call that sees it.
        tensors: The tensors of all values up to the call.

    Raises:
        TargetError: It is combined by a layer that is called several times, or is no merging layer.
    """
    _, token = mask
    if isinstance(token, str):
        return program.entering.get(token)
    if isinstance(token, Node):
        return tensors[token.outputs[0]].mask
    if isinstance(token, Value):
        return tensors[token]
    owner, rest = token
    if isinstance(owner, Node):
        outputs = zip(
            owner.outputs, owner.unit.graph.outputs if owner.unit.graph else (), strict=True
        )
        return next((tensors[value].mask for value, name in outputs if name == rest), None)
    return _combined(owner, rest, program, builder, tensors)


def _combined(
    unit: Unit,
    masks: tuple[Mask | None, ...],
    program: ClassProgram,
    builder: LayerBuilder,
    tensors: Mapping[Value, Tensor],
) -> Tensor | None:
    # Only models with such masks need it.
    from specfmt.targets.torch.lowerings.merging import concatenated_mask, joined_mask

    if not isinstance(unit.spec, (Merge, Concatenate)) or len(unit.calls) != 1:
        raise TargetError(
            "expected the mask that Keras recorded when it built the model, received another one "
            "from a nested model or after an attention layer",
            "pass the mask as an argument, or put the layers into one model",
        )
    parts = [None if one is None else mask_of(one, program, builder, tensors) for one in masks]
    inputs = [tensors[value] for value in unit.calls[0].inputs()]
    seen = [alias(builder.class_builder, x, part) for x, part in zip(inputs, parts, strict=True)]
    if isinstance(unit.spec, Concatenate):
        none = all(part is None for part in parts)
        return None if none else concatenated_mask(builder, seen, unit.spec.axis % seen[0].rank)
    return joined_mask(builder, seen)
