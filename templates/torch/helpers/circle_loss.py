"""A loss: circle loss."""

import torch
import torch.nn.functional as F


def circle_loss(
    prediction: torch.Tensor,
    target: torch.Tensor,
    gamma: float = 80.0,
    margin: float = 0.4,
    remove_diagonal: bool = True,
) -> torch.Tensor:
    """Circle loss of each sample against all of its batch.

    Args:
        prediction: Embeddings of length 1 (N, D).
        target: Class numbers (N,).
        gamma: Scale.
        margin: By how much pairs of one class must be closer than others.
        remove_diagonal: Leave out the pair of a sample with itself.
    """
    distance = (1 - prediction @ prediction.T).clamp(min=0)
    same = target.view(-1, 1) == target.view(1, -1)
    positive = same & ~torch.eye(len(same), dtype=torch.bool, device=same.device)
    positive = positive if remove_diagonal else same
    near = -gamma * (margin + distance) * (margin - distance)
    far = gamma * (1 + margin - distance).clamp(min=0) * (1 - margin - distance)
    near = near.masked_fill(~positive, -torch.inf).logsumexp(dim=1)
    far = far.masked_fill(same, -torch.inf).logsumexp(dim=1)
    return F.softplus(near + far)
