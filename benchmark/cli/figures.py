"""Verbs that draw figures from results."""

from typing import Annotated

import typer

from benchmark.cli.options import (
    DEMO,
    Caption,
    Cases,
    Results,
    Seed,
    TableDatasets,
    Titles,
    json_object,
    weights_of,
)
from benchmark.cli.tables import summarised

app = typer.Typer()


@app.command()
def figures(
    name: Annotated[str, typer.Argument(help="The figure's name, such as uniform.")],
    dataset: Annotated[str, typer.Option(help="The dataset it shows.")],
    cases: Cases,
    methods: Annotated[str, typer.Option(help="Comma-separated, in the order of the columns.")],
    titles: Titles = "{}",
    results: Results = DEMO,
    seed: Seed = 0,
) -> None:
    """Draw figures/<name>.png and .pdf: each method's image and kernel."""
    from benchmark.figures.image_grids import method_grid
    from benchmark.runs.names import labelled
    from benchmark.runs.store import Store

    out, store = results / "figures" / name, Store(results)
    shown, columns = cases.split(","), methods.split(",")
    weights = store.weights_behind({dataset: shown}, columns, seed)
    words = labelled(json_object(titles, "--titles"), weights)
    method_grid(store, dataset, shown, columns, seed, out, words)


@app.command("score-plot")
def score_plot_command(
    name: Annotated[str, typer.Argument(help="The table's name, such as uniform or glkm-table1.")],
    datasets: TableDatasets = "",
    titles: Titles = "{}",
    results: Results = DEMO,
) -> None:
    """Draw figures/<name>-scores.png and .pdf: the scores behind a table, case by case."""
    from benchmark.figures.score_plots import score_plot

    definition, table, scores = summarised(name, datasets, results, titles)
    score_plot(definition, table, scores, results / "figures" / f"{name}-scores", weights_of(results))


@app.command("paper-figure")
def paper_figure_command(
    name: Annotated[str, typer.Argument(help="The figure's name, such as glkm-fig4.")],
    cases: Annotated[str, typer.Option(help="JSON object: dataset to the names of its cases.")] = "{}",
    methods: Annotated[str, typer.Option(help="Comma-separated, in the order of the columns.")] = "",
    seeds: Annotated[str, typer.Option(help="Comma-separated.")] = "0",
    protocol: Annotated[str, typer.Option(help="As for `score`.")] = "shift-rgb",
    conditions: Annotated[
        str, typer.Option(help="JSON object: words to dataset, all of its cases; in place of --cases.")
    ] = "{}",
    note: Annotated[str, typer.Option(help="What is left out, and why.")] = "",
    caption: Caption = "",
    titles: Titles = "{}",
    results: Results = DEMO,
) -> None:
    """Draw a figure of a paper, figures/<name>.png and .pdf, as far as its methods and data are here."""
    from benchmark.figures.definition import Content
    from benchmark.figures.drawing import draw
    from benchmark.figures.paper_figures import paper_figure
    from benchmark.runs.names import labelled
    from benchmark.runs.store import Store

    store, named = Store(results), json_object(cases, "--cases")
    columns, repetitions = methods.split(",") if methods else [], [int(seed) for seed in seeds.split(",")]
    weights = store.weights_behind(named, columns, repetitions[0]) if named else weights_of(results)
    shown = Content(
        cases=named,
        methods=columns,
        seeds=repetitions,
        protocol=protocol,
        titles=labelled(json_object(titles, "--titles"), weights),
        conditions=json_object(conditions, "--conditions"),
    )
    out = results / "figures" / name
    for line in draw(paper_figure(name), store, shown, [caption, note], out):
        typer.echo(f"{name}: {line}", err=True)
