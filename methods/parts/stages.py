"""The stages of a fit: which objective is minimised for how long, and how fast.

D. Ren, K. Zhang, Q. Wang, Q. Hu, W. Zuo, "Neural Blind Deconvolution Using Deep Priors" (SelfDeblur), CVPR
2020: most methods here follow its schedule, and the defaults are those of its published scripts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from methods.parts.limits import at_least, shares
from methods.parts.objectives import Estimate, Objective, mse, one_minus_ssim

# A way in which an estimate can be useless although its loss is finite: a sentence for the user, and a
# function that says whether it holds (a bool scalar).
Flaw = tuple[str, Callable[[Estimate], Tensor]]


@dataclass(frozen=True)
class Stage:
    """A number of iterations with one objective. A prior on which it does not depend stays as it is."""

    name: str
    iterations: int
    objective: Objective
    kernels: Callable[[], Tensor] | None = None  # gives (P, h, w) in place of the kernel prior, if not None
    flaws: Sequence[Flaw] = ()


def with_first_kernels(
    iterations: int, kernels: Callable[[], Tensor], stages: Sequence[Stage]
) -> list[Stage]:
    """Take the kernels of the first iterations from elsewhere, to train less of the kernel prior at first.

    Args:
        iterations: How many iterations, over as many stages as they reach into.
        kernels: Gives the kernels (P, h, w) during these, in place of the kernel prior.
        stages: The stages of the whole fit.

    Returns:
        The same stages, each in two parts.

    >>> import torch
    >>> blurry = torch.zeros(1, 24, 28)
    >>> stages = [Stage("mse", 500, mse(blurry)), Stage("1-ssim", 4500, one_minus_ssim(blurry))]
    >>> cut = with_first_kernels(600, lambda: torch.ones(1, 1, 1), stages)
    >>> [(stage.name, stage.iterations, stage.kernels is not None) for stage in cut]
    [('mse', 500, True), ('mse', 0, False), ('1-ssim', 100, True), ('1-ssim', 4400, False)]
    """
    cut = []
    for stage in stages:
        first = min(iterations, stage.iterations)
        iterations -= first
        cut.append(replace(stage, iterations=first, kernels=kernels))
        cut.append(replace(stage, iterations=stage.iterations - first))
    return cut


@dataclass(frozen=True)
class Rates:
    """Adam's learning rates. From each milestone (an iteration) on, both are multiplied by `factor`.

    >>> Rates(image=1e-2, kernel=1e-4, milestones=(2000, 3000)).at(2000)
    (0.005, 5e-05)
    """

    image: float
    kernel: float
    milestones: Sequence[int] = ()
    factor: float = 0.5

    def at(self, iteration: int) -> tuple[float, float]:
        """Return (image rate, kernel rate) at an iteration, counted from 0."""
        scale = self.factor ** sum(milestone <= iteration for milestone in self.milestones)
        return self.image * scale, self.kernel * scale


@dataclass(frozen=True)
class Schedule:
    """Settings: how long a fit runs, and how fast its image network learns.

    Defaults are those of SelfDeblur's scripts for the images of Levin and Lai: 5000 iterations, both rates
    halved after 2000, 3000 and 4000.
    """

    iterations: int = 5000  # steps of the fit
    # Shares of the iterations after which both rates are halved.
    milestones: tuple[float, ...] = (0.4, 0.6, 0.8)
    image_rate: float = 1e-2  # learning rate of the image network

    def __post_init__(self) -> None:
        at_least(1, self, "iterations")
        at_least(0, self, "image_rate")
        if not all(0 <= milestone <= 1 for milestone in self.milestones):
            raise ValueError(f"milestones must lie in [0, 1], not {list(self.milestones)}")

    def rates(self, kernel_rate: float, pretraining: int) -> Rates:
        """Return the rates of a fit.

        Args:
            kernel_rate: That of the kernel prior.
            pretraining: Iterations before the `iterations`; milestones count from their end.
        """
        milestones = [pretraining + round(share * self.iterations) for share in self.milestones]
        return Rates(self.image_rate, kernel_rate, milestones)


@dataclass(frozen=True)
class MseThenSsim:
    """Settings: SelfDeblur's two stages, the mean squared residual and then 1 - SSIM.

    The published code has them; the paper has the first one alone, with a TV term.
    """

    # Share of the iterations with MSE: 500 of 5000 in the script for Lai's images; that for Levin's has 0.2.
    mse_share: float = 0.1

    def __post_init__(self) -> None:
        shares(self, "mse_share")

    def stages(self, blurry: Tensor, iterations: int) -> list[Stage]:
        """Return the two stages for `blurry` (C, H, W).

        >>> import torch
        >>> blurry = torch.zeros(1, 24, 28)
        >>> [(stage.name, stage.iterations) for stage in MseThenSsim().stages(blurry, 5000)]
        [('mse', 500), ('1-ssim', 4500)]
        """
        first = round(self.mse_share * iterations)
        return [
            Stage("mse", first, mse(blurry)),
            Stage("1-ssim", iterations - first, one_minus_ssim(blurry)),
        ]
