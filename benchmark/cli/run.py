"""Verbs that run a whole config, and the steps of the workflow."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.options import DEMO, Results, Threads, text_table
from benchmark.core.errors import InputError
from benchmark.core.progress import IN_WORK

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.planning.plan import Plan
    from benchmark.planning.upkeep import Damage
    from benchmark.runs.watch import Watch

app = typer.Typer()

Dataset = Annotated[str, typer.Argument(help="A dataset of the plan: <dataset> or <dataset>@<condition>.")]
Method = Annotated[str, typer.Argument(help="A method of the plan: <method> or <method>@<setting>.")]
Methods = Annotated[list[str], typer.Argument(help="Methods of the plan.", show_default=False)]
Shard = Annotated[
    int | None, typer.Option(min=0, help="Only this part of its work; the default is all of it.")
]
Batch = Annotated[
    str | None,
    typer.Option(
        help="Cases on their way at once, or auto; by default what the config says.", metavar="N|auto"
    ),
]
Configs = Annotated[
    list[Path] | None, typer.Option(help="A config, by default config/demo.yaml; again for one on top of it.")
]
Cores = Annotated[int, typer.Option(min=1, help="CPU cores to use.")]
ALL_CORES = os.cpu_count() or 1
DEMO_CONFIG = Path("config/demo.yaml")


@app.command()
def run(
    targets: Annotated[
        list[str] | None, typer.Argument(help="What to make; the default is all tables.")
    ] = None,
    configfile: Configs = None,
    cores: Cores = ALL_CORES,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only show what would run.")] = False,
    retry_failed: Annotated[bool, typer.Option(help="Run cases again that ended without an image.")] = False,
) -> None:
    """Run the workflow: the same as `snakemake`, with the targets checked and failed cases retried."""
    from benchmark.core.faults import require_open_files
    from benchmark.planning.targets import check_targets
    from benchmark.planning.upkeep import failed_cases, forget_failed

    require_open_files()
    plan, configs = _plan(configfile)
    plan.require_data()
    plan.require_folder()
    check_targets(plan, targets or [])
    if retry_failed:
        with plan.claim_results():
            count = sum(map(len, failed_cases(plan).values()))
            if not dry_run:
                forget_failed(plan)
        typer.echo(f"failed cases: {count}{'' if dry_run else '; they run again'}", err=True)
    command = _snakemake(targets or [], configs, cores, *["--dry-run"] * dry_run)
    sys.stderr.flush()
    # In this process's place: a signal to it reaches Snakemake.
    os.execve(command[0], command, os.environ | {IN_WORK: "1"})


@app.command()
def check(
    configfile: Configs = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make what is lost or altered again, and nothing else.")
    ] = False,
    cores: Cores = ALL_CORES,
) -> None:
    """Check that no file of a results folder is lost or altered, nor of the data that it was made from.

    The hashes kept with results, trainings and downloads tell. `verify` does something else: it repeats
    restorations to see whether shipped scores come out again. The exit code is 0 if all files are whole, 1
    if not.
    """
    from benchmark.core.seals import has_hash
    from benchmark.planning.upkeep import find_damage, find_damaged_data, prepare_repair, repair_data

    plan, configs = _plan(configfile)
    if not plan.results.is_dir():
        raise InputError(f"{plan.results}: no such folder; `blindbench run` makes it")
    errors: list[str] = []
    orders: list[list[Path]] = []
    with plan.claim_results():
        damage = find_damaged_data(plan)
        _name(damage)
        if repair and damage:
            errors = repair_data(plan, damage, lambda line: typer.echo(line, err=True))
            plan, _ = _plan(configfile)  # a dataset whose files were lost was left out
        damaged_results = find_damage(plan)
        _name(damaged_results)
        if repair:
            orders = prepare_repair(plan, damaged_results)
        damage += damaged_results
    for error in errors:
        typer.echo(f"blindbench: {error}", err=True)
    if repair and damage:
        commands = [_snakemake(list(map(str, targets)), configs, cores) for targets in orders]
        codes = [subprocess.run(command, check=False).returncode for command in commands]
        for file in damage:
            if file.sha256 and file.path.exists() and not has_hash(file.path, file.sha256):
                typer.echo(
                    f"{file.path}: differs from the one before; `blindbench run` updates what depends on it"
                )
        damage = [*find_damaged_data(plan), *find_damage(plan)]
        _name(damage, "still ", "; the messages above say why")
        if any(codes) or damage:
            raise typer.Exit(max([1, *codes]))
    elif damage:
        typer.echo(
            f"blindbench: damaged files: {len(damage)}; `blindbench check --repair` makes them again",
            err=True,
        )
        raise typer.Exit(1)
    typer.echo(f"{plan.results}: all files are whole", err=True)


@app.command("plan")
def show_plan(
    configs: Annotated[
        list[Path] | None,
        typer.Argument(help="A config, by default config/demo.yaml, and others on top of it."),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Write plan.json, for steps by hand.")] = False,
    budget: Annotated[
        str | None, typer.Option(help="Time of a CPU core or a GPU, such as 2h: show what fits in it.")
    ] = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Measure this machine again, which takes 20 s.")
    ] = False,
) -> None:
    """Show which tables a config fills and why not all, and what the work takes on this machine.

    The first plan measures this machine, for 20 seconds at most, and keeps that in the user's cache folder.
    """
    from benchmark.planning.budget import costs, duration, fitting
    from benchmark.planning.metric_weights import weights_remark
    from benchmark.planning.overview import plan_overview
    from benchmark.planning.work import Estimates
    from benchmark.tools.calibration import Calibration

    seconds = None if budget is None else duration(budget)
    plan, _ = _plan(configs)
    _show(plan_overview(plan), 5)
    typer.echo(f"\n{plan.restorations():,} restorations: methods times cases that run, once per seed\n")
    if remark := weights_remark(plan):
        typer.echo(f"{remark}\n")
    if plan.running:
        calibration = Calibration(again=calibrate)
        estimates = Estimates(plan, calibration)
        calibration.save()
        if seconds is None:
            _show(costs(plan, estimates), 7)
        else:
            _show(fitting(plan, estimates, seconds), 7)
    if write:
        with plan.claim_results():
            typer.echo(f"{plan.write()}: written", err=True)


def _show(rows: list[dict[str, Any]], columns: int) -> None:
    """Print a table whose last column has long texts."""
    widths = [None] * (columns - 1) + [80]
    typer.echo(text_table(rows, headers="keys", tablefmt="simple", maxcolwidths=widths))


@app.command()
def synthesize(dataset: Dataset, results: Results = DEMO) -> None:
    """Make the observations of a dataset: blur its sharp images and add noise."""
    from benchmark.planning.plan import Plan
    from benchmark.runs.observations import make_observations
    from benchmark.runs.store import Store

    plan, store = Plan.read(results), Store(results)
    cases = list(plan.find_dataset(dataset).cases)
    hashes = make_observations(store, dataset, cases, plan.config["experiment_seed"])
    store.write_observations_manifest(dataset, hashes)
    typer.echo(f"{dataset}: {len(cases)} observations in {results}", err=True)


@app.command()
def restore(
    method: Method, results: Results = DEMO, shard: Shard = None, threads: Threads = 1, batch: Batch = None
) -> None:
    """Run a method on its cases: finished ones are kept, unfinished ones continue."""
    from benchmark.runs.watch import watched

    with watched() as watch:  # forks: imports nothing large before
        _restore(method, results, shard, threads, batch, watch)


def _restore(
    method: str, results: Path, shard: int | None, threads: int, batch: str | None, watch: "Watch"
) -> None:
    """Do the work of `restore`."""
    from benchmark.core.console import reporting
    from benchmark.planning.batches import cases_at_once, read_batch
    from benchmark.planning.plan import Plan
    from benchmark.runs import restore
    from benchmark.runs.machine import claimed_device, prepare
    from benchmark.runs.store import Store

    plan = Plan.read(results)
    planned = plan.find_method(method)
    numbers = _numbers(method, shard, len(plan.shards[method]))
    asked = plan.config["batch"] if batch is None else read_batch(batch)
    logging.basicConfig(level=logging.INFO)  # a case that crashes leaves its traceback in the job's log
    prepare(threads)
    jobs = plan.config["jobs_per_gpu"]
    with claimed_device(planned.device, jobs, str(results)) as target, reporting(f"{method} ·") as report:
        for number in numbers:
            work = restore.Shard(
                method,
                plan.shards[method][number],
                number,
                experiment_seed=plan.config["experiment_seed"],
                overrides=planned.given,
                snapshots=planned.snapshots,
                minutes=plan.config.get("minutes_per_case"),
                batch=cases_at_once(plan, method, number, target, asked, watch),
            )
            restore.restore_shard(Store(results), work, target, report, watch)


@app.command()
def score(methods: Methods, results: Results = DEMO, shard: Shard = None, threads: Threads = 1) -> None:
    """Compare restorations of methods with the sharp images.

    Nothing is downloaded: LPIPS needs the weights that `blindbench download metric-weights` brings.
    """
    import pandas as pd

    from benchmark.planning.plan import Plan
    from benchmark.runs.machine import prepare
    from benchmark.runs.store import Store
    from benchmark.scoring.csv_files import write_sealed
    from benchmark.scoring.scores import score_method, score_snapshots

    plan, store = Plan.read(results), Store(results)
    metrics = plan.config["metrics"]
    for method in methods:
        plan.find_method(method)
    if shard is not None and len(methods) > 1:
        raise InputError(f"--shard {shard}: name one method, not {len(methods)}")
    prepare(threads)
    jobs = [(name, n) for name in methods for n in _numbers(name, shard, len(plan.score_shards[name]))]
    for method, number in jobs:
        snapshots = plan.methods[method].snapshots
        frames, on_the_way = [], []
        for dataset, seed, cases in plan.score_shards[method][number]:
            protocol = plan.datasets[dataset].protocol
            rules = {"seed": seed, "protocol": protocol, "metrics": metrics}
            frames.append(score_method(store, dataset, method, cases, **rules))
            if snapshots:
                on_the_way.append(
                    score_snapshots(store, dataset, method, cases, **rules, snapshots=snapshots)
                )
        if snapshots:
            write_sealed(_joined(on_the_way), store.convergence_of(method, number))
        write_sealed(pd.concat(frames, ignore_index=True), store.scores_of(method, number))


def _numbers(method: str, shard: int | None, count: int) -> list[int]:
    """Return the numbers of the shards to work on: one, or all. Raises InputError when there is none such."""
    if not count:
        raise InputError(f"{method} has no cases: none of its datasets can run; see `blindbench plan`")
    if shard is not None and shard >= count:
        raise InputError(f"--shard {shard}: {method} has {count}, numbered from 0")
    return list(range(count)) if shard is None else [shard]


@app.command()
def collect(results: Results = DEMO) -> None:
    """Join the scores and the runs of all methods in scores.csv, convergence.csv and runs.csv."""
    from benchmark.planning.plan import Plan
    from benchmark.planning.records import read_records
    from benchmark.runs.store import Store
    from benchmark.scoring.csv_files import CONVERGENCE_COLUMNS, SCORE_COLUMNS, runs_frame, write_sealed

    plan, store = Plan.read(results), Store(results)
    records = read_records(plan, store)
    scores = _scored(plan, plan.methods, store.scores_of, SCORE_COLUMNS)
    write_sealed(runs_frame(records), store.runs)
    write_sealed(scores, store.scores)
    if plan.converging:
        on_the_way = _scored(plan, plan.converging, store.convergence_of, CONVERGENCE_COLUMNS)
        write_sealed(on_the_way, store.convergence)
    _warn_of_failures(records)


def _scored(
    plan: "Plan", methods: Iterable[str], file: Callable[[str, int], Path], columns: Sequence[str]
) -> "pd.DataFrame":
    """Join the files of scores of some methods, in the order of the plan's runs."""
    from benchmark.scoring.csv_files import read_frame

    names = [(method, number) for method in methods for number, _ in enumerate(plan.score_shards[method])]
    joined = _joined([read_frame(file(*name), columns) for name in names])
    place = {tuple(run): number for number, run in enumerate(plan.runs())}
    places = [place[run] for run in zip(joined.dataset, joined.method, joined.seed, strict=True)]
    return joined.iloc[sorted(range(len(joined)), key=places.__getitem__)]


def _joined(frames: "Sequence[pd.DataFrame]") -> "pd.DataFrame":
    """Join tables; an empty one, which has no types of columns, only where all are empty."""
    import pandas as pd

    return pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)


def _name(damage: "Iterable[Damage]", before: str = "", after: str = "") -> None:
    """Write a line on each damaged file."""
    for file in damage:
        typer.echo(f"{file.path}: {before}{file.what}{after}")


def _snakemake(targets: list[str], configs: list[Path], cores: int, *options: str) -> list[str]:
    """Return the command that runs the workflow, after a check of where Snakemake keeps its cache.

    Snakemake ends in a traceback where it cannot write there.
    """
    from benchmark.core.files import require_writable
    from benchmark.core.resources import shipped

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    require_writable(cache / "snakemake", "set XDG_CACHE_HOME to a folder of yours")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(shipped("workflow/Snakefile"))]
    command += ["--cores", str(cores), *options, *targets]
    return [*command, "--configfile", *map(str, configs)]  # last: it takes all arguments after it


def _plan(configs: list[Path] | None) -> "tuple[Plan, list[Path]]":
    """Make the plan of configs, by default of the demo; return it with the paths of their files."""
    from benchmark.core.resources import here_or_shipped
    from benchmark.planning.config import make_plan, read_configs

    paths = [here_or_shipped(path) for path in configs or [DEMO_CONFIG]]
    return make_plan(read_configs(paths), ", ".join(map(str, paths))), paths


def _warn_of_failures(records: list[dict[str, Any]]) -> None:
    from benchmark.core.types import Status

    for record in records:
        if record["status"] != Status.OK.value:
            where = f"{record['method']} on {record['dataset']}/{record['case']}, seed {record['seed']}"
            typer.echo(f"{where}: {record['status']}: {record['reason']}", err=True)
