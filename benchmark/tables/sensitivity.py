"""How much a method's result depends on its seed: the spread of PSNR over repetitions, case by case."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from benchmark.runs.names import NO_TITLES, Titles, is_control, method_title
from benchmark.scoring.metrics import METRICS, Metric, gain_metrics
from benchmark.tables.missing import completed, share
from benchmark.tables.page import Section

SPREAD_COLUMNS = (
    "dataset", "group", "case", "method", "protocol", "metric", "seeds", "failed", "mean", "deviation",
    "worst", "best",
)  # fmt: skip


def psnr_of_methods(scores: pd.DataFrame, datasets: Sequence[str]) -> pd.DataFrame:
    """Select the PSNR of `datasets`, without the controls, which draw no initial weights."""
    selected = scores[scores.dataset.isin(datasets) & scores.metric.isin(gain_metrics())]
    return selected[~selected.method.isin([name for name in selected.method.unique() if is_control(name)])]


def seed_spread(scores: pd.DataFrame, datasets: Sequence[str]) -> pd.DataFrame:
    """Compute the spread of PSNR over seeds in each case.

    Args:
        scores: As in scores.csv.
        datasets: Those to select.

    Returns:
        `SPREAD_COLUMNS`, a row per dataset, case and method but the controls. Mean, standard deviation (of
        the sample; NaN for one seed), lowest and highest value are over all `seeds`. `failed` of them have no
        score and count as the blurry input. A method without any score on a dataset has no numbers there.
    """
    rows = []
    selected = psnr_of_methods(completed(scores), datasets)
    keys = ["dataset", "group", "case", "method", "protocol", "metric"]
    for names, repetitions in selected.groupby(keys, sort=False):
        values = repetitions.value
        numbers = (values.mean(), values.std(), values.min(), values.max())
        rows.append((*names, len(values), int((~repetitions.scored).sum()), *numbers))
    return pd.DataFrame(rows, columns=list(SPREAD_COLUMNS))


def over_cases(table: pd.DataFrame) -> pd.DataFrame:
    """Average the numbers of `seed_spread` over cases: a row per dataset and method.

    `runs` and `failed` are sums over cases. Cases with one seed have no deviation.
    """
    numbers = ["mean", "deviation", "worst", "best"]
    groups = table.groupby(["dataset", "method", "protocol", "metric"], sort=False)
    counted = groups.agg(
        cases=("mean", "count"), seeds=("seeds", "max"), runs=("seeds", "sum"), failed=("failed", "sum")
    )
    return counted.join(groups[numbers].mean()).reset_index()


def spread_sections(table: pd.DataFrame, titles: Titles = NO_TITLES) -> list[Section]:
    """Lay out the table of `seed_spread`: for each dataset the means over its cases, then each case."""
    sections = []
    means = over_cases(table)
    for (dataset, protocol, name), rows in table.groupby(["dataset", "protocol", "metric"], sort=False):
        metric = METRICS[str(name)]
        headings = [f"{metric.title}, {metric.unit}", "Standard deviation", "Worst seed", "Best seed"]
        about = (
            f"{metric.title} over seeds, protocol {protocol}: mean, standard deviation (of the sample), "
            "lowest and highest value."
        )
        of_dataset = means[means.dataset == dataset]
        if ((of_dataset.failed > 0) & (of_dataset.failed < of_dataset.runs)).any():
            about += " (1 of 2): one of two restorations has a score, the other counts as the blurry input."
        sections.append(
            Section(
                f"Sensitivity ({dataset}), means over cases",
                f"{about} Taken case by case, then averaged over cases.",
                ["Method", *headings, "Cases", "Seeds", "Failed"],
                [
                    [
                        method_title(row["method"], titles),
                        *_numbers(row, metric, row["runs"]),
                        *_counts(row, "cases"),
                    ]
                    for row in of_dataset.to_dict("records")
                ],
            )
        )
        sections.append(
            Section(
                f"Sensitivity ({dataset}), each case",
                about,
                ["Case", "Method", *headings, "Seeds", "Failed"],
                [
                    [
                        row["case"],
                        method_title(row["method"], titles),
                        *_numbers(row, metric, row["seeds"]),
                        *_counts(row),
                    ]
                    for row in rows.to_dict("records")
                ],
            )
        )
    return sections


def _numbers(row: Mapping[Any, Any], metric: Metric, runs: int) -> list[str]:
    """Write the numbers of a row, and how many restorations are behind them where some failed."""
    if row["failed"] == runs:
        return [""] * 4
    values = [row[key] for key in ("mean", "deviation", "worst", "best")]
    texts = ["" if pd.isna(value) else f"{value:.{metric.digits}f}" for value in values]
    return [texts[0] + share(runs - row["failed"], runs), *texts[1:]]


def _counts(row: Mapping[Any, Any], *more: str) -> list[str]:
    return [str(row[key]) for key in (*more, "seeds", "failed")]
