"""Make the tables, the figures and the page of a ledger, without restoring anything."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmark.core.files import write_text
from benchmark.figures.cost_plots import cost_plot
from benchmark.figures.score_plots import performance_plot, score_plot
from benchmark.runs.names import labelled, weights_behind
from benchmark.runs.store import Store
from benchmark.scoring.csv_files import CONVERGENCE_COLUMNS, write_frame
from benchmark.scoring.ledger import read_shipped
from benchmark.scoring.metrics import gain_metrics
from benchmark.scoring.shipped import metrics_of, scores_and_runs
from benchmark.tables.claim_measures import Evidence
from benchmark.tables.claim_table import claims_page, verdicts
from benchmark.tables.claims import claim_table, claim_tables
from benchmark.tables.leaderboard import best_within, core_seconds, in_order, of_dataset, standings
from benchmark.tables.page import Page

PAGE = "leaderboard.md"  # in the ledger
WHOLE = "Methods that ran on all cases of a dataset."


def write_leaderboard(ledger: Path) -> Path:
    """Write the tables, the figures and the page of a ledger into its folder.

    `tables/<dataset>` and `figures/<dataset>-scores` for each dataset, `figures/cost` and
    `figures/performance-profiles` of all datasets that have a quality in decibels and of the methods that ran
    on all cases of them, `tables/<name>` of the papers' claims with what the ledger says of each, and the
    page.

    Args:
        ledger: The ledger's folder.

    Returns:
        The page.

    Raises:
        InputError: There is no such ledger, or a dataset of it is not known.
    """
    shipped, store = read_shipped(ledger), Store(ledger)
    parts = []
    for dataset in dict.fromkeys(shipped.dataset):
        rows = in_order(of_dataset(dataset, shipped, str(ledger)))
        parts.append(_dataset_files(dataset, rows, store))
    parts.append(_claim_files(shipped, store))
    figures = _shared_figures(in_order(shipped), store)
    text = [f"# {ledger}\n", *(f"![{name}](figures/{name}.png)\n" for name in figures), *parts]
    write_text(ledger / PAGE, "\n".join(text))
    return ledger / PAGE


def _dataset_files(dataset: str, rows: pd.DataFrame, store: Store) -> str:
    """Write the table and the figure of a dataset's rows; return its part of the page."""
    table = standings(dataset, rows)
    page = table.page()
    _write_table(dataset, table.numbers, page, store)
    out = store.figure(f"{dataset}-scores")
    score_plot(table.definition, table.numbers, table.scores, out, "", weights_behind(table.runs))
    budgets = Page("", [best_within(dataset, rows, table)])
    return f"{budgets.markdown()}\n{page.markdown()}"


def _claim_files(shipped: pd.DataFrame, store: Store) -> str:
    """Write what the rows say of each paper's claims; return their part of the page: the verdicts, counted.

    A claim on what happens during a run is not tested, since a ledger has no snapshots.
    """
    scores, runs = scores_and_runs(shipped)
    evidence = Evidence(scores, runs, pd.DataFrame(columns=list(CONVERGENCE_COLUMNS)))
    settings = dict(zip(shipped.method, shipped.settings, strict=True))
    lines = []
    for name in claim_tables():
        table = claim_table(name)
        numbers = verdicts(table, evidence, settings)
        _write_table(name, numbers, claims_page(numbers, table.title), store)
        counts = numbers.verdict.value_counts(sort=False).items()
        said = ", ".join(f"{count} {verdict}" for verdict, count in counts)
        lines.append(f"- [{table.title}](tables/{name}.md): {said}")
    return "\n".join(["## Claims of the papers", "", *lines, ""])


def _write_table(name: str, numbers: pd.DataFrame, page: Page, store: Store) -> None:
    """Write the three files of a table."""
    csv, md, tex = store.table_files(name)
    write_frame(numbers, csv)
    write_text(tex, page.latex(name))
    write_text(md, page.markdown())


def _shared_figures(shipped: pd.DataFrame, store: Store) -> Sequence[str]:
    """Draw the figures of all datasets together; return their names."""
    (metric, *_) = [name for name in gain_metrics() if name in metrics_of(shipped)] or [""]
    if not metric:
        return []
    cases = shipped.groupby(["dataset", "method"]).case.transform("nunique")
    is_whole = cases == cases.groupby(shipped.dataset).transform("max")  # else its mean is of other cases
    has_metric = shipped.groupby("dataset")[metric].transform(lambda values: values.notna().any())
    of_metric = shipped[is_whole & has_metric]
    scores, runs = scores_and_runs(of_metric.assign(seconds=core_seconds(of_metric)))
    titles = labelled(dict(zip(shipped.method, shipped.title, strict=True)), weights_behind(runs))
    cost_plot(scores, runs, metric, store.figure("cost"), WHOLE, titles, "Core-seconds")
    performance_plot(scores, metric, store.figure("performance-profiles"), WHOLE, titles)
    return ["cost", "performance-profiles"]
