"""User-defined objects in PyTorch code: stubs of functions that the user implements.

Their template is ``torch/user_objects.j2``.
"""

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
"""Kind of object -> the parameters and the return type of its function in PyTorch."""


@dataclass(frozen=True)
class UserFunction:
    """A function that the user has to implement.

    Attributes:
        name: Its name in the code.
        arguments, returns: Its signature.
        title: Its description.
        task: The message of its `NotImplementedError`.
        is_metric: Whether it is used as a metric.
    """

    name: str
    arguments: str
    returns: str
    title: str
    task: str
    is_metric: bool


def to_be_written(terms: Iterable[Term]) -> dict[str, UserFunction]:
    """Name -> the function for a user-defined object."""
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
