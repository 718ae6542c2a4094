"""From a case to what is observed of it, and what is kept back for scoring."""

import numpy as np
import torch

from benchmark.blur.convolution import central_crop, uniform_blur
from benchmark.blur.noise import add_gaussian
from benchmark.seeds import generator
from benchmark.types import Case, Observation, Truth


def observe(case: Case, experiment_seed: int) -> tuple[Observation, Truth]:
    """Blur ('valid'), clip, add noise, clip. Real photographs pass unchanged.

    The noise has a generator of its own, so another noise level leaves the kernels as they are. The result
    stays in float: rounding to 8 bits would add noise of its own.
    """
    if case.photograph is not None:
        observation = Observation(case.dataset, case.id, case.photograph, case.kernel_size)
        return observation, Truth(case.group, case.sharp, case.kernels)
    assert case.scene is not None and case.kernels is not None
    scene = torch.from_numpy(case.scene).double()
    blurred = uniform_blur(scene, torch.from_numpy(case.kernels).double()).clamp(0, 1)
    rng = generator(experiment_seed, case.dataset, case.id, "noise")
    blurry = add_gaussian(blurred.numpy().astype(np.float32), case.noise_sigma, rng)
    sharp = central_crop(scene, (blurry.shape[1], blurry.shape[2])).float().numpy()
    return (
        Observation(case.dataset, case.id, blurry, case.kernel_size),
        Truth(case.group, sharp, case.kernels),
    )
