"""The verbs for one's own photo."""

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import Device, Seed, given_settings
from benchmark.core.files import require_writable
from benchmark.core.types import Array, InputError, Restoration

app = typer.Typer()


@app.command()
def deblur(
    photo: Annotated[Path, typer.Argument(help="The blurry image file.")],
    out: Annotated[Path, typer.Option(help="Where the restored image goes; the kernel goes beside it.")],
    kernel_size: Annotated[
        int | None,
        typer.Option(
            min=1, help="Side of the square that the blur fits in, in pixels; else several are tried."
        ),
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="Run this method once, on the whole photo; see: blindbench methods.")
    ] = None,
    iterations: Annotated[int | None, typer.Option(min=1, help="The default is the method's own.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Another setting of the method.")
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Deblur one photo, and say how far to trust the result."""
    _check_output(out, photo)
    from benchmark.core.console import reporting
    from benchmark.core.images import Photo, read_photo, write_kernel_image, write_photo
    from benchmark.runs.machine import claimed_device, prepare
    from benchmark.tools.deblur import KERNEL_METHOD, deblur_photo
    from benchmark.tools.one_image import OneImage, describe

    given = read_photo(photo)
    overrides = given_settings(set_, iterations=iterations)
    prepare(threads=None)
    with claimed_device(device) as target, reporting(f"{method or photo.name} ·") as report:
        run = OneImage(method or KERNEL_METHOD, overrides, photo.name, seed, target)
        if method is None:
            result = deblur_photo(given.image, run, () if kernel_size is None else (kernel_size,), report)
            image, kernel = result.image, result.kernel
            lines = [result.verdict.sentence, result.verdict.numbers]
        else:
            restoration = run(given.image, kernel_size, report)
            image = _image_of(restoration, str(photo))
            kernel = None if restoration.kernels is None else restoration.kernels[0].astype(float)
            lines = describe(restoration, given.image)
    lines.append(write_photo(out, Photo(image, given.alpha, given.bits)))
    for line in filter(None, lines):
        typer.echo(f"{out}: {line}")
    if kernel is not None:
        kernel_path = out.with_name(f"{out.stem}_kernel.png")
        write_kernel_image(kernel_path, kernel)
        typer.echo(f"{kernel_path}: the estimated kernel, white is its largest entry")


@app.command("app")
def serve_page(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; by default a free one.")] = 0,
) -> None:
    """Deblur photos in the browser: a page that only this machine can reach."""
    from benchmark.app.server import serve

    serve(port, lambda url: typer.echo(f"Open {url}\nNothing leaves this machine. Ctrl-C ends it."))


def _image_of(restoration: Restoration, name: str) -> Array:
    """Return the image; where the method failed, print one line and exit with code 1."""
    from benchmark.tools.one_image import RestorationError, require_image

    try:
        return require_image(restoration, name)
    except RestorationError as error:
        typer.echo(f"blindbench: {error}", err=True)
        raise typer.Exit(1) from error


def _check_output(out: Path, photo: Path) -> None:
    """Check before hours of work that the result can be written, and not over the input."""
    from benchmark.core.images import can_write

    if not can_write(out):
        raise InputError(f"{out}: unknown image format '{out.suffix}'; write .png or .jpg")
    if not out.parent.is_dir():
        raise InputError(f"{out.parent}: no such folder; create it first")
    require_writable(out.parent)
    if out.exists() and photo.exists() and out.samefile(photo):
        raise InputError(f"{out}: is the photo itself; choose another name")
