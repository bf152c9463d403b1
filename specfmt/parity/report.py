"""The result of a comparison as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any, Final

EXACT_BOUND: Final = 1e-10
"""The tolerance of outputs in float64, unless the measured sensitivity allows more."""


@dataclass(frozen=True)
class Difference:
    """The largest difference of one array between both programs.

    Attributes:
        name: The output, weight or layer.
        max_abs: The largest absolute difference.
        max_rel: ``max_abs`` divided by the largest absolute value that Keras computed.
        bound: The largest allowed ``max_rel``.
        where: The input it was found with.
        by_design: The idiomatic program deliberately computes something else here, with a comment
            in its source; the program with ``--fidelity exact`` agrees.
    """

    name: str
    max_abs: float
    max_rel: float
    bound: float
    where: str = ""
    by_design: bool = False

    @property
    def ok(self) -> bool:
        """Whether it is within its bound (NaN is not)."""
        return self.max_rel <= self.bound or self.by_design

    def to_data(self) -> dict[str, Any]:
        """The difference as data for JSON; null where shapes differ or one program has NaN."""
        data = {
            "name": self.name,
            "max_abs": self.max_abs if isfinite(self.max_abs) else None,
            "max_rel": self.max_rel if isfinite(self.max_rel) else None,
        }
        return data | {"by_design": True} if self.by_design else data


@dataclass(frozen=True)
class Rounding:
    """Rounding errors of float32, measured if the programs differ by more than the bound.

    Attributes:
        keras, torch: The difference between float32 and float64 outputs of the same program.
        both: The difference between both programs in float64.
        bound: The largest allowed value of ``both``, from the precision of the programs and the
            sensitivity of the model.
    """

    keras: float
    torch: float
    both: float
    bound: float = EXACT_BOUND

    @property
    def explains(self) -> bool:
        """Whether the difference is due to rounding: in float64 there is none."""
        return self.both <= self.bound


@dataclass
class Against:
    """Both programs compared with the original, or with recorded outputs of it.

    Attributes:
        what: ``original`` or ``reference``.
        file: Its file.
        by: The framework that computed it, such as ``Keras 3.15.0``.
        outputs: For each program the largest difference of each output over all inputs.
        layers: The same for each layer, if an output differs.
        exact: The differences are those of float64, because float32 differed.
        why: Why nothing was compared; empty if something was.
    """

    what: str
    file: str
    by: str = ""
    outputs: dict[str, list[Difference]] = field(default_factory=dict)
    layers: dict[str, list[Difference]] = field(default_factory=dict)
    exact: bool = False
    why: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing differs, or nothing was compared."""
        return all(item.ok for rows in self.outputs.values() for item in rows)

    def first(self, target: str) -> str:
        """The first layer of a program that differs."""
        return next((item.name for item in self.layers.get(target, []) if not item.ok), "")

    def to_data(self) -> dict[str, Any]:
        """The comparison as data for JSON; ``ok`` is null if nothing was compared."""
        data: dict[str, Any] = {"file": self.file, "ok": None if self.why else self.ok}
        if self.why:
            return data | {"not_compared": self.why}
        if self.by:
            data["loaded_by"] = self.by
        for target, rows in self.outputs.items():
            data[target] = [row.to_data() for row in rows]
        for target in self.layers:
            if self.first(target):
                data.setdefault("first_difference", {})[target] = self.first(target)
        return data


@dataclass
class Step:
    """One step of plain SGD.

    Attributes:
        outputs: The outputs before the step, in training mode.
        gradients: Gradients of a scalar loss with respect to each Keras weight.
        statistics: Weights that the step changes without a gradient: moving averages.
        after: The outputs after the step, at inference.
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
    """The result of a comparison.

    Attributes:
        params: Parameter counts: ``keras``, ``torch``, and ``spec``, the statically computed one.
        shapes: For every input tried: output shapes of both programs, in Keras's order.
        outputs: The largest difference of each output over all inputs.
        step: A step of SGD in inference mode; None if none was taken.
        training: The same in training mode.
        without_noise: The layers whose dropout or noise was turned off for that.
        rounding: Rounding errors, if an output exceeds its bound.
        layers: The difference of each layer's output, if requested or if something differs.
        first: The first layer that differs.
        skipped: What was not compared, and why.
        own_type: The half-precision dtype of the model, such as ``float16``; the attributes above
            then compare the same model in float32.
        own_outputs: The largest difference of each output in that dtype.
        against: The comparisons with the original and the reference, if given.
        missing: Class whose PyTorch code is still to be written -> its layers; the rest of the
            model is compared.
    """

    params: dict[str, int]
    shapes: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[Difference] = field(default_factory=list)
    step: Step | None = None
    training: Step | None = None
    without_noise: tuple[str, ...] = ()
    rounding: Rounding | None = None
    layers: list[Difference] = field(default_factory=list)
    first: str = ""
    skipped: str = ""
    own_type: str = ""
    own_outputs: list[Difference] = field(default_factory=list)
    against: list[Against] = field(default_factory=list)
    missing: dict[str, list[str]] = field(default_factory=dict)

    @property
    def compared(self) -> bool:
        """Whether any outputs were compared."""
        return bool(self.outputs) or any(item.outputs for item in self.against)

    @property
    def counts_agree(self) -> bool:
        """Whether both programs have the statically computed parameter count."""
        return len(set(self.params.values())) == 1

    @property
    def shapes_agree(self) -> bool:
        """Whether every output has the same shape in both programs."""
        return all(item["keras"] == item["torch"] for item in self.shapes)

    @property
    def outputs_agree(self) -> bool:
        """Whether the outputs at inference are equal except for rounding."""
        explained = self.rounding is not None and self.rounding.explains
        return all(item.ok for item in self.outputs) or explained

    @property
    def ok(self) -> bool:
        """Whether everything is within its bound."""
        steps = all(step is None or step.ok for step in (self.step, self.training))
        same = all(a.ok for a in self.against) and all(d.ok for d in self.own_outputs)
        return self.counts_agree and self.shapes_agree and self.outputs_agree and steps and same

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
                "without_noise": list(self.without_noise),
            }
        if self.rounding is not None:
            data["rounding"] = asdict(self.rounding)
        if self.layers:
            data["layers"] = rows(self.layers)
        if self.first:
            data["first_difference"] = self.first
        if self.skipped:
            data["skipped"] = self.skipped
        if self.missing:
            data["not_compared"] = self.missing
        if self.own_type:
            data[f"outputs_in_{self.own_type}"] = rows(self.own_outputs)
        return data | {item.what: item.to_data() for item in self.against}
