"""What tests over all methods share: tiny weights, and one call that restores."""

import pytest

from methods.parts.solver import solve
from tests.methods.tiny import places, save_weights, settings_of, task, write_image


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
