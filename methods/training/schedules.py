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


def halved(rate: float, share: float, times: int) -> float:
    """Return a learning rate that is halved after every `times`-th part of a training.

    Args:
        rate: at the beginning.
        share: of the training that is over, in [0, 1).
        times: in how many equal parts of the training the rate is constant.

    >>> [halved(1.0, share, 4) for share in (0.0, 0.24, 0.25, 0.99)]
    [1.0, 1.0, 0.5, 0.125]
    """
    return float(rate * 0.5 ** int(share * times))


def set_rate(optimiser: Optimizer, rate: float) -> None:
    """Give all parameters of an optimiser the same learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate
