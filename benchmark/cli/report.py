"""The verb that makes the page of a run."""

import typer

from benchmark.cli.options import DEMO, Results

app = typer.Typer()


@app.command()
def report(results: Results = DEMO) -> None:
    """Make the page of a finished run, index.html: tables, cases, and where each number comes from."""
    from benchmark.planning.plan import Plan
    from benchmark.report.page import write_report
    from benchmark.runs.store import Store

    path = write_report(Plan.read(results), Store(results))
    typer.echo(f"the report of this run: {path}", err=True)
