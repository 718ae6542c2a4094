"""Flow, kernel estimator, blocks: equal to the reference's arrays."""

import numpy as np
import pytest
import torch

from methods.ufp.blocks import KernelAttention, NafBlock, mean_around
from methods.ufp.estimator import KernelEstimator, standardised, uncertain
from methods.ufp.flow import LEVELS, KernelFlow, from_logits, to_logits
from methods.ufp.published import renamed

CLOSE = {"rtol": 0, "atol": 1e-9}


def tensors(arrays, prefix):
    return {
        name.removeprefix(prefix): torch.from_numpy(array)
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def loaded(network, published, prefix):
    """`network` in float64 with published weights, whose names ours are under `prefix`."""
    ours = {name.removeprefix(prefix): tensor for name, tensor in renamed(published).items()}
    network.double().load_state_dict(ours)
    return network


def field(pixels, shape):
    """The reference's (B, H * W, k, k) as (B, L, H, W)."""
    pixels = torch.from_numpy(pixels).flatten(2)
    return pixels.unflatten(1, shape).permute(0, 3, 1, 2)


@pytest.fixture
def flow(fixture):
    arrays = fixture("ufpnet_flow")
    published = {f"flow.{name}": tensor for name, tensor in tensors(arrays, "sd/").items()}
    return loaded(KernelFlow(5, hidden=6), published, "flow.").eval(), arrays


def test_the_flow_matches_the_reference(flow):
    flow, arrays = flow
    kernels, noise = (torch.from_numpy(arrays[name])[:, None] for name in ("kernel", "noise"))
    logits = to_logits(kernels, noise)
    np.testing.assert_allclose(logits, arrays["x"], **CLOSE)
    codes, log_determinant = flow.analyse(logits)
    np.testing.assert_allclose(codes.detach(), arrays["z"], **CLOSE)
    np.testing.assert_allclose(log_determinant.detach(), arrays["logdet"], **CLOSE)
    density = flow.log_density(logits).detach()
    np.testing.assert_allclose(density, arrays["log_prob"], **CLOSE)
    assert -density.mean().item() == pytest.approx(float(arrays["nll"]), abs=1e-9)
    back, log_determinant = flow.generate(codes)
    np.testing.assert_allclose(back.detach(), arrays["x_inv"], **CLOSE)
    np.testing.assert_allclose(log_determinant.detach(), arrays["logdet_inv"], **CLOSE)
    expected = (kernels + noise / LEVELS).flatten(1)
    np.testing.assert_allclose(from_logits(back).detach(), expected, rtol=0, atol=1e-7)
    samples = flow.kernels(torch.from_numpy(arrays["z_sample"]))
    np.testing.assert_allclose(samples.detach(), arrays["kernel_sample"].reshape(5, -1), **CLOSE)


def test_a_training_pass_takes_the_batchs_statistics_and_moves_the_running_ones(flow):
    flow, arrays = flow
    codes, log_determinant = flow.train().analyse(torch.from_numpy(arrays["x"]))
    np.testing.assert_allclose(codes.detach(), arrays["train_z"], **CLOSE)
    np.testing.assert_allclose(log_determinant.detach(), arrays["train_logdet"], **CLOSE)
    after = {f"flow.{name}": tensor for name, tensor in tensors(arrays, "train_after/").items()}
    for name, expected in renamed(after).items():
        found = flow.state_dict()[name.removeprefix("flow.")]
        np.testing.assert_allclose(found, expected, **CLOSE)


def test_the_logit_of_a_single_pixel_is_a_number():
    kernel = torch.zeros(1, 1, 3, 3)
    kernel[0, 0, 1, 1] = 1
    assert torch.isfinite(to_logits(kernel, torch.ones_like(kernel))).all()


def test_the_estimator_matches_the_reference(fixture):
    arrays = fixture("ufpnet_kenet")
    published = {f"kernel_extra.{name}": tensor for name, tensor in tensors(arrays, "sd/").items()}
    estimator = loaded(KernelEstimator(5, (4, 6, 8)), published, "estimator.")
    image = torch.from_numpy(arrays["image"])
    shape = tuple(image.shape[-2:])
    with torch.no_grad():
        softmax, sigma = estimator(image)
    np.testing.assert_allclose(softmax, field(arrays["code_softmax"], shape), **CLOSE)
    np.testing.assert_allclose(sigma.flatten(1), arrays["sigma"], **CLOSE)
    codes = standardised(softmax)
    np.testing.assert_allclose(codes, field(arrays["z"], shape), **CLOSE)
    moved = uncertain(codes, sigma, field(arrays["eps"], shape))
    np.testing.assert_allclose(moved, field(arrays["z_hat"], shape), **CLOSE)


def test_kernel_attention_matches_the_reference(fixture):
    arrays = fixture("ufpnet_kam")
    published = {
        f"encoders.0.0.kernel_atttion.{name}": tensor for name, tensor in tensors(arrays, "sd/").items()
    }
    attention = loaded(KernelAttention(6, 25), published, "restorer.encoder.0.0.attention.")
    features = attention.kernels(torch.from_numpy(arrays["kernel"]))
    found = attention(torch.from_numpy(arrays["x"]), features)
    np.testing.assert_allclose(found.detach(), arrays["y"], **CLOSE)


def test_the_blocks_match_the_reference(fixture):
    arrays = fixture("ufpnet_nafblock")
    x, kernels = torch.from_numpy(arrays["x"]), torch.from_numpy(arrays["kernel"])

    def block(prefix, attention=None):
        published = {f"encoders.0.0.{name}": tensor for name, tensor in tensors(arrays, prefix).items()}
        return loaded(NafBlock(6, attention=attention), published, "restorer.encoder.0.0.")

    plain = block("sd/")
    np.testing.assert_allclose(plain.norm1(x).detach(), arrays["norm1"], **CLOSE)
    np.testing.assert_allclose(plain(x).detach(), arrays["y"], **CLOSE)
    attending = block("sdk/", KernelAttention(6, 25))
    found = attending(x, attending.attention.kernels(kernels))
    np.testing.assert_allclose(found.detach(), arrays["y_kernel_block"], **CLOSE)


@pytest.mark.parametrize("case", [0, 1, 2])
def test_local_means_match_the_reference(fixture, case):
    arrays = fixture("ufpnet_tlc")
    (window,) = set(arrays[f"window{case}"].tolist())
    found = mean_around(torch.from_numpy(arrays[f"x{case}"]), window)
    np.testing.assert_allclose(found.expand(arrays[f"y{case}"].shape), arrays[f"y{case}"], **CLOSE)
