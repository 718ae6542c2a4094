"""Robust blind deblurring: kernels of unknown size, substantial noise.

Z. Zhuang, T. Li, H. Wang, J. Sun, "Blind Image Deblurring with Unknown Kernel Size and Substantial Noise",
IJCV 2023: equation (21) and Algorithm 1. The authors released no code; widths, depths and initial codes are
those of the public networks that the paper builds on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.blur.convolution import blur, uniform_blur
from benchmark.core.types import NotSupportedError, Observation
from methods.parts.fit import Fit, Rates, ReadOut, Stage, middle
from methods.parts.image_priors.skip import DeepImagePrior, SkipSettings, plain_network
from methods.parts.kernel_priors.convolutional import ConvolutionalKernel, convolutional_kernel
from methods.parts.kernel_priors.dirac import DiracKernel
from methods.parts.kernel_priors.fcn import FcnKernel, FcnKernels, FcnSettings
from methods.parts.kernel_priors.siren import SirenKernel, SirenSettings
from methods.parts.limits import at_least
from methods.parts.localisation import WINDOW, kernel_centre, locate
from methods.parts.losses import (
    Objective,
    Operator,
    huber,
    mean_absolute,
    mse,
    relative_gradient_sparsity,
    total_variation,
    weighted,
)
from methods.parts.registry import Method
from methods.parts.seeding import generator_from, initialised_from
from methods.parts.solver import Result
from methods.parts.stopping import StopSettings

KernelPrior = ConvolutionalKernel | DiracKernel | FcnKernel | FcnKernels | SirenKernel

PAPER = "Zhuang et al., Blind Image Deblurring with Unknown Kernel Size and Substantial Noise, IJCV 2023"
LICENCE = "the authors released no code; this is our own"


@dataclass(frozen=True)
class ResidualSettings:
    """A data term and a regulariser of the image: equations (18), (19) and (21)."""

    data_term: Literal["huber", "l1", "mse"] = "huber"
    delta: float = 0.05  # of the Huber loss
    regulariser: Literal["l1/l2", "tv", "none"] = "l1/l2"
    # lambda, times means. Times the ratio l1/l2 as equation (19) has it, larger by the root of the number of
    # differences, it drowns the mean residual. On a crop of 128 px (kernel by sigmoid, input 28.7 dB, 420
    # iterations) that ratio gives 28.0 dB at 1e-6 and 29.6 at 3e-8, about this weight times means; 21.6 at
    # 1e-5, with a slower kernel. The best of the paper's Table 2 agree: 2e-3 for the mean of |grad x|,
    # and 1e-4, that times the usual rms of gradients (0.05), for the ratio.
    regulariser_weight: float = 1e-5

    def check_residual(self) -> None:
        """Raises ValueError naming a setting that cannot be."""
        at_least(0, self, "regulariser_weight")
        if not self.delta > 0:
            raise ValueError(f"delta must be positive, not {self.delta}")

    def residual(self, blurry: Tensor) -> Objective:
        """Data term + lambda * regulariser, for `blurry` (C, H, W)."""
        data_term = {
            "huber": huber(blurry, self.delta),
            "l1": mean_absolute(blurry),
            "mse": mse(blurry),
        }[self.data_term]
        if self.regulariser == "none":
            return data_term
        regulariser = {"l1/l2": relative_gradient_sparsity, "tv": total_variation}[self.regulariser]
        return weighted((1.0, data_term), (self.regulariser_weight, regulariser))


@dataclass(frozen=True)
class ImageSettings(SkipSettings, ResidualSettings, StopSettings):
    """The paper's values for synthetic blur; real photographs take a tenth of the rates (section 4.1)."""

    iterations: int = 10_000
    milestones: tuple[float, ...] = (0.2, 0.3, 0.5, 0.8)  # iterations 2000, 3000, 5000, 8000
    stop: Literal["fixed", "wmv", "watched"] = "wmv"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_residual()
        self.check_stop(self.iterations)


@dataclass(frozen=True)
class Settings(ImageSettings, SirenSettings, FcnSettings):
    """The paper's values for synthetic blur; real photographs take 1e-3 and 1e-5 as rates (section 4.1)."""

    # The paper's, SelfDeblur's, or a deep image prior of its own (sections 3.4 and 4.3).
    kernel_prior: Literal["siren", "network", "convolutional"] = "siren"
    # Where the result lies in the latent image (section 3.6, Figs. 8 and 9). located: at the window most
    # similar to the blurry image; middle: SelfDeblur's; all: the latent image is no larger than the
    # observation, with zeros outside, which leaves no room for a shift.
    result: Literal["located", "middle", "all"] = "located"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_siren()
        at_least(1, self, "kernel_code", "kernel_hidden")
        at_least(0, self, "kernel_rate")


def most_similar(blurry: Tensor) -> ReadOut:
    """The result is the window of the latent image that is most similar to `blurry`.

    The kernel moves along in its box: what is shifted out is lost, the rest sums to one.
    """

    def read_out(image: Tensor, kernels: Tensor) -> Result:
        row, column = locate(image.detach(), blurry)
        size = (kernels.shape[-2], kernels.shape[-1])
        centre = kernel_centre((row, column), size)
        window = image[:, row : row + blurry.shape[1], column : column + blurry.shape[2]]
        moved = shifted(kernels, (size[0] // 2 - centre[0], size[1] // 2 - centre[1]))
        return Result(window, moved / moved.sum((-2, -1), keepdim=True))

    return read_out


def in_the_middle(blurry: Tensor) -> ReadOut:
    """The result is the middle of the latent image."""
    return middle((blurry.shape[1], blurry.shape[2]))


def as_it_is(blurry: Tensor) -> ReadOut:
    """The result is the latent image."""
    del blurry
    return Result


def blur_with_zeros(image: Tensor, kernels: Tensor) -> Tensor:
    """`image` (C, H, W) through the one of `kernels` (1, h, w), zeros around it: (C, H, W)."""
    return blur(image, kernels[0], "zero")


def shifted(kernels: Tensor, by: tuple[int, int]) -> Tensor:
    """`kernels` (P, h, w) moved down and to the right (less than its size), zeros behind."""
    down, right = by
    return functional.pad(kernels, (right, -right, down, -down))


@dataclass(frozen=True)
class Placement:
    """Where the result lies in the latent image, and how the observation comes from that."""

    read_out: Callable[[Tensor], ReadOut]  # from the blurry image (C, H, W)
    operator: Operator = uniform_blur
    has_margin: bool = True  # whether the latent image is larger than the observation by the kernel


PLACEMENTS = {
    "located": Placement(most_similar),
    "middle": Placement(in_the_middle),
    "all": Placement(as_it_is, blur_with_zeros, has_margin=False),
}


def problem(observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device) -> Fit:
    """The observation's latent image and kernel as a joint fit, drawn from `rng`.

    A kernel of undeclared size gets half the image on each axis.
    Raises NotSupportedError for an even kernel when the latent image is no larger than the observation, and
    for an image that is too small to be located.
    """
    frame = (observation.blurry.shape[1], observation.blurry.shape[2])
    if settings.result == "located" and min(frame) < WINDOW:
        raise NotSupportedError(
            f"an image of {frame[0]} x {frame[1]} px is too small: {WINDOW} px at least, on each side, to be "
            "located in the latent image"
        )
    size = observation.kernel_size or half(frame)
    if settings.result == "all" and not (size[0] % 2 and size[1] % 2):
        raise NotSupportedError(
            f"an even kernel ({size[0]} x {size[1]}) has no centre, which result: all needs; "
            "declare an odd size"
        )
    kernel: KernelPrior
    if settings.kernel_prior == "network":
        kernel = settings.kernel_networks(1, size, rng)
    elif settings.kernel_prior == "convolutional":
        kernel = convolutional_kernel(settings, size, rng)
    else:
        kernel = settings.siren(size, rng)
    placement = PLACEMENTS[settings.result]
    return fit(observation, settings, rng, device, kernel, settings.kernel_rate, placement)


def fit(
    observation: Observation,
    settings: ImageSettings,
    rng: torch.Generator,
    device: torch.device,
    kernel: KernelPrior,
    kernel_rate: float,
    placement: Placement,
) -> Fit:
    """The observation's latent image, its network drawn from `rng`, and `kernel`, fitted together."""
    blurry = torch.from_numpy(observation.blurry).to(device)
    reach = kernel.size if placement.has_margin else (1, 1)
    code = settings.image_code((blurry.shape[1], blurry.shape[2]), reach, rng)
    with initialised_from(rng):
        network = plain_network(settings, len(blurry), settings.scales)
    return Fit(
        image=DeepImagePrior(network, code, noise_scale=0.0).to(device),
        kernel=kernel.to(device),
        operator=placement.operator,
        stages=[Stage(settings.data_term, settings.iterations, settings.residual(blurry))],
        rates=Rates(settings.image_rate, kernel_rate, settings.milestone_iterations()),
        read_out=placement.read_out(blurry),
        rng=generator_from(rng, device),
        stopper=settings.stopper(),
    )


def half(frame: tuple[int, int]) -> tuple[int, int]:
    """The size of a kernel that nothing is known of: half of `frame` on each axis, rounded up."""
    return -(-frame[0] // 2), -(-frame[1] // 2)


METHOD = Method(
    name="robust-bid",
    title="Robust BID",
    paper=PAPER,
    licence=LICENCE,
    blur_models=("uniform",),
    settings=Settings,
    problem=problem,
)
