"""Places in a table into what stands there."""

import torch
from torch import nn


class TableEntries(nn.Module):
    """What stands at the places that it reads; ``other`` for places that the table has not."""

    def __init__(self, table: torch.Tensor, other: int) -> None:
        super().__init__()
        self.other = other
        self.table = nn.Buffer(table, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        last = len(self.table) - 1
        inside = (x >= 0) & (x <= last)
        return torch.where(inside, self.table[x.long().clamp(0, last)], self.other)
