"""Compare methods with a baseline, case by case: Wilcoxon's signed-rank test, corrected by Holm's method."""

from typing import Any

import numpy as np
import pandas as pd
import scipy  # loads its parts when they are used; stats takes a second
from numpy.typing import NDArray

LEVEL = 0.05
# With fewer pairs even equal signs everywhere give no two-sided p below LEVEL: the smallest is 2^(1 - n).
FEWEST_PAIRS = 6
MARKS = {"better": "(+)", "worse": "(−)"}


def paired_test(values: pd.Series, baseline: pd.Series, *, lower_is_better: bool) -> dict[str, Any]:
    """Test whether a method and a baseline differ over the cases that both have.

    Args:
        values: Case to the method's score.
        baseline: Case to the baseline's.
        lower_is_better: Whether lower scores are better.

    Returns:
        - baseline_cases: How many cases both have.
        - baseline_p: Two-sided p of Wilcoxon's signed-rank test, not corrected; NaN for fewer than
          `FEWEST_PAIRS` cases. Cases with equal scores are left out of it, as Wilcoxon did.
        - versus_baseline: 'better' where the ranks speak for the method, 'worse' where for the baseline.

    >>> method = pd.Series([21.0, 22.5, 23.7, 25.0, 26.2, 27.9], list("abcdef"))
    >>> paired_test(method, method - 1, lower_is_better=False)
    {'baseline_cases': 6, 'baseline_p': 0.03125, 'versus_baseline': 'better'}
    """
    both = values.index.intersection(baseline.index)
    of, over = values[both].to_numpy(float), baseline[both].to_numpy(float)
    # Two infinite scores, of images without any error, are equal.
    differences = np.subtract(of, over, out=np.zeros_like(of), where=of != over)
    differences = differences[differences != 0] * (-1 if lower_is_better else 1)
    ranks = scipy.stats.rankdata(abs(differences))
    return {
        "baseline_cases": len(both),
        "baseline_p": _signed_rank_p(differences) if len(both) >= FEWEST_PAIRS else np.nan,
        "versus_baseline": "better" if (np.sign(differences) * ranks).sum() > 0 else "worse",
    }


def _signed_rank_p(differences: NDArray[np.float64]) -> float:
    """Return the two-sided p of differences that are not 0; 1 where there are none."""
    return float(scipy.stats.wilcoxon(differences).pvalue) if len(differences) else 1.0


def holm(p: pd.Series) -> pd.Series:
    """Correct the p of several tests so that all of them together err with probability `LEVEL` at most.

    Holm, 'A simple sequentially rejective multiple test procedure', Scandinavian Journal of Statistics 1979.
    NaN, for what was not tested, stays and does not count.

    >>> holm(pd.Series([0.01, 0.04, 0.03, np.nan])).tolist()
    [0.03, 0.06, 0.06, nan]
    """
    ordered = p.dropna().sort_values()
    corrected = (ordered * np.arange(len(ordered), 0, -1)).cummax().clip(upper=1)
    return corrected.reindex(p.index)


def baseline_note(cells: pd.DataFrame, title: str) -> str:
    """Say which test the marks of a block come from; a sentence without a full stop.

    Args:
        cells: The block's rows of the table of numbers, see `benchmark.tables.summary.TABLE_COLUMNS`.
        title: The baseline's.
    """
    asked = cells[cells.baseline_cases.notna()]
    tested = asked[asked.baseline_p.notna()]
    if tested.empty:
        most = 0 if asked.empty else int(asked.baseline_cases.max())
        return f"No test against {title}: it takes {FEWEST_PAIRS} cases that both have, there are {most}"
    cases = sorted({int(count) for count in tested.baseline_cases})
    count = str(cases[0]) if len(cases) == 1 else f"{cases[0]} to {cases[-1]}"
    few = f". Not tested with fewer than {FEWEST_PAIRS} cases" if len(tested) < len(asked) else ""
    return (
        f"{MARKS['better']} better and {MARKS['worse']} worse than {title}: Wilcoxon's signed-rank test "
        f"over {count} cases, the seeds of a case averaged first; two-sided p below {LEVEL} after Holm's "
        f"correction over the methods of a column{few}"
    )
