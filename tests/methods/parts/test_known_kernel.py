import pytest
import torch

from methods.parts.image_priors.skip import SkipSettings
from methods.parts.kernel_priors.fcn import FcnSettings
from methods.parts.kernel_priors.known_kernel import blur_misfit, candidates, fit_steps, kernel_misfit
from methods.parts.kernel_priors.siren import SirenSettings


def peak():
    kernel = torch.zeros(9, 11)
    kernel[3, 4:8] = 0.25
    return kernel


def priors():
    return candidates(
        (9, 11), torch.Generator().manual_seed(0), SkipSettings(channels=4, skip_channels=2),
        FcnSettings(kernel_hidden=20), SirenSettings(siren_width=8),
    )  # fmt: skip


@pytest.mark.parametrize("name", list(priors()))
@pytest.mark.parametrize("misfit", [kernel_misfit(peak()), blur_misfit(torch.rand(1, 30, 31), peak())])
def test_every_prior_comes_closer(name, misfit):
    steps, kernels = zip(*fit_steps(priors()[name], misfit, 25, 10), strict=True)
    assert steps == (0, 10, 20, 25)
    assert misfit(kernels[-1]) < misfit(kernels[0])
    assert kernels[-1].shape == (9, 11)


def test_the_same_seed_gives_the_same_fit():
    ends = [list(fit_steps(priors()["sine network"], kernel_misfit(peak()), 3, 3))[-1][1] for _ in range(2)]
    assert torch.equal(*ends)
