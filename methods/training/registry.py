"""Register trainings: every module of this package that defines `TRAINING` registers one."""

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

import methods.training
from benchmark.core.progress import Report
from benchmark.core.schema import look_up
from methods.training.loop import Materials, Trainee

Start = Callable[[Any, Materials, int, torch.device, Report], Trainee]


def no_inputs(settings: Any, folder: Path) -> Sequence[Path]:
    """Return nothing: the training needs no network of another one."""
    del settings, folder
    return ()


@dataclass(frozen=True)
class Training:
    """A training and its source."""

    name: str
    title: str  # what is trained, and how
    paper: str  # authors, venue, year, and the equations or sections implemented
    settings: type  # a frozen dataclass, the paper's values as defaults
    start: Start  # (settings, materials, seed, device, report) -> trainee
    outputs: Callable[[Any], Sequence[str]]  # settings -> names of the weight files that it writes
    # (settings, weights folder) -> paths of the weight files that it reads, whether they exist or not
    inputs: Callable[[Any, Path], Sequence[Path]] = no_inputs
    photographs: bool = False  # whether it needs photographs
    pairs: bool = False  # whether it takes pairs of blurry and sharp photographs in their place
    no_start: str = ""  # why it cannot begin with the weights of an earlier one; empty: it can


@cache
def built_in() -> dict[str, Training]:
    """Return the trainings of this package by name, sorted."""
    trainings = {}
    for info in pkgutil.iter_modules(methods.training.__path__):
        module = importlib.import_module(f"methods.training.{info.name}")
        training = getattr(module, "TRAINING", None)
        if isinstance(training, Training):
            trainings[training.name] = training
    return dict(sorted(trainings.items()))


def find(name: str) -> Training:
    """Return the training called `name`. Raises InputError with a hint for an unknown name."""
    return look_up(built_in(), name, "training")
