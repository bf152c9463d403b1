"""Strings or whole numbers into bins by a hash."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch


def string_bins(
    values: Any, bins: int, hasher: Callable[[str], int], mask: Any = None
) -> torch.Tensor:
    """Bins of a tensor of whole numbers, or a list or array of strings.

    Bin 0 is for ``mask`` alone, if it is given.
    """
    array = values.cpu().numpy() if torch.is_tensor(values) else values
    array = np.asarray(array, dtype=object)
    first = int(mask is not None and bins > 1)
    found = [
        0 if first and value == mask else first + hasher(str(value)) % (bins - first)
        for value in array.flat
    ]
    numbers = torch.tensor(found, dtype=torch.int64).view(array.shape)
    return numbers.to(values.device) if torch.is_tensor(values) else numbers
