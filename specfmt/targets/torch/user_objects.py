"""User-defined objects in PyTorch code: functions to be written, which ``torch/user_objects.j2`` shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from specfmt.targets.user_objects import by_name, task, title
from specfmt.vocab.base import Term

FORMS: Final = {
    "activation": ("x: torch.Tensor", "torch.Tensor"),
    "regularizer": ("weight: torch.Tensor", "torch.Tensor"),
    "constraint": ("weight: torch.Tensor", "torch.Tensor"),
    "loss": ("prediction: torch.Tensor, target: torch.Tensor", "torch.Tensor"),
    "metric": ("prediction: torch.Tensor, target: torch.Tensor", "torch.Tensor"),
    "optimizer": (
        "parameters: Iterable[nn.Parameter], learning_rate: float",
        "torch.optim.Optimizer",
    ),
    "schedule": ("step: int", "float"),
    "callback": ("model: nn.Module, epoch: int, history: dict[str, list[float]]", "None"),
}
"""Arguments and result of the function that stands for each kind of word in PyTorch."""


@dataclass(frozen=True)
class UserFunction:
    """A function to be written.

    Attributes:
        name: What code calls it.
        arguments, returns: Its signature.
        title: What it is.
        task: What is to be written.
        is_metric: Whether a metric calls it.
    """

    name: str
    arguments: str
    returns: str
    title: str
    task: str
    is_metric: bool


def to_be_written(terms: Iterable[Term]) -> dict[str, UserFunction]:
    """The functions that stand for user-defined objects, by their names."""
    groups = by_name(term for term in terms if term.kind in FORMS)
    return {
        name: UserFunction(
            name,
            *FORMS[group[0].kind],
            title(group),
            task(group, name),
            is_metric=any(term.kind == "metric" for term in group),
        )
        for name, group in groups.items()
    }
