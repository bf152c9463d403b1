"""LoRA: two small factors that are trained in place of a frozen matrix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from specfmt.layers.base import Layer, ShapeError, Weight
from specfmt.vocab.base import Term
from specfmt.vocab.fields import ZEROS

HE_UNIFORM: Final = Term("initializer", "HeUniform")


def lora_weights(
    name: str, shape: tuple[int, ...], rank: int | None, regularizer: Term | None
) -> Iterator[Weight]:
    """The two factors that LoRA trains for a kernel of ``shape``; none if ``rank`` is None."""
    if rank is not None:
        factors = (("a", (*shape[:-1], rank), HE_UNIFORM), ("b", (rank, shape[-1]), ZEROS))
        for letter, size, init in factors:
            yield Weight(
                f"{name}_{letter}",
                size,
                init,
                dtype="float32",
                regularizer=regularizer,
                merged_into=name.removeprefix("lora_"),
            )


def check_lora(rank: int | None, constraint: Term | None, field: str) -> None:
    """Check that no constraint is set on a matrix that LoRA adapts.

    Raises:
        ShapeError: One is.
    """
    if rank is not None and constraint is not None:
        raise ShapeError(
            "no constraint on a matrix that LoRA adapts",
            f"lora_rank={rank} and {constraint.name}",
            f"remove `{field}` or `lora_rank`",
            field=field,
        )


class ScaledLora(Layer):
    """Base of the layers that multiply the product of the factors by `lora_alpha / lora_rank`."""

    applies_lora_alpha: ClassVar[bool] = True

    if TYPE_CHECKING:  # fields of the subclasses, which have them in Keras's order
        kernel_regularizer: Term | None
        lora_rank: int | None
        lora_alpha: float | None

    @property
    def lora_scale(self) -> float:
        """What the product of the LoRA factors is multiplied by."""
        rank = self.lora_rank or 1
        return 1.0 if self.lora_alpha is None else self.lora_alpha / rank

    def lora_factors(self, shape: tuple[int, ...]) -> Iterator[Weight]:
        """The factors for a kernel of ``shape``, if there are any."""
        for weight in lora_weights("lora_kernel", shape, self.lora_rank, self.kernel_regularizer):
            yield replace(weight, merge_scale=self.lora_scale)

    @classmethod
    def remove_derived(cls, config: dict[str, Any]) -> None:
        if config.get("lora_alpha") == config.get("lora_rank"):
            config.pop("lora_alpha", None)

    @classmethod
    def convert_arguments(cls, config: dict[str, Any]) -> None:
        if config.get("lora_rank") and config.get("lora_alpha") is None:
            config["lora_alpha"] = config["lora_rank"]
