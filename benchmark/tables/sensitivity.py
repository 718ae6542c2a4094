"""How much a method's result depends on its seed: the spread of PSNR over repetitions, case by case."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from benchmark.runs.names import NO_TITLES, Titles, is_control, method_title
from benchmark.scoring.metrics import METRICS, Metric, gain_metrics
from benchmark.tables.definition import FIGURE_CASES
from benchmark.tables.text import Sheet

SPREAD_COLUMNS = (
    "dataset", "group", "case", "method", "protocol", "metric", "seeds", "failed", "mean", "deviation",
    "worst", "best",
)  # fmt: skip


def of_methods(scores: pd.DataFrame, datasets: Sequence[str]) -> pd.DataFrame:
    """The PSNRs of `datasets`, without the controls: what has no initial weights has no spread."""
    shown = scores[scores.dataset.isin(datasets) & scores.metric.isin(gain_metrics())]
    return shown[~shown.method.isin([name for name in shown.method.unique() if is_control(name)])]


def spread(scores: pd.DataFrame) -> pd.DataFrame:
    """One row per dataset, case and method, `SPREAD_COLUMNS`, of scores of one metric.

    Mean, standard deviation (of the sample: missing for one seed), lowest and highest value are over the
    seeds that have one; `failed` counts the others.
    """
    rows = []
    keys = ["dataset", "group", "case", "method", "protocol", "metric"]
    for names, own in scores.groupby(keys, sort=False):
        values = own.value.dropna()
        missing = len(own) - len(values)
        numbers = (values.mean(), values.std(), values.min(), values.max())
        rows.append((*names, len(values), missing, *numbers))
    return pd.DataFrame(rows, columns=list(SPREAD_COLUMNS))


def over_cases(table: pd.DataFrame) -> pd.DataFrame:
    """One row per dataset and method: the means over cases of the numbers of `spread`, and how many cases.

    Cases without a score count in `failed` only, and those with one seed have no deviation.
    """
    numbers = ["mean", "deviation", "worst", "best"]
    groups = table.groupby(["dataset", "method", "protocol", "metric"], sort=False)
    counted = groups.agg(cases=("mean", "count"), seeds=("seeds", "max"), failed=("failed", "sum"))
    return counted.join(groups[numbers].mean()).reset_index()


def spread_sheets(table: pd.DataFrame, titles: Titles = NO_TITLES) -> list[Sheet]:
    """The table of `spread` for people: for each dataset the means over its cases, then each case."""
    sheets = []
    means = over_cases(table)
    for (dataset, protocol, name), rows in table.groupby(["dataset", "protocol", "metric"], sort=False):
        metric = METRICS[str(name)]
        headings = [f"{metric.title}, {metric.unit}", "Standard deviation", "Worst seed", "Best seed"]
        about = (
            f"{metric.title} over seeds, protocol {protocol}: mean, standard deviation (of the sample), "
            "lowest and highest value."
        )
        of_dataset = means[means.dataset == dataset].to_dict("records")
        sheets.append(
            Sheet(
                f"Sensitivity ({dataset}), means over cases",
                f"{about} Taken case by case, then averaged over cases.",
                ["Method", *headings, "Cases", "Seeds", "Failed"],
                [
                    [method_title(row["method"], titles), *_numbers(row, metric), *_counts(row, "cases")]
                    for row in of_dataset
                ],
            )
        )
        sheets.append(
            Sheet(
                f"Sensitivity ({dataset}), each case",
                about,
                ["Case", "Method", *headings, "Seeds", "Failed"],
                [
                    [row["case"], method_title(row["method"], titles), *_numbers(row, metric), *_counts(row)]
                    for row in rows.to_dict("records")
                ],
            )
        )
    return sheets


def _numbers(row: Mapping[Any, Any], metric: Metric) -> list[str]:
    values = [row[key] for key in ("mean", "deviation", "worst", "best")]
    return ["" if pd.isna(value) else f"{value:.{metric.digits}f}" for value in values]


def _counts(row: Mapping[Any, Any], *more: str) -> list[str]:
    return [str(row[key]) for key in (*more, "seeds", "failed")]


SPREAD_CAPTION = (
    "A dot per seed. The bar reaches one standard deviation to either side of the mean. All panels of a "
    "dataset show equally many dB."
)


def few_cases(scores: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The scores of a few cases of each dataset, evenly spread, for a figure, and what it says of them."""
    kept = []
    left_out = False
    for _, of_dataset in scores.groupby("dataset", sort=False):
        cases = list(of_dataset.case.unique())
        shown = cases[:: -(-len(cases) // FIGURE_CASES)]
        left_out |= len(shown) < len(cases)
        kept.append(of_dataset[of_dataset.case.isin(shown)])
    some = " A few cases of each dataset, evenly spread; the table has all." * left_out
    return pd.concat(kept) if kept else scores, SPREAD_CAPTION + some
