"""Read the kernel off a light streak: a lamp is a point, so its blurred picture is the kernel itself."""

import numpy as np
from scipy.ndimage import label

from benchmark.core.types import Array, InputError
from benchmark.tools.measures import Floats, luma_of
from benchmark.tools.texture import Slices

LEAST_LIGHT = 0.1  # of [0, 1], by which a streak must stand out
DIM = 0.15  # share of the brightest light; what is dimmer is glow and noise


def kernel_of_streak(photo: Array, frame: Slices) -> Floats:
    """Take the streak in a part of a photo for its kernel.

    The median of the part's rim is the background. Only the brightest connected streak counts. Z. Hu, S. Cho,
    J. Wang, M.-H. Yang, "Deblurring Low-Light Images with Light Streaks", CVPR 2014, model streaks so;
    here the user finds them.

    Args:
        photo: (C, H, W) in [0, 1].
        frame: The part, which holds one streak with a dark rim.

    Returns:
        The kernel (h, w), both sides odd, true-convolution form, sum 1.

    Raises:
        InputError: No light stands out.
    """
    luma = luma_of(photo[:, *frame])
    inner = np.zeros(luma.shape, bool)
    inner[1:-1, 1:-1] = True
    light = (luma - np.median(luma[~inner])).clip(0)
    if light.max() < LEAST_LIGHT:
        raise InputError("--streak: no light stands out in this part; name one around a single streak")
    pieces, count = label(light >= DIM * light.max(), structure=np.ones((3, 3)))
    brightest = 1 + int(np.argmax([light[pieces == piece].sum() for piece in range(1, count + 1)]))
    streak = np.where(pieces == brightest, light, 0)
    rows, columns = (np.nonzero(streak.any(axis))[0] for axis in (1, 0))
    cut = streak[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    odd = np.pad(cut, [(0, 1 - side % 2) for side in cut.shape])
    kernel: Floats = odd / odd.sum()
    return kernel
