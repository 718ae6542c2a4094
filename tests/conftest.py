"""What tests share: reference numbers, and the optional folder of real data."""

import os
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def fixture():
    """`fixture("dip_fcn")` is the content of tests/fixtures/dip_fcn.npz."""

    def load(name):
        with np.load(ROOT / "tests" / "fixtures" / f"{name}.npz", allow_pickle=False) as file:
            return dict(file)

    return load


@pytest.fixture(scope="session")
def mirror():
    """The folder of real data; its tests are skipped where it is absent."""
    folder = Path(os.environ.get("BLINDBENCH_MIRROR", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip("no real data here: set BLINDBENCH_MIRROR to a folder that has data/")
    return folder
