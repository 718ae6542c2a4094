"""Kernels that other programs estimated, one file per case, and our own deconvolution with them.

So a table shows what a published method's kernel is worth beside the kernels of the methods here.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from benchmark.blur.kernel_energy import is_turned, kernel_energy
from benchmark.blur.nonblind import Image, Kernel
from benchmark.core.errors import InputError, NotSupportedError
from benchmark.core.kernel_files import read_kernel
from benchmark.core.types import Observation
from methods.parts.case_files import CaseFiles, kernel_files
from methods.parts.colour import luma
from methods.parts.direct import Direct
from methods.parts.ending import Deconvolution, deconvolved
from methods.parts.registry import Method


@dataclass(frozen=True)
class Settings:
    """Where the kernels lie, and how they are used."""

    # A folder, from the working directory on, with the files at any depth; or a pattern of files, in which
    # {case} is the name of the case, {1} the first number in that name, {2} the second, * any text, and $NAME
    # an environment variable. `blindbench match --kernels` shows which file belongs to which case.
    path: str
    # What the files hold. convolution: y = x * k. correlation: the kernel turned by 180 degrees, as most
    # programs write it; `blindbench doctor` finds out.
    form: Literal["convolution", "correlation"] = "convolution"
    # hyper-laplacian: deconvolution, pixels outside the frame unknown, its weight from the noise. polished:
    # the same after `methods.parts.polish` has improved the kernel.
    finish: Deconvolution = "hyper-laplacian"

    def __post_init__(self) -> None:
        _ = self.kernels  # refuses a pattern without a meaning

    @cached_property
    def kernels(self) -> CaseFiles:
        """The files among which those of the cases are."""
        return kernel_files(self.path)


def files(case: str, settings: Settings) -> list[Path]:
    """List the files that may hold the case's kernel: there should be one."""
    try:
        return settings.kernels.of(case)
    except NotSupportedError:
        return []


def problem(
    observation: Observation, settings: Settings, rng: torch.Generator, device: torch.device
) -> Direct:
    """Deconvolve with the case's kernel.

    Raises:
        NotSupportedError: there is no file of this case.
        InputError: there are several files; or the file holds no kernel, one larger than the image, or one
            that explains the image far better when it is turned.
    """
    del rng, device
    file = settings.kernels.only_one(observation.case)
    blurry, kernel = observation.blurry.astype(np.float64), read_kernel(file)
    if settings.form == "correlation":
        kernel = kernel[::-1, ::-1]
    _check(file, luma(torch.from_numpy(blurry)).numpy()[0], kernel, settings.form)
    return Direct(lambda: deconvolved(blurry, kernel.copy(), settings.finish))


def _check(path: Path, blurry: Image, kernel: Kernel, form: str) -> None:
    """Raise InputError unless the kernel may be that of a blurry image (H, W)."""
    (height, width), (h, w) = blurry.shape, kernel.shape
    if h > height or w > width:
        raise InputError(
            f"{path}: a kernel of {h} x {w} px, larger than the blurry image ({height} x {width} px); "
            "is it of another case?"
        )
    if h > height - 2 or w > width - 2:
        return  # nothing is left to judge it by
    if is_turned(blurry, kernel):
        given, turned = kernel_energy(blurry, kernel), kernel_energy(blurry, kernel[::-1, ::-1])
        other = "convolution" if form == "correlation" else "correlation"
        raise InputError(
            f"{path}: turned by 180 degrees the kernel explains the image better (kernel energy "
            f"{turned:.3f} in place of {given:.3f}); set form: {other}, or ask `blindbench doctor`"
        )


METHOD = Method(
    name="given-kernel",
    title="Given kernel",
    paper="control: kernels estimated elsewhere; deconvolution by Krishnan and Fergus, NIPS 2009",
    licence="-",
    blur_models=("uniform",),
    settings=Settings,
    problem=problem,
    files=files,
    cost="seconds",
    gpu=False,
)
