"""Find how an image was blurred, from the sharp image, the kernel file and the blurry image.

Without a sharp image the orientation of the kernel file can still be found, by the energy of each.

Datasets differ: their kernel files are in true-convolution or in correlation form, perhaps transposed. Their
images were blurred as stored or in linear light, shifted, scaled, continued beyond their edges in one of
several ways, and noisy. Each choice is tried; a wrong one leaves a larger residual.

Images are (C, H, W) in [0, 1], kernels (h, w) of any sum. A blurry image that is smaller than the sharp one
lies in its middle.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import kurtosis

from benchmark.blur.convolution import convolve_valid
from benchmark.blur.kernel_energy import kernel_energy
from benchmark.core.colour import full_range_luma
from benchmark.core.errors import InputError
from benchmark.scoring.alignment import Image, best_shift

Kernel = NDArray[np.float64]  # (h, w)

REACH = 14  # px, the largest shift between prediction and blurry image that is searched
# An answer is decided where all others have residuals (root mean square) larger by this factor.
DECISIVE = 1.05
NOTICEABLE = 1.01  # the same for energies, which differ less
# The forms of kernel files, and how each is converted to true-convolution form.
ORIENTATIONS: Mapping[str, Callable[[Kernel], Kernel]] = {
    "convolution": lambda kernel: kernel,
    "correlation": lambda kernel: kernel[::-1, ::-1],
    "transposed convolution": lambda kernel: kernel.T,
    "transposed correlation": lambda kernel: kernel[::-1, ::-1].T,
}
LIGHTS = {"stored values": 1.0, "linear light": 2.2}  # exponent of stored values before the blur
# How the sharp image continues beyond its edges, and the mode of `numpy.pad` for it.
BOUNDARIES = {
    "zero": "constant",
    "replicate": "edge",
    "symmetric": "symmetric",
    "reflect": "reflect",
    "circular": "wrap",
}
ROUNDING = 1 / 255 / np.sqrt(12)  # standard deviation of rounding to 8 bits


@dataclass(frozen=True)
class Candidate:
    """A form of the kernel file and a light, and how well they predict the blurry image."""

    orientation: str  # of `ORIENTATIONS`
    light: str  # of `LIGHTS`
    residual: float  # root mean square inside the borders; geometric mean over images


@dataclass(frozen=True)
class Diagnosis:
    """How the images were blurred. An answer is None where several fit equally well."""

    candidates: tuple[Candidate, ...]  # best first
    unblurred: float  # residual of the sharp image without blur, to compare with
    contrast: float  # standard deviation of the blurry image: the residual of a constant prediction
    orientation: str | None  # of `ORIENTATIONS`
    light: str | None  # of `LIGHTS`
    shifts: tuple[tuple[float, float], ...]  # of each image: blurry(i) = prediction(i + shift); rows, columns
    gain: float  # blurry = gain * prediction + offset; means over images
    offset: float
    borders: Mapping[str, float]  # boundary to the residual near the edges; empty where no edge is reached
    boundary: str | None  # of `BOUNDARIES`, or "valid" where real scene continues beyond the edges
    noise: float  # standard deviation of the residual inside the borders
    noise_kind: str

    @property
    def is_explained(self) -> bool:
        """Whether the kernel predicts the blurry image better than the sharp image and half its variance.

        The second condition is needed because any strong blur takes away contrast and so lowers the residual.
        """
        residual = self.candidates[0].residual
        return residual * DECISIVE < self.unblurred and residual**2 < self.contrast**2 / 2


@dataclass(frozen=True)
class _Fit:
    """How a prediction is matched to a blurry image: moved by whole pixels, then weighted."""

    move: tuple[int, int]
    weights: NDArray[np.float64]  # of the prediction, of a constant, of its gradients along rows and columns
    residual: Image  # (C, h, w) inside the borders
    blurry: Image  # the same pixels

    @property
    def rms(self) -> float:
        return float(np.sqrt((self.residual**2).mean()))

    @property
    def shift(self) -> tuple[float, float]:
        gain, _, rows, columns = self.weights
        return float(self.move[0] + rows / gain), float(self.move[1] + columns / gain)


def diagnose(sharp: Image, kernel: Kernel, blurry: Image) -> Diagnosis:
    """Find how one image was blurred; see `diagnose_together`."""
    return diagnose_together([(sharp, blurry)], [kernel])


def diagnose_together(pairs: Sequence[tuple[Image, Image]], kernels: Sequence[Kernel]) -> Diagnosis:
    """Find how images were blurred.

    Orientation and light are judged on the middle channel, away from the edges. Boundary and noise are judged
    on all channels, with the best orientation and light.

    Args:
        pairs: (sharp, blurry) images.
        kernels: each (h, w): one for all images, or one for each, all in files of one form. They are
            divided by their sums.

    Returns:
        One answer for all images, and a shift for each.

    Raises:
        InputError: Images do not fit each other, are flat, or are too small for the kernel; or there are
            neither one kernel nor as many as images.
    """
    if not pairs:
        raise InputError("no pair of a sharp and a blurry image was given")
    kernels = each(kernels, len(pairs))
    for (sharp, blurry), kernel in zip(pairs, kernels, strict=True):
        _check(sharp, blurry, kernel)
    kernels = [kernel / kernel.sum() for kernel in kernels]
    middle = [(_middle_channel(sharp), _middle_channel(blurry)) for sharp, blurry in pairs]
    margin = max(max(kernel.shape) for kernel in kernels) // 2

    def blurred(turn: Callable[[Kernel], Kernel], gamma: float) -> list[Image]:
        return [_blurred(x, turn(kernel), gamma) for (x, _), kernel in zip(middle, kernels, strict=True)]

    candidates = sorted(
        (
            Candidate(
                orientation,
                light,
                _residual(blurred(turn, gamma), middle, margin),
            )
            for orientation, turn in ORIENTATIONS.items()
            for light, gamma in LIGHTS.items()
        ),
        key=lambda candidate: candidate.residual,
    )
    best = candidates[0]
    equal = _equally_good(candidates)
    turned, gamma = [ORIENTATIONS[best.orientation](kernel) for kernel in kernels], LIGHTS[best.light]
    fits = [_fit(_blurred(x, k, gamma), y, margin) for (x, y), k in zip(pairs, turned, strict=True)]
    borders = _border_residuals(pairs, turned, gamma, fits)
    noise, kind = _noise(fits)
    return Diagnosis(
        candidates=tuple(candidates),
        unblurred=_residual([_extended(x) for x, _ in middle], middle, margin),
        contrast=_geometric_mean([float(fit.blurry.std()) for fit in fits]),
        orientation=best.orientation if len({entry.orientation for entry in equal}) == 1 else None,
        light=best.light if len({entry.light for entry in equal}) == 1 else None,
        shifts=tuple(fit.shift for fit in fits),
        gain=float(np.mean([fit.weights[0] for fit in fits])),
        offset=float(np.mean([fit.weights[1] for fit in fits])),
        borders=borders,
        boundary=_boundary(borders, _geometric_mean([fit.rms for fit in fits])),
        noise=noise,
        noise_kind=kind,
    )


def each(kernels: Sequence[Kernel], count: int) -> Sequence[Kernel]:
    """Return a kernel for each of `count` images: the only one for all, or as many as there are images.

    Raises InputError for another number, and for a kernel that blurs nothing.
    """
    if len(kernels) not in (1, count):
        raise InputError(f"{len(kernels)} kernels for {count} images: give one for all, or one for each")
    for kernel in kernels:
        if kernel.ndim != 2 or not kernel.sum() > 0:
            raise InputError(
                f"a kernel is (h, w) with a positive sum, not {kernel.shape} with sum {kernel.sum():g}"
            )
        if np.count_nonzero(kernel) == 1:
            raise InputError(
                "a kernel with a single entry above zero blurs nothing; give the kernel of the blur"
            )
    return kernels if len(kernels) == count else [kernels[0]] * count


def energies(blurry: Sequence[Image], kernels: Sequence[Kernel]) -> dict[str, float]:
    """Judge the orientation of kernel files without sharp images: by the energy that each one leaves.

    Args:
        blurry: images (C, H, W).
        kernels: each (h, w): one for all images, or one for each, all in files of one form.

    Returns:
        Orientation to the geometric mean of `benchmark.blur.kernel_energy`, least first.

    Raises:
        InputError: as `each`; or an image is not larger than its kernel.
    """
    kernels = each(kernels, len(blurry))
    found = {
        name: _geometric_mean(
            [
                kernel_energy(full_range_luma(image)[0], turn(kernel / kernel.sum()))
                for image, kernel in zip(blurry, kernels, strict=True)
            ]
        )
        for name, turn in ORIENTATIONS.items()
    }
    return dict(sorted(found.items(), key=lambda entry: entry[1]))


def verdict_of(energies: Mapping[str, float]) -> str:
    """Put what `energies` found into a sentence."""
    (best, least), (_, second) = list(energies.items())[:2]
    likely = [name for name, value in energies.items() if value <= NOTICEABLE * least]
    if len(likely) > 1:
        return (
            f"The kernel's orientation cannot be decided: {' and '.join(likely)} explain the image equally "
            "well; give more images, or sharp ones."
        )
    return f"The kernel file is in the form: {best} (energy {least:.3f}, the next {second:.3f})."


def conclusions(diagnosis: Diagnosis) -> list[str]:
    """Put a diagnosis into sentences, also what could not be decided."""
    best = diagnosis.candidates[0]
    if not diagnosis.is_explained:
        return [
            f"The kernel does not explain the blur: its best form leaves a residual of {best.residual:.4f}, "
            f"the sharp image without blur {diagnosis.unblurred:.4f}, a constant {diagnosis.contrast:.4f}. "
            "Do the files belong together?"
        ]
    sentences = []
    if diagnosis.orientation is None:
        names = " and ".join(
            dict.fromkeys(entry.orientation for entry in _equally_good(diagnosis.candidates))
        )
        sentences.append(f"The kernel's orientation cannot be decided: {names} fit equally well.")
    else:
        sentences.append(f"The kernel file is in the form: {diagnosis.orientation}.")
    if diagnosis.light is None:
        sentences.append("Whether the blur acts on stored values or in linear light cannot be decided.")
    else:
        sentences.append(f"The blur acts on {diagnosis.light} (gamma {LIGHTS[diagnosis.light]}).")
    shifts = ", ".join(f"({rows:+.2f}, {columns:+.2f})" for rows, columns in diagnosis.shifts)
    sentences.append(f"Shift of the prediction (rows, columns), in px: {shifts}.")
    sentences.append(
        f"Intensities: blurry = {diagnosis.gain:.3f} x prediction {diagnosis.offset:+.4f} (of 0 to 1)."
    )
    sentences.append(_boundary_sentence(diagnosis))
    sentences.append(f"Residual: {diagnosis.noise_kind}, standard deviation {diagnosis.noise:.4f}.")
    return sentences


def _equally_good(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the first of the ordered candidates, and those whose residual is not decisively larger."""
    return [entry for entry in candidates if entry.residual <= DECISIVE * candidates[0].residual]


def _boundary_sentence(diagnosis: Diagnosis) -> str:
    if not diagnosis.borders:
        return "Boundary: valid; the blurry image ends where the kernel would leave the sharp one."
    if diagnosis.boundary == "valid":
        return "Boundary: valid; no continuation explains the border: the scene goes on outside."
    if diagnosis.boundary is None:
        least = min(diagnosis.borders.values())
        names = " and ".join(name for name, rms in diagnosis.borders.items() if rms <= DECISIVE * least)
        return f"Boundary: cannot be decided, {names} fit equally well."
    return f"Boundary: {diagnosis.boundary}."


def _check(sharp: Image, blurry: Image, kernel: Kernel) -> None:
    if len(sharp) != len(blurry):
        raise InputError(
            f"the sharp image has {len(sharp)} channels, the blurry one {len(blurry)}; convert one of them"
        )
    (height, width), inner = sharp.shape[1:], blurry.shape[1:]
    if inner[0] > height or inner[1] > width:
        raise InputError(
            f"the blurry image ({inner[0]} x {inner[1]}) is larger than the sharp one ({height} x {width})"
        )
    left = [
        min(side - 2 * (max(kernel.shape) // 2), part)
        for side, part in zip(sharp.shape[1:], inner, strict=True)
    ]
    if min(left) < 2 * REACH + 8:
        raise InputError(
            f"an image of {height} x {width} px leaves too little inside the kernel's reach "
            f"({kernel.shape[0]} x {kernel.shape[1]}) and a search of {REACH} px; take a larger one"
        )
    if sharp.std() == 0 or blurry.std() == 0:
        raise InputError("an image of one value does not show its blur; take another")


def _middle_channel(image: Image) -> Image:
    middle = len(image) // 2
    return image[middle : middle + 1]


def _geometric_mean(values: Sequence[float]) -> float:
    """Compute the geometric mean: all images count alike, however large their residuals are."""
    return float(np.exp(np.mean(np.log(np.maximum(values, 1e-12)))))


def _blurred(sharp: Image, kernel: Kernel, gamma: float, mode: str = "constant") -> Image:
    """Blur `sharp`, continued by `mode` of `numpy.pad`, in its frame and `REACH` px more on each side."""
    pad = [(0, 0), *((REACH + side // 2, REACH + (side - 1) // 2) for side in kernel.shape)]
    padded = np.pad(sharp**gamma, pad, mode=mode)  # type: ignore[call-overload]
    blurred = convolve_valid(torch.from_numpy(padded), torch.from_numpy(kernel.copy()))
    result: Image = blurred.clamp(min=0).numpy() ** (1 / gamma)
    return result


def _extended(sharp: Image) -> Image:
    return np.pad(sharp, ((0, 0), (REACH, REACH), (REACH, REACH)), mode="edge")


def _residual(predictions: Sequence[Image], pairs: Sequence[tuple[Image, Image]], margin: int) -> float:
    fits = [_fit(prediction, y, margin) for prediction, (_, y) in zip(predictions, pairs, strict=True)]
    return _geometric_mean([fit.rms for fit in fits])


def _fit(prediction: Image, blurry: Image, margin: int) -> _Fit:
    """Match a prediction of `_blurred` to `blurry`, away from the edges.

    The shift in whole pixels is searched. Gain, offset and the rest of the shift (by its first-order Taylor
    term) follow from least squares.
    """
    start = _start(prediction, blurry)
    rows, columns = (
        slice(max(0, margin + REACH - first), min(part, side - REACH - margin - first))
        for first, part, side in zip(start, blurry.shape[1:], prediction.shape[1:], strict=True)
    )
    known = blurry[:, rows, columns]
    guess = _window(prediction, start, (0, 0), blurry.shape)[:, rows, columns]
    # A rough gain and offset first, so that they do not bias the shift.
    scale = guess.std() / max(float(known.std()), 1e-12)
    scaled = (known - known.mean()) * scale + guess.mean()
    shift = best_shift(guess, scaled, border=REACH, max_shift=REACH).shift
    move = int(shift[0]), int(shift[1])
    design = _design(prediction, start, move, blurry.shape)[:, :, rows, columns][
        ..., REACH:-REACH, REACH:-REACH
    ]
    target = known[:, REACH:-REACH, REACH:-REACH]
    flat = design.reshape(4, -1)
    weights = np.asarray(np.linalg.lstsq(flat @ flat.T, flat @ target.ravel(), rcond=None)[0], np.float64)
    return _Fit(move, weights, target - np.tensordot(weights, design, axes=1), target)


def _start(prediction: Image, blurry: Image) -> tuple[int, int]:
    """Find the first pixel of the blurry image in the prediction: their centres coincide."""
    rows, columns = (
        (side - part) // 2 for side, part in zip(prediction.shape[1:], blurry.shape[1:], strict=True)
    )
    return rows, columns


def _window(image: Image, start: tuple[int, int], move: tuple[int, int], shape: tuple[int, ...]) -> Image:
    top, left = start[0] + move[0], start[1] + move[1]
    return image[:, top : top + shape[1], left : left + shape[2]]


def _design(
    prediction: Image, start: tuple[int, int], move: tuple[int, int], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Stack the planes (4, C, H, W) that `_Fit.weights` weigh, in the frame of a blurry image of `shape`."""
    planes = [prediction, np.ones_like(prediction), *np.gradient(prediction, axis=(1, 2))]
    return np.stack([_window(plane, start, move, shape) for plane in planes])


def _border_rms(prediction: Image, blurry: Image, kernel: tuple[int, ...], fit: _Fit) -> float | None:
    """Compute the residual where the kernel reaches beyond the sharp image; None if it does nowhere."""
    start = _start(prediction, blurry)
    inside = np.zeros(prediction.shape[1:], dtype=bool)
    rows, columns = (slice(REACH + side // 2, -REACH - (side - 1) // 2) for side in kernel)
    inside[rows, columns] = True
    border = ~_window(inside[None], start, fit.move, blurry.shape)[0]
    if not border.any():
        return None
    design = _design(prediction, start, fit.move, blurry.shape)[:, :, border]
    residual = blurry[:, border] - np.tensordot(fit.weights, design, axes=1)
    return float(np.sqrt((residual**2).mean()))


def _border_residuals(
    pairs: Sequence[tuple[Image, Image]], kernels: Sequence[Kernel], gamma: float, fits: Sequence[_Fit]
) -> dict[str, float]:
    """Map each boundary to its residual near the edges: the geometric mean over images with such pixels."""
    borders = {}
    for name, mode in BOUNDARIES.items():
        residuals = [
            _border_rms(_blurred(x, kernel, gamma, mode), y, kernel.shape, fit)
            for (x, y), kernel, fit in zip(pairs, kernels, fits, strict=True)
        ]
        known = [rms for rms in residuals if rms is not None]
        if known:
            borders[name] = _geometric_mean(known)
    return borders


def _boundary(borders: Mapping[str, float], inside: float) -> str | None:
    """Find the continuation that predicts the border about as well as the inside; None if undecided."""
    if not borders or min(borders.values()) > 2 * max(inside, ROUNDING):
        return "valid"
    least = min(borders, key=lambda name: borders[name])
    others = [rms for name, rms in borders.items() if name != least]
    return least if min(others) > DECISIVE * borders[least] else None


def _noise(fits: Sequence[_Fit]) -> tuple[float, str]:
    """Measure standard deviation and kind of the residuals inside the borders, without clipped pixels."""
    values, products = [], []
    for fit in fits:
        clipped = (fit.blurry < 0.5 / 255) | (fit.blurry > 254.5 / 255)
        residual = np.where(clipped, np.nan, fit.residual)
        values.append(residual[~clipped] - np.nanmean(residual))
        products.append((residual[:, :, 1:] * residual[:, :, :-1]).ravel())
    pooled = np.concatenate(values)
    sigma = float(pooled.std())
    agreement = float(np.nanmean(np.concatenate(products))) / sigma**2 if sigma else 0.0
    tails = float(kurtosis(pooled))
    if sigma < 1.2 * ROUNDING:
        return sigma, "the rounding to 8 bits alone"
    if agreement > 0.2:
        return sigma, "a misfit rather than noise, for neighbouring pixels are correlated"
    # Excess kurtosis: 0 for Gaussian noise, -1.2 for uniform noise, -0.9 for 1 % of it rounded to 8 bits.
    if tails < -0.6:
        return sigma, "uniform noise"
    if tails < 0.6:
        return sigma, "Gaussian noise"
    return sigma, "noise with heavier tails than a Gaussian's, such as impulses"
