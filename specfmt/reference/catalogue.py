"""The table of `specfmt layers`: all layer types and the targets that support them."""

from __future__ import annotations

from dataclasses import dataclass

from specfmt.layers.core import Dense
from specfmt.layers.custom import Custom
from specfmt.layers.kept import INPUT_LAYER, INPUT_REMARK, KEPT, aliases
from specfmt.layers.registry import layer_class, layer_types
from specfmt.targets.torch.registry import find_lowering

CUSTOM_REASON = "PyTorch: a class to complete"


@dataclass(frozen=True)
class LayerSupport:
    """A layer type and the targets that support it.

    Attributes:
        type: Its name.
        family: Its section in `docs/layers.md`.
        keras, torch: Whether the target supports it.
        reason: Why PyTorch does not support it, or how; usually empty.
    """

    type: str
    family: str
    keras: bool
    torch: bool
    reason: str

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the targets that support it."""
        return tuple(name for name in ("keras", "torch") if getattr(self, name))

    @property
    def remark(self) -> str:
        """Why PyTorch does not support it, its other names in Keras, or how it is written."""
        if self.type == INPUT_LAYER:
            return INPUT_REMARK
        also = ", ".join(aliases(self.type))
        return self.reason or (f"also {also}" if also else "")

    @property
    def short_family(self) -> str:
        """The family's name for a narrow column, with spaces."""
        return self.family.removeprefix("preprocessing_").replace("_", " ")


def catalogue() -> list[LayerSupport]:
    """Every layer type, in the order of the families, then Keras's layers that are kept whole."""
    rows = []
    for name in layer_types():
        cls = layer_class(name)
        assert cls is not None  # layer_types() lists what layer_class() knows
        torch = find_lowering(cls) is not None and not cls.takes_any_arguments
        reason = "" if torch else CUSTOM_REASON if cls.takes_any_arguments else "Keras code only"
        rows.append(LayerSupport(name, cls.family, True, torch, reason))
    rows.append(LayerSupport(INPUT_LAYER, Dense.family, True, True, ""))
    for name, found in KEPT.items():
        rows.append(LayerSupport(name, Custom.family, True, False, found.reason))
    return rows
