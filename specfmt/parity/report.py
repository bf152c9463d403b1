"""What a comparison found, as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import isfinite
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
        by_design: The idiomatic program computes something else here, which its source says in a
            comment; the program of ``--fidelity exact`` agrees.
    """

    name: str
    max_abs: float
    max_rel: float
    bound: float
    where: str = ""
    by_design: bool = False

    @property
    def ok(self) -> bool:
        """Whether it is within its bound (a difference that is no number is not)."""
        return self.max_rel <= self.bound or self.by_design

    def to_data(self) -> dict[str, Any]:
        """A JSON-ready form; null where an output has another shape, or NaN in one program."""
        data = {
            "name": self.name,
            "max_abs": self.max_abs if isfinite(self.max_abs) else None,
            "max_rel": self.max_rel if isfinite(self.max_rel) else None,
        }
        return data | {"by_design": True} if self.by_design else data


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
class Step:
    """One step of plain SGD.

    Attributes:
        outputs: What the programs gave before it, in training mode.
        gradients: Of a scalar loss with respect to each Keras weight.
        statistics: Weights that the step changed though no gradient does: moving averages.
        after: The outputs after it, at inference.
        exact: The differences are those of float64, because float32 differed.
    """

    outputs: list[Difference] = field(default_factory=list)
    gradients: list[Difference] = field(default_factory=list)
    statistics: list[Difference] = field(default_factory=list)
    after: list[Difference] = field(default_factory=list)
    exact: bool = False

    def rows(self) -> list[Difference]:
        """All differences."""
        return [*self.outputs, *self.gradients, *self.statistics, *self.after]

    @property
    def ok(self) -> bool:
        """Whether everything is within its bound."""
        return all(item.ok for item in self.rows())


@dataclass
class Report:
    """A comparison.

    Attributes:
        params: Parameter counts: ``keras``, ``torch``, and ``spec`` as worked out statically.
        shapes: For every input tried: output shapes of both programs, in Keras's order.
        outputs: The largest difference of each output over all inputs.
        step: A step of SGD in inference mode; None where none was taken.
        training: The same in training mode.
        quiet: The layers whose dropout or noise was turned off for that.
        rounding: Given where an output passes its bound.
        layers: The difference of each layer's output, where asked or where something differs.
        first: The first layer that differs.
        skipped: What was not compared, and why.
    """

    params: dict[str, int]
    shapes: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[Difference] = field(default_factory=list)
    step: Step | None = None
    training: Step | None = None
    quiet: tuple[str, ...] = ()
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
    def outputs_agree(self) -> bool:
        """Whether the outputs at inference are equal but for rounding."""
        explained = self.rounding is not None and self.rounding.explains
        return all(item.ok for item in self.outputs) or explained

    @property
    def ok(self) -> bool:
        """Whether everything is within its bound."""
        steps = all(step is None or step.ok for step in (self.step, self.training))
        return self.counts_agree and self.shapes_agree and self.outputs_agree and steps

    def to_data(self) -> dict[str, Any]:
        """A JSON-ready form."""

        def rows(items: list[Difference]) -> list[dict[str, Any]]:
            return [item.to_data() for item in items]

        data: dict[str, Any] = {
            "params": self.params,
            "outputs": rows(self.outputs),
            "ok": self.ok,
            "shapes": self.shapes,
        }
        if self.step is not None:
            data["gradients"] = rows(self.step.gradients)
            data["after_step"] = rows(self.step.after)
        if self.training is not None:
            data["training"] = {
                "outputs": rows(self.training.outputs),
                "gradients": rows(self.training.gradients),
                "statistics": rows(self.training.statistics),
                "after_step": rows(self.training.after),
                "without_noise": list(self.quiet),
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
