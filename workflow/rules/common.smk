# What all rules share: the plan, and one line instead of a traceback where the input is bad.
import re
import shlex
import sys
from pathlib import Path

from benchmark.core.types import InputError
from benchmark.planning import stale
from benchmark.planning.config import make_plan, read_configs
from benchmark.planning.plan import Run
from benchmark.planning.targets import check_targets

# Jobs run the code that Snakemake itself imports, whatever PATH says.
PYTHON = shlex.quote(sys.executable)
shell.prefix(f'blindbench() {{{{ {PYTHON} -m benchmark "$@"; }}}}; ')


def or_stop(function, *arguments):
    """Call a function; bad input ends Snakemake with one line and exit code 2."""
    try:
        return function(*arguments)
    except InputError as error:
        print(f"blindbench: {error}", file=sys.stderr, flush=True)
        sys.exit(2)


# Snakemake has read the files, but keeps the last of a key that is there twice.
or_stop(read_configs, [Path(path) for path in workflow.configfiles])
PLAN = or_stop(make_plan, config, ", ".join(map(str, workflow.configfiles)))
or_stop(PLAN.require_data)
or_stop(PLAN.require_folder)
RESULTS = str(PLAN.results)
HELD = []
for name, reason in PLAN.absent.items():
    print(f"blindbench: {name} is left out: {reason}", file=sys.stderr)


def start_run():
    """Hold the results folder until this process ends, however it ends, and write the plan for the jobs."""
    HELD.append(or_stop(PLAN.claim_results))
    or_stop(PLAN.write)


def results(wildcards):
    """The results folder. Snakemake's linter wants a function here."""
    return RESULTS


def one_of(names):
    """A regular expression that matches these names alone."""
    return "|".join(map(re.escape, names)) or "(?!)"


wildcard_constraints:
    source=one_of({dataset.source for dataset in PLAN.datasets.values()}),
    dataset=one_of(PLAN.running),
    method=one_of(PLAN.methods),
    table=one_of(PLAN.tables),
    figure=one_of(PLAN.figures),
    stem=one_of(PLAN.trainings),
    seed=r"\d+",
    shard=r"\d+",
