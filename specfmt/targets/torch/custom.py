"""Custom layers: nothing is known of them, so nothing can be computed."""

from __future__ import annotations

from typing import Any

from specfmt.layers.custom import Custom
from specfmt.targets.torch.builder import Lower, TargetError, lower


@lower(Custom)
def custom(layer: Custom, b: Lower, *args: Any, **kwargs: Any) -> Any:
    raise TargetError(
        f"{layer.class_} is a layer of its own, whose computation specfmt does not know",
        "register a definition under the entry point group specfmt.layers, "
        "or generate the Keras target",
        "class",
        code="SF303",
    )
