"""First estimates of a kernel, from edges that the scene of a blurry image may have: no learning, one pass.

After S. Cho, S. Lee, "Fast Motion Deblurring", SIGGRAPH Asia 2009: sharpen the image by a shock filter, keep
its strongest gradients, find the kernel that explains the blurry ones by least squares, deconvolve, repeat,
from coarse to fine. In the few frequency-domain forms that a batch of images goes through at once, because an
initializer is trained on what comes out (the classical methods' own estimates take seconds an image).
Constants were chosen on the held-out photographs and on 192 of the 500 held-out kernels by which trained
initializers are judged, on no case of a dataset.
"""

import torch
from torch import Tensor
from torch.nn import functional

from benchmark.blur.convolution import central_crop, fast_length, rotate_180

SCALES = (4, 2, 1)
ROUNDS = (3, 3, 2)  # of sharpening, estimate and deconvolution, by scale
MAPS = len(SCALES) + 2  # that `kernel_estimates` gives
FINEST = slice(len(SCALES) - 1, len(SCALES))  # of the maps: the estimate in full resolution
STRONGEST = 0.15  # share of the gradients that are edges
RIDGE = 0.5  # of the least squares, in mean powers of the edges
SPURIOUS = 0.1  # entries below this share of the largest are noise
SMOOTHNESS = 0.02  # of the deconvolution
MARGIN = 16  # replicated or mirrored pixels that keep a filter's wrap-around away
FLAT_UNTIL = 0.25  # cycles per pixel; beyond are noise and the pixel grid
FAINTEST = 0.003  # standard deviation: what is weaker is not raised to that of the others


@torch.no_grad()
def kernel_estimates(images: Tensor, size: int) -> Tensor:
    """What lumas (B, 1, H, W) in [0, 1], of any size, show of their kernels: (B, MAPS, size, size).

    An estimate from each of SCALES on, in the size of the finest, then the autocorrelation of the whitened
    image, in full and at half the resolution. Correlation form, each map divided by its largest magnitude.
    """
    estimates = _coarse_to_fine(images, size)
    near, far = _autocorrelation(whitened(images), size)
    maps = torch.cat((*estimates, near, far), dim=1)
    return maps / (maps.abs().amax((-2, -1), keepdim=True) + 1e-6)


def whitened(images: Tensor) -> Tensor:
    """Images (B, 1, H, W) with the 1 / f spectrum of natural images flattened, at one contrast.

    What is left of a scene are its edges, each in the shape of the kernel.
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
    """The estimates (B, 1, size, size) of each scale, the coarsest first."""
    found, latent = [], None
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
        found.append(rotate_180(central_crop(spread, (size, size))))
    return found


def _sharpened(images: Tensor) -> Tensor:
    """By one step of a shock filter: steps where the second derivative along the gradient changes sign."""
    smooth = _smooth(_smooth(images))
    x, y = _central(smooth)
    xx, yy, xy = _second(smooth)
    along = x * x * xx + 2 * x * y * xy + y * y * yy
    return images - 0.5 * torch.sign(along) * torch.hypot(*_central(images))


def _smooth(images: Tensor) -> Tensor:
    """By the binomial 3 x 3 filter, as two means of 2 x 2."""
    padded = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    for _ in range(2):
        padded = padded[..., 1:, :] + padded[..., :-1, :]
        padded = padded[..., 1:] + padded[..., :-1]
    return padded / 16


def _central(images: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences (along x, along y)."""
    p = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    return (p[..., 1:-1, 2:] - p[..., 1:-1, :-2]) / 2, (p[..., 2:, 1:-1] - p[..., :-2, 1:-1]) / 2


def _second(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Second differences (xx, yy, xy)."""
    p = functional.pad(images, (1, 1, 1, 1), mode="replicate")
    xx = p[..., 1:-1, 2:] + p[..., 1:-1, :-2] - 2 * images
    yy = p[..., 2:, 1:-1] + p[..., :-2, 1:-1] - 2 * images
    xy = (p[..., 2:, 2:] + p[..., :-2, :-2] - p[..., 2:, :-2] - p[..., :-2, 2:]) / 4
    return xx, yy, xy


def _gradients(images: Tensor) -> Tensor:
    """Forward differences (B, 2, H, W), 0 at the far borders."""
    right = functional.pad(images.diff(dim=-1), (0, 1))
    below = functional.pad(images.diff(dim=-2), (0, 0, 0, 1))
    return torch.cat((right, below), dim=1)


def _edges(images: Tensor) -> Tensor:
    """The strongest gradients (B, 2, H, W), 0 elsewhere."""
    gradients = _gradients(images)
    strength = gradients.square().sum(1, keepdim=True)
    rank = max(1, int((1 - STRONGEST) * strength[0].numel()))
    threshold = strength.flatten(1).kthvalue(rank, dim=1).values
    return _faded(gradients * (strength > threshold[:, None, None, None]))


def _faded(gradients: Tensor) -> Tensor:
    """Down to 0 at the borders, across which a kernel moves what no edge inside explains."""
    for axis in (-2, -1):
        along = torch.linspace(0, 1, gradients.shape[axis], device=gradients.device)
        window = (torch.minimum(along, 1 - along) / 0.1).clamp(max=1)
        gradients = gradients * (window[:, None] if axis == -2 else window)
    return gradients


def _least_squares(edges: Tensor, blurry: Tensor, transform: tuple[int, int], window: int) -> Tensor:
    """The kernels (B, 1, window, window), true-convolution form, by which `edges` become `blurry`.

    `blurry` are spectra; with a ridge of RIDGE mean powers.
    """
    spectra = torch.fft.rfft2(edges, s=transform)
    power = spectra.abs().square().sum(1, keepdim=True)
    cross = (spectra.conj() * blurry).sum(1, keepdim=True)
    ridge = RIDGE * power.mean((-2, -1), keepdim=True) + 1e-12
    kernels: Tensor = torch.fft.irfft2(cross / (power + ridge), s=transform)
    half = window // 2
    return kernels.roll((half, half), (-2, -1))[..., :window, :window]


def cleaned(kernels: Tensor) -> Tensor:
    """`kernels` (B, 1, n, n) without what is small or negative; sum 1 each."""
    large = (kernels - SPURIOUS * kernels.amax((-2, -1), keepdim=True)).clamp_min(0)
    return large / (large.sum((-2, -1), keepdim=True) + 1e-12)


def _off_centre(kernels: Tensor) -> Tensor:
    """How far (B, 2) the centres of mass lie below and to the right of the middle, in whole entries."""
    offsets = torch.arange(kernels.shape[-1], device=kernels.device) - kernels.shape[-1] // 2
    rows = (kernels.sum(-1) * offsets).sum((-2, -1))
    columns = (kernels.sum(-2) * offsets).sum((-2, -1))
    return torch.stack((rows, columns), dim=1).round().long()


def _moved(kernels: Tensor, shift: Tensor) -> Tensor:
    """`kernels` (B, 1, n, n) moved up and to the left by `shift` (B, 2), zeros behind."""
    n = kernels.shape[-1]
    index = torch.arange(n, device=kernels.device)
    rows, columns = (index + shift[:, axis, None] for axis in (0, 1))
    inside = ((rows >= 0) & (rows < n))[:, :, None] & ((columns >= 0) & (columns < n))[:, None]
    batch = torch.arange(len(kernels), device=kernels.device)[:, None, None]
    taken = kernels[batch, 0, rows.clamp(0, n - 1)[:, :, None], columns.clamp(0, n - 1)[:, None]]
    return (taken * inside)[:, None]


def _deconvolved(blurry: Tensor, kernels: Tensor) -> Tensor:
    """The images (B, 1, H, W) behind `blurry` by least squares with smooth gradients."""
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
    """Of whitened images, at lags of up to `size` / 2; and at each second of up to `size`, in means of 3 x 3.

    Both (B, 1, size, size), for odd sizes.
    """
    transform = (fast_length(white.shape[-2] + 2 * size), fast_length(white.shape[-1] + 2 * size))
    powers = torch.fft.rfft2(white, s=transform).abs().square()
    side = 2 * size + 1
    lags = torch.fft.irfft2(powers, s=transform).roll((size, size), (-2, -1))[..., :side, :side]
    return central_crop(lags, (size, size)), functional.avg_pool2d(lags, 3, 2)


def _padded(images: Tensor) -> Tensor:
    return functional.pad(images, (MARGIN,) * 4, mode="replicate")


def _frequencies(images: Tensor) -> tuple[Tensor, Tensor]:
    """(H, 1) and (1, W / 2 + 1): cycles per pixel of a real transform."""
    rows, columns = images.shape[-2:]
    return (
        torch.fft.fftfreq(rows, device=images.device)[:, None],
        torch.fft.rfftfreq(columns, device=images.device)[None],
    )
