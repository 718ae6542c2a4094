"""The kernels that generator and initializer are pre-trained on.

Trajectories in DeblurGAN's parametrisation and Lai-like tracks in equal parts, so that one set of weights
serves both kinds of test data, each with its bounding box in the middle: a blurry image does not determine a
joint shift of kernel and image, so without a fixed rule the initializer would have nothing to learn.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmark.blur.convolution import rotate_180
from benchmark.blur.motion_blur import motion_blur_kernel
from benchmark.blur.smooth_tracks import lai_like_kernel
from benchmark.blur.trajectory import trajectory_kernel
from benchmark.types import Array
from methods.glkm.generator import served_by

MOTION_BLUR = (
    64,
    0.5,
)  # size and intensity of the diffusion papers' kernels, which the 65-px generator serves
MOTION_BLUR_AT = 65


def training_kernels(size: int, supports: Sequence[int], count: int, seed: int) -> Tensor:
    """`count` kernels (count, 1, size, size), correlation form, sum 1.

    Each is drawn for one of the kernel sizes `supports`, all odd and at most `size`, by default those that a
    generator of `size` serves. The first kernels do not depend on `count`.
    """
    supports = supports or served_by(size)
    kernels = np.zeros((count, 1, size, size), np.float32)
    for number in range(count):
        rng = np.random.default_rng((seed, size, number))
        drawn = _drawn(size, supports, rng)
        rest = size - len(drawn)
        before = rest // 2 + (rest % 2) * int(rng.integers(2))
        kernels[number, 0, before : before + len(drawn), before : before + len(drawn)] = drawn
    return rotate_180(torch.from_numpy(kernels)).contiguous()


def _drawn(size: int, supports: Sequence[int], rng: np.random.Generator) -> Array:
    kinds = [trajectory_kernel, lai_like_kernel]
    kind = int(rng.integers(len(kinds) + (size == MOTION_BLUR_AT)))
    if kind == len(kinds):
        return motion_blur_kernel(*MOTION_BLUR, rng)
    return kinds[kind](int(rng.choice(supports)), rng)


def turned(kernels: Tensor, rng: np.random.Generator) -> Tensor:
    """Every kernel of (B, 1, n, n) flipped and transposed at random: one of eight ways each."""
    ways = rng.integers(8, size=len(kernels))
    out = kernels.clone()
    for bit, turn in enumerate((lambda k: k.flip(-1), lambda k: k.flip(-2), lambda k: k.transpose(-1, -2))):
        chosen = torch.from_numpy(np.nonzero(ways >> bit & 1)[0]).to(kernels.device)
        out[chosen] = turn(out[chosen])
    return out


def ncc(kernels: Tensor, truth: Tensor) -> Tensor:
    """Normalised cross-correlation (B,) of kernels (B, 1, n, n) with the true ones, at its best whole shift.

    1 is perfect.
    """
    size = kernels.shape[-1]
    fast = 2 * size
    spectra = torch.fft.rfft2(kernels.double(), s=(fast, fast)) * torch.fft.rfft2(
        truth.double().flip(-2, -1), s=(fast, fast)
    )
    products: Tensor = torch.fft.irfft2(spectra, s=(fast, fast)).flatten(1).amax(1)
    norms = kernels.double().flatten(1).norm(dim=1) * truth.double().flatten(1).norm(dim=1)
    similarities: Tensor = products / norms
    return similarities


def padded(kernels: Tensor, size: int) -> Tensor:
    """Odd kernels with zeros around, up to `size`."""
    rest = (size - kernels.shape[-1]) // 2
    return functional.pad(kernels, (rest, rest, rest, rest))
