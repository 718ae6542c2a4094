"""Train the kernel generator against a discriminator: a DCGAN, as published.

"Generative Latent Kernel Modeling for Blind Motion Deblurring", section IV; constants are those of its
predecessor's code, which the paper follows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmark.core.errors import InputError
from benchmark.core.progress import Progress, Report
from methods.glkm import weights
from methods.glkm.encoder import KernelEncoder
from methods.glkm.generator import LATENT, PUBLISHED_EPS, Discriminator, Generator, Size, side
from methods.glkm.inversion import best_inverted, inverted
from methods.parts.seeding import initialised_from
from methods.parts.weight_files import file_name
from methods.training.evidence import HELD_OUT_SEED, Evidence, as_array
from methods.training.held_out import HeldOut
from methods.training.kernels import INTENSITIES
from methods.training.loop import Materials, epoch_batch
from methods.training.registry import Training
from methods.training.settings import check_kernels, intensities_without_effect, kernels_for

WAY: weights.Way = "adversarial"


@dataclass(frozen=True)
class Settings:
    """The values of the predecessor's code, but for the scale of the discriminator's input."""

    kernel_size: Size = 31  # any: one network of 75 px for all sizes up to that
    supports: tuple[int, ...] = ()  # sizes that kernels are drawn for; empty: all that the generator serves
    intensities: tuple[float, float] = INTENSITIES  # range, of kernels that are drawn for a size of 65 only
    kernels: int = 60_000  # not published; the steps in the published log mean well above 25,600
    epochs: int = 20
    batch: int = 128
    width: int = 64  # of both networks, see `Generator`
    rate: float = 2e-4  # Adam's learning rate
    first_moment: float = 0.5  # Adam's beta 1
    bn_eps: float = PUBLISHED_EPS  # of the batch norms
    # What kernels are multiplied by before the discriminator; None: by the kernel size. With 1, as published,
    # it hardly learns, because entries near 1 / n^2 vanish beside the published eps of the batch norms.
    input_scale: float | None = None

    def __post_init__(self) -> None:
        check_kernels(self)

    def without_effect(self) -> dict[str, str]:
        """Find the settings that change nothing: see `methods.parts.settings.without_effect`."""
        return intensities_without_effect(self)


NO_START = (
    "earlier weights have no discriminator, without which an adversarial training cannot begin; leave the "
    "start out, or train by `decoder`"
)


class Adversaries:
    """A `Trainee` of `methods.training.loop`."""

    def __init__(
        self, settings: Settings, materials: Materials, seed: int, device: torch.device, report: Report
    ) -> None:
        self.settings, self.seed, size = settings, seed, side(settings.kernel_size)
        self.label = weights.label(weights.trained(WAY, settings.kernel_size))
        self.per_epoch = -(-settings.kernels // settings.batch)  # the last batch may be smaller
        self.steps = settings.epochs * self.per_epoch
        self.scale = settings.input_scale or float(size)
        with initialised_from(torch.Generator().manual_seed(seed)):
            self.generator = Generator(size, settings.width, settings.bn_eps)
            self.discriminator = Discriminator(size, settings.width, settings.bn_eps)
            for module in (*self.generator.modules(), *self.discriminator.modules()):
                _initialise(module)
        self.generator.to(device)
        self.discriminator.to(device)
        self.kernels = kernels_for(settings, seed, materials.processes, report).to(device)
        self.adams = {
            name: torch.optim.Adam(
                network.parameters(), lr=settings.rate, betas=(settings.first_moment, 0.999), fused=True
            )
            for name, network in self._networks()
        }

    def step(self, number: int, share: float) -> dict[str, Tensor]:
        """Do one step of the discriminator, then one of the generator, on the same generated kernels."""
        del share  # the learning rate is constant
        self.generator.train()
        chosen = epoch_batch(self.seed, number, len(self.kernels), self.settings.batch, self.per_epoch)
        real = self.kernels[torch.from_numpy(chosen).to(self.kernels.device)]
        rng = np.random.default_rng((self.seed, number))
        codes = torch.from_numpy(rng.standard_normal((len(real), LATENT, 1, 1), np.float32)).to(real.device)
        fake = self.generator(codes)
        real_logits = self.discriminator.logits(self.scale * real)
        fake_logits = self.discriminator.logits(self.scale * fake.detach())
        self.adams["discriminator"].zero_grad(set_to_none=True)
        discriminator_loss = _cross_entropy(real_logits, 1) + _cross_entropy(fake_logits, 0)
        discriminator_loss.backward()
        self.adams["discriminator"].step()
        self.adams["generator"].zero_grad(set_to_none=True)
        generator_loss = _cross_entropy(self.discriminator.logits(self.scale * fake), 1)
        generator_loss.backward()
        self.adams["generator"].step()
        return {
            "D(real)": real_logits.detach().sigmoid().mean(),
            "D(fake)": fake_logits.detach().sigmoid().mean(),
            "D loss": discriminator_loss.detach(),
            "G loss": generator_loss.detach(),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return both networks and the moments of both Adams."""
        networks = {name: network.state_dict() for name, network in self._networks()}
        return {"networks": networks, "adams": {name: adam.state_dict() for name, adam in self.adams.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of `state_dict`."""
        for name, network in self._networks():
            network.load_state_dict(state["networks"][name])
            self.adams[name].load_state_dict(state["adams"][name])

    def begin_with(self, folder: Path) -> int:
        """Raise InputError: the discriminator, which is half of the training, is not kept."""
        del folder
        raise InputError(f"start: {NO_START}")

    def save(self, folder: Path, steps: int, remark: str, half: bool) -> None:
        """Write the generator; the discriminator is no longer needed."""
        size = self.settings.kernel_size
        weights.save(folder, self.generator, size, way=WAY, steps=steps, remark=remark, half=half)

    def examine(self, count: int, report: Report) -> Evidence:
        """Compare generated kernels with real ones, and how closely held-out kernels can be reproduced."""
        held_out = HeldOut.drawn(self.settings, count, self.kernels.device)
        return examine_generator(self.generator, None, self.kernels, held_out, self.seed, report)

    def _networks(self) -> Iterator[tuple[str, nn.Module]]:
        yield from (("generator", self.generator), ("discriminator", self.discriminator))


SAMPLES = 128  # generated, and real, kernels in the evidence
INVERTED = 64  # how many held-out kernels are inverted, which takes long
STARTS, INVERSION_STEPS, INVERSION_RATE = 4, 200, 0.05  # of these inversions


def examine_generator(
    generator: Generator,
    encoder: KernelEncoder | None,
    kernels: Tensor,
    held_out: HeldOut,
    seed: int,
    report: Report,
) -> Evidence:
    """Examine a generator: samples beside real kernels, and how closely it reproduces held-out kernels.

    A held-out kernel is reproduced by the encoder; by inversion of the code, from the encoder's or else from
    several random starts; and from the best code by inversion of the feature maps. Afterwards the networks
    are in eval mode, the generator frozen.

    Args:
        generator: the generator.
        encoder: its encoder, if it has one.
        kernels: that it was trained on.
        held_out: the held-out kernels.
        seed: of the training.
        report: of the progress.
    """
    generator.eval().requires_grad_(False)
    device, count = kernels.device, len(held_out.kernels)
    report(Progress("examining", 0, 3))
    few = held_out.part(0, INVERTED)
    rng, most = np.random.default_rng(HELD_OUT_SEED), max(count, SAMPLES, STARTS * len(few.kernels))
    random = torch.from_numpy(rng.standard_normal((most, LATENT, 1, 1), np.float32)).to(device)
    starts = random[: STARTS * len(few.kernels)].reshape(STARTS, -1, LATENT, 1, 1)

    def truncated(features: Tensor) -> Tensor:
        return few.within(generator.logits(features))

    def whole(codes: Tensor) -> Tensor:
        return truncated(generator.features(codes))

    estimates = {}
    with torch.no_grad():
        generated = as_array(generator(random[:SAMPLES]))
        random_code = as_array(held_out.within(generator.logits(generator.features(random[:count]))))
        if encoder is not None:
            codes = encoder.eval()(held_out.kernels)[0]
            estimates["encoder"] = as_array(held_out.within(generator.logits(generator.features(codes))))
            starts = codes[None, : len(few.kernels)]
    report(Progress("examining", 1, 3, "inversion"))
    codes = best_inverted(whole, starts, few.kernels, INVERSION_STEPS, INVERSION_RATE)
    report(Progress("examining", 2, 3, "inversion"))
    start = generator.features(codes)
    features = inverted(truncated, start, few.kernels, INVERSION_STEPS, INVERSION_RATE, "sum")
    with torch.no_grad():
        estimates["inversion, codes"] = as_array(whole(codes))
        estimates["inversion, features"] = as_array(truncated(features))
    report(Progress("examining", 3, 3))
    return Evidence(
        samples={"real": as_array(kernels[:SAMPLES]), "generated": generated[:SAMPLES]},
        truth=as_array(held_out.kernels),
        sizes=held_out.sizes,
        estimates=estimates | held_out.yardsticks(kernels, seed) | {"random code": random_code},
        pictured=tuple(estimates),
    )


def _initialise(module: nn.Module) -> None:
    """Initialise a layer as in DCGAN: convolutions by N(0, 0.02), batch norms by N(1, 0.02) and 0."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def _cross_entropy(logits: Tensor, label: int) -> Tensor:
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def _weight_files(settings: Settings) -> tuple[str, ...]:
    return (file_name("generator", settings.kernel_size),)


TRAINING = Training(
    name="generator",
    title="Kernel generator, adversarial",
    paper='"Generative Latent Kernel Modeling for Blind Motion Deblurring", section IV',
    settings=Settings,
    start=Adversaries,
    outputs=_weight_files,
    no_start=NO_START,
)
