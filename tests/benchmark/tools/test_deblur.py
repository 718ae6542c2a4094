"""One photo of unknown kernel size: the choice of a size, the restoration of the whole, the verdict."""

import numpy as np
import pytest
from scipy.ndimage import convolve

from benchmark.core.errors import InputError
from benchmark.core.types import Restoration, Status
from benchmark.runs.names import base_method
from benchmark.scoring.kernel_scores import kernel_similarity
from benchmark.tools import deblur as module
from benchmark.tools.deblur import (
    DEEP_PRESET,
    Deblurring,
    KernelCandidate,
    agreement,
    choose,
    deblur_photo,
    deep_method,
    enlarged,
    fitting_sizes,
    rise,
)
from benchmark.tools.verdict import AGREEMENT, UNEXPLAINED, judge
from methods.parts.registry import built_in
from tests.benchmark.tools.conftest import line_kernel, psnr


def estimated(kernel):
    return Restoration(Status.OK, kernels=kernel[None].astype(np.float32))


def right(part, size):
    return estimated(line_kernel(size, 9))


def test_sizes_that_agree_on_the_right_kernel_are_trusted(pair):
    sharp, blurry = pair
    result = deblur_photo(blurry, right)
    assert result.verdict.trusted
    assert result.verdict.agreement == pytest.approx(1)
    assert result.verdict.residual < 2 * result.verdict.noise
    assert psnr(result.image, sharp) > psnr(blurry, sharp) + 5
    assert result.image.dtype == np.float32
    assert f"kernel size {result.verdict.kernel_size} px" in result.verdict.numbers


def test_sizes_that_disagree_are_not_trusted_and_the_better_one_is_chosen(pair):
    sharp, blurry = pair

    def wrong(part, size):
        return estimated(line_kernel(size, 21, vertical=True)) if size == 31 else right(part, size)

    result = deblur_photo(blurry, wrong)
    assert (result.verdict.trusted, result.verdict.kernel_size) == (False, 15)
    assert result.verdict.sentence.startswith("do not trust this: the kernels of different sizes disagree")
    assert psnr(result.image, sharp) > psnr(blurry, sharp) + 5


def test_a_single_size_is_compared_with_no_other(pair):
    tried = []
    result = deblur_photo(pair[1], lambda part, size: tried.append(size) or right(part, size), [21])
    assert tried == [21]
    assert result.verdict.agreement is None
    assert "only one kernel size was tried" in result.verdict.sentence


def test_a_size_larger_than_the_photo_is_refused(pair):
    with pytest.raises(InputError, match="kernel size 121 is larger than the photo"):
        deblur_photo(pair[1], right, [121])


def unreachable(part, size):
    raise AssertionError("there is nothing to find a kernel on")


@pytest.mark.parametrize("kind", ["constant", "noise", "tiny"])
def test_a_photo_without_anything_to_deblur_comes_back_as_it_is(kind):
    size = (1, 9, 9) if kind == "tiny" else (3, 100, 90)
    photo = np.full(size, 0.5, np.float32)
    if kind != "constant":
        photo += np.random.default_rng(0).normal(0, 0.1, size).astype(np.float32)
    if kind == "tiny":
        photo[:, :, 4:] = 0
    result = deblur_photo(photo, unreachable)
    assert result.image is photo
    assert result.kernel is None
    assert not result.verdict.trusted
    assert result.verdict.sentence.startswith("nothing was done to the photo")
    assert result.verdict.numbers == ""


def test_the_reason_of_a_method_that_declines_is_told(pair):
    result = deblur_photo(pair[1], lambda part, size: Restoration(Status.NOT_SUPPORTED, "no edges here"))
    assert result.image is pair[1]
    assert "no edges here" in result.verdict.sentence


def test_a_size_that_fails_leaves_the_others(pair):
    fails = lambda part, size: right(part, size) if size == 31 else Restoration(Status.FAILED, "no")  # noqa: E731
    assert deblur_photo(pair[1], fails).verdict.kernel_size == 31


def test_the_reasons_of_a_doubt_are_told(pair):
    _, blurry = pair
    point = deblur_photo(blurry, lambda _, size: estimated(line_kernel(size, 3))).verdict
    assert "hardly blurred" in point.sentence
    rim = deblur_photo(blurry, lambda _, size: estimated(line_kernel(size, size)), [15]).verdict
    assert "rim of its square" in rim.sentence
    assert "% of what was changed" in rim.sentence
    lit = blurry.copy()
    lit[:, :20, :20] = 1
    assert "2% of the photo is saturated" in deblur_photo(lit, right).verdict.sentence


def test_a_kernel_that_fills_the_largest_size_is_looked_for_on_a_smaller_photo(monkeypatch, pair):
    monkeypatch.setattr(module, "SIZES", (7, 11))
    seen = []

    def estimate(part, size):
        seen.append((part.shape[1:], size))
        return estimated(line_kernel(size, 11 if part.shape[1] == 120 else 5)) if size == 11 else declined

    declined = Restoration(Status.NOT_SUPPORTED, "not this one")
    result = deblur_photo(pair[1], estimate)
    assert seen == [((120, 140), 7), ((120, 140), 11), ((60, 70), 7), ((60, 70), 11)]
    assert result.verdict.kernel_size == 22
    assert np.ptp(np.nonzero(result.kernel > 0.5 * result.kernel.max())[1]) + 1 == pytest.approx(10, abs=1)


def test_sizes_fit_the_photo():
    assert fitting_sizes(512, 1) == [15, 31, 51, 75, 101, 151]
    assert fitting_sizes(120, 1) == [15, 31]
    assert fitting_sizes(30, 1) == [9]
    assert fitting_sizes(14, 1) == []
    assert fitting_sizes(512, 2) == []
    assert fitting_sizes(900, 2) == [101]
    assert fitting_sizes(1000, 2) == [101, 151]
    assert fitting_sizes(900, 4) == [51, 75]


def candidate(size, kernel, misfit=1.0, energy=1.0, unexplained=0.1):
    return KernelCandidate(size, kernel, misfit, energy, unexplained, part=(slice(0, 512), slice(0, 512)))


def test_the_choice_weighs_energy_against_agreement():
    line, other = line_kernel(31, 9), line_kernel(31, 9, vertical=True)
    agreeing = [
        candidate(15, line, energy=1.5),
        candidate(31, line, energy=1.2),
        candidate(51, line, energy=1.3),
    ]
    assert choose(agreeing).size == 31
    with_another = [candidate(15, line, energy=1.3), candidate(31, other, energy=1.2), agreeing[2]]
    assert choose(with_another).size in (15, 51)


def test_a_kernel_that_leaves_more_unexplained_is_not_chosen():
    line = line_kernel(31, 9)
    least = candidate(15, line, energy=1.2, unexplained=0.1)
    assert choose([least, candidate(31, line, unexplained=0.18)]).size == 15
    assert choose([least, candidate(31, line, unexplained=0.17)]).size == 31


def test_kernels_agree_where_their_traces_lie_a_pixel_apart():
    """Estimates of one blur differ so; pixel by pixel they would be different blurs."""
    slanted = np.zeros((15, 15))
    steps = np.arange(3, 12)
    slanted[(steps / 4).round().astype(int) + 5, steps] = 1 / 9
    other = np.zeros((15, 15))
    other[((steps + 2) / 4).round().astype(int) + 5, steps] = 1 / 9
    both = [candidate(15, slanted), candidate(15, other)]
    assert kernel_similarity(slanted, other) < AGREEMENT < agreement(both[0], both)
    line = candidate(15, line_kernel(15, 9, vertical=True))
    assert agreement(line, [line, both[0]]) < AGREEMENT


def test_a_kernel_that_fills_its_box_loses_to_a_larger_one_that_does_not():
    """The misfits and energies are those of a photo of a sign, whose streak of 35 px cannot lie in 15 px."""
    cut, whole = line_kernel(15, 15), line_kernel(51, 35)
    sizes = [
        candidate(15, cut, 3.1, 1.7),
        candidate(31, line_kernel(31, 31), 6.1, 1.8),
        candidate(51, whole, 5.8, 1.9),
    ]
    assert choose(sizes).size == 51
    # Where all fill their boxes there is no such reason.
    assert choose(sizes[:2]).size == 15


def test_a_point_is_chosen_only_where_points_are_the_majority():
    """A search in a box too small for the blur may end in a point, which gives any photo back."""
    point, line = line_kernel(15, 3), line_kernel(31, 15)
    sizes = [candidate(15, point, 1.0, 2.9), candidate(31, line, 2.1, 3.0), candidate(51, line, 2.0, 2.8)]
    assert choose(sizes).size == 51
    assert choose([*sizes[:2], candidate(21, point, 1.0, 2.9)]).size in (15, 21)


@pytest.mark.parametrize("sigma", [0.01, 0.03])
def test_what_blurring_again_does_not_undo_is_doubted_whatever_the_noise(sigma):
    """The true kernel explains what it changed. Of a change by another one, most is left over."""
    rng = np.random.default_rng(0)
    image = np.kron(rng.random((20, 20)), np.ones((5, 5)))
    kernel = line_kernel(15, 9)
    photo = convolve(image, kernel) + rng.normal(0, sigma, image.shape)
    true, wrong = (
        judge(photo, image, each, each, noise=sigma, agreement=0.9, kernel_size=15, rise=1.0)
        for each in (kernel, kernel.T)
    )
    assert true.trusted
    assert true.unexplained < UNEXPLAINED < wrong.unexplained
    assert f"by {wrong.unexplained:.0%} of what was changed" in wrong.sentence
    assert not wrong.trusted


def test_lamps_at_night_are_doubted_unless_the_kernel_is_given(pair):
    """Streaks that are not saturated; by day as many bright pixels are no lamps."""
    night, day = 0.3 * pair[1], pair[1].copy()
    night[:, 40:44, 30:39] = day[:, 40:44, 30:39] = 0.95
    lamps = "lamps outshine the rest of the photo"
    assert lamps in deblur_photo(night, right, [15]).verdict.sentence
    assert lamps not in deblur_photo(day, right, [15]).verdict.sentence
    deblurring = Deblurring(night)
    taken = deblurring.take(line_kernel(15, 9))
    assert lamps not in deblurring.restored(taken).verdict.sentence


def test_a_restoration_that_changed_nothing_is_doubted():
    photo = np.random.default_rng(0).random((40, 40))
    one = line_kernel(15, 1)
    verdict = judge(photo, photo, one, one, noise=0.01, agreement=0.9, kernel_size=15, rise=1.0)
    assert "nothing was changed" in verdict.sentence


def test_a_size_that_is_too_small_for_the_blur_is_not_chosen(streaked):
    """An estimator that finds as much of the true kernel as its box holds: the rest is cut off."""
    sharp, blurry, kernel = streaked

    def cut(part, size):
        inner = kernel[:, max(0, (kernel.shape[1] - size) // 2) :][:, :size]
        room = [(size - side) // 2 for side in inner.shape]
        return estimated(np.pad(inner / inner.sum(), [(side, side) for side in room]))

    result = deblur_photo(blurry, cut)
    assert result.verdict.kernel_size in (31, 39, 51)
    assert psnr(result.image, sharp) > psnr(blurry, sharp) + 4
    alone = deblur_photo(blurry, cut, [15])
    assert "rim of its square" in alone.verdict.sentence


def test_the_sizes_around_the_best_are_tried_unless_time_is_short(pair):
    def tried(*, finer):
        seen = []
        deblur_photo(pair[1], lambda part, size: seen.append(size) or right(part, size), finer=finer)
        return seen

    assert tried(finer=False) == [15, 31]
    assert tried(finer=True) == [15, 31, 21]


@pytest.mark.parametrize("shape", ["disagree", "agree on a wrong one"])
def test_the_deep_method_is_asked_where_no_kernel_convinces(monkeypatch, pair, shape):
    monkeypatch.setattr(module, "DEEP_PART", 100)
    asked = []

    def deep(part, size):
        asked.append((part.shape, size))
        return right(part, size)

    deblur_photo(pair[1], right, deep=deep)
    assert asked == []
    length = (lambda size: size - 6) if shape == "disagree" else (lambda size: 9)
    wrong = lambda part, size: estimated(line_kernel(size, length(size), vertical=True))  # noqa: E731
    result = deblur_photo(pair[1], wrong, deep=deep)
    ((shape, size),) = asked
    assert shape == (1, 100, 100)
    assert result.verdict.kernel_size == size
    assert psnr(result.image, pair[0]) > psnr(pair[1], pair[0]) + 5


def test_one_method_is_the_deep_one():
    assert base_method(deep_method()).role == "method"
    assert [method.name for method in built_in().values() if DEEP_PRESET in method.presets] == [
        base_method(deep_method()).name
    ]


def test_larger_sizes_are_tried_only_while_the_kernel_fills_its_box(monkeypatch, pair):
    monkeypatch.setattr(module, "SIZES", (7, 11, 15, 21, 31))
    monkeypatch.setattr(module, "ALWAYS", 11)

    def tried(length):
        seen = []
        deblur_photo(
            pair[1],
            lambda part, size: seen.append(size) or estimated(line_kernel(size, min(size, length))),
            finer=False,
        )
        return seen

    assert tried(5) == [7, 11]
    assert tried(13) == [7, 11, 15, 21]
    assert tried(21) == [7, 11, 15, 21, 31]


def test_misfits_that_rise_with_the_size_are_doubted(pair):
    line = line_kernel(15, 5)
    assert rise([candidate(15, line, 1.5), candidate(31, line, 1.8), candidate(51, line, 6.0)]) == 4
    assert rise([candidate(15, line_kernel(15, 15), 1.0), candidate(31, line, 6.0)]) == 1

    def worse(part, size):
        return right(part, size) if size == 15 else estimated(line_kernel(size, 15, vertical=True))

    assert "so the search went wrong" in deblur_photo(pair[1], worse).verdict.sentence


@pytest.mark.parametrize("spots", [False, True])
def test_a_round_kernel_is_doubted_unless_one_is_looked_for(pair, spots):
    spot = np.exp(-(np.arange(-7, 8) ** 2) / 8)
    kernel = np.outer(spot, spot)
    verdict = deblur_photo(pair[1], lambda part, size: estimated(kernel), [15], spots=spots).verdict
    assert ("the kernel is a round spot" in verdict.sentence) is not spots


@pytest.mark.parametrize(("side", "size"), [(20, 20), (20, 19), (40, 39)])
def test_a_kernel_as_large_as_the_photo_is_doubted(side, size):
    """No pixel, or only a few, shows whether it is right."""
    photo = np.zeros((1, side, side), np.float32)
    photo[:, side // 3 : -side // 3, side // 3 :] = 0.7
    result = deblur_photo(photo, lambda part, size: estimated(line_kernel(size | 1, 9)), [size])
    assert not result.verdict.trusted
    assert "of the photo shows whether it is right" in result.verdict.sentence
    assert "nan" not in result.verdict.sentence + result.verdict.numbers


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_a_kernel_without_mass_is_no_kernel(pair, value):
    result = deblur_photo(pair[1], lambda part, size: estimated(np.full((size, size), value)))
    assert result.image is pair[1]
    assert "the method estimated no kernel" in result.verdict.sentence


def test_an_enlarged_kernel_keeps_shape_and_mass():
    kernel = enlarged(line_kernel(15, 9), 2)
    assert kernel.shape == (31, 31)
    assert kernel.sum() == pytest.approx(1)
    assert kernel.min() >= 0
    assert np.ptp(np.nonzero(kernel.sum(0) > 0.01)[0]) + 1 == pytest.approx(18, abs=2)
