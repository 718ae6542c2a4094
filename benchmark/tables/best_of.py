"""Tables of the best of several variants, such as weights of a regulariser: chosen case by case.

The best variant of a case is the one whose run reaches the highest PSNR, at whichever iteration. Both choices
need the sharp image, so the numbers say what a method could reach and not what it reaches.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import pandas as pd

from benchmark.core.types import Status
from benchmark.runs.names import is_control
from benchmark.scoring.csv_files import SCORE_COLUMNS
from benchmark.scoring.metrics import METRICS, gain_metrics
from benchmark.tables.definition import BestOf, Definition, Row
from benchmark.tables.page import Section

RUN = ["dataset", "group", "case", "protocol", "metric"]
FEWEST_FOR_DEVIATION = 2
Values = Mapping[str, float]  # variant to its value of the setting in which the variants differ


def best_scores(
    definition: Definition, convergence: pd.DataFrame, scores: pd.DataFrame, values: Values
) -> pd.DataFrame:
    """Score the rows of a table of best variants.

    Args:
        definition: The table; each row's method is a shell pattern of its variants' names.
        convergence: As in convergence.csv.
        scores: As in scores.csv; of these the controls are taken.
        values: Variant to its value of the setting.

    Returns:
        `SCORE_COLUMNS`. For each row and case the highest PSNR along the run of the best variant, and that
        variant's value of the setting, with the setting as metric. With several seeds the best variant of a
        case is the one with the highest mean over seeds, and each seed has a row. Cases that no variant
        restored have no value, and the note says why.
    """
    assert definition.best_of is not None
    frames = [scores[[is_control(name) for name in scores.method]]]
    for row in definition.rows:
        if row.method:
            best = _best(row, definition.best_of, convergence, values)
            frames += [best, _without_any(row, best, scores)]
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    return pd.concat(filled, ignore_index=True)


def best_runs(definition: Definition, runs: pd.DataFrame) -> pd.DataFrame:
    """Return one run for each row, case and seed, beside those of other methods.

    It has the name of its row, and failed only if all variants failed.

    Args:
        definition: The table.
        runs: As in runs.csv.
    """
    patterns = [row.method for row in definition.rows if row.method]
    names = [next((p for p in patterns if fnmatchcase(name, p)), name) for name in runs.method]
    restored_first = runs.assign(method=names).sort_values(
        "status", key=lambda status: status != Status.OK.value, kind="stable"
    )
    return restored_first.drop_duplicates(["dataset", "case", "method", "seed"]).sort_index()


def spread_sections(definition: Definition, scores: pd.DataFrame, values: Values) -> list[Section]:
    """Lay out how PSNR and setting of the best variants spread over cases: a section per block of the table.

    Args:
        definition: The table.
        scores: From `best_scores`.
        values: Variant to its value of the setting.
    """
    assert definition.best_of is not None
    headings = ["Method", "", "Mean", "Standard deviation", "Median", "Quartiles", "Cases", "At an end"]
    caption = (
        f"Over cases: the highest PSNR along a run, and `{definition.best_of.setting}` of the best variant. "
        "At an end: cases whose best value is the smallest or the largest that was tried, so that a better "
        "one may lie beyond."
    )
    sections = []
    for block in definition.blocks:
        of_block = scores[scores.dataset == block.dataset]
        titles = {column.metric: column.title for column in block.columns}
        rows = [
            [row.title, title, *_spread(of_block, row, metric, values)]
            for row in definition.rows
            for metric, title in titles.items()
            if row.method and ((of_block.method == row.method) & (of_block.metric == metric)).any()
        ]
        if rows:
            sections.append(Section(f"Spread over cases: {block.title}", caption, headings, rows))
    return sections


def _best(row: Row, best_of: BestOf, convergence: pd.DataFrame, values: Values) -> pd.DataFrame:
    """Score one row of the table."""
    variants = [name for name in values if fnmatchcase(name, str(row.method))]
    of_row = convergence[convergence.method.isin(variants) & convergence.metric.isin(gain_metrics())]
    records = []
    for names, of_case in of_row.groupby(RUN, sort=False):
        peaks = of_case.groupby(["method", "seed"], sort=False).value.max()
        best = str(peaks.groupby("method", sort=False).mean().idxmax())
        dataset, group, case, protocol, metric = names
        for seed, peak in peaks[best].items():
            place = (dataset, group, case, row.method, seed, protocol)
            records += [(*place, metric, peak, ""), (*place, best_of.setting, values[best], "")]
    return pd.DataFrame(records, columns=list(SCORE_COLUMNS))


def _without_any(row: Row, best: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Return a row without a value for each case and seed that no variant restored."""
    of_row = scores[[fnmatchcase(name, str(row.method)) for name in scores.method]]
    lacking = of_row[of_row.metric.isin(gain_metrics()) & of_row.value.isna()]
    done = set(zip(best.dataset, best.case, strict=True))
    missing = [place not in done for place in zip(lacking.dataset, lacking.case, strict=True)]
    rows = lacking[missing].assign(method=row.method)
    return rows.drop_duplicates(["dataset", "case", "seed", "metric"])


def _spread(scores: pd.DataFrame, row: Row, metric: str, values: Values) -> Sequence[str]:
    """Write mean, standard deviation, median, quartiles, number of cases, and how many lie at an end."""
    own = scores[(scores.method == row.method) & (scores.metric == metric)]
    by_case = own.groupby("case").value.mean()

    def number(value: Any) -> str:
        return f"{value:.{METRICS[metric].digits}f}" if metric in METRICS else f"{value:.3g}"

    several = len(by_case) >= FEWEST_FOR_DEVIATION
    quartiles = f"{number(by_case.quantile(0.25))} to {number(by_case.quantile(0.75))}" if several else ""
    deviation = number(by_case.std()) if several else ""
    ends = ""
    if metric not in METRICS:
        tried = [value for name, value in values.items() if fnmatchcase(name, str(row.method))]
        ends = f"{int(by_case.isin([min(tried), max(tried)]).sum())} of {len(by_case)}"
    return number(by_case.mean()), deviation, number(by_case.median()), quartiles, str(len(by_case)), ends
