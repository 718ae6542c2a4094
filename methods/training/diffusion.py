"""Train a diffusion model to estimate the noise in noisy images or kernels: what both trainings share.

J. Ho, A. Jain, P. Abbeel, "Denoising Diffusion Probabilistic Models", NeurIPS 2020, equation (14), with the
linear chain of 1000 steps that all methods here use. The networks predict the velocity (see
`methods.diffusion.schedule.Prediction`), which suits trainings of an hour on a CPU better.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.core.progress import Progress, Report
from benchmark.core.types import Array
from methods.diffusion import prior
from methods.diffusion.adm import AdmLayers, AdmUNet
from methods.diffusion.schedule import STEPS, Chain, clean, ddim_chain, strided_steps
from methods.parts.seeding import initialised_from
from methods.parts.weight_files import file_name
from methods.training.earlier import earlier_weights, take_over
from methods.training.evidence import HELD_OUT_SEED, Evidence
from methods.training.schedules import cosine, set_rate
from methods.training.settings import check_numbers

HEAD_CHANNELS = 32  # of an attention head
PICTURED = 8  # samples, and held-out items, on the sheet of pictures
SAMPLING_STRIDE = 40  # between the steps by which samples are drawn: 25 calls of the network
DENOISED_AT = 400  # the step whose noise is removed on that sheet
AT_ONCE = 8  # items that go through the network together when it is examined

Draw = Callable[[int, np.random.Generator], Tensor]  # count, generator -> items (B, C, n, n) in [-1, 1]


@dataclass(frozen=True)
class DiffusionSettings:
    """A small network for an hour on a CPU, chosen by its cost; published networks take days on a GPU."""

    side: int = prior.DEMO_SIDE  # of the images or kernels, in pixels
    channels: int = 16  # of the finest level, see `AdmLayers`
    multipliers: tuple[int, ...] = (1, 2, 4, 4)
    blocks: int = 1
    attention: tuple[int, ...] = ()  # factors of reduction with attention; the coarsest level always has it
    norm_groups: int = 8
    steps: int = 20_000
    batch: int = 8
    rate: float = 1e-3  # the learning rate after the rise
    last_rate: float = 1e-5  # the learning rate at the end
    warm_up: int = 100  # steps over which the learning rate rises
    decay: float = 0.9995  # of the moving average of the weights, which is what is kept; smaller at first

    def __post_init__(self) -> None:
        check_numbers(self)
        widths = [multiplier * self.channels for multiplier in self.multipliers]
        if any(width % self.norm_groups for width in widths):
            raise ValueError(f"channels times multipliers {widths} must be multiples of norm_groups")
        if self.side % 2 ** (len(widths) - 1):
            raise ValueError(f"side must be a multiple of {2 ** (len(widths) - 1)}, not {self.side}")
        attending = [widths[-1], *(w for level, w in enumerate(widths) if 2**level in self.attention)]
        if any(width % HEAD_CHANNELS for width in attending):
            raise ValueError(f"channels where there is attention must be multiples of {HEAD_CHANNELS}")
        if not self.decay < 1:
            raise ValueError(f"decay must be below 1, not {self.decay}")

    def layers(self, channels: int) -> AdmLayers:
        """Return the sizes of the layers for items of so many channels."""
        return AdmLayers(
            channels=self.channels,
            multipliers=self.multipliers,
            blocks=self.blocks,
            attention=self.attention,
            in_channels=channels,
            out_channels=channels,
            head_channels=HEAD_CHANNELS,
            block_resampling=False,
            norm_groups=self.norm_groups,
        )


class DiffusionTraining:
    """A `Trainee` of `methods.training.loop`."""

    def __init__(
        self,
        settings: DiffusionSettings,
        kind: prior.Kind,
        seed: int,
        device: torch.device,
        draw: Draw,
        held_out: Draw,
        data: str,
    ) -> None:
        """Start a training.

        Args:
            settings: of network and training.
            kind: of the prior.
            seed: of all random numbers.
            device: where the network is trained.
            draw: draws items to train on.
            held_out: draws items that are never trained on.
            data: what the items are, in words, for the file.
        """
        self.settings, self.kind, self.seed, self.device = settings, kind, seed, device
        self.draw, self.held_out, self.data = draw, held_out, data
        self.steps, self.label = settings.steps, f"{kind}-{settings.side}"
        with initialised_from(torch.Generator().manual_seed(seed)):
            self.network = AdmUNet(settings.layers(prior.CHANNELS[kind])).to(device)
        self.average = deepcopy(self.network).requires_grad_(False).eval()
        self.adam = torch.optim.AdamW(
            self.network.parameters(), lr=settings.rate, weight_decay=0.0, fused=True
        )
        self.levels = torch.from_numpy(Chain().levels).float().to(device)

    def step(self, number: int, share: float) -> dict[str, Tensor]:
        """Do one step on a batch, each item with the noise of a random step of the chain."""
        settings = self.settings
        rng = np.random.default_rng((self.seed, number))
        set_rate(self.adam, self.rate(number, share))
        items = self.draw(settings.batch, rng).to(self.device)
        loss = self._losses(self.network, items, rng)[0].mean()
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.adam.step()
        decay = min(settings.decay, (1 + number) / (10 + number))
        with torch.no_grad():
            for kept, new in zip(self.average.parameters(), self.network.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)
        return {"velocity loss": loss.detach()}

    def rate(self, number: int, share: float) -> float:
        """Return the learning rate: a rise over the first steps, then half a cosine down to the last rate."""
        settings = self.settings
        return min(1.0, (number + 1) / settings.warm_up) * cosine(settings.rate, share, settings.last_rate)

    def state_dict(self) -> dict[str, Any]:
        """Return the network, its moving average and Adam's moments."""
        networks = {"network": self.network.state_dict(), "average": self.average.state_dict()}
        return {**networks, "adam": self.adam.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of `state_dict`."""
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.adam.load_state_dict(state["adam"])

    def begin_with(self, folder: Path) -> int:
        """Take over a network with averaged weights, as `Trainee`."""
        path = folder / file_name(self.kind, self.settings.side)
        stored = earlier_weights(path, self.kind)
        stored.require("tells", "velocity")
        take_over(self.average, stored)
        return take_over(self.network, stored)

    def save(self, folder: Path, steps: int, remark: str, half: bool) -> None:
        """Write the network with its averaged weights."""
        side, data = self.settings.side, self.data
        about = {"remark": remark, "data": data}
        prior.save(
            folder, self.average, self.kind, side, steps=steps, half=half, predicts="velocity", **about
        )

    @torch.no_grad()
    def examine(self, count: int, report: Report) -> Evidence:
        """Measure the noise loss on held-out items; show samples beside real items, and denoised items.

        The yardstick is a prediction of velocity 0: the scaled noisy item itself is taken for the noise.
        """
        rng = np.random.default_rng(HELD_OUT_SEED)
        losses: dict[str, list[Tensor]] = {"prior": [], "yardstick": []}
        for start in range(0, count, AT_ONCE):
            report(Progress("examining", start, count))
            items = self.held_out(min(AT_ONCE, count - start), rng).to(self.device)
            state = rng.bit_generator.state
            losses["prior"].append(self._losses(self.average, items, rng)[1])
            rng.bit_generator.state = state  # the same noise for both
            losses["yardstick"].append(self._losses(None, items, rng)[1])
        items = self.held_out(PICTURED, rng).to(self.device)
        noise = _normal(items, rng)
        level = float(self.levels[DENOISED_AT])
        noisy = level**0.5 * items + (1 - level) ** 0.5 * noise
        denoised = clean(noisy, self._model().output(noisy, DENOISED_AT), level)
        report(Progress("examining", count, count, "sampling"))
        return Evidence(
            images={
                "real": _pictures(self.draw(PICTURED, rng)),
                "generated": _pictures(self.sampled(_normal(items, rng))),
                "held out": _pictures(items),
                f"noisy, {DENOISED_AT}": _pictures(noisy),
                "denoised": _pictures(denoised),
            },
            numbers={
                name: {"cases": count, "noise loss": float(torch.cat(values).mean())}
                for name, values in losses.items()
            },
        )

    def sampled(self, images: Tensor) -> Tensor:
        """Turn noise (B, C, n, n) into samples by deterministic steps."""
        return ddim_chain(images, self._model().output, strided_steps(SAMPLING_STRIDE))

    def _model(self) -> prior.Prior:
        return prior.Prior(self.average, self.settings.side, self.label, "velocity")

    def _losses(
        self, network: AdmUNet | None, items: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return the mean squared errors of the velocity and of the noise computed from it, (B,) each."""
        numbers = torch.from_numpy(rng.integers(STEPS, size=len(items))).to(items.device)
        noise = _normal(items, rng)
        levels = self.levels[numbers][:, None, None, None]
        velocity = levels.sqrt() * noise - (1 - levels).sqrt() * items
        noisy = levels.sqrt() * items + (1 - levels).sqrt() * noise
        prediction = torch.zeros_like(noisy) if network is None else network(noisy, numbers)
        errors = functional.mse_loss(prediction, velocity, reduction="none").mean((1, 2, 3))
        return errors, self.levels[numbers] * errors


def _normal(like: Tensor, rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.standard_normal(tuple(like.shape), np.float32)).to(like.device)


def _pictures(items: Tensor) -> Array:
    """Turn items (B, C, n, n) in [-1, 1] into pictures in [0, 1]."""
    array: Array = ((items + 1) / 2).clamp(0, 1).cpu().numpy()
    return array
