"""Verbs that compile tables from scores and say where a number of theirs comes from."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from benchmark.cli.options import DEMO, Results, text_table

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.planning.plan import Plan
    from benchmark.runs.names import Titles
    from benchmark.tables.definition import Definition
    from benchmark.tables.page import Page

    Compiled = tuple[pd.DataFrame, Page]  # a table's numbers, and the page that shows them

app = typer.Typer()


class Summarised(NamedTuple):
    """A table of scores before its layout."""

    definition: "Definition"
    numbers: "pd.DataFrame"  # from `benchmark.tables.summary.summary`
    scores: "pd.DataFrame"  # as in scores.csv, with those of a ledger
    titles: "Titles"  # of the config, with those of a ledger
    notes: tuple[str, ...]  # on the rows of a ledger


@app.command()
def table(
    name: Annotated[str, typer.Argument(help="Such as uniform, convergence, or glkm-table1 of a paper.")],
    results: Results = DEMO,
) -> None:
    """Compile a table from scores: tables/<name>.csv, .md and .tex."""
    from benchmark.core.files import write_text
    from benchmark.core.seals import sealed
    from benchmark.planning.plan import Plan
    from benchmark.runs.store import Store
    from benchmark.scoring.csv_files import write_frame

    plan = Plan.read(results)
    numbers, page = COMPILE[plan.find_table(name).kind](plan, name, results)
    csv, md, tex = Store(results).table_files(name)
    with sealed(csv, md, tex):
        write_frame(numbers, csv)
        write_text(tex, page.latex(name))
        write_text(md, page.markdown())
    typer.echo(page.markdown(), err=True)


@app.command()
def explain(
    dataset: Annotated[str, typer.Argument(help="As in the heading of the table, such as demo-uniform.")],
    method: Annotated[str, typer.Argument(help="As in the config, such as l0-grad.")],
    metric: Annotated[str, typer.Argument(help="As in scores.csv, such as psnr or lpips-alex.")],
    results: Results = DEMO,
) -> None:
    """Say where a number of a table comes from: cases, values, settings, hashes, machine, command.

    The command repeats the restorations and compares their scores.
    """
    from benchmark.cli.options import page
    from benchmark.planning.plan import Plan
    from benchmark.report.explanation import about_number, remarks, restoration_rows
    from benchmark.report.provenance import provenance

    found = provenance(results, dataset, method, metric)
    plan = Plan.read(results)
    numbers = summarised(plan, plan.datasets[dataset].table, results).numbers
    of_cell = (numbers.dataset == dataset) & (numbers.method == method) & (numbers.metric == metric)
    (cell,) = numbers[of_cell].to_dict("records")
    typer.echo(page(about_number(found, cell)) + "\n")
    typer.echo(text_table(restoration_rows(found), headers="keys", tablefmt="simple", disable_numparse=True))
    records = f"All settings and hashes: run.json below {results / 'restorations' / dataset / method}"
    typer.echo("\n" + "\n".join([*remarks(found.values), records]))


def summarised(plan: "Plan", name: str, results: Path) -> Summarised:
    """Compute one of the profile's own tables or of the papers'.

    The profile's own have the rows of the ledger, too, that the config compares with.
    """
    import pandas as pd

    from benchmark.data.descriptors import find_dataset
    from benchmark.planning.compared import rows_beside
    from benchmark.tables.paper_tables import paper_table
    from benchmark.tables.profile_tables import own_table
    from benchmark.tables.summary import summary

    entry = plan.find_table(name)
    scores, runs, titles = read_scores(results), read_runs(results), plan.config["titles"]
    notes: tuple[str, ...] = ()
    if entry.kind == "own":
        beside = rows_beside(plan, scores[scores.dataset.isin(entry.datasets)])
        scores, runs = (
            pd.concat([own, more], ignore_index=True) if len(more) else own
            for own, more in ((scores, beside.scores), (runs, beside.runs))
        )
        titles, notes = {**titles, **beside.titles}, beside.notes
        descriptors = {dataset: find_dataset(dataset) for dataset in entry.datasets}
        definition = own_table(name, descriptors, scores, titles, plan.baseline)
    else:
        definition = paper_table(name, plan.config["stand_ins"])
    return Summarised(definition, summary(definition, scores, runs), scores, titles, notes)


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
    from dataclasses import replace

    from benchmark.tables.agreement import agreement_sections
    from benchmark.tables.coverage import absence_notes
    from benchmark.tables.remarks import remarks_of
    from benchmark.tables.sections import table_page

    definition, numbers, scores, titles, notes = summarised(plan, name, results)
    absent = [dataset for dataset in plan.tables[name].datasets if dataset not in definition.datasets]
    page = table_page(
        numbers,
        definition,
        caption=plan.config["caption"],
        remarks=remarks_of(definition, numbers, scores, titles),
        notes=[*notes, *absence_notes(absent, scores)],
    )
    if plan.tables[name].kind == "own":
        page = replace(page, sections=[*page.sections, *agreement_sections(numbers, definition)])
    return numbers, page


def _best(plan: "Plan", name: str, results: Path) -> "Compiled":
    """Compile a paper's table of the best of several variants, which their snapshots decide."""
    from dataclasses import replace

    from benchmark.tables.best_of import best_runs, best_scores, spread_sections
    from benchmark.tables.paper_tables import paper_table
    from benchmark.tables.remarks import remarks_of
    from benchmark.tables.sections import table_page
    from benchmark.tables.summary import summary

    definition = paper_table(name, plan.config["stand_ins"])
    assert definition.best_of is not None
    setting = definition.best_of.setting
    values = {
        method: plan.methods[method].settings[setting]
        for method in plan.converging
        if setting in plan.methods[method].settings
    }
    snapshots = read_convergence(results) if plan.converging else _no_snapshots()
    scores = best_scores(definition, snapshots, read_scores(results), values)
    numbers = summary(definition, scores, best_runs(definition, read_runs(results)))
    remarks = remarks_of(definition, numbers, scores, plan.config["titles"])
    page = table_page(numbers, definition, caption=plan.config["caption"], remarks=remarks)
    return numbers, replace(page, sections=[*page.sections, *spread_sections(definition, scores, values)])


def _no_snapshots() -> "pd.DataFrame":
    """Return an empty convergence.csv, as for a profile without snapshots."""
    import pandas as pd

    from benchmark.scoring.csv_files import CONVERGENCE_COLUMNS

    return pd.DataFrame(columns=list(CONVERGENCE_COLUMNS))


def _grid(plan: "Plan", name: str, results: Path) -> "Compiled":
    """Compile a table of one metric over two sets of conditions."""
    from benchmark.tables.definition import Grid
    from benchmark.tables.profile_tables import grid_table
    from benchmark.tables.remarks import remarks_of
    from benchmark.tables.sections import grid_page
    from benchmark.tables.summary import summary

    grid, scores = Grid(**plan.config["grids"][name]), read_scores(results)
    definition = grid_table(name, grid, scores, plan.config["titles"], plan.baseline)
    numbers = summary(definition, scores, read_runs(results))
    remarks = remarks_of(definition, numbers, scores, plan.config["titles"])
    return numbers, grid_page(numbers, grid, caption=plan.config["caption"], remarks=remarks)


def _claims(plan: "Plan", name: str, results: Path) -> "Compiled":
    """Compile which claims of a paper the profile reproduces."""
    import pandas as pd

    from benchmark.scoring.csv_files import CONVERGENCE_COLUMNS
    from benchmark.tables.claim_measures import Evidence
    from benchmark.tables.claim_table import claims_page, verdicts
    from benchmark.tables.claims import claim_table

    table = claim_table(name)
    without = pd.DataFrame(columns=list(CONVERGENCE_COLUMNS))
    convergence = read_convergence(results) if plan.converging else without
    evidence = Evidence(read_scores(results), read_runs(results), convergence)
    numbers = verdicts(table, evidence, {name: plan.methods[name].settings for name in plan.methods})
    return numbers, claims_page(numbers, table.title, plan.config["caption"])


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
    from benchmark.tables.sensitivity import seed_spread, spread_sections

    numbers = seed_spread(read_scores(results), plan.tables[name].datasets)
    sections = spread_sections(numbers, titles_with_weights(plan, results))
    return numbers, Page("", sections, plan.config["caption"])


# By the kind of table.
COMPILE: dict[str, Callable[["Plan", str, Path], "Compiled"]] = {
    "own": _scores,
    "paper": _scores,
    "best": _best,
    "claims": _claims,
    "grid": _grid,
    "convergence": _convergence,
    "sensitivity": _sensitivity,
}
