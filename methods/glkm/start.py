"""Start the kernel prior of GLKM for an observation: choose its generator and the first latent variables."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmark.blur.kernel_energy import energy_weight, kernel_energy
from benchmark.core.errors import NotSupportedError, WeightsMissingError
from benchmark.core.types import Observation
from methods.classical import pyramid
from methods.glkm.generator import LATENT, OFFICIAL, SMALLEST_OF_ANY, Generator, serving
from methods.glkm.inversion import minimised
from methods.glkm.latent import LatentKernel, Variable
from methods.glkm.weights import Origin, files, label, load_generator, load_initializer
from methods.parts.colour import luma
from methods.parts.fit import kernel_count
from methods.parts.kernel_priors.divergence import cross_entropy_of
from methods.parts.limits import at_least, declared_size, shares
from methods.parts.polish import EDGE
from methods.parts.warm_start import StartSettings, estimated_kernel, estimator, fit_to, resized
from methods.parts.weight_files import weights_folder

INITIALIZER, RANDOM, AUTO = "initializer", "random", "auto"  # all other starts are names of methods
CLASSICAL = "l0-grad"  # the method whose kernel `auto` compares with the initializer's
# Inversion of a given kernel: first by z from several starts, then by w from the best of their ends.
RESTARTS, CODE_STEPS, CODE_RATE = 4, 300, 0.05  # starts of z, steps of Adam, its rate
# A narrow generator reaches no kernel exactly, and the kernels of two methods differ by more than this error.
FEATURES_RATE, ENOUGH = 1e-2, 0.1  # the rate for w, and the relative error at which to stop


@dataclass(frozen=True)
class LatentSettings:
    """Settings: the kernel prior of GLKM."""

    latent_rate: float = 5e-4  # learning rate of the latent variables; the predecessor's, the paper's is lost
    weights: str = ""  # folder of generators and initializers; the package's own if empty
    # What is optimised (section IV-B). features: those of the generator's first layer, w. code: its input z.
    # generator: w and the layers behind it.
    variable: Variable = "features"
    # Where the kernel starts. initializer: where that network puts it. random: z ~ N(0, I). Or the name of a
    # method, such as l0-grad, whose kernel is inverted into the latent variables (not in the paper). auto:
    # at the initializer's kernel or that of l0-grad, whichever has less energy (not in the paper).
    start: str = INITIALIZER
    # Share of the iterations during which the kernel rests at that start (not in the paper).
    frozen: float = 0.0
    # For kernels larger than any generator's (not in the paper): share of the iterations in full size during
    # which the kernel rests at its enlarged start.
    frozen_share: float = 0.1
    # For kernels larger than any generator's: learning rate of the kernel's logits after that rest. With the
    # default, entries change by about a quarter in 5000 iterations.
    logit_rate: float = 1e-4

    def __post_init__(self) -> None:
        at_least(0, self, "latent_rate", "logit_rate")
        shares(self, "frozen", "frozen_share")
        if self.start not in (INITIALIZER, RANDOM, AUTO):
            estimator(self.start)  # raises InputError unless the method estimates kernels

    def files(self) -> list[Path]:
        """Return the files that a restoration with this prior may read."""
        return files(weights_folder(self.weights))

    def for_other_priors(self) -> StartSettings:
        """Return the same start for a kernel prior without a generator; null where no method is named."""
        first = self.methods_run_first()
        return StartSettings(first[0], self.frozen) if first else StartSettings()

    def methods_run_first(self) -> tuple[str, ...]:
        """Return the name of the method whose kernel the prior starts at, or may start at, if any."""
        if self.start == AUTO:
            return (CLASSICAL,)
        return () if self.start in (INITIALIZER, RANDOM) else (self.start,)


def latent_kernel(
    observation: Observation, settings: LatentSettings, rng: torch.Generator, device: torch.device
) -> tuple[LatentKernel, str]:
    """Start the kernel prior of an observation.

    Args:
        observation: the case, with a declared kernel size.
        settings: of the prior.
        rng: where random starts come from, on the CPU.
        device: where the prior lives.

    Returns:
        The prior, and the label of its weights. Kernels have the generator's size, which may be larger than
        the declared one. For non-uniform blur there is one kernel for each node of the grid, all started
        alike.

    Raises:
        NotSupportedError: there is no kernel size, the image is blank or smaller than the kernels, or the
            method to start from gives no kernel.
        WeightsMissingError: there is no generator or no initializer.
    """
    size = declared_size(observation, "GLKM")
    blurry = torch.from_numpy(observation.blurry).to(device)
    if np.ptp(observation.blurry) < 1 / 255:
        raise NotSupportedError("the image is blank: nothing in it shows a kernel")
    declared = max(size)
    if declared > max(OFFICIAL):
        raise NotSupportedError(
            f"no kernel generator serves a kernel size of {declared}; the largest is {max(OFFICIAL)}"
        )
    folder = weights_folder(settings.weights)
    generator, origin = load_generator(folder, serving(declared))
    support = support_of(size, generator, origin)
    (height, width), (h, w) = observation.blurry.shape[1:], support
    if height < h or width < w:
        raise NotSupportedError(
            f"the image ({height} x {width}) is smaller than the generator's kernels ({h} x {w})"
        )
    generator.to(device)
    count = kernel_count(observation)

    def at(codes: Tensor) -> LatentKernel:
        return LatentKernel(generator, codes[:1].expand(count, -1, -1, -1), settings.variable, support)

    def predicted() -> tuple[LatentKernel, str]:
        try:
            initializer, other = load_initializer(folder, serving(declared), generator)
        except WeightsMissingError as error:
            raise WeightsMissingError(f"{error}; or set another start, such as start: {AUTO}") from error
        return at(initializer.to(device)(eight_bit_luma(blurry)[None])), label(origin, other)

    def drawn() -> Tensor:
        return torch.randn(RESTARTS, LATENT, 1, 1, generator=rng).to(device)

    def estimated(name: str) -> tuple[LatentKernel, str]:
        if count > 1:
            raise NotSupportedError("there is no start at another method's kernel for non-uniform blur")
        codes = drawn()
        kernels = resized(estimated_kernel(name, observation, rng, device), support).to(device)
        return starting_at(generator, codes, kernels, settings.variable), label(origin)

    if settings.start == INITIALIZER:
        return predicted()
    if settings.start == RANDOM:
        return at(drawn()), label(origin)
    if settings.start == AUTO:
        return _least_energy(observation, predicted, lambda: estimated(CLASSICAL))
    return estimated(settings.start)


def support_of(size: tuple[int, int], generator: Generator, origin: Origin) -> tuple[int, int]:
    """Return the size (h, w) of the kernels that a generator gives for a declared one.

    It is the generator's own, which may be larger. Of a generator for all sizes it is the next odd size, so
    that its middle stays the middle, but at least SMALLEST_OF_ANY: it was trained for none smaller.
    """
    if origin.size != "any":
        return generator.size, generator.size
    height, width = (max(SMALLEST_OF_ANY, pyramid.odd(side)) for side in size)
    return height, width


def _least_energy(
    observation: Observation, *starts: Callable[[], tuple[LatentKernel, str]]
) -> tuple[LatentKernel, str]:
    """Return the start whose kernel has the least energy, of those that there are.

    The energy is that by which `choose` compares kernels. If there is none, what the first start raised is
    raised.
    """
    priors: list[tuple[LatentKernel, str]] = []
    failures: list[Exception] = []
    for start in starts:
        try:
            priors.append(start())
        except (NotSupportedError, WeightsMissingError) as error:
            failures.append(error)
    if not priors:
        raise failures[0]
    if len(priors) == 1:
        return priors[0]
    grey = luma(torch.from_numpy(observation.blurry))[0].numpy()
    weight = energy_weight(grey)

    def energy(start: tuple[LatentKernel, str]) -> float:
        with torch.no_grad():
            kernel = start[0]()[0].cpu().numpy()
        return kernel_energy(grey, kernel, edge=EDGE, weight=weight)

    return min(priors, key=energy)


def starting_at(
    generator: Generator, codes: Tensor, kernels: Tensor, variable: Variable = "features"
) -> LatentKernel:
    """Build a kernel prior that starts at a given kernel, by generator inversion.

    First the codes are inverted, from several starts; from the best of them the features, unless the codes
    are the variable.

    Args:
        generator: frozen, in eval mode.
        codes: the starts, (S, 100, 1, 1).
        kernels: the given kernel, (1, h, w), true-convolution form.
        variable: what the prior optimises.

    Raises:
        NotSupportedError: the features do not reach the kernel.
    """
    size = (kernels.shape[-2], kernels.shape[-1])
    by_code = LatentKernel(generator, codes, "code", size)

    def divergences(latent: Tensor) -> Tensor:
        return cross_entropy_of(kernels, by_code.kernels(latent))

    latent = minimised(codes, lambda latent: divergences(latent).sum(), CODE_STEPS, CODE_RATE)
    with torch.no_grad():
        nearest = int(divergences(latent).argmin())
    prior = LatentKernel(generator, latent[nearest : nearest + 1], variable, size)
    if variable != "code":
        fit_to(prior, kernels, FEATURES_RATE, ENOUGH)
    return prior


def eight_bit_luma(image: Tensor) -> Tensor:
    """Return the luma (1, H, W) of an image (C, H, W) in 8 bits, as the published initializers see it."""
    return torch.round(255 * luma(image)) / 255
