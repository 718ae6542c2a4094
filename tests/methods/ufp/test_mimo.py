"""The attention to kernels in another network."""

import pytest
import torch

from methods.ufp.mimo import MimoUnet, multi_scale_loss


def parameters(**sizes):
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in MimoUnet(**sizes).parameters())


def test_the_published_network_has_its_printed_size():
    assert parameters() / 1e6 == pytest.approx(16.1, abs=0.05)


def test_the_module_adds_what_its_formula_says():
    length = 19**2
    attention = sum(36 * c * c + 9 * length * c + 4 * c for c in (32, 64, 128))
    assert parameters(kernel_size=19) - parameters() == attention + 2 * (4 * length**2 + length)


@pytest.fixture
def pair():
    rng = torch.Generator().manual_seed(0)
    sharp = torch.rand(1, 3, 24, 32, generator=rng)
    kernels = torch.rand(1, 9, 24, 32, generator=rng)
    return (sharp + sharp.roll(1, -1)) / 2, sharp, kernels / kernels.sum(1, keepdim=True)


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MimoUnet(width=8, blocks=1, kernel_size=3)


def test_images_of_three_sizes_come_out_and_depend_on_the_kernels(network, pair):
    blurry, _, kernels = pair
    with torch.no_grad():
        outputs, others = network(blurry, kernels), network(blurry, kernels.flip(1))
    assert [tuple(output.shape) for output in outputs] == [(1, 3, 24, 32), (1, 3, 12, 16), (1, 3, 6, 8)]
    for output, other in zip(outputs, others, strict=True):
        assert not torch.equal(output, other)


def test_it_learns(network, pair):
    blurry, sharp, kernels = pair
    adam = torch.optim.Adam(network.parameters(), lr=2e-3)
    losses = []
    for _ in range(40):
        loss = multi_scale_loss(network(blurry, kernels), sharp)
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
    assert multi_scale_loss([sharp], sharp).item() == 0
