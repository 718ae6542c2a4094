"""What the workflow can be asked for."""

from collections.abc import Sequence

from benchmark.core.errors import InputError
from benchmark.core.schema import did_you_mean
from benchmark.planning.plan import Plan


def check_targets(plan: Plan, targets: Sequence[str]) -> None:
    """Check that the workflow can make what it is asked for, before Snakemake starts.

    Raises:
        InputError: a target does not exist; the message has the closest one that does.
    """
    store = plan.store
    files = [file for name in plan.tables for file in store.table_files(name)]
    files += [file for name in plan.figures for file in store.figure_files(name)]
    steps = ("observations", "records", "scores", "pretrain")
    folders = tuple(f"{plan.results}/{name}/" for name in steps)
    for target in targets:
        known = [str(file) for file in [*files, *plan.joined]] if "/" in target else plan.targets
        if target not in known and not target.startswith(folders):
            raise InputError(f"unknown target '{target}'. {did_you_mean(target, known)}")
