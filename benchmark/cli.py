"""The command `blindbench`. Each step of the workflow is one verb, so that it can be run by hand."""

import json
import logging
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pandas as pd
import typer
import yaml
from PIL import Image
from tabulate import tabulate

from benchmark.types import Array, InputError, Observation, Restoration, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark.pages import Sheet
    from benchmark.papers import Definition

app = typer.Typer(
    help="A benchmark and reproducibility suite for blind motion deblurring.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
bench_app = typer.Typer(help="Measure speed, as ratios within one run.", no_args_is_help=True)
app.add_typer(bench_app, name="bench")

Results = Annotated[Path, typer.Option(help="The results folder, results/<profile>.")]
Seed = Annotated[int, typer.Option(min=0, help="Which repetition: seeds the method's initial weights.")]
ExperimentSeed = Annotated[int, typer.Option(min=0, help="Seeds kernels and noise.")]
Cases = Annotated[str, typer.Option(help="Case names, comma-separated.")]
TableDatasets = Annotated[
    str,
    typer.Option("--datasets", help="The datasets it shows, comma-separated; a paper's table has its own."),
]
Snapshots = Annotated[str, typer.Option(help="Iterations, comma-separated.")]
Titles = Annotated[str, typer.Option(help="JSON object: method to the words for it, as in a config.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads.")]
Caption = Annotated[str, typer.Option(help="What it says of the profile.")]
DEMO = Path("results/demo")


@app.command()
def download(
    sources: Annotated[list[str], typer.Argument(help="Names of sources, see datasets/sources.yaml.")],
    accept_terms: Annotated[bool, typer.Option(help="Accept the terms that are shown.")] = False,
) -> None:
    """Get data into datasets/; nothing is downloaded by any other verb.

    Exit code 1: the network failed, the same command continues. 2: the message says what you must do.
    """
    from benchmark.descriptors import freeze_lists
    from benchmark.download import download as get
    from benchmark.sources import find_source
    from benchmark.transfer import TransferError

    code = 0
    for source in [find_source(name) for name in sources]:
        try:
            get(source, lambda line: typer.echo(line, err=True), accept_terms=accept_terms)
            freeze_lists(source.name)
        except (InputError, TransferError) as error:  # the other sources go on
            typer.echo(f"blindbench: {error}", err=True)
            code = max(code, 2 if isinstance(error, InputError) else 1)
    raise typer.Exit(code)


@app.command()
def synthesize(
    dataset: Annotated[str, typer.Argument(help="A dataset, or <dataset>@<condition>; see datasets/.")],
    cases: Annotated[str, typer.Option(help="Shell patterns of case names, comma-separated.")] = "*",
    results: Results = DEMO,
    experiment_seed: ExperimentSeed = 0,
) -> None:
    """Blur the sharp images of a dataset and add noise: what the methods will see."""
    from benchmark.cases import make_case
    from benchmark.descriptors import find_dataset
    from benchmark.files import write_text
    from benchmark.progress import counted
    from benchmark.store import Store, observation_hash
    from benchmark.synthesis import observe

    store, descriptor, hashes = Store(results), find_dataset(dataset), {}
    selected = descriptor.selected(cases.split(","))
    for case_id in counted(selected, f"{dataset}: making observations"):
        observation, truth = observe(make_case(descriptor, case_id, experiment_seed), experiment_seed)
        store.write_observation(observation, truth)
        hashes[case_id] = observation_hash(observation)
    write_text(store.observations_manifest(dataset), json.dumps(hashes, indent=2) + "\n")
    typer.echo(f"{dataset}: {len(hashes)} observations in {results}", err=True)


@app.command()
def restore(
    dataset: Annotated[str, typer.Argument(help="A synthesised dataset.")],
    method: Annotated[str, typer.Argument(help="A method, or <method>@<setting>.")],
    cases: Cases,
    results: Results = DEMO,
    seed: Seed = 0,
    shard: Annotated[int, typer.Option(min=0, help="Number of the manifest to write.")] = 0,
    settings: Annotated[
        str, typer.Option(help="JSON object of settings that differ from the paper's.")
    ] = "{}",
    experiment_seed: ExperimentSeed = 0,
    snapshots: Snapshots = "",
    device: Device = "auto",
    jobs_per_gpu: Annotated[int, typer.Option(min=1, help="How many such commands share one GPU.")] = 1,
    threads: Threads = 1,
) -> None:
    """Run a method on cases of a dataset; finished cases are kept, unfinished ones continue.

    With --snapshots the estimates after so many iterations are kept too, to be scored.
    """
    from benchmark.machine import claimed_device, prepare
    from benchmark.progress import reporting
    from benchmark.restore import restore_shard
    from benchmark.store import Store

    logging.basicConfig(level=logging.INFO)  # a case that crashes leaves its traceback in the job's log
    prepare(threads)
    with claimed_device(device, jobs_per_gpu) as target, reporting(f"{method} · {dataset}") as report:
        restore_shard(
            Store(results),
            dataset,
            method,
            cases.split(","),
            seed=seed,
            shard=shard,
            overrides=_json_object(settings),
            snapshots=_iterations(snapshots),
            experiment_seed=experiment_seed,
            device=target,
            report=report,
        )


@app.command()
def score(
    dataset: Annotated[str, typer.Argument(help="A dataset that was restored.")],
    method: Annotated[str, typer.Argument(help="A method, or <method>@<setting>.")],
    cases: Cases,
    out: Annotated[Path, typer.Option(help="The CSV file to write.")],
    protocol: Annotated[
        str, typer.Option(help="plain, shift-rgb, ...: see docs/protocols.md.")
    ] = "shift-rgb",
    metrics: Annotated[str, typer.Option(help="Comma-separated, named as in a config.")] = "psnr,ssim",
    results: Results = DEMO,
    seed: Seed = 0,
    snapshots: Snapshots = "",
    convergence: Annotated[Path | None, typer.Option(help="The CSV file for --snapshots.")] = None,
    threads: Threads = 1,
) -> None:
    """Compare restorations with the sharp images; with --snapshots also PSNR and SSIM on the way to them.

    LPIPS, NIQE and BRISQUE read their weights below BLINDBENCH_MIRROR or TORCH_HOME; nothing is downloaded.
    """
    from benchmark.machine import prepare
    from benchmark.protocols import PROTOCOLS
    from benchmark.schema import did_you_mean
    from benchmark.scoring import score_method, score_snapshots, write_frame
    from benchmark.store import Store

    if protocol not in PROTOCOLS:
        raise InputError(f"unknown protocol '{protocol}'. {did_you_mean(protocol, list(PROTOCOLS))}")
    if bool(snapshots) != (convergence is not None):
        raise InputError("--snapshots and --convergence go together: which iterations, and the file for them")
    iterations = _iterations(snapshots)
    prepare(threads)
    where = (Store(results), dataset, method, cases.split(","))
    write_frame(score_method(*where, seed=seed, protocol=protocol, metrics=metrics.split(",")), out)
    if convergence is not None:
        on_the_way = score_snapshots(*where, seed=seed, protocol=protocol, snapshots=iterations)
        write_frame(on_the_way, convergence)


@app.command()
def collect(
    files: Annotated[list[Path], typer.Argument(help="Score tables (.csv) and shard manifests (.json).")],
    results: Results = DEMO,
) -> None:
    """Join all scores in scores.csv and all runs in runs.csv."""
    from benchmark.scoring import SCORE_COLUMNS, read_frame, runs_frame, write_frame

    scores = [read_frame(path, SCORE_COLUMNS) for path in files if path.suffix == ".csv"]
    records = [record for path in files if path.suffix == ".json" for record in _json_list(path)]
    write_frame(runs_frame(records), results / "runs.csv")
    write_frame(pd.concat(scores, ignore_index=True), results / "scores.csv")
    _warn_of_failures(records)


@app.command()
def tables(
    name: Annotated[str, typer.Argument(help="The table's name, such as uniform or glkm-table1.")],
    datasets: TableDatasets = "",
    caption: Caption = "",
    titles: Titles = "{}",
    results: Results = DEMO,
) -> None:
    """Write tables/<name>.csv, .md and .tex from scores.csv and runs.csv."""
    from benchmark.controls import flags
    from benchmark.files import write_text
    from benchmark.pages import latex, markdown
    from benchmark.scoring import write_frame
    from benchmark.tables import gaps

    definition, table, scores = _summarised(name, datasets, results, titles)
    shown = datasets.split(",") if datasets else definition.datasets
    notes = [*gaps(shown, scores), *flags(scores[scores.dataset.isin(definition.datasets)])]
    out = results / "tables"
    write_frame(table, out / f"{name}.csv")
    write_text(out / f"{name}.tex", latex(table, definition, caption=caption, notes=notes))
    page = markdown(table, definition, caption=caption, notes=notes)
    write_text(out / f"{name}.md", page)
    typer.echo(page, err=True)


@app.command()
def grid(
    name: Annotated[str, typer.Argument(help="The table's name, such as robustness.")],
    definition: Annotated[str, typer.Option(help="JSON object: an entry of a config's `grids`.")],
    caption: Caption = "",
    titles: Titles = "{}",
    results: Results = DEMO,
) -> None:
    """Write tables/<name>.csv, .md and .tex: one score over two sets of conditions, for each method."""
    from benchmark.files import write_text
    from benchmark.pages import grid_latex, grid_markdown
    from benchmark.papers import Grid
    from benchmark.scoring import RUN_COLUMNS, SCORE_COLUMNS, read_frame, write_frame
    from benchmark.tables import gaps, grid_table, summary

    shown = Grid(**_json_object(definition, "--definition"))
    scores = read_frame(results / "scores.csv", SCORE_COLUMNS)
    table_of = grid_table(name, shown, scores, _json_object(titles, "--titles"))
    table = summary(table_of, scores, read_frame(results / "runs.csv", RUN_COLUMNS))
    notes, out = gaps(table_of.datasets, scores), results / "tables"
    write_frame(table, out / f"{name}.csv")
    write_text(out / f"{name}.tex", grid_latex(table, shown, caption=caption, notes=notes))
    page = grid_markdown(table, shown, caption=caption, notes=notes)
    write_text(out / f"{name}.md", page)
    typer.echo(page, err=True)


@app.command()
def figures(
    name: Annotated[str, typer.Argument(help="The figure's name, such as uniform.")],
    dataset: Annotated[str, typer.Option(help="The dataset it shows.")],
    cases: Cases,
    methods: Annotated[str, typer.Option(help="Comma-separated, in the order of the columns.")],
    titles: Titles = "{}",
    results: Results = DEMO,
    seed: Seed = 0,
) -> None:
    """Draw figures/<name>.png and .pdf: each method's image and kernel."""
    from benchmark.figures import qualitative
    from benchmark.store import Store
    from benchmark.tables import labelled

    out, store = results / "figures" / name, Store(results)
    shown, columns = cases.split(","), methods.split(",")
    weights = store.weights_behind({dataset: shown}, columns, seed)
    words = labelled(_json_object(titles, "--titles"), weights)
    qualitative(store, dataset, shown, columns, seed, out, words)


@app.command("score-plot")
def score_plot_command(
    name: Annotated[str, typer.Argument(help="The table's name, such as uniform or glkm-table1.")],
    datasets: TableDatasets = "",
    titles: Titles = "{}",
    results: Results = DEMO,
) -> None:
    """Draw figures/<name>-scores.png and .pdf: the scores behind a table, case by case."""
    from benchmark.figures import score_plot

    definition, table, scores = _summarised(name, datasets, results, titles)
    score_plot(definition, table, scores, results / "figures" / f"{name}-scores", _weights(results))


@app.command()
def convergence(
    files: Annotated[list[Path], typer.Argument(help="Tables that `blindbench score --convergence` wrote.")],
    reference: Annotated[str, typer.Option(help="The method whose final PSNR the others are to reach.")],
    caption: Caption = "",
    titles: Titles = "{}",
    results: Results = DEMO,
) -> None:
    """Join the scores of snapshots in convergence.csv; draw them, and tell when a reference is reached.

    Writes tables/convergence.csv, .md and .tex and figures/convergence.png and .pdf too.
    """
    from benchmark.convergence import curves, reach, reach_sheets
    from benchmark.plots import convergence_plot
    from benchmark.scoring import CONVERGENCE_COLUMNS, read_frame, write_frame
    from benchmark.tables import labelled

    words = labelled(_json_object(titles, "--titles"), _weights(results))
    frames = [read_frame(path, CONVERGENCE_COLUMNS) for path in files]
    frame = pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    write_frame(frame, results / "convergence.csv")
    table = reach(frame, reference)
    _write_sheets(table, "convergence", reach_sheets(table, words), caption, results)
    convergence_plot(curves(frame), reference, results / "figures" / "convergence", words)


@app.command()
def sensitivity(
    datasets: Annotated[str, typer.Option(help="The datasets it shows, comma-separated.")],
    caption: Caption = "",
    titles: Titles = "{}",
    results: Results = DEMO,
) -> None:
    """Tell from scores.csv how much PSNR depends on the seed, case by case.

    Writes tables/sensitivity.csv, .md and .tex and figures/sensitivity.png and .pdf.
    """
    from benchmark.plots import sensitivity_plot
    from benchmark.scoring import SCORE_COLUMNS, read_frame
    from benchmark.sensitivity import few_cases, of_methods, spread, spread_sheets
    from benchmark.tables import labelled

    words = labelled(_json_object(titles, "--titles"), _weights(results))
    scores = of_methods(read_frame(results / "scores.csv", SCORE_COLUMNS), datasets.split(","))
    table = spread(scores)
    _write_sheets(table, "sensitivity", spread_sheets(table, words), caption, results)
    shown, text = few_cases(scores)
    sensitivity_plot(shown, results / "figures" / "sensitivity", text, words)


@app.command("paper-figure")
def paper_figure_command(
    name: Annotated[str, typer.Argument(help="The figure's name, such as glkm-fig4.")],
    cases: Annotated[str, typer.Option(help="JSON object: dataset to the names of its cases.")] = "{}",
    methods: Annotated[str, typer.Option(help="Comma-separated, in the order of the columns.")] = "",
    seeds: Annotated[str, typer.Option(help="Comma-separated.")] = "0",
    protocol: Annotated[str, typer.Option(help="As for `score`.")] = "shift-rgb",
    conditions: Annotated[
        str, typer.Option(help="JSON object: words to dataset, all of its cases; in place of --cases.")
    ] = "{}",
    note: Annotated[str, typer.Option(help="What is left out, and why.")] = "",
    caption: Caption = "",
    titles: Titles = "{}",
    results: Results = DEMO,
) -> None:
    """Draw a figure of a paper, figures/<name>.png and .pdf, as far as its methods and data are here."""
    from benchmark.paper_figures import Shown, draw
    from benchmark.papers import paper_figure
    from benchmark.store import Store
    from benchmark.tables import labelled

    store, named = Store(results), _json_object(cases, "--cases")
    columns, repetitions = methods.split(",") if methods else [], [int(seed) for seed in seeds.split(",")]
    weights = store.weights_behind(named, columns, repetitions[0]) if named else _weights(results)
    shown = Shown(
        cases=named,
        methods=columns,
        seeds=repetitions,
        protocol=protocol,
        titles=labelled(_json_object(titles, "--titles"), weights),
        conditions=_json_object(conditions, "--conditions"),
    )
    out = results / "figures" / name
    for line in draw(paper_figure(name), store, shown, [caption, note], out):
        typer.echo(f"{name}: {line}", err=True)


@app.command()
def run(
    targets: Annotated[list[str] | None, typer.Argument(help="Targets; the default is all tables.")] = None,
    configfile: Annotated[
        Path | None, typer.Option(help="A config; the default is config/demo.yaml.")
    ] = None,
    cores: Annotated[int, typer.Option(min=1)] = os.cpu_count() or 1,
    retry_failed: Annotated[bool, typer.Option(help="Run cases again that ended without an image.")] = False,
) -> None:
    """Run the workflow (the same as `snakemake`), if wanted with another try for failed cases."""
    from benchmark.files import try_lock
    from benchmark.plan import Plan
    from benchmark.schema import ROOT, read_yaml
    from benchmark.store import forget_failed

    path = configfile or ROOT / "config" / "demo.yaml"
    plan = Plan.from_config(read_yaml(path), str(path))
    if retry_failed:
        lock = try_lock(plan.results / ".lock")  # the Snakefile's
        if lock is None:
            raise InputError(f"another run is working in {plan.results}; wait for it or stop it")
        with lock:
            typer.echo(f"{forget_failed(plan.results)} failed cases will run again", err=True)
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), *(targets or [])]
    command += ["--configfile", str(configfile)] if configfile else []  # takes all words that follow it
    raise typer.Exit(subprocess.run(command, check=False).returncode)


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

    from benchmark.images import Photo, read_photo, write_kernel_image, write_photo
    from benchmark.machine import claimed_device, prepare
    from benchmark.photo import deblur_photo, reblurred
    from benchmark.plan import base_method
    from benchmark.progress import reporting
    from benchmark.seeds import seed_from
    from benchmark.settings import effective
    from methods.solver import Report, Task, solve

    _check_output(out, photo)
    given = read_photo(photo)
    name = method or "l0-robust"
    spec = base_method(name)
    overrides = dict(_key_value(text) for text in set_ or [])
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


@app.command()
def pretrain(
    name: Annotated[str, typer.Argument(help="A training, such as decoder; a wrong one lists all.")],
    kernel_size: Annotated[int | None, typer.Option(help="Side of the kernels, in pixels.")] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(help="A folder of photographs, or <source>[/<folder>]; again for more of them."),
    ] = None,
    pairs: Annotated[
        list[str] | None,
        typer.Option(
            help="A folder with pairs, blur/ beside sharp/ or gt/, at any depth; in place of --images."
        ),
    ] = None,
    data_terms: Annotated[
        str, typer.Option(help="Terms of the photographs, for the model card; known of sources.")
    ] = "",
    out: Annotated[
        Path, typer.Option(help="Where the results go, and where earlier trainings' weights are.")
    ] = Path("results/pretrain"),
    max_minutes: Annotated[
        float | None, typer.Option(help="The training ends then, its learning rates fitted to it.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="The default is the training's own number.")] = None,
    settings: Annotated[
        str, typer.Option(help="JSON object of settings that differ from the training's own.")
    ] = "{}",
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting, over --settings.")
    ] = None,
    remark: Annotated[str, typer.Option(help="Goes into the label of the weights, such as demo.")] = "",
    half: Annotated[bool, typer.Option(help="Store the weights in half precision.")] = False,
    seed: Annotated[int, typer.Option(help="Seeds weights, kernels and crops.")] = 0,
    device: Device = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads; torch's choice by default.")
    ] = None,
) -> None:
    """Train a network that methods start from: its weights, losses, quality and a model card.

    A training that was stopped or killed continues with the same command; a finished one is left alone.
    """
    from benchmark.machine import claimed_device, prepare
    from benchmark.pretraining import Job, Order, pretrain
    from benchmark.progress import reporting

    overrides = _json_object(settings) | dict(_key_value(text) for text in set_ or [])
    if kernel_size is not None:
        overrides["kernel_size"] = kernel_size
    order = Order(
        name, overrides, images=tuple(images or ()), pairs=tuple(pairs or ()), terms=data_terms,
        steps=steps, minutes=max_minutes, seed=seed, remark=remark, half=half,
    )  # fmt: skip
    job = Job.checked(order, out)
    prepare(threads)
    with claimed_device(device) as target, reporting("pretrain ·") as report:
        trained = pretrain(job, target, threads or os.cpu_count() or 1, report)
    typer.echo(f"{job.record_path.with_suffix('.md')}: " + ("trained" if trained else "is finished already"))


@app.command()
def detective(
    restored: Annotated[Path, typer.Option(help="A folder of restored images.")],
    sharp: Annotated[Path, typer.Option(help="A folder of sharp images, paired with them by name.")],
    published: Annotated[str, typer.Option(help="The average as printed, such as 24.97.")],
    metric: Annotated[Literal["psnr", "ssim"], typer.Option(help="What it is an average of.")] = "psnr",
    rows: Annotated[int, typer.Option(min=1, help="How many protocols are shown.")] = 15,
) -> None:
    """Find the protocols (border, alignment, colour, rounding, average) that give a published number."""
    from benchmark.detective import conclusion, investigate, paired, tolerance
    from benchmark.machine import prepare
    from benchmark.progress import reporting

    tolerance(published)  # refused before the work
    found = paired(restored, sharp)
    if found.unpaired:
        names = ", ".join(path.name for path in found.unpaired)
        typer.echo(f"left out, without a sharp partner ({len(found.unpaired)}): {names}", err=True)
    prepare(threads=None)
    with reporting("detective ·") as report:
        table = investigate(found.pairs, float(published), metric, report)
    shown = table.head(rows).round({"value": 4, "difference": 4}).to_dict("records")
    typer.echo(tabulate(shown, headers="keys", tablefmt="simple"))
    typer.echo(conclusion(table, published))


@app.command()
def doctor(
    sharp: Annotated[list[Path], typer.Option(help="The sharp image; again for more images of one kernel.")],
    kernel: Annotated[Path, typer.Option(help="The kernel's image file.")],
    blurry: Annotated[list[Path], typer.Option(help="The blurry image, one for each sharp one, in order.")],
) -> None:
    """Find how an image was blurred: kernel orientation, light, shift, intensities, boundary, noise."""
    from benchmark.doctor import conclusions, diagnose_together
    from benchmark.images import read_image
    from benchmark.machine import prepare

    if len(sharp) != len(blurry):
        raise InputError(f"{len(sharp)} sharp and {len(blurry)} blurry images: give one --blurry per --sharp")
    prepare(threads=None)
    pairs = [
        tuple(read_image(path).astype(float) for path in pair) for pair in zip(sharp, blurry, strict=True)
    ]
    found = diagnose_together([(x, y) for x, y in pairs], read_image(kernel).astype(float).mean(0))
    rows = [(entry.orientation, entry.light, f"{entry.residual:.4f}") for entry in found.candidates]
    typer.echo(tabulate(rows, headers=["kernel file", "light", "residual inside"], tablefmt="simple"))
    borders = sorted(found.borders.items(), key=lambda entry: entry[1])
    if borders:
        typer.echo("\n" + tabulate(borders, headers=["boundary", "residual there"], floatfmt=".4f"))
    typer.echo("\n" + "\n".join(conclusions(found)))


@app.command("methods")
def list_methods() -> None:
    """List the methods."""
    from methods.registry import built_in

    rows = [
        {"method": m.name, "title": m.title, "blur": ", ".join(m.blur_models), "paper": m.paper}
        for m in built_in().values()
    ]
    typer.echo(tabulate(rows, headers="keys", tablefmt="simple", maxcolwidths=[None, None, None, 70]))


@app.command("datasets")
def list_datasets() -> None:
    """List the datasets: how many cases, whether their files are here, how to get them, under which terms."""
    from benchmark.overview import datasets_overview, sources_overview

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
    from benchmark.cases import make_case
    from benchmark.descriptors import find_dataset
    from benchmark.figures import contact_sheet
    from benchmark.synthesis import observe

    found = [find_dataset(name) for name in datasets]
    contact_sheet(
        [
            observe(make_case(dataset, case, experiment_seed), experiment_seed)
            for dataset in found
            for case in dataset.selected(cases.split(","))
        ],
        out.with_suffix(""),
    )


@app.command("plan")
def show_plan(
    configfile: Annotated[Path, typer.Argument(help="A config.")] = Path("config/demo.yaml"),
) -> None:
    """Show which tables a config fills: how many cases they have, how many of them run, and why not all."""
    from benchmark.overview import plan_overview
    from benchmark.plan import Plan
    from benchmark.schema import read_yaml

    overview = plan_overview(Plan.from_config(read_yaml(configfile), str(configfile)))
    widths = [None] * 4 + [80]
    typer.echo(tabulate(overview, headers="keys", tablefmt="simple", maxcolwidths=widths))


@bench_app.command("blur")
def bench_blur_command() -> None:
    """Direct sum against FFT for the uniform blur."""
    from benchmark.bench import bench_blur

    typer.echo(bench_blur().round(2).to_string(index=False))


@bench_app.command("method")
def bench_method_command(
    name: Annotated[str, typer.Argument(help="A method.")],
    size: Annotated[int, typer.Option(min=1, help="Side of the image, in pixels.")] = 128,
    kernel_size: Annotated[int, typer.Option(min=1)] = 13,
    steps: Annotated[int, typer.Option(min=1)] = 5,
) -> None:
    """One step of a method at the paper's settings, freed memory kept against returned."""
    from benchmark.bench import bench_method
    from benchmark.plan import base_method

    if "iterations" not in {field.name for field in fields(base_method(name).settings)}:
        raise InputError(f"{name} takes no iterations, so there is no step to time")
    typer.echo(bench_method(name, size, kernel_size, steps).round(2).to_string(index=False))


def main() -> None:
    """Run the command line; bad input is one line and exit code 2, never a traceback."""
    try:
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        _fail(error.format_message(), 2)
    except InputError as error:
        _fail(str(error), 2)
    if code == 130:  # typer's word for Ctrl-C
        _fail("stopped; the workflow continues where it was when the same command is given again", code)
    sys.exit(code)


def _fail(message: str, code: int) -> None:
    print(f"blindbench: {message}", file=sys.stderr)
    sys.exit(code)


def _summarised(
    name: str, datasets: str, results: Path, titles: str
) -> tuple["Definition", pd.DataFrame, pd.DataFrame]:
    """A table's definition, its numbers, and all scores. Without datasets it is a paper's table."""
    from benchmark.descriptors import find_dataset
    from benchmark.papers import paper_table
    from benchmark.scoring import RUN_COLUMNS, SCORE_COLUMNS, read_frame
    from benchmark.tables import own_table, summary

    definition = None if datasets else paper_table(name)
    scores = read_frame(results / "scores.csv", SCORE_COLUMNS)
    runs = read_frame(results / "runs.csv", RUN_COLUMNS)
    if definition is None:
        descriptors = {dataset: find_dataset(dataset) for dataset in datasets.split(",")}
        definition = own_table(name, descriptors, scores, _json_object(titles, "--titles"))
    return definition, summary(definition, scores, runs), scores


def _weights(results: Path) -> dict[str, str]:
    """The pre-trained weights behind the results of each method that has any."""
    from benchmark.scoring import RUN_COLUMNS, read_frame
    from benchmark.tables import weights_behind

    path = results / "runs.csv"
    return weights_behind(read_frame(path, RUN_COLUMNS)) if path.exists() else {}


def _write_sheets(
    table: pd.DataFrame, name: str, sheets: "Sequence[Sheet]", caption: str, results: Path
) -> None:
    """Write tables/<name>.csv, .md and .tex."""
    from benchmark.files import write_text
    from benchmark.pages import sheets_latex, sheets_markdown
    from benchmark.scoring import write_frame

    out = results / "tables"
    write_frame(table, out / f"{name}.csv")
    write_text(out / f"{name}.tex", sheets_latex("", sheets, caption=caption))
    page = sheets_markdown("", sheets, caption=caption)
    write_text(out / f"{name}.md", page)
    typer.echo(page, err=True)


def _json_object(text: str, option: str = "--settings") -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InputError(f"{option}: not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise InputError(f"{option}: a JSON object such as '{{\"iterations\": 500}}' is needed")
    return value


def _iterations(text: str) -> list[int]:
    words = text.split(",") if text else []
    for word in words:
        if not word.isdecimal() or int(word) < 1:
            raise InputError(f"--snapshots: '{word}' is no number of iterations; write such as 50,100")
    return [int(word) for word in words]


def _json_list(path: Path) -> list[dict[str, Any]]:
    try:
        value: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({error}); delete it and run again") from error
    return value


def _key_value(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--set {text}: write KEY=VALUE, such as --set channels=32")
    return key, yaml.safe_load(value)


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


def _warn_of_failures(records: list[dict[str, Any]]) -> None:
    for record in records:
        if record["status"] != Status.OK.value:
            where = f"{record['method']} on {record['dataset']}/{record['case']}, seed {record['seed']}"
            typer.echo(f"{where}: {record['status']}: {record['reason']}", err=True)
