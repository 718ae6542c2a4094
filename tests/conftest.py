"""What tests share: reference numbers, and the optional folder of real data."""

import os
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from benchmark.runs.watch import Watch
from tests.warm import interpreter

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def no_forks():
    """Restore in the tests' own process: a fork of it would run the tests once more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmark.runs.watch.watched", lambda: nullcontext(Watch()))
        yield


@pytest.fixture(scope="session", autouse=True)
def no_measurements():
    """Measure nothing for the plans that tests make, nor write into the user's cache folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmark.tools.calibration.SECONDS", 0.0)
        yield


@pytest.fixture(autouse=True)
def no_leaks():
    """Fail a test that leaves an environment variable of the suite set for the tests after it."""
    before = _own_variables()
    yield
    assert _own_variables() == before


def _own_variables():
    return {name: value for name, value in os.environ.items() if name.startswith("BLINDBENCH_")}


@pytest.fixture(scope="session")
def warm():
    """The path of an interpreter whose programs have imported the libraries already; see tests/warm.py."""
    with interpreter() as path:
        yield str(path)


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
