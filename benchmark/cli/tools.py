"""Verbs about methods and numbers: list, write, check, train, time."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from benchmark.cli.options import Device, ExperimentSeed, Threads, given_settings, page, text_table
from benchmark.core.errors import InputError

app = typer.Typer()


@app.command("methods")
def show_methods(
    name: Annotated[str | None, typer.Argument(help="A method, to see all about it.")] = None,
) -> None:
    """List the methods, or describe one: settings with defaults, what it needs, weights here."""
    from benchmark.tools.method_pages import describe_method, list_methods, list_settings

    if name is None:
        widths = [None, None, None, 70]
        rows, broken = list_methods()
        typer.echo(text_table(rows, headers="keys", tablefmt="simple", maxcolwidths=widths))
        for sentence in broken:
            typer.echo(f"blindbench: {sentence}", err=True)
        return
    typer.echo(page(describe_method(name)) + "\n")
    settings = list_settings(name)
    if settings:
        typer.echo(text_table(settings, headers="keys", tablefmt="simple", maxcolwidths=[None, 30, 70]))
    else:
        typer.echo("It has no settings.")


@app.command("new-method")
def new_method_command(
    name: Annotated[str, typer.Argument(help="Of the method: small letters and digits, joined by hyphens.")],
) -> None:
    """Write a complete, commented method to start from, its test, and a config that runs it."""
    from benchmark.tools.new_method import new_method

    written = new_method(name, Path())
    for path in written.files:
        typer.echo(f"wrote {path}")
    typer.echo("\nWhat to type next:")
    for step in written.steps:
        typer.echo(f"  {step}")


@app.command("check-method")
def check_method_command(
    name: Annotated[str, typer.Argument(help="A method of the suite or of another package.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting that makes it small.")
    ] = None,
) -> None:
    """Check what every method promises, on images of 31 x 34 pixels: a line for each promise.

    Exit code 1: a promise is broken; its line says what was seen and what to do.
    """
    from collections import Counter

    from benchmark.runs.machine import prepare
    from benchmark.tools.conformance import check_method
    from methods.parts.registry import find

    method, given, counts = find(name), given_settings(set_), Counter[str]()
    prepare(threads=1)
    for outcome in check_method(method, given):
        counts[outcome.word] += 1
        reason = f": {outcome.reason}" if outcome.reason else ""
        typer.echo(f"{outcome.word}  {outcome.promise}{reason}")
    typer.echo(f"{name}: {counts['pass']} kept, {counts['FAIL']} broken, {counts['skip']} not checked")
    raise typer.Exit(1 if counts["FAIL"] else 0)


@app.command()
def pretrain(
    name: Annotated[str | None, typer.Argument(help="A training, such as decoder.")] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="Show all trainings, and what those that ship cost and are worth.")
    ] = False,
    kernel_size: Annotated[
        str | None, typer.Option(help="Side of the kernels, in pixels; any: one network for all up to 75.")
    ] = None,
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
    start: Annotated[
        str, typer.Option(help="A folder: begin with the weights that the same training wrote there.")
    ] = "",
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
    from benchmark.pretraining.listing import listing
    from benchmark.runs.machine import claimed_device, prepare

    if list_:
        typer.echo(listing())
        return
    if name is None:
        raise InputError("pretrain: give the name of a training; --list shows all")
    overrides = given_settings([*[f"kernel_size={kernel_size}"] * (kernel_size is not None), *(set_ or ())])
    order = Order(
        name, overrides, images=tuple(images or ()), pairs=tuple(pairs or ()), start=start,
        terms=data_terms, steps=steps, minutes=max_minutes, seed=seed, remark=remark, half=half,
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
    typer.echo(text_table(nearest, headers="keys", tablefmt="simple"))
    typer.echo(conclusion(table, published))


@app.command()
def match(
    dataset: Annotated[str, typer.Argument(help="The dataset whose cases were restored elsewhere.")],
    path: Annotated[
        str,
        typer.Argument(help="A folder, or a pattern such as 'theirs/{case}_x.png': `path` in a config."),
    ],
    kernels: Annotated[
        bool, typer.Option("--kernels", help="Look for kernels, as `given-kernel` does, not for images.")
    ] = False,
    cases: Annotated[str, typer.Option(help="Shell patterns of case names, comma-separated.")] = "*",
) -> None:
    """Show which file of another program belongs to which case, and what is left over on both sides.

    Exit code 1: a case has no file, or it is not clear which.
    """
    from benchmark.data.descriptors import find_dataset
    from benchmark.tools.match import match as matched
    from methods.parts.case_files import kernel_files, restored_images

    selected = find_dataset(dataset).selected(cases.split(","))
    result = matched(selected, (kernel_files if kernels else restored_images)(path))
    if result.files:
        typer.echo(text_table(result.files.items(), headers=["case", "file"], tablefmt="simple") + "\n")
    typer.echo(f"{len(result.files)} of {len(selected)} cases have one file.")
    leftovers = {"Without a file": result.missing, "Files of no case": result.unused}
    for title, names in leftovers.items():
        if names:
            typer.echo(f"{title} ({len(names)}): {', '.join(map(str, names))}")
    for case, reason in result.refused.items():
        typer.echo(f"Not clear: {case}: {reason}")
    raise typer.Exit(len(result.files) < len(selected))


@app.command()
def doctor(
    kernel: Annotated[
        list[Path],
        typer.Option(help="The kernel's file: an image, .npy, .npz or .mat; again for one per blurry image."),
    ],
    blurry: Annotated[list[Path], typer.Option(help="A blurry image; again for more of them.")],
    sharp: Annotated[
        list[Path] | None,
        typer.Option(help="A sharp image for each blurry one, in order; without them only the orientation."),
    ] = None,
) -> None:
    """Find how an image was blurred: kernel orientation, light, shift, intensities, boundary, noise."""
    from benchmark.core.images import read_image
    from benchmark.core.kernel_files import read_kernel
    from benchmark.runs.machine import prepare
    from benchmark.tools.doctor import conclusions, diagnose_together, energies, verdict_of

    if sharp and len(sharp) != len(blurry):
        raise InputError(f"{len(sharp)} sharp and {len(blurry)} blurry images: give one --blurry per --sharp")
    prepare(threads=None)
    kernels = [read_kernel(path) for path in kernel]
    seen = [read_image(path).astype(float) for path in blurry]
    if not sharp:
        found = energies(seen, kernels)
        typer.echo(text_table(found.items(), headers=["kernel file", "energy"], floatfmt=".4f"))
        typer.echo("\n" + verdict_of(found))
        return
    truth = [read_image(path).astype(float) for path in sharp]
    diagnosis = diagnose_together(list(zip(truth, seen, strict=True)), kernels)
    rows = [(entry.orientation, entry.light, f"{entry.residual:.4f}") for entry in diagnosis.candidates]
    typer.echo(text_table(rows, headers=["kernel file", "light", "residual"], tablefmt="simple"))
    borders = sorted(diagnosis.borders.items(), key=lambda entry: entry[1])
    if borders:
        typer.echo("\n" + text_table(borders, headers=["boundary", "residual at the border"], floatfmt=".4f"))
    typer.echo("\n" + "\n".join(conclusions(diagnosis)))


@app.command()
def verdicts(
    dataset: Annotated[str, typer.Argument(help="A dataset that is blurred here, such as photo-blurs.")],
    out: Annotated[Path, typer.Option(help="The CSV file to write, a row for each case.")],
    cases: Annotated[str, typer.Option(help="Shell patterns of case names, comma-separated.")] = "*",
    experiment_seed: ExperimentSeed = 0,
) -> None:
    """Try `deblur` on photographs that are blurred here, and count its verdicts against what was gained."""
    import pandas as pd
    import torch

    from benchmark.core.console import reporting
    from benchmark.core.files import require_writable, write_text
    from benchmark.data.descriptors import find_dataset
    from benchmark.runs.machine import prepare
    from benchmark.tools.deblur import KERNEL_METHOD
    from benchmark.tools.one_image import OneImage
    from benchmark.tools.trials import counted, trials

    require_writable(out.parent)
    described = find_dataset(dataset)
    selected = described.selected(cases.split(","))
    prepare(threads=None)
    estimate = OneImage(KERNEL_METHOD, {}, dataset, 0, torch.device("cpu"))
    with reporting("verdicts ·") as report:
        rows = pd.DataFrame(list(trials(described, estimate, selected, experiment_seed, report)))
    write_text(out, rows.to_csv(index=False, float_format="%.4f"))
    typer.echo(counted(rows).round(1).to_string(index=False, na_rep=""))
    typer.echo(f"{out}: a row for each of {len(rows)} cases")


@app.command()
def bench(
    method: Annotated[
        str | None, typer.Argument(help="A method, or 'gpu'; without one, the uniform blur.")
    ] = None,
    size: Annotated[int, typer.Option(min=1, help="Side of the image, in pixels.")] = 255,
    kernel_size: Annotated[int, typer.Option(min=1, help="Side of the kernel, in pixels.")] = 17,
    steps: Annotated[int, typer.Option(min=1, help="How often a step is timed.")] = 5,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting of the method.")
    ] = None,
    threads: Threads = 1,
    seconds: Annotated[float, typer.Option(min=0, help="With 'gpu': how long it may take.")] = 110.0,
    device: Annotated[str, typer.Option(help="With 'gpu': cuda, or cpu for a tiny rehearsal.")] = "cuda",
    out: Annotated[Path | None, typer.Option(help="With 'gpu': the CSV file to write.")] = None,
    count: Annotated[bool, typer.Option(help="With 'gpu': count a step's work, without a GPU.")] = False,
) -> None:
    """Time a step of a method beside a plain loop, a GPU, or the uniform blur by direct sum against FFT.

    The plain loop is a joint fit of image and kernel from PyTorch's own modules, with networks of the same
    sizes. Columns with 'of' compare operations per second with those of a convolution or matrix product.
    'gpu' times the plain loop, eager and captured steps, and several cases at once, at several sizes.
    """
    from benchmark.runs.names import base_method, require_preset
    from benchmark.tools.bench import Workload, bench_blur, bench_method
    from methods.parts.settings import keys_of

    if method == "gpu":
        _bench_gpu(seconds, device, out, count)
        return
    if method is None:
        typer.echo(bench_blur().round(2).to_string(index=False))
        return
    require_preset(method)
    if "iterations" not in keys_of(base_method(method).settings):
        raise InputError(f"{method} takes no iterations, so there is no step to time")
    work = Workload(method, given_settings(set_), size, kernel_size, threads=threads)
    typer.echo(bench_method(work, steps).round(3).to_string(index=False, na_rep=""))


def _bench_gpu(seconds: float, name: str, out: Path | None, count: bool) -> None:
    """Do the work of `bench gpu`."""
    from benchmark.core.console import reporting
    from benchmark.core.files import require_writable
    from benchmark.runs.gpus import require_memory
    from benchmark.runs.machine import claimed_device
    from benchmark.scoring.csv_files import write_frame
    from benchmark.tools.gpu_bench import MEMORY, REHEARSAL, SIZES, counted, measure

    if count:
        typer.echo(counted().round(2).to_string(index=False))
        return
    if out is not None:
        require_writable(out.parent)
    with claimed_device(name) as device, reporting("bench gpu ·") as report:
        if device.type == "cuda":
            require_memory(device, MEMORY)
        frame = measure(device, seconds, report, SIZES if device.type == "cuda" else REHEARSAL)
    if out is not None:
        write_frame(frame, out)
    typer.echo(frame.round(2).to_string(index=False, na_rep=""))


@app.command()
def scaling(
    method: Annotated[str, typer.Argument(help="A method with an image network, such as selfdeblur@quick.")],
    out: Annotated[Path, typer.Option(help="The CSV file to write, a row for each way to do a step.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting of the method.")
    ] = None,
) -> None:
    """Time a step as image, kernel, network, colours, grid and threads grow; `fill` makes tables of it."""
    from benchmark.core.console import reporting
    from benchmark.core.files import require_writable
    from benchmark.runs.names import require_preset
    from benchmark.scoring.csv_files import write_frame
    from benchmark.tools.scaling import measure

    require_writable(out.parent)
    require_preset(method)
    with reporting("scaling ·") as report:
        frame = measure(method, given_settings(set_), report)
    write_frame(frame, out)
    typer.echo(f"{out}: {len(frame)} rows", err=True)
