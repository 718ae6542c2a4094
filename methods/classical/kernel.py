"""The kernel for a given latent image, and what is done to it afterwards.

    min_k  sum over x and y of |k * grad S - grad B|^2 + weight |k|^2

J. Pan et al., CVPR 2014, equation (13), solved on the kernel's support; J. Anger, G. Facciolo, M. Delbracio,
"Blind Image Deblurring using the l0 Gradient Prior", IPOL 2019, solved on the whole image and cut.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import center_of_mass, label, shift

from benchmark.blur.nonblind import Image, Kernel

Gradients = NDArray[np.float64]  # (2, H, W): along columns, along rows

CG_STEPS = 20
CG_TOLERANCE = 1e-5  # of the residual's norm
THRESHOLD = 0.05  # of the largest entry: smaller ones are noise
FRAGMENT = 0.1  # of the mass: smaller components are noise


def gradients(image: Image) -> Gradients:
    """Forward differences of (H, W) that do not wrap around: (2, H - 1, W - 1)."""
    return np.stack([image[:-1, 1:] - image[:-1, :-1], image[1:, :-1] - image[:-1, :-1]])


def on_support(sharp: Gradients, blurry: Gradients, size: tuple[int, int], weight: float) -> Kernel:
    """The kernel of `size` by conjugate gradients on its own entries; may be negative, see `cleaned`."""
    power, matched, grid = _spectra(sharp, blurry, size)
    target = around_origin(irfft2(matched, s=grid), size)
    times_power = correlation_with(irfft2(power, s=grid), size)
    start = np.full(size, 1 / (size[0] * size[1]))
    return conjugate_gradients(
        lambda kernel: times_power(kernel) + weight * kernel, target, start, CG_STEPS, CG_TOLERANCE
    )


def in_fourier_space(sharp: Gradients, blurry: Gradients, size: tuple[int, int], weight: float) -> Kernel:
    """The kernel in closed form: its support is the whole image, of which the middle of `size` is cut."""
    power, matched, grid = _spectra(sharp, blurry, size)
    return around_origin(irfft2(matched / (power + weight), s=grid), size)


def conjugate_gradients(
    product: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    target: NDArray[np.float64],
    start: NDArray[np.float64],
    steps: int,
    tolerance: float,
) -> NDArray[np.float64]:
    """Solve `product`(x) = `target` from `start`, until the residual's norm is below `tolerance`."""
    x, residual = start, target - product(start)
    direction, energy = residual, np.vdot(residual, residual)
    for _ in range(steps):
        if energy <= tolerance**2:
            break
        image = product(direction)
        length = energy / np.vdot(direction, image)
        x, residual = x + length * direction, residual - length * image
        previous, energy = energy, np.vdot(residual, residual)
        direction = residual + energy / previous * direction
    return x


def correlation_with(autocorrelation: Image, size: tuple[int, int]) -> Callable[[Kernel], Kernel]:
    """Kernels of `size` times the matrix whose entry (i, j) is the periodic `autocorrelation` at i - j.

    Only lags within the kernel matter, so each product costs an FFT of the kernel's size, not the image's.
    """
    (h, w), lags = size, autocorrelation
    for axis, side in enumerate(size):
        lags = np.take(lags, np.arange(1 - side, side), axis, mode="wrap")
    fast = (next_fast_len(3 * h - 2, real=True), next_fast_len(3 * w - 2, real=True))
    spectrum = rfft2(lags, s=fast)
    return lambda kernel: irfft2(rfft2(kernel, s=fast) * spectrum, s=fast)[
        h - 1 : 2 * h - 1, w - 1 : 2 * w - 1
    ]


def cleaned(kernel: Kernel, threshold: float = THRESHOLD) -> Kernel | None:
    """`kernel` without its small and negative entries and without small fragments, sum 1; None if empty.

    Entries below `threshold` of the largest go first, then 8-connected components below `FRAGMENT` of the
    mass that is left.
    """
    kept = normalised(np.where(kernel < threshold * kernel.max(), 0, kernel))
    if kept is None:
        return None
    components, count = label(kept, structure=np.ones((3, 3)))
    masses = np.bincount(components.ravel(), kept.ravel(), count + 1)
    return normalised(np.where(masses[components] < FRAGMENT, 0, kept))


def normalised(kernel: Kernel) -> Kernel | None:
    """`kernel` without negative entries, sum 1; None if nothing is left."""
    positive = np.maximum(kernel, 0)
    total = positive.sum()
    return positive / total if total > 0 and np.isfinite(total) else None


def offset(kernel: Kernel) -> tuple[int, int]:
    """The whole-pixel shift that brings the centre of mass to the middle."""
    mass = center_of_mass(kernel)
    row, column = ((side - 1) / 2 - centre for side, centre in zip(kernel.shape, mass, strict=True))
    return round(row), round(column)


def centred(kernel: Kernel) -> Kernel:
    """`kernel` moved by `offset`; what leaves the box is lost, the sum is 1 again."""
    moved = shift(kernel, offset(kernel), order=0)
    whole: Kernel = moved / moved.sum()
    return whole


def around_origin(periodic: Image, size: tuple[int, int]) -> Kernel:
    """Entries of a periodic array around its origin, which comes to the middle of `size`."""
    rows, columns = (np.arange(side) - side // 2 for side in size)
    kernel: Kernel = periodic[np.ix_(rows, columns)]
    return kernel


def _spectra(
    sharp: Gradients, blurry: Gradients, size: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.complex128], tuple[int, int]]:
    """Sums over both gradients of |F sharp|^2 and conj(F sharp) F(blurry), and their periodic grid."""
    # Gradients wrap around at their own size, unless the kernel is larger still.
    grid = max(sharp.shape[1], size[0]), max(sharp.shape[2], size[1])
    spectra = rfft2(sharp, s=grid)
    return (np.abs(spectra) ** 2).sum(0), (spectra.conj() * rfft2(blurry, s=grid)).sum(0), grid
