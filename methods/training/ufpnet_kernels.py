"""UFPNet, stage II: train the kernel estimator by re-blurring sharp images, with a frozen flow, eq. (4)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from benchmark.core.progress import Progress, Report
from methods.parts.limits import at_least
from methods.parts.seeding import initialised_from
from methods.parts.weight_files import frozen_network
from methods.training.earlier import take_over
from methods.training.evidence import HELD_OUT_SEED, Evidence, Means, as_array
from methods.training.kernels import training_kernels, unit_sum
from methods.training.loop import Materials
from methods.training.pairs import Pairs, pair_source, patches
from methods.training.registry import Training
from methods.training.schedules import cosine, set_rate
from methods.training.ufpnet_flow import supports
from methods.ufp import weights
from methods.ufp.estimator import KernelEstimator, standardised, uncertain
from methods.ufp.flow import KernelFlow
from methods.ufp.network import KernelForm, Shape

STAGE: weights.Stage = "ufpnet-kernels"
LAST_RATE = 1e-6
EXAMINED = 40  # pairs of each kind


@dataclass(frozen=True)
class Settings:
    """A small network that is trained in minutes.

    The authors did not release the code of this stage; the published network took 480,000 steps.
    """

    kernel_size: int = 15
    kernel_form: KernelForm = "uncertain"
    channels: tuple[int, ...] = (16, 32, 64)  # of the estimator, at full, half and quarter size
    renormalised: bool = True  # whether kernels are divided by their sums: ours
    kernels: int = 20_000  # how many are drawn beforehand
    steps: int = 6000
    batch: int = 2
    crop: int = 96  # side of the crops, in pixels
    pixels: int = 4096  # of a batch at which kernels are decoded: their loss estimates that of all pixels
    noise: float = 0.01  # largest standard deviation of the noise in synthetic pairs
    rate: float = 5e-4  # learning rate at the beginning; it falls to LAST_RATE along a cosine
    clip: float = 1.0  # largest norm of the gradient

    def __post_init__(self) -> None:
        at_least(1, self, "kernels", "steps", "batch", "crop", "pixels")
        at_least(0, self, "noise", "rate", "clip")
        if len(self.channels) != 3:
            raise ValueError(f"channels must be three numbers, not {list(self.channels)}")
        if self.kernel_form not in get_args(KernelForm):
            raise ValueError(f"kernel_form must be one of {', '.join(get_args(KernelForm))}")


class EstimatorTraining:
    """A `Trainee` of `methods.training.loop`."""

    def __init__(
        self, settings: Settings, materials: Materials, seed: int, device: torch.device, report: Report
    ) -> None:
        """Start a training. Raises InputError when the flow is missing."""
        self.settings, self.seed, self.steps = settings, seed, settings.steps
        size = settings.kernel_size
        full, half, quarter = settings.channels
        self.shape = Shape(
            kernel_size=size,
            kernel_form=settings.kernel_form,
            estimator=(full, half, quarter),
            renormalised=settings.renormalised,
        )
        self.flow: KernelFlow | None = None
        if settings.kernel_form != "softmax":
            self.flow, self.shape = _with_flow(self.shape, materials.weights)
            self.flow.to(device)
        self.label = weights.label(STAGE, size)
        with initialised_from(torch.Generator().manual_seed(seed)):
            self.estimator = KernelEstimator(
                size, self.shape.estimator, settings.kernel_form == "uncertain"
            ).to(device)
        self.materials = materials
        self.kernels = training_kernels(
            size, supports(size), settings.kernels, seed, materials.processes, report
        ).to(device)
        self.source = pair_source(materials, self.kernels, settings.crop, settings.noise)
        self.adam = torch.optim.Adam(self.estimator.parameters(), lr=settings.rate, fused=True)

    def step(self, number: int, share: float) -> dict[str, Tensor]:
        """Do one step on a batch of pairs, at some of their pixels."""
        settings = self.settings
        rng = np.random.default_rng((self.seed, number))
        set_rate(self.adam, cosine(settings.rate, share, LAST_RATE))
        batch = self.source.pairs(settings.batch, settings.crop, rng)
        softmax, sigma = self.estimator(batch.blurry)
        chosen = self._pixels(batch, rng)
        kernels = self._kernels(softmax, sigma, chosen, rng)
        loss = (reblurred_at(batch.sharp, kernels, chosen) - at(batch.blurry, chosen)).abs().mean()
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.estimator.parameters(), settings.clip)
        self.adam.step()
        losses = {} if sigma is None else {"sigma": sigma.detach().mean()}
        return losses | {"residual": loss.detach()}

    def state_dict(self) -> dict[str, Any]:
        """Return the estimator and Adam's moments."""
        return {"estimator": self.estimator.state_dict(), "adam": self.adam.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of `state_dict`."""
        self.estimator.load_state_dict(state["estimator"])
        self.adam.load_state_dict(state["adam"])

    def begin_with(self, folder: Path) -> int:
        """Take over an estimator, as `Trainee`; the flow stays as it is."""
        stored, _ = weights.load(folder, STAGE, self.settings.kernel_size)
        return take_over(self.estimator, stored.part("estimator"))

    def save(self, folder: Path, steps: int, remark: str, half: bool) -> None:
        """Write the estimator, and the flow with it."""
        parts = torch.nn.ModuleDict({"estimator": self.estimator})
        if self.flow is not None:
            parts["flow"] = self.flow
        weights.save(folder, parts, STAGE, self.shape, steps, remark, half)

    @torch.no_grad()
    def examine(self, count: int, report: Report) -> Evidence:
        """Measure the PSNR of re-blurred held-out images, also without blur and with the mean kernel."""
        settings = self.settings
        size, device = settings.kernel_size, self.kernels.device
        kernels = training_kernels(size, supports(size), count, HELD_OUT_SEED).to(device)
        source = pair_source(self.materials, kernels, settings.crop, 0.0, held_out=True)
        mean = self.kernels.mean(0).flatten()
        means = Means()
        truth, estimates = [], []
        cases = min(count, EXAMINED)
        for case in range(cases):
            report(Progress("examining", case, cases))
            for kind in source.kinds:
                rng = np.random.default_rng((HELD_OUT_SEED, case))
                batch = source.pairs(1, settings.crop, rng, kind)
                chosen = torch.arange(settings.crop**2, device=device)
                softmax, sigma = self.estimator(batch.blurry)
                estimated = self._kernels(softmax, sigma, chosen, None)
                reblurs = {
                    "estimator": reblurred_at(batch.sharp, estimated, chosen),
                    "mean kernel": reblurred_at(batch.sharp, mean.expand_as(estimated), chosen),
                    "no blur": at(batch.frame, chosen),
                }
                for name, reblur in reblurs.items():
                    error = (reblur - at(batch.blurry, chosen)).square().mean().item()
                    means.add(name, f"reblur PSNR, {kind}", -10 * np.log10(error))
                if kind == "uniform" and batch.kernels is not None:
                    truth.append(batch.kernels[0, :1])
                    estimates.append(estimated[0].mean(0).reshape(1, size, size))
        report(Progress("examining", cases, cases))
        if not truth:
            return Evidence(numbers=means.numbers())
        return Evidence(
            truth=as_array(torch.stack(truth)),
            estimates={"estimator": as_array(unit_sum(torch.stack(estimates)))},
            pictured=("estimator",),
            numbers=means.numbers(),
        )

    def _pixels(self, batch: Pairs, rng: np.random.Generator) -> Tensor:
        total = batch.blurry.shape[-2] * batch.blurry.shape[-1]
        count = min(total, max(1, self.settings.pixels // len(batch.blurry)))
        return torch.from_numpy(rng.choice(total, count, replace=False)).to(batch.blurry.device)

    def _kernels(
        self, softmax: Tensor, sigma: Tensor | None, chosen: Tensor, rng: np.random.Generator | None
    ) -> Tensor:
        """Return the kernels (B, P, L) at P chosen pixels; with `rng`, codes are mixed with noise."""
        if self.flow is None:
            return at(softmax, chosen)
        codes = at(standardised(softmax), chosen)
        if sigma is not None:
            noise = torch.zeros_like(codes)
            if rng is not None:
                drawn = rng.standard_normal(tuple(codes.shape), np.float32)
                noise = torch.from_numpy(drawn).to(codes.device)
            codes = uncertain(codes, at(sigma, chosen), noise)
        kernels: Tensor = self.flow.kernels(codes.flatten(0, 1)).unflatten(0, codes.shape[:2])
        return kernels / kernels.sum(-1, keepdim=True) if self.settings.renormalised else kernels


def at(images: Tensor, chosen: Tensor) -> Tensor:
    """Return the values (B, P, C) of images (B, C, H, W) at P pixels, numbered row by row."""
    return images.flatten(2)[:, :, chosen].transpose(1, 2)


def reblurred_at(sharp: Tensor, kernels: Tensor, chosen: Tensor) -> Tensor:
    """Blur sharp images (B, C, H + k - 1, W + k - 1) at P pixels with their kernels (B, P, L): (B, P, C)."""
    return torch.einsum("bclp,bpl->bpc", patches(sharp, kernels.shape[-1])[..., chosen], kernels)


def _with_flow(shape: Shape, folder: Path) -> tuple[KernelFlow, Shape]:
    """Read the trained flow, and put its sizes into `shape`. Raises InputError when there is none."""
    stored, trained = weights.load(folder, "ufpnet-flow", shape.kernel_size)
    flow = frozen_network(
        lambda: KernelFlow(shape.kernel_size, trained.flow_blocks, trained.flow_hidden), stored
    )
    return flow, replace(shape, flow_blocks=trained.flow_blocks, flow_hidden=trained.flow_hidden)


def _inputs(settings: Settings, folder: Path) -> tuple[Path, ...]:
    if settings.kernel_form == "softmax":
        return ()
    return (folder / weights.file_name("ufpnet-flow", settings.kernel_size),)


TRAINING = Training(
    name=STAGE,
    title="UFPNet, stage II: kernel estimator",
    paper=f"{weights.PAPER}, eq. (4) to (6)",
    settings=Settings,
    start=EstimatorTraining,
    outputs=lambda settings: (weights.file_name(STAGE, settings.kernel_size),),
    inputs=_inputs,
    photographs=True,
    pairs=True,
)
