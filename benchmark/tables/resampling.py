"""The two-level bootstrap: an interval over cases and, within a case, seeds."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

CONFIDENCE = 0.95
FEWEST_CASES = 3  # below, an interval over cases says nothing
RESAMPLES = 9_999
_AT_ONCE = 2**20  # values of drawn restorations in memory

Values = NDArray[np.float64]
Places = NDArray[np.int64]


def by_case_and_seed(scores: pd.DataFrame) -> Values:
    """Arrange the scores of one method and metric: (C, S), a row per case.

    Cases without any score have no row; a case with fewer seeds than others ends in NaN.
    """
    of_case = [own.to_numpy(float) for _, own in scores.dropna(subset="value").groupby("case").value]
    most = max(map(len, of_case), default=0)
    rows = [np.pad(values, (0, most - len(values)), constant_values=np.nan) for values in of_case]
    return np.array(rows).reshape(len(of_case), most)


def draws(
    has_value: NDArray[np.bool_], count: int, rng: np.random.Generator
) -> Iterator[tuple[Places, Places]]:
    """Draw resamples: cases with replacement, and for each drawn case as many of its seeds with replacement.

    Args:
        has_value: (C, S), which seeds of a case have a value; each case has one at least.
        count: How many resamples.
        rng: Draws them.

    Yields:
        Some resamples at once: the places of their cases (N, C, 1) and of the seeds (N, C, S).
    """
    cases, slots = has_value.shape
    counts = has_value.sum(axis=1)
    order = np.argsort(~has_value, axis=1, kind="stable")  # the seeds with a value first
    most = max(1, _AT_ONCE // has_value.size)
    for start in range(0, count, most):
        size = min(most, count - start)
        case = rng.integers(cases, size=(size, cases, 1))
        if slots == 1:
            yield case, np.zeros_like(case)
            continue
        slot = (rng.random((size, cases, slots)) * counts[case]).astype(int)
        yield case, order[case, slot]


def bootstrap_interval(values: Values, rng: np.random.Generator) -> tuple[float, float]:
    """Compute the 95% percentile bootstrap interval of the mean over cases, the seeds of each averaged first.

    A resample draws cases, and then seeds of each drawn case. Percentile and not BCa: it has a value for
    equal scores too.

    Args:
        values: (C, S), from `by_case_and_seed`.
        rng: Draws the resamples.

    Returns:
        The lower and the upper bound; NaN for fewer than `FEWEST_CASES` cases or infinite scores.

    >>> low, high = bootstrap_interval(np.array([[1.0], [2.0], [3.0], [4.0]]), np.random.default_rng(0))
    >>> 1 < low < 2.5 < high < 4
    True
    """
    if len(values) < FEWEST_CASES or np.isinf(values).any():
        return np.nan, np.nan
    means = [
        values[case, seed].mean(axis=(1, 2)) for case, seed in draws(np.isfinite(values), RESAMPLES, rng)
    ]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return float(low), float(high)
