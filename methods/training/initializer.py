"""Pre-training of the kernel initializer E with a frozen generator: Algorithm 1, eq. (3) and (4).

    min_E  sum_i  | G(E(y_i)) - k_i |  +  lambda | E(y_i) - z_i |^2

z_i, the latent code of kernel k_i, comes from inverting the generator anew in each step (Algorithm 1), or
from the encoder of the fast way (`methods/training/decoder.py`), or the term is left out (eq. 3).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from methods.fit import initialised_from
from methods.glkm.encoder import KernelEncoder
from methods.glkm.generator import Generator
from methods.glkm.initializer import Initializer
from methods.training.decoder import kl_divergence
from methods.training.kernels import training_kernels, turned
from methods.training.loop import Materials
from methods.training.photographs import Photographs, blurred, reflected


@dataclass(frozen=True)
class Settings:
    """The predecessor's code, which fills in what the paper leaves out."""

    kernel_size: int = 31
    # Kernel sizes to draw kernels for; none: those that the generator serves.
    supports: tuple[int, ...] = ()
    kernels: int = 60_000
    epochs: int = 60
    batch: int = 128
    width: int = 64
    crop: int = 256
    # reflect: the crop is mirrored at its borders before it is blurred; true: cut larger instead.
    borders: Literal["reflect", "true"] = "reflect"
    noise: float = 0.0  # largest standard deviation of Gaussian noise, drawn anew for each crop
    gamma: float = 0.0  # largest deviation of a random exponent of the intensities from 1
    rate: float = 1e-4
    # steps: times 0.1 after 40 of 60 and again after 50 of 60 epochs; cosine: down to 0, after a short rise.
    schedule: Literal["steps", "cosine"] = "steps"
    targets: Literal["inversion", "encoder", "none"] = "inversion"
    inner_steps: int = 100
    inner_rate: float = 1e-2
    # mean: as published, with gradients near Adam's eps; sum: over pixels and batch.
    inner_reduction: Literal["mean", "sum"] = "mean"
    kernel_loss: Literal["l1", "kl"] = "l1"  # mean absolute error, or KL(k || G(E(y)))
    kernel_weight: float = 1.0
    latent_weight: float = 0.1  # lambda of eq. (4)


class InitializerTraining:
    """A `Trainee` (see `methods/training/loop.py`)."""

    def __init__(
        self,
        settings: Settings,
        materials: Materials,
        seed: int,
        device: torch.device,
        generator: Generator,
        encoder: KernelEncoder | None,
    ) -> None:
        self.settings, self.seed = settings, seed
        self.steps = settings.epochs * (settings.kernels // settings.batch)
        self.generator = generator.to(device).eval().requires_grad_(False)
        self.encoder = None if encoder is None else encoder.to(device).eval().requires_grad_(False)
        with initialised_from(torch.Generator().manual_seed(seed)):
            self.initializer = Initializer(settings.width)
        self.initializer.to(device)
        self.kernels = training_kernels(settings.kernel_size, settings.supports, settings.kernels, seed).to(
            device
        )
        self.taken = settings.crop + (settings.kernel_size - 1 if settings.borders == "true" else 0)
        self.photographs = Photographs(materials.photographs, self.taken, device)
        self.adam = torch.optim.Adam(self.initializer.parameters(), lr=settings.rate, fused=True)

    def step(self, number: int, share: float) -> dict[str, Tensor]:
        """One step of Algorithm 1 on a batch of kernels and as many crops."""
        settings = self.settings
        rng = np.random.default_rng((self.seed, number))
        for group in self.adam.param_groups:
            group["lr"] = self.rate(share)
        kernels = turned(self.kernels[self._batch(number)], rng)
        images = self.blurry(self.photographs, kernels, rng)
        self.initializer.train()
        codes = self.initializer(images.contiguous(memory_format=torch.channels_last))
        logits = self.generator.logits(self.generator.features(codes))
        if settings.kernel_loss == "l1":
            probabilities = logits.flatten(1).softmax(1)
            kernel_term = (probabilities - kernels.flatten(1)).abs().mean()
        else:
            kernel_term = kl_divergence(kernels, logits).mean()
        losses = {"kernel": kernel_term}
        loss = settings.kernel_weight * kernel_term
        if settings.targets != "none":
            latent_term = functional.mse_loss(codes, self.targets(codes.detach(), kernels))
            losses["latent"] = latent_term
            loss = loss + settings.latent_weight * latent_term
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        self.adam.step()
        return {"loss": loss.detach()} | {term: value.detach() for term, value in losses.items()}

    def rate(self, share: float) -> float:
        """Adam's rate when `share` of the training is over."""
        if self.settings.schedule == "steps":
            return self.settings.rate * 0.1 ** ((share >= 40 / 60) + (share >= 50 / 60))
        rise = 0.02
        if share < rise:
            return self.settings.rate * (share + rise / 10) / (1.1 * rise)
        return self.settings.rate * (1 + math.cos(math.pi * (share - rise) / (1 - rise))) / 2

    def blurry(self, photographs: Photographs, kernels: Tensor, rng: np.random.Generator) -> Tensor:
        """Random crops (B, 1, crop, crop), each blurred by its own of kernels (B, 1, n, n)."""
        settings = self.settings
        sharp = photographs.crops(len(kernels), self.taken, rng)
        if settings.gamma:
            exponents = rng.uniform(1 - settings.gamma, 1 + settings.gamma, (len(kernels), 1, 1, 1))
            sharp = sharp ** torch.from_numpy(exponents.astype(np.float32)).to(sharp.device)
        if settings.borders == "reflect":
            sharp = reflected(sharp, settings.kernel_size)
        images = blurred(sharp, kernels)
        if settings.noise:
            sigmas = rng.uniform(0, settings.noise, (len(kernels), 1, 1, 1))
            noise = sigmas * rng.standard_normal(tuple(images.shape), np.float32)
            images = images + torch.from_numpy(noise.astype(np.float32)).to(images.device)
            images = (255 * images).round().clamp(0, 255) / 255
        return images

    def targets(self, codes: Tensor, kernels: Tensor) -> Tensor:
        """The latent codes z_i (B, 100, 1, 1) of `kernels`; an inversion starts at `codes`."""
        if self.settings.targets == "encoder":
            assert self.encoder is not None
            with torch.no_grad():
                mean: Tensor = self.encoder(kernels)[0]
            return mean
        return inverted(
            self.generator,
            codes,
            kernels,
            self.settings.inner_steps,
            self.settings.inner_rate,
            self.settings.inner_reduction,
        )

    def state_dict(self) -> dict[str, Any]:
        """The network and Adam's moments."""
        return {"initializer": self.initializer.state_dict(), "adam": self.adam.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.initializer.load_state_dict(state["initializer"])
        self.adam.load_state_dict(state["adam"])

    def _batch(self, number: int) -> Tensor:
        """Indices of kernels: each once per epoch, in an order of the epoch's own; a rest is dropped."""
        per_epoch = len(self.kernels) // self.settings.batch
        epoch, within = divmod(number, per_epoch)
        order = np.random.default_rng((self.seed, epoch, 1)).permutation(len(self.kernels))
        chosen = order[within * self.settings.batch : (within + 1) * self.settings.batch]
        return torch.from_numpy(chosen).to(self.kernels.device)


def inverted(
    generator: Generator,
    codes: Tensor,
    kernels: Tensor,
    steps: int,
    rate: float,
    reduction: Literal["mean", "sum"] = "mean",
) -> Tensor:
    """Latent codes (B, 100, 1, 1) after `steps` of a fresh Adam from `codes` on |G(z) - kernels|, L1."""
    codes = codes.clone().requires_grad_()
    adam = torch.optim.Adam([codes], lr=rate)
    for _ in range(steps):
        adam.zero_grad(set_to_none=True)
        difference = (generator(codes) - kernels).abs()
        (difference.mean() if reduction == "mean" else difference.sum()).backward()
        adam.step()
    return codes.detach()
