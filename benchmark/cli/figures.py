"""The verb that draws figures from results."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.options import DEMO, Results
from benchmark.cli.tables import read_convergence, read_runs, read_scores, summarised, titles_with_weights

if TYPE_CHECKING:
    from benchmark.planning.plan import Plan

app = typer.Typer()


@app.command()
def figure(
    name: Annotated[
        str, typer.Argument(help="Such as uniform, uniform-scores, convergence, or glkm-fig4 of a paper.")
    ],
    results: Results = DEMO,
) -> None:
    """Draw a figure from results: figures/<name>.png and .pdf."""
    from benchmark.core.seals import sealed
    from benchmark.planning.plan import Plan
    from benchmark.runs.store import Store

    plan = Plan.read(results)
    draw_figure = DRAW[plan.find_figure(name).kind]
    with sealed(*Store(results).figure_files(name)):
        draw_figure(plan, name, results)


def _images(plan: "Plan", name: str, results: Path) -> None:
    """Draw each method's image and kernel."""
    from benchmark.figures.image_grids import method_grid
    from benchmark.runs.store import Store

    entry, store = plan.figures[name], Store(results)
    ((dataset, cases),) = entry.cases.items()
    protocol, text = plan.datasets[dataset].protocol, plan.config["caption"]
    titles = _titles_of_cases(plan, name, results)
    seed, out = entry.seeds[0], store.figure(name)
    method_grid(store, dataset, cases, entry.methods, seed, protocol, out, text, titles)


def _scores(plan: "Plan", name: str, results: Path) -> None:
    """Draw the scores behind a table, case by case."""
    from benchmark.figures.score_plots import score_plot
    from benchmark.runs.names import weights_behind
    from benchmark.runs.store import Store

    table = summarised(plan, plan.figures[name].table, results)
    weights = weights_behind(read_runs(results))
    text, out = plan.config["caption"], Store(results).figure(name)
    if why_empty := score_plot(table.definition, table.numbers, table.scores, out, text, weights):
        typer.echo(f"{name}: {why_empty}", err=True)


def _convergence(plan: "Plan", name: str, results: Path) -> None:
    """Draw PSNR over iterations."""
    from benchmark.figures.iteration_plots import convergence_plot
    from benchmark.runs.store import Store
    from benchmark.tables.convergence import curves

    lines = curves(read_convergence(results), read_scores(results))
    titles = titles_with_weights(plan, results)
    out = Store(results).figure(name)
    convergence_plot(lines, plan.reference, out, plan.config["caption"], titles)


def _sensitivity(plan: "Plan", name: str, results: Path) -> None:
    """Draw PSNR of every seed, for a few cases."""
    from benchmark.figures.score_plots import few_cases, sensitivity_plot
    from benchmark.runs.store import Store
    from benchmark.tables.missing import completed
    from benchmark.tables.sensitivity import psnr_of_methods

    scores = psnr_of_methods(completed(read_scores(results)), plan.tables[name].datasets)
    chosen, text = few_cases(scores)
    text = f"{text} {plan.config['caption']}".rstrip()
    sensitivity_plot(chosen, Store(results).figure(name), text, titles_with_weights(plan, results))


def _cost(plan: "Plan", name: str, results: Path) -> None:
    """Draw PSNR against the seconds of a case."""
    from benchmark.figures.cost_plots import cost_plot
    from benchmark.runs.store import Store

    titles = titles_with_weights(plan, results)
    out = Store(results).figure(name)
    cost_plot(read_scores(results), read_runs(results), "psnr", out, plan.config["caption"], titles)


def _performance(plan: "Plan", name: str, results: Path) -> None:
    """Draw the share of cases within some decibels of the best method."""
    from benchmark.figures.score_plots import performance_plot
    from benchmark.runs.store import Store

    titles = titles_with_weights(plan, results)
    out = Store(results).figure(name)
    performance_plot(read_scores(results), "psnr", out, plan.config["caption"], titles)


def _of_paper(plan: "Plan", name: str, results: Path) -> None:
    """Draw a figure of a paper, as far as its methods and data are here."""
    from benchmark.figures.definition import Content
    from benchmark.figures.drawing import draw
    from benchmark.figures.paper_figures import paper_figure
    from benchmark.runs.store import Store

    planned, store = plan.figures[name], Store(results)
    protocols = [plan.datasets[dataset].protocol for dataset in planned.cases]
    titles = titles_with_weights(plan, results) if planned.reads else _titles_of_cases(plan, name, results)
    content = Content(
        cases=planned.cases,
        methods=planned.methods,
        seeds=planned.seeds,
        protocol=next(iter(protocols), ""),
        titles=titles,
        conditions=planned.conditions,
    )
    text, out = plan.config["caption"], store.figure(name)
    for line in draw(paper_figure(name), store, content, text, planned.notes, out):
        typer.echo(f"{name}: {line}", err=True)


def _titles_of_cases(plan: "Plan", name: str, results: Path) -> dict[str, str]:
    """Return the config's titles; methods with pre-trained weights behind their images have them named."""
    from benchmark.runs.names import labelled
    from benchmark.runs.store import Store

    entry = plan.figures[name]
    weights = Store(results).weights_behind(entry.cases, entry.methods, entry.seeds[0]) if entry.cases else {}
    return dict(labelled(plan.config["titles"], weights))


DRAW: dict[str, Callable[["Plan", str, Path], None]] = {  # by the kind of figure
    "images": _images,
    "scores": _scores,
    "paper": _of_paper,
    "convergence": _convergence,
    "sensitivity": _sensitivity,
    "cost": _cost,
    "performance": _performance,
}
