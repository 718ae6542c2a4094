"""Verbs about scores that ship with the repository."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from tabulate import tabulate

from benchmark.cli.options import DEMO, Device, Results

app = typer.Typer()


@app.command()
def ship(
    file: Annotated[Path, typer.Argument(help="The CSV to write, such as docs/results/demo.csv.")],
    results: Results = DEMO,
) -> None:
    """Write the scores of a finished profile to one CSV, with all that is needed to repeat each row."""
    from benchmark.cli.tables import read_scores
    from benchmark.planning.plan import Plan
    from benchmark.planning.records import read_records
    from benchmark.runs.store import Store
    from benchmark.scoring.csv_files import write_frame
    from benchmark.scoring.shipped import shipped_frame

    plan = Plan.read(results)
    records = read_records(plan, Store(results))
    frame = shipped_frame(plan.config["profile"], read_scores(results), records, plan.config["titles"])
    write_frame(frame, file)
    typer.echo(f"{file}: {len(frame)} rows", err=True)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A CSV of shipped scores, such as docs/results/demo.csv.")],
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
    from benchmark.scoring.shipped import read_shipped
    from benchmark.tools.verify import chosen_rows, exit_code, reasons, table_of, verify

    chosen = chosen_rows(read_shipped(file), rows or (), sample, seed)
    with (
        tempfile.TemporaryDirectory() as folder,
        claimed_device(device) as target,
        reporting("verify ·") as report,
    ):
        checks = verify(chosen, Path(folder), target, prepare, report)
    typer.echo(tabulate(table_of(checks), headers="keys", tablefmt="simple", disable_numparse=True))
    for reason in reasons(checks):
        typer.echo(f"blindbench: {reason}", err=True)
    raise typer.Exit(exit_code(checks))


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
