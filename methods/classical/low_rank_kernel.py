"""Estimate a kernel of low rank: what keeps a kernel clean whose size is declared too large.

L. Si-Yao, D. Ren, Q. Yin, "Understanding Kernel Size in Blind Deconvolution", WACV 2019, as in the authors'
code.
"""

import numpy as np

from benchmark.blur.conjugate_gradients import conjugate_gradients
from benchmark.blur.nonblind import Image, Kernel
from methods.parts.kernel_steps import normal_equations, normalised

ROUNDS = 10  # each a data step and a low-rank step
CG_STEPS = 3  # of a data step
CG_TOLERANCE = 1e-4
REWEIGHTINGS = 3  # of the singular values in a low-rank step
SMALLEST_SINGULAR_VALUE = 1e-5  # delta of the weights


def low_rank_kernel(x: Image, g: Image, kernel: Kernel, threshold: float) -> Kernel:
    """Solve for the kernel.

    Args:
        x: gradient images of the latent image, (2, H, W).
        g: those of the blurry image.
        kernel: the previous kernel (h, w).
        threshold: by how much singular values are lowered.
    """
    product, target = normal_equations(x, g, (kernel.shape[0], kernel.shape[1]), (x.shape[1], x.shape[2]))
    for round_ in range(1, ROUNDS + 1):
        near = 0.0 if round_ == 1 else float(np.exp(round_ - ROUNDS))
        previous = kernel
        solved = conjugate_gradients(
            lambda k, near=near: product(k) + near * k,  # type: ignore[misc]
            target + near * previous,
            previous,
            CG_STEPS,
            CG_TOLERANCE,
        )
        lowered = normalised(shrunk_spectrum(solved, threshold))
        kernel = previous if lowered is None else lowered
    return kernel


def shrunk_spectrum(kernel: Kernel, threshold: float) -> Kernel:
    """Lower the singular values of a kernel by `threshold` times weights that are small for large values."""
    u, values, v = np.linalg.svd(kernel, full_matrices=False)
    weights = np.ones_like(values)
    for _ in range(REWEIGHTINGS):
        shrunk = np.maximum(values - threshold * weights, 0)
        weights = 1 / (shrunk + SMALLEST_SINGULAR_VALUE)
    lowered: Kernel = (u * shrunk) @ v
    return lowered
