"""Try weights of the energy by which `choose` chooses, under noise: python docs/choose_noise.py FILE.csv

Photographs of datasets/choose-tuning.yaml, which nothing reports. A row is a photograph at a level of noise:
what the estimates make of the noise, and, where it was tried, the PSNR that `choose` has at low effort with a
weight. A photograph takes about 40 seconds of a core at a level where weights are tried.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmark.blur.kernel_energy import WEIGHT
from benchmark.blur.noise_level import noise_sigma, smooth_sigma
from benchmark.core.files import write_text
from benchmark.core.types import Observation, Truth
from benchmark.data.cases import make_case
from benchmark.data.descriptors import find_dataset
from benchmark.data.synthesis import observe
from benchmark.scoring.protocols import find_protocol
from benchmark.scoring.scores import Restored
from methods.choose import LOW
from methods.parts.candidates import Candidate
from methods.parts.choice import Choice

PHOTOGRAPHS = find_dataset("choose-tuning").case_ids
NOISES = (0.003, 0.005, 0.01, 0.02)
# Noise to the photographs on which weights are tried: every third one, and some of the others.
THIRD = PHOTOGRAPHS[::3]
OTHERS = [name for name in PHOTOGRAPHS if name not in THIRD]
TRIED = {0.01: [*THIRD, *OTHERS[:12:2]], 0.02: THIRD[:5]}
TIMES = (1, 1.5, 2, 3, 4, 6, 9)  # WEIGHT
PROTOCOL = "levin-shift"


def photograph(name: str, sigma: float) -> tuple[Observation, Truth]:
    """Blur a photograph, with Gaussian noise of a standard deviation of at least 0.003."""
    dataset = "choose-tuning@gaussian-0-01" if sigma == 0.01 else "choose-tuning"
    observation, truth = observe(make_case(find_dataset(dataset), name, 0), 0)
    if sigma not in (0.003, 0.01):
        more = np.random.default_rng(int(name)).normal(
            0, np.sqrt(sigma**2 - 0.003**2), observation.blurry.shape
        )
        noisy = np.round(np.clip(observation.blurry + more, 0, 1) * 255) / 255
        observation = replace(observation, blurry=noisy.astype(np.float32))
    return observation, truth


def psnr(image: np.ndarray, observation: Observation, truth: Truth) -> float:
    """Score an image (C, H, W)."""
    rules = find_protocol(PROTOCOL)
    restored = Restored(image, truth, rules, observation.blurry, None)
    value, _ = restored.score(rules.metric("psnr"))
    return value


def chosen(choice: Choice, times: float) -> tuple[str, np.ndarray]:
    """End a choice whose candidates have ended with another weight; return what was chosen, and the image."""
    candidates = list(choice.outcomes)
    choice.weight = times * WEIGHT
    choice.outcomes = [
        replace(each, energy=choice.energy(each.kernel.numpy()))
        for each in candidates
        if each.kernel is not None
    ]
    for iteration in range(len(choice.turns), choice.iterations):
        choice.step(iteration)
    result = choice.estimate()
    choice.outcomes = candidates
    return result.notes["chosen"], result.image.numpy()


def rows(name: str, sigma: float, tried: Sequence[float]) -> Iterator[dict[str, object]]:
    """Return a row for each weight; one without where none is tried."""
    observation, truth = photograph(name, sigma)
    choice = Choice([Candidate.read(each) for each in LOW], observation, torch.Generator().manual_seed(0))
    row: dict[str, object] = {
        "noise": sigma,
        "photograph": name,
        "noise_sigma": noise_sigma(choice.luma),
        "smooth_sigma": smooth_sigma(choice.luma),
        "blurry": psnr(observation.blurry, observation, truth),
    }
    if not tried:
        yield row
    for iteration in range(len(choice.turns) if tried else 0):
        choice.step(iteration)
    for times in tried:
        name_of_kernel, image = chosen(choice, times)
        yield {
            **row,
            "weight": times * WEIGHT,
            "kernel": name_of_kernel,
            "psnr": psnr(image, observation, truth),
        }


def main() -> None:
    """Write the file that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    out = parser.parse_args().file
    found = [
        row
        for sigma in NOISES
        for name in PHOTOGRAPHS
        for row in rows(name, sigma, TIMES if name in TRIED.get(sigma, ()) else ())
    ]
    write_text(out, pd.DataFrame(found).to_csv(index=False, float_format="%.5g"))


if __name__ == "__main__":
    main()
