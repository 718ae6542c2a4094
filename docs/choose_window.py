"""Compare windows from which `choose` estimates a kernel: python docs/choose_window.py FILE.csv

Every fourth photograph of datasets/choose-tuning.yaml, which nothing reports, whole in place of a crop, under
the kernel and the noise that the dataset gives it. A row is a photograph and where its kernel is from: PSNR
of the luma of the whole photograph, restored with this kernel, and core-seconds of the estimate at low
effort. Takes about five minutes of a core.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from choose_noise import PHOTOGRAPHS, photograph, psnr

from benchmark.blur.convolution import blur, central_crop
from benchmark.core.files import write_text
from benchmark.core.images import read_image
from benchmark.core.types import Observation, Truth
from benchmark.data.descriptors import find_dataset
from methods.choose import LOW
from methods.parts.candidates import Candidate
from methods.parts.choice import Choice
from methods.parts.ending import deconvolved

SIDE = 255  # px
NOISE = 0.003
TRIED = PHOTOGRAPHS[1::4]


def whole(name: str) -> tuple[Observation, Truth]:
    """Blur a whole photograph with the kernel that its crop has."""
    observation, truth = photograph(name, NOISE)
    dataset = find_dataset("choose-tuning")
    sharp = torch.from_numpy(read_image(dataset.file(dataset.entries[name].sharp))).double()
    assert truth.kernels is not None
    blurry = blur(sharp, torch.from_numpy(truth.kernels[0]).double(), "valid").numpy()
    noisy = blurry + np.random.default_rng(int(name)).normal(0, NOISE, blurry.shape)
    seen = (np.round(np.clip(noisy, 0, 1) * 255) / 255).astype(np.float32)
    frame = central_crop(sharp, (seen.shape[1], seen.shape[2])).float().numpy()
    return replace(observation, blurry=seen), replace(truth, sharp=frame)


def rows(name: str) -> Iterator[dict[str, object]]:
    """Return a row for each place where the kernel may be from."""
    observation, truth = whole(name)
    height, width = observation.blurry.shape[1:]
    top, left = (height - SIDE) // 2, (width - SIDE) // 2
    middle = np.ascontiguousarray(observation.blurry[:, top : top + SIDE, left : left + SIDE])
    row: dict[str, object] = {"photograph": name, "height": height, "width": width}
    assert truth.kernels is not None
    blurry = observation.blurry.astype(np.float64)

    def scored(kernel: np.ndarray) -> float:
        restored = deconvolved(blurry, kernel.astype(np.float64), "hyper-laplacian").image
        return psnr(restored.clamp(0, 1).float().numpy(), observation, truth)

    yield {**row, "kernel": "true", "psnr": scored(truth.kernels[0])}
    places = {
        "whole": (observation, 0),
        "window": (observation, SIDE),
        "middle": (replace(observation, blurry=middle), 0),
    }
    for place, (seen, window) in places.items():
        candidates = [Candidate.read(each) for each in LOW]
        choice = Choice(candidates, seen, torch.Generator().manual_seed(0), window)
        began = time.process_time()
        for iteration in range(choice.iterations):
            choice.step(iteration)
        taken = time.process_time() - began
        kernel = choice.estimate().kernels
        assert kernel is not None
        yield {**row, "kernel": place, "psnr": scored(kernel[0].numpy()), "core_seconds": taken}


def main() -> None:
    """Write the file that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    out = parser.parse_args().file
    found = [row for name in TRIED for row in rows(name)]
    write_text(out, pd.DataFrame(found).to_csv(index=False, float_format="%.5g"))


if __name__ == "__main__":
    main()
