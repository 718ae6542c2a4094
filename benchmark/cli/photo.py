"""The verbs for one's own photo."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchmark.core.types import Array, Restoration

from benchmark.cli.options import Device, Seed, given_settings
from benchmark.core.errors import InputError
from benchmark.core.files import require_writable

app = typer.Typer()


@app.command()
def deblur(
    photo: Annotated[Path, typer.Argument(help="The blurry image file.")],
    out: Annotated[Path, typer.Option(help="Where the restored image goes; the kernel goes beside it.")],
    quality: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Of a .jpg, .webp, .avif or .heic file; the default is 95."),
    ] = None,
    kernel_size: Annotated[
        int | None,
        typer.Option(
            min=1, help="Side of the square that the blur fits in, in pixels; else several are tried."
        ),
    ] = None,
    effort: Annotated[
        Literal["low", "normal", "high"] | None,
        typer.Option(
            help="How long to look for the kernel, by default normal: more sizes, or a network, too."
        ),
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="Run this method once, on the whole photo; see: blindbench methods.")
    ] = None,
    iterations: Annotated[int | None, typer.Option(min=1, help="The default is the method's own.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Another setting of the method.")
    ] = None,
    kernel: Annotated[
        Path | None,
        typer.Option(help="Restore with the kernel of this file (.npz, .npy, .mat or an image)."),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y,WIDTH,HEIGHT",
            help="Find the kernel on this part, in pixels from the top left; else on a textured one.",
        ),
    ] = None,
    streak: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y,WIDTH,HEIGHT",
            help="The kernel is the streak of a single lamp in this part, its rim dark.",
        ),
    ] = None,
    blur: Annotated[
        Literal["motion", "defocus"],
        typer.Option(help="What blurred it: motion, or a lens out of focus or a microscope."),
    ] = "motion",
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Deblur one photo, and say how far to trust the result.

    Beside the photo it writes the kernel, as a picture and as .npz, and a sheet: before and after pixel for
    pixel, and every candidate with its kernel and verdict.
    """
    _check_output(out, photo, quality)
    other_blur = None if blur == "motion" else blur
    _check_choices(
        kernel=kernel, streak=streak, method=method, kernel_size=kernel_size, part=part, blur=other_blur,
        effort=effort, iterations=iterations, set_=set_,
    )  # fmt: skip
    from benchmark.core.console import reporting
    from benchmark.core.kernel_files import read_kernel
    from benchmark.core.photos import read_photo, require_format, write_photo
    from benchmark.runs.machine import claimed_device, prepare
    from benchmark.tools.deblur import Deblurring, read_part
    from benchmark.tools.one_image import OneImage, describe
    from benchmark.tools.search import search
    from benchmark.tools.sheet import write_sheet
    from benchmark.tools.streaks import kernel_of_streak

    given = read_photo(photo)
    require_format(out, given, quality)
    frame = None if part is None else read_part(part, given.image, "--part")
    taken = None if kernel is None else read_kernel(kernel)
    if streak is not None:
        taken = kernel_of_streak(given.image, read_part(streak, given.image, "--streak"))
    overrides = given_settings(set_, iterations=iterations, blur=other_blur)
    prepare(threads=None)
    deblurring = None
    with claimed_device(device) as target, reporting(f"{method or photo.name} ·") as report:
        if method is None:
            deblurring = Deblurring(given.image, frame)
            if taken is None:
                sizes = () if kernel_size is None else (kernel_size,)
                for _ in search(
                    deblurring, photo.name, device=target, sizes=sizes, blur=blur,
                    effort=effort or "normal", seed=seed, settings=overrides, report=report,
                ):  # fmt: skip
                    pass
            else:
                deblurring.take(taken)
            result = deblurring.restored(deblurring.best(), report)
            image, found = result.image, result.kernel
            lines = [line for line in (result.verdict.sentence, result.verdict.numbers) if line]
        else:
            run = OneImage(method, overrides, photo.name, seed, target)
            restoration = run(given.image, kernel_size, report)
            image = _image_of(restoration, str(photo))
            found = None if restoration.kernels is None else restoration.kernels[0].astype(float)
            lines = describe(restoration, given.image)
    lines += write_photo(out, replace(given, image=image), quality)
    for file, sentences in ((photo, given.notes), (out, lines)):
        for sentence in sentences:
            typer.echo(f"{file}: {sentence}")
    if found is not None and kernel is None:
        _write_kernel(out, found)
    if deblurring is not None and found is not None:
        sheet = out.with_name(f"{out.stem}_sheet.png")
        write_sheet(sheet, photo.name, deblurring, result)
        typer.echo(f"{sheet}: before and after pixel for pixel, and every candidate")


def _write_kernel(out: Path, kernel: "NDArray[np.float64]") -> None:
    """Write the kernel beside the photo, as a picture and as an array."""
    from benchmark.core.images import write_kernel_image
    from benchmark.core.kernel_files import write_kernel

    picture, array = (out.with_name(f"{out.stem}_kernel{suffix}") for suffix in (".png", ".npz"))
    write_kernel_image(picture, kernel)
    write_kernel(array, kernel)
    typer.echo(f"{picture}: the estimated kernel, enlarged; white is its largest entry")
    typer.echo(f"{array}: the same as an array, for --kernel")


@app.command("app")
def serve_page(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; by default a free one.")] = 0,
) -> None:
    """Deblur photos in the browser: a page that only this machine can reach."""
    from benchmark.app.server import serve

    serve(port, lambda url: typer.echo(f"Open {url}\nNothing leaves this machine. Ctrl-C ends it."))


def _image_of(restoration: "Restoration", name: str) -> "Array":
    """Return the image; where the method failed, print one line and exit with code 1."""
    from benchmark.tools.one_image import RestorationError, require_image

    try:
        return require_image(restoration, name)
    except RestorationError as error:
        typer.echo(f"blindbench: {error}", err=True)
        raise typer.Exit(1) from error


def _check_choices(*, method: str | None, **others: object) -> None:
    """Refuse options that have no effect beside others."""
    given = [f"--{name.strip('_').replace('_', '-')}" for name, value in others.items() if value is not None]
    for known in ("--kernel", "--streak"):
        rest = [name for name in ["--method"] * (method is not None) + given if name != known]
        if known in given and rest:
            raise InputError(f"{known}: no kernel is estimated then; leave out {' and '.join(rest)}")
    if method is not None and "--part" in given:
        raise InputError("--part: a method runs on the whole photo; leave out --part, or crop the photo")
    if method is not None and "--effort" in given:
        raise InputError("--effort: a method runs once; leave out --effort or --method")
    if "--kernel-size" in given and "--effort" in given:
        raise InputError("--effort: with --kernel-size one size is tried; leave out one of them")
    if method is not None and "--blur" in given:
        raise InputError("--blur: a method has its own model of the blur; leave out --blur or --method")


def _check_output(out: Path, photo: Path, quality: int | None) -> None:
    """Check before hours of work that the result can be written, and not over the input."""
    from benchmark.core.photos import require_format

    require_format(out, quality=quality)
    if not out.parent.is_dir():
        raise InputError(f"{out.parent}: no such folder; create it first")
    require_writable(out.parent)
    if out.exists() and photo.exists() and out.samefile(photo):
        raise InputError(f"{out}: is the photo itself; choose another name")
