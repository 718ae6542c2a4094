"""Verbs about methods and numbers: list, train, time, check."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer
from tabulate import tabulate

from benchmark.cli.options import Device, given_settings, page
from benchmark.core.types import InputError

app = typer.Typer()


@app.command("methods")
def show_methods(
    name: Annotated[str | None, typer.Argument(help="A method, to see all about it.")] = None,
) -> None:
    """List the methods, or describe one: settings with defaults, what it needs, weights here."""
    from benchmark.tools.method_pages import describe_method, list_methods, list_settings

    if name is None:
        widths = [None, None, None, 70]
        typer.echo(tabulate(list_methods(), headers="keys", tablefmt="simple", maxcolwidths=widths))
        return
    typer.echo(page(describe_method(name)) + "\n")
    settings = list_settings(name)
    if settings:
        typer.echo(tabulate(settings, headers="keys", tablefmt="simple", maxcolwidths=[None, 30, 70]))
    else:
        typer.echo("It has no settings.")


@app.command()
def pretrain(
    name: Annotated[str, typer.Argument(help="A training, such as decoder. A wrong name lists all.")],
    kernel_size: Annotated[int | None, typer.Option(help="Side of the kernels, in pixels.")] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(help="A folder of photographs, <source> or <source>/<folder>; again for more of them."),
    ] = None,
    pairs: Annotated[
        list[str] | None,
        typer.Option(
            help="A folder with pairs, blur/ beside sharp/ or gt/, at any depth; in place of --images."
        ),
    ] = None,
    data_terms: Annotated[
        str, typer.Option(help="Terms of the photographs, for the model card. Those of sources are known.")
    ] = "",
    out: Annotated[
        Path, typer.Option(help="Folder of the results, and of the weights of earlier trainings.")
    ] = Path("results/pretrain"),
    max_minutes: Annotated[
        float | None,
        typer.Option(help="The training ends after this time; its learning rates fall with it."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps; the default is the training's own.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Another setting of the training.")
    ] = None,
    remark: Annotated[str, typer.Option(help="Added to the label of the weights, such as demo.")] = "",
    half: Annotated[bool, typer.Option(help="Store the weights in half precision.")] = False,
    seed: Annotated[int, typer.Option(help="Seeds weights, kernels and crops.")] = 0,
    device: Device = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; by default torch chooses.")] = None,
) -> None:
    """Train a network that methods start from: its weights, losses, quality and a model card.

    The same command continues a training that was stopped or killed. It leaves a finished one alone.
    """
    from benchmark.core.console import reporting
    from benchmark.pretraining.job import Job, Order, pretrain
    from benchmark.runs.machine import claimed_device, prepare

    overrides = given_settings(set_, kernel_size=kernel_size)
    order = Order(
        name, overrides, images=tuple(images or ()), pairs=tuple(pairs or ()), terms=data_terms,
        steps=steps, minutes=max_minutes, seed=seed, remark=remark, half=half,
    )  # fmt: skip
    job = Job.checked(order, out)
    prepare(threads)
    with claimed_device(device) as target, reporting("pretrain ·") as report:
        trained = pretrain(job, target, threads or os.cpu_count() or 1, report)
    typer.echo(f"{job.record_path.with_suffix('.md')}: " + ("trained" if trained else "was trained before"))


@app.command()
def detective(
    restored: Annotated[Path, typer.Option(help="A folder of restored images.")],
    sharp: Annotated[Path, typer.Option(help="A folder of sharp images, paired with them by name.")],
    published: Annotated[str, typer.Option(help="The average as it is printed, such as 24.97.")],
    metric: Annotated[Literal["psnr", "ssim"], typer.Option(help="The metric that was averaged.")] = "psnr",
    rows: Annotated[int, typer.Option(min=1, help="How many protocols to show.")] = 15,
) -> None:
    """Find which border, alignment, colour, rounding and average give a published number."""
    from benchmark.core.console import reporting
    from benchmark.runs.machine import prepare
    from benchmark.tools.detective import conclusion, investigate, pair_by_name, tolerance

    tolerance(published)  # refuses what is no number before the work begins
    pairing = pair_by_name(restored, sharp)
    if pairing.unpaired:
        names = ", ".join(path.name for path in pairing.unpaired)
        typer.echo(f"left out, without a sharp partner ({len(pairing.unpaired)}): {names}", err=True)
    prepare(threads=None)
    with reporting("detective ·") as report:
        table = investigate(pairing.pairs, float(published), metric, report)
    nearest = table.head(rows).round({"value": 4, "difference": 4}).to_dict("records")
    typer.echo(tabulate(nearest, headers="keys", tablefmt="simple"))
    typer.echo(conclusion(table, published))


@app.command()
def doctor(
    sharp: Annotated[list[Path], typer.Option(help="A sharp image; again for more with this kernel.")],
    kernel: Annotated[Path, typer.Option(help="The image file of the kernel.")],
    blurry: Annotated[list[Path], typer.Option(help="A blurry image for each sharp one, in order.")],
) -> None:
    """Find how an image was blurred: kernel orientation, light, shift, intensities, boundary, noise."""
    from benchmark.data.images import read_image
    from benchmark.runs.machine import prepare
    from benchmark.tools.doctor import conclusions, diagnose_together

    if len(sharp) != len(blurry):
        raise InputError(f"{len(sharp)} sharp and {len(blurry)} blurry images: give one --blurry per --sharp")
    prepare(threads=None)
    pairs = [
        tuple(read_image(path).astype(float) for path in pair) for pair in zip(sharp, blurry, strict=True)
    ]
    diagnosis = diagnose_together([(x, y) for x, y in pairs], read_image(kernel).astype(float).mean(0))
    rows = [(entry.orientation, entry.light, f"{entry.residual:.4f}") for entry in diagnosis.candidates]
    typer.echo(tabulate(rows, headers=["kernel file", "light", "residual"], tablefmt="simple"))
    borders = sorted(diagnosis.borders.items(), key=lambda entry: entry[1])
    if borders:
        typer.echo("\n" + tabulate(borders, headers=["boundary", "residual at the border"], floatfmt=".4f"))
    typer.echo("\n" + "\n".join(conclusions(diagnosis)))


@app.command()
def bench(
    method: Annotated[str | None, typer.Argument(help="A method; without one, the uniform blur.")] = None,
    size: Annotated[int, typer.Option(min=1, help="Side of the image, in pixels.")] = 128,
    kernel_size: Annotated[int, typer.Option(min=1, help="Side of the kernel, in pixels.")] = 13,
    steps: Annotated[int, typer.Option(min=1, help="How many steps are timed.")] = 5,
) -> None:
    """Time one step of a method, or the uniform blur by direct sum against FFT."""
    from benchmark.runs.names import base_method
    from benchmark.tools.bench import bench_blur, bench_method
    from methods.parts.settings import keys_of

    if method is None:
        typer.echo(bench_blur().round(2).to_string(index=False))
        return
    if "iterations" not in keys_of(base_method(method).settings):
        raise InputError(f"{method} takes no iterations, so there is no step to time")
    typer.echo(bench_method(method, size, kernel_size, steps).round(2).to_string(index=False))
