"""Tables of a ledger: its methods in order of quality."""

import pandas as pd

from benchmark.runs.names import role_of
from benchmark.scoring.metrics import METRICS
from benchmark.scoring.shipped import metrics_of

ROLES = ("floor", "ceiling", "method")  # in the order of a table's rows


def in_order(shipped: pd.DataFrame) -> pd.DataFrame:
    """Sort the rows of a dataset: controls first, then methods from the worst mean to the best.

    Args:
        shipped: Rows of one dataset, from `benchmark.scoring.ledger.read_shipped`. Their first metric counts.
    """
    metric = METRICS[metrics_of(shipped)[0]]
    means = shipped.groupby("method")[metric.name].mean() * (-1 if metric.lower_is_better else 1)
    places = {
        method: (ROLES.index(role_of(str(method))), mean, str(method)) for method, mean in means.items()
    }
    order = {method: number for number, method in enumerate(sorted(places, key=lambda name: places[name]))}
    return shipped.sort_values("method", key=lambda column: column.map(order), kind="stable")
