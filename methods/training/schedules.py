"""Learning rates over a training."""

import math

from torch.optim import Optimizer


def cosine(rate: float, share: float, last: float = 0.0) -> float:
    """Return a learning rate that falls from `rate` to `last` along half a cosine.

    Args:
        rate: at the beginning.
        share: of the training that is over, in [0, 1].
        last: at the end.

    >>> [cosine(1.0, share) for share in (0.0, 0.5, 1.0)]
    [1.0, 0.5, 0.0]
    """
    return last + (rate - last) * (1 + math.cos(math.pi * share)) / 2


def set_rate(optimiser: Optimizer, rate: float) -> None:
    """Give all parameters of an optimiser the same learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate
