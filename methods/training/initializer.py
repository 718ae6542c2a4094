"""Train the kernel initializer E with a frozen generator G: Algorithm 1, equations (3) and (4).

    min_E  sum_i  | G(E(y_i)) - k_i |  +  lambda | E(y_i) - z_i |^2

y_i is a photograph blurred by kernel k_i, z_i the latent code of k_i. That code comes from inverting the
generator anew in each step (Algorithm 1), or from the encoder of the fast way
(`methods/training/decoder.py`); or the second term is left out (equation 3).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmark.core.errors import InputError, WeightsMissingError
from benchmark.core.progress import Progress, Report
from benchmark.core.types import Array
from methods.glkm import weights
from methods.glkm.generator import LATENT, Generator, Size, side
from methods.glkm.initializer import FastInitializer, Initializer
from methods.glkm.inversion import Reduction, inverted
from methods.parts.kernel_priors.divergence import kl_divergence
from methods.parts.seeding import initialised_from
from methods.parts.weight_files import file_name
from methods.training.earlier import earlier_weights, take_over
from methods.training.evidence import HELD_OUT_SEED, Evidence, as_array
from methods.training.held_out import HeldOut
from methods.training.kernels import INTENSITIES, turned
from methods.training.loop import Materials, epoch_batch
from methods.training.photographs import Photographs, blurred, reflected
from methods.training.registry import Training
from methods.training.schedules import cosine, set_rate
from methods.training.settings import check_kernels, intensities_without_effect, kernels_for


@dataclass(frozen=True)
class Settings:
    """The values of the predecessor's code, as the paper leaves most of them out."""

    kernel_size: Size = 31  # any: one network for all sizes, with the generator for all sizes
    supports: tuple[int, ...] = ()  # sizes that kernels are drawn for; empty: all that the generator serves
    intensities: tuple[float, float] = INTENSITIES  # range, of kernels that are drawn for a size of 65 only
    kernels: int = 60_000  # how many are drawn beforehand
    # Whether each kernel is flipped and transposed at random whenever it is taken (not in the predecessor's
    # code).
    turned: bool = False
    epochs: int = 60
    batch: int = 128
    network: Literal["resnet", "fast"] = "resnet"  # the paper's ResNet-18, or `FastInitializer`
    width: int = 64  # of the network
    # How many random crops each training crop is chosen from, by its contrast (not in the paper): flat crops
    # show no kernel.
    richest_of: int = 1
    crop: int = 256  # side of the crops, in pixels
    # reflect: crops are mirrored at their borders before they are blurred. valid: they are cut larger
    # instead.
    borders: Literal["reflect", "valid"] = "reflect"
    noise: float = 0.0  # largest standard deviation of the Gaussian noise, which is drawn for each crop
    gamma: float = 0.0  # intensities get a random exponent that differs from 1 by at most this
    rate: float = 1e-4  # Adam's learning rate
    # steps: times 0.1 after 40 of 60 epochs and after 50. cosine: down to 0, after a short rise.
    schedule: Literal["steps", "cosine"] = "steps"
    targets: Literal["inversion", "encoder", "none"] = "inversion"  # where the codes z_i come from
    inner_steps: int = 100  # of an inversion
    inner_rate: float = 1e-2  # Adam's learning rate in an inversion
    # Of the differences in an inversion. mean: as published, with gradients near Adam's eps. sum: over all
    # pixels.
    inner_reduction: Reduction = "mean"
    kernel_loss: Literal["l1", "kl"] = "l1"  # mean absolute error, or KL(k || G(E(y)))
    kernel_weight: float = 1.0  # of the kernel loss
    latent_weight: float = 0.1  # lambda of equation (4)
    bfloat16: bool = False  # whether layers compute in bfloat16; weights, losses and Adam have float32

    @property
    def side(self) -> int:
        """The side of the generator's kernels, px."""
        return side(self.kernel_size)

    @property
    def encodes(self) -> bool:
        """Whether the training needs the generator's encoder."""
        return self.targets == "encoder" or self.network == "fast"

    def __post_init__(self) -> None:
        check_kernels(self)
        if self.crop < self.side:
            raise ValueError(f"crop must be at least the kernel size {self.side}, not {self.crop}")

    def without_effect(self) -> dict[str, str]:
        """Find the settings that change nothing: see `methods.parts.settings.without_effect`."""
        return intensities_without_effect(self)


class InitializerTraining:
    """A `Trainee` of `methods.training.loop`."""

    def __init__(
        self, settings: Settings, materials: Materials, seed: int, device: torch.device, report: Report
    ) -> None:
        """Start a training. Raises InputError when the generator, or a needed encoder, is missing."""
        self.settings, self.seed, size = settings, seed, settings.side
        self.per_epoch = settings.kernels // settings.batch  # the rest is left out
        self.steps = settings.epochs * self.per_epoch
        try:
            generator, origin = weights.load_generator(materials.weights, settings.kernel_size)
            encoder = None
            if settings.encodes:
                encoder, _ = weights.load_encoder(materials.weights, settings.kernel_size)
        except WeightsMissingError as error:
            first = "decoder" if settings.encodes else "generator` or `decoder"
            raise InputError(f"{error}: trainings `{first}`") from error
        if generator.size != size:
            raise InputError(f"{materials.weights}: the generator gives {generator.size} px, not {size}")
        self.label, self.way = weights.label(origin), origin.way
        self.generator = generator.to(device)
        self.encoder = None if encoder is None else encoder.to(device)
        self.taken = settings.crop + (size - 1 if settings.borders == "valid" else 0)
        self.photographs = Photographs(materials.photographs, self.taken, device)
        self.held_out = materials.held_out
        with initialised_from(torch.Generator().manual_seed(seed)):
            self.initializer = self._network()
        if isinstance(self.initializer, FastInitializer):
            assert encoder is not None
            self.initializer.start_at(encoder)
        # Channels last is faster on a CPU, but with it torch 2.11's convolutions corrupt memory at 4
        # channels.
        last = settings.network == "resnet" and settings.width % 8 == 0
        self.layout = torch.channels_last if last else torch.contiguous_format
        self.initializer.to(device).to(memory_format=self.layout)  # type: ignore[call-overload]
        self.kernels = kernels_for(settings, seed, materials.processes, report).to(device)
        self.adam = torch.optim.Adam(self.initializer.parameters(), lr=settings.rate, fused=True)

    def step(self, number: int, share: float) -> dict[str, Tensor]:
        """Do one step of Algorithm 1 on a batch of kernels and as many crops."""
        settings = self.settings
        rng = np.random.default_rng((self.seed, number))
        set_rate(self.adam, self.rate(share))
        chosen = epoch_batch(self.seed, number, len(self.kernels), settings.batch, self.per_epoch)
        kernels = self.kernels[torch.from_numpy(chosen).to(self.kernels.device)]
        if settings.turned:
            kernels = turned(kernels, rng)
        images = self.blurry(kernels, rng)
        self.initializer.train()
        with torch.autocast(images.device.type, torch.bfloat16, enabled=settings.bfloat16):
            codes = self.initializer(images.contiguous(memory_format=self.layout)).float()
            targets = None if settings.targets == "none" else self.targets(codes.detach(), kernels).float()
            losses = collaborative_loss(self.generator, codes, kernels, targets, settings)
        self.adam.zero_grad(set_to_none=True)
        losses["loss"].backward()
        self.adam.step()
        return {term: value.detach() for term, value in losses.items()}

    def rate(self, share: float) -> float:
        """Return the learning rate when `share` of the training is over."""
        if self.settings.schedule == "steps":
            return self.settings.rate * 0.1 ** ((share >= 40 / 60) + (share >= 50 / 60))
        rise = 0.02
        if share < rise:
            return self.settings.rate * (share + rise / 10) / (1.1 * rise)
        return cosine(self.settings.rate, (share - rise) / (1 - rise))

    def blurry(self, kernels: Tensor, rng: np.random.Generator) -> Tensor:
        """Draw crops (B, 1, crop, crop), each blurred by its own of kernels (B, 1, n, n)."""
        settings = self.settings
        sharp = self.photographs.crops(len(kernels), self.taken, rng, settings.richest_of)
        if settings.gamma:
            exponents = rng.uniform(1 - settings.gamma, 1 + settings.gamma, (len(kernels), 1, 1, 1))
            sharp = sharp ** torch.from_numpy(exponents.astype(np.float32)).to(sharp.device)
        if settings.borders == "reflect":
            sharp = reflected(sharp, settings.side)
        images = blurred(sharp, kernels)
        return noisy(images, settings.noise, rng) if settings.noise else images

    def targets(self, codes: Tensor, kernels: Tensor) -> Tensor:
        """Return the latent codes z_i (B, 100, 1, 1) of kernels; an inversion starts at `codes`."""
        if self.settings.targets == "encoder":
            return self._encoded(kernels)
        return inverted(
            self.generator,
            codes,
            kernels,
            self.settings.inner_steps,
            self.settings.inner_rate,
            self.settings.inner_reduction,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the network and Adam's moments."""
        return {"initializer": self.initializer.state_dict(), "adam": self.adam.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of `state_dict`."""
        self.initializer.load_state_dict(state["initializer"])
        self.adam.load_state_dict(state["adam"])

    def begin_with(self, folder: Path) -> int:
        """Take over an initializer, as `Trainee`. It must have been trained with the same generator."""
        path = folder / file_name("initializer", self.settings.kernel_size)
        stored = earlier_weights(path, "initializer")
        weights.load_initializer(folder, self.settings.kernel_size, self.generator)  # refuses another one's
        return take_over(self.initializer, stored)

    def save(self, folder: Path, steps: int, remark: str, half: bool) -> None:
        """Write the initializer; its way is that of its generator."""
        size = self.settings.kernel_size
        weights.save(
            folder,
            self.initializer,
            size,
            way=self.way,
            steps=steps,
            remark=remark,
            half=half,
            generator=self.generator,
        )

    def examine(self, count: int, report: Report) -> Evidence:
        """Predict the kernels of held-out photographs that held-out kernels blur.

        The images are like test images whatever the training's were: true borders, noise of up to TEST_NOISE,
        8 bits. The upper bound is the kernel that the generator gives for the true kernel's code.
        """
        settings, device = self.settings, self.kernels.device
        size, crop = settings.side, settings.crop
        rng = np.random.default_rng(HELD_OUT_SEED)
        held_out = HeldOut.drawn(settings, count, device)
        photographs = Photographs(self.held_out, crop + size - 1, device)
        self.initializer.eval()
        parts: dict[str, list[Array]] = {"blurry": [], "sharp": [], "initializer": [], self._bound: []}
        for start in range(0, count, AT_ONCE):
            report(Progress("examining", start, count))
            part = held_out.part(start, start + AT_ONCE)
            truth = part.kernels
            sharp = photographs.crops(len(truth), crop + size - 1, rng)
            images = noisy(blurred(sharp, truth), TEST_NOISE, rng)
            margin = size // 2
            with torch.no_grad():
                estimate = part.within(self._logits(self.initializer(images)))
                bound = part.within(self._logits(self._bounding_codes(truth)))
            parts["blurry"].append(images[:, 0].cpu().numpy())
            parts["sharp"].append(sharp[:, 0, margin : margin + crop, margin : margin + crop].cpu().numpy())
            parts["initializer"].append(as_array(estimate))
            parts[self._bound].append(as_array(bound))
        report(Progress("examining", count, count))
        arrays = {name: np.concatenate(pieces) for name, pieces in parts.items()}
        codes = torch.from_numpy(rng.standard_normal((count, LATENT, 1, 1), np.float32)).to(device)
        with torch.no_grad():
            random = {"random code": as_array(held_out.within(self._logits(codes)))}
        return Evidence(
            truth=as_array(held_out.kernels),
            sizes=held_out.sizes,
            estimates={name: arrays[name] for name in ("initializer", self._bound)}
            | held_out.yardsticks(self.kernels, self.seed)
            | random,
            blurry=arrays["blurry"],
            sharp=arrays["sharp"],
            pictured=("initializer", "mean kernel", "Gaussian"),
        )

    def _network(self) -> Initializer | FastInitializer:
        if self.settings.network == "resnet":
            return Initializer(self.settings.width)
        return FastInitializer(self.settings.side, self.settings.width)

    def _logits(self, codes: Tensor) -> Tensor:
        return self.generator.logits(self.generator.features(codes))

    @property
    def _bound(self) -> str:
        return "encoder" if self.settings.encodes else "inversion, codes"

    def _bounding_codes(self, kernels: Tensor) -> Tensor:
        if self.encoder is not None:
            return self._encoded(kernels)
        starts = torch.zeros(len(kernels), LATENT, 1, 1, device=kernels.device)
        return inverted(self.generator, starts, kernels, BOUND_STEPS, BOUND_RATE, "sum")

    @torch.no_grad()
    def _encoded(self, kernels: Tensor) -> Tensor:
        assert self.encoder is not None
        mean: Tensor = self.encoder(kernels)[0]
        return mean


def collaborative_loss(
    generator: Generator, codes: Tensor, kernels: Tensor, targets: Tensor | None, settings: Settings
) -> dict[str, Tensor]:
    """Return the loss of equation (4), or of (3) without targets, and its terms by name.

    Args:
        generator: G, frozen.
        codes: the predicted codes, (B, 100, 1, 1).
        kernels: the true kernels, (B, 1, n, n), correlation form.
        targets: their codes; None: there are none.
        settings: of the training.
    """
    logits = generator.logits(generator.features(codes)).float()
    if settings.kernel_loss == "l1":
        kernel_term = (logits.flatten(1).softmax(1) - kernels.flatten(1)).abs().mean()
    else:
        kernel_term = kl_divergence(kernels, logits).mean()
    loss = settings.kernel_weight * kernel_term
    if targets is None:
        return {"loss": loss, "kernel": kernel_term}
    latent_term = functional.mse_loss(codes, targets)
    return {
        "loss": loss + settings.latent_weight * latent_term,
        "kernel": kernel_term,
        "latent": latent_term,
    }


TEST_NOISE = 0.01  # largest standard deviation
AT_ONCE = 50  # crops that are examined together
# Of the inversion for the upper bound: few and large steps of the summed difference, where the published ones
# are many and small.
BOUND_STEPS, BOUND_RATE = 20, 0.1


def noisy(images: Tensor, largest: float, rng: np.random.Generator) -> Tensor:
    """Add noise of a standard deviation U(0, largest) to each image (B, 1, H, W), and round to 8 bits."""
    sigmas = rng.uniform(0, largest, (len(images), 1, 1, 1))
    noise = sigmas * rng.standard_normal(tuple(images.shape), np.float32)
    images = images + torch.from_numpy(noise.astype(np.float32)).to(images.device)
    return (255 * images).round().clamp(0, 255) / 255


def _inputs(settings: Settings, folder: Path) -> list[Path]:
    kinds: list[weights.Kind] = ["generator", "encoder"] if settings.encodes else ["generator"]
    return [weights.path_of(folder, kind, settings.kernel_size) for kind in kinds]


def _outputs(settings: Settings) -> tuple[str, ...]:
    return (file_name("initializer", settings.kernel_size),)


TRAINING = Training(
    name="initializer",
    title="Kernel initializer, collaborative",
    paper='"Generative Latent Kernel Modeling for Blind Motion Deblurring", Algorithm 1, eq. (3) and (4)',
    settings=Settings,
    start=InitializerTraining,
    outputs=_outputs,
    inputs=_inputs,
    photographs=True,
)
