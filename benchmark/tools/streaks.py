"""Read the kernel off light streaks: a lamp is a point, so its blurred picture is the kernel itself.

Z. Hu, S. Cho, J. Wang, M.-H. Yang, "Deblurring Low-Light Images with Light Streaks", CVPR 2014, model streaks
so and find them automatically, too; how they are found here is ours: streaks of one photo look alike.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation, find_objects, grey_opening, label

from benchmark.core.errors import InputError
from benchmark.core.types import Array
from benchmark.scoring.kernel_scores import kernel_similarity
from benchmark.tools.measures import CLIPPED, Floats, is_point, luma_of, roundness
from benchmark.tools.texture import Slices

LEAST_LIGHT = 0.1  # of [0, 1], by which a streak must stand out
DIM = 0.15  # share of the brightest light; what is dimmer is glow and noise
# Where streaks are found without the user. Chosen by eye on the night photographs of lai-real, and so that
# 250 sharp photographs of BSDS500 and twelve more with lamps have none.
THICK = 25  # px: what is thicker is no streak
STANDING_OUT = 0.15  # of [0, 1]: light above what surrounds it within THICK
BRIGHT = 0.3  # of [0, 1], by which a streak's brightest pixel exceeds its ground
LONGEST, SHORTEST = 151, 15  # px, the longer side of the box around a streak: shorter ones have no shape
RIM = 4  # px, and a quarter of its longer side: the ground around a streak, which must be dark
EDGE = 3  # px around a streak that hold its faint ends
DARK = 0.3  # of a streak's brightest light: the brightest 2 % of its ground have no more
SPOT = 0.85  # roundness: a rounder one is a lamp that stood still
ALIKE = 0.85  # similarity of two streaks of one kernel, of 1: lamps differ in size and brightness
ENOUGH = 4  # so many must look alike
MOST = 60  # streaks that are compared, the brightest
SMALLER = 0.6  # of a streak's longer side: a lamp that draws less was not blurred by it
SHARE = 0.1  # of all small lights: so many at least are streaks that look alike


def kernel_of_streak(photo: Array, frame: Slices) -> Floats:
    """Take the streak in a part of a photo for its kernel.

    The median of the part's rim is the background. Only the brightest connected streak counts.

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
    return _boxed(streak[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


@dataclass(frozen=True)
class Light:
    """A small bright thing that stands alone before a dark ground: a streak, or a lamp that stood still."""

    kernel: Floats  # (h, w), both sides odd, sum 1
    side: int  # px, the longer one of the box around what stands out
    peak: float  # light of its brightest pixel, above the ground
    clipped: float  # share of its pixels that are saturated

    @property
    def is_streak(self) -> bool:
        """Whether it is neither a point nor a spot."""
        return self.side >= SHORTEST and not is_point(self.kernel) and roundness(self.kernel) <= SPOT


def kernel_of_streaks(luma: Floats) -> tuple[Floats, int] | None:
    """Find the light streaks of a photo that look alike, and take the best of them for its kernel.

    All lamps are blurred by one kernel. So streaks count only where several look alike, and where at most as
    many lights are clearly smaller.

    Args:
        luma: (H, W) in [0, 1].

    Returns:
        The kernel (h, w) of the narrowest streak, both sides odd, true-convolution form, sum 1, its centre of
        mass in the middle; and how many look alike. None where there are no such streaks.
    """
    lights = list(small_lights(luma))
    streaks = [each for each in lights if each.is_streak]
    streaks = sorted(streaks, key=lambda each: (1 - each.clipped) * each.peak, reverse=True)[:MOST]
    if len(streaks) < ENOUGH:
        return None
    similar = np.eye(len(streaks))
    for one, two in zip(*np.triu_indices(len(streaks), 1), strict=True):
        similar[one, two] = similar[two, one] = kernel_similarity(streaks[one].kernel, streaks[two].kernel)
    near = similar >= ALIKE
    group = np.flatnonzero(near[np.argmax(np.where(near, similar, 0).sum(0))])
    # A wide lamp makes a wide streak, and one that is saturated has no shades left.
    narrow = max(group, key=lambda each: (1 - streaks[each].clipped) * np.linalg.norm(streaks[each].kernel))
    best = streaks[narrow]
    smaller = sum(each.side < SMALLER * best.side for each in lights)
    if len(group) < max(ENOUGH, smaller, SHARE * len(lights)):
        return None
    return _centred(best.kernel), len(group)


def small_lights(luma: Floats) -> Iterator[Light]:
    """Yield what is small and bright and stands alone before a dark ground.

    Args:
        luma: (H, W) in [0, 1].
    """
    pieces, _ = label(luma - grey_opening(luma, (THICK, THICK)) > STANDING_OUT, np.ones((3, 3)))
    for number, box in enumerate(find_objects(pieces), 1):
        longer = max(side.stop - side.start for side in box)
        rim = RIM + longer // 4
        frame = tuple(slice(side.start - rim, side.stop + rim) for side in box)
        inside = all(s.start >= 0 and s.stop <= whole for s, whole in zip(frame, luma.shape, strict=True))
        if not inside or longer > LONGEST:
            continue
        core = pieces[frame] == number
        near = binary_dilation(core, iterations=EDGE)
        ground = float(np.median(luma[frame][~near]))
        light = luma[frame] - ground
        peak = float(light[core].max())
        if peak < BRIGHT or np.quantile(light[~near], 0.98) > DARK * peak:
            continue
        kernel = _boxed(np.where(near & (light >= DIM * peak), light, 0))
        yield Light(kernel, longer, peak, float((luma[frame][core] > CLIPPED).mean()))


def _boxed(streak: Floats) -> Floats:
    """Make a kernel of a streak's light (h, w), at least 0: odd sides, sum 1."""
    odd = np.pad(streak, [(0, 1 - side % 2) for side in streak.shape])
    kernel: Floats = odd / odd.sum()
    return kernel


def _centred(kernel: Floats) -> Floats:
    """Move the centre of mass of a kernel to the middle, in whole px, by adding dark rows and columns."""
    places = np.indices(kernel.shape).reshape(2, -1) @ kernel.ravel()
    offsets = [round(float(side - 1 - 2 * place)) for side, place in zip(kernel.shape, places, strict=True)]
    even = [offset + offset % 2 for offset in offsets]
    return np.pad(kernel, [(max(0, add), max(0, -add)) for add in even])
