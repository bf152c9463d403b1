"""PyTorch lowering of a model inside a layer: a separate class, as for any nested model."""

from __future__ import annotations

from typing import Any

from specfmt.graph.held import HeldModel
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Call, SelfAttr, Tensor
from specfmt.targets.torch.registry import TargetError, lower


@lower(HeldModel)
def held_model(
    layer: HeldModel,
    builder: LayerBuilder,
    x: Tensor,
    training: Any = None,
    mask: Tensor | None = None,
) -> Tensor:
    """``self.encoder(x)``.

    Raises:
        TargetError: The call has a mask or a training mode, which forward does not take.
    """
    if x.mask is not None:
        raise TargetError(
            "a mask passes into or out of a nested model, which a module's forward cannot express",
            "put the layers that create and use the mask into the same model",
            "layer",
        )
    if training is not None:
        raise TargetError(
            "a module's forward takes no training mode",
            "leave `training` out of its `inputs`",
            "inputs",
        )
    inner = builder.class_builder.lower_model(layer.graph)
    module = builder.module(inner.name, heavy=True, initializes_itself=True)
    builder.class_builder.held[module.attr] = (inner, builder.weights.prefix)
    (value,) = layer.graph.outputs.values()
    (read,) = inner.inputs.values()
    (given,) = inner.outputs.values()
    shape: Any = layer.output_shape(x.shape)
    result: Tensor = builder.step(
        Call(SelfAttr(module.attr), (x,)),
        builder.tensor(shape, value.dtype),
        layout=_order(inner, read),
        output_layout=_order(inner, given) if given.has_layout else None,
        module=module.ctor,
        module_def=module,
        heavy=True,
    )
    return result


def _order(program: Any, tensor: Tensor) -> Any:
    return "channels" if program.channels.get(tensor) else "keras"
