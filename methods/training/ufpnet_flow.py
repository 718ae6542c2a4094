"""UFPNet, stage I: train the flow between kernels and Gaussian codes by maximum likelihood, equation (2)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmark.core.progress import Report
from benchmark.core.types import Array
from methods.parts.limits import at_least
from methods.parts.seeding import initialised_from
from methods.training.earlier import take_over
from methods.training.evidence import HELD_OUT_SEED, Evidence, as_array
from methods.training.kernels import SMALLEST, training_kernels, turned, unit_sum
from methods.training.loop import Materials
from methods.training.registry import Training
from methods.training.schedules import cosine, set_rate
from methods.ufp import weights
from methods.ufp.flow import KernelFlow, to_logits
from methods.ufp.network import Shape

STAGE: weights.Stage = "ufpnet-flow"


@dataclass(frozen=True)
class Settings:
    """A small network that is trained in minutes.

    The published flow has kernels of 19 px, 25 hidden units, batches of 10 (its source: 100) and a learning
    rate of 1e-4, halved after 40, 50, ... 90 of 100 epochs of 500 steps.
    """

    kernel_size: int = 15
    blocks: int = 5  # see `KernelFlow`
    hidden: int = 20
    kernels: int = 20_000  # how many are drawn beforehand
    steps: int = 3000
    batch: int = 100
    rate: float = 1e-3  # learning rate at the beginning; it falls to 0 along a cosine
    weight_decay: float = 1e-6

    def __post_init__(self) -> None:
        at_least(1, self, "blocks", "hidden", "kernels", "steps")
        at_least(2, self, "batch")
        at_least(0, self, "rate", "weight_decay")
        if self.kernel_size % 2 == 0 or self.kernel_size < SMALLEST:
            raise ValueError(f"kernel_size must be odd and at least {SMALLEST}, not {self.kernel_size}")


def supports(kernel_size: int) -> tuple[int, ...]:
    """Return the sizes that kernels are drawn for: all odd ones up to `kernel_size`."""
    return tuple(range(SMALLEST, kernel_size + 1, 2))


class FlowTraining:
    """A `Trainee` of `methods.training.loop`."""

    def __init__(
        self, settings: Settings, materials: Materials, seed: int, device: torch.device, report: Report
    ) -> None:
        self.settings, self.seed, self.steps = settings, seed, settings.steps
        self.label = weights.label(STAGE, settings.kernel_size)
        size = settings.kernel_size
        with initialised_from(torch.Generator().manual_seed(seed)):
            self.flow = KernelFlow(size, settings.blocks, settings.hidden).to(device)
        self.kernels = training_kernels(
            size, supports(size), settings.kernels, seed, materials.processes, report
        ).to(device)
        self.adam = torch.optim.Adam(
            self.flow.parameters(), lr=settings.rate, weight_decay=settings.weight_decay, fused=True
        )

    def step(self, number: int, share: float) -> dict[str, Tensor]:
        """Do one step on a batch of kernels."""
        rng = np.random.default_rng((self.seed, number))
        set_rate(self.adam, cosine(self.settings.rate, share))
        chosen = torch.from_numpy(rng.integers(len(self.kernels), size=self.settings.batch))
        kernels = turned(self.kernels[chosen.to(self.kernels.device)], rng)
        self.flow.train()
        loss = -self.flow.log_density(_dequantised(kernels, rng)).mean()
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        self.adam.step()
        return {"nats": loss.detach()}

    def state_dict(self) -> dict[str, Any]:
        """Return the flow and Adam's moments."""
        return {"flow": self.flow.state_dict(), "adam": self.adam.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of `state_dict`."""
        self.flow.load_state_dict(state["flow"])
        self.adam.load_state_dict(state["adam"])

    def begin_with(self, folder: Path) -> int:
        """Take over a flow, as `Trainee`."""
        stored, _ = weights.load(folder, STAGE, self.settings.kernel_size)
        return take_over(self.flow, stored)

    def save(self, folder: Path, steps: int, remark: str, half: bool) -> None:
        """Write the flow."""
        settings = self.settings
        shape = Shape(
            kernel_size=settings.kernel_size, flow_blocks=settings.blocks, flow_hidden=settings.hidden
        )
        weights.save(folder, self.flow, STAGE, shape, steps, remark, half)

    @torch.no_grad()
    def examine(self, count: int, report: Report) -> Evidence:
        """Measure the likelihood of held-out kernels and samples, and the error of mapping there and back."""
        del report
        self.flow.eval()
        size, device = self.settings.kernel_size, self.kernels.device
        rng = np.random.default_rng(HELD_OUT_SEED)
        held_out = training_kernels(size, supports(size), count, HELD_OUT_SEED).to(device)
        logits = _dequantised(held_out, rng)
        codes = torch.from_numpy(rng.standard_normal((count, size**2), np.float32)).to(device)
        sampled_logits = self.flow.generate(codes)[0]
        back = self.flow.generate(self.flow.analyse(logits)[0])[0]
        sampled = self.flow.kernels(codes).reshape(-1, 1, size, size)
        numbers = {
            "held out": {
                "nats": -self.flow.log_density(logits).mean().item(),
                "inversion_error": (back - logits).abs().max().item(),
            },
            "samples": {
                "nats": -self.flow.log_density(sampled_logits).mean().item(),
                "mass": sampled.flatten(1).sum(1).median().item(),
            },
        }
        rows: dict[str, Array] = {"real": as_array(held_out), "generated": as_array(unit_sum(sampled))}
        return Evidence(samples=rows, numbers=numbers)


def _dequantised(kernels: Tensor, rng: np.random.Generator) -> Tensor:
    noise = torch.from_numpy(rng.random(tuple(kernels.shape), np.float32)).to(kernels.device)
    return to_logits(kernels, noise)


TRAINING = Training(
    name=STAGE,
    title="UFPNet, stage I: kernel flow",
    paper=f"{weights.PAPER}, eq. (2)",
    settings=Settings,
    start=FlowTraining,
    outputs=lambda settings: (weights.file_name(STAGE, settings.kernel_size),),
)
