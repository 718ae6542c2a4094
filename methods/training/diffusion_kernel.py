"""Train a diffusion model of motion kernels, for BlindDPS at demo size.

H. Chung, J. Kim, S. Kim, J. C. Ye, "Parallel Diffusion Models of Operator and Image for Blind Inverse
Problems", CVPR 2023, section 5: five of six kernels are motion kernels of intensity U(0.2, 1), one is a
Gaussian of standard deviation U(0.1, 5). The paper does not say how kernels are scaled; here the maximum of
each is 1.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmark.blur.convolution import rotate_180
from benchmark.blur.motion_blur import motion_blur_kernel
from benchmark.core.progress import Report
from methods.parts.weight_files import file_name
from methods.training.diffusion import DiffusionSettings, DiffusionTraining
from methods.training.kernels import turned
from methods.training.loop import Materials
from methods.training.registry import Training

GAUSSIANS = 1 / 6  # share of the kernels
DEVIATIONS = (0.1, 5.0)  # range of the Gaussians' standard deviations, in pixels
INTENSITIES = (0.2, 1.0)  # range of the motion kernels' intensities


@dataclass(frozen=True)
class Settings(DiffusionSettings):
    """The paper's kernels; the network and the reductions are our own."""

    # Kernels are drawn in the network's size, reduced by one of these factors and placed in the middle. The
    # paper has kernels of 64 px for images of 256 px, so a model for images of 64 px needs kernels of 16 px.
    reductions: tuple[int, ...] = (1, 2, 4)

    def __post_init__(self) -> None:
        super().__post_init__()
        for reduction in self.reductions:
            if reduction < 1 or self.side % (2 * reduction):
                raise ValueError(f"reductions must leave an even side, which {reduction} does not")
        if not self.reductions:
            raise ValueError("reductions must name at least one, such as 1")


def drawn(count: int, side: int, reductions: tuple[int, ...], rng: np.random.Generator) -> Tensor:
    """Draw `count` kernels (count, 1, side, side), correlation form, each scaled to [-1, 1]."""
    kernels = []
    for _ in range(count):
        if rng.random() < GAUSSIANS:
            kernel = _gaussian(side, rng.uniform(*DEVIATIONS))
        else:
            motion = motion_blur_kernel(side, rng.uniform(*INTENSITIES), rng)
            kernel = rotate_180(torch.from_numpy(motion.astype(np.float32)))[-side:, -side:]
        reduction = int(rng.choice(reductions))
        small = functional.avg_pool2d(kernel[None], reduction)
        kernels.append(functional.pad(small, ((side - side // reduction) // 2,) * 4))
    batch = turned(torch.stack(kernels), rng)
    return 2 * batch / batch.amax((-2, -1), keepdim=True) - 1


def _gaussian(side: int, deviation: float) -> Tensor:
    """Draw a Gaussian about the entry that torch's 'same' correlation takes for an even kernel's centre."""
    offsets = torch.arange(side) - (side - 1) // 2
    profile = (-(offsets**2) / (2 * deviation**2)).exp()
    return profile[:, None] * profile


def start(
    settings: Settings, materials: Materials, seed: int, device: torch.device, report: Report
) -> DiffusionTraining:
    """Start the training. Kernels are drawn when they are needed; held-out ones come from another seed."""
    del materials, report

    def draw(count: int, rng: np.random.Generator) -> Tensor:
        return drawn(count, settings.side, settings.reductions, rng)

    data = f"motion and Gaussian kernels, reduced by {', '.join(map(str, settings.reductions))}"
    return DiffusionTraining(settings, "diffusion-kernel", seed, device, draw, draw, data)


TRAINING = Training(
    name="diffusion-kernel",
    title="Diffusion model of motion kernels",
    paper="Chung et al., Parallel Diffusion Models of Operator and Image for Blind Inverse Problems, "
    "CVPR 2023, section 5; the network is ADM's, small",
    settings=Settings,
    start=start,
    outputs=lambda settings: (file_name("diffusion-kernel", settings.side),),
)
