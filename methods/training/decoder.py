"""'GLKM-fast': train the kernel generator as the decoder of a variational autoencoder.

Not in the paper. It gives the same layers as the adversarial training in a fraction of its time, together
with an encoder from kernels to latent codes. Results with such weights must say so beside the paper's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmark.core.progress import Report
from methods.glkm import weights
from methods.glkm.encoder import KernelEncoder
from methods.glkm.generator import LATENT, Generator, Size, side
from methods.parts.kernel_priors.divergence import kl_divergence
from methods.parts.seeding import initialised_from
from methods.parts.weight_files import file_name
from methods.training.earlier import earlier_weights, take_over
from methods.training.evidence import Evidence
from methods.training.generator import examine_generator
from methods.training.held_out import HeldOut
from methods.training.kernels import INTENSITIES, turned
from methods.training.loop import Materials
from methods.training.registry import Training
from methods.training.schedules import set_rate
from methods.training.settings import check_kernels, intensities_without_effect, kernels_for

WAY: weights.Way = "GLKM-fast"


@dataclass(frozen=True)
class Settings:
    """Our choice for kernels of 31 px; none of these values is in the paper."""

    kernel_size: Size = 31  # any: one network of 75 px for all sizes up to that
    supports: tuple[int, ...] = ()  # sizes that kernels are drawn for; empty: all that the generator serves
    intensities: tuple[float, float] = INTENSITIES  # range, of kernels that are drawn for a size of 65 only
    kernels: int = 20_000  # how many are drawn beforehand
    steps: int = 5000
    batch: int = 64
    width: int = 64  # of the generator, see `Generator`
    rate: float = 1e-3  # Adam's learning rate
    late_rate: float = 3e-4  # the learning rate after the share `late_from` of the training
    late_from: float = 0.6
    divergence_weight: float = 1e-3  # of the KL divergence of the latent codes from N(0, I)
    bn_eps: float = 1e-5  # of the generator's batch norms
    bfloat16: bool = False  # whether layers compute in bfloat16; weights, losses and Adam have float32

    def __post_init__(self) -> None:
        check_kernels(self)

    def without_effect(self) -> dict[str, str]:
        """Find the settings that change nothing: see `methods.parts.settings.without_effect`."""
        return intensities_without_effect(self)


class Decoder:
    """A `Trainee` of `methods.training.loop`."""

    def __init__(
        self, settings: Settings, materials: Materials, seed: int, device: torch.device, report: Report
    ) -> None:
        self.settings, self.seed, self.steps = settings, seed, settings.steps
        self.label = weights.label(weights.trained(WAY, settings.kernel_size))
        with initialised_from(torch.Generator().manual_seed(seed)):
            self.generator = Generator(side(settings.kernel_size), settings.width, settings.bn_eps).to(device)
            self.encoder = KernelEncoder(side(settings.kernel_size)).to(device)
        self.kernels = kernels_for(settings, seed, materials.processes, report).to(device)
        self.networks = nn.ModuleDict({"generator": self.generator, "encoder": self.encoder})
        self.adam = torch.optim.Adam(self.networks.parameters(), lr=settings.rate, fused=True)

    def step(self, number: int, share: float) -> dict[str, Tensor]:
        """Do one step on a batch of kernels."""
        settings = self.settings
        self.networks.train()
        rng = np.random.default_rng((self.seed, number))
        set_rate(self.adam, settings.late_rate if share >= settings.late_from else settings.rate)
        chosen = torch.from_numpy(rng.integers(len(self.kernels), size=settings.batch))
        kernels = turned(self.kernels[chosen.to(self.kernels.device)], rng)
        noise = rng.standard_normal((len(kernels), LATENT, 1, 1), np.float32)
        with torch.autocast(kernels.device.type, torch.bfloat16, enabled=settings.bfloat16):
            mean, log_variance = (part.float() for part in self.encoder(kernels))
            codes = mean + (log_variance / 2).exp() * torch.from_numpy(noise).to(kernels.device)
            logits = self.generator.logits(self.generator.features(codes)).float()
        reconstruction = kl_divergence(kernels, logits).mean()
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).flatten(1).sum(1).mean() / 2
        self.adam.zero_grad(set_to_none=True)
        (reconstruction + settings.divergence_weight * divergence).backward()
        self.adam.step()
        return {"kernel KL": reconstruction.detach(), "code KL": divergence.detach()}

    def state_dict(self) -> dict[str, Any]:
        """Return the networks and Adam's moments."""
        return {"networks": self.networks.state_dict(), "adam": self.adam.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of `state_dict`."""
        self.networks.load_state_dict(state["networks"])
        self.adam.load_state_dict(state["adam"])

    def begin_with(self, folder: Path) -> int:
        """Take over a generator and its encoder, as `Trainee`."""
        kinds: tuple[tuple[weights.Kind, nn.Module], ...] = (
            ("encoder", self.encoder),
            ("generator", self.generator),
        )
        steps = 0
        for kind, network in kinds:
            path = folder / file_name(kind, self.settings.kernel_size)
            steps = take_over(network, earlier_weights(path, kind))
        return steps

    def save(self, folder: Path, steps: int, remark: str, half: bool) -> None:
        """Write the generator and the encoder."""
        for network in (self.generator, self.encoder):
            size = self.settings.kernel_size
            weights.save(folder, network, size, way=WAY, steps=steps, remark=remark, half=half)

    def examine(self, count: int, report: Report) -> Evidence:
        """Compare generated kernels with real ones, and how closely held-out kernels can be reproduced."""
        held_out = HeldOut.drawn(self.settings, count, self.kernels.device)
        return examine_generator(self.generator, self.encoder, self.kernels, held_out, self.seed, report)


def _weight_files(settings: Settings) -> tuple[str, ...]:
    return tuple(file_name(kind, settings.kernel_size) for kind in ("generator", "encoder"))


TRAINING = Training(
    name="decoder",
    title="GLKM-fast: kernel generator as the decoder of a variational autoencoder",
    paper="none; the generator's layers are those of GLKM",
    settings=Settings,
    start=Decoder,
    outputs=_weight_files,
)
