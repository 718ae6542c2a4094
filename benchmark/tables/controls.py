"""Compare methods with the controls: a mean outside floor and ceiling is more often a bug than a result."""

from itertools import permutations

import pandas as pd

from benchmark.runs.names import NO_TITLES, Titles, method_title, role_of
from benchmark.scoring.metrics import METRICS


def control_notes(scores: pd.DataFrame, titles: Titles = NO_TITLES) -> list[str]:
    """Write a sentence for each method with means worse than a floor's or better than a ceiling's.

    Means are taken over the same cases: the method's rows (case and seed) for which the control has a score,
    averaged over the control's own seeds. Only full-reference metrics are judged, because the controls bound
    no others. A ceiling is itself compared with the floors.

    Args:
        scores: As in scores.csv, of the cases of one dataset.
        titles: Method to its title, for those that the config names.
    """
    outside: dict[str, list[str]] = {}
    full_reference = [metric.name for metric in METRICS.values() if metric.is_full_reference]
    judged = scores[scores.metric.isin(full_reference) & scores.value.notna()]
    for name, table in judged.groupby("metric", sort=False):
        by_method = {str(method): rows for method, rows in table.groupby("method", sort=False)}
        metric = METRICS[str(name)]
        for method, control in permutations(by_method, 2):
            role, bound = role_of(method), role_of(control)
            if bound in ("method", role) or (role, bound) == ("floor", "ceiling"):
                continue
            limit_by_case = by_method[control].groupby("case").value.mean()
            values, limits = by_method[method].value, by_method[method].case.map(limit_by_case)
            mean, limit = values[limits.notna()].mean(), limits.mean()
            lies_below = (bound == "floor") != metric.lower_is_better
            if mean < limit if lies_below else mean > limit:
                side = "worse" if bound == "floor" else "better"
                start = f"{method_title(method, titles)} is {side} than {method_title(control, titles)}"
                digits = metric.digits + 1  # so that numbers differ that look the same in the table
                numbers = f"{metric.title} {mean:.{digits}f} against {limit:.{digits}f}"
                outside.setdefault(start, []).append(numbers)
    return [f"{start} (means over the same cases): {'; '.join(parts)}" for start, parts in outside.items()]
