"""Verbs about data: list them, get them, look at them."""

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import ExperimentSeed, page, text_table
from benchmark.core.errors import InputError

app = typer.Typer()


def complete_dataset(incomplete: str) -> list[str]:
    """Complete the name of a dataset, for the shell."""
    from benchmark.data.descriptors import dataset_names

    return [name for name in dataset_names() if name.startswith(incomplete)]


def complete_source(incomplete: str) -> list[str]:
    """Complete the name of a source, for the shell."""
    from benchmark.data.sources import all_sources

    return [name for name in all_sources() if name.startswith(incomplete)]


@app.command()
def download(
    sources: Annotated[
        list[str],
        typer.Argument(help="Sources; `blindbench datasets` lists them.", autocompletion=complete_source),
    ],
    accept_terms: Annotated[bool, typer.Option(help="Accept the terms of the sources.")] = False,
) -> None:
    """Download data into datasets/, or say how you can get them.

    Exit code 1: the network failed, and the same command continues. 2: the message says what you must do.
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
def show_datasets(
    name: Annotated[
        str | None, typer.Argument(help="A dataset, to see all about it.", autocompletion=complete_dataset)
    ] = None,
) -> None:
    """List the datasets, or describe one: cases, files here, how to get them, licence, protocol."""
    from benchmark.data.overview import describe_dataset, list_datasets, list_sources

    if name is not None:
        typer.echo(page(describe_dataset(name)))
        return
    typer.echo(text_table(list_datasets(), headers="keys", tablefmt="simple"))
    widths = [None, 40, 20, None, 40]
    typer.echo("\n" + text_table(list_sources(), headers="keys", tablefmt="simple", maxcolwidths=widths))
    typer.echo("\n[K] marks what is generally known and was not read on the owners' page.")


@app.command("sheet")
def contact_sheet_command(
    datasets: Annotated[
        list[str],
        typer.Argument(help="Datasets, or <dataset>@<condition>.", autocompletion=complete_dataset),
    ],
    out: Annotated[Path, typer.Option(help="The image file to write; a PDF goes beside it.")],
    cases: Annotated[str, typer.Option(help="Shell patterns of case names, comma-separated.")] = "*",
    experiment_seed: ExperimentSeed = 0,
) -> None:
    """Draw cases of datasets: sharp image, blurry image, kernels."""
    from benchmark.data.cases import make_case
    from benchmark.data.descriptors import find_dataset
    from benchmark.data.synthesis import observe
    from benchmark.figures.image_grids import contact_sheet

    if out.suffix not in (".png", ".pdf"):
        raise InputError(f"--out {out}: write a name that ends in .png; a PDF goes beside it")
    descriptors = [find_dataset(name) for name in datasets]
    contact_sheet(
        [
            observe(make_case(dataset, case, experiment_seed), experiment_seed)
            for dataset in descriptors
            for case in dataset.selected(cases.split(","))
        ],
        out.with_suffix(""),
    )
