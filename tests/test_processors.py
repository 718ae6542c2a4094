"""Synthetic blur, the classical kernels and the last deconvolution have the same bytes on every CPU.

NumPy's linear algebra rounds by the CPU. OpenBLAS takes another CPU's code where a variable names it, so one
machine can play several. On CPUs without such a choice all runs are alike, and the tests say nothing.
"""

import os
import subprocess
import sys

import pytest

PROGRAMS = {
    "camera shake": """
        from benchmark.blur.camera_shake import patch_centres, simulate_shake
        shake = simulate_shake((60, 80), 15, (5, 9), np.random.default_rng(0))
        result = shake.homographies, shake.psfs(patch_centres((60, 80), (2, 3)), 15)
    """,
    "smooth tracks": """
        from benchmark.blur.smooth_tracks import lai_like_kernel
        result = [lai_like_kernel(31, np.random.default_rng(seed)) for seed in range(4)]
    """,
    "classical kernel": """
        from scipy.ndimage import gaussian_filter
        from methods.classical.alternation import estimate_kernel
        noise = np.random.default_rng(0).random((96, 96))
        blurry = gaussian_filter(gaussian_filter(noise, 2) > 0.5, 1.5, output=float)
        result = [estimate_kernel(blurry, (13, 13))]
    """,
    "polished kernel": """
        from scipy.ndimage import gaussian_filter
        from methods.parts.polish import PolishSettings, polish
        noise = np.random.default_rng(0).random((96, 96))
        blurry = gaussian_filter(gaussian_filter(noise, 2) > 0.5, 1.5, output=float)
        result = [polish(blurry, np.full((9, 9), 1 / 81), PolishSettings(weights=(3e-4,) * 5))]
    """,
    "deconvolution with unknown border": """
        from scipy.ndimage import gaussian_filter
        from benchmark.blur.nonblind import hyper_laplacian_valid
        noise = np.random.default_rng(0).random((1, 96, 96))
        result = [hyper_laplacian_valid(gaussian_filter(noise, (0, 2, 2)), np.full((5, 7), 1 / 35))]
    """,
}


CORES = ("Haswell", "Sandybridge", "Prescott")


@pytest.fixture(scope="module")
def digests():
    """The hash of what each program binds to `result`, by OpenBLAS's code for each core."""
    hashed = "print(hashlib.sha256(b''.join(array.tobytes() for array in result)).hexdigest())"
    lines = [line.strip() for program in PROGRAMS.values() for line in [*program.splitlines(), hashed]]
    by_core = []
    for core in CORES:
        run = subprocess.run(
            [sys.executable, "-c", "\n".join(["import hashlib", "import numpy as np", *lines])],
            env=os.environ | {"OPENBLAS_CORETYPE": core},
            capture_output=True,
            text=True,
            check=True,
        )
        by_core.append(dict(zip(PROGRAMS, run.stdout.split(), strict=True)))
    return by_core


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_bytes_are_those_of_other_cpus(name, digests):
    assert len({of_core[name] for of_core in digests}) == 1
