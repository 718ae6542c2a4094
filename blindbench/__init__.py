"""BlindBench from Python: deblur, restore and score images that are NumPy arrays.

Images are (H, W) or (H, W, C) with C = 1 (grey) or 3 (RGB), of type uint8 (0 to 255), uint16 (0 to 65535) or
float (0 to 1). Results have the layout and type of the image given. Kernels are (h, w), non-negative with
sum 1, in true-convolution form: blurry = sharp * kernel.

The parts that these functions are made of lie in the packages `benchmark` and `methods`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

from benchmark.core.errors import InputError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import numpy as np
    from numpy.typing import NDArray

    from benchmark.core.progress import Report
    from benchmark.data.descriptors import Dataset
    from methods.parts.registry import Method

__all__ = [
    "Deblurred",
    "InputError",
    "Restored",
    "datasets",
    "deblur",
    "methods",
    "restore",
    "score",
]


@dataclass(frozen=True)
class Deblurred:
    """A deblurred image, and how far to trust it."""

    image: NDArray[Any]  # in the layout and type of the photo; equal to it where nothing was done
    kernel: NDArray[np.float64] | None  # (h, w); None where nothing was done
    trusted: bool
    verdict: str  # why it is trusted or not, as a sentence


@dataclass(frozen=True)
class Restored:
    """The result of one method for one image."""

    image: NDArray[Any]  # in the layout and type of the blurry image
    kernels: NDArray[np.float32] | None  # (1, h, w); None for methods that estimate no kernel
    iterations: int  # how many were done; 0 for methods without iterations
    seconds: float  # wall clock, from building the networks to the result
    weights: str  # names the pre-trained weights that were used; empty for methods without any


def deblur(
    image: NDArray[Any],
    kernel_size: int | None = None,
    *,
    blur: Literal["motion", "defocus"] = "motion",
    effort: Literal["low", "normal", "high"] = "normal",
    seed: int = 0,
    device: str = "auto",
    progress: bool = False,
) -> Deblurred:
    """Deblur a photo whose kernel size may be unknown, and judge the result.

    The same as `blindbench deblur`: several kernel sizes are tried on a part of the photo, and the whole
    photo is restored with the best kernel. The blur must be the same everywhere.

    Args:
        image: The blurry photo.
        kernel_size: Side of the square that the kernel fits in, in px. None: several are tried.
        blur: What blurred it: 'motion', or 'defocus' for a lens out of focus or a microscope, whose kernel
            is a disk or a Gaussian.
        effort: How long to look for the kernel. 'low': sizes in large steps. 'high': where the kernels of
            motion disagree, a network, too.
        seed: Seeds the method's initial weights.
        device: 'auto', 'cpu' or 'cuda'.
        progress: Whether to show how far the work is, on standard error.

    Raises:
        InputError: The image or an argument is wrong; the message says what to do.

    >>> import blindbench
    >>> import numpy as np
    >>> result = blindbench.deblur(np.full((48, 64), 90, np.uint8))
    >>> result.image.shape, result.trusted
    ((48, 64), False)
    >>> result.verdict
    'nothing was done to the photo: it has no edges beyond its noise that would show a blur'
    """
    from benchmark.core.images import from_array, to_array
    from benchmark.runs.machine import claimed_device
    from benchmark.tools.deblur import Deblurring
    from benchmark.tools.search import search

    photo = from_array(image)
    sizes = () if kernel_size is None else (_whole(kernel_size, kernel_size),)
    if sizes and effort != "normal":
        raise InputError(f"effort={effort!r}: with kernel_size one size is tried; leave out one of them")
    with claimed_device(device) as target, _reporting("deblur", progress) as report:
        deblurring = Deblurring(photo)
        for _ in search(
            deblurring, "the image", device=target, sizes=sizes, blur=blur, effort=effort, seed=seed,
            report=report,
        ):  # fmt: skip
            pass
        result = deblurring.restored(deblurring.best(), report)
    restored = image.copy() if result.kernel is None else to_array(result.image, like=image)
    return Deblurred(restored, result.kernel, result.verdict.trusted, result.verdict.sentence)


def restore(
    method: str,
    blurry: NDArray[Any],
    kernel_size: int | tuple[int, int] | None = None,
    *,
    seed: int = 0,
    device: str = "auto",
    progress: bool = False,
    **settings: Any,
) -> Restored:
    """Restore an image with one method, as the benchmark does.

    Args:
        method: A name of `methods()`, or a preset of one, such as 'selfdeblur@quick'.
        blurry: The blurry image.
        kernel_size: Side of the square that the kernel fits in, in px, or (rows, columns) of a rectangle.
            Most methods need it.
        seed: Seeds the method's initial weights.
        device: 'auto', 'cpu' or 'cuda'.
        progress: Whether to show how far the work is, on standard error.
        settings: Settings that differ from the method's defaults; `blindbench methods NAME` lists all.

    Raises:
        InputError: The method, a setting or the image is wrong, the method does not treat such images, or it
            needs weights that are not here.
        RuntimeError: The method diverged, ran out of memory or stopped with an error.

    >>> import blindbench
    >>> import numpy as np
    >>> blurry = np.random.default_rng(0).random((40, 40))
    >>> blindbench.restore("rl", blurry, kernel_size=5).image.shape
    (40, 40)
    """
    from benchmark.core.images import from_array, to_array
    from benchmark.runs.machine import claimed_device
    from benchmark.tools.one_image import OneImage, require_image

    if not isinstance(method, str):
        raise InputError(f"method: the name of a method is needed, not {method!r}; see `blindbench methods`")
    if not isinstance(seed, int) or seed < 0:
        raise InputError(f"seed: a whole number of at least 0 is needed, not {seed!r}")
    observed, size = from_array(blurry), _rows_and_columns(kernel_size)
    with claimed_device(device) as target, _reporting(method, progress) as report:
        result = OneImage(method, settings, "the image", seed, target)(observed, size, report)
    image = to_array(require_image(result, method), like=blurry)
    return Restored(image, result.kernels, result.iterations, result.seconds, result.weights)


def score(
    restored: NDArray[Any],
    sharp: NDArray[Any],
    protocol: str = "shift-rgb",
    metrics: Sequence[str] = ("psnr", "ssim"),
) -> dict[str, float]:
    """Compare a restored image with the sharp one.

    Args:
        restored: The restored image.
        sharp: The sharp image, of the same size.
        protocol: How the two are cropped and aligned, and which variants of the metrics are meant; see
            docs/protocols.md. The default crops 15 px and allows for a shift of up to 10 px.
        metrics: Their names, as under `metrics` in a config.

    Returns:
        The value of each metric by its name in tables, which holds the variant.

    Raises:
        InputError: There is no such protocol or metric, or the metric has no value for these images.

    >>> import blindbench
    >>> import numpy as np
    >>> sharp = np.random.default_rng(0).random((64, 64))
    >>> {name: round(value, 1) for name, value in blindbench.score(0.9 * sharp, sharp, "plain").items()}
    {'psnr': 24.8, 'ssim': 1.0}
    """
    from benchmark.core.images import from_array
    from benchmark.core.types import Truth
    from benchmark.scoring.protocols import find_protocol
    from benchmark.scoring.scores import Restored as Comparison

    if isinstance(metrics, str):
        raise InputError(f"metrics={metrics!r}: give a list, such as ['{metrics}']")
    rules = find_protocol(protocol)
    truth = Truth(group="", sharp=from_array(sharp, "the sharp image"))
    pair = Comparison(from_array(restored, "the restored image"), truth, rules)
    chosen = [rules.metric(name) for name in metrics]
    return {metric.name: metric.function(*pair.arguments(metric.inputs)) for metric in chosen}


def methods() -> Mapping[str, Method]:
    """The methods that `restore` knows, by name; each has a title, a paper and a dataclass of settings.

    >>> import blindbench
    >>> blindbench.methods()["selfdeblur"].title
    'SelfDeblur'
    """
    from methods.parts.registry import built_in

    return built_in()


def datasets() -> Mapping[str, Dataset]:
    """The datasets of the benchmark, by name; their files may have to be downloaded first.

    >>> import blindbench
    >>> blindbench.datasets()["levin"].case_count
    32
    """
    from benchmark.data.descriptors import dataset_names, find_dataset

    return {name: find_dataset(name) for name in dataset_names()}


def _rows_and_columns(kernel_size: Any) -> tuple[int, int] | None:
    if kernel_size is None:
        return None
    both = kernel_size if isinstance(kernel_size, tuple) and len(kernel_size) == 2 else (kernel_size,) * 2
    rows, columns = (_whole(side, kernel_size) for side in both)
    return rows, columns


def _whole(side: Any, kernel_size: Any) -> int:
    if not isinstance(side, Integral):
        raise InputError(f"kernel_size={kernel_size!r}: give a whole number of px, or (rows, columns)")
    return int(side)


def _reporting(what: str, progress: bool) -> AbstractContextManager[Report]:
    from benchmark.core.console import reporting
    from benchmark.core.progress import silent

    return reporting(f"{what} ·") if progress else nullcontext(silent)
