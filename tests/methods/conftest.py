"""What tests over all methods share: tiny weights, and one call that restores."""

import pytest

from benchmark.core.images import write_image
from benchmark.tools.conformance import Subject
from methods.parts.solver import solve
from tests.methods.tiny import overrides_of, places, save_weights, settings_of, task


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A folder of small random networks."""
    return save_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def restore(tmp_path, weights):
    """`restore(method, *observations, **changes)`: restorations by case; `changes` of TINY settings."""

    def run(method, *observations, **changes):
        for observation in observations:
            write_image(tmp_path / f"{observation.case}.png", observation.blurry)
        settings = settings_of(method, **places(method, tmp_path, weights), **changes)
        return dict(solve([task(method, observation, settings) for observation in observations]))

    return run


@pytest.fixture
def subject(tmp_path, weights):
    """`subject(method)` is the method at TINY size, for the checks of `benchmark.tools.conformance`."""

    def make(method):
        return Subject.small(method, tmp_path, overrides_of(method, **places(method, tmp_path, weights)))

    return make
