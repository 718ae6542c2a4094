"""Say which datasets of a table were not scored completely, and why."""

from collections.abc import Sequence
from functools import cache

import pandas as pd

from benchmark.core.types import InputError
from benchmark.data.descriptors import find_dataset, presence


def coverage_notes(datasets: Sequence[str], scores: pd.DataFrame) -> list[str]:
    """Write a sentence for each reason why some cases of `datasets` have no scores."""
    datasets_by_reason: dict[str, list[str]] = {}
    for name in datasets:
        expected, scored = _case_count(name), scores[scores.dataset == name].case.nunique()
        if expected is not None and scored < expected:
            reason = why_not_run(name) if scored == 0 else "the config selects these"
            datasets_by_reason.setdefault(f"{scored} of {expected} cases: {reason}.", []).append(name)
    return [f"{', '.join(names)}: {reason}" for reason, names in datasets_by_reason.items()]


@cache
def why_not_run(dataset: str) -> str:
    """Say why a dataset has no scores at all."""
    if _case_count(dataset) is None:
        return "no such dataset here yet"
    if presence(find_dataset(dataset)) != "yes":
        return "its files are not all here, see `blindbench datasets`"
    return "it is not in this profile"


def _case_count(dataset: str) -> int | None:
    """Count the dataset's cases; None when it does not exist (yet) or its files are needed to tell."""
    try:
        return find_dataset(dataset).case_count
    except InputError:
        return None
