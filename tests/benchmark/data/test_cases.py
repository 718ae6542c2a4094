"""Cases with their pixels and kernels, and what is observed of them."""

import numpy as np
import pytest
import skimage
import torch
import yaml

from benchmark.blur.convolution import blur
from benchmark.blur.noise import Gaussian, Saturation
from benchmark.blur.operators import SvolaBlur
from benchmark.core.colour import LUMA
from benchmark.core.errors import InputError
from benchmark.core.images import write_image
from benchmark.core.schema import read_yaml
from benchmark.data.cases import declared_kernel_size, make_case
from benchmark.data.descriptors import FOLDER, MIRROR, find_dataset
from benchmark.data.synthesis import observe
from benchmark.runs.store import Store, observation_hash
from benchmark.scoring.metrics import psnr

KERNEL = np.zeros((1, 5, 5), np.float32)
KERNEL[0, 0, 0], KERNEL[0, 0, 4], KERNEL[0, 4, 0] = 0.2, 0.4, 1.0  # an L, so that a turn shows


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Descriptors' folder with two small sharp images and a kernel in `levin` and `celebahq`."""
    monkeypatch.delenv(MIRROR, raising=False)
    rng = np.random.default_rng(0)
    for index in (1, 2):
        write_image(tmp_path / "levin" / "gt" / f"im{index}.png", rng.random((1, 30, 41), dtype=np.float32))
        colour = rng.random((3, 70, 91), dtype=np.float32)
        write_image(tmp_path / "celebahq" / "val" / "male" / f"{index}.jpg", colour)
    write_image(tmp_path / "levin" / "gt" / "kernel1.png", KERNEL)
    return tmp_path


def levin_synth(folder, form="convolution", name="levin-synth", **changes):
    content = {**read_yaml(FOLDER / "levin-synth.yaml"), **changes}
    content["grid"]["images"] = {"im1": ["1"], "im2": ["2"]}
    content["grid"]["kernels"] = {"1": {"file": "gt/kernel1.png", "form": form, "declared_size": 5}}
    (folder / "levin-synth.yaml").write_text(yaml.safe_dump(content))
    return find_dataset(name, folder)


def test_sharp_files_are_blurred_with_kernel_files(folder):
    observation, truth = observe(make_case(levin_synth(folder), "im1_kernel1", 0), 0)
    assert observation.blurry.shape == truth.sharp.shape == (1, 26, 37)
    assert (observation.kernel_size, observation.boundary) == ((5, 5), "valid")
    np.testing.assert_allclose(truth.kernels[0], KERNEL[0] / KERNEL.sum(), atol=2e-3)  # 8-bit files
    turned = make_case(levin_synth(folder, "correlation"), "im1_kernel1", 0)
    np.testing.assert_allclose(turned.kernels[0], truth.kernels[0, ::-1, ::-1], rtol=1e-6)


def test_a_stretched_scene_saturates_and_its_truth_is_clipped(folder):
    plain, _ = observe(make_case(levin_synth(folder), "im1_kernel1", 0), 0)
    bright, truth = observe(make_case(levin_synth(folder, stretch=1.8), "im1_kernel1", 0), 0)
    assert (bright.blurry == 1).mean() > 0.1 > (plain.blurry == 1).mean()
    unclipped = bright.blurry < 1
    np.testing.assert_allclose(bright.blurry[unclipped], 1.8 * plain.blurry[unclipped], rtol=1e-5)
    assert truth.sharp.max() == 1


def test_a_condition_halves_the_sharp_image_and_leaves_the_kernel(folder):
    whole = make_case(levin_synth(folder), "im1_kernel1", 0)
    half = make_case(levin_synth(folder, name="levin-synth@half"), "im1_kernel1", 0)
    assert half.scene.shape == (1, 15, 20)  # of 30 x 41
    np.testing.assert_allclose(half.scene[0, 3, 4], whole.scene[0, 6:8, 8:10].mean(), rtol=1e-6)
    np.testing.assert_array_equal(half.kernels, whole.kernels)
    assert half.kernel_size == (5, 5)


@pytest.mark.parametrize("boundary", ["zero", "grey", "replicate", "circular"])
def test_a_blur_of_the_same_size_knows_its_boundary(folder, boundary):
    case = make_case(levin_synth(folder, boundary=boundary), "im1_kernel1", 0)
    observation, truth = observe(case, 0)
    assert observation.boundary == boundary
    assert observation.blurry.shape == truth.sharp.shape == (1, 30, 41)
    expected = blur(torch.from_numpy(case.scene), torch.from_numpy(case.kernels[0]), boundary)
    np.testing.assert_allclose(observation.blurry, expected.clamp(0, 1), atol=1e-6)


def test_large_images_become_squares_with_strokes_of_an_even_size(folder):
    content = read_yaml(FOLDER / "celebahq.yaml")
    content["files"] |= {"first": 2, "side": 64}
    content["kernel"]["motion_blur"]["size"] = 16
    (folder / "celebahq.yaml").write_text(yaml.safe_dump(content))
    case = make_case(find_dataset("celebahq", folder), "1", 0)
    assert case.scene.shape == (3, 64, 64)
    assert (case.kernel_size, case.kernels.shape) == ((16, 16), (1, 17, 17))
    assert case.boundary == "grey"
    assert case.noise == (Gaussian(0.01),)
    content["files"]["grey"] = True
    (folder / "celebahq.yaml").write_text(yaml.safe_dump(content))
    grey = make_case(find_dataset("celebahq", folder), "1", 0)
    assert grey.scene.shape == (1, 64, 64)
    # Not the same: values are clipped after an image is resized.
    assert np.abs(grey.scene[0] - np.tensordot(LUMA, case.scene, 1)).mean() < 0.01
    assert all(np.abs(grey.scene[0] - channel).mean() > 0.03 for channel in case.scene)


def test_a_condition_changes_the_noise_but_not_the_kernel():
    base, noisy, low = (
        observe(make_case(find_dataset(f"demo-uniform{condition}"), "astronaut", 0), 0)
        for condition in ("", "@gaussian-high", "@gaussian-low")
    )
    assert noisy[1].kernels.tobytes() == base[1].kernels.tobytes()
    assert noisy[0].blurry.std() > base[0].blurry.std()
    residual = noisy[0].blurry - low[0].blurry
    assert residual.std() == pytest.approx(0.049, rel=0.05)  # one realisation, at two levels
    assert noisy[0].dataset == "demo-uniform@gaussian-high"


def test_the_colour_saturation_of_a_grey_image_is_refused():
    assert make_case(find_dataset("demo-uniform@saturation"), "astronaut", 0).noise == (Saturation(),)
    with pytest.raises(InputError, match="needs a colour image"):
        observe(make_case(find_dataset("demo-uniform@saturation"), "camera", 0), 0)


def test_noise_without_blur_is_one_of_several_kinds_and_declares_what_it_is_asked_to():
    shown = {}
    for seed in range(12):
        observation, truth = observe(make_case(find_dataset("demo-noise@size-level-5"), "camera", 0), seed)
        assert truth.kernels.tolist() == [[[1.0]]]
        assert observation.kernel_size == (64, 64)
        changed = observation.blurry != truth.sharp
        extreme = np.isin(observation.blurry, [0, 1])
        if changed.mean() < 0.1:
            shown["impulse"] = (changed <= extreme).all()
        elif np.allclose(40 * observation.blurry, np.round(40 * observation.blurry), atol=1e-4):
            shown["shot"] = True
        else:
            shown["gaussian"] = abs((observation.blurry - truth.sharp)[~extreme].std() - 0.1) < 0.02
    assert shown == {"impulse": True, "shot": True, "gaussian": True}


def test_a_condition_may_declare_a_size_of_its_own():
    case = make_case(find_dataset("demo-uniform@declared-7"), "camera", 0)
    assert (case.kernel_size, case.kernels.shape) == ((7, 7), (1, 13, 13))


def test_a_condition_may_declare_another_size_of_photographs():
    usual, larger = find_dataset("demo-real"), find_dataset("demo-real@declared-29")
    (case, *_) = usual.case_ids
    assert make_case(usual, case, 0).kernel_size != (29, 29)
    observation, _ = observe(make_case(larger, case, 0), 0)
    assert observation.kernel_size == (29, 29)
    np.testing.assert_array_equal(observation.blurry, make_case(usual, case, 0).photograph)
    assert larger.content["caption"].endswith("estimated on Levin's photographs.")


def test_declared_sizes_grow_in_equal_steps_to_half_the_image(fixture):
    table = fixture("robust_protocol")["sizes_true_ny_L1to5"]
    assert len(table) > 10
    for true, side, *levels in table:
        sizes = [declared_kernel_size(int(true), level, (int(side), 50)) for level in (1, 2, 3, 4, 5)]
        assert [height for height, _ in sizes] == levels
    case = make_case(find_dataset("demo-uniform@size-level-5"), "camera", 0)
    assert case.kernel_size == (70, 70)  # half of the scene, 128 + 12
    assert case.kernels.shape == (1, 13, 13)


def test_a_shaken_camera_sees_what_its_kernels_say():
    """The kernels at the nodes, interpolated, reproduce the warped images far better than one kernel does."""
    case = make_case(find_dataset("demo-nonuniform"), "chelsea", 0)
    observation, truth = observe(case, 0)
    assert (observation.blur_model, observation.grid) == ("nonuniform", (2, 2))
    assert observation.blurry.shape == truth.sharp.shape == (3, 160, 160)
    assert case.kernels.shape == (4, 21, 21)
    np.testing.assert_allclose(case.kernels.sum((1, 2)), 1, atol=1e-5)
    scene = torch.from_numpy(case.scene).double()
    kernels = torch.from_numpy(case.kernels).double()
    blurry = observation.blurry.astype(float)
    by_nodes = psnr(SvolaBlur(kernels, (2, 2)).apply(scene).numpy(), blurry)
    by_mean = psnr(blur(scene, kernels.mean(0), "valid").numpy(), blurry)
    assert by_nodes > by_mean + 2
    assert by_nodes > 38  # the noise alone: 46 dB
    assert psnr(truth.sharp.astype(float), blurry) < 30


def test_an_observation_survives_its_file(tmp_path):
    observation, truth = observe(make_case(find_dataset("demo-nonuniform"), "coffee", 0), 0)
    store = Store(tmp_path)
    store.write_observation(observation, truth)
    read = store.read_observation("demo-nonuniform", "coffee")
    assert observation_hash(read) == observation_hash(observation)
    assert read.grid == (2, 2)
    assert store.read_truth("demo-nonuniform", "coffee").kernels.tobytes() == truth.kernels.tobytes()


def test_frames_of_a_shake_are_kept_as_files(tmp_path, monkeypatch):
    monkeypatch.delenv(MIRROR, raising=False)
    content = read_yaml(FOLDER / "koehler.yaml")
    content["grid"] |= {"images": {"im1": ["1"]}, "kernels": {"1": {"declared_size": 75}}}
    content["grid"]["frames"] |= {"count": 3}
    (tmp_path / "koehler.yaml").write_text(yaml.safe_dump(content))
    dataset = find_dataset("koehler", tmp_path)
    image = np.random.default_rng(0).random((3, 90, 80), dtype=np.float32)
    for name in dataset.files(["im1_kernel1"]):
        write_image(tmp_path / name, image)
    observation, truth = observe(make_case(dataset, "im1_kernel1", 0), 0)
    assert truth.sharp is None
    assert [frame.name for frame in truth.frames] == [f"GroundTruth1_1_{frame}.png" for frame in (1, 2, 3)]
    store = Store(tmp_path / "results")
    store.write_observation(observation, truth)
    assert store.read_truth("koehler", "im1_kernel1").frames == truth.frames
    assert store.read_observation("koehler", "im1_kernel1").blurry.tobytes() == observation.blurry.tobytes()


def place(folder, mirror, files):
    """Real files under the names of the official layout."""
    for name, original in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(mirror / "data" / original)


def official(folder, mirror, name, files, **changes):
    content = read_yaml(FOLDER / f"{name}.yaml")
    content["files"] |= changes
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    place(folder, mirror, files)
    return find_dataset(name, folder)


def test_real_pairs_of_gopro(mirror, tmp_path, monkeypatch):
    monkeypatch.delenv(MIRROR, raising=False)
    names = {"000047": "Flower1", "000048": "Istanbul1"}
    files = {
        f"gopro/test/GOPR0384_11_00/{kind}/{frame}.png": f"gopro_pairs/{kind}/{name}.png"
        for frame, name in names.items()
        for kind in ("blur", "sharp")
    }
    dataset = official(tmp_path, mirror, "gopro", files, count=2)
    scores = []
    for case_id in dataset.case_ids:
        observation, truth = observe(make_case(dataset, case_id, 0), 0)
        assert (observation.blur_model, truth.group) == ("nonuniform", "GOPR0384_11_00")
        scores.append(psnr(observation.blurry.astype(float), truth.sharp.astype(float)))
    assert scores == pytest.approx([25.11, 24.05], abs=0.005)


def test_a_real_crop_of_realblur(mirror, tmp_path, monkeypatch):
    monkeypatch.delenv(MIRROR, raising=False)
    folder = "RealBlur-J_ECC_IMCORR_centroid_itensity_ref/scene050"
    files = {
        f"realblur/{folder}/gt/gt_6.png": "realblur_j_crop/scene050-6_gt.png",
        f"realblur/{folder}/blur/blur_6.png": "realblur_j_crop/scene050-6_blur.png",
    }
    (tmp_path / "realblur").mkdir()
    (tmp_path / "realblur" / "RealBlur_J_test_list.txt").write_text(
        f"{folder}/gt/gt_6.png {folder}/blur/blur_6.png\n"
    )
    dataset = official(tmp_path, mirror, "realblur-j", files, count=1)
    observation, truth = observe(make_case(dataset, "scene050-6", 0), 0)
    assert observation.blurry.shape == truth.sharp.shape == (3, 50, 125)
    assert truth.group == "scene050"


def test_real_dogs_of_afhq(mirror, tmp_path, monkeypatch):
    monkeypatch.delenv(MIRROR, raising=False)
    dogs = sorted((mirror / "data" / "test256" / "afhq").glob("*dog*.png"))
    files = {f"afhq/val/dog/{dog.stem}.jpg": f"test256/afhq/{dog.name}" for dog in dogs}
    dataset = official(tmp_path, mirror, "afhq-dog", files, first=4)
    assert dataset.case_ids == [dog.stem for dog in dogs]
    observation, truth = observe(make_case(dataset, dogs[0].stem, 0), 0)
    assert observation.blurry.shape == truth.sharp.shape == (3, 256, 256)
    assert truth.kernels.shape == (1, 65, 65)
    assert 15 < psnr(observation.blurry.astype(float), truth.sharp.astype(float)) < 35


def test_staged_images_of_coco_and_lai(mirror, monkeypatch):
    monkeypatch.setenv(MIRROR, str(mirror))
    coco = find_dataset("coco80")
    staged = "000000000139"
    assert not coco.missing([staged])
    observation, truth = observe(make_case(coco, staged, 0), 0)
    size = coco.entries[staged].kernel["trajectory"]
    assert truth.kernels.shape == (1, size, size)
    assert observation.blurry.shape == truth.sharp.shape
    lai = find_dataset("lai-synth")
    cases = lai.selected(["text_01_*"])
    assert not lai.missing(cases)
    for case_id, side in zip(cases, (31, 51, 55, 75), strict=True):
        observation, _ = observe(make_case(lai, case_id, 0), 0)
        assert observation.blurry.shape == (3, 518 - side + 1, 630 - side + 1)
    real = find_dataset("lai-real")
    case = make_case(real, "building1", 0)
    assert (case.kernel_size, case.sharp) == ((51, 51), None)


def test_real_photographs_of_robust_bid_declare_half_of_the_image_rounded_up(tmp_path):
    content = read_yaml(FOLDER / "reds125.yaml")
    (tmp_path / "reds125.yaml").write_text(yaml.safe_dump(content))
    for name in ("b", "s"):
        write_image(tmp_path / "reds125" / f"{name}.png", np.full((3, 31, 40), 0.5, np.float32))
    (tmp_path / "reds125" / "manifest.csv").write_text(
        "group,id,blurry,sharp\ns1,r1,reds125/b.png,reds125/s.png\n"
    )
    assert make_case(find_dataset("reds125", tmp_path), "r1", 0).kernel_size == (16, 20)


def test_recompressed_photographs_of_koehler(mirror, tmp_path, monkeypatch):
    """Their frames along the shake are not staged: the sharp picture stands in for all of them."""
    monkeypatch.delenv(MIRROR, raising=False)
    content = read_yaml(FOLDER / "koehler.yaml")
    content["grid"] |= {"images": {"im2": ["2"]}, "kernels": {"1": {"declared_size": 75}}}
    content["grid"]["frames"] |= {"count": 2}
    (tmp_path / "koehler.yaml").write_text(yaml.safe_dump(content))
    frames = {
        f"kohler/Image2/Kernel1/GroundTruth2_1_{n}.png": "kohler_jpeg/ground_truth/GroundTruth2.jpg"
        for n in (1, 2)
    }
    place(
        tmp_path, mirror, frames | {"kohler/BlurryImages/Blurry2_1.png": "kohler_jpeg/Blurry2_1_original.png"}
    )
    observation, truth = observe(make_case(find_dataset("koehler", tmp_path), "im2_kernel1", 0), 0)
    assert observation.blurry.shape == (3, 800, 800)
    assert len(truth.frames) == 2


def test_a_crop_may_be_resized_before_a_blur_of_the_same_size():
    case = make_case(find_dataset("demo-faces"), "chelsea", 0)
    photograph = skimage.data.chelsea().transpose(2, 0, 1)[:, :, 80:380] / 255
    assert case.scene.shape == (3, 64, 64)
    assert (case.kernel_size, case.kernels.shape, case.boundary) == ((16, 16), (1, 17, 17), "grey")
    np.testing.assert_allclose(case.scene.mean((1, 2)), photograph.mean((1, 2)), atol=5e-3)
    observation, truth = observe(case, 0)
    assert observation.blurry.shape == truth.sharp.shape == (3, 64, 64)


def write_photograph(folder, size):
    """A descriptor of central crops of 20 px, blurred by kernels of 7 px, and its one photograph."""
    descriptor = read_yaml(FOLDER / "choose-tuning.yaml")
    descriptor |= {"source": "mine", "kernel": {"trajectory": 7}, "noise": []}
    descriptor["files"] = {
        "find": "(?P<id>.*)[.]png",
        "count": 1,
        "id": "{id}",
        "sharp": "{id}.png",
        "crop": 20,
    }
    (folder / "mine.yaml").write_text(yaml.safe_dump(descriptor))
    photograph = np.random.default_rng(0).random((3, *size), dtype=np.float32)
    write_image(folder / "mine" / "a.png", photograph)
    return photograph


def test_a_crop_is_the_middle_of_a_photograph_and_blur_takes_its_margin_from_around_it(tmp_path, monkeypatch):
    monkeypatch.delenv(MIRROR, raising=False)
    photograph = write_photograph(tmp_path, (30, 40))
    observation, truth = observe(make_case(find_dataset("mine", tmp_path), "a", 0), 0)
    assert observation.blurry.shape == (3, 20, 20)
    np.testing.assert_allclose(truth.sharp, photograph[:, 5:25, 10:30], atol=0.5 / 255)


def test_a_photograph_that_is_smaller_than_its_crop_is_refused(tmp_path, monkeypatch):
    monkeypatch.delenv(MIRROR, raising=False)
    write_photograph(tmp_path, (25, 40))
    with pytest.raises(
        InputError, match="a: the crop with its blur margin is 26 px, and the image is 25 x 40"
    ):
        make_case(find_dataset("mine", tmp_path), "a", 0)
