"""Places in a table into what stands there."""

import torch
from torch import nn


class TableEntries(nn.Module):
    """The table's entries at the given indices; ``other`` for indices out of range."""

    def __init__(self, table: torch.Tensor, other: int) -> None:
        super().__init__()
        self.other = other
        self.table = nn.Buffer(table, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        last = len(self.table) - 1
        inside = (x >= 0) & (x <= last)
        return torch.where(inside, self.table[x.long().clamp(0, last)], self.other)
