import torch

from methods.parts.kernel_priors.logits import LogitKernel


def drawn():
    """Two kernels, one with empty pixels."""
    kernels = torch.rand(2, 5, 7, generator=torch.Generator().manual_seed(0))
    kernels[0, 1:3] = 0
    return kernels / kernels.sum((1, 2), keepdim=True)


def moved(prior):
    """`prior` after a step of Adam towards flatter kernels."""
    adam = torch.optim.Adam(prior.parameters(), lr=0.1)
    prior().square().sum().backward()
    adam.step()
    return prior


def test_gives_the_kernels_that_it_starts_at():
    prior = LogitKernel(2, (5, 7))
    assert torch.equal(prior(), torch.full((2, 5, 7), 1 / 35))
    prior.start_at(drawn())
    torch.testing.assert_close(prior(), drawn(), rtol=1e-5, atol=1e-30)


def test_moves_pixel_by_pixel_keeps_sum_one_and_leaves_empty_pixels_empty():
    prior = LogitKernel(2, (5, 7))
    prior.start_at(drawn())
    kernels = moved(prior)().detach()
    assert (kernels - drawn())[1].abs().min() > 0
    torch.testing.assert_close(kernels.sum((1, 2)), torch.ones(2), rtol=0, atol=1e-6)
    assert kernels[0, 1:3].max() < 1e-30


def test_frozen_it_has_no_gradient():
    prior = LogitKernel(1, (5, 7))
    assert torch.equal(prior.frozen(), prior())
    assert not prior.frozen().requires_grad
