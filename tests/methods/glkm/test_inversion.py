import torch

from methods.glkm.generator import Generator
from methods.glkm.inversion import best_inverted, inverted


def generator():
    torch.manual_seed(0)
    return Generator(13, width=2).eval().requires_grad_(False)


def test_each_kernel_gets_the_codes_that_come_closest_to_it():
    network, starts = generator(), torch.randn(4, 3, 100, 1, 1)
    with torch.no_grad():
        made = torch.stack([network(codes) for codes in starts])  # (4, 3, 1, 13, 13)
    kernels = torch.stack([made[2, 0], made[1, 1], made[3, 2]])
    best = best_inverted(network, starts, kernels, steps=0, rate=0.01)
    assert torch.equal(best, torch.stack([starts[2, 0], starts[1, 1], starts[3, 2]]))


def test_an_inversion_ends_nearer_to_the_kernel_and_starts_again_each_time():
    network, codes = generator(), torch.randn(2, 100, 1, 1)
    with torch.no_grad():
        kernels = network(torch.randn(2, 100, 1, 1))
    before = codes.clone()
    ends = inverted(network, codes, kernels, steps=30, rate=0.1, reduction="sum")
    assert torch.equal(codes, before)
    assert not ends.requires_grad
    assert (network(ends) - kernels).abs().sum() < 0.7 * (network(codes) - kernels).abs().sum()


def test_features_are_inverted_under_the_sum_of_the_differences():
    network = generator()
    with torch.no_grad():
        kernels = network(torch.randn(1, 100, 1, 1))
        features = network.features(torch.randn(1, 100, 1, 1))
    variable = features.clone().requires_grad_()
    (gradient,) = torch.autograd.grad((network.kernels(variable) - kernels).abs().sum(), variable)
    ends = inverted(network.kernels, features, kernels, steps=1, rate=0.01, reduction="sum")
    torch.testing.assert_close(
        ends, features - 0.01 * gradient / (gradient.abs() + 1e-8)
    )  # Adam's first step
