"""A kernel read off a light streak."""

import numpy as np
import pytest
from scipy.ndimage import convolve
from skimage import data

from benchmark.core.errors import InputError
from benchmark.core.types import Restoration, Status
from benchmark.scoring import metrics
from benchmark.scoring.kernel_scores import kernel_similarity
from benchmark.scoring.protocols import find_protocol
from benchmark.tools.deblur import Deblurring, choose
from benchmark.tools.measures import luma_of
from benchmark.tools.streaks import kernel_of_streak, kernel_of_streaks
from tests.benchmark.tools.conftest import HOOK, line_kernel


@pytest.fixture
def night():
    """A dark photo (3, 60, 80) with a lamp at (30, 40) and a dimmer one at (30, 58), blurred by a hook."""
    scene = np.zeros((60, 80))
    scene[30, 40], scene[30, 58] = 9, 3
    photo = 0.05 + convolve(scene, HOOK)
    photo += np.random.default_rng(0).normal(0, 0.005, photo.shape)
    return np.repeat(photo[None], 3, axis=0).clip(0, 1)


def test_the_brightest_streak_is_the_kernel(night):
    kernel = kernel_of_streak(night, (slice(20, 40), slice(25, 75)))
    assert kernel.shape == (5, 9)
    assert kernel.sum() == pytest.approx(1)
    assert kernel_similarity(kernel, HOOK) > 0.98
    assert kernel_similarity(kernel[::-1, ::-1], HOOK) < 0.9  # not turned


def test_sides_are_odd(night):
    night[:, 30, 49] = night[:, 28, 45]  # one px more
    assert all(side % 2 for side in kernel_of_streak(night, (slice(20, 40), slice(25, 52))).shape)


def test_a_part_without_light_is_refused(night):
    with pytest.raises(InputError, match="--streak: no light stands out"):
        kernel_of_streak(night, (slice(45, 58), slice(5, 25)))


WIDE = np.kron(HOOK, np.eye(3))  # 23 px wide
WIDE = convolve(WIDE, np.ones((3, 3)))
WIDE /= WIDE.sum()


@pytest.fixture(scope="module")
def street():
    """A dim photograph (3, 240, 280) with six lamps beyond white; the same blurred by `WIDE`, clipped."""
    rng = np.random.default_rng(0)
    scene = np.repeat(0.2 * data.camera()[100:340, 150:430][None] / 255, 3, axis=0)
    for number in range(6):
        row, column = 55 + 110 * (number // 3), 50 + 90 * (number % 3)
        scene[:, row : row + 2, column : column + 2] += 10 ** rng.uniform(1, 1.6)
    seen = np.stack([convolve(channel, WIDE) for channel in scene])
    seen = (seen + rng.normal(0, 0.004, seen.shape)).clip(0, 1)
    return scene.clip(0, 1).astype(np.float32), (np.round(255 * seen) / 255).astype(np.float32)


def test_streaks_that_look_alike_are_found(street):
    kernel, count = kernel_of_streaks(luma_of(street[1]))
    assert count >= 5
    assert kernel_similarity(kernel, WIDE) > 0.9
    assert kernel_similarity(kernel[::-1, ::-1], WIDE) < 0.85
    assert all(side % 2 for side in kernel.shape)
    centre = np.indices(kernel.shape).reshape(2, -1) @ kernel.ravel()
    np.testing.assert_allclose(centre, [side // 2 for side in kernel.shape], atol=1)


@pytest.mark.parametrize("kind", ["sharp lamps", "day", "few streaks", "lamps of all sizes"])
def test_without_such_streaks_there_is_none(street, kind):
    sharp, blurry = street
    photo = {
        "sharp lamps": sharp,
        "day": np.repeat(data.camera()[None, :300, :300] / 255, 3, axis=0),
        "few streaks": blurry[:, :, :160],  # four, of which two are cut
        "lamps of all sizes": blurry.copy(),
    }[kind]
    if kind == "lamps of all sizes":  # some are as sharp as they were: nothing has blurred all of them
        for column in range(20, 270, 30):
            photo[:, 112:115, column : column + 3] = 1
    assert kernel_of_streaks(luma_of(photo)) is None


def deblurring_of(photo, kernel):
    deblurring = Deblurring(photo)
    estimate = lambda part, size: Restoration(Status.OK, kernels=kernel[None].astype(np.float32))  # noqa: E731
    assert list(deblurring.find(estimate, finer=False)) == deblurring.candidates
    return deblurring


def score(image, sharp):
    pair = find_protocol("shift-rgb").align(image.astype(np.float64), [sharp.astype(np.float64)])
    return metrics.psnr(pair.estimate, pair.reference)


def test_streaks_decide_where_the_search_for_a_kernel_fails(street):
    sharp, blurry = street
    deblurring = deblurring_of(blurry, line_kernel(15, 9))
    best = deblurring.best()
    assert best.label == f"{best.streaks} light streaks, {best.size} px"
    others = [each for each in deblurring.candidates if each is not best]
    assert not any(each.streaks for each in others)
    found, without = (deblurring.restored(each).image for each in (best, choose(others)))
    # Apart from a shift, which blind deblurring cannot know.
    gains = [score(image, sharp) - score(blurry, sharp) for image in (found, without)]
    assert gains[0] > max(gains[1], 0) + 3


def test_a_narrower_kernel_that_looks_like_the_streaks_is_chosen(street):
    best = deblurring_of(street[1], WIDE).best()
    assert not best.streaks
    assert kernel_similarity(best.kernel, WIDE) == pytest.approx(1, abs=1e-3)


def test_a_photo_without_streaks_has_no_such_candidate(pair):
    assert not any(each.streaks for each in deblurring_of(pair[1], line_kernel(15, 9)).candidates)
