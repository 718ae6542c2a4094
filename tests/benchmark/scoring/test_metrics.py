"""The metrics by pyiqa: calibrated values, weights that are missing or damaged, images that have no value."""

import csv
import math
import shutil
import socket
import subprocess
import sys

import numpy as np
import pytest
import skimage.data

from benchmark.core.types import InputError
from benchmark.data.images import read_image
from benchmark.scoring import iqa
from benchmark.scoring.metrics import METRICS, variants
from benchmark.scoring.protocols import PROTOCOLS
from tests.conftest import ROOT

# What the last digits may differ by between machines: LPIPS, NIQE, BRISQUE and PIQE sum in float32, take
# thresholds and invert matrices. PSNR and SSIM are in float64, but the table has four digits and its PSNR
# adds 1e-8 to the squared error.
TOLERANCES = {
    "psnr": 1e-4, "ssim-pyiqa": 1e-4, "lpips-alex": 5e-4, "niqe": 0.02, "brisque": 0.05, "piqe": 0.02,
}  # fmt: skip
COLUMNS = {"ssim-pyiqa": "ssim", "lpips-alex": "lpips"}
NEED_WEIGHTS = ["lpips-alex", "niqe", "brisque"]


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def weights(monkeypatch, mirror):
    """The mirror's weights are in use; a test of them is skipped where they are not."""
    monkeypatch.setenv("TORCH_HOME", "restored when the test is over")
    monkeypatch.setenv("BLINDBENCH_MIRROR", str(mirror))
    if any(METRICS[name].missing_weights for name in NEED_WEIGHTS):
        pytest.skip("no weights here: BLINDBENCH_MIRROR has no complete weights/torch_home")


@pytest.fixture
def torch_home(monkeypatch, tmp_path):
    """An empty folder, in which weights are looked for."""
    monkeypatch.delenv("BLINDBENCH_MIRROR", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path


def picture(height, width, channels=1):
    crop = skimage.data.astronaut()[:height, 100 : 100 + width]
    return crop.transpose(2, 0, 1)[:channels].astype(np.float64) / 255


def calibration_image(mirror, name):
    if name.startswith("scikit-image:"):
        pixels = getattr(skimage.data, name.partition(":")[2])()
        return (pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)).astype(np.float64) / 255
    return read_image(mirror / "data" / name).astype(np.float64)


def seen(name, estimate, reference):
    """What the image metric `name` is a function of; all pixels count."""
    everywhere = np.ones(reference.shape[1:], dtype=bool)
    return {
        "pair": (estimate, reference),
        "masked": (estimate, reference, everywhere),
        "image": (estimate,),
    }[METRICS[name].inputs]


def test_every_metric_has_the_calibrated_values(mirror, weights):
    with (mirror / "data/metric_calibration/expected_values.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 14
    for row in rows:
        estimate = calibration_image(mirror, row["image"])
        for name, tolerance in TOLERANCES.items():
            expected = row[COLUMNS.get(name, name)]
            if not expected:
                continue
            images = [estimate]
            if METRICS[name].inputs == "pair":
                images.append(calibration_image(mirror, row["reference"]))
            value = METRICS[name].function(*images)
            assert value == pytest.approx(float(expected), abs=tolerance), (row["image"], name)


def test_vif_is_the_wavelet_one_and_not_symmetric(fixture):
    arrays = fixture("robust_vif")
    vif = METRICS["vif"].function
    images = {name: arrays[name][None] / 255 for name in arrays["names"]}
    for name, expected in zip(arrays["names"], arrays["vif_full_steerable"], strict=True):
        assert vif(images[name], images["ref"]) == pytest.approx(expected, abs=2e-3)  # in float32
    assert vif(images["ref"], images["blur"]) != pytest.approx(vif(images["blur"], images["ref"]), abs=0.05)


def test_the_published_order_holds_for_a_perfect_and_a_blurred_image(weights):
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415

    sharp = picture(128, 128, 3)
    blurred = gaussian_filter(sharp, (0, 2, 2))
    for metric in METRICS.values():
        if metric.inputs in ("kernels", "blur", "field"):
            continue
        good, bad = (metric.function(*seen(metric.name, image, sharp)) for image in (sharp, blurred))
        assert (good < bad) == metric.lower_is_better, metric.name


def test_a_perfect_image_has_the_ideal_value_of_each_full_reference_metric(weights):
    ideal = {
        **{
            "psnr": math.inf,
            "ssim": 1,
            "ssim-wang": 1,
            "ssim-3d": 1,
            "psnr-masked": math.inf,
            "ssim-masked": 1,
        },
        **{"ssim-pyiqa": 1, "lpips-alex": 0, "vif": 1},
    }
    sharp = picture(64, 72, 3)
    for name, value in ideal.items():
        # VIF inverts covariances in float32.
        assert METRICS[name].function(*seen(name, sharp, sharp)) == pytest.approx(
            value, abs=1e-4 if name == "vif" else 0
        )


@pytest.mark.parametrize("name", ["ssim-pyiqa", "vif", "piqe", "niqe", "brisque", "lpips-alex"])
def test_a_grey_image_scores_as_its_three_equal_channels(name, request):
    if name in NEED_WEIGHTS:
        request.getfixturevalue("weights")
    grey = picture(100, 110)
    noisy = np.clip(grey + 0.05 * np.random.default_rng(0).standard_normal(grey.shape), 0, 1)
    function = METRICS[name].function
    images = seen(name, noisy, grey)
    assert function(*images) == function(*(np.repeat(image, 3, axis=0) for image in images))


@pytest.mark.parametrize(
    ("name", "smallest"),
    [("ssim-pyiqa", 11), ("lpips-alex", 31), ("vif", 33), ("niqe", 96), ("brisque", 14), ("piqe", 16)],
)
def test_images_below_the_smallest_size_have_no_value_and_those_of_it_do(name, smallest, request):
    if name in NEED_WEIGHTS:
        request.getfixturevalue("weights")
    metric = METRICS[name]
    for height, width in ((smallest - 1, 2 * smallest), (2 * smallest, smallest - 1)):
        with pytest.raises(InputError, match=f"{name} needs at least {smallest} px a side, {height} x"):
            metric.function(*seen(name, picture(height, width), picture(height, width)))
    image = picture(smallest, smallest)
    assert math.isfinite(metric.function(*seen(name, image, image)))


@pytest.mark.parametrize("name", ["niqe", "brisque", "piqe"])
def test_a_black_image_has_no_value(name, request):
    if name in NEED_WEIGHTS:
        request.getfixturevalue("weights")
    with pytest.raises(InputError, match=f"{name} has no value for an image without structure"):
        METRICS[name].function(np.zeros((3, 100, 100)))


@pytest.mark.parametrize("name", NEED_WEIGHTS)
def test_missing_weights_are_named_and_nothing_is_fetched(name, torch_home):
    images = seen(name, picture(100, 100), picture(100, 100))
    with pytest.raises(InputError) as caught:
        METRICS[name].function(*images)
    message = str(caught.value)
    assert message.startswith(f"weights of {name} not found: set BLINDBENCH_MIRROR, or put hub/pyiqa/")
    assert str(torch_home) not in message
    assert not list(torch_home.iterdir())


def test_a_mirror_without_weights_leaves_the_users_own_in_use(torch_home, monkeypatch, tmp_path):
    monkeypatch.setenv("BLINDBENCH_MIRROR", str(tmp_path / "mirror"))
    assert iqa.hub_folder() == torch_home / "hub"
    (tmp_path / "mirror/weights/torch_home").mkdir(parents=True)
    assert iqa.hub_folder() == tmp_path / "mirror/weights/torch_home/hub"


def place(torch_home, name, content=b"hello"):
    for file in METRICS[name].weights:
        path = torch_home / "hub" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@pytest.mark.parametrize("name", NEED_WEIGHTS)
@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 cut short"])
def test_damaged_weights_are_named(name, content, torch_home):
    place(torch_home, name, content)
    assert not METRICS[name].missing_weights
    images = seen(name, picture(100, 100), picture(100, 100))
    with pytest.raises(InputError, match=f"weights of {name} cannot be read: get hub/pyiqa/"):
        METRICS[name].function(*images)


class Attack:
    def __reduce__(self):
        return print, ("code in a weight file ran",)


@pytest.mark.parametrize("name", ["lpips-alex", "brisque"])
def test_weights_that_hold_code_are_refused(name, torch_home, capfd):
    import torch  # noqa: PLC0415

    place(torch_home, name)
    for file in METRICS[name].weights:
        torch.save(Attack(), torch_home / "hub" / file)
    with pytest.raises(InputError, match=f"weights of {name} cannot be read"):
        METRICS[name].function(*seen(name, picture(100, 100), picture(100, 100)))
    assert "code in a weight file ran" not in capfd.readouterr().out


def test_weights_in_the_users_own_folder_are_found(mirror, weights, torch_home):
    source = mirror / "weights/torch_home/hub/pyiqa/brisque_svm_weights.pth"
    place(torch_home, "brisque")
    shutil.copy(source, torch_home / "hub/pyiqa")
    own = METRICS["brisque"].function(picture(100, 100))
    assert math.isfinite(own)


def test_every_metric_is_chosen_by_some_protocol_under_its_name_in_configs():
    names = {metric.config_name or metric.name for metric in METRICS.values()}
    chosen = {protocol.metric(name).name for protocol in PROTOCOLS.values() for name in names}
    assert chosen == set(METRICS)
    assert [metric.name for metric in variants("ssim")] == ["ssim", "ssim-wang", "ssim-3d", "ssim-masked"]
    with pytest.raises(InputError, match=r"unknown metric 'nique'\. Did you mean 'niqe'"):
        PROTOCOLS["plain"].metric("nique")


def test_pyiqa_is_loaded_only_when_it_scores():
    code = "import sys, benchmark.scoring.scores, benchmark.planning.plan; print('pyiqa' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
