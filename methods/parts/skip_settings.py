"""The schedule of SelfDeblur and DIP-GLKM: the mean squared residual first, then 1 - SSIM."""

from dataclasses import dataclass

from torch import Tensor

from methods.parts.fit import Stage
from methods.parts.image_priors.skip import SkipSettings
from methods.parts.limits import at_least
from methods.parts.losses import mse, one_minus_ssim


@dataclass(frozen=True)
class DipSettings(SkipSettings):
    """The published scripts' values."""

    mse_share: float = 0.1  # MSE until 500 of 5000 (Lai script; the Levin script: 0.2), then 1 - SSIM
    code_noise: float = 1e-3  # fresh Gaussian perturbation of the image code at each iteration

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(0, self, "code_noise")
        if not 0 <= self.mse_share <= 1:
            raise ValueError(f"mse_share must lie in [0, 1], not {self.mse_share}")

    def stages(self, blurry: Tensor) -> tuple[Stage, Stage]:
        """First the mean squared residual, then 1 - SSIM."""
        first = round(self.mse_share * self.iterations)
        return (
            Stage("mse", first, mse(blurry)),
            Stage("1-ssim", self.iterations - first, one_minus_ssim(blurry)),
        )
