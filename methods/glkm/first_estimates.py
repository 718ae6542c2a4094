"""Estimate a kernel roughly from the edges of a blurry image, without training: input of an initializer.

After S. Cho, S. Lee, "Fast Motion Deblurring", SIGGRAPH Asia 2009: sharpen the image by a shock filter, keep
its strongest gradients, find the kernel that turns these into the blurry ones by least squares, deconvolve,
and repeat, from coarse to fine. Whole batches go through the FFT at once, because an initializer is trained
on these estimates; those of the classical methods take seconds per image.

The constants were chosen by hand on held-out photographs and on some of the held-out kernels that trained
initializers are tested on, and on no case of a dataset.
"""

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.blur.convolution import central_crop, fast_length, rotate_180

SCALES = (4, 2, 1)  # by which the image is reduced
ROUNDS = (3, 3, 2)  # of sharpening, least squares and deconvolution, per scale
MAPS = len(SCALES) + 2  # how many maps `kernel_estimates` returns
FINEST = slice(len(SCALES) - 1, len(SCALES))  # the map with the estimate in full resolution
STRONGEST = 0.15  # share of the gradients that count as edges
RIDGE = 0.5  # of the least squares, in units of the mean power of the edges
SPURIOUS = 0.1  # share of the largest entry below which an entry is noise
SMOOTHNESS = 0.02  # weight of smooth gradients in the deconvolution
MARGIN = 16  # px that are added around an image, so that filters do not wrap around into it
FLAT_UNTIL = 0.25  # cycles per pixel; higher frequencies are noise and the pixel grid
FAINTEST = 0.003  # a standard deviation; weaker images are not amplified to the contrast of the others


@torch.no_grad()
def kernel_estimates(images: Tensor, size: int) -> Tensor:
    """Estimate kernels roughly.

    Args:
        images: lumas (B, 1, H, W) in [0, 1], of any size.
        size: side of the maps, odd.

    Returns:
        (B, MAPS, size, size), correlation form, each map divided by its largest magnitude: the estimate at
        each of SCALES, brought to full resolution, then the autocorrelation of the whitened image, in full
        and in half resolution.
    """
    estimates = _coarse_to_fine(images, size)
    near, far = _autocorrelation(whitened(images), size)
    maps = torch.cat((*estimates, near, far), dim=1)
    return maps / (maps.abs().amax((-2, -1), keepdim=True) + 1e-6)


def whitened(images: Tensor) -> Tensor:
    """Flatten the 1 / f spectrum of natural images (B, 1, H, W) and scale them to the same contrast.

    The result shows the edges of the scene, each blurred by the kernel.
    """
    padded = _padded(images - images.mean((-2, -1), keepdim=True))
    rows, columns = padded.shape[-2:]
    frequency = torch.hypot(*_frequencies(padded))
    gain = frequency / (1 + (frequency / FLAT_UNTIL) ** 4)
    filtered = torch.fft.irfft2(torch.fft.rfft2(padded) * gain, s=(rows, columns))
    inside = filtered[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
    contrast = inside.std((-2, -1), keepdim=True)
    white: Tensor = inside / (contrast + FAINTEST)
    return white


def _coarse_to_fine(images: Tensor, size: int) -> list[Tensor]:
    """Return the estimates (B, 1, size, size) of all scales, the coarsest first."""
    estimates, latent = [], None
    for scale, rounds in zip(SCALES, ROUNDS, strict=True):
        blurry = functional.avg_pool2d(images, scale) if scale > 1 else images
        frame = blurry.shape[-2:]
        latent = blurry if latent is None else functional.interpolate(latent, frame, mode="bilinear")
        window = 2 * ((size // 2 + scale - 1) // scale) + 1
        transform = (fast_length(frame[0] + window), fast_length(frame[1] + window))
        spectra = torch.fft.rfft2(_faded(_gradients(blurry)), s=transform)
        for _ in range(rounds):
            raw = _least_squares(_edges(_sharpened(latent)), spectra, transform, window)
            kernels = cleaned(raw)
            shift = _off_centre(kernels)
            latent = _deconvolved(blurry, _moved(kernels, shift))
        spread = functional.interpolate(
            _moved(raw, shift), scale * (window - 1) + 1, mode="bilinear", align_corners=True
        )
        estimates.append(rotate_180(central_crop(spread, (size, size))))
    return estimates


def _sharpened(images: Tensor) -> Tensor:
    """Sharpen by one step of a shock filter, on both sides of the zeros of the second derivative."""
    smooth = _smooth(_smooth(images))
    x, y = _central(smooth)
    xx, yy, xy = _second(smooth)
    along = x * x * xx + 2 * x * y * xy + y * y * yy
    return images - 0.5 * torch.sign(along) * torch.hypot(*_central(images))


def _smooth(images: Tensor) -> Tensor:
    """Smooth by the binomial 3 x 3 filter: twice by the mean of 2 x 2 px."""
    padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    for _ in range(2):
        padded = padded[..., 1:, :] + padded[..., :-1, :]
        padded = padded[..., 1:] + padded[..., :-1]
    return padded / 16


def _central(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the central differences along x and along y."""
    p = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    return (p[..., 1:-1, 2:] - p[..., 1:-1, :-2]) / 2, (p[..., 2:, 1:-1] - p[..., :-2, 1:-1]) / 2


def _second(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the second differences xx, yy and xy."""
    p = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    xx = p[..., 1:-1, 2:] + p[..., 1:-1, :-2] - 2 * images
    yy = p[..., 2:, 1:-1] + p[..., :-2, 1:-1] - 2 * images
    xy = (p[..., 2:, 2:] + p[..., :-2, :-2] - p[..., 2:, :-2] - p[..., :-2, 2:]) / 4
    return xx, yy, xy


def _gradients(images: Tensor) -> Tensor:
    """Return the forward differences (B, 2, H, W), 0 in the last column and row."""
    right = functional.pad(images.diff(dim=-1), (0, 1))
    below = functional.pad(images.diff(dim=-2), (0, 0, 0, 1))
    return torch.cat((right, below), dim=1)


def _edges(images: Tensor) -> Tensor:
    """Keep the strongest gradients (B, 2, H, W); all others are 0."""
    gradients = _gradients(images)
    strength = gradients.square().sum(1, keepdim=True)
    rank = max(1, int((1 - STRONGEST) * strength[0].numel()))
    threshold = strength.flatten(1).kthvalue(rank, dim=1).values
    return _faded(gradients * (strength > threshold[:, None, None, None]))


def _faded(gradients: Tensor) -> Tensor:
    """Fade gradients to 0 towards the borders, over which the blur brings in edges from outside the image."""
    for axis in (-2, -1):
        along = torch.linspace(0, 1, gradients.shape[axis], device=gradients.device)
        window = (torch.minimum(along, 1 - along) / 0.1).clamp(max=1)
        gradients = gradients * (window[:, None] if axis == -2 else window)
    return gradients


def _least_squares(edges: Tensor, blurry: Tensor, transform: tuple[int, int], window: int) -> Tensor:
    """Solve for the kernels that turn sharp gradients into blurry ones, by regularised least squares.

    Args:
        edges: sharp gradients (B, 2, H, W).
        blurry: half spectra of the blurry gradients.
        transform: size of the FFT.
        window: side of the kernels, odd.

    Returns:
        (B, 1, window, window), true-convolution form.
    """
    spectra = torch.fft.rfft2(edges, s=transform)
    power = spectra.abs().square().sum(1, keepdim=True)
    cross = (spectra.conj() * blurry).sum(1, keepdim=True)
    ridge = RIDGE * power.mean((-2, -1), keepdim=True) + 1e-12
    kernels: Tensor = torch.fft.irfft2(cross / (power + ridge), s=transform)
    half = window // 2
    return kernels.roll((half, half), (-2, -1))[..., :window, :window]


def cleaned(kernels: Tensor) -> Tensor:
    """Set small and negative entries of kernels (B, 1, n, n) to 0, and their sums to 1."""
    large = (kernels - SPURIOUS * kernels.amax((-2, -1), keepdim=True)).clamp_min(0)
    return large / (large.sum((-2, -1), keepdim=True) + 1e-12)


def _off_centre(kernels: Tensor) -> Tensor:
    """Return by how many entries (B, 2) the centres of mass are below, and to the right of, the middle."""
    offsets = torch.arange(kernels.shape[-1], device=kernels.device) - kernels.shape[-1] // 2
    rows = (kernels.sum(-1) * offsets).sum((-2, -1))
    columns = (kernels.sum(-2) * offsets).sum((-2, -1))
    return torch.stack((rows, columns), dim=1).round().long()


def _moved(kernels: Tensor, shift: Tensor) -> Tensor:
    """Move kernels (B, 1, n, n) up and to the left by `shift` (B, 2), and fill up with zeros."""
    n = kernels.shape[-1]
    index = torch.arange(n, device=kernels.device)
    rows, columns = (index + shift[:, axis, None] for axis in (0, 1))
    inside = ((rows >= 0) & (rows < n))[:, :, None] & ((columns >= 0) & (columns < n))[:, None]
    batch = torch.arange(len(kernels), device=kernels.device)[:, None, None]
    taken = kernels[batch, 0, rows.clamp(0, n - 1)[:, :, None], columns.clamp(0, n - 1)[:, None]]
    return (taken * inside)[:, None]


def _deconvolved(blurry: Tensor, kernels: Tensor) -> Tensor:
    """Deconvolve images (B, 1, H, W) by least squares, with smooth gradients as prior."""
    padded = _padded(blurry)
    rows, columns = padded.shape[-2:]
    n = kernels.shape[-1]
    placed = functional.pad(kernels, (0, max(0, columns - n), 0, max(0, rows - n)))
    kernel = torch.fft.rfft2(placed.roll((-(n // 2), -(n // 2)), (-2, -1)), s=(rows, columns))
    y, x = _frequencies(padded)
    roughness = 4 * (torch.sin(torch.pi * x) ** 2 + torch.sin(torch.pi * y) ** 2)
    power = kernel.abs().square() + SMOOTHNESS * (SMOOTHNESS + roughness)
    latent = torch.fft.irfft2(kernel.conj() * torch.fft.rfft2(padded) / power, s=(rows, columns))
    inside: Tensor = latent[..., MARGIN:-MARGIN, MARGIN:-MARGIN]
    return inside.clamp(-0.2, 1.2)


def _autocorrelation(white: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return the autocorrelation of whitened images twice, each (B, 1, size, size), for an odd size.

    First at lags up to size / 2; then at every second lag up to `size`, averaged over 3 x 3 lags.
    """
    transform = (fast_length(white.shape[-2] + 2 * size), fast_length(white.shape[-1] + 2 * size))
    powers = torch.fft.rfft2(white, s=transform).abs().square()
    side = 2 * size + 1
    lags = torch.fft.irfft2(powers, s=transform).roll((size, size), (-2, -1))[..., :side, :side]
    return central_crop(lags, (size, size)), functional.avg_pool2d(lags, 3, 2)


def _padded(images: Tensor) -> Tensor:
    return functional.pad(images, (MARGIN,) * 4, mode="replicate")


def _frequencies(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the frequencies of a real FFT, in cycles per pixel: (H, 1) and (1, W / 2 + 1)."""
    rows, columns = images.shape[-2:]
    return (
        torch.fft.fftfreq(rows, device=images.device)[:, None],
        torch.fft.rfftfreq(columns, device=images.device)[None],
    )
