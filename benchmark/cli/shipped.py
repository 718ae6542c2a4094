"""Verbs about scores that ship with the repository."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.options import DEMO, Device, text_table
from benchmark.core.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer()
REFERENCE = Path("results/reference")


@app.command()
def ship(
    target: Annotated[
        Path, typer.Argument(help="A CSV to write, or a ledger to add to, such as results/reference.")
    ],
    results: Annotated[
        Path, typer.Option(help="The results folder, results/<profile>; for a ledger also a CSV or a ledger.")
    ] = DEMO,
    replace: Annotated[
        bool, typer.Option(help="In a ledger, put new rows in the place of those that they contradict.")
    ] = False,
) -> None:
    """Keep the scores of a profile, with all that is needed to repeat each row.

    A target that ends in .csv gets the rows of the finished profile. Any other is a ledger, a folder that
    adds up the rows of many profiles: it takes what has ended, and rows that are there stay.
    """
    from benchmark.scoring.ledger import add, is_ledger, write_shipped

    if replace and not is_ledger(target):
        raise InputError(f"--replace: {target} is written anew anyway; leave --replace out")
    frame = _rows_to_ship(results, in_part=is_ledger(target))
    if not is_ledger(target):
        write_shipped(frame, target)
        typer.echo(f"{target}: {len(frame)} rows", err=True)
        return
    counts = add(frame, target, replace=replace)
    typer.echo(f"{target}: {counts['all']} rows, {counts['new']} new, {counts['changed']} changed", err=True)


def _rows_to_ship(results: Path, *, in_part: bool) -> "pd.DataFrame":
    """Return the rows of a profile, of all that has ended if `in_part`; or those that are shipped already."""
    from benchmark.cli.tables import read_scores
    from benchmark.planning.plan import FILE, Plan
    from benchmark.planning.records import finished_records, finished_scores, read_records
    from benchmark.runs.store import Store
    from benchmark.scoring.ledger import read_shipped
    from benchmark.scoring.shipped import shipped_frame

    if in_part and not (results / FILE).exists() and (results.is_file() or any(results.glob("*.csv.gz"))):
        return read_shipped(results)
    plan, store = Plan.read(results), Store(results)
    if in_part:
        records = finished_records(plan, store)
        scores = finished_scores(plan, store, records)
        if not records:
            raise InputError(f"{results}: no restoration has ended yet; run the workflow first")
    else:
        records, scores = read_records(plan, store), read_scores(results)
    return shipped_frame(plan.config["profile"], scores, records, plan.config["titles"])


@app.command()
def verify(
    file: Annotated[
        Path,
        typer.Argument(help="A CSV of shipped scores, such as docs/results/demo.csv, or results/reference."),
    ],
    rows: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Only rows whose <dataset>/<method>/<case>/seed<k> matches; again for more.",
        ),
    ] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="Draw so many of the rows at random.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seeds the draw.")] = 0,
    device: Device = "cpu",
) -> None:
    """Repeat shipped restorations and compare the scores.

    On the machine that made them all must be equal, elsewhere within a tolerance (docs/verify.md). The exit
    code is 0 if all agree, 1 if something differs, 2 if a row cannot be repeated.
    """
    from benchmark.core.console import reporting
    from benchmark.runs.machine import claimed_device, prepare
    from benchmark.scoring.ledger import read_shipped
    from benchmark.tools.verify import chosen_rows, exit_code, reasons, table_of, verify

    chosen = chosen_rows(read_shipped(file), rows or (), sample, seed)
    with (
        tempfile.TemporaryDirectory() as folder,
        claimed_device(device) as target,
        reporting("verify ·") as report,
    ):
        checks = verify(chosen, Path(folder), target, prepare, report)
    typer.echo(text_table(table_of(checks), headers="keys", tablefmt="simple", disable_numparse=True))
    for reason in reasons(checks):
        typer.echo(f"blindbench: {reason}", err=True)
    raise typer.Exit(exit_code(checks))


@app.command()
def leaderboard(
    ledger: Annotated[Path, typer.Argument(help="The ledger, such as results/reference.")] = REFERENCE,
) -> None:
    """Make the tables, the figures and the page of a ledger, without restoring anything."""
    from benchmark.report.leaderboard import write_leaderboard

    typer.echo(f"{write_leaderboard(ledger)}: open it to look through the ledger", err=True)


@app.command()
def fill(
    pages: Annotated[list[Path], typer.Argument(help="Markdown pages, such as README.md.")],
) -> None:
    """Fill the tables of Markdown pages from shipped scores, as the comment above each table says."""
    from benchmark.core.files import read_text, write_text
    from benchmark.tables.excerpts import filled

    for page in pages:
        write_text(page, filled(read_text(page), Path()))
        typer.echo(f"{page}: filled", err=True)
