"""The verb that compiles tables from scores."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.options import DEMO, Results

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.planning.plan import Plan
    from benchmark.tables.definition import Definition
    from benchmark.tables.page import Page

    Compiled = tuple[pd.DataFrame, Page]  # a table's numbers, and the page that shows them

app = typer.Typer()


@app.command()
def table(
    name: Annotated[str, typer.Argument(help="Such as uniform, convergence, or glkm-table1 of a paper.")],
    results: Results = DEMO,
) -> None:
    """Compile a table from scores: tables/<name>.csv, .md and .tex."""
    from benchmark.core.files import write_text
    from benchmark.planning.plan import Plan
    from benchmark.runs.store import Store
    from benchmark.scoring.csv_files import write_frame

    plan = Plan.read(results)
    numbers, page = COMPILE[plan.find_table(name).kind](plan, name, results)
    csv, md, tex = Store(results).table_files(name)
    write_frame(numbers, csv)
    write_text(tex, page.latex())
    write_text(md, page.markdown())
    typer.echo(page.markdown(), err=True)


def summarised(plan: "Plan", name: str, results: Path) -> "tuple[Definition, pd.DataFrame, pd.DataFrame]":
    """Compute one of the profile's own tables or of the papers'.

    Returns:
        The definition of the table, its numbers, and all scores of the profile.
    """
    from benchmark.data.descriptors import find_dataset
    from benchmark.tables.paper_tables import paper_table
    from benchmark.tables.profile_tables import own_table
    from benchmark.tables.summary import summary

    entry = plan.find_table(name)
    scores, runs = read_scores(results), read_runs(results)
    if entry.kind == "own":
        descriptors = {dataset: find_dataset(dataset) for dataset in entry.datasets}
        definition = own_table(name, descriptors, scores, plan.config["titles"])
    else:
        definition = paper_table(name)
    return definition, summary(definition, scores, runs), scores


def read_scores(results: Path) -> "pd.DataFrame":
    """Read all scores of a profile."""
    from benchmark.runs.store import Store
    from benchmark.scoring.csv_files import SCORE_COLUMNS, read_frame

    return read_frame(Store(results).scores, SCORE_COLUMNS)


def read_convergence(results: Path) -> "pd.DataFrame":
    """Read all scores of snapshots of a profile."""
    from benchmark.runs.store import Store
    from benchmark.scoring.csv_files import CONVERGENCE_COLUMNS, read_frame

    return read_frame(Store(results).convergence, CONVERGENCE_COLUMNS)


def read_runs(results: Path) -> "pd.DataFrame":
    """Read how each run of a profile ended."""
    from benchmark.runs.store import Store
    from benchmark.scoring.csv_files import RUN_COLUMNS, read_frame

    return read_frame(Store(results).runs, RUN_COLUMNS)


def titles_with_weights(plan: "Plan", results: Path) -> dict[str, str]:
    """Return the config's titles; methods with pre-trained weights behind their results have them named."""
    from benchmark.runs.names import labelled, weights_behind

    return dict(labelled(plan.config["titles"], weights_behind(read_runs(results))))


def _scores(plan: "Plan", name: str, results: Path) -> "Compiled":
    """Compile one of the profile's own tables or of the papers'."""
    from benchmark.tables.controls import control_notes
    from benchmark.tables.coverage import coverage_notes
    from benchmark.tables.sections import table_page

    definition, numbers, scores = summarised(plan, name, results)
    of_table = scores[scores.dataset.isin(definition.datasets)]
    notes = [*coverage_notes(plan.tables[name].datasets, scores), *control_notes(of_table)]
    return numbers, table_page(numbers, definition, caption=plan.config["caption"], notes=notes)


def _grid(plan: "Plan", name: str, results: Path) -> "Compiled":
    """Compile a table of one metric over two sets of conditions."""
    from benchmark.tables.coverage import coverage_notes
    from benchmark.tables.definition import Grid
    from benchmark.tables.profile_tables import grid_table
    from benchmark.tables.sections import grid_page
    from benchmark.tables.summary import summary

    grid, scores = Grid(**plan.config["grids"][name]), read_scores(results)
    definition = grid_table(name, grid, scores, plan.config["titles"])
    numbers = summary(definition, scores, read_runs(results))
    notes = coverage_notes(definition.datasets, scores)
    return numbers, grid_page(numbers, grid, caption=plan.config["caption"], notes=notes)


def _convergence(plan: "Plan", name: str, results: Path) -> "Compiled":
    """Compile when each method reaches the final PSNR of the reference."""
    from benchmark.tables.convergence import reach_sections, times_to_reach
    from benchmark.tables.page import Page

    del name
    numbers = times_to_reach(read_convergence(results), plan.reference)
    sections = reach_sections(numbers, titles_with_weights(plan, results))
    return numbers, Page("", sections, plan.config["caption"])


def _sensitivity(plan: "Plan", name: str, results: Path) -> "Compiled":
    """Compile how much PSNR depends on the seed, case by case."""
    from benchmark.tables.page import Page
    from benchmark.tables.sensitivity import psnr_of_methods, seed_spread, spread_sections

    numbers = seed_spread(psnr_of_methods(read_scores(results), plan.tables[name].datasets))
    sections = spread_sections(numbers, titles_with_weights(plan, results))
    return numbers, Page("", sections, plan.config["caption"])


# By the kind of table.
COMPILE: dict[str, Callable[["Plan", str, Path], "Compiled"]] = {
    "own": _scores,
    "paper": _scores,
    "grid": _grid,
    "convergence": _convergence,
    "sensitivity": _sensitivity,
}
