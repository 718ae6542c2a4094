"""Run a method once on one image that belongs to no dataset."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import torch

from benchmark.core.errors import InputError
from benchmark.core.progress import Report, silent
from benchmark.core.seeds import seed_from
from benchmark.core.types import Array, Observation, Restoration, Status
from benchmark.runs.names import base_method, require_preset
from benchmark.runs.restore import builder
from benchmark.runs.settings import method_settings
from benchmark.tools.verdict import reblur_sentence
from methods.parts.solver import Task, solve


class RestorationError(RuntimeError):
    """A method started and gave no image: it diverged, ran out of memory or stopped with an error."""


class OneImage:
    """A method with its settings, ready to restore single images.

    Args:
        method: A registered method, or a preset of one, such as selfdeblur@quick.
        overrides: The settings that differ from the method's own or the preset's, by their keys in a config.
        name: What messages call the image.
        seed: Seeds the method's initial weights.
        device: Where it runs.

    Raises:
        InputError: There is no such method, preset or setting, or a value is refused.

    >>> import numpy as np
    >>> run = OneImage("blurry", {}, "an image", 0, torch.device("cpu"))
    >>> run(np.zeros((1, 8, 8), np.float32), None).image.shape
    (1, 8, 8)
    """

    def __init__(
        self, method: str, overrides: Mapping[str, Any], name: str, seed: int, device: torch.device
    ) -> None:
        require_preset(method)
        self.method, self.name, self.seed, self.device = base_method(method), name, seed, device
        self.settings = method_settings(method, overrides, f"settings of {method}")

    def __call__(
        self, image: Array, kernel_size: int | tuple[int, int] | None, report: Report = silent
    ) -> Restoration:
        """Restore `image`, (C, H, W) in [0, 1]; how that ended is the result's `status`.

        Args:
            image: (C, H, W) in [0, 1].
            kernel_size: Side of the square that the blur fits in, in px, or the rows and columns of a box;
                None where unknown.
            report: Called as the method goes on.
        """
        if isinstance(kernel_size, int):
            kernel_size = (kernel_size, kernel_size)
        observation = Observation("deblur", self.name, image, kernel_size)
        return self.restore(observation, seed_from("deblur", self.method.name, self.seed), report)

    def restore(self, observation: Observation, start: int, report: Report = silent) -> Restoration:
        """Restore an observation; how that ended is the result's `status`.

        Args:
            observation: Of a `KnownBlur` only controls see the kernels.
            start: Seeds the method's random generator.
            report: Called as the method goes on.
        """
        if not self.method.needs_true_kernels:
            observation = Observation(*(getattr(observation, each.name) for each in fields(Observation)))
        build = builder(self.method, observation, self.settings, start, self.device)
        ((_, restoration),) = solve([Task(self.name, build, shape=observation.blurry.shape)], report)
        return restoration


def require_image(restoration: Restoration, name: str) -> Array:
    """Return the restored image (C, H, W) of the image called `name`.

    Raises:
        InputError: The method does not treat such an image, or needs weights that are not here.
        RestorationError: The method started and gave no image.
    """
    if restoration.image is not None:
        return restoration.image
    message = f"{name}: {restoration.status.value}: {restoration.reason}"
    if restoration.status in (Status.NOT_SUPPORTED, Status.WEIGHTS_MISSING):
        raise InputError(message)
    raise RestorationError(message)


def describe(restoration: Restoration, blurry: Array) -> list[str]:
    """Say what a restoration took, and how well it gives the blurry image (C, H, W) when blurred again."""
    steps = f"{restoration.iterations} iterations, " * bool(restoration.iterations)
    lines = [f"restored in {steps}{restoration.seconds:.0f} s"]
    if restoration.weights:
        lines.append(f"with the weights {restoration.weights}")
    if restoration.image is not None and restoration.kernels is not None and len(restoration.kernels) == 1:
        kernel = restoration.kernels[0].astype(np.float64)
        lines.append(reblur_sentence(blurry, restoration.image, kernel))
    return lines
