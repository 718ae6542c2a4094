"""Learning rates over a training."""

import math


def cosine(rate: float, share: float, last: float = 0.0) -> float:
    """From `rate` down to `last` along half a cosine; `share` in [0, 1] of the training is over."""
    return last + (rate - last) * (1 + math.cos(math.pi * share)) / 2
