# What the rules share: the checked plan, and functions from wildcards to inputs.
import json
import re
import shlex
import sys
from pathlib import Path

from benchmark.data.download import MARKER
from benchmark.core.files import try_lock
from benchmark.core.resources import data_folder
from benchmark.tables.paper_tables import paper_table, paper_tables
from benchmark.figures.paper_figures import paper_figure, paper_figures
from benchmark.figures.training_sheets import find_sheets
from benchmark.planning.plan import Plan
from benchmark.scoring.protocols import PROTOCOLS
from benchmark.data.sources import all_sources
from benchmark.core.types import InputError

# Jobs use the `blindbench` of the environment that Snakemake runs in, whatever PATH says.
shell.prefix(f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; ")


def fail(error):
    """One line and exit code 2; an exception would be shown with a traceback of the Snakefile."""
    print(f"blindbench: {error}", file=sys.stderr, flush=True)
    sys.exit(2)


try:
    PLAN = Plan.from_config(config, ", ".join(map(str, workflow.configfiles)))
    PLAN.require_data()
except InputError as error:
    fail(error)
for name, reason in PLAN.absent.items():
    print(f"blindbench: {name} is left out: {reason}", file=sys.stderr)
RESULTS = str(PLAN.results)
TABLES = [*PLAN.tables, *PLAN.config["paper_tables"]]
ALL_TABLES = [*PLAN.tables, *paper_tables()]
# Images can be shown where the profile has them.
SHOWN_TABLES = [table for table in ALL_TABLES if PLAN.datasets_of(table)]
PAPER_FIGURES = paper_figures()
TITLES = json.dumps(PLAN.config["titles"])
HELD_LOCKS = []


def one_of(names):
    """A regular expression of these names; of none, what is no name."""
    return "|".join(map(re.escape, names)) or "-"


wildcard_constraints:
    source=one_of(all_sources()),
    dataset=one_of(PLAN.datasets),
    method=one_of(PLAN.methods),
    table=one_of(ALL_TABLES),
    grid=one_of(PLAN.grids),
    paper_figure=one_of(PAPER_FIGURES),
    seed=r"\d+",
    shard=r"\d+",


def hold_run_lock():
    """Held by this process until it ends, however it ends; a second run at the same time is refused."""
    lock = try_lock(PLAN.results / ".lock")
    if lock is None:
        fail(f"another run is working in {RESULTS}; wait for it or stop it")
    HELD_LOCKS.append(lock)


def results_folder(wildcards):
    return RESULTS


def protocol(wildcards):
    return PLAN.datasets[wildcards.dataset].content["protocol"]


def metrics_without_weights(wildcards):
    """A parameter of scores, so that they are taken again once the weights are there."""
    rules = PROTOCOLS[protocol(wildcards)]
    metrics = [rules.metric(name) for name in PLAN.config["metrics"]]
    return [metric.name for metric in metrics if metric.missing_weights]


def downloaded(wildcards):
    """The mark that a dataset's source was downloaded, where it was or has to be."""
    source = PLAN.datasets[wildcards.dataset].content["source"]
    mark = data_folder() / source / MARKER
    return [str(mark)] if wildcards.dataset in PLAN.downloads or mark.exists() else []


def all_cases(wildcards):
    return ",".join(PLAN.cases[wildcards.dataset])


def shard_cases(wildcards):
    return ",".join(PLAN.shards(wildcards.dataset)[int(wildcards.shard)])


def manifests(dataset, method, seed):
    folder = f"{RESULTS}/restorations/{dataset}/{method}/seed{seed}"
    return [f"{folder}/shard{shard}.json" for shard in range(len(PLAN.shards(dataset)))]


def all_combinations():
    return [
        (dataset, method, seed)
        for dataset in PLAN.datasets
        for method in PLAN.methods_on(dataset)
        for seed in PLAN.config["seeds"]
    ]


def all_scores():
    return [
        f"{RESULTS}/scores/{dataset}/{method}/seed{seed}.csv"
        for dataset, method, seed in all_combinations()
    ]


def all_manifests():
    return [manifest for names in all_combinations() for manifest in manifests(*names)]


def snapshots(wildcards):
    kept = PLAN.methods[wildcards.method].snapshots
    return f"--snapshots {','.join(map(str, kept))}" if kept else ""


def all_convergence():
    return [
        f"{RESULTS}/convergence/{dataset}/{method}/seed{seed}.csv"
        for dataset, method, seed in all_combinations()
        if method in PLAN.converging
    ]


def spread_tables():
    """Beside the tables of scores: what there is to tell of iterations and of seeds."""
    return ["convergence"] * bool(PLAN.converging) + [
        "sensitivity"
    ] * PLAN.has_several_seeds


def own_datasets(wildcards):
    """What a paper's table shows is not asked here."""
    if wildcards.table not in PLAN.tables:
        return ""
    return f"--datasets {','.join(PLAN.asked_for(wildcards.table))}"


def table_content(wildcards):
    """What a table says besides its numbers, so that a change of it makes the table again."""
    if wildcards.table in PLAN.tables:
        asked = PLAN.asked_for(wildcards.table)
        return [PLAN.asked[name].content for name in asked], PLAN.absent
    return repr(paper_table(wildcards.table)), PLAN.absent


def grid_definition(wildcards):
    return json.dumps(PLAN.config["grids"][wildcards.grid])


def figure_dataset(wildcards):
    return PLAN.datasets_of(wildcards.table)[0]


def figure_cases(wildcards):
    return ",".join(PLAN.figure_cases(figure_dataset(wildcards)))


def figure_manifests(wildcards):
    seed = PLAN.config["seeds"][0]
    return [
        manifest
        for method in PLAN.methods_on(figure_dataset(wildcards))
        for manifest in manifests(figure_dataset(wildcards), method, seed)
    ]


def paper_figure_manifests(wildcards):
    """Of the shards that hold its cases, and no others; or all scores, or the sheets of a pre-training."""
    shown = PLAN.paper_figure(wildcards.paper_figure)
    if shown.conditions:
        return [f"{RESULTS}/{paper_figure(wildcards.paper_figure).kind.reads}"]
    if not shown.cases:  # some read the sheets of a pre-training, some nothing
        return find_sheets(paper_figure(wildcards.paper_figure).sheets, PLAN.results)
    observed = [
        f"{RESULTS}/observations/{dataset}/manifest.json" for dataset in shown.cases
    ]
    return observed + [
        f"{RESULTS}/restorations/{dataset}/{method}/seed{seed}/shard{shard}.json"
        for dataset, cases in shown.cases.items()
        for method in shown.methods
        if method in PLAN.methods_on(dataset)
        for seed in shown.seeds
        for shard in PLAN.shards_of(dataset, cases)
    ]


def paper_figure_note(wildcards):
    """What it leaves out, and why."""
    notes = PLAN.paper_figure(wildcards.paper_figure).notes
    return " ".join(f"{note}." for note in notes)


def paper_figure_options(wildcards):
    shown = PLAN.paper_figure(wildcards.paper_figure)
    options = {
        "cases": json.dumps(shown.cases) if shown.cases else "",
        "methods": ",".join(shown.methods),
        "seeds": ",".join(map(str, shown.seeds)),
        "protocol": ",".join(
            PLAN.datasets[dataset].content["protocol"]
            for dataset in list(shown.cases)[:1]
        ),
        "conditions": json.dumps(shown.conditions) if shown.conditions else "",
        "note": paper_figure_note(wildcards),
    }
    return " ".join(
        f"--{key} {shlex.quote(value)}" for key, value in options.items() if value
    )
