"""The verb for one photo."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from PIL import Image

from benchmark.cli.options import Device, Seed, key_value
from benchmark.core.types import Array, InputError, Observation, Restoration, Status

if TYPE_CHECKING:
    pass

app = typer.Typer()


@app.command()
def deblur(
    photo: Annotated[Path, typer.Argument(help="The blurry image file.")],
    out: Annotated[Path, typer.Option(help="Where the restored image goes; the kernel goes beside it.")],
    kernel_size: Annotated[
        int | None,
        typer.Option(min=1, help="Side of the square the blur fits in, in pixels; else several are tried."),
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="Run this one once, on the whole photo; see: blindbench methods.")
    ] = None,
    iterations: Annotated[int | None, typer.Option(min=1, help="The default is the paper's number.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Another setting of the method.")
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Deblur one photo, and say how far to trust the result."""
    import torch

    from benchmark.core.console import reporting
    from benchmark.core.progress import Report
    from benchmark.core.seeds import seed_from
    from benchmark.data.images import Photo, read_photo, write_kernel_image, write_photo
    from benchmark.runs.machine import claimed_device, prepare
    from benchmark.runs.names import base_method
    from benchmark.runs.settings import effective
    from benchmark.tools.deblur import deblur_photo, reblurred
    from methods.parts.solver import Task, solve

    _check_output(out, photo)
    given = read_photo(photo)
    name = method or "l0-robust"
    spec = base_method(name)
    overrides = dict(key_value(text) for text in set_ or [])
    if iterations is not None:
        overrides["iterations"] = iterations
    settings = effective(spec.settings, overrides, f"--set for {name}")
    prepare(threads=None)

    def restore_once(part: Array, size: int | None, target: torch.device, report: Report) -> Restoration:
        observation = Observation("deblur", photo.name, part, None if size is None else (size, size))
        rng = torch.Generator().manual_seed(seed_from("deblur", name, seed))
        task = Task(photo.name, lambda: spec.problem(observation, settings, rng, target))
        ((_, restoration),) = solve([task], report)
        return restoration

    kernel_path = out.with_name(f"{out.stem}_kernel.png")
    if method is None:
        with claimed_device(device) as target, reporting(f"{photo.name} ·") as report:
            deblurred = deblur_photo(
                given.image,
                lambda part, size: restore_once(part, size, target, lambda _: None),
                () if kernel_size is None else (kernel_size,),
                report,
            )
        image, kernel = deblurred.image, deblurred.kernel
        lines = [deblurred.verdict.sentence, deblurred.verdict.numbers]
    else:
        with claimed_device(device) as target, reporting(f"{method} ·") as report:
            restoration = restore_once(given.image, kernel_size, target, report)
        if restoration.image is None:
            message = f"{photo}: {restoration.status.value}: {restoration.reason}"
            if restoration.status in (Status.NOT_SUPPORTED, Status.WEIGHTS_MISSING):
                raise InputError(message)
            typer.echo(message, err=True)
            raise typer.Exit(1)
        image, kernels = restoration.image, restoration.kernels
        kernel = None if kernels is None else kernels[0]
        lines = [
            f"restored in {restoration.iterations} iterations, {restoration.seconds:.0f} s",
            restoration.weights and f"with the weights {restoration.weights}",
        ]
        if kernels is not None and len(kernels) == 1:
            lines.append(reblurred(given.image, image, kernels[0]))
    lines.append(write_photo(out, Photo(image, given.alpha, given.bits)))
    for line in filter(None, lines):
        typer.echo(f"{out}: {line}")
    if kernel is not None:
        write_kernel_image(kernel_path, kernel)
        typer.echo(f"{kernel_path}: the estimated kernel, white is its largest entry")


def _check_output(out: Path, photo: Path) -> None:
    """Before hours of work: the result can be written, and not over the input."""
    if out.suffix.lower() not in Image.registered_extensions():
        raise InputError(f"{out}: unknown image format '{out.suffix}'; write .png or .jpg")
    if not out.parent.is_dir():
        raise InputError(f"{out.parent}: no such folder; create it first")
    if not os.access(out.parent, os.W_OK):
        raise InputError(f"{out.parent}: cannot be written; choose another folder")
    if out.exists() and photo.exists() and out.samefile(photo):
        raise InputError(f"{out}: is the photo itself; choose another name")
