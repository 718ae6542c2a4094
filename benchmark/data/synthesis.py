"""Blur a case and add noise: what methods may see, and what scoring keeps."""

import numpy as np
import torch
from torch import Tensor

from benchmark.blur.convolution import blur, central_crop
from benchmark.blur.noise import add_noise
from benchmark.blur.warp import warp_average
from benchmark.core.seeds import generator
from benchmark.core.types import Array, Observation, Truth
from benchmark.data.cases import Case


def observe(case: Case, experiment_seed: int) -> tuple[Observation, Truth]:
    """Blur the sharp image of a case, clip to [0, 1], add noise and clip again.

    Blurry photographs pass unchanged. Noise has a random generator of its own, so another noise level leaves
    the kernels as they are. Values are not rounded to 8 bits, which would add noise.

    Args:
        case: See `benchmark.data.cases.make_case`.
        experiment_seed: Seeds the noise, together with the names of dataset and case.

    Returns:
        What methods may see, and the truth that scoring needs.
    """
    if case.photograph is not None:
        return _observation(case, case.photograph), Truth(case.group, case.sharp, case.kernels, case.frames)
    assert case.scene is not None
    scene = torch.from_numpy(case.scene).double()
    blurry = _blurred(scene, case).clamp(0, 1).numpy().astype(np.float32)
    rng = generator(experiment_seed, case.dataset.partition("@")[0], case.id, "noise")
    for noise in case.noise:
        blurry = add_noise(blurry, noise, rng)
    sharp = central_crop(scene, (blurry.shape[1], blurry.shape[2])).clamp(0, 1).float().numpy()
    return _observation(case, blurry), Truth(case.group, sharp, case.kernels)


def _blurred(scene: Tensor, case: Case) -> Tensor:
    """Convolve the scene with its kernel, or average it over the poses of the shaken camera."""
    assert case.kernels is not None
    if case.shake is None:
        return blur(scene, torch.from_numpy(case.kernels[0]).double(), case.boundary)
    # No pose sees beyond the margin of the scene, so the rule for its border does not matter.
    warped = warp_average(scene, torch.from_numpy(case.shake.homographies), "replicate")
    (h, w), (height, width) = case.kernels.shape[-2:], scene.shape[-2:]
    return central_crop(warped, (height - h + 1, width - w + 1))


def _observation(case: Case, blurry: Array) -> Observation:
    return Observation(
        dataset=case.dataset,
        case=case.id,
        blurry=blurry,
        kernel_size=case.kernel_size,
        blur_model=case.blur_model,
        boundary=case.boundary,
        grid=case.grid,
    )
