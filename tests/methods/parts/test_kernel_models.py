import pytest
import torch

from methods.parts.kernel_models import fitted, kernel_models, to_its_blur, to_the_kernel
from methods.robust_bid import Settings

SMALL = Settings(channels=4, skip_channels=2, kernel_hidden=20, siren_width=8)


def peak():
    kernel = torch.zeros(9, 11)
    kernel[3, 4:8] = 0.25
    return kernel


def models():
    return kernel_models((9, 11), torch.Generator().manual_seed(0), SMALL)


@pytest.mark.parametrize("name", list(models()))
@pytest.mark.parametrize("misfit", [to_the_kernel(peak()), to_its_blur(torch.rand(1, 30, 31), peak())])
def test_every_prior_comes_closer(name, misfit):
    model = models()[name]
    steps, kernels = zip(*fitted(model, misfit, 25, 10), strict=True)
    assert steps == (0, 10, 20, 25)
    assert misfit(kernels[-1]) < misfit(kernels[0])
    assert kernels[-1].shape == (9, 11)


def test_the_same_seed_gives_the_same_fit():
    ends = [list(fitted(models()["sine network"], to_the_kernel(peak()), 3, 3))[-1][1] for _ in range(2)]
    assert torch.equal(*ends)
