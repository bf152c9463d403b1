"""A loss: connectionist temporal classification."""

import torch
import torch.nn.functional as F


def ctc_loss(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """CTC loss of each sample.

    Args:
        prediction: Logits (N, T, C); class 0 is the blank.
        target: Class numbers (N, L), filled up with 0.
    """
    steps = torch.full((len(prediction),), prediction.shape[1])
    log_probs = prediction.log_softmax(dim=-1).transpose(0, 1)
    lengths = (target != 0).sum(dim=-1)
    return F.ctc_loss(log_probs, target, steps, lengths, reduction="none")
