"""The convention doctor: blur by another implementation, and find how it was done."""

import numpy as np
import pytest
import skimage.data
from scipy.ndimage import convolve
from scipy.ndimage import shift as spline_shift

from benchmark.core.errors import InputError
from benchmark.core.images import read_image
from benchmark.tools.doctor import (
    ORIENTATIONS,
    conclusions,
    diagnose,
    diagnose_together,
    energies,
    verdict_of,
)

# scipy.ndimage's words for the boundaries.
MODES = {
    "zero": "constant",
    "replicate": "nearest",
    "symmetric": "reflect",
    "reflect": "mirror",
    "circular": "wrap",
}


def photograph(channels=1, top=180, left=120, height=90, width=100):
    crop = skimage.data.astronaut()[top : top + height, left : left + width].transpose(2, 0, 1)
    return crop[:channels].astype(np.float64) / 255


def stroke(height=9, width=7):
    """A bent stroke, unlike itself in any orientation, in true-convolution form."""
    kernel = np.zeros((height, width))
    kernel[1:-1, 1] = np.linspace(1, 3, height - 2)
    kernel[-2, 1:-1] = 2
    kernel[2, -2] = 1
    return kernel


def blur(sharp, kernel, boundary="replicate", gamma=1.0):
    planes = [convolve(plane**gamma, kernel / kernel.sum(), mode=MODES[boundary]) for plane in sharp]
    return np.clip(np.stack(planes), 0, None) ** (1 / gamma)


def eight_bit(image):
    return np.round(255 * np.clip(image, 0, 1)) / 255


@pytest.mark.parametrize("boundary", MODES)
def test_each_boundary_is_found(boundary):
    sharp = photograph()
    found = diagnose(sharp, stroke(), eight_bit(blur(sharp, stroke(), boundary)))
    assert found.boundary == boundary
    assert f"Boundary: {boundary}." in conclusions(found)
    assert (found.orientation, found.light) == ("convolution", "stored values")
    assert found.noise_kind == "the rounding to 8 bits alone"


# What a file of each form holds when the blur is by the true-convolution kernel `stroke`.
FILES = {
    "convolution": stroke(),
    "correlation": stroke()[::-1, ::-1],
    "transposed convolution": stroke().T,
    "transposed correlation": stroke().T[::-1, ::-1],
}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize(("light", "gamma"), [("stored values", 1.0), ("linear light", 2.2)])
def test_each_orientation_and_light_is_found(orientation, light, gamma):
    sharp = photograph(3)
    found = diagnose(sharp, 17 * FILES[orientation], eight_bit(blur(sharp, stroke(), gamma=gamma)))
    assert (found.orientation, found.light, found.boundary) == (orientation, light, "replicate")
    np.testing.assert_array_equal(ORIENTATIONS[found.orientation](FILES[orientation]), stroke())
    assert len(found.candidates) == 8
    assert [entry.residual for entry in found.candidates] == sorted(
        entry.residual for entry in found.candidates
    )


@pytest.mark.parametrize(
    ("draw", "sigma", "offset", "kind"),
    [
        (lambda rng, shape: np.zeros(shape), 0, 0, "the rounding to 8 bits alone"),
        (lambda rng, shape: 0.01 * rng.random(shape), 0.01 / np.sqrt(12), 0.005, "uniform noise"),
        (lambda rng, shape: 0.01 * rng.standard_normal(shape), 0.01, 0, "Gaussian noise"),
        (
            lambda rng, shape: 0.4 * (rng.random(shape) < 0.01),
            0.4 * np.sqrt(0.01 * 0.99),
            0.004,
            "noise with heavier tails than a Gaussian's, such as impulses",
        ),
    ],
)
def test_the_noise_is_measured_and_named(draw, sigma, offset, kind):
    sharp = photograph(3)
    blurry = 0.1 + 0.5 * blur(sharp, stroke())  # away from 0 and 1, where noise is clipped
    found = diagnose(sharp, stroke(), eight_bit(blurry + draw(np.random.default_rng(0), blurry.shape)))
    assert found.noise_kind == kind
    assert found.noise == pytest.approx(np.hypot(sigma, 1 / 255 / np.sqrt(12)), rel=0.06)
    assert found.gain == pytest.approx(0.5, abs=0.002 + 0.02 * sigma)
    assert found.offset == pytest.approx(0.1 + offset, abs=0.001 + 0.02 * sigma)


def test_a_misfit_is_not_called_noise():
    sharp = photograph()
    found = diagnose(sharp, stroke(), eight_bit(blur(sharp, stroke() + 0.1)))
    assert found.noise_kind.startswith("a misfit rather than noise")


@pytest.mark.parametrize("shift", [(3, -5), (-2.4, 7.3)])
def test_a_shift_is_found_below_the_pixel(shift):
    sharp = photograph(height=130, width=130)
    blurred = blur(sharp, stroke())
    moved = spline_shift(blurred, (0, -shift[0], -shift[1]), order=5, mode="nearest")
    found = diagnose(sharp, stroke(), eight_bit(moved))
    assert found.orientation == "convolution"
    # To first order in what is left of the shift, and of an image in 8 bits.
    np.testing.assert_allclose(found.shifts, [shift], rtol=0, atol=0.03)


def test_a_smaller_blurry_image_needs_no_boundary():
    sharp, kernel = photograph(), stroke()
    blurry = eight_bit(blur(sharp, kernel)[:, 4:-4, 3:-3])
    found = diagnose(sharp, kernel, blurry)
    assert found.boundary == "valid"
    assert found.borders == {}
    np.testing.assert_allclose(found.shifts, [(0, 0)], atol=0.01)
    assert "Boundary: valid" in conclusions(found)[4]


def test_scene_outside_the_frame_is_told_from_every_continuation():
    scene, kernel = photograph(height=130, width=140), stroke()
    blurry = eight_bit(blur(scene, kernel)[:, 10:-10, 8:-8])
    found = diagnose(scene[:, 10:-10, 8:-8], kernel, blurry)
    assert found.boundary == "valid"
    assert len(found.borders) == 5
    assert "the scene goes on outside" in conclusions(found)[4]


def test_an_even_kernel_is_read_as_well():
    sharp, kernel = photograph(), stroke(8, 8)
    found = diagnose(sharp, kernel[::-1, ::-1], eight_bit(blur(sharp, kernel, "circular")))
    assert (found.orientation, found.boundary) == ("correlation", "circular")


def test_symmetric_kernels_leave_the_orientation_open():
    sharp, kernel = photograph(), np.ones((5, 5))
    found = diagnose(sharp, kernel, eight_bit(blur(sharp, kernel)))
    assert found.orientation is None
    assert found.light == "stored values"
    assert conclusions(found)[0].startswith(
        "The kernel's orientation cannot be decided: convolution and corr"
    )


def test_a_flat_surrounding_leaves_the_boundary_open():
    sharp = np.pad(photograph(height=70, width=80), ((0, 0), (20, 20), (20, 20)), constant_values=0.4)
    found = diagnose(sharp, stroke(), eight_bit(blur(sharp, stroke(), "symmetric")))
    assert found.boundary is None
    assert "cannot be decided, replicate and symmetric and reflect and circular" in conclusions(found)[4]


def test_a_kernel_that_explains_nothing_is_named():
    sharp, other = photograph(), photograph(top=20, left=250)
    found = diagnose(sharp, stroke(), other)
    assert not found.is_explained
    assert conclusions(found)[0].startswith("The kernel does not explain the blur")


def test_several_images_of_one_kernel_are_judged_together():
    kernel, images = stroke(), [photograph(top=top) for top in (120, 180, 300)]
    blurry = [eight_bit(blur(image, kernel, "circular")) for image in images]
    found = diagnose_together(list(zip(images, blurry, strict=True)), [kernel.T])
    assert (found.orientation, found.boundary, len(found.shifts)) == ("transposed convolution", "circular", 3)


def test_each_image_may_have_a_kernel_of_its_own():
    sharp, kernels = photograph(), [stroke(), stroke().T.copy()]
    pairs = [(sharp, eight_bit(blur(sharp, kernel, "circular"))) for kernel in kernels]
    found = diagnose_together(pairs, [kernel[::-1, ::-1] for kernel in kernels])
    assert (found.orientation, found.boundary) == ("correlation", "circular")
    with pytest.raises(InputError, match="3 kernels for 2 images: give one for all, or one for each"):
        diagnose_together(pairs, [stroke()] * 3)


@pytest.mark.parametrize("orientation", ["convolution", "correlation"])
def test_the_energy_finds_the_orientation_without_sharp_images(orientation):
    images = [photograph(top=top) for top in (120, 180, 300)]
    blurry = [eight_bit(blur(image, stroke())) for image in images]
    found = energies(blurry, [FILES[orientation]])
    assert next(iter(found)) == orientation
    assert verdict_of(found).startswith(f"The kernel file is in the form: {orientation} (energy ")


@pytest.mark.parametrize(
    ("sharp", "kernel", "blurry", "message"),
    [
        (photograph(3), stroke(), photograph(1), "the sharp image has 3 channels, the blurry one 1"),
        (photograph(), stroke(), photograph(height=91), "is larger than the sharp one"),
        (photograph(height=40), stroke(), photograph(height=40), "leaves too little"),
        (photograph(), np.zeros((5, 5)), photograph(), "a kernel is"),
        (photograph(), stroke(), np.zeros((1, 90, 100)), "of one value does not show its blur"),
    ],
)
def test_what_cannot_be_judged_is_refused(sharp, kernel, blurry, message):
    with pytest.raises(InputError, match=message):
        diagnose(sharp, kernel, blurry)


def test_levins_kernels_four_and_eight_are_stored_the_other_way(mirror):
    folder = mirror / "data/levin"
    found = {}
    for number in range(1, 9):
        pairs = [
            tuple(
                read_image(folder / name).astype(np.float64)
                for name in (f"gt/im{image}.png", f"im{image}_kernel{number}_img.png")
            )
            for image in range(1, 5)
        ]
        kernel = read_image(folder / f"gt/kernel{number}.png")[0].astype(np.float64)
        found[number] = diagnose_together(pairs, [kernel])
        # With parts of a pixel even the short kernel 3, undecided by whole pixels, is clear.
        assert found[number].candidates[0].residual < 0.005
    orientations = {number: diagnosis.orientation for number, diagnosis in found.items()}
    assert orientations == {
        number: "convolution" if number in (4, 8) else "correlation" for number in range(1, 9)
    }
    assert {diagnosis.boundary for diagnosis in found.values()} == {"valid"}
    assert {diagnosis.light for diagnosis in found.values()} == {"stored values"}
    assert found[8].gain == pytest.approx(1.03, abs=0.01)
    assert found[2].shifts[1][1] == pytest.approx(4.8, abs=0.1)


def test_the_circular_files_of_lai_are_recognised(mirror):
    folder = mirror / "data/lai"
    for name, number in (("text_01", 3), ("saturated_03", 1)):
        found = diagnose(
            *(read_image(folder / path).astype(np.float64) for path in (f"ground_truth/{name}.png",)),
            read_image(folder / f"kernels/kernel_0{number}.png")[0].astype(np.float64),
            read_image(folder / f"blurry_circular/{name}_kernel_0{number}.png").astype(np.float64),
        )
        assert (found.orientation, found.light, found.boundary) == (
            "convolution",
            "stored values",
            "circular",
        )
        assert found.noise_kind == "the rounding to 8 bits alone"
        np.testing.assert_allclose(found.shifts, [(0, 0)], atol=0.01)


@pytest.mark.parametrize("side", [1, 3])
def test_a_kernel_of_one_entry_is_refused(side):
    kernel = np.zeros((side, side))
    kernel[side // 2, side // 2] = 1
    image = np.random.default_rng(0).random((1, 64, 64))
    with pytest.raises(InputError, match="a single entry above zero blurs nothing"):
        diagnose(image, kernel, image)
