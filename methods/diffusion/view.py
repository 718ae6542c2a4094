"""An observation in the range and size of a diffusion model of images: what BIRD and BlindDPS share.

Inside, images are (1, C, H, W) in [-1, 1]. The mid-grey border of the published methods is a border of zeros
there.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from benchmark.blur.convolution import blur, central_crop, odd_from_correlation, rotate_180
from benchmark.core.errors import NotSupportedError
from benchmark.core.types import Observation
from methods.diffusion import prior as priors
from methods.diffusion.prior import Prior
from methods.parts.colour import luma
from methods.parts.limits import declared_size

Border = Literal["grey", "interior"]


@dataclass(frozen=True)
class ViewSettings:
    """Settings: the prior of the image, a diffusion model or a denoiser, and what it is given."""

    prior: str = ""  # file or folder of the prior; the shipped one, of demo size, if empty
    # Whether to take images of another size than the model's. The model runs on them as it is, since
    # convolutions have no size, with sides rounded up to what its levels divide. It was not trained on them,
    # and the papers do not do so.
    other_sizes: bool = False
    # What lies outside the image. grey: mid-grey, as published. interior: whatever it is, pixels whose kernel
    # reaches it do not count (ours, for blurs under another boundary).
    border: Border = "grey"


class View:
    """A blurry image in the model's range; turns the model's images into residuals and results."""

    def __init__(
        self, observation: Observation, settings: ViewSettings, device: torch.device, prior: Prior
    ) -> None:
        """Prepare an observation.

        Raises NotSupportedError when the model is not for images of its size, or for grey ones alone.
        """
        photo = torch.from_numpy(observation.blurry).to(device)
        self.grey = len(photo) == 1
        self.frame = (photo.shape[1], photo.shape[2])
        side, factor = prior.side, prior.network.layers.factor
        channels = prior.network.layers.in_channels
        if channels == 1 and not self.grey:
            raise NotSupportedError(
                f"{prior.label} is for grey images, not for colour; take such images, or another prior"
            )
        if side is not None and self.frame != (side, side) and not settings.other_sizes:
            raise NotSupportedError(
                f"the diffusion model is for images of {side} x {side}, not {self.frame[0]} x "
                f"{self.frame[1]}; take such images, another prior, or set other_sizes"
            )
        # (1, C, H, W) of the model's images, whose middle is the frame of the observation.
        self.shape = (1, channels, *(factor * ceil(length / factor) for length in self.frame))
        self.prior, self.device = prior, device
        prior.network.to(device)
        # For a model of colour images a grey one gets three equal channels.
        self.blurry = (2 * photo - 1).expand(channels, -1, -1)
        self.margin = (0, 0)
        if settings.border == "interior":
            height, width = declared_size(observation, "the border 'interior'")
            self.margin = (height // 2, width // 2)
            if min(f - 2 * m for f, m in zip(self.frame, self.margin, strict=True)) < 1:
                raise NotSupportedError("no pixel lies far enough inside for the border 'interior'")

    def output(self, images: Tensor, number: int, bfloat16: bool) -> Tensor:
        """Return what the model says of images (1, C, H, W) of a step, in their type.

        Args:
            images: in [-1, 1], with the noise of the step.
            number: of the step.
            bfloat16: whether the network computes in bfloat16.
        """
        half = torch.autocast(self.device.type, torch.bfloat16) if bfloat16 else nullcontext()
        with half:
            return self.prior.output(images, number).to(images.dtype)

    def residual(self, images: Tensor, kernels: Tensor | None) -> Tensor:
        """Return the blurry image minus the blur of the model's image.

        Args:
            images: (1, C, H, W) in [-1, 1].
            kernels: (1, h, w), odd sides; None: no blur.

        Returns:
            (3, H', W'), without the pixels that do not count.
        """
        image = central_crop(images[0], self.frame)
        if kernels is not None:
            image = blur(image, kernels[0], "zero")
        (top, left), (rows, columns) = self.margin, self.frame
        return (self.blurry - image)[..., top : rows - top, left : columns - left]

    def result(self, images: Tensor) -> Tensor:
        """Return the model's image (1, C, H, W) in [-1, 1] as a restored one (C, H, W) in [0, 1]."""
        image = (central_crop(images[0], self.frame) + 1) / 2
        return luma(image) if self.grey else image

    @contextmanager
    def memory(self, gradient: bool, advice: str) -> Iterator[None]:
        """Say, when the device's memory does not suffice, how much is needed and what to do.

        Args:
            gradient: whether the network's gradient is needed inside.
            advice: what to do.
        """
        try:
            yield
        except torch.OutOfMemoryError as error:
            need = memory_need(self.prior, self.shape, gradient) / 2**30
            sides = f"{self.shape[2]} x {self.shape[3]}"
            raise torch.OutOfMemoryError(
                f"too little memory: the diffusion model needs about {need:.1f} GiB for {sides}; {advice}"
            ) from error


def odd(kernels: Tensor) -> Tensor:
    """Make kernels (..., h, w), true-convolution form, odd by a row and a column of zeros, as in BlindDPS."""
    return odd_from_correlation(rotate_180(kernels), "before")


def memory_need(prior: Prior, shape: tuple[int, ...], gradient: bool) -> int:
    """Estimate how many bytes a model needs for one image: its weights and its activations.

    With the gradient all saved activations count, without it six of the largest. They are counted by running
    a copy of the network without content.

    Args:
        prior: the model.
        shape: of the image, (1, C, H, W).
        gradient: whether the gradient is needed.
    """
    weights = sum(4 * parameter.numel() for parameter in prior.network.parameters())
    with torch.device("meta"):
        network = priors.build(prior.network.layers)
        images = torch.empty(shape)
    saved: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, nn.Parameter):
            saved.append(4 * tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        replace(prior, network=network).output(images.requires_grad_(), 0)
    return weights + (sum(saved) if gradient else 6 * max(saved))


def image_prior(settings: ViewSettings) -> Prior:
    """Read the image model that the settings name. Raises as `methods.diffusion.prior.load`."""
    return priors.load(priors.path_of(settings.prior, "diffusion-image"), "diffusion-image")


def prior_files(settings: ViewSettings) -> list[Path]:
    """Return the files of the image model that the settings name."""
    return priors.files_of(priors.path_of(settings.prior, "diffusion-image"))
