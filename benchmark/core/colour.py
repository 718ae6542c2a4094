"""Grey images of colour images."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

LUMA = (0.299, 0.587, 0.114)  # of R, G and B, Recommendation ITU-R BT.601: luma = 0.299 R + 0.587 G + 0.114 B


def full_range_luma(image: NDArray[np.floating[Any]]) -> NDArray[Any]:
    """Compute 0.299 R + 0.587 G + 0.114 B.

    Args:
        image: (C, H, W) in [0, 1].

    Returns:
        (1, H, W) in [0, 1]; a grey image is returned as it is.
    """
    if len(image) == 1:
        return image
    return np.tensordot(LUMA, image, axes=1)[None]
