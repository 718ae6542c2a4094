"""The steps of the pre-training against reference numbers."""

import pytest
import torch

from methods.glkm.generator import Discriminator, Generator
from methods.glkm.inversion import inverted
from methods.training.initializer import Settings, collaborative_loss
from methods.training.photographs import blurred, reflected


@pytest.fixture
def networks(fixture):
    """Generator and discriminator of the fixture, in train mode."""
    arrays = {name: torch.from_numpy(array) for name, array in fixture("glkm_gan31_w8").items()}
    pair = Generator(31, width=8), Discriminator(31, width=8)
    for network, prefix in zip(pair, "GD", strict=True):
        own = {name[2:]: array for name, array in arrays.items() if name.startswith(prefix + ".")}
        missing, unexpected = network.load_state_dict(own, strict=False)
        assert not unexpected
        assert all(name.endswith("num_batches_tracked") for name in missing)
    return *pair, arrays


def test_generator_and_discriminator_in_train_mode_use_the_batch_and_remember_it(networks):
    generator, discriminator, arrays = networks
    with torch.no_grad():
        kernels = generator(arrays["z"])
        told = discriminator(31 * kernels)
    torch.testing.assert_close(kernels, arrays["kernel_train"], rtol=0, atol=1e-5)
    torch.testing.assert_close(told, arrays["d_train"], rtol=0, atol=1e-5)
    norm = generator.layer1[1]
    torch.testing.assert_close(norm.running_mean, arrays["running_mean_after"], rtol=0, atol=1e-5)
    torch.testing.assert_close(norm.running_var, arrays["running_var_after"], rtol=0, atol=1e-5)


def test_discriminator_in_eval_mode_sees_kernels_at_either_scale(networks):
    _, discriminator, arrays = networks
    discriminator.eval()
    with torch.no_grad():
        for scale, name in ((31, "d_eval"), (1, "d_eval_sum1")):
            told = discriminator(scale * arrays["kernel_eval"])
            torch.testing.assert_close(told, arrays[name], rtol=0, atol=1e-5)


def test_a_collaborative_step_inverts_the_generator_and_pulls_the_codes(networks, fixture):
    generator = networks[0].eval().requires_grad_(False)
    step = {name: torch.from_numpy(array) for name, array in fixture("glkm_collab_step").items()}
    for count, expected in enumerate(step["z_trace"]):
        codes = inverted(generator, step["ze"], step["kernel"], count, 0.01)
        torch.testing.assert_close(codes, expected, rtol=0, atol=1e-3)
    summed = inverted(generator, step["ze"], step["kernel"], 5, 0.01, "sum")
    torch.testing.assert_close(summed, step["z_after_sum"], rtol=0, atol=1e-3)
    ze = step["ze"].clone().requires_grad_()
    losses = collaborative_loss(generator, ze, step["kernel"], step["z_trace"][-1], Settings())
    for term, name in (("kernel", "loss_kernel"), ("latent", "loss_latent"), ("loss", "loss_total")):
        assert losses[term].item() == pytest.approx(step[name].item(), rel=1e-4)
    losses["loss"].backward()
    largest = step["grad_ze"].abs().max().item()
    torch.testing.assert_close(ze.grad, step["grad_ze"], rtol=0, atol=1e-3 * largest)


def test_training_images_are_mirrored_and_correlated(fixture):
    arrays = {name: torch.from_numpy(array).float() for name, array in fixture("glkm_train_blur").items()}
    images = blurred(reflected(arrays["x"], 31), arrays["kernel"])
    torch.testing.assert_close(images, arrays["y"].float(), rtol=0, atol=1e-5)
