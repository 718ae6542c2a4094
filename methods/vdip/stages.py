"""The stages of VDIP: pre-training of both networks, the variational bound, then 1 - SSIM of the mean.

D. Huo, A. Masoumzadeh, R. Kushol, Y.-H. Yang, "Blind Image Deconvolution Using Variational Deep Image
Prior", TPAMI 2023, as in the authors' code. Left out: its estimation of the noise level, which nothing calls.
The code skips updates whose gradient is not a number; here the solver goes back to its last checkpoint.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from methods.parts.limits import at_least, shares
from methods.parts.objectives import Objective, one_minus_ssim, weighted
from methods.parts.stages import Flaw, Stage
from methods.vdip import bound

COLLAPSED: Flaw = (
    "The standard deviations of the image collapsed to 0; raise the weight of the regularisers.",
    bound.collapsed,
)
EXPLODED: Flaw = (
    "The standard deviations of the image grew to the range of intensities; lower the learning rates "
    "or the weight of the regularisers.",
    bound.exploded,
)


@dataclass(frozen=True)
class BoundSettings:
    """Settings: how long the stages are, as shares of `iterations`; defaults are those of the scripts."""

    # Length of the pre-training as a share of `iterations`, which do not count it: 500 before 5000.
    pretraining_share: float = 0.1
    # Share of the iterations with the variational bound: 2000 of 5000. The rest has 1 - SSIM of the mean.
    bound_share: float = 0.4

    def __post_init__(self) -> None:
        at_least(0, self, "pretraining_share")
        shares(self, "bound_share")

    def pretraining(self, iterations: int) -> int:
        """Return how many iterations of pre-training come before `iterations`."""
        return round(self.pretraining_share * iterations)

    def stages(
        self,
        blurry: Tensor,
        iterations: int,
        kernel_pretraining: Objective | None,
        regularisers: Sequence[Objective],
    ) -> list[Stage]:
        """Return the stages for `blurry` (C, H, W).

        Args:
            blurry: The observation.
            iterations: Without the pre-training.
            kernel_pretraining: Objective of the kernels in pre-training; None leaves them as they are.
            regularisers: The bound has one after another, each for an equal number of iterations. If there
                are none, only the data term of the bound is left (VDIP-Std). Then nothing keeps the standard
                deviations from vanishing, and that they do is no flaw.
        """
        pretraining, misfit = [bound.image_prefit(blurry)], bound.expected_misfit(blurry)
        if kernel_pretraining is not None:
            pretraining.append(kernel_pretraining)
        bounds = [weighted((1.0, regulariser), (1.0, misfit)) for regulariser in regularisers] or [misfit]
        flaws = [COLLAPSED, EXPLODED] if regularisers else [EXPLODED]
        length = round(self.bound_share * iterations)
        ends = [length * part // len(bounds) for part in range(len(bounds) + 1)]
        return [
            Stage(
                "pre-training",
                self.pretraining(iterations),
                weighted(*((1.0, objective) for objective in pretraining)),
            ),
            *(
                Stage(f"bound-{part}", end - start, objective, flaws=flaws)
                for part, ((start, end), objective) in enumerate(zip(pairwise(ends), bounds, strict=True), 1)
            ),
            Stage("1-ssim", iterations - length, one_minus_ssim(blurry)),
        ]
