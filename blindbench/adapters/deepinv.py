"""Every method as a deepinv `Reconstructor`, and every dataset as a deepinv `ImageDataset`.

Install the extra: pip install 'blindbench[deepinv]'. Images are tensors (B, C, H, W) in [0, 1], C = 1 or 3.
deepinv's blurs are true convolutions, as the suite's are, so kernels pass as they are.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from deepinv.datasets.base import ImageDataset
from deepinv.models import Reconstructor
from deepinv.physics import Physics
from torch import Tensor

from benchmark.core.errors import InputError
from benchmark.core.seeds import seed_from
from benchmark.core.types import Array, Boundary, KnownBlur
from benchmark.data.cases import make_case
from benchmark.data.descriptors import find_dataset
from benchmark.data.synthesis import observe
from benchmark.tools.one_image import OneImage, require_image

# deepinv's paddings as the suite calls them. With another one, nothing is known beyond the border.
BOUNDARIES: dict[str, Boundary] = {
    "zeros": "zero",
    "constant": "zero",
    "circular": "circular",
    "replicate": "replicate",
}


class MethodReconstructor(Reconstructor):  # type: ignore[misc]  # deepinv has no types
    """A method as a model: `x_hat = model(y, physics)`.

    The result has the frame of y, so with padding 'valid', which makes y smaller than x, compare it with the
    centre of x. Values of y outside [0, 1] are clipped, as the benchmark does.

    Args:
        method: A name of `blindbench methods`, or a preset of one, such as 'selfdeblur@quick'.
        kernel_size: Side of the square that the kernel fits in, in px. None: that of the physics' filter.
        boundary: How the image was blurred at its border. None: as the physics' padding says.
        seed: Seeds the method's initial weights.
        device: Where it runs.
        settings: Settings that differ from the method's defaults.

    Raises:
        InputError: There is no such method or setting, or a value is refused.

    >>> model = MethodReconstructor("rl", kernel_size=5)
    >>> model(torch.rand(2, 1, 40, 40)).shape
    torch.Size([2, 1, 40, 40])
    """

    def __init__(
        self,
        method: str,
        kernel_size: int | None = None,
        boundary: Boundary | None = None,
        *,
        seed: int = 0,
        device: str | torch.device = "cpu",
        **settings: Any,
    ) -> None:
        super().__init__(device=device)
        self.run = OneImage(method, settings, "the image", seed, torch.device(device))
        self.start = seed_from("deepinv", method, seed)
        self.kernel_size, self.boundary = kernel_size, boundary

    def forward(self, y: Tensor, physics: Physics | None = None, **kwargs: Any) -> Tensor:
        """Restore each image of a batch.

        Args:
            y: Blurry images, (B, C, H, W).
            physics: A `deepinv.physics.Blur`. Its filter's size is declared to the method; its filter itself
                is seen by controls alone, as by 'oracle'.
            kwargs: Ignored, as deepinv's other models do.

        Raises:
            InputError: The method does not treat such images, or needs weights that are not here.
            RestorationError: The method diverged, ran out of memory or stopped with an error.
        """
        del kwargs
        filters = getattr(physics, "filter", None)
        restored = []
        # Methods fit networks, also where the caller needs no gradients.
        with torch.inference_mode(False), torch.enable_grad():
            for index, image in enumerate(y.detach().clamp(0, 1).cpu()):
                kernel = None if filters is None else _kernel(filters[index % len(filters)])
                observation = self._observation(image.numpy().astype(np.float32), kernel, physics)
                result = self.run.restore(observation, self.start)
                restored.append(torch.from_numpy(require_image(result, observation.case)))
        return torch.stack(restored).to(y)

    def _observation(self, image: Array, kernel: Array | None, physics: Physics | None) -> KnownBlur:
        size = (self.kernel_size, self.kernel_size) if self.kernel_size else None
        if size is None and kernel is not None:
            size = kernel.shape[0], kernel.shape[1]
        boundary = self.boundary or BOUNDARIES.get(getattr(physics, "padding", ""), "valid")
        kernels = None if kernel is None else kernel[None]
        return KnownBlur("deepinv", "the image", image, size, boundary=boundary, kernels=kernels)


def _kernel(weights: Tensor) -> Array:
    """Return the kernel (h, w) of a filter (C, h, w). Raises InputError where channels differ."""
    if not torch.equal(weights, weights[:1].expand_as(weights)):
        raise InputError("the physics' filter differs between channels; the methods take one kernel for all")
    kernel: Array = weights[0].detach().cpu().numpy().astype(np.float32)
    return kernel


class CaseDataset(ImageDataset):  # type: ignore[misc]  # deepinv has no types
    """A dataset of the suite: blurry images y, sharp images x in the frame of y, and kernels.

    An entry is a mapping with `y`, with `x` unless it is a real photograph, and, where the blur is uniform
    and known, with `params`: the `filter` (1, h, w) of `deepinv.physics.Blur`. Images and kernels of
    different cases may differ in size, so load them in batches of one.

    Args:
        name: A name of `blindbench datasets`, or <dataset>@<condition>.
        cases: Shell patterns of case names.
        experiment_seed: Seeds kernels and noise.

    Raises:
        InputError: There is no such dataset, its files are not here, or a pattern matches no case.
    """

    def __init__(self, name: str, cases: Sequence[str] = ("*",), experiment_seed: int = 0) -> None:
        self.dataset = find_dataset(name)
        self.names = self.dataset.selected(cases)
        self.experiment_seed = experiment_seed

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> dict[str, Any]:
        case = make_case(self.dataset, self.names[index], self.experiment_seed)
        observation, truth = observe(case, self.experiment_seed)
        entry: dict[str, Any] = {"y": torch.from_numpy(observation.blurry)}
        if truth.sharp is not None:
            entry["x"] = torch.from_numpy(truth.sharp)
        if truth.kernels is not None and observation.blur_model == "uniform":
            entry["params"] = {"filter": torch.from_numpy(truth.kernels)}
        return entry
