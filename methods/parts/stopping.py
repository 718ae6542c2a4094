"""Early stopping by the windowed moving variance of the image (WMV-ES).

H. Wang, T. Li, Z. Zhuang, T. Chen, H. Liang, J. Sun, "Early Stopping for Deep Image Prior", TMLR 2023; as
used in "Blind Image Deblurring with Unknown Kernel Size and Substantial Noise", Algorithm 1. A deep image
prior fits the scene before it fits the noise: in between its outputs change little, so the iteration to
return is where

    VAR = mean over pixels of the variance of the last W outputs

has its minimum; when no smaller one has come for P iterations, the run ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from methods.parts.limits import at_least

LEVELS = 2**16 - 1  # outputs are held as 16-bit integers, whose sums are exact
MOST_VALUES = 2_000_000  # more are sampled: a window of 100 images would take gigabytes
SAMPLE = 2**16  # values; the variance of so many is that of all to 0.8 %


@dataclass(frozen=True)
class StopSettings:
    """When a run ends."""

    # fixed: after its iterations; wmv: when the variance of the image has passed a minimum, or then; watched:
    # what wmv would return, after all iterations, to see what it was worth.
    stop: Literal["fixed", "wmv", "watched"] = "fixed"
    window: int = 100  # W: section 4 of the paper
    patience: int = 500  # P: the paper's for real photographs and low noise; 200 for high noise

    def check_stop(self, iterations: int) -> None:
        """Raises ValueError for a window or patience that can never end a run of `iterations`."""
        at_least(2, self, "window")
        at_least(1, self, "patience")
        if self.stop != "fixed" and self.window > iterations:
            raise ValueError(f"window must be at most the {iterations} iterations, not {self.window}")

    def stopper(self) -> "WindowedVariance | None":
        """What watches a run; None: nothing does."""
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
    """Watches a sequence of images (C, H, W) in [0, 1] and remembers the one to return, with its kernels.

    Everything stays on the images' device; nothing is read from it here but in `result`. The cost of an
    iteration does not depend on the window; memory: 2 W + 4 bytes a value.
    """

    def __init__(self, window: int, patience: int, ends: bool = True) -> None:
        """Variance of the last `window` images; the end is `patience` iterations after its minimum.

        Unless it `ends` runs, they go on, and what it remembers is their result all the same.
        """
        self.window, self.patience, self.ends = window, patience, ends
        self.iteration = 0  # images seen
        self.state: dict[str, Tensor] = {}

    def push(self, image: Tensor, kernels: Tensor) -> Tensor:
        """See the next image with its kernels (P, h, w); returns whether the end is reached (a bool scalar).

        After it nothing is remembered any more.
        """
        image, kernels = image.detach(), kernels.detach()
        if not self.state:
            self.state = self._start(image, kernels)
        state, slot = self.state, self.iteration % self.window
        self.iteration += 1
        levels = self._levels(image)
        left = state["ring"][slot].int() - _LOWEST
        state["sum"] += levels - left
        state["squares"] += levels.long().square().sum() - left.long().square().sum()
        state["ring"][slot] = (levels + _LOWEST).short()
        if self.iteration < self.window:
            return state["ended"]
        variance = self._variance()
        better = (variance < state["smallest"]) & ~state["ended"]
        state["smallest"] = torch.where(better, variance, state["smallest"])
        state["best"] = torch.where(better, self.iteration, state["best"])
        state["image"] = torch.where(better, image, state["image"])
        state["kernels"] = torch.where(better, kernels, state["kernels"])
        state["ended"] = state["ended"] | (self.iteration - state["best"] >= self.patience)
        return state["ended"]

    def best(self, iterations: int) -> Best | None:
        """Return the image to keep, once the run has ended early or all `iterations` images were pushed.

        None before that, and when there were fewer images than the window holds.
        """
        if not self._is_over(iterations):
            return None
        return Best(self.state["image"], self.state["kernels"], int(self.state["best"].item()))

    def _is_over(self, iterations: int) -> bool:
        if not self.state or self.iteration < self.window:
            return False
        return self.iteration >= iterations or (self.ends and bool(self.state["ended"].item()))

    def state_dict(self) -> dict[str, Any]:
        """All that it remembers."""
        return {"iteration": self.iteration, **self.state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        tensors = dict(state)
        self.iteration = tensors.pop("iteration")
        self.state = tensors

    def _start(self, image: Tensor, kernels: Tensor) -> dict[str, Tensor]:
        device, count = image.device, image.numel()
        values = torch.arange(count, device=device)
        if count > MOST_VALUES:
            # The same ones all along, and in every run: what moves is the image.
            rng = torch.Generator().manual_seed(0)
            values = torch.randperm(count, generator=rng)[:SAMPLE].to(device)
        seen = len(values)
        return {
            "values": values,
            "ring": torch.full((self.window, seen), _LOWEST, dtype=torch.int16, device=device),
            "sum": torch.zeros(seen, dtype=torch.int32, device=device),
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
        """VAR of the full window, in squared intensities."""
        squares = self.state["squares"].double() / self.window
        means = self.state["sum"].double().square().sum() / self.window**2
        return (squares - means) / (len(self.state["values"]) * LEVELS**2)


_LOWEST = -(2**15)  # of a 16-bit integer: what level 0 is kept as
