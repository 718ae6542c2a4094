"""Verbs that run: a whole config, or one step of the workflow."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pandas as pd
import typer
from tabulate import tabulate

from benchmark.cli.options import (
    DEMO,
    Cases,
    Device,
    ExperimentSeed,
    Results,
    Seed,
    Snapshots,
    Threads,
    iterations,
    json_object,
)
from benchmark.core.types import InputError, Status

if TYPE_CHECKING:
    pass

app = typer.Typer()


@app.command()
def synthesize(
    dataset: Annotated[str, typer.Argument(help="A dataset, or <dataset>@<condition>; see datasets/.")],
    cases: Annotated[str, typer.Option(help="Shell patterns of case names, comma-separated.")] = "*",
    results: Results = DEMO,
    experiment_seed: ExperimentSeed = 0,
) -> None:
    """Blur the sharp images of a dataset and add noise: what the methods will see."""
    from benchmark.core.console import counted
    from benchmark.core.files import write_text
    from benchmark.data.cases import make_case
    from benchmark.data.descriptors import find_dataset
    from benchmark.data.synthesis import observe
    from benchmark.runs.store import Store, observation_hash

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
    from benchmark.core.console import reporting
    from benchmark.runs.machine import claimed_device, prepare
    from benchmark.runs.restore import restore_shard
    from benchmark.runs.store import Store

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
            overrides=json_object(settings),
            snapshots=iterations(snapshots),
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
    from benchmark.runs.machine import prepare
    from benchmark.runs.store import Store
    from benchmark.scoring.csv_files import write_frame
    from benchmark.scoring.scores import score_method, score_snapshots

    if bool(snapshots) != (convergence is not None):
        raise InputError("--snapshots and --convergence go together: which iterations, and the file for them")
    kept = iterations(snapshots)
    prepare(threads)
    where = (Store(results), dataset, method, cases.split(","))
    write_frame(score_method(*where, seed=seed, protocol=protocol, metrics=metrics.split(",")), out)
    if convergence is not None:
        on_the_way = score_snapshots(*where, seed=seed, protocol=protocol, snapshots=kept)
        write_frame(on_the_way, convergence)


@app.command()
def collect(
    files: Annotated[list[Path], typer.Argument(help="Score tables (.csv) and shard manifests (.json).")],
    results: Results = DEMO,
) -> None:
    """Join all scores in scores.csv and all runs in runs.csv."""
    from benchmark.scoring.csv_files import SCORE_COLUMNS, read_frame, runs_frame, write_frame

    scores = [read_frame(path, SCORE_COLUMNS) for path in files if path.suffix == ".csv"]
    records = [record for path in files if path.suffix == ".json" for record in _json_list(path)]
    write_frame(runs_frame(records), results / "runs.csv")
    write_frame(pd.concat(scores, ignore_index=True), results / "scores.csv")
    _warn_of_failures(records)


@app.command("plan")
def show_plan(
    configfile: Annotated[Path, typer.Argument(help="A config, yours or one that ships.")] = Path(
        "config/demo.yaml"
    ),
) -> None:
    """Show which tables a config fills: how many cases they have, how many of them run, and why not all."""
    from benchmark.core.resources import here_or_shipped
    from benchmark.core.schema import read_yaml
    from benchmark.planning.overview import plan_overview
    from benchmark.planning.plan import Plan

    path = here_or_shipped(configfile)
    overview = plan_overview(Plan.from_config(read_yaml(path), str(path)))
    widths = [None] * 4 + [80]
    typer.echo(tabulate(overview, headers="keys", tablefmt="simple", maxcolwidths=widths))


@app.command()
def run(
    targets: Annotated[list[str] | None, typer.Argument(help="Targets; the default is all tables.")] = None,
    configfile: Annotated[
        Path | None, typer.Option(help="A config, yours or one that ships; the default is config/demo.yaml.")
    ] = None,
    cores: Annotated[int, typer.Option(min=1, help="CPU cores to use.")] = os.cpu_count() or 1,
    retry_failed: Annotated[bool, typer.Option(help="Run cases again that ended without an image.")] = False,
    dry_run: Annotated[bool, typer.Option(help="List the jobs that would run, and run none.")] = False,
) -> None:
    """Run the workflow (the same as `snakemake`), if wanted with another try for failed cases."""
    from benchmark.core.files import try_lock
    from benchmark.core.resources import here_or_shipped, shipped
    from benchmark.core.schema import read_yaml
    from benchmark.planning.plan import Plan
    from benchmark.runs.store import forget_failed

    path = here_or_shipped(configfile or Path("config/demo.yaml"))
    plan = Plan.from_config(read_yaml(path), str(path))
    if retry_failed:
        lock = try_lock(plan.results / ".lock")  # the Snakefile's
        if lock is None:
            raise InputError(f"another run is working in {plan.results}; wait for it or stop it")
        with lock:
            typer.echo(f"{forget_failed(plan.results)} failed cases will run again", err=True)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(shipped("workflow/Snakefile"))]
    command += ["--cores", str(cores), *["--dry-run"] * dry_run, *(targets or [])]
    command += ["--configfile", str(path)] if configfile else []  # takes all words that follow it
    raise typer.Exit(subprocess.run(command, check=False).returncode)


def _json_list(path: Path) -> list[dict[str, Any]]:
    try:
        value: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON ({error}); delete it and run again") from error
    return value


def _warn_of_failures(records: list[dict[str, Any]]) -> None:
    for record in records:
        if record["status"] != Status.OK.value:
            where = f"{record['method']} on {record['dataset']}/{record['case']}, seed {record['seed']}"
            typer.echo(f"{where}: {record['status']}: {record['reason']}", err=True)
