"""The regularisers that VDIP's variants add to the bound: settings, and the objectives made of them."""

from dataclasses import dataclass

from benchmark.core.errors import NotSupportedError
from benchmark.core.types import Observation
from methods.parts.limits import at_least
from methods.parts.objectives import Objective, weighted
from methods.vdip.bound import extreme_channels, kernel_energy, negative_entropy, sparse_gradients


@dataclass(frozen=True)
class NoRegulariser:
    """VDIP-Std: the data term alone.

    A comment in the authors' scripts defines it as the bound without entropy and priors, the kernel's
    included. It gives no length of the pre-training; three of the four scripts have 500 iterations.
    """

    def objectives(self, observation: Observation, support: tuple[int, int]) -> list[Objective]:
        """Return none."""
        del observation, support
        return []


@dataclass(frozen=True)
class RegulariserWeights:
    """Settings: how much the regulariser counts; defaults are those of VDIP-Sparse's scripts."""

    # Weights of the regulariser, one for each of several equally long parts of the bound. The scripts have
    # two: after 1000 iterations they change to a tenth of their sigma_n.
    prior_weights: tuple[float, ...] = (0.1, 0.01)
    kernel_penalty: float = 10.0  # weight of the kernel's energy within the regulariser

    def __post_init__(self) -> None:
        at_least(0, self, "kernel_penalty")
        if not self.prior_weights or not all(weight >= 0 for weight in self.prior_weights):
            raise ValueError(f"prior_weights must be numbers of at least 0, not {list(self.prior_weights)}")

    def objectives(self, image_term: Objective) -> list[Objective]:
        """Return entropy + `image_term` + kernel's energy, under each of the weights."""
        penalty = (self.kernel_penalty, kernel_energy)
        regulariser = weighted((1.0, negative_entropy), (1.0, image_term), penalty)
        return [weighted((weight, regulariser)) for weight in self.prior_weights]


@dataclass(frozen=True)
class SparseRegulariser:
    """Settings of VDIP-Sparse: few gradients."""

    weights: RegulariserWeights = RegulariserWeights()

    def objectives(self, observation: Observation, support: tuple[int, int]) -> list[Objective]:
        """Return the regulariser of each part of the bound."""
        del observation, support
        return self.weights.objectives(sparse_gradients)


@dataclass(frozen=True)
class ExtremeRegulariser:
    """Settings of VDIP-Extreme: few pixels in the dark and bright channel.

    Defaults are those of the script for the uniform blur of the Lai set.
    """

    weights: RegulariserWeights = RegulariserWeights(prior_weights=(1e-4, 1e-5))
    patch: int = 35  # side of the window of the dark and bright channel, in pixels

    def __post_init__(self) -> None:
        at_least(1, self, "patch")

    def objectives(self, observation: Observation, support: tuple[int, int]) -> list[Objective]:
        """Return the regulariser of each part of the bound.

        Args:
            observation: The blurry image.
            support: (h, w) of the kernels.

        Raises:
            NotSupportedError: The latent image is smaller than the window.
        """
        (height, width), (h, w) = observation.blurry.shape[1:], support
        if min(height + h, width + w) - 1 < self.patch:
            raise NotSupportedError(
                f"the window of the extreme channels has {self.patch} pixels a side, "
                f"the latent image has {height + h - 1} x {width + w - 1}"
            )
        return self.weights.objectives(extreme_channels(self.patch))
