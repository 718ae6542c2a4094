"""A kernel step that prefers kernels of low rank, which keeps over-declared ones clean.

L. Si-Yao, D. Ren, Q. Yin, "Understanding Kernel Size in Blind Deconvolution", WACV 2019,
as in the authors' code.
"""

import numpy as np

from benchmark.blur.nonblind import Image, Kernel
from methods.classical.kernel import conjugate_gradients, normalised
from methods.classical.sparse_ratio import normal_equations

ROUNDS = 10  # of data step and low-rank step
CG_STEPS = 3
CG_TOLERANCE = 1e-4
REWEIGHTINGS = 3
SMALLEST_SINGULAR_VALUE = 1e-5  # delta of the weights


def low_rank_kernel(x: Image, g: Image, kernel: Kernel, threshold: float) -> Kernel:
    """The kernel of the gradient images `x` (2, H, W) and `g`, from the previous `kernel`."""
    product, target = normal_equations(x, g, (kernel.shape[0], kernel.shape[1]))
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
        found = normalised(shrunk_spectrum(solved, threshold))
        kernel = previous if found is None else found
    return kernel


def shrunk_spectrum(kernel: Kernel, threshold: float) -> Kernel:
    """`kernel` with its singular values lowered by `threshold` times weights that spare the large ones."""
    u, values, v = np.linalg.svd(kernel, full_matrices=False)
    weights = np.ones_like(values)
    for _ in range(REWEIGHTINGS):
        shrunk = np.maximum(values - threshold * weights, 0)
        weights = 1 / (shrunk + SMALLEST_SINGULAR_VALUE)
    lowered: Kernel = (u * shrunk) @ v
    return lowered
