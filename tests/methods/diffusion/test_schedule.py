"""Schedules and steps against the published code's numbers."""

import numpy as np
import pytest

from methods.diffusion.schedule import Chain, linear_betas, spread_steps


def test_the_linear_chain_is_the_published_one(fixture):
    numbers = fixture("diffusion_schedules")
    own = {name.removeprefix("linear1000/"): value for name, value in numbers.items()}
    chain = Chain()
    previous = np.array([step.previous for step in chain.steps])
    same = {"rtol": 1e-12, "atol": 0}
    np.testing.assert_allclose(chain.betas, own["betas"], **same)
    np.testing.assert_allclose(chain.levels, own["alphas_cumprod"], **same)
    np.testing.assert_allclose(previous, own["alphas_cumprod_prev"], **same)
    np.testing.assert_allclose(chain.log_variances, own["posterior_log_variance_clipped"], **same)


def test_the_betas_are_the_published_ones(fixture):
    numbers = fixture("diffusion_schedules")
    np.testing.assert_allclose(linear_betas(), numbers["linear1000/base_betas"], rtol=1e-12)


@pytest.mark.parametrize("count", [50, 100])
def test_shorter_chains_keep_the_published_steps(fixture, count):
    numbers = fixture("diffusion_schedules")
    kept = spread_steps(count)
    chain = Chain(kept)
    assert kept == numbers[f"respaced_{count}/timestep_map"].tolist()
    assert [step.number for step in chain.steps] == kept
    np.testing.assert_allclose(chain.betas, numbers[f"respaced_{count}/betas"], rtol=1e-12)
    np.testing.assert_allclose(chain.levels, numbers[f"respaced_{count}/alphas_cumprod"], rtol=1e-12)


@pytest.mark.parametrize("count", [0, 1001])
def test_steps_that_are_not_there_cannot_be_kept(count):
    with pytest.raises(ValueError, match=f"{count} of 1000 steps"):
        spread_steps(count)
