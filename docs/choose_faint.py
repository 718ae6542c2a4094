"""Blur by a camera that paused twice and moved fast in between: python docs/choose_faint.py FILE.csv

Every third photograph of datasets/choose-tuning.yaml, which nothing reports, under kernels with a slow part,
a faint fast one, and a shorter slow one. A row has the PSNR of `choose` at low effort as it is, without its
two steps that look for faint parts, and without these and larger boxes; and that of the true kernel. Less
than a minute of a core each.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from choose_noise import psnr
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
from methods.parts.polish import PolishSettings

PHOTOGRAPHS = find_dataset("choose-tuning").case_ids[::3]
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


class Plain(Choice):
    """`choose` without the steps that look for faint parts of the kernel."""

    def _improve(self, label: str, settings: PolishSettings, *args: Any, **more: Any) -> None:
        if label not in ("faint parts", "more room"):
            super()._improve(label, settings, *args, **more)


class Declared(Plain):
    """The same, and no kernel is polished in a box that is larger than declared."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.largest = (SIZE, SIZE)
        self.boxes = [self.largest] * len(self.boxes)


KINDS = {"declared_box": Declared, "larger_boxes": Plain, "choose": Choice}


def row(name: str) -> dict[str, object]:
    """Run each kind of `choose` on a photograph."""
    observation, truth, kernel = blurred(name)
    scores = {}
    for kind, build in KINDS.items():
        choice = build([Candidate.read(each) for each in LOW], observation, torch.Generator().manual_seed(0))
        for iteration in range(choice.iterations):
            choice.step(iteration)
        scores[kind] = psnr(choice.estimate().image.numpy(), observation, truth)
    best = hyper_laplacian_valid(observation.blurry, kernel, data_weight(observation.blurry))
    return {
        "photograph": name,
        "blurry": psnr(observation.blurry, observation, truth),
        **scores,
        "true_kernel": psnr(best.astype(np.float32), observation, truth),
    }


def main() -> None:
    """Write the file that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    out = parser.parse_args().file
    found = [row(name) for name in PHOTOGRAPHS]
    write_text(out, pd.DataFrame(found).to_csv(index=False, float_format="%.5g"))


if __name__ == "__main__":
    main()
