"""Schedules and steps against the published code's numbers."""

import numpy as np
import pytest

from methods.diffusion.schedule import Chain, cosine_betas, fewer_steps, linear_betas


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


def test_base_schedules_are_the_published_ones(fixture):
    numbers = fixture("diffusion_schedules")
    np.testing.assert_allclose(linear_betas(), numbers["linear1000/base_betas"], rtol=1e-12)
    np.testing.assert_allclose(linear_betas(100), numbers["linear100/base_betas"], rtol=1e-12)
    np.testing.assert_allclose(cosine_betas(), numbers["cosine1000/base_betas"], rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "wanted", "rule"),
    [
        ("100", 100, "spread"),
        ("ddim100", 100, "stride"),
        ("50", 50, "spread"),
        ("10_15_20", [10, 15, 20], "spread"),
    ],
)
def test_shorter_chains_keep_the_published_steps(fixture, name, wanted, rule):
    numbers = fixture("diffusion_schedules")
    kept = fewer_steps(1000, wanted, rule)
    chain = Chain(kept=kept)
    assert kept == numbers[f"respaced_{name}/timestep_map"].tolist()
    assert [step.number for step in chain.steps] == kept
    np.testing.assert_allclose(chain.betas, numbers[f"respaced_{name}/betas"], rtol=1e-12)
    np.testing.assert_allclose(chain.levels, numbers[f"respaced_{name}/alphas_cumprod"], rtol=1e-12)


def test_steps_that_are_not_there_cannot_be_kept():
    for wanted, rule in ((1001, "spread"), (0, "spread"), (300, "stride")):
        with pytest.raises(ValueError, match="steps"):
            fewer_steps(1000, wanted, rule)
