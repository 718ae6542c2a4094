"""The metrics by libraries: calibrated values, missing or damaged weights, images without a value."""

import csv
import hashlib
import math
import socket
import subprocess
import sys

import numpy as np
import pytest
import skimage.data
import torch
from torchvision.models import alexnet

from benchmark.core.errors import InputError
from benchmark.core.images import read_image
from benchmark.data.sources import find_source
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
# pyiqa 0.1.16 on pictures of scikit-image, with the authors' files where it looks for them.
FRESH = {
    "astronaut": {"niqe": 3.0624, "brisque": 2.8773, "piqe": 33.7586},
    # Without PIQE: a block of it lies at a threshold, on whose sides processors come out differently.
    "coffee": {"niqe": 4.0616, "brisque": 30.0628},
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def weights(monkeypatch, mirror):
    """The mirror's weights are in use; a test of them is skipped where they are not."""
    monkeypatch.setenv("BLINDBENCH_MIRROR", str(mirror))
    if METRICS["lpips-alex"].missing_weights:
        pytest.skip("no weights here: BLINDBENCH_MIRROR has no weights/torch_home")


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """An empty folder, the only one in which weights are looked for: in the places below it."""
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv("BLINDBENCH_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(iqa, "data_folder", lambda: tmp_path / "datasets")
    return tmp_path


PLACES = ["mirror/weights/torch_home/hub/checkpoints", "datasets/metric-weights", "home/hub/checkpoints"]


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
        if metric.inputs in ("kernels", "kernel", "blur", "field"):
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
    if METRICS[name].weights:
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
    if METRICS[name].weights:
        request.getfixturevalue("weights")
    metric = METRICS[name]
    for height, width in ((smallest - 1, 2 * smallest), (2 * smallest, smallest - 1)):
        with pytest.raises(InputError, match=f"{name} needs at least {smallest} px a side, {height} x"):
            metric.function(*seen(name, picture(height, width), picture(height, width)))
    image = picture(smallest, smallest)
    assert math.isfinite(metric.function(*seen(name, image, image)))


@pytest.mark.parametrize("name", ["niqe", "brisque", "piqe"])
def test_a_black_image_has_no_value(name):
    with pytest.raises(InputError, match=f"{name} has no value for an image without structure"):
        METRICS[name].function(np.zeros((3, 100, 100)))


@pytest.mark.parametrize("picture_name", FRESH)
def test_a_fresh_machine_has_the_values_of_the_metrics_without_reference(picture_name, folder):
    pixels = getattr(skimage.data, picture_name)().transpose(2, 0, 1).astype(np.float64) / 255
    for name, expected in FRESH[picture_name].items():
        assert not METRICS[name].missing_weights
        assert METRICS[name].function(pixels) == pytest.approx(expected, abs=TOLERANCES[name])


def test_the_shipped_parameters_are_the_authors(mirror):
    said = (iqa.PARAMETERS / "README.md").read_text()
    assert hashlib.sha256((iqa.PARAMETERS / "niqe.mat").read_bytes()).hexdigest() in said
    source = mirror / "weights/live_brisque/allmodel"
    if not source.is_file():
        pytest.skip("BLINDBENCH_MIRROR has no weights/live_brisque")
    assert hashlib.sha256(source.read_bytes()).hexdigest() in said
    rows = [line.split() for line in source.read_text().partition("SV\n")[2].splitlines()]
    with np.load(iqa.PARAMETERS / "brisque.npz") as shipped:
        assert shipped["coefficients"].tolist() == [float(np.float32(row[0])) for row in rows]
        for (_, *pairs), vector in zip(rows, shipped["support_vectors"], strict=True):
            expected = np.zeros(36, np.float32)
            for index, value in (pair.split(":") for pair in pairs):
                expected[int(index) - 1] = value
            assert np.array_equal(vector, expected)


def test_the_notice_of_the_parameters_is_complete():
    notice = (iqa.PARAMETERS / "NOTICE.txt").read_text()
    assert notice.count("COPYRIGHT NOTICE STARTS") == notice.count("COPYRIGHT NOTICE ENDS") == 2
    assert "scoring/parameters/NOTICE.txt" in (ROOT / "README.md").read_text()


def test_missing_weights_are_named_and_nothing_is_fetched(folder):
    images = seen("lpips-alex", picture(100, 100), picture(100, 100))
    with pytest.raises(InputError) as caught:
        METRICS["lpips-alex"].function(*images)
    advice = "blindbench download metric-weights --accept-terms"
    assert str(caught.value) == f"weights of lpips-alex not found: {advice}"
    assert [path.name for path in folder.rglob("*")] == ["mirror"]


def place(folder, content=b"hello"):
    path = folder / iqa.ALEXNET
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_weights_are_found_in_the_mirror_then_where_they_are_downloaded_to_then_in_torchs_folder(folder):
    for name in reversed(PLACES):
        place(folder / name)
        assert iqa.find_weights(iqa.ALEXNET) == folder / name / iqa.ALEXNET
    assert not METRICS["lpips-alex"].missing_weights


def test_the_source_of_the_weights_has_the_file_and_its_checksum():
    (archive,) = find_source(iqa.SOURCE).archives
    assert archive.file == iqa.ALEXNET
    assert archive.url.endswith(f"/{iqa.ALEXNET}")
    # Torchvision names its files by the first digits.
    assert archive.checksum.startswith("sha256:" + iqa.ALEXNET.removesuffix(".pth").rpartition("-")[2])


def test_lpips_stands_on_the_weights_that_are_found(folder):
    """Any weights will do to see which ones are taken: torchvision's file has these names."""
    torch.manual_seed(0)
    (folder / PLACES[1]).mkdir(parents=True)
    weights = {f"features.{key}": value for key, value in alexnet().features.state_dict().items()}
    torch.save(weights, folder / PLACES[1] / iqa.ALEXNET)
    sharp, other = picture(64, 64, 3), picture(64, 64, 3)[:, ::-1]
    values = [METRICS["lpips-alex"].function(*pair) for pair in ((sharp, sharp), (other, sharp))]
    assert values[0] == 0 < values[1]

    (folder / PLACES[0]).mkdir(parents=True)
    torch.save({key: 2 * value for key, value in weights.items()}, folder / PLACES[0] / iqa.ALEXNET)
    assert METRICS["lpips-alex"].function(other, sharp) != values[1]


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 cut short"])
def test_damaged_weights_are_named(content, folder):
    place(folder / PLACES[1], content)
    images = seen("lpips-alex", picture(100, 100), picture(100, 100))
    with pytest.raises(InputError, match=rf"weights of lpips-alex cannot be read: delete {iqa.ALEXNET} and"):
        METRICS["lpips-alex"].function(*images)


class Attack:
    def __reduce__(self):
        return print, ("code in a weight file ran",)


@pytest.mark.parametrize("content", [Attack(), {"features.0.weight": Attack()}, {}, [1.0]])
def test_weights_that_hold_code_or_something_else_are_refused(content, folder, capfd):
    place(folder / PLACES[1])
    torch.save(content, folder / PLACES[1] / iqa.ALEXNET)
    with pytest.raises(InputError, match="weights of lpips-alex cannot be read"):
        METRICS["lpips-alex"].function(*seen("lpips-alex", picture(100, 100), picture(100, 100)))
    assert "code in a weight file ran" not in capfd.readouterr().out


def test_every_metric_is_chosen_by_some_protocol_under_its_name_in_configs():
    names = {metric.config_name or metric.name for metric in METRICS.values()}
    chosen = {protocol.metric(name).name for protocol in PROTOCOLS.values() for name in names}
    assert chosen == set(METRICS)
    assert [metric.name for metric in variants("ssim")] == ["ssim", "ssim-wang", "ssim-3d", "ssim-masked"]
    with pytest.raises(InputError, match=r"unknown metric 'nique'\. Did you mean 'niqe'"):
        PROTOCOLS["plain"].metric("nique")


def test_the_libraries_are_loaded_only_when_they_score():
    code = "import sys, benchmark.scoring.scores, benchmark.planning.plan; print([*sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "'benchmark.scoring.iqa'" in done.stdout
    assert not {"'pyiqa'", "'lpips'"}.intersection(done.stdout.split(", "))
