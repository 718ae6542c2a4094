"""Try larger boxes for the kernels of `choose`: python docs/choose_faint.py FILE.csv

Every third photograph of datasets/choose-tuning.yaml, which nothing reports, under its own kernel and under
one of a camera that paused twice and moved fast in between: a slow part, a faint fast one, and a shorter slow
one. A row has the PSNR of `choose` at low effort, of two variants with larger boxes, and of the true kernel.
A minute of a core each.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from choose_noise import photograph, psnr
from scipy.signal import fftconvolve
from skimage import draw

from benchmark.blur.noise_level import data_weight
from benchmark.blur.nonblind import Kernel, hyper_laplacian_valid
from benchmark.blur.trajectory import trajectory_kernel
from benchmark.core.files import write_text
from benchmark.core.types import Observation, Truth
from benchmark.data.cases import make_case
from benchmark.data.descriptors import find_dataset
from benchmark.data.synthesis import observe
from methods.choose import LOW
from methods.parts.candidates import Candidate
from methods.parts.choice import Choice
from methods.parts.polish import COMPLETING, PolishSettings, polish
from methods.parts.warm_start import resized

PHOTOGRAPHS = find_dataset("choose-tuning").case_ids[::3]
LARGER = 1.4  # declared sizes: of the larger boxes
SIZE, PART = 21, 7  # px: of the kernel, of each slow part
MASSES = (
    0.78,
    0.07,
    0.15,
)  # of the first slow part, the fast one, the second slow one: as of Levin's sixth kernel
NOISE = 0.003


def paused_twice(rng: np.random.Generator) -> Kernel:
    """Draw a kernel (SIZE, SIZE): two trajectories in opposite corners, and a line between them."""
    kernel = np.zeros((SIZE, SIZE))
    middle = PART // 2
    line = draw.line(middle, middle, SIZE - 1 - middle, SIZE - 1 - middle)
    kernel[line] = MASSES[1] / len(line[0])
    kernel[:PART, :PART] += MASSES[0] * trajectory_kernel(PART, rng)
    kernel[-PART:, -PART:] += MASSES[2] * trajectory_kernel(PART, rng)
    return np.rot90(kernel, int(rng.integers(4))).copy()


def blurred(name: str) -> tuple[Observation, Truth, Kernel]:
    """Blur a photograph (C, H, W) in the frame that lies inside, add noise, round to 8 bits."""
    rng = np.random.default_rng(int(name))
    kernel = paused_twice(rng)
    case = make_case(find_dataset("choose-tuning"), name, 0)
    _, truth = observe(case, 0)
    assert truth.sharp is not None
    clean = np.stack([fftconvolve(channel, kernel, mode="valid") for channel in truth.sharp])
    noisy = np.round(np.clip(clean + rng.normal(0, NOISE, clean.shape), 0, 1) * 255) / 255
    rim = SIZE // 2
    sharp = truth.sharp[:, rim:-rim, rim:-rim]
    return Observation("faint", name, noisy.astype(np.float32), (SIZE, SIZE)), Truth("", sharp=sharp), kernel


class Room(Choice):
    """`choose` that looks for faint parts once more, in a box of LARGER times the declared size.

    The kernel from there is another candidate if its energy is below `most` times the least.
    """

    most = COMPLETING

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        declared = self.observation.kernel_size
        assert declared is not None
        self.largest = (round(LARGER * declared[0]), round(LARGER * declared[1]))

    def _improve(self, label: str, settings: PolishSettings, is_last: bool = False) -> None:
        super()._improve(label, settings, is_last)
        best = self._best()
        if label != "faint parts" or best is None or best.kernel is None:
            return
        kernel = polish(self.luma, resized(best.kernel[None], self.largest)[0].numpy(), settings)
        energy = self.energy(kernel)
        if energy < self.most * best.energy:
            self.outcomes.append(replace(best, label="room", energy=energy, kernel=torch.from_numpy(kernel)))


class Boxes(Room):
    """`Room` that takes any energy, and polishes candidates with larger kernels in their own boxes."""

    most = np.inf

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.boxes = [max(size, box) for (_, size), box in zip(self.plan, self.boxes, strict=True)]


KINDS = {"choose": Choice, "room": Room, "larger_boxes": Boxes}


def row(kernel_of: str, observation: Observation, truth: Truth, kernel: Kernel) -> dict[str, object]:
    """Run each kind of `choose` on a photograph."""
    scores = {}
    for kind, build in KINDS.items():
        choice = build([Candidate.read(each) for each in LOW], observation, torch.Generator().manual_seed(0))
        for iteration in range(choice.iterations):
            choice.step(iteration)
        scores[kind] = psnr(choice.estimate().image.numpy(), observation, truth)
    best = hyper_laplacian_valid(observation.blurry, kernel, data_weight(observation.blurry))
    return {
        "photograph": observation.case,
        "kernel": kernel_of,
        "blurry": psnr(observation.blurry, observation, truth),
        **scores,
        "true_kernel": psnr(best.astype(np.float32), observation, truth),
    }


def rows(name: str) -> Iterator[dict[str, object]]:
    """Return the rows of a photograph."""
    yield row("paused twice", *blurred(name))
    observation, truth = photograph(name, NOISE)
    assert truth.kernels is not None
    yield row("own", observation, truth, truth.kernels[0].astype(np.float64))


def main() -> None:
    """Write the file that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    out = parser.parse_args().file
    found = [each for name in PHOTOGRAPHS for each in rows(name)]
    write_text(out, pd.DataFrame(found).to_csv(index=False, float_format="%.5g"))


if __name__ == "__main__":
    main()
