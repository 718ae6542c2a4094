"""Early stopping by the windowed moving variance of the image (WMV-ES).

H. Wang, T. Li, Z. Zhuang, T. Chen, H. Liang, J. Sun, "Early Stopping for Deep Image Prior", TMLR 2023; as
used in "Blind Image Deblurring with Unknown Kernel Size and Substantial Noise", Algorithm 1. A deep image
prior fits the scene before it fits the noise. In between its outputs change little, so the image to return is
where

    VAR = mean over pixels of the variance of the last W outputs

is smallest. When no smaller value has come for P iterations, the run ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from methods.parts.limits import at_least

LEVELS = 2**16 - 1  # outputs are held as 16-bit integers, whose sums are exact
MOST_VALUES = 2_000_000  # more are sampled: a window of 100 images would take gigabytes
SAMPLE = 2**16  # values, drawn at random: enough for the mean of a variance over an image


@dataclass(frozen=True)
class StopSettings:
    """Settings: when a run ends."""

    # When the run ends. fixed: after its iterations. wmv: `patience` iterations after the smallest variance,
    # if these come first. watched: after its iterations, but with the image that wmv returns, to see what
    # stopping early saves.
    stop: Literal["fixed", "wmv", "watched"] = "fixed"
    window: int = 100  # W: the variance is that of so many images in a row (section 4 of the paper)
    patience: int = 500  # P: iterations without a smaller variance; the paper has 500, with high noise 200

    def __post_init__(self) -> None:
        at_least(2, self, "window")
        at_least(1, self, "patience")

    def check_fits(self, iterations: int) -> None:
        """Raise ValueError if the window is larger than a run of `iterations`: it would never end one."""
        if self.stop != "fixed" and self.window > iterations:
            raise ValueError(f"window must be at most the {iterations} iterations, not {self.window}")

    def without_effect(self) -> dict[str, str]:
        """Find the settings that `stop` does not use: see `methods.parts.settings.without_effect`."""
        return dict.fromkeys(("window", "patience"), "stop: fixed") if self.stop == "fixed" else {}

    def stopper(self) -> "WindowedVariance | None":
        """Return what watches a run; None if nothing does."""
        if self.stop == "fixed":
            return None
        return WindowedVariance(self.window, self.patience, ends=self.stop == "wmv")


@dataclass(frozen=True)
class Best:
    """The image that early stopping keeps."""

    image: Tensor  # (C, H, W)
    kernels: Tensor  # (P, h, w)
    iteration: int  # its number in the watched sequence, from 1


class WindowedVariance:
    """Watch a sequence of images (C, H, W) in [0, 1], and keep the one where VAR is smallest.

    Everything stays on the images' device, the count of iterations, too, and changes in place, so that a CUDA
    graph can repeat an iteration. The device is read in `best` alone. The time of an iteration does not
    depend on the window; the memory is 2 W + 4 bytes for each value of an image.

    >>> watch = WindowedVariance(window=2, patience=2)
    >>> for grey in (0.0, 0.5, 0.5, 0.7, 1.0):
    ...     ended = watch.push(torch.full((1, 2, 2), grey), torch.ones(1, 1, 1))
    >>> ended.item(), watch.best(iterations=100).iteration
    (True, 3)
    """

    def __init__(self, window: int, patience: int, ends: bool = True) -> None:
        """Start watching.

        Args:
            window: W, the number of images whose variance is taken.
            patience: P, the iterations without a smaller variance after which the run ends.
            ends: Whether the run ends then. If not, it goes on, and still returns the image kept until then.
        """
        self.window, self.patience, self.ends = window, patience, ends
        self.state: dict[str, Tensor] = {}  # empty before the first image

    def push(self, image: Tensor, kernels: Tensor) -> Tensor:
        """Watch the next image, with its kernels (P, h, w).

        Returns:
            Whether the end is reached (a bool scalar). After that no other image is kept.
        """
        image, kernels = image.detach(), kernels.detach()
        if not self.state:
            self.state = self._start(image, kernels)
        state = self.state
        slot = (state["iteration"] % self.window).view(1)
        state["iteration"] += 1
        levels = self._levels(image)
        left = state["ring"].index_select(0, slot)[0].int() - _LOWEST
        state["sum"] += levels - left
        state["squares"] += levels.long().square().sum() - left.long().square().sum()
        state["ring"].index_copy_(0, slot, (levels + _LOWEST).short()[None])
        variance, is_full = self._variance(), state["iteration"] >= self.window
        better = is_full & (variance < state["smallest"]) & ~state["ended"]
        found = {"smallest": variance, "best": state["iteration"], "image": image, "kernels": kernels}
        for name, value in found.items():
            state[name].copy_(torch.where(better, value, state[name]))
        state["ended"] |= is_full & (state["iteration"] - state["best"] >= self.patience)
        return state["ended"]

    def best(self, iterations: int) -> Best | None:
        """Return the image to keep, once the run has ended early or all `iterations` images were pushed.

        None before that, and when there were fewer images than the window holds.
        """
        if not self._is_over(iterations):
            return None
        return Best(self.state["image"], self.state["kernels"], int(self.state["best"].item()))

    def _is_over(self, iterations: int) -> bool:
        if not self.state:
            return False
        pushed = int(self.state["iteration"].item())
        if pushed < self.window:
            return False
        return pushed >= iterations or (self.ends and bool(self.state["ended"].item()))

    def state_dict(self) -> dict[str, Any]:
        """Return the window, and the image kept so far."""
        return dict(self.state)

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Continue from a state of `state_dict`, whose tensors may lie elsewhere, on `device`."""
        self.state = {name: tensor.to(device) for name, tensor in state.items()}

    def _start(self, image: Tensor, kernels: Tensor) -> dict[str, Tensor]:
        device, count = image.device, image.numel()
        values = torch.arange(count, device=device)
        if count > MOST_VALUES:
            # The same values in all iterations and runs.
            rng = torch.Generator().manual_seed(0)
            values = torch.randperm(count, generator=rng)[:SAMPLE].to(device)
        watched = len(values)
        return {
            "iteration": torch.zeros((), dtype=torch.int64, device=device),  # how many images were pushed
            "values": values,
            "ring": torch.full((self.window, watched), _LOWEST, dtype=torch.int16, device=device),
            "sum": torch.zeros(watched, dtype=torch.int32, device=device),
            "squares": torch.zeros((), dtype=torch.int64, device=device),
            # None yet. Not infinite: the solver takes that in a checkpoint for divergence.
            "smallest": torch.tensor(torch.finfo(torch.float64).max, dtype=torch.float64, device=device),
            "best": torch.zeros((), dtype=torch.int64, device=device),
            "ended": torch.zeros((), dtype=torch.bool, device=device),
            "image": image.clone(),
            "kernels": kernels.clone(),
        }

    def _levels(self, image: Tensor) -> Tensor:
        return (LEVELS * image.flatten()[self.state["values"]].clamp(0, 1)).round().int()

    def _variance(self) -> Tensor:
        """Return VAR of the full window, in squared intensities."""
        squares = self.state["squares"].double() / self.window
        means = self.state["sum"].double().square().sum() / self.window**2
        return (squares - means) / (len(self.state["values"]) * LEVELS**2)


_LOWEST = -(2**15)  # of a 16-bit integer: what level 0 is kept as
