# What all rules share: the plan, and one line instead of a traceback where the input is bad.
import atexit
import gc
import logging
import os
import re
import shlex
import signal
import sys
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake.logging import logger
from snakemake.settings.types import DeploymentMethod
from snakemake_interface_logger_plugins.common import LogEvent

from benchmark.core.faults import MachineError, fault_behind
from benchmark.core.progress import IN_WORK
from benchmark.core.errors import InputError
from benchmark.planning import stale
from benchmark.planning.config import make_plan, read_configs
from benchmark.planning.metric_weights import get_weights
from benchmark.planning.targets import check_targets
from benchmark.planning.upkeep import remove_altered, settle_times

# Jobs run the code that Snakemake itself imports, whatever PATH says; in a container, with the container's interpreter.
IN_CONTAINER = (
    DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method
)
PYTHON = "python3" if IN_CONTAINER else shlex.quote(sys.executable)
# The shell waits for the job that it was started for, also when both are asked to stop.
shell.prefix(f'trap : INT TERM; blindbench() {{{{ {PYTHON} -m benchmark "$@"; }}}}; ')

# The last collection of garbage would go through all that torch has loaded, for up to a second.
atexit.register(gc.freeze)


def or_stop(function, *arguments):
    """Call a function; bad input and a failing machine end Snakemake with one line and exit code 2."""
    try:
        return function(*arguments)
    except (InputError, MachineError, OSError) as error:
        known = fault_behind(error) or error
        if not isinstance(known, (InputError, MachineError)):
            raise
        print(f"blindbench: {known}", file=sys.stderr, flush=True)
        sys.exit(2)


# Snakemake has read the files, but keeps the last of a key that is there twice.
or_stop(read_configs, [Path(path) for path in workflow.configfiles])
PLAN = or_stop(make_plan, config, ", ".join(map(str, workflow.configfiles)))
or_stop(PLAN.require_data)
or_stop(PLAN.require_folder)
RESULTS = str(PLAN.results)
STOP_WITHIN = 4.0  # seconds that jobs have to stop; all is to end within five, and Snakemake needs the rest
HELD = []
for name, reason in PLAN.absent.items():
    print(f"blindbench: {name} is left out: {reason}", file=sys.stderr)


def start_run():
    """Hold the results folder until this process ends, however it ends, and write the plan for the jobs."""
    HELD.append(or_stop(PLAN.claim_results))
    or_stop(PLAN.write)
    if IN_WORK in os.environ:
        logger.addHandler(AfterJobs(workflow.dag.needrun_jobs()))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, partial(stop_jobs, signal.getsignal(number)))


def stop_jobs(then, number, frame):
    """Pass a signal to this process alone on to its jobs, for whose end Snakemake would wait.

    They save their state and leave. What is still there after STOP_WITHIN is killed.
    """
    jobs = psutil.Process().children(recursive=True)
    for job in jobs:
        with suppress(psutil.NoSuchProcess):
            job.terminate()

    def kill():
        for job in jobs:
            with suppress(psutil.NoSuchProcess):
                job.kill()

    timer = threading.Timer(STOP_WITHIN, kill)
    timer.daemon = True
    timer.start()
    then(number, frame)


def prepare_results():
    """Before Snakemake looks at the files: remove those that were altered, and set no time in the future."""
    with or_stop(PLAN.claim_results):
        for file in or_stop(remove_altered, PLAN):
            print(
                f"blindbench: {file}: damaged or altered since it was written; it is made again, and all that was made from it",
                file=sys.stderr,
            )
        if count := or_stop(settle_times, PLAN):
            print(
                f"blindbench: {count} files have times in the future; their contents decide what is made again",
                file=sys.stderr,
            )


class AfterJobs(logging.Handler):
    """Says after each job how much of the work is done, beside Snakemake's own count of jobs."""

    def __init__(self, jobs):
        super().__init__()
        from benchmark.planning.progress import work_done  # only where it is asked for

        self.work = work_done(
            PLAN, {job.jobid: (job.rule.name, job.wildcards_dict) for job in jobs}
        )

    def emit(self, record):
        if getattr(record, "event", None) == LogEvent.JOB_FINISHED:
            if line := self.work.after(record.job_id):
                print(f"blindbench: {line}", file=sys.stderr, flush=True)


class BeforeJobs(logging.Handler):
    """Prepares once for jobs, just before Snakemake looks at the files of those that it will execute.

    What only shows something, such as `--summary`, `--lint` or a dry run, changes no file. Snakemake does not
    know which of these it does while it reads the Snakefile. Its next sign of life is a line in its log.
    """

    def emit(self, record):
        if workflow.executor_plugin is None or workflow.dryrun or workflow.touch:
            return
        logger.removeHandler(self)
        if set(workflow.dag_settings.targets or ()) == {"reference"}:
            return  # it needs neither the weights nor the results of a profile
        or_stop(
            get_weights,
            PLAN,
            lambda line: print(f"blindbench: {line}", file=sys.stderr),
        )
        if PLAN.results.is_dir():
            prepare_results()


def name_report():
    """Say where the report is, in the last line of all, if this run was asked for it."""
    if any(job.rule.name == "report_page" for job in workflow.dag.jobs):
        line = f"blindbench: the report is {PLAN.store.report}; open it in a browser"
        atexit.register(print, line, file=sys.stderr, flush=True)


class NothingToDo(logging.Handler):
    """Calls `name_report` where all files are up to date: Snakemake then calls no hook."""

    def emit(self, record):
        if record.getMessage() == NOTHING_TO_BE_DONE_MSG and not workflow.dryrun:
            name_report()


if workflow.is_main_process:
    logger.addHandler(BeforeJobs())
    logger.addHandler(NothingToDo())


def results(wildcards):
    """The results folder. Snakemake's linter wants a function here."""
    return RESULTS


def minutes_of_job(wildcards):
    """The minutes that a job of restorations asks a cluster for."""
    return PLAN.job_minutes(wildcards.method)


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
    shard=r"\d+",
