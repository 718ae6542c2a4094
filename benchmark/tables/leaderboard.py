"""Tables of a ledger: its methods in order of quality, and the best of them within a budget of time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.core.errors import InputError
from benchmark.data.descriptors import find_dataset
from benchmark.runs.names import is_made_elsewhere, role_of
from benchmark.scoring.metrics import METRICS
from benchmark.scoring.shipped import metrics_of, scores_and_runs
from benchmark.tables.agreement import agreement_sections
from benchmark.tables.definition import BEST, Definition
from benchmark.tables.page import Page, Section
from benchmark.tables.profile_tables import own_table
from benchmark.tables.remarks import remarks_of
from benchmark.tables.sections import table_page
from benchmark.tables.summary import summary

ROLES = ("floor", "ceiling", "method")  # in the order of a table's rows
BUDGETS = (1, 10, 60, 600)  # core-seconds of a case
NONE = ("none", "", "", "")  # in place of a method, its mean, its worst case and its core-seconds


@dataclass(frozen=True)
class Standings:
    """The table of a dataset's shipped scores."""

    definition: Definition
    numbers: pd.DataFrame  # from `benchmark.tables.summary.summary`
    scores: pd.DataFrame  # as in scores.csv
    runs: pd.DataFrame  # as in runs.csv
    titles: dict[str, str]  # method to its title

    def page(self) -> Page:
        """Lay the table out, with how far its metrics agree."""
        remarks = remarks_of(self.definition, self.numbers, self.scores, self.titles)
        page = table_page(self.numbers, self.definition, remarks=remarks)
        return Page("", [*page.sections, *agreement_sections(self.numbers, self.definition)])


def standings(dataset: str, shipped: pd.DataFrame) -> Standings:
    """Compile the table of a dataset; all methods are tested against the best of each column.

    Args:
        dataset: A dataset, or <dataset>@<condition>.
        shipped: Its rows, from `benchmark.scoring.ledger.read_shipped`.
    """
    scores, runs = scores_and_runs(shipped)
    titles = dict(zip(shipped.method, shipped.title, strict=True))
    definition = own_table(dataset, {dataset: find_dataset(dataset)}, scores, titles, BEST)
    return Standings(definition, summary(definition, scores, runs), scores, runs, titles)


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


def core_seconds(shipped: pd.DataFrame) -> pd.Series:
    """Return the processor time of each restoration; NaN where it ran on a GPU.

    Where none was recorded, the seconds by the clock times threads stand for it, which other work on the
    machine prolongs.
    """
    threads = pd.Series([machine["threads"] for machine in shipped.machine], shipped.index, dtype=float)
    by_the_clock = pd.to_numeric(shipped.seconds, errors="coerce") * threads
    recorded = pd.to_numeric(shipped.core_seconds, errors="coerce")
    return recorded.fillna(by_the_clock).where(shipped.device == "cpu")


def best_within(
    dataset: str, shipped: pd.DataFrame, table: Standings, budgets: Sequence[float] = BUDGETS
) -> Section:
    """Lay out the best method within each budget of core-seconds.

    A method lies within a budget if its median case does. Only methods with a score in every case of the
    table compete, and neither controls nor images and kernels that were made elsewhere.

    Args:
        dataset: A dataset, or <dataset>@<condition>.
        shipped: Its rows, from `benchmark.scoring.ledger.read_shipped`. Their first metric counts.
        table: Their table, from `standings`.
        budgets: The budgets, from the smallest.
    """
    metric = METRICS[metrics_of(shipped)[0]]
    cells = table.numbers[(table.numbers.metric == metric.name) & (table.numbers.role == "method")]
    whole = cells[cells.complete.eq(True) & (cells.cases == cells.asked_cases)]
    compete = whole[[not is_made_elsewhere(method) for method in whole.method]]
    seconds = compete.method.map(core_seconds(shipped).groupby(shipped.method).median())
    cost = compete["mean"] * (1 if metric.lower_is_better else -1)
    rows = []
    for budget in budgets:
        within = list(cost[seconds <= budget].sort_values(kind="stable").index)
        rows.append(
            [f"{budget:g} s", *(_standing(compete.loc[within[0]], seconds[within[0]]) if within else NONE)]
        )
    return Section(
        f"Best per budget: {dataset}",
        f"The method with the best mean {metric.title} of those whose median case takes at most so many "
        "core-seconds.",
        ["Within", "Method", metric.heading, f"{metric.title}, worst case", "Core-seconds"],
        rows,
    )


def _standing(cell: pd.Series, seconds: float) -> list[str]:
    """Write the method, the mean with its interval, the worst case and the core-seconds of a cell."""
    digits = METRICS[cell.metric].digits
    bounds = ", ".join(f"{bound:.{digits - 1}f}" for bound in (cell.low, cell.high))
    interval = "" if np.isnan(cell.low) else f" [{bounds}]"
    mean = f"{cell['mean']:.{digits}f}{interval}"
    return [str(cell.row), mean, f"{cell.worst_case:.{digits}f}", f"{seconds:.1f}"]


def of_dataset(dataset: str, shipped: pd.DataFrame, where: str) -> pd.DataFrame:
    """Select the rows of a dataset. Raises InputError, which names `where`, when there are none."""
    rows = shipped[shipped.dataset == dataset]
    if rows.empty:
        raise InputError(f"{where}: there are no scores of {dataset}")
    return rows
