"""Count the cases of a table's datasets, and say why datasets have no scores."""

from collections.abc import Sequence
from functools import cache

import pandas as pd

from benchmark.core.errors import InputError
from benchmark.data.descriptors import find_dataset, presence


def absence_notes(datasets: Sequence[str], scores: pd.DataFrame) -> list[str]:
    """Write a sentence for each reason why some of `datasets` have no scores at all."""
    datasets_by_reason: dict[str, list[str]] = {}
    for name in datasets:
        if not (scores.dataset == name).any():
            datasets_by_reason.setdefault(why_not_run(name), []).append(name)
    return [f"No rows for {', '.join(names)}: {reason}" for reason, names in datasets_by_reason.items()]


@cache
def why_not_run(dataset: str) -> str:
    """Say why a dataset has no scores at all."""
    if case_count(dataset) is None:
        return "no such dataset here yet"
    if presence(find_dataset(dataset)) != "yes":
        return "its files are not all here, see `blindbench datasets`"
    return "it is not in this profile"


@cache
def case_count(dataset: str, group: str | None = None) -> int | None:
    """Count a dataset's cases, or those of one group.

    Args:
        dataset: Its name, with conditions if it has any.
        group: Such as a category; None for all cases.

    Returns:
        None when the dataset does not exist (yet), or when its files are needed to tell.
    """
    try:
        found = find_dataset(dataset)
        if group is None:
            return found.case_count
        return sum(entry.group == group for entry in found.entries.values())
    except InputError:
        return None
