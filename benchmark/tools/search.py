"""How the kernel of a photo is looked for: for what kind of blur, and how long."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

import torch

from benchmark.core.errors import InputError
from benchmark.core.progress import Report, silent
from benchmark.tools.deblur import KERNEL_METHOD, Deblurring, KernelCandidate, deep_method
from benchmark.tools.one_image import OneImage

Blur = Literal["motion", "defocus"]
Effort = Literal["low", "normal", "high"]


def search(
    deblurring: Deblurring,
    name: str,
    *,
    device: torch.device,
    sizes: Sequence[int] = (),
    blur: Blur = "motion",
    effort: Effort = "normal",
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    report: Report = silent,
) -> Iterator[KernelCandidate]:
    """Yield the kernels that are found for a photo, as they come; see `Deblurring.find`.

    Args:
        deblurring: The photo.
        name: What messages call it.
        device: Where methods run.
        sizes: The kernel sizes to try, in px, ascending; without any, those that suit the photo.
        blur: What blurred it: motion, or a lens out of focus or a microscope.
        effort: 'low': sizes in large steps. 'normal': those around the best one, too. 'high': where kernels
            of motion disagree, a network as well; and the blur of parts of the photo is compared.
        seed: Seeds the methods' initial weights.
        settings: Of the method that estimates the kernel, other than its own.
        report: Called before each size.

    Raises:
        InputError: There is no such effort, or a size or a setting is wrong.
    """
    if effort not in get_args(Effort):
        raise InputError(f"effort={effort!r}: there are {', '.join(get_args(Effort))}")
    spots = blur != "motion"
    given = dict(settings or {}) | ({"blur": blur} if spots else {})
    estimate = OneImage(KERNEL_METHOD, given, name, seed, device)
    wants_deep = effort == "high" and not spots  # the deep method finds no spots
    deep = OneImage(deep_method(), {}, name, seed, device) if wants_deep else None
    yield from deblurring.find(estimate, sizes, report, finer=effort != "low", deep=deep, spots=spots)
    if effort == "high" and not sizes:
        deblurring.compare_parts(estimate, report)
