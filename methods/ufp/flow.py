"""The kernel flow: an invertible network between kernels and Gaussian codes.

Couplings and batch norms as in J. Liang, K. Zhang, S. Gu, L. Van Gool, R. Timofte, "Flow-based Kernel Prior
with Application to Blind Super-Resolution", CVPR 2021, which UFPNet adopts. From a kernel to its code is
called analysis, from a code to its kernel generation.
"""

import math
from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn

LEVELS = 720  # dequantisation adds U(0, 1) / LEVELS to every entry of a kernel
SQUASH = 1e-6  # alpha of the paper: keeps the logits of 0 and 1 finite
MOMENTUM = 0.9  # share of the batch norms' running statistics that stays in a step
EPS = 1e-5  # of the batch norms


class Coupling(nn.Module):
    """An affine coupling: entries where the mask is 1 pass, and determine scale and shift of the others."""

    def __init__(self, mask: Tensor, hidden: int) -> None:
        """Build the networks for scale and shift, `hidden` wide, for a mask (L,) of zeros and ones."""
        super().__init__()
        self.mask: Tensor
        self.register_buffer("mask", mask)
        length = len(mask)
        self.scale = _perceptron(length, hidden, nn.Tanh)
        self.shift = _perceptron(length, hidden, nn.ReLU)
        self.shift.load_state_dict(deepcopy(self.scale.state_dict()))  # as published

    def analyse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map x (B, L) to (B, L); return it with the log-determinant (B,)."""
        passed = self.mask * x
        log_scale, shift = self._of(passed)
        return passed + (1 - self.mask) * (x - shift) * (-log_scale).exp(), -log_scale.sum(1)

    def generate(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Invert `analyse`."""
        log_scale, shift = self._of(self.mask * z)
        # Every pixel of an image goes through here, so this takes as few passes over memory as possible.
        changed = torch.addcmul(shift, z, log_scale.exp())
        return torch.where(self.mask > 0, z, changed), log_scale.sum(1)

    def _of(self, passed: Tensor) -> tuple[Tensor, Tensor]:
        return (1 - self.mask) * self.scale(passed), self.shift(passed)


class FlowNorm(nn.Module):
    """A batch norm as an invertible layer: statistics of the batch in training, running ones otherwise."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.log_gamma = nn.Parameter(torch.zeros(length))
        self.beta = nn.Parameter(torch.zeros(length))
        self.running_mean: Tensor
        self.running_var: Tensor
        self.register_buffer("running_mean", torch.zeros(length))
        self.register_buffer("running_var", torch.ones(length))

    def analyse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map x (B, L) to (B, L); return it with the log-determinant (B,), the same for all."""
        mean, variance = self.running_mean, self.running_var
        if self.training:
            mean, variance = x.mean(0), x.var(0)
            with torch.no_grad():
                self.running_mean.mul_(MOMENTUM).add_((1 - MOMENTUM) * mean)
                self.running_var.mul_(MOMENTUM).add_((1 - MOMENTUM) * variance)
        z = self.log_gamma.exp() * (x - mean) / (variance + EPS).sqrt() + self.beta
        return z, self._log_determinant(variance).expand(len(x))

    def generate(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Invert `analyse`, with the running statistics."""
        deviation = (-self.log_gamma).exp() * (self.running_var + EPS).sqrt()
        x = torch.addcmul(self.running_mean - self.beta * deviation, z, deviation)
        return x, -self._log_determinant(self.running_var).expand(len(z))

    def _log_determinant(self, variance: Tensor) -> Tensor:
        return (self.log_gamma - 0.5 * (variance + EPS).log()).sum()


class KernelFlow(nn.Module):
    """Maps logits of kernels to standard normal codes, both (B, L) with L = k * k, and back.

    >>> flow = KernelFlow(5).eval()
    >>> logits = to_logits(torch.full((2, 1, 5, 5), 1 / 25), torch.zeros(2, 1, 5, 5))
    >>> codes, _ = flow.analyse(logits)
    >>> bool((flow.generate(codes)[0] - logits).abs().max() < 1e-4)
    True
    """

    def __init__(self, kernel_size: int, blocks: int = 5, hidden: int = 25) -> None:
        """Build the layers.

        Args:
            kernel_size: side k of the kernels, odd, so that the masks of the couplings are checkerboards.
            blocks: couplings, each followed by a batch norm.
            hidden: width of the networks in the couplings.
        """
        super().__init__()
        self.kernel_size = kernel_size
        length = kernel_size**2
        mask = torch.arange(length) % 2
        self.layers = nn.ModuleList()
        for block in range(blocks):
            self.layers.append(Coupling((mask if block % 2 == 0 else 1 - mask).float(), hidden))
            self.layers.append(FlowNorm(length))

    def analyse(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map logits (B, L) to codes (B, L); return these with the log-determinant (B,)."""
        total = x.new_zeros(len(x))
        for layer in self._layers():
            x, log_determinant = layer.analyse(x)
            total = total + log_determinant
        return x, total

    def generate(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Map codes (B, L) to logits, always with the running statistics; return also the log-determinant."""
        total = z.new_zeros(len(z))
        for layer in reversed(self._layers()):
            z, log_determinant = layer.generate(z)
            total = total + log_determinant
        return z, total

    def _layers(self) -> list[Coupling | FlowNorm]:
        return [layer for layer in self.layers if isinstance(layer, Coupling | FlowNorm)]

    def log_density(self, x: Tensor) -> Tensor:
        """Return the log density of logits (B, L), in nats: (B,), equation (2)."""
        z, log_determinant = self.analyse(x)
        return -(z.square() + math.log(2 * math.pi)).sum(1) / 2 + log_determinant

    def kernels(self, z: Tensor) -> Tensor:
        """Map codes (B, L) to kernels (B, L): entries in about [0, 1], sums near 1 but not exactly 1."""
        return from_logits(self.generate(z)[0])


def to_logits(kernels: Tensor, dequantisation: Tensor) -> Tensor:
    """Map kernels to logits.

    Args:
        kernels: (B, 1, k, k), sum 1 each.
        dequantisation: numbers in [0, 1), of the same shape.

    Returns:
        (B, k * k).
    """
    entries = kernels.clamp_min(0) + dequantisation / LEVELS
    # Dequantisation takes a kernel of a single pixel beyond 1, where there is no logit.
    squashed = (SQUASH + (1 - 2 * SQUASH) * entries).clamp_max(1 - SQUASH)
    return torch.logit(squashed).flatten(1)


def from_logits(logits: Tensor) -> Tensor:
    """Map logits (B, L) to kernels (B, L): the inverse of `to_logits` without dequantisation."""
    return (torch.sigmoid(logits) - SQUASH) / (1 - 2 * SQUASH)


def _perceptron(length: int, hidden: int, activation: Callable[[], nn.Module]) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(length, hidden),
        activation(),
        nn.Linear(hidden, hidden),
        activation(),
        nn.Linear(hidden, length),
    )
