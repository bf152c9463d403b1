"""Mixed precision of a module that computes with its own parameters."""

from typing import Any

import torch
from torch import nn


def cast_call(module: nn.Module, x: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
    """Call ``module`` with its parameters cast to the dtype of its input."""
    cast = {name: value.to(x.dtype) for name, value in module.named_parameters()}
    return torch.func.functional_call(module, cast, (x, *args), kwargs)
