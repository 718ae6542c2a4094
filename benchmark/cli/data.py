"""Verbs about data: get it, list it, look at it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from tabulate import tabulate

from benchmark.cli.options import ExperimentSeed
from benchmark.core.types import InputError

if TYPE_CHECKING:
    pass

app = typer.Typer()


@app.command()
def download(
    sources: Annotated[list[str], typer.Argument(help="Names of sources, see datasets/sources.yaml.")],
    accept_terms: Annotated[bool, typer.Option(help="Accept the terms that are shown.")] = False,
) -> None:
    """Get data into datasets/; nothing is downloaded by any other verb.

    Exit code 1: the network failed, the same command continues. 2: the message says what you must do.
    """
    from benchmark.data.descriptors import freeze_lists
    from benchmark.data.download import download as get
    from benchmark.data.sources import find_source
    from benchmark.data.transfer import TransferError

    code = 0
    for source in [find_source(name) for name in sources]:
        try:
            get(source, lambda line: typer.echo(line, err=True), accept_terms=accept_terms)
            freeze_lists(source.name)
        except (InputError, TransferError) as error:  # the other sources go on
            typer.echo(f"blindbench: {error}", err=True)
            code = max(code, 2 if isinstance(error, InputError) else 1)
    raise typer.Exit(code)


@app.command("datasets")
def list_datasets() -> None:
    """List the datasets: how many cases, whether their files are here, how to get them, under which terms."""
    from benchmark.planning.overview import datasets_overview, sources_overview

    typer.echo(tabulate(datasets_overview(), headers="keys", tablefmt="simple"))
    widths = [None, 40, 20, None, 40]
    typer.echo("\n" + tabulate(sources_overview(), headers="keys", tablefmt="simple", maxcolwidths=widths))
    typer.echo("\n[K]: general knowledge, not read from the owners' page.")


@app.command("sheet")
def contact_sheet_command(
    datasets: Annotated[list[str], typer.Argument(help="Datasets, or <dataset>@<condition>.")],
    out: Annotated[Path, typer.Option(help="The picture to write; a PDF goes beside it.")],
    cases: Annotated[str, typer.Option(help="Shell patterns of case names, comma-separated.")] = "*",
    experiment_seed: ExperimentSeed = 0,
) -> None:
    """Draw cases of datasets as they are synthesised: sharp image, blurry image, kernels."""
    from benchmark.data.cases import make_case
    from benchmark.data.descriptors import find_dataset
    from benchmark.data.synthesis import observe
    from benchmark.figures.images import contact_sheet

    found = [find_dataset(name) for name in datasets]
    contact_sheet(
        [
            observe(make_case(dataset, case, experiment_seed), experiment_seed)
            for dataset in found
            for case in dataset.selected(cases.split(","))
        ],
        out.with_suffix(""),
    )
