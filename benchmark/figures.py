"""Figures: what each method made of each case, with the kernels on one scale."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes

from benchmark.files import replacing
from benchmark.plan import base_method
from benchmark.store import Store, read_kernels, read_record, read_restored_image
from benchmark.types import Array, Status

CELL = 1.9  # inches, the side of one panel
KERNEL_SHARE = 0.3  # the inset's side, as a share of its panel


def qualitative(
    store: Store, dataset: str, cases: Sequence[str], methods: Sequence[str], seed: int, out: Path
) -> None:
    """Write `out`.png and `out`.pdf: a row per case, a column per method, and the sharp image last.

    Kernels stand as insets, true-convolution form, all of one case on one scale in pixels and in value.
    """
    panels = {case: _panels(store, dataset, case, methods, seed) for case in cases}
    heights = [_relative_height(entries) for entries in panels.values()]
    columns = max(len(entries) for entries in panels.values())
    figure, axes = pyplot.subplots(
        len(panels),
        columns,
        squeeze=False,
        layout="constrained",
        height_ratios=heights,
        figsize=(CELL * columns + 0.25, CELL * sum(heights) + 0.3),
    )
    for index, (row, (case, entries)) in enumerate(zip(axes, panels.items(), strict=True)):
        kernels = [kernel for _, _, kernel in entries if kernel is not None]
        side = max((max(kernel.shape) for kernel in kernels), default=0)
        peak = max((float(kernel.max()) for kernel in kernels), default=0.0)
        row[0].set_ylabel(case, fontsize=8)
        for axis in row:
            axis.set(xticks=[], yticks=[], frame_on=False)
        for axis, (title, image, kernel) in zip(row, entries, strict=False):
            if index == 0:
                axis.set_title(title, fontsize=8)
            if image is None:
                axis.text(0.5, 0.5, "no image", ha="center", va="center", fontsize=8)
                continue
            _show(axis, image)
            if kernel is not None:
                _inset(axis, kernel, side, peak)
    for suffix in (".png", ".pdf"):
        with replacing(out.with_name(out.name + suffix)) as temporary:
            # No creation date: the same results give the same bytes.
            figure.savefig(temporary, dpi=200, metadata={"CreationDate": None} if suffix == ".pdf" else None)
    pyplot.close(figure)


def _relative_height(entries: Sequence[tuple[str, Array | None, Array | None]]) -> float:
    """Height over width of a row's images."""
    image = next((image for _, image, _ in entries if image is not None), None)
    return 1.0 if image is None else image.shape[1] / image.shape[2]


def _panels(
    store: Store, dataset: str, case: str, methods: Sequence[str], seed: int
) -> list[tuple[str, Array | None, Array | None]]:
    """(title, image, kernel) from left to right."""
    panels: list[tuple[str, Array | None, Array | None]] = []
    for method in methods:
        folder = store.case_folder(dataset, method, seed, case)
        record = read_record(folder)
        done = record is not None and record["status"] == Status.OK.value
        kernels = read_kernels(folder) if done else None
        name, _, setting = method.partition("@")
        title = base_method(name).title + (f" ({setting})" if setting else "")
        panels.append(
            (title, read_restored_image(folder) if done else None, None if kernels is None else kernels[0])
        )
    truth = store.read_truth(dataset, case)
    if truth.sharp is not None:
        panels.append(("Sharp", truth.sharp, None if truth.kernels is None else truth.kernels[0]))
    return panels


def _show(axis: Axes, image: Array) -> None:
    pixels = np.clip(image, 0, 1)
    if len(pixels) == 1:
        axis.imshow(pixels[0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    else:
        axis.imshow(pixels.transpose(1, 2, 0), interpolation="nearest")


def _inset(axis: Axes, kernel: Array, side: int, peak: float) -> None:
    """Draw `kernel` in the top right corner, centred in `side` x `side` pixels, white for `peak`."""
    h, w = kernel.shape
    canvas = np.zeros((side, side), dtype=np.float32)
    top, left = (side - h) // 2, (side - w) // 2
    canvas[top : top + h, left : left + w] = kernel
    inset = axis.inset_axes((1 - KERNEL_SHARE, 1 - KERNEL_SHARE, KERNEL_SHARE, KERNEL_SHARE))
    inset.imshow(canvas, cmap="gray", vmin=0, vmax=peak, interpolation="nearest")
    inset.set_xticks([])
    inset.set_yticks([])
    for spine in inset.spines.values():
        spine.set_color("white")
        spine.set_linewidth(0.6)
