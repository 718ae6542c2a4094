import numpy as np
import pytest

from benchmark.blur.noise import (
    NOISES,
    Gaussian,
    Impulse,
    Jpeg,
    OneOf,
    Rounding,
    Saturation,
    Shot,
    Uniform,
    add_noise,
)
from benchmark.core.errors import InputError

KINDS = {
    "gauss": ("gauss_sigma", Gaussian, 20_000),
    "shot": ("shot_eta", Shot, 20_000),
    # Rare events: fewer samples would leave the variance uncertain by more than its tolerance.
    "impulse": ("impulse_p", Impulse, 400_000),
}


@pytest.mark.parametrize("kind", KINDS)
def test_mean_and_variance_of_every_level_match_the_reference(fixture, kind):
    arrays = fixture("robust_noise")
    parameters, make, samples = KINDS[kind]
    rng = np.random.default_rng(0)
    for row, parameter in enumerate(arrays[parameters]):
        noise = make(float(parameter))
        for column, level in enumerate(arrays["levels"]):
            image = np.full((1, 1, samples), level)
            variants = {"": add_noise(image.astype(np.float32), noise, rng)}
            if kind != "impulse":
                variants = {"clip_": variants[""], "noclip_": noise.apply(image, rng)}
            for variant, noisy in variants.items():
                mean = arrays[f"{kind}_levels_{variant}mean"][row, column]
                variance = arrays[f"{kind}_levels_{variant}var"][row, column]
                rounding = 1e-7  # of float32
                tolerance = 5 * np.sqrt(variance / samples) + rounding
                assert noisy.mean(dtype=np.float64) == pytest.approx(mean, abs=tolerance)
                if variance >= 1e-12:
                    assert noisy.var(dtype=np.float64) == pytest.approx(variance, rel=0.1)


@pytest.mark.parametrize(
    ("noise", "decibel"),
    [
        (Gaussian(0.05), 26.0),
        (Shot(25), 17.0),
        (Shot(40), 19.0),
        (Impulse(0.05), 17.8),
        (Impulse(0.08), 15.7),
    ],
)
def test_noise_alone_has_the_psnr_of_its_formula_before_clipping(noise, decibel):
    rng = np.random.default_rng(0)
    image = rng.random((3, 300, 300))
    error = np.mean((noise.apply(image, rng) - image) ** 2)
    assert -10 * np.log10(error) == pytest.approx(decibel, abs=0.1)


def test_saturation_matches_both_references(fixture):
    for name, before, after in (
        ("glkm_noise_saturate", "rgb", "out"),
        ("robust_noise", "sat_rgb_in", "sat_rgb_out"),
    ):
        arrays = fixture(name)
        ours = Saturation().saturated(np.moveaxis(arrays[before], -1, 0))
        np.testing.assert_allclose(np.moveaxis(ours, 0, -1), arrays[after], rtol=0, atol=1e-9)


def test_saturation_adds_its_gaussian_noise():
    image = np.broadcast_to(np.array([0.5, 0.4, 0.3])[:, None, None], (3, 100, 100))
    saturation = Saturation(sigma=0.01)
    noise = saturation.apply(image, np.random.default_rng(0)) - saturation.saturated(image)
    assert noise.std() == pytest.approx(0.01, rel=0.03)


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_loses_more_at_lower_quality_and_rounds_to_8_bits(channels):
    rows, columns = np.meshgrid(np.linspace(0, 9, 64), np.linspace(0, 5, 64), indexing="ij")
    image = np.stack([0.5 + 0.4 * np.sin(rows + k) * np.cos(columns) for k in range(channels)])
    losses = []
    for quality in (95, 50, 5):
        saved = Jpeg(quality).apply(image, np.random.default_rng(0))
        assert saved.shape == image.shape
        np.testing.assert_allclose(255 * saved, np.round(255 * saved), rtol=0, atol=1e-9)
        losses.append(np.square(saved - image).mean())
    assert 0 < losses[0] < losses[1] < losses[2] < 0.01


@pytest.mark.parametrize("quality", [0, 96, 50.0, True])
def test_a_jpeg_quality_that_cannot_be_is_refused(quality):
    with pytest.raises(InputError, match="quality must be a whole number from 1 to 95"):
        Jpeg(quality)


def test_a_grey_image_has_no_colour_saturation():
    grey = np.full((1, 4, 4), 0.5, np.float32)
    with pytest.raises(InputError, match="needs a colour image"):
        add_noise(grey, Saturation(), np.random.default_rng(0))


def test_uniform_noise_brightens_by_half_its_width():
    image = np.full((1, 200, 200), 0.5)
    noise = Uniform(0.01).apply(image, np.random.default_rng(0)) - image
    assert noise.min() >= 0
    assert noise.max() <= 0.01
    assert noise.mean() == pytest.approx(0.005, rel=0.01)
    assert noise.std() == pytest.approx(0.01 / np.sqrt(12), rel=0.01)


def test_impulses_strike_channels_alone_or_whole_pixels():
    image = np.full((3, 100, 100), 0.5)
    rng = np.random.default_rng(0)
    alone = Impulse(0.1).apply(image, rng) != 0.5
    together = Impulse(0.1, per_pixel=True).apply(image, rng) != 0.5
    assert alone.mean() == pytest.approx(0.1, rel=0.1)
    assert together.mean() == pytest.approx(0.1, rel=0.1)
    assert alone.any(0).mean() == pytest.approx(1 - 0.9**3, rel=0.1)
    assert (together.any(0) == together.all(0)).all()


@pytest.mark.parametrize(
    "noise",
    [Gaussian(0.5), Shot(3), Impulse(0.5), Uniform(0.9), Saturation(sigma=0.5)],
    ids=lambda noise: noise.kind,
)
def test_every_kind_gives_an_image(noise):
    image = np.random.default_rng(0).random((3, 20, 30)).astype(np.float32)
    before = image.copy()
    noisy = add_noise(image, noise, np.random.default_rng(1))
    assert noisy.dtype == np.float32
    assert noisy.shape == image.shape
    assert noisy.min() >= 0
    assert noisy.max() <= 1
    assert (noisy != image).any()
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(noisy, add_noise(image, noise, np.random.default_rng(1)))


def test_rounding_keeps_the_256_levels_of_a_file():
    image = np.array([[[0.0, 0.4 / 255, 0.6 / 255, 1.2]]])
    np.testing.assert_allclose(Rounding().apply(image, np.random.default_rng(0)), [[[0, 0, 1 / 255, 1]]])


def test_one_of_several_kinds_needs_some():
    with pytest.raises(InputError, match="of must name at least one kind of noise"):
        OneOf(())


def test_kinds_are_found_by_their_names():
    assert list(NOISES) == ["gaussian", "shot", "impulse", "uniform", "saturation", "jpeg", "rounding"]
    assert NOISES["gaussian"](sigma=0.05) == Gaussian(0.05)


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        ("gaussian", {"sigma": -0.1}, "sigma must be a number, 0 or more, not -0.1"),
        ("gaussian", {"sigma": float("nan")}, "sigma must be"),
        ("gaussian", {"sigma": "high"}, "sigma must be a number, 0 or more, not 'high'"),
        ("gaussian", {"sigma": True}, "sigma must be"),
        ("shot", {"eta": 0}, "eta must be a number, positive, not 0"),
        ("impulse", {"probability": 1.5}, "probability must be a number, 0 or more, at most 1, not 1.5"),
        ("impulse", {"probability": 0.1, "per_pixel": "yes"}, "per_pixel must be true or false"),
        ("uniform", {"width": -1}, "width must be"),
        ("saturation", {"offset": 2}, "offset must be"),
        ("saturation", {"scale": -1}, "scale must be"),
    ],
)
def test_wrong_parameters_are_named(kind, parameters, message):
    with pytest.raises(InputError, match=message):
        NOISES[kind](**parameters)
