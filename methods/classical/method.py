"""Register a classical method, which is a kernel estimator and a final deconvolution."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmark.blur.latent_image import gradients
from benchmark.blur.nonblind import Image, Kernel
from benchmark.core.errors import NotSupportedError
from benchmark.core.types import Observation
from methods.classical.pyramid import odd
from methods.parts.colour import luma
from methods.parts.direct import Direct
from methods.parts.ending import deconvolved
from methods.parts.registry import Method
from methods.parts.solver import Result

LARGEST_UNDECLARED = 101  # px: the largest kernel size that is assumed where none is declared
FAINT = 1 / 255  # one grey level of 8 bits: weaker gradients show nothing of a kernel

Estimate = Callable[[Any, Image, tuple[int, int]], Kernel]  # settings, luma (H, W), odd size (h, w)
Deconvolve = Callable[[Any, Image, Kernel], Image]  # settings, (C, H, W), kernel -> (C, H, W)
Prepare = Callable[[Image], Image]  # (C, H, W) -> (C, H, W)


def classical_method(
    *,
    name: str,
    title: str,
    paper: str,
    settings: type,
    estimate: Estimate,
    deconvolve: Deconvolve,
    prepare: Prepare = lambda image: image,
) -> Method:
    """Register a method that estimates one kernel and deconvolves with it; deterministic, on the CPU.

    Args:
        name: of the method, in configs.
        title: of the method, in tables.
        paper: authors, venue and year.
        settings: a frozen dataclass, the paper's values as defaults; its `ending` is a subclass of
            `EndingSettings` with the settings of the method's own final step.
        estimate: (settings, luma of the prepared image (H, W), odd kernel size (h, w)) -> kernel (h, w).
        deconvolve: the own final step, (settings, prepared image (C, H, W), kernel) -> restored image (C, H,
            W).
        prepare: what happens to the blurry image (C, H, W) before all else.
    """

    def problem(
        observation: Observation, settings: Any, rng: torch.Generator, device: torch.device
    ) -> Direct:
        del rng, device
        size = kernel_size(observation)

        def restore() -> Result:
            blurry = prepare(observation.blurry.astype(np.float64))
            grey = luma(torch.from_numpy(blurry)).numpy()[0]
            if not has_edges(grey):
                raise NotSupportedError("the image has no edges that would show how it was blurred")
            kernel = estimate(settings, grey, size)
            if deconvolution := settings.ending.deconvolution(observation):
                return deconvolved(blurry, kernel, deconvolution)
            image = deconvolve(settings, blurry, kernel)
            return Result(torch.from_numpy(image), torch.from_numpy(kernel[None]))

        return Direct(restore)

    return Method(
        name=name,
        title=title,
        paper=paper,
        licence="this is our own code",
        blur_models=("uniform",),
        settings=settings,
        problem=problem,
        cost="minutes",
        gpu=False,
    )


def kernel_size(observation: Observation) -> tuple[int, int]:
    """Return the size (h, w) of the kernel to estimate, both sides odd.

    It is the declared size, even sides rounded up. Where none is declared it is half the image, at most
    LARGEST_UNDECLARED.
    """
    if observation.kernel_size is not None:
        h, w = observation.kernel_size
        return odd(h), odd(w)
    height, width = observation.blurry.shape[1:]
    return min(odd(height / 2), LARGEST_UNDECLARED), min(odd(width / 2), LARGEST_UNDECLARED)


def has_edges(image: Image) -> bool:
    """Tell whether the gradients of an image (H, W) differ by more than FAINT.

    Those of a constant image or of a ramp do not: they look alike under every kernel.
    """
    if min(image.shape) < 2:
        return False
    return bool(np.ptp(gradients(image), (1, 2)).max() > 1.01 * FAINT)  # 8-bit levels are not exact
