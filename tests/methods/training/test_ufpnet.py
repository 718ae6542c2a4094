"""UFPNet's three stages and its baseline: pairs, losses, and a training from the first to the last."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from skimage import data

from benchmark.core.errors import InputError
from benchmark.core.types import Observation, Status
from methods import nafnet, ufpnet
from methods.parts.solver import Task, solve
from methods.training import mimo, mimo_ufp, registry, ufpnet_flow, ufpnet_kernels
from methods.training import nafnet as nafnet_training
from methods.training import ufpnet as ufpnet_training
from methods.training.kernels import silent, training_kernels
from methods.training.loop import Materials, train
from methods.training.pairs import PhotographedPairs, SyntheticPairs
from methods.training.photographs import Photographs
from methods.training.restorer import psnr_loss
from methods.training.ufpnet import reblur_loss
from methods.training.ufpnet_kernels import at, reblurred_at
from methods.ufp import weights

CPU = torch.device("cpu")
SIZE = 7
RESTORER = {"kernel_size": SIZE, "width": 4, "encoder": (1, 1), "decoder": (1, 1), "kernels": 50, "crop": 32}
MIMO = {"kernel_size": SIZE, "width": 8, "blocks": 1, "kernels": 50, "crop": 32}
SETTINGS = {
    "ufpnet-flow": ufpnet_flow.Settings(kernel_size=SIZE, hidden=4, kernels=200, batch=20),
    "ufpnet-kernels": ufpnet_kernels.Settings(
        kernel_size=SIZE, channels=(4, 4, 4), kernels=50, crop=32, pixels=512, rate=5e-3
    ),
    "ufpnet": ufpnet_training.Settings(**RESTORER),
    "nafnet": nafnet_training.Settings(**RESTORER),
    "mimo": mimo.Settings(**MIMO),
}


@pytest.fixture(scope="module")
def photographs():
    return [
        np.ascontiguousarray(getattr(data, name)().transpose(2, 0, 1)) for name in ("astronaut", "coffee")
    ]


def started(name, folder, photographs, settings=None):
    materials = Materials(photographs, photographs, weights=folder)
    return registry.find(name).start(settings or SETTINGS[name], materials, 0, CPU, silent)


def trained(name, folder, photographs, steps, settings=None):
    """The trainee after `steps`, its weights saved, and the history."""
    trainee = started(name, folder, photographs, settings)
    history = train(trainee, name, silent, saved=folder / f"{name}.pt", key="key", steps=steps)
    trainee.save(folder, steps, "demo", half=False)
    return trainee, history


@pytest.fixture(scope="module")
def folder(tmp_path_factory, photographs):
    """With a few steps of every stage, one on the other."""
    path = tmp_path_factory.mktemp("trained")
    for name in SETTINGS:
        trained(name, path, photographs, 3)
    return path


@pytest.mark.parametrize("name", SETTINGS)
def test_a_stage_begins_with_the_weights_of_an_earlier_one(name, folder, photographs, tmp_path):
    trainee = started(name, folder, photographs)
    assert trainee.begin_with(folder) == 3
    trainee.save(tmp_path, 3, "demo", half=False)
    (file,) = tmp_path.iterdir()
    assert file.read_bytes() == (folder / file.name).read_bytes()


def drawn(photographs, kind):
    kernels = training_kernels(SIZE, (SIZE,), 20, 0)
    images = Photographs(photographs, 38, CPU, colour=True)
    return SyntheticPairs(images, kernels, 0.0).pairs(4, 32, np.random.default_rng(0), kind)


def test_a_uniform_pair_is_one_blur_of_its_sharp_image(photographs):
    batch = drawn(photographs, "uniform")
    kernels = batch.kernels[:, 0].flatten(1)[:, None].expand(-1, 32 * 32, -1)
    blurred = reblurred_at(batch.sharp, kernels, torch.arange(32 * 32))
    # Rounded to eight bits.
    torch.testing.assert_close(blurred, at(batch.blurry, torch.arange(32 * 32)), rtol=0, atol=0.51 / 255)


def test_the_kernels_of_a_field_are_blended_pixel_by_pixel(photographs):
    batch = drawn(photographs, "field")
    torch.testing.assert_close(batch.weights.sum(1), torch.ones(4, 32, 32))
    kernels = torch.einsum("bmp,bml->bpl", batch.weights.flatten(2), batch.kernels.flatten(2))
    blurred = reblurred_at(batch.sharp, kernels, torch.arange(32 * 32))
    torch.testing.assert_close(blurred, at(batch.blurry, torch.arange(32 * 32)), rtol=0, atol=0.51 / 255)
    assert batch.weights.std((2, 3)).max() > 0.1, "it varies over the frame"
    assert batch.frame.shape == batch.blurry.shape


def test_photographed_pairs_stay_in_one_frame():
    sharp = np.random.default_rng(0).integers(0, 256, (3, 60, 70), np.uint8)
    source = PhotographedPairs([(sharp, sharp)], 32, SIZE, CPU)
    batch = source.pairs(6, 32, np.random.default_rng(0))
    assert batch.sharp.shape == (6, 3, 38, 38)
    assert torch.equal(batch.frame, batch.blurry)
    assert not torch.equal(batch.blurry[0], batch.blurry[1])


def test_photographed_pairs_that_are_too_small_are_one_line():
    small = np.zeros((3, 30, 70), np.uint8)
    with pytest.raises(InputError, match="a pair of 30 x 70 px is too small"):
        PhotographedPairs([(small, small)], 32, SIZE, CPU)
    with pytest.raises(InputError, match="no pairs"):
        PhotographedPairs([], 32, SIZE, CPU)


@pytest.mark.parametrize("name", ["ufpnet-kernels", "ufpnet", "nafnet", "mimo"])
def test_photographed_pairs_are_trained_on(name, folder, photographs):
    pairs = [(np.roll(photograph, 1, axis=2), photograph) for photograph in photographs]
    materials = Materials(pairs=pairs, held_out_pairs=pairs, weights=folder)
    trainee = registry.find(name).start(SETTINGS[name], materials, 0, CPU, silent)
    assert all(torch.isfinite(loss) for loss in trainee.step(0, 0.0).values())
    for numbers in trainee.examine(1, silent).numbers.values():
        assert [kind.split(", ")[-1] for kind in numbers] == ["photographed"]


def test_the_losses_match_the_reference(fixture):
    arrays = {name: torch.from_numpy(array) for name, array in fixture("ufpnet_losses_metrics").items()}
    fidelity = psnr_loss(arrays["pred"], arrays["target"])
    torch.testing.assert_close(fidelity, arrays["psnr_loss"], rtol=0, atol=1e-9)
    reblur = (arrays["reblurred"] - arrays["blurry"]).abs().mean()
    torch.testing.assert_close(reblur, arrays["l1_reblur"], rtol=0, atol=1e-9)
    weight = SETTINGS["ufpnet"].reblur_weight
    torch.testing.assert_close(fidelity + weight * reblur, arrays["total_lambda_0.01"], rtol=0, atol=1e-9)


def test_re_blurring_takes_each_image_with_its_own_kernels(fixture):
    arrays = {name: torch.from_numpy(array) for name, array in fixture("ufpnet_reblur").items()}
    kernels = arrays["kernel"].flatten(2).transpose(1, 2).unflatten(2, arrays["image"].shape[2:])
    right = reblur_loss(arrays["image"], kernels, arrays["out_replication"])
    assert right.item() == pytest.approx(0, abs=1e-12)
    some = arrays["out_replication"].clone()
    some[..., 1::2, :] = 0  # which every second row leaves out
    assert reblur_loss(arrays["image"], kernels, some, 2).item() == pytest.approx(0, abs=1e-12)
    # The reference's own code mixes the samples of a batch.
    assert reblur_loss(arrays["image"], kernels, arrays["ref_batch2_output"]) > 0.01


def test_stages_follow_each_other_and_the_method_reads_the_last(folder, photographs):
    blurry = np.ascontiguousarray(photographs[0][:, 200:248, 200:248]).astype(np.float32) / 255
    observation = Observation("test", "case", blurry, None)
    for method in (ufpnet, nafnet):
        settings = method.Settings(weights=str(folder))
        build = partial(method.problem, observation, settings, torch.Generator(), CPU)
        (_, restoration), *_ = solve([Task("case", build)])
        assert restoration.status is Status.OK, restoration.reason
        assert " demo (4 channels" in restoration.weights
    stored, _ = weights.load(folder, "ufpnet-kernels", SIZE)
    network, _ = weights.load_network(folder, "ufpnet")
    for name, tensor in stored.part("estimator").tensors.items():
        assert torch.equal(network.estimator.state_dict()[name], tensor), "the third stage leaves it alone"


@pytest.mark.parametrize("name", SETTINGS)
def test_a_training_that_goes_on_gives_the_same_weights(name, folder, photographs):
    first, second = (started(name, folder, photographs) for _ in range(2))
    for step in range(2):
        first.step(step, step / 3)
    second.load_state_dict(first.state_dict())
    second.step(2, 2 / 3)
    again = started(name, folder, photographs)
    for step in range(3):
        again.step(step, step / 3)
    assert_equal(second.state_dict(), again.state_dict())


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for key, value in one.items():
        if isinstance(value, dict):
            assert_equal(value, other[key])
        elif isinstance(value, torch.Tensor):
            assert torch.equal(value, other[key]), key


def test_a_flow_learns_its_kernels(tmp_path, photographs):
    quick = ufpnet_flow.Settings(**vars(SETTINGS["ufpnet-flow"]) | {"rate": 1e-2})
    trainee, history = trained("ufpnet-flow", tmp_path, photographs, 150, quick)
    assert history.rows[-1]["nats"] < history.rows[0]["nats"] - 5
    evidence = trainee.examine(50, silent)
    assert evidence.numbers["held out"]["inversion_error"] < 1e-3
    assert evidence.samples["generated"].shape[1:] == (SIZE, SIZE)


@pytest.mark.parametrize("form", ["uncertain", "flow", "softmax"])
def test_every_form_of_kernels_is_trained_and_examined(form, folder, photographs):
    settings = ufpnet_kernels.Settings(**vars(SETTINGS["ufpnet-kernels"]) | {"kernel_form": form})
    trainee = started("ufpnet-kernels", folder, photographs, settings)
    losses = trainee.step(0, 0.0)
    assert ("sigma" in losses) == (form == "uncertain")
    evidence = trainee.examine(2, silent)
    assert set(evidence.numbers) == {"estimator", "mean kernel", "no blur"}
    np.testing.assert_allclose(evidence.estimates["estimator"].sum((1, 2)), 1, rtol=1e-5)


def test_the_last_stage_is_compared_with_kernels_that_say_nothing(folder, photographs):
    evidence = started("ufpnet", folder, photographs).examine(2, silent)
    assert set(evidence.numbers) == {"blurry", "restored", "restored without its kernels"}
    assert evidence.images["restored"].shape == (2, 3, 32, 32)
    assert set(started("nafnet", folder, photographs).examine(1, silent).numbers) == {"blurry", "restored"}


@pytest.mark.parametrize("name", ["ufpnet-kernels", "ufpnet"])
def test_a_missing_stage_is_one_line(name, tmp_path, photographs):
    with pytest.raises(InputError, match="blindbench pretrain ufpnet-"):
        started(name, tmp_path, photographs)


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        (lambda: ufpnet_flow.Settings(kernel_size=8), "kernel_size must be odd"),
        (lambda: ufpnet_kernels.Settings(channels=(1, 2)), "channels must be three"),
        (lambda: ufpnet_kernels.Settings(kernel_form="other"), "kernel_form must be one of"),
        (lambda: ufpnet_training.Settings(crop=90), "multiple of 16"),
        (lambda: ufpnet_training.Settings(decoder=(1,)), "as many levels"),
        (lambda: ufpnet_training.Settings(reblur_weight=-1), "reblur_weight"),
        (lambda: ufpnet_training.Settings(decoded_every=0), "decoded_every"),
        (lambda: mimo.Settings(width=10), "width must be a multiple of 4"),
        (lambda: mimo.Settings(crop=90), "crop must be a multiple of 4"),
        (lambda: mimo_ufp.Settings(decoded_every=0), "decoded_every"),
    ],
)
def test_settings_that_cannot_be_are_named(settings, wrong):
    with pytest.raises(ValueError, match=wrong):
        settings()


@pytest.fixture
def with_kernels(folder):
    return mimo_ufp.Settings(**MIMO, kernels_from=str(folder))


def test_mimo_unet_is_trained_with_the_frozen_kernels_of_a_trained_ufpnet(
    with_kernels, tmp_path, folder, photographs
):
    trainee, history = trained("mimo-ufp", tmp_path, photographs, 30, with_kernels)
    assert history.rows[-1]["error"] < history.rows[0]["error"]
    network, label = weights.load_network(tmp_path, "mimo-ufp")
    assert label == "mimo-ufp-7 demo (8 channels, 6 blocks, 30 steps)"
    source, _ = weights.load_network(folder, "ufpnet")
    for part in ("estimator", "flow"):
        for name, tensor in getattr(source, part).state_dict().items():
            assert torch.equal(getattr(network, part).state_dict()[name], tensor)
    assert set(trainee.examine(1, silent).numbers) == {"blurry", "restored", "restored without its kernels"}
    again, _ = trained("mimo-ufp", tmp_path / "again", photographs, 30, with_kernels)
    assert_equal(trainee.state_dict(), again.state_dict())


def test_kernels_of_another_size_or_none_are_one_line(with_kernels, tmp_path, photographs):
    with pytest.raises(
        InputError, match=r"kernels_from: .* has kernels of 7 px, not 15; set kernel_size to 7"
    ):
        started("mimo-ufp", tmp_path, photographs, replace(with_kernels, kernel_size=15))
    with pytest.raises(InputError, match=r"kernels_from: .*nothing: neither net_g_latest"):
        started("mimo-ufp", tmp_path, photographs, replace(with_kernels, kernels_from="nothing"))


def test_the_workflow_knows_the_file_that_the_kernels_come_from(with_kernels, folder, tmp_path):
    training = registry.find("mimo-ufp")
    assert list(training.inputs(with_kernels, tmp_path)) == [folder / "ufpnet-7.safetensors"]
    missing = replace(with_kernels, kernels_from=str(tmp_path))
    assert list(training.inputs(missing, tmp_path)) == [tmp_path / "ufpnet-7.safetensors"]


def test_re_blurring_is_a_correlation():
    kernel, image = torch.arange(9.0), torch.rand(1, 1, 8, 8)
    found = reblurred_at(image, kernel.expand(1, 36, 9), torch.arange(36))
    expected = torch.nn.functional.conv2d(image, kernel.reshape(1, 1, 3, 3))
    torch.testing.assert_close(found[0, :, 0], expected.flatten())
