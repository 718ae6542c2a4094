"""Register images by a homography: the enhanced correlation coefficient (ECC).

Source: Evangelidis and Psarakis, TPAMI 2008.

Smoothing, differences, masks and the order of the parameters follow OpenCV's `findTransformECC`, which the
evaluation script of RealBlur calls. Points are (x, y), column and row.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import convolve1d, correlate1d
from torch.nn import functional

from benchmark.core.colour import full_range_luma
from benchmark.core.errors import InputError
from benchmark.scoring.alignment import Aligned, Image, intensity_gain, require_one_shape

Plane = NDArray[np.float64]  # (H, W)
ITERATIONS = 100
# The script always iterates 100 times. Once the correlation changes by less than this, the corners move by
# less than 1e-7 px, so the iteration ends.
TOLERANCE = 1e-9


def registered(estimate: Image, reference: Image) -> Aligned:
    """Fit a gain and a homography, and warp the estimate onto the reference (protocol `realblur-ecc`).

    The estimate is multiplied by `intensity_gain` and warped (bicubic, Keys a = -0.75, mirrored at the
    edges), and not clipped.

    Args:
        estimate: (C, H, W).
        reference: (C, H, W).

    Returns:
        Both images, zero outside the mask. The mask holds the pixels that the warped estimate covers; the
        shift is that of the image's centre.

    Raises:
        InputError: The sizes differ or the registration fails.
    """
    require_one_shape(estimate, reference)
    scaled = intensity_gain(estimate, reference) * estimate
    warp = homography(full_range_luma(scaled)[0], full_range_luma(reference)[0])
    points = _mapped(warp, reference.shape[1:])
    mask = _inside(points)
    height, width = mask.shape
    centre = warp @ ((width - 1) / 2, (height - 1) / 2, 1)
    x, y = centre[:2] / centre[2]
    shift = (float(y - (height - 1) / 2), float(x - (width - 1) / 2))
    return Aligned(_sampled(scaled, points, "bicubic", "reflection") * mask, reference * mask, shift, mask)


def homography(image: Plane, template: Plane) -> Plane:
    """Find the homography W with template(p) ~ image(W p) by maximising the correlation coefficient.

    Args:
        image: (H, W).
        template: (H, W).

    Returns:
        W, (3, 3) with W[2, 2] = 1. The iteration starts at the identity.

    Raises:
        InputError: There is no ascent (a constant image, or images that have nothing in common).
    """
    smooth_image, smooth_template = _smoothed(image), _smoothed(template)
    stack = np.stack([smooth_image, _difference(smooth_image, axis=1), _difference(smooth_image, axis=0)])
    height, width = template.shape
    grid_x, grid_y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    warp, previous = np.eye(3), -1.0
    for _ in range(ITERATIONS):
        points = _mapped(warp, template.shape)
        mask = _inside(points)
        step, correlation = _step(
            _sampled(stack, points, "bilinear", "zeros"),
            smooth_template,
            mask,
            points,
            warp,
            (grid_x, grid_y),
        )
        # The parameters in the order of the Jacobian's columns: down the columns of the matrix.
        warp += np.append(step, 0).reshape(3, 3).T
        if abs(correlation - previous) < TOLERANCE:
            break
        previous = correlation
    return warp


def _step(
    sampled: NDArray[np.float64],
    template: Plane,
    mask: NDArray[np.bool_],
    points: NDArray[np.float64],
    warp: Plane,
    grid: tuple[Plane, Plane],
) -> tuple[NDArray[np.float64], float]:
    """Compute the update of the eight parameters, and the correlation coefficient before it.

    `sampled` (3, H, W) holds the warped image and its differences along x and y.
    """
    if not mask.any():
        raise InputError("registration failed: the images no longer overlap")
    (image, along_x, along_y), (x, y) = sampled, grid
    image = np.where(mask, image - image[mask].mean(), image)
    template = np.where(mask, template - template[mask].mean(), 0)
    depth = warp[2, 0] * x + warp[2, 1] * y + warp[2, 2]
    gx, gy = along_x / depth, along_y / depth
    q = -(points[0] * gx + points[1] * gy)
    jacobian = np.stack([gx * x, gy * x, q * x, gx * y, gy * y, q * y, gx, gy]).reshape(8, -1)
    square_image, square_template = (image[mask] ** 2).sum(), (template[mask] ** 2).sum()
    cross = (template * image).sum()
    on_image, on_template = jacobian @ image.ravel(), jacobian @ template.ravel()
    try:
        inverse = np.linalg.inv(jacobian @ jacobian.T)
    except np.linalg.LinAlgError as error:
        raise InputError("registration failed: the restored image has no structure") from error
    solved = inverse @ on_image
    numerator, denominator = square_image - on_image @ solved, cross - on_template @ solved
    if not denominator > 0 or square_template == 0:  # also where it is NaN
        raise InputError("registration failed: the restored image does not correlate with the sharp one")
    scale = numerator / denominator
    step = inverse @ (scale * on_template - on_image)
    return step, float(cross / np.sqrt(square_image * square_template))


def _smoothed(image: Plane) -> Plane:
    """Smooth by a 5 x 5 Gaussian; by OpenCV's rule a window of 5 px has a sigma of 1.1 px."""
    weights = np.exp(-0.5 * (np.arange(-2, 3) / 1.1) ** 2)
    weights /= weights.sum()
    return convolve1d(convolve1d(image, weights, 0, mode="mirror"), weights, 1, mode="mirror")


def _difference(image: Plane, axis: int) -> Plane:
    """Take central differences along an axis."""
    return correlate1d(image, [-0.5, 0, 0.5], axis, mode="mirror")


def _mapped(warp: Plane, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Compute where `warp` maps each pixel to: (2, H, W), x and y."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    mapped = np.tensordot(warp, np.stack([x, y, np.ones_like(x)]), axes=1)
    points: NDArray[np.float64] = mapped[:2] / mapped[2]
    return points


def _inside(points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the points whose nearest pixel lies inside the image: (H, W)."""
    height, width = points.shape[1:]
    x, y = np.rint(points)
    inside: NDArray[np.bool_] = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return inside


def _sampled(image: Image, points: NDArray[np.float64], interpolation: str, outside: str) -> Image:
    """Sample `image` (C, H, W) at `points`; PyTorch's bicubic filter is Keys' with a = -0.75, as OpenCV's."""
    size = torch.tensor(image.shape[:0:-1], dtype=torch.float64)
    grid = (2 * torch.from_numpy(np.moveaxis(points, 0, -1)) + 1) / size - 1
    # Without `align_corners` the edge lies half a pixel outside, so 'reflection' repeats the edge's pixel.
    sampled = functional.grid_sample(
        torch.from_numpy(image)[None], grid[None], interpolation, outside, align_corners=False
    )
    result: Image = sampled[0].numpy()
    return result
