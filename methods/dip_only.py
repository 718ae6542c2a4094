"""A deep image prior without any kernel: what the robust method is measured against where there is no blur.

Z. Zhuang, T. Li, H. Wang, J. Sun, "Blind Image Deblurring with Unknown Kernel Size and Substantial Noise",
IJCV 2023, section 4.2.3: the network, loss, rates and stop of `robust-bid`, the image as large as the
observation.
"""

import torch
from torch import Tensor

from benchmark.core.types import Observation
from methods import robust_bid
from methods.parts.fit import Fit, ReadOut
from methods.parts.kernel_priors.dirac import DiracKernel
from methods.parts.registry import Method
from methods.parts.solver import Result
from methods.robust_bid import Placement

Settings = robust_bid.ImageSettings


def problem(observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device) -> Fit:
    """The observation's latent image, drawn from `rng`."""
    return robust_bid.fit(observation, settings, rng, device, DiracKernel(), 0.0, Placement(_all_of_it))


def _all_of_it(blurry: Tensor) -> ReadOut:
    """The result is the latent image; no kernel is estimated."""
    del blurry
    return lambda image, _: Result(image)


METHOD = Method(
    name="dip-only",
    title="DIP, no kernel",
    paper=robust_bid.PAPER,
    licence=robust_bid.LICENCE,
    blur_models=("uniform",),
    settings=Settings,
    problem=problem,
)
