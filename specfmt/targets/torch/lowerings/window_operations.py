"""PyTorch lowerings of pooling operations, which are those of the pooling layers."""

from __future__ import annotations

from typing import Any

from specfmt.layers import window_operations as ops
from specfmt.layers.registry import layer_class
from specfmt.targets.torch.builder import LayerBuilder
from specfmt.targets.torch.expr import Call, Tensor
from specfmt.targets.torch.lowerings.padding import compact
from specfmt.targets.torch.registry import TargetError, lower


def _pooling(kind: str) -> Any:
    def lowering(layer: ops.Pool, builder: LayerBuilder, x: Tensor) -> Tensor:
        cls = layer_class(f"{kind}Pooling{x.rank - 2}D")
        if cls is None:
            raise TargetError(
                f"expected at most 3 spatial axes, received {x.rank - 2}", field="pool_size"
            )
        fields = {key: getattr(layer, key) for key in type(layer).own_fields()}
        size, strides = layer.windows(x.rank - 2)
        result: Tensor = builder.lower(cls(**{**fields, "pool_size": size, "strides": strides}), x)
        return result

    return lowering


lower(ops.MaxPool)(_pooling("Max"))
lower(ops.AveragePool)(_pooling("Average"))


def _adaptive(kind: str) -> Any:
    def lowering(layer: ops.AdaptivePool, builder: LayerBuilder, x: Tensor) -> Tensor:
        rank = len(layer.output_size)
        first = layer.data_format == "channels_first"
        result: Tensor = builder.expr(
            Call(f"F.adaptive_{kind}_pool{rank}d", (x, compact(layer.output_size))),
            x,
            shape=layer.pooled_shape(x.shape),
            layout="keras" if first else "channels",
        )
        return result

    return lowering


lower(ops.AdaptiveAveragePool)(_adaptive("avg"))
lower(ops.AdaptiveMaxPool)(_adaptive("max"))
