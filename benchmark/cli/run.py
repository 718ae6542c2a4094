"""Verbs that run a whole config, and the steps of the workflow."""

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from tabulate import tabulate

from benchmark.cli.options import DEMO, Results, Seed, Threads
from benchmark.core.types import InputError, Status

if TYPE_CHECKING:
    from benchmark.planning.plan import Plan

app = typer.Typer()

Dataset = Annotated[str, typer.Argument(help="A dataset of the plan: <dataset> or <dataset>@<condition>.")]
Method = Annotated[str, typer.Argument(help="A method of the plan: <method> or <method>@<setting>.")]
DEMO_CONFIG = Path("config/demo.yaml")


@app.command()
def run(
    targets: Annotated[
        list[str] | None, typer.Argument(help="What to make; the default is all tables.")
    ] = None,
    configfile: Annotated[
        list[Path] | None,
        typer.Option(help="A config, by default config/demo.yaml; again for one on top of it."),
    ] = None,
    cores: Annotated[int, typer.Option(min=1, help="CPU cores to use.")] = os.cpu_count() or 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only show what would run.")] = False,
    retry_failed: Annotated[bool, typer.Option(help="Run cases again that ended without an image.")] = False,
) -> None:
    """Run the workflow: the same as `snakemake`, with the targets checked and failed cases retried."""
    from benchmark.core.resources import shipped
    from benchmark.planning.targets import check_targets
    from benchmark.runs.store import forget_failed

    plan, configs = _plan(configfile)
    plan.require_data()
    plan.require_folder()
    check_targets(plan, targets or [])
    if retry_failed:
        with plan.claim_results():
            typer.echo(f"{forget_failed(plan.results)} failed cases will run again", err=True)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(shipped("workflow/Snakefile"))]
    command += ["--cores", str(cores), *["--dry-run"] * dry_run, *(targets or [])]
    command += ["--configfile", *map(str, configs)]  # last: it takes all arguments after it
    raise typer.Exit(subprocess.run(command, check=False).returncode)


@app.command("plan")
def show_plan(
    configs: Annotated[
        list[Path] | None,
        typer.Argument(help="A config, by default config/demo.yaml, and others on top of it."),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Write plan.json, for steps by hand.")] = False,
) -> None:
    """Show which tables a config fills: how many cases they have, how many run, and why not all."""
    from benchmark.planning.overview import plan_overview

    plan, _ = _plan(configs)
    widths = [None] * 4 + [80]
    typer.echo(tabulate(plan_overview(plan), headers="keys", tablefmt="simple", maxcolwidths=widths))
    if write:
        with plan.claim_results():
            typer.echo(f"{plan.write()}: written", err=True)


@app.command()
def synthesize(dataset: Dataset, results: Results = DEMO) -> None:
    """Make the observations of a dataset: blur its sharp images and add noise."""
    from benchmark.core.console import counted
    from benchmark.core.files import write_json
    from benchmark.data.cases import make_case
    from benchmark.data.descriptors import find_dataset
    from benchmark.data.synthesis import observe
    from benchmark.planning.plan import Plan
    from benchmark.runs.store import Store, observation_hash

    plan, store, hashes = Plan.read(results), Store(results), {}
    seed = plan.config["experiment_seed"]
    cases = list(plan.find_dataset(dataset).cases)
    descriptor = find_dataset(dataset)
    for case in counted(cases, f"{dataset}: making observations"):
        observation, truth = observe(make_case(descriptor, case, seed), seed)
        store.write_observation(observation, truth)
        hashes[case] = observation_hash(observation)
    write_json(store.observations_manifest(dataset), hashes)
    typer.echo(f"{dataset}: {len(hashes)} observations in {results}", err=True)


@app.command()
def restore(
    dataset: Dataset,
    method: Method,
    results: Results = DEMO,
    seed: Seed = 0,
    shard: Annotated[
        int | None, typer.Option(min=0, help="Only this part of the cases; the default is all of them.")
    ] = None,
    threads: Threads = 1,
) -> None:
    """Run a method on a dataset: finished cases are kept, unfinished ones continue."""
    from benchmark.core.console import reporting
    from benchmark.planning.plan import Plan
    from benchmark.runs.machine import claimed_device, prepare
    from benchmark.runs.restore import Shard, restore_shard
    from benchmark.runs.store import Store

    plan = Plan.read(results)
    plan.find_run(dataset, method, seed)
    shards = dict(enumerate(plan.shards(dataset)))
    if shard is not None and shard not in shards:
        raise InputError(f"--shard {shard}: {dataset} has {len(shards)}, numbered from 0")
    logging.basicConfig(level=logging.INFO)  # a case that crashes leaves its traceback in the job's log
    prepare(threads)
    device, jobs = plan.config["device"], plan.config["jobs_per_gpu"]
    with claimed_device(device, jobs) as target, reporting(f"{method} · {dataset}") as report:
        for number in shards if shard is None else [shard]:
            part = Shard(
                dataset,
                method,
                shards[number],
                number=number,
                seed=seed,
                experiment_seed=plan.config["experiment_seed"],
                overrides=plan.methods[method].given,
                snapshots=plan.methods[method].snapshots,
            )
            restore_shard(Store(results), part, target, report)


@app.command()
def score(
    dataset: Dataset, method: Method, results: Results = DEMO, seed: Seed = 0, threads: Threads = 1
) -> None:
    """Compare a method's restorations with the sharp images.

    LPIPS, NIQE and BRISQUE read their weights below BLINDBENCH_MIRROR or TORCH_HOME; nothing is downloaded.
    """
    from benchmark.planning.plan import Plan
    from benchmark.runs.machine import prepare
    from benchmark.runs.store import Store
    from benchmark.scoring.csv_files import write_frame
    from benchmark.scoring.scores import score_method, score_snapshots

    plan, store = Plan.read(results), Store(results)
    run = plan.find_run(dataset, method, seed)
    prepare(threads)
    protocol, metrics = plan.datasets[dataset].protocol, plan.config["metrics"]
    restorations = (store, dataset, method, list(plan.datasets[dataset].cases))
    frame = score_method(*restorations, seed=seed, protocol=protocol, metrics=metrics)
    if snapshots := plan.methods[method].snapshots:
        on_the_way = score_snapshots(*restorations, seed=seed, protocol=protocol, snapshots=snapshots)
        write_frame(on_the_way, store.convergence_of(*run))
    write_frame(frame, store.scores_of(*run))


@app.command()
def collect(results: Results = DEMO) -> None:
    """Join the scores and the runs of all methods in scores.csv, convergence.csv and runs.csv."""
    import pandas as pd

    from benchmark.core.files import read_json
    from benchmark.planning.plan import Plan
    from benchmark.runs.store import Store
    from benchmark.scoring.csv_files import (
        CONVERGENCE_COLUMNS,
        SCORE_COLUMNS,
        read_frame,
        runs_frame,
        write_frame,
    )

    plan, store = Plan.read(results), Store(results)
    runs = list(plan.runs())
    manifests = [
        store.shard_manifest(*run, n) for run in runs for n, _ in enumerate(plan.shards(run.dataset))
    ]
    records = [record for path in manifests for record in read_json(path, "run `blindbench restore` first")]
    scores = [read_frame(store.scores_of(*run), SCORE_COLUMNS) for run in runs]
    write_frame(runs_frame(records), store.runs)
    write_frame(pd.concat(scores, ignore_index=True), store.scores)
    if converging := [run for run in runs if run.method in plan.converging]:
        frames = [read_frame(store.convergence_of(*run), CONVERGENCE_COLUMNS) for run in converging]
        filled = [frame for frame in frames if len(frame)] or frames[:1]
        write_frame(pd.concat(filled, ignore_index=True), store.convergence)
    _warn_of_failures(records)


def _plan(configs: list[Path] | None) -> "tuple[Plan, list[Path]]":
    """Make the plan of configs, by default of the demo; return it with the paths of their files."""
    from benchmark.core.resources import here_or_shipped
    from benchmark.planning.config import make_plan, read_configs

    paths = [here_or_shipped(path) for path in configs or [DEMO_CONFIG]]
    return make_plan(read_configs(paths), ", ".join(map(str, paths))), paths


def _warn_of_failures(records: list[dict[str, Any]]) -> None:
    for record in records:
        if record["status"] != Status.OK.value:
            where = f"{record['method']} on {record['dataset']}/{record['case']}, seed {record['seed']}"
            typer.echo(f"{where}: {record['status']}: {record['reason']}", err=True)
