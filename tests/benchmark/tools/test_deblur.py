"""One photo of unknown kernel size: the choice of a size, the restoration of the whole, the verdict."""

import numpy as np
import pytest

from benchmark.core.types import InputError, Restoration, Status
from benchmark.tools import deblur as module
from benchmark.tools.deblur import KernelCandidate, choose, deblur_photo, enlarged, fitting_sizes
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
    assert "times the noise" in rim.sentence
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
    assert fitting_sizes(512, 1) == [15, 31, 51, 75]
    assert fitting_sizes(120, 1) == [15, 31]
    assert fitting_sizes(30, 1) == [9]
    assert fitting_sizes(14, 1) == []
    assert fitting_sizes(512, 2) == [51, 75]
    assert fitting_sizes(512, 4) == [31]


def test_the_choice_weighs_misfit_against_agreement():
    line, other = line_kernel(31, 9), line_kernel(31, 9, vertical=True)

    def chosen_size(*candidates):
        return choose([KernelCandidate(*candidate) for candidate in candidates]).size

    assert chosen_size((15, line, 1.5), (31, line, 1.2), (51, line, 1.3)) == 31
    assert chosen_size((15, line, 1.3), (31, other, 1.2), (51, line, 1.4)) == 15


def test_an_enlarged_kernel_keeps_shape_and_mass():
    kernel = enlarged(line_kernel(15, 9), 2)
    assert kernel.shape == (31, 31)
    assert kernel.sum() == pytest.approx(1)
    assert kernel.min() >= 0
    assert np.ptp(np.nonzero(kernel.sum(0) > 0.01)[0]) + 1 == pytest.approx(18, abs=2)
