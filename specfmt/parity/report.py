"""What a comparison found, as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Difference:
    """The largest difference of one array between both programs.

    Attributes:
        name: The output, weight or layer.
        max_abs: The largest absolute difference.
        max_rel: That, by the largest absolute value that Keras computed.
        bound: What ``max_rel`` may be.
        where: Which input it was found with.
    """

    name: str
    max_abs: float
    max_rel: float
    bound: float
    where: str = ""

    @property
    def ok(self) -> bool:
        """Whether it is within its bound (a difference that is no number is not)."""
        return self.max_rel <= self.bound


@dataclass(frozen=True)
class Rounding:
    """How far float32 itself is from float64, where the programs differ by more than the bound.

    Attributes:
        keras, torch: float32 against float64 of the same program.
        both: Both programs against each other in float64.
    """

    keras: float
    torch: float
    both: float

    @property
    def explains(self) -> bool:
        """Whether the difference is rounding: in float64 there is none."""
        return self.both <= 1e-10


@dataclass
class Report:
    """A comparison.

    Attributes:
        params: Parameter counts: ``keras``, ``torch``, and ``spec`` as worked out statically.
        shapes: For every input tried: output shapes of both programs, in Keras's order.
        outputs: The largest difference of each output over all inputs.
        gradients: Of a scalar loss with respect to each Keras weight; in float64 where float32
            differs.
        after_step: Of each output after one step of plain SGD.
        rounding: Given where an output passes its bound.
        layers: The difference of each layer's output, where asked or where something differs.
        first: The first layer that differs.
    """

    params: dict[str, int]
    shapes: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[Difference] = field(default_factory=list)
    gradients: list[Difference] = field(default_factory=list)
    after_step: list[Difference] = field(default_factory=list)
    rounding: Rounding | None = None
    layers: list[Difference] = field(default_factory=list)
    first: str = ""
    skipped: str = ""

    @property
    def counts_agree(self) -> bool:
        """Whether both programs have the parameters that the spec says."""
        return len(set(self.params.values())) == 1

    @property
    def shapes_agree(self) -> bool:
        """Whether every output has one shape in both programs."""
        return all(item["keras"] == item["torch"] for item in self.shapes)

    @property
    def ok(self) -> bool:
        """Whether everything is within its bound."""
        outputs = all(item.ok for item in self.outputs)
        explained = self.rounding is not None and self.rounding.explains
        rest = all(item.ok for item in (*self.gradients, *self.after_step))
        return self.counts_agree and self.shapes_agree and (outputs or explained) and rest

    def to_data(self) -> dict[str, Any]:
        """A JSON-ready form."""

        def rows(items: list[Difference]) -> list[dict[str, Any]]:
            return [{"name": d.name, "max_abs": d.max_abs, "max_rel": d.max_rel} for d in items]

        data: dict[str, Any] = {
            "params": self.params,
            "outputs": rows(self.outputs),
            "ok": self.ok,
            "shapes": self.shapes,
            "gradients": rows(self.gradients),
            "after_step": rows(self.after_step),
        }
        if self.rounding is not None:
            data["rounding"] = asdict(self.rounding)
        if self.layers:
            data["layers"] = rows(self.layers)
        if self.first:
            data["first_difference"] = self.first
        if self.skipped:
            data["skipped"] = self.skipped
        return data
