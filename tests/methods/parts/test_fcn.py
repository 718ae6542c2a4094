import numpy as np
import torch

from benchmark.blur.convolution import rotate_180
from methods.parts.kernel_priors.fcn import FcnKernel, FcnKernels
from methods.parts.seeding import initialised_from


def reference_kernel(arrays, code, size, hidden, prefix="sd/"):
    """Our kernel network with the weights of the reference's, whose linear layers are called 1 and 3."""
    kernel = FcnKernel(torch.from_numpy(code), size, hidden).double()
    weights = {"expand": "1", "entries": "3"}
    kernel.load_state_dict(
        {"code": torch.from_numpy(code)}
        | {
            f"{ours}.{leaf}": torch.from_numpy(arrays[f"{prefix}{theirs}.{leaf}"])
            for ours, theirs in weights.items()
            for leaf in ("weight", "bias")
        }
    )
    return kernel


def test_matches_the_reference_forward_and_backward(fixture):
    arrays = fixture("dip_fcn")
    network = reference_kernel(arrays, arrays["input"], (7, 7), 30)

    kernels = network()
    correlation_form = rotate_180(kernels)[0]
    (correlation_form.flatten() * torch.from_numpy(arrays["weights"])).sum().backward()

    np.testing.assert_allclose(correlation_form.detach(), arrays["kernel"][0, 0], rtol=0, atol=1e-13)
    for ours, theirs in (("expand", "1"), ("entries", "3")):
        for leaf in ("weight", "bias"):
            expected = arrays[f"grad/{theirs}.{leaf}"]
            gradient = getattr(getattr(network, ours), leaf).grad
            np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-11 * abs(expected).max())


def test_kernel_is_positive_and_sums_to_one_for_any_size():
    for size in ((1, 1), (5, 9), (4, 6)):
        kernels = FcnKernel(torch.rand(10), size, hidden=20)()
        assert kernels.shape == (1, *size)
        assert (kernels > 0).all()
        torch.testing.assert_close(kernels.sum(), torch.tensor(1.0))


def test_networks_evaluated_at_once_are_those_evaluated_alone():
    rng = torch.Generator().manual_seed(0)
    codes = torch.rand(3, 10, generator=rng)
    with initialised_from(rng):
        together = FcnKernels(codes, (5, 4), hidden=20)
    kernels = together()
    assert kernels.shape == (3, 5, 4)
    for index in range(3):
        alone = FcnKernel(codes[index], (5, 4), hidden=20)
        alone.expand.weight.data = together.expand_weight[index].detach()
        alone.expand.bias.data = together.expand_bias[index].detach()
        alone.entries.weight.data = together.entries_weight[index].detach()
        alone.entries.bias.data = together.entries_bias[index].detach()
        torch.testing.assert_close(kernels[index : index + 1], alone(), rtol=1e-5, atol=1e-7)
    assert (kernels[0] - kernels[1]).abs().max() > 0  # weights of their own, too
    assert not torch.equal(together.expand_weight[0], together.expand_weight[1])
