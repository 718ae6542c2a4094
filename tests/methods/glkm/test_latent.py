import pytest
import torch

from benchmark.blur.convolution import rotate_180
from benchmark.core.errors import NotSupportedError
from methods.glkm import start
from methods.glkm.generator import LATENT, Generator
from methods.glkm.latent import LatentKernel
from methods.glkm.start import ENOUGH, starting_at


def generator(size=31, width=8, seed=0):
    """Random weights, with features strong enough that codes decide about kernels."""
    rng = torch.Generator().manual_seed(seed)
    network = Generator(size, width, bn_eps=1e-5)
    for parameter in network.parameters():
        if parameter.ndim == 4:
            torch.nn.init.normal_(parameter, 0, 0.1, generator=rng)
    return network.eval().requires_grad_(False)


def codes(count=1, seed=1):
    return torch.randn(count, LATENT, 1, 1, generator=torch.Generator().manual_seed(seed))


def one_step(prior):
    """A gradient step towards flatter kernels."""
    prior().square().sum().backward()
    torch.optim.SGD(prior.parameters(), lr=0.1).step()


@pytest.mark.parametrize("variable", ["features", "code", "generator"])
def test_starts_at_the_generators_kernels_in_convolution_form(variable):
    network = generator()
    prior = LatentKernel(network, codes(3), variable)
    kernels = prior()
    assert kernels.shape == (3, 31, 31)
    assert torch.equal(rotate_180(kernels), network(codes(3))[:, 0])
    assert (kernels > 0).all()
    torch.testing.assert_close(kernels.sum((1, 2)), torch.ones(3), rtol=0, atol=1e-5)
    assert prior.latent.shape == ((3, LATENT, 1, 1) if variable == "code" else (3, 32, 3, 3))


def test_an_l_turns_once():
    """The generator correlates with an L, so the kernel of the convolution is the L turned by 180 degrees."""
    network = generator()
    drawn = torch.full((1, 1, 31, 31), -50.0)
    drawn[0, 0, 5:12, 7] = drawn[0, 0, 11, 7:10] = 0
    network.logits = lambda features: drawn
    kernels = LatentKernel(network, codes())()[0]
    rows, columns = (kernels > 0.01).nonzero(as_tuple=True)
    assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == sorted(
        (30 - row, 30 - column)
        for row, column in {*((row, 7) for row in range(5, 12)), *((11, column) for column in range(7, 10))}
    )


@pytest.mark.parametrize(
    ("variable", "names"),
    [
        ("features", {"latent"}),
        ("code", {"latent"}),
        ("generator", {"latent", "layers.0.0.weight", "layers.0.1.weight", "layers.0.1.bias",
                       "layers.1.0.weight", "layers.1.1.weight", "layers.1.1.bias", "layers.2.weight"}),
    ],
)  # fmt: skip
def test_gradients_reach_the_variable_and_never_the_generator(variable, names):
    network = generator()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    prior = LatentKernel(network, codes(), variable)
    assert {name for name, _ in prior.named_parameters()} == names
    assert {name for name in prior.state_dict() if "running" not in name and "num_" not in name} == names
    one_step(prior)
    assert all(parameter.grad.abs().sum() > 0 for parameter in prior.parameters())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_kernels_of_several_latents_do_not_see_each_other():
    together = LatentKernel(generator(), codes(3))()
    for index in range(3):
        alone = LatentKernel(generator(), codes(3)[index : index + 1])()
        torch.testing.assert_close(together[index : index + 1], alone, rtol=1e-4, atol=1e-7)


def test_a_shared_latent_moves_all_as_a_single_one_would():
    single = LatentKernel(generator(), codes())
    many = LatentKernel(generator(), codes().expand(4, -1, -1, -1))
    target = torch.rand(4, 31, 31, generator=torch.Generator().manual_seed(0))
    (many.shared() - target).square().sum().backward()
    (single().expand(4, -1, -1) - target).square().sum().backward()
    assert many.shared().shape == (4, 31, 31)
    for gradient in many.latent.grad:
        torch.testing.assert_close(gradient, single.latent.grad[0], rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("size", [(5, 3), (4, 6), (31, 31)])
def test_a_generator_for_all_sizes_is_cut_before_the_softmax(size):
    network = generator()
    kernels = LatentKernel(network, codes(), size=size)()
    assert kernels.shape == (1, *size)
    whole = network(codes())[0, 0]
    top, left = (31 - size[0]) // 2, (31 - size[1]) // 2
    middle = whole[top : top + size[0], left : left + size[1]]
    torch.testing.assert_close(rotate_180(kernels)[0], middle / middle.sum(), rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("size", [(31, 31), (15, 9)])
def test_inversion_reaches_a_kernel_by_features_and_comes_nearer_by_codes(monkeypatch, size):
    monkeypatch.setattr(start, "CODE_STEPS", 30)
    network = generator()
    kernels = LatentKernel(network, codes(seed=5), size=size)().detach()
    found = starting_at(network, codes(2), kernels)
    assert (found() - kernels).norm() <= ENOUGH * kernels.norm()
    nearest = starting_at(network, codes(2), kernels, "code")
    starts = LatentKernel(network, codes(2), "code", size)()
    assert (nearest() - kernels).norm() < min((kernel - kernels[0]).norm() for kernel in starts)


def test_inversion_that_does_not_arrive_is_no_start(monkeypatch):
    monkeypatch.setattr(start, "CODE_STEPS", 1)
    network = generator()
    network.logits = lambda features: features.sum() * torch.ones(len(features), 1, 31, 31)
    with pytest.raises(NotSupportedError, match="away from the kernel"):
        starting_at(network, codes(2), torch.eye(31)[None] / 31)
