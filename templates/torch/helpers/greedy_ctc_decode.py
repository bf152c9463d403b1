"""The most probable classes of sequences, by connectionist temporal classification (CTC)."""

import torch


def greedy_ctc_decode(
    logits: torch.Tensor, lengths: torch.Tensor, blank: int, merge: bool = True
) -> tuple[torch.Tensor, torch.Tensor]:
    """The best class of each step, without blanks and, if ``merge``, without repeats.

    Args:
        logits: (N, T, C).
        lengths: The number of steps of each sequence (N,).
        blank: The class that stands for none.
        merge: Whether a class that directly follows itself counts once.

    Returns:
        The classes (1, N, T), filled up with -1, and the negative sums of the logits (N, 1).
    """
    scores, classes = logits.detach().max(dim=-1)
    steps = torch.arange(logits.shape[1], device=logits.device)
    valid = steps < lengths.unsqueeze(-1)
    kept = valid & (classes != blank)
    if merge:
        kept[:, 1:] &= classes[:, 1:] != classes[:, :-1]
    place = torch.where(kept, kept.cumsum(-1) - 1, logits.shape[1])
    decoded = torch.full_like(classes, -1)
    decoded = torch.cat([decoded, decoded[:, :1]], dim=-1).scatter(-1, place, classes)
    totals = (scores * valid).sum(-1, keepdim=True)
    return decoded[None, :, :-1].int(), -totals
