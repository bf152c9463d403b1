"""Spectral normalization of a module's weight."""

import torch
import torch.nn.functional as F
from torch import nn


class SpectralNorm(nn.Module):
    """Divides a module's weight by its largest singular value in training mode.

    The weight itself changes at every call; power iteration finds the singular value, beginning
    with the vector of the call before.

    Args:
        layer: The module.
        iterations: How often a call iterates.
        dim: The axis of the weight that is the output of the matrix; the others are its input.
        size: The size of the inner part of ``dim`` that is the output, if it is a part.
    """

    def __init__(
        self,
        layer: nn.Module,
        iterations: int = 1,
        dim: int = 0,
        size: int | None = None,
    ) -> None:
        super().__init__()
        self.layer = layer
        self.iterations, self.dim, self.size = iterations, dim, size
        self.vector_u = nn.Buffer(torch.empty(1, self._matrix().shape[0]))

    def _matrix(self) -> torch.Tensor:
        """The weight as a matrix (output, input)."""
        weight, dim = self.layer.get_parameter("weight").detach(), self.dim
        if self.size is not None:
            weight, dim = torch.unflatten(weight, dim, (-1, self.size)), dim + 1
        return weight.movedim(dim, 0).flatten(1)

    def _normalize(self, weight: torch.Tensor) -> None:
        matrix = self._matrix()
        u: torch.Tensor = self.vector_u
        if not matrix.any():
            return
        v = F.normalize(u @ matrix, dim=-1, eps=1e-7)
        for _ in range(self.iterations - 1):
            u = F.normalize(v @ matrix.T, dim=-1, eps=1e-7)
            v = F.normalize(u @ matrix, dim=-1, eps=1e-7)
        u = F.normalize(v @ matrix.T, dim=-1, eps=1e-7)
        self.vector_u.copy_(u)
        weight.div_(v @ matrix.T @ u.T)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            y: torch.Tensor = self.layer(x)
            return y
        weight = self.layer.get_parameter("weight")
        with torch.no_grad():
            self._normalize(weight)
        # A copy, so that a second call may change the weight before this one's gradient.
        parameters = {"weight": weight.clone()}
        trained: torch.Tensor = torch.func.functional_call(self.layer, parameters, (x,))
        return trained
