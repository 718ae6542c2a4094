"""The two-level bootstrap."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from benchmark.tables.resampling import RESAMPLES, bootstrap_interval, by_case_and_seed, draws
from tests.benchmark.tables.test_tables import scores_frame


def rng():
    return np.random.default_rng(5)


VALUES = np.random.default_rng(0).normal(30, 3, (12, 1))


def test_with_one_seed_it_is_scipys_percentile_bootstrap_over_cases():
    bounds = bootstrap((VALUES[:, 0],), np.mean, method="percentile", n_resamples=RESAMPLES, rng=rng())
    assert bootstrap_interval(VALUES, rng()) == pytest.approx(tuple(bounds.confidence_interval))


def test_seeds_that_differ_widen_the_interval_and_equal_ones_do_not():
    def width(values):
        low, high = bootstrap_interval(values, rng())
        return high - low

    same = np.repeat(VALUES, 4, axis=1)
    assert width(same) == pytest.approx(width(VALUES), rel=0.05)
    assert width(same + np.array([-9, -3, 3, 9])) > 1.3 * width(same)


def test_the_variance_of_resampled_means_is_that_of_both_levels():
    values = VALUES + np.random.default_rng(1).normal(0, 4, (12, 3))
    means = np.concatenate(
        [values[case, seed].mean((1, 2)) for case, seed in draws(np.isfinite(values), 20_000, rng())]
    )
    # Drawing with replacement: the variance of the cases' means, and the mean of their own variances.
    expected = values.mean(1).var() / 12 + (values.var(1) / 3).mean() / 12
    assert means.var() == pytest.approx(expected, rel=0.05)
    assert means.mean() == pytest.approx(values.mean(), abs=0.05)


def test_only_seeds_with_a_value_are_drawn():
    values = np.array([[1.0, np.nan, 3.0], [5.0, np.nan, np.nan], [7.0, 8.0, 9.0]])
    for case, seed in draws(np.isfinite(values), 500, rng()):
        assert np.isfinite(values[case, seed]).all()
    assert np.isfinite(bootstrap_interval(values, rng())).all()


def test_blocks_of_resamples_are_those_drawn_at_once(monkeypatch):
    at_once = bootstrap_interval(VALUES, rng())
    monkeypatch.setattr("benchmark.tables.resampling._AT_ONCE", 120)
    assert bootstrap_interval(VALUES, rng()) == at_once


@pytest.mark.parametrize("values", [VALUES[:2], np.array([[1.0], [np.inf], [3.0]]), np.empty((0, 0))])
def test_few_cases_and_infinite_scores_have_no_interval(values):
    assert np.isnan(bootstrap_interval(values, rng())).all()


def test_scores_are_arranged_by_case_with_the_lacking_seeds_last():
    one = scores_frame({("selfdeblur", "psnr"): [1.0, 2.0, np.nan]})
    two = scores_frame({("selfdeblur", "psnr"): [np.nan, 4.0, np.nan]}, seed=1)
    frame = np.nan_to_num(by_case_and_seed(one.merge(two, "outer")), nan=-1)
    assert frame.tolist() == [[1, -1], [2, 4]]
