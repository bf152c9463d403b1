"""A learning-rate schedule: linear warm-up, then a cosine decay."""

import math


def warmup_cosine_decay(
    step: int, start: float, warmup_steps: float, decay_steps: float, alpha: float = 0.0
) -> float:
    """The learning rate of a step, relative to the highest.

    It rises from ``start`` in ``warmup_steps`` and falls to ``alpha`` in ``decay_steps``.
    """
    if step < warmup_steps:
        return start + (1 - start) * step / warmup_steps
    done = min((step - warmup_steps) / decay_steps, 1)
    return alpha + (1 - alpha) * 0.5 * (1 + math.cos(math.pi * done))
