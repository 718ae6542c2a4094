"""The protocols: reference numbers, and what they do where there is nothing to compare."""

import numpy as np
import pytest
import skimage.data
from skimage.metrics import structural_similarity
from skimage.transform import ProjectiveTransform, warp

from benchmark.core.colour import full_range_luma
from benchmark.core.errors import InputError
from benchmark.core.images import write_image
from benchmark.core.types import Observation, Restoration, Status, Truth
from benchmark.data.descriptors import dataset_names, find_dataset
from benchmark.runs.store import Store, write_restoration
from benchmark.scoring import ecc
from benchmark.scoring.alignment import intensity_gain
from benchmark.scoring.best_frame import best_frame
from benchmark.scoring.colour import studio_range_luma
from benchmark.scoring.metrics import METRICS, psnr, ssim_3d, ssim_masked
from benchmark.scoring.protocols import PROTOCOLS, find_protocol
from benchmark.scoring.scores import score_method


def unit(pixels):
    """8-bit (H, W) or (H, W, 3) as (C, H, W) in [0, 1]."""
    return np.atleast_3d(pixels).transpose(2, 0, 1).astype(np.float64) / 255


def photograph(height=90, width=100):
    return unit(skimage.data.astronaut()[:height, 150 : 150 + width])


def scores(protocol, estimate, references):
    """PSNR and SSIM by `protocol`, in the variants it means."""
    rules = PROTOCOLS[protocol]
    aligned = rules.align(estimate, references)
    masked = () if aligned.mask is None else (aligned.mask,)
    return [rules.metric(asked).function(aligned.estimate, aligned.reference, *masked)
            for asked in ("psnr", "ssim")]  # fmt: skip


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_protocol_gives_a_perfect_restoration_perfect_scores(protocol, channels):
    image = np.random.default_rng(0).random((channels, 48, 52))
    psnr_value, ssim_value = scores(protocol, image, [image])
    # A registration ends a rounding error away from the identity.
    assert psnr_value > 250 if protocol == "realblur-ecc" else psnr_value == float("inf")
    assert ssim_value == pytest.approx(1, abs=1e-12)


def test_the_variants_of_each_protocol():
    chosen = {
        "plain": ["psnr", "ssim", "lpips-alex"],
        "shift-rgb": ["psnr", "ssim", "lpips-alex"],
        "levin-shift": ["psnr", "ssim-wang", "lpips-alex"],
        "lai-shift-luma": ["psnr", "ssim-wang", "lpips-alex"],
        "gopro": ["psnr", "ssim-3d", "lpips-alex"],
        "realblur-ecc": ["psnr-masked", "ssim-masked", "lpips-alex"],
        "koehler": ["psnr", "ssim", "lpips-alex"],
    }
    for protocol, metrics in chosen.items():
        names = [PROTOCOLS[protocol].metric(name).name for name in ("psnr", "ssim", "lpips")]
        assert names == metrics, protocol


def test_every_dataset_names_a_protocol():
    for name in dataset_names():
        find_protocol(find_dataset(name).content["protocol"])
    with pytest.raises(InputError, match=r"unknown protocol 'plian'\. Did you mean 'plain'\?"):
        find_protocol("plian")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_images_of_different_sizes_have_no_value(protocol):
    with pytest.raises(InputError, match="the restored image is"):
        PROTOCOLS[protocol].align(photograph(80, 90), [photograph(80, 91)])


@pytest.mark.parametrize("protocol", [name for name in PROTOCOLS if name != "koehler"])
def test_several_frames_are_for_the_protocol_of_frames(protocol):
    with pytest.raises(InputError, match="one sharp image is needed, not 2 frames; use protocol koehler"):
        PROTOCOLS[protocol].align(photograph(), [photograph()] * 2)


def test_studio_range_luma_and_its_scores_match_the_reference(fixture):
    arrays = fixture("dip_eval")
    estimate, reference = (unit(arrays[f"color/{key}"]) for key in ("est", "gt"))
    for image, key in ((estimate, "y_est"), (reference, "y_gt")):
        np.testing.assert_allclose(studio_range_luma(image)[0], arrays[f"color/{key}"], rtol=0, atol=1e-12)
    aligned = PROTOCOLS["lai-shift-luma"].align(estimate, [reference])
    assert aligned.shift == (arrays["color/shift_y"], arrays["color/shift_x"])
    values = scores("lai-shift-luma", estimate, [reference])
    assert values[0] == pytest.approx(arrays["color/psnr"], abs=1e-7)
    assert values[1] == pytest.approx(arrays["color/ssim"], abs=1e-10)
    # The result of a method that was given the luma alone.
    assert scores("lai-shift-luma", studio_range_luma(estimate), [reference]) == values


def test_studio_range_raises_psnr_by_its_ratio():
    reference = np.random.default_rng(0).random((3, 40, 40))
    estimate = reference + 0.01 * np.random.default_rng(1).standard_normal(reference.shape)
    full, studio = (psnr(luma(estimate), luma(reference)) for luma in (full_range_luma, studio_range_luma))
    # The printed coefficients of the two differ in the fourth digit.
    assert studio - full == pytest.approx(20 * np.log10(255 / 219), abs=1e-3)


def test_gopro_scores_match_the_reference(fixture):
    arrays = fixture("ufpnet_losses_metrics")
    estimate, reference = (unit(arrays[f"img_{key}_u8"]) for key in ("pred", "gt"))
    values = scores("gopro", estimate, [reference])
    assert values[0] == pytest.approx(arrays["psnr_rgb_u8"], abs=1e-10)
    assert values[1] == pytest.approx(0.95690990, abs=5e-9)  # in float64, as printed
    assert values[1] == pytest.approx(arrays["ssim_3d"], abs=1e-5)  # the reference's float32


def test_three_dimensional_ssim_of_a_grey_image_is_the_plane_one_with_continued_edges():
    rng = np.random.default_rng(0)
    reference = rng.random((1, 30, 34))
    estimate = np.clip(reference + 0.1 * rng.random(reference.shape), 0, 1)
    padded = [np.pad(image[0], 5, mode="edge") for image in (reference, estimate)]
    plane = structural_similarity(
        *padded, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1
    )  # leaves out the borders that the padding added
    assert ssim_3d(estimate, reference) == pytest.approx(plane, abs=1e-12)
    repeated = ssim_3d(np.repeat(estimate, 3, 0), np.repeat(reference, 3, 0))
    assert ssim_3d(estimate, reference) == pytest.approx(repeated, abs=1e-12)


def corners(homography, shape):
    height, width = shape
    points = np.array([[0, 0, 1], [width - 1, 0, 1], [0, height - 1, 1], [width - 1, height - 1, 1]]).T
    mapped = homography @ points
    return mapped[:2] / mapped[2]


@pytest.mark.parametrize("pair", ["shift_gain", "homography_gain"])
def test_registration_and_masked_scores_match_the_reference(fixture, pair):
    arrays = fixture("ufpnet_realblur")
    estimate, reference = unit(arrays[f"{pair}/pred_u8"]), unit(arrays["gt_u8"])
    gain = intensity_gain(estimate, reference)
    assert gain == pytest.approx(arrays[f"{pair}/gain_est"], rel=1e-4)  # the reference's float32
    homography = ecc.homography(full_range_luma(gain * estimate)[0], full_range_luma(reference)[0])
    aligned = ecc.registered(estimate, reference)
    psnr_value, ssim_value = scores("realblur-ecc", estimate, [reference])
    # Tolerances of two versions of OpenCV: the older one interpolates in fixed point.
    for suffix, pixels, decibels, similarity in (("", 0.05, 0.05, 5e-4), ("_opencv5", 0.0025, 0.001, 5e-6)):
        offset = corners(homography, (150, 190)) - corners(arrays[f"{pair}/warp{suffix}"], (150, 190))
        assert np.abs(offset).max() < pixels
        assert psnr_value == pytest.approx(arrays[f"{pair}/psnr{suffix}"], abs=decibels)
        assert ssim_value == pytest.approx(arrays[f"{pair}/ssim{suffix}"], abs=similarity)
    both = aligned.mask & (arrays[f"{pair}/mask"] == 1)
    assert (aligned.mask != arrays[f"{pair}/mask"]).sum() <= 3
    expected = arrays[f"{pair}/aligned"].transpose(2, 0, 1)
    np.testing.assert_allclose(aligned.estimate[:, both], expected[:, both], rtol=0, atol=0.01)  # float16


def test_registration_undoes_a_homography_and_a_gain():
    reference = photograph(120, 140)
    distortion = ProjectiveTransform(np.array([[1.003, 0.002, -2.2], [-0.001, 0.998, 1.6], [1e-5, -2e-5, 1]]))
    estimate = 0.9 * np.stack([warp(channel, distortion, order=3, mode="edge") for channel in reference])
    aligned = ecc.registered(estimate, reference)
    found = ecc.homography(full_range_luma(estimate / 0.9)[0], full_range_luma(reference)[0])
    true = corners(np.linalg.inv(distortion.params), (120, 140))
    assert np.abs(corners(found, (120, 140)) - true).max() < 0.05
    assert 0.95 < aligned.mask.mean() < 1
    assert (aligned.estimate[:, ~aligned.mask] == 0).all()
    assert (aligned.reference[:, ~aligned.mask] == 0).all()
    unaligned = psnr(estimate, reference)
    assert METRICS["psnr-masked"].function(aligned.estimate, aligned.reference, aligned.mask) > unaligned + 12


@pytest.mark.parametrize(
    ("estimate", "message"),
    [
        (np.zeros((3, 90, 100)), "the restored image is black"),
        (np.full((3, 90, 100), 0.5), "registration failed: the restored image"),
        (1 - photograph(), "does not correlate with the sharp one"),
    ],
)
def test_a_registration_that_fails_gives_no_value(estimate, message):
    with pytest.raises(InputError, match=message):
        PROTOCOLS["realblur-ecc"].align(estimate, [photograph()])


def test_masked_scores_leave_the_rest_out():
    reference = photograph(40, 44)
    mask = np.zeros((40, 44), dtype=bool)
    mask[8:30, 9:35] = True
    noisy = reference + 0.1 * np.random.default_rng(0).standard_normal(reference.shape)
    elsewhere = np.where(mask, reference, noisy)
    assert METRICS["psnr-masked"].function(elsewhere, reference, mask) == float("inf")
    inside = np.where(mask, noisy, reference)
    expected = psnr(noisy[:, 8:30, 9:35], reference[:, 8:30, 9:35])
    assert METRICS["psnr-masked"].function(inside, reference, mask) == pytest.approx(expected, abs=1e-10)
    everywhere = np.ones((40, 44), dtype=bool)
    assert ssim_masked(noisy, reference, everywhere) == pytest.approx(
        METRICS["ssim"].function(noisy, reference), abs=1e-12
    )
    with pytest.raises(InputError, match="no pixel is left"):
        METRICS["psnr-masked"].function(noisy, reference, ~everywhere)


def frames_along_a_trajectory(count, height=100, width=110):
    """Sharp frames that drift and turn, and the one in the middle."""
    scene = unit(skimage.data.astronaut())
    frames = []
    for index in range(count):
        turned = ProjectiveTransform(
            np.array(
                [[1, 0.002 * index, 150 + 0.7 * index], [-0.002 * index, 1, 60 - 0.4 * index], [0, 0, 1]]
            )
        )
        frames.append(
            np.stack([warp(channel, turned, order=3, output_shape=(height, width)) for channel in scene])
        )
    return frames, frames[count // 2]


def exhaustive(estimate, frame, reach):
    """Least squared error over whole-pixel moves, of the luma where both are, by the definition."""
    scaled = full_range_luma(intensity_gain(estimate, frame) * estimate)
    height, width = frame.shape[1:]
    errors = {}
    for y in range(-reach, reach + 1):
        for x in range(-reach, reach + 1):
            here = np.s_[:, max(0, y) : height + min(0, y), max(0, x) : width + min(0, x)]
            there = np.s_[:, max(0, -y) : height + min(0, -y), max(0, -x) : width + min(0, -x)]
            errors[y, x] = ((scaled[there] - full_range_luma(frame)[here]) ** 2).sum()
    move = min(errors, key=errors.get)
    return errors[move], (-move[0], -move[1])


def test_the_best_frame_and_its_shift_are_those_of_an_exhaustive_search():
    frames, middle = frames_along_a_trajectory(7)
    estimate = 0.85 * np.roll(middle, (4, -3), axis=(1, 2))
    estimate += 0.01 * np.random.default_rng(0).standard_normal(estimate.shape)
    aligned = best_frame(estimate, iter(frames))
    found = [exhaustive(estimate, frame, 6) for frame in frames]
    assert aligned.frame == int(np.argmin([error for error, _ in found])) == 3
    error, shift = found[3]
    assert aligned.shift == shift == (4, -3)
    assert ((aligned.estimate - aligned.reference) ** 2).sum() == pytest.approx(error, rel=1e-9)
    # What the move leaves empty is zero in both and counts.
    assert (aligned.reference[:, -4:] == 0).all()
    assert (aligned.reference[:, :, :3] == 0).all()
    assert aligned.estimate.shape == (1, 100, 110)


def test_a_frame_that_is_moved_and_dimmed_scores_as_itself_where_it_is_seen():
    _, frame = frames_along_a_trajectory(1)
    scene = np.pad(frame, ((0, 0), (5, 0), (0, 0)))
    dimmed = 0.5 * scene[:, : frame.shape[1]]  # 5 px further down, black above
    aligned = best_frame(dimmed, [frame])
    assert aligned.shift == (5, 0)
    gain = intensity_gain(dimmed, frame)  # fitted before the move, so not exactly 2
    visible = full_range_luma(frame)[:, :-5]
    np.testing.assert_allclose(aligned.estimate[:, :-5], 0.5 * gain * visible, atol=1e-12)
    np.testing.assert_array_equal(aligned.reference[:, :-5], visible)


def test_best_frame_refuses_what_has_no_answer():
    with pytest.raises(InputError, match="there is no sharp frame"):
        best_frame(photograph(), [])
    with pytest.raises(InputError, match="the restored image is black"):
        best_frame(np.zeros((3, 90, 100)), [photograph()])


@pytest.fixture
def restored(tmp_path):
    """`restored(image, truth)` is a results folder with one restoration of one case."""

    def make(image, truth):
        store = Store(tmp_path / "results")
        store.write_observation(Observation("set", "one", image, None), truth)
        folder = store.case_folder("set", "method", 0, "one")
        folder.mkdir(parents=True, exist_ok=True)
        write_restoration(folder, Restoration(Status.OK, image=image), {})
        return store

    return make


def score_table(store, protocol, metrics):
    frame = score_method(store, "set", "method", ["one"], seed=0, protocol=protocol, metrics=metrics)
    return frame.set_index("metric")


def test_masked_metrics_and_reasons_reach_the_table(restored):
    sharp = photograph().astype(np.float32)
    table = score_table(restored(sharp, Truth("g", sharp)), "realblur-ecc", ["psnr", "ssim"])
    assert table.value["psnr-masked"] > 100
    assert table.value["ssim-masked"] == pytest.approx(1, abs=1e-6)
    table = score_table(restored(1 - sharp, Truth("g", sharp)), "realblur-ecc", ["psnr", "ssim"])
    assert table.value.isna().all()
    assert table.note.str.startswith("registration failed").all()


def test_frames_are_read_from_their_files(restored, tmp_path):
    frames, middle = frames_along_a_trajectory(3)
    paths = tuple(tmp_path / f"{index}.png" for index in range(3))
    for path, frame in zip(paths, frames, strict=True):
        write_image(path, frame.astype(np.float32))
    store = restored(middle.astype(np.float32), Truth("g"))
    assert score_table(store, "koehler", ["psnr"]).note.psnr == "no sharp image exists"
    store = restored(middle.astype(np.float32), Truth("g", frames=paths))
    table = score_table(store, "koehler", ["psnr", "ssim"])
    assert table.value.psnr == float("inf")
    assert table.value.ssim == 1
    assert "use protocol koehler" in score_table(store, "plain", ["psnr"]).note.psnr
