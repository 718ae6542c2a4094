"""Robust BID: kernels of unknown size and substantial noise; and its image part alone, without any kernel.

Z. Zhuang, T. Li, H. Wang, J. Sun, "Blind Image Deblurring with Unknown Kernel Size and Substantial Noise",
IJCV 2023: equation (21) and Algorithm 1. The authors released no code; widths, depths and initial codes are
those of the public networks that the paper builds on. `dip-only` is the comparison of section 4.2.3, where
there is no blur.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.blur.convolution import blur, uniform_blur
from benchmark.core.errors import NotSupportedError
from benchmark.core.types import Observation
from methods.parts.ending import EndingSettings, with_ending
from methods.parts.fit import Fit, ReadOut, build_fit, middle
from methods.parts.image_priors.skip import SkipSettings
from methods.parts.kernel_priors.convolutional import convolutional_kernel
from methods.parts.kernel_priors.dirac import DiracKernel
from methods.parts.kernel_priors.fcn import KERNEL_RATE, SHORT_RUN_KERNEL_RATE, FcnSettings
from methods.parts.kernel_priors.protocol import KernelPrior, KernelSetup
from methods.parts.kernel_priors.siren import SirenSettings
from methods.parts.limits import at_least
from methods.parts.localisation import WINDOW, kernel_centre, locate
from methods.parts.objectives import Operator, ResidualSettings
from methods.parts.presets import QUICK, QUICK_BLIND
from methods.parts.registry import Method
from methods.parts.solver import Result
from methods.parts.stages import Schedule, Stage
from methods.parts.stopping import StopSettings
from methods.parts.warm_start import StartSettings

PAPER = "Zhuang et al., Blind Image Deblurring with Unknown Kernel Size and Substantial Noise, IJCV 2023"
LICENCE = "the authors released no code; this is our own"


@dataclass(frozen=True)
class ImageSettings:
    """The paper's values for synthetic blur; real photographs take a tenth of the rates (section 4.1)."""

    # Section 4: up to 10,000 iterations; rates are halved after 2000, 3000, 5000 and 8000.
    schedule: Schedule = Schedule(iterations=10_000, milestones=(0.2, 0.3, 0.5, 0.8))
    image: SkipSettings = SkipSettings()
    residual: ResidualSettings = ResidualSettings()
    stopping: StopSettings = StopSettings(stop="wmv")

    def __post_init__(self) -> None:
        self.stopping.check_fits(self.schedule.iterations)


@dataclass(frozen=True)
class Settings(ImageSettings):
    """The paper's values for synthetic blur; for real photographs: image_rate 1e-3, kernel_rate 1e-5."""

    network: FcnSettings = FcnSettings()
    siren: SirenSettings = SirenSettings()
    kernel_rate: float = KERNEL_RATE  # learning rate of the kernel prior
    start: StartSettings = StartSettings()
    # Which network gives the kernel. siren: the paper's sine network. network: SelfDeblur's. convolutional:
    # one like the image's (sections 3.4 and 4.3).
    kernel_prior: Literal["siren", "network", "convolutional"] = "siren"
    # Where the result lies in the latent image (section 3.6, Figs. 8 and 9). located: at the window most
    # similar to the blurry image. middle: in the middle, as SelfDeblur has it. all: the latent image is no
    # larger than the observation, with zeros outside, which leaves no room for a shift.
    result: Literal["located", "middle", "all"] = "located"
    ending: EndingSettings = EndingSettings()

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(0, self, "kernel_rate")

    def without_effect(self) -> dict[str, str]:
        """Find the settings of other kernel priors: see `methods.parts.settings.without_effect`."""
        reason = f"kernel_prior: {self.kernel_prior}"
        parts = {"network": self.network, "siren": self.siren}
        return {
            key: reason for prior, part in parts.items() if prior != self.kernel_prior for key in vars(part)
        }


def most_similar(blurry: Tensor) -> ReadOut:
    """Return a read-out that takes the window of the latent image most similar to `blurry` (C, H, W).

    The kernel moves along within its box: what leaves the box is lost, and the rest gets sum 1 again.
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
    """Return a read-out that takes the middle of the latent image, as large as `blurry` (C, H, W)."""
    return middle((blurry.shape[1], blurry.shape[2]))


def whole(blurry: Tensor) -> ReadOut:
    """Return a read-out that takes all of the latent image."""
    del blurry
    return Result


def whole_without_kernel(blurry: Tensor) -> ReadOut:
    """Return a read-out that takes all of the latent image, and no kernel."""
    del blurry
    return lambda image, _: Result(image)


def blur_with_zeros(image: Tensor, kernels: Tensor) -> Tensor:
    """Blur `image` (C, H, W) by the one of `kernels` (1, h, w), with zeros around it, to (C, H, W)."""
    return blur(image, kernels[0], "zero")


def shifted(kernels: Tensor, by: tuple[int, int]) -> Tensor:
    """Move `kernels` (P, h, w) by less than their size, down and to the right; zeros come in."""
    down, right = by
    return functional.pad(kernels, (right, -right, down, -down))


@dataclass(frozen=True)
class Placement:
    """Where the result lies in the latent image, and how the observation comes from that image."""

    read_out: Callable[[Tensor], ReadOut]  # blurry image (C, H, W) -> read-out
    operator: Operator = uniform_blur
    has_margin: bool = True  # whether the latent image is larger than the observation, by the kernel


PLACEMENTS = {
    "located": Placement(most_similar),
    "middle": Placement(in_the_middle),
    "all": Placement(whole, blur_with_zeros, has_margin=False),
}


def problem(observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device) -> Fit:
    """Build the fit of the observation's latent image and kernel.

    A kernel of undeclared size gets half the image on each axis.

    Raises:
        NotSupportedError: The image is too small to be located; the kernel is even although the latent image
            is no larger than the observation; or as `convolutional_kernel`.
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
    prior: KernelPrior
    if settings.kernel_prior == "network":
        prior = settings.network.draw(1, size, rng)
    elif settings.kernel_prior == "convolutional":
        prior = convolutional_kernel(settings.image, size, rng)
    else:
        prior = settings.siren.draw(size, rng)
    drawn = KernelSetup(prior, settings.kernel_rate)
    kernel = settings.start.begun(drawn, observation, rng, device, settings.schedule.iterations)
    return _fit(observation, settings, rng, device, kernel, PLACEMENTS[settings.result])


def problem_without_kernel(
    observation: Observation, settings: ImageSettings, rng: torch.Generator, device: torch.device
) -> Fit:
    """Build the fit of an image as large as the observation, which is taken for noisy and not blurry."""
    kernel = KernelSetup(DiracKernel(), rate=0.0)
    return _fit(observation, settings, rng, device, kernel, Placement(whole_without_kernel))


def _fit(
    observation: Observation,
    settings: ImageSettings,
    rng: torch.Generator,
    device: torch.device,
    kernel: KernelSetup,
    placement: Placement,
) -> Fit:
    blurry = torch.from_numpy(observation.blurry).to(device)
    support = kernel.prior.size if placement.has_margin else (1, 1)
    frame = (blurry.shape[1], blurry.shape[2])
    # The caption of the paper's figure of the network names no non-local block.
    image = settings.image.draw(len(blurry), frame, support, rng, non_local=False)
    iterations, residual = settings.schedule.iterations, settings.residual
    return build_fit(
        observation,
        image,
        kernel,
        [Stage(residual.data_term, iterations, residual.objective(blurry))],
        settings.schedule,
        rng,
        device,
        operator=placement.operator,
        read_out=placement.read_out(blurry),
        stopper=settings.stopping.stopper(),
    )


def half(frame: tuple[int, int]) -> tuple[int, int]:
    """Return half of `frame` (H, W) on each axis, rounded up: the kernel's size where none is declared."""
    return -(-frame[0] // 2), -(-frame[1] // 2)


# What config/robust.yaml has for short runs on small images, as config/robust-choice.yaml chose it.
QUICK_IMAGE = {**QUICK, "stop": "watched", "regulariser": "l1/l2-mean"}
METHODS = (
    Method(
        name="robust-bid",
        title="Robust BID",
        paper=PAPER,
        licence=LICENCE,
        blur_models=("uniform",),
        settings=Settings,
        problem=with_ending(problem),
        presets={
            "quick": {
                **QUICK_BLIND,
                **QUICK_IMAGE,
                "kernel_rate": SHORT_RUN_KERNEL_RATE,
                "siren_entries": "softmax",
            }
        },
        uses=lambda settings: settings.start.methods_run_first(),
    ),
    Method(
        name="dip-only",
        title="DIP, no kernel",
        paper=PAPER,
        licence=LICENCE,
        blur_models=("uniform",),
        settings=ImageSettings,
        problem=problem_without_kernel,
        presets={"quick": QUICK_IMAGE},
    ),
)
