"""Compare methods with the controls: a mean outside floor and ceiling is more often a bug than a result."""

from itertools import permutations

import pandas as pd

from benchmark.runs.names import base_method
from benchmark.scoring.metrics import METRICS


def control_notes(scores: pd.DataFrame) -> list[str]:
    """Write a sentence for each mean that is worse than a floor's or better than a ceiling's.

    Means are taken over the same cases: the method's rows (case and seed) for which the control has a score,
    averaged over the control's own seeds. Only full-reference metrics are judged, because the controls bound
    no others. A ceiling is itself compared with the floors.

    Args:
        scores: As in scores.csv.
    """
    sentences = []
    full_reference = [metric.name for metric in METRICS.values() if metric.is_full_reference]
    judged = scores[scores.metric.isin(full_reference) & scores.value.notna()]
    for (dataset, metric), table in judged.groupby(["dataset", "metric"], sort=False):
        by_method = {str(method): rows for method, rows in table.groupby("method", sort=False)}
        for method, control in permutations(by_method, 2):
            role, bound = base_method(method).role, base_method(control).role
            if bound in ("method", role) or (role, bound) == ("floor", "ceiling"):
                continue
            limit_by_case = by_method[control].groupby("case").value.mean()
            values, limits = by_method[method].value, by_method[method].case.map(limit_by_case)
            mean, limit = values[limits.notna()].mean(), limits.mean()
            below = (bound == "floor") != METRICS[str(metric)].lower_is_better
            if mean < limit if below else mean > limit:
                sentences.append(
                    f"{method} on {dataset}: mean {metric} {mean:.3f} lies {'below' if below else 'above'} "
                    f"that of the {bound}, {control} ({limit:.3f}, same cases)."
                )
    return sentences
