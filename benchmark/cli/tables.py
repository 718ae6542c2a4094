"""Verbs that compile tables from scores."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pandas as pd
import typer

from benchmark.cli.options import DEMO, Caption, Results, TableDatasets, Titles, json_object, weights_of

if TYPE_CHECKING:
    from benchmark.tables.definition import Definition
    from benchmark.tables.page import Page

app = typer.Typer()


@app.command()
def tables(
    name: Annotated[str, typer.Argument(help="The table's name, such as uniform or glkm-table1.")],
    datasets: TableDatasets = "",
    caption: Caption = "",
    titles: Titles = "{}",
    results: Results = DEMO,
) -> None:
    """Write tables/<name>.csv, .md and .tex from scores.csv and runs.csv."""
    from benchmark.tables.controls import control_notes
    from benchmark.tables.coverage import coverage_notes
    from benchmark.tables.sections import table_page

    definition, table, scores = summarised(name, datasets, results, titles)
    shown = datasets.split(",") if datasets else definition.datasets
    of_table = scores[scores.dataset.isin(definition.datasets)]
    notes = [*coverage_notes(shown, scores), *control_notes(of_table)]
    _write(name, table, table_page(table, definition, caption=caption, notes=notes), results)


@app.command()
def grid(
    name: Annotated[str, typer.Argument(help="The table's name, such as robustness.")],
    definition: Annotated[str, typer.Option(help="JSON object: an entry of a config's `grids`.")],
    caption: Caption = "",
    titles: Titles = "{}",
    results: Results = DEMO,
) -> None:
    """Write tables/<name>.csv, .md and .tex: one score over two sets of conditions, for each method."""
    from benchmark.scoring.csv_files import RUN_COLUMNS, SCORE_COLUMNS, read_frame
    from benchmark.tables.coverage import coverage_notes
    from benchmark.tables.definition import Grid
    from benchmark.tables.profile_tables import grid_table
    from benchmark.tables.sections import grid_page
    from benchmark.tables.summary import summary

    shown = Grid(**json_object(definition, "--definition"))
    scores = read_frame(results / "scores.csv", SCORE_COLUMNS)
    table_of = grid_table(name, shown, scores, json_object(titles, "--titles"))
    table = summary(table_of, scores, read_frame(results / "runs.csv", RUN_COLUMNS))
    notes = coverage_notes(table_of.datasets, scores)
    _write(name, table, grid_page(table, shown, caption=caption, notes=notes), results)


@app.command()
def convergence(
    files: Annotated[list[Path], typer.Argument(help="Tables that `blindbench score --convergence` wrote.")],
    reference: Annotated[str, typer.Option(help="The method whose final PSNR the others are to reach.")],
    caption: Caption = "",
    titles: Titles = "{}",
    results: Results = DEMO,
) -> None:
    """Join the scores of snapshots in convergence.csv; draw them, and tell when a reference is reached.

    Writes tables/convergence.csv, .md and .tex and figures/convergence.png and .pdf too.
    """
    from benchmark.figures.iteration_plots import convergence_plot
    from benchmark.runs.names import labelled
    from benchmark.scoring.csv_files import CONVERGENCE_COLUMNS, read_frame, write_frame
    from benchmark.tables.convergence import curves, reach, reach_sections
    from benchmark.tables.page import Page

    words = labelled(json_object(titles, "--titles"), weights_of(results))
    frames = [read_frame(path, CONVERGENCE_COLUMNS) for path in files]
    frame = pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    write_frame(frame, results / "convergence.csv")
    table = reach(frame, reference)
    _write("convergence", table, Page("", reach_sections(table, words), caption), results)
    convergence_plot(curves(frame), reference, results / "figures" / "convergence", words)


@app.command()
def sensitivity(
    datasets: Annotated[str, typer.Option(help="The datasets it shows, comma-separated.")],
    caption: Caption = "",
    titles: Titles = "{}",
    results: Results = DEMO,
) -> None:
    """Tell from scores.csv how much PSNR depends on the seed, case by case.

    Writes tables/sensitivity.csv, .md and .tex and figures/sensitivity.png and .pdf.
    """
    from benchmark.figures.score_plots import few_cases, sensitivity_plot
    from benchmark.runs.names import labelled
    from benchmark.scoring.csv_files import SCORE_COLUMNS, read_frame
    from benchmark.tables.page import Page
    from benchmark.tables.sensitivity import psnr_of_methods, spread, spread_sections

    words = labelled(json_object(titles, "--titles"), weights_of(results))
    scores = psnr_of_methods(read_frame(results / "scores.csv", SCORE_COLUMNS), datasets.split(","))
    table = spread(scores)
    _write("sensitivity", table, Page("", spread_sections(table, words), caption), results)
    shown, text = few_cases(scores)
    sensitivity_plot(shown, results / "figures" / "sensitivity", text, words)


def summarised(
    name: str, datasets: str, results: Path, titles: str
) -> tuple["Definition", pd.DataFrame, pd.DataFrame]:
    """A table's definition, its numbers, and all scores. Without datasets it is a paper's table."""
    from benchmark.data.descriptors import find_dataset
    from benchmark.scoring.csv_files import RUN_COLUMNS, SCORE_COLUMNS, read_frame
    from benchmark.tables.paper_tables import paper_table
    from benchmark.tables.profile_tables import own_table
    from benchmark.tables.summary import summary

    definition = None if datasets else paper_table(name)
    scores = read_frame(results / "scores.csv", SCORE_COLUMNS)
    runs = read_frame(results / "runs.csv", RUN_COLUMNS)
    if definition is None:
        descriptors = {dataset: find_dataset(dataset) for dataset in datasets.split(",")}
        definition = own_table(name, descriptors, scores, json_object(titles, "--titles"))
    return definition, summary(definition, scores, runs), scores


def _write(name: str, table: pd.DataFrame, page: "Page", results: Path) -> None:
    """Write tables/<name>.csv, .md and .tex."""
    from benchmark.core.files import write_text
    from benchmark.scoring.csv_files import write_frame

    out = results / "tables"
    write_frame(table, out / f"{name}.csv")
    write_text(out / f"{name}.tex", page.latex())
    write_text(out / f"{name}.md", page.markdown())
    typer.echo(page.markdown(), err=True)
