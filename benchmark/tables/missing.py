"""Say what counts where a restoration has no score, and why it has none.

A row that lacks an image would have its mean over other cases than the rows beside it, often over the easier
ones. So a missing score counts as that of the blurry input, which is what is left without a restoration: all
means of a column are over the same cases.
"""

from collections.abc import Sequence

import pandas as pd

from benchmark.core.types import Status
from benchmark.runs.names import role_of

MOST_REASONS = 3  # that a note lists, and cases that a reason lists


def completed(scores: pd.DataFrame) -> pd.DataFrame:
    """Replace missing scores by those of the blurry input.

    Args:
        scores: As in scores.csv.

    Returns:
        The scores with a column `scored`, which tells whether the restoration itself has the value. Values
        stay NaN where the blurry input has none, such as the similarity of kernels, and where a method has
        no score of its own in a dataset: it has no numbers there.
    """
    keys = ["dataset", "case", "metric"]
    floors = [method for method in scores.method.unique() if role_of(method) == "floor"]
    of_floor = scores[scores.method.isin(floors)].groupby(keys).value.mean()
    substitutes = scores[keys].merge(of_floor.rename("floor"), "left", left_on=keys, right_index=True).floor
    is_scored = scores.value.notna()
    has_any = is_scored.groupby([scores[key] for key in ("dataset", "method", "metric")]).transform("any")
    values = scores.value.where(is_scored | ~has_any.astype(bool), substitutes)
    return scores.assign(value=values, scored=is_scored)


def share(scored: int, runs: int) -> str:
    """Write how many restorations of a mean have a score of their own; nothing where all have.

    >>> share(1, 2), share(2, 2)
    (' (1 of 2)', '')
    """
    return f" ({scored} of {runs})" if scored < runs else ""


def why_no_image(jobs: pd.DataFrame) -> str:
    """Say why restorations ended without an image.

    Args:
        jobs: As in runs.csv, of one method on one dataset.
    """
    ended = jobs[jobs.status != Status.OK.value]
    reasons = ended.status.str.replace("_", " ") + ": " + ended.reason.fillna("").str.rstrip(".")
    return _listed(ended.case, reasons, jobs.case)


def why_no_score(cell: pd.DataFrame, jobs: pd.DataFrame) -> str:
    """Say why restored images have no score.

    Args:
        cell: As in scores.csv, of one method, dataset and metric, with the column `scored`.
        jobs: As in runs.csv, of the same method and dataset.
    """
    without_image = jobs.loc[jobs.status != Status.OK.value, ["case", "seed"]]
    with_image = cell.merge(without_image.assign(failed=True), "left", on=["case", "seed"])
    with_image = with_image[with_image.failed.isna()]
    unscored = with_image[~with_image.scored.astype(bool)]
    return _listed(unscored.case, unscored.note.fillna("").str.rstrip("."), with_image.case)


def _listed(cases: pd.Series, reasons: pd.Series, of_cases: pd.Series) -> str:
    """List a few reasons; before each the cases that it holds for, unless it holds for all."""
    every, sentences = set(of_cases), []
    for reason, with_reason in cases.groupby(reasons, sort=False):
        names = list(with_reason.unique())
        if reason:
            sentences.append(str(reason) if set(names) == every else f"{_some(names, 'cases')}: {reason}")
    more = len(sentences) - MOST_REASONS
    rest = [f"{more} more reasons stand in runs.csv and scores.csv"] if more > 0 else []
    return ". ".join([*sentences[:MOST_REASONS], *rest])


def _some(names: Sequence[str], what: str) -> str:
    more = len(names) - MOST_REASONS
    return ", ".join(names[:MOST_REASONS]) + (f" and {more} more {what}" if more > 0 else "")
