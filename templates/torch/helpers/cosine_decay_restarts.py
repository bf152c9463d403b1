"""A learning-rate schedule: cosine decays with restarts."""

import math


def cosine_decay_restarts(
    step: int,
    first_decay_steps: float,
    t_mul: float = 2.0,
    m_mul: float = 1.0,
    alpha: float = 0.0,
) -> float:
    """The learning rate of a step, relative to the first one's.

    Each decay is ``t_mul`` times as long as the one before and starts ``m_mul`` times as
    high; none goes below ``alpha``.
    """
    done = step / first_decay_steps
    if t_mul == 1:
        restarts = math.floor(done)
        done -= restarts
    else:
        restarts = math.floor(math.log(1 - done * (1 - t_mul)) / math.log(t_mul))
        done = (done - (1 - t_mul**restarts) / (1 - t_mul)) / t_mul**restarts
    cosine = 0.5 * m_mul**restarts * (1 + math.cos(math.pi * done))
    return (1 - alpha) * cosine + alpha
