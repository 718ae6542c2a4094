"""What a plan costs, method by method, and what of it fits in a budget."""

import re
from typing import Any

from benchmark.core.errors import InputError
from benchmark.planning.measuring import Cost
from benchmark.planning.plan import Plan
from benchmark.planning.work import Estimates

UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}


def duration(text: str) -> float:
    """Read a duration, such as 90min, 2h or 1.5d, in seconds.

    Raises:
        InputError: It is none, or nothing.

    >>> duration("1.5h")
    5400.0
    """
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(s|min|h|d)", text.strip())
    if not match or not float(match[1]):
        raise InputError(f"--budget {text}: give a time such as 90min, 2h or 1.5d")
    return float(match[1]) * UNITS[match[2]]


def in_words(seconds: float) -> str:
    """Write a duration in the unit that suits it.

    >>> [in_words(seconds) for seconds in (0.02, 75, 5400, 200_000)]
    ['0.02 s', '75 s', '1.5 h', '56 h']
    """
    unit, length = ("h", 3600) if seconds >= 3600 else ("min", 60) if seconds >= 120 else ("s", 1)
    value = seconds / length
    return f"{value:.0f} {unit}" if value >= 10 else f"{value:.2g} {unit}"


def costs(plan: Plan, estimates: Estimates) -> list[dict[str, Any]]:
    """Make a row for each kind of work, and one for all: jobs, time of cores and GPUs, and memory."""
    rows = [_observations(plan, estimates)]
    rows += [_restorations(plan, estimates, method) for method in plan.methods]
    rows += [_scores(plan, estimates), _tables(plan, estimates)]
    total: dict[str, Any] = {key: sum(row[key] for row in rows) for key in ("jobs", "core", "gpu")}
    total |= {"work": "in all", "cases": plan.restorations(), "memory": max(row["memory"] for row in rows)}
    unknown = [row["work"] for row in rows if row["unknown"]]
    total["remark"] = f"more: parts of {len(unknown)} rows are not known" if unknown else ""
    return [_shown(row) for row in [*rows, {**total, "unknown": unknown}]]


def fitting(plan: Plan, estimates: Estimates, budget: float) -> list[dict[str, Any]]:
    """Make a row for each method and dataset, in the config's order: how many of its cases fit.

    A case costs its restoration, its scores and its share in the start of its jobs.

    Args:
        plan: The plan.
        estimates: What its work takes.
        budget: Seconds, of a CPU core or a GPU.
    """
    left = budget - sum(row["core"] for row in (_observations(plan, estimates), _tables(plan, estimates)))
    rows = []
    for (method, dataset), cost in estimates.restorations.items():
        cases = len(plan.seeds) * len(plan.datasets[dataset].cases)
        scoring = estimates.scores[dataset]
        share = 2 * estimates.start.seconds / plan.methods[method].shard_size
        each = cost.seconds + scoring.seconds + share
        fit = min(cases, int(max(0.0, left) / each)) if cost.is_known else 0
        left -= fit * each
        rows.append(
            {
                "method": method,
                "dataset": dataset,
                "cases": cases,
                "fit": fit if cost.is_known else "unknown",
                "each": in_words(each) if cost.is_known else "",
                "left": in_words(max(0.0, left)),
                "remark": "" if cost.is_known else cost.remark,
            }
        )
    return rows


def _observations(plan: Plan, estimates: Estimates) -> dict[str, Any]:
    each = [cost.seconds * len(plan.datasets[name].cases) for name, cost in estimates.observations.items()]
    unknown = [name for name, cost in estimates.observations.items() if not cost.is_known]
    jobs = len(each)
    return _row("observations", "", jobs, sum(each) + jobs * estimates.start.seconds, estimates, unknown)


def _restorations(plan: Plan, estimates: Estimates, method: str) -> dict[str, Any]:
    of_method = {dataset: cost for (name, dataset), cost in estimates.restorations.items() if name == method}
    counts = {dataset: len(plan.seeds) * len(plan.datasets[dataset].cases) for dataset in of_method}
    jobs = len(plan.shards[method])
    spent = sum(cost.seconds * counts[dataset] for dataset, cost in of_method.items())
    on_gpu = any(cost.on_gpu for cost in of_method.values())
    row = _row(method, sum(counts.values()), jobs, jobs * estimates.start.seconds, estimates, [])
    once = max((cost.once for cost in of_method.values()), default=0.0)
    row["gpu" if on_gpu else "core"] += spent + jobs * once
    row["memory"] = max([row["memory"], *(cost.memory for cost in of_method.values())])
    row["unknown"] = [dataset for dataset, cost in of_method.items() if not cost.is_known]
    row["remark"] = _remark(of_method)
    return row


def _scores(plan: Plan, estimates: Estimates) -> dict[str, Any]:
    jobs = len(plan.scored_together) + sum(len(plan.score_shards[name]) for name in plan.scored_alone)
    each = [
        estimates.scores[run.dataset].seconds * len(plan.datasets[run.dataset].cases) for run in plan.runs()
    ]
    once = max(cost.once for cost in estimates.scores.values())
    unknown = [name for name, cost in estimates.scores.items() if not cost.is_known]
    row = _row("scores", "", jobs, sum(each) + jobs * (estimates.start.seconds + once), estimates, unknown)
    row["memory"] = max([row["memory"], *(cost.memory for cost in estimates.scores.values())])
    return row


def _tables(plan: Plan, estimates: Estimates) -> dict[str, Any]:
    """One job joins the scores, one compiles each table, and Snakemake itself takes as much as a job."""
    jobs = 1 + sum(table.default for table in plan.tables.values())
    return _row("tables", "", jobs, (jobs + 1) * estimates.start.seconds, estimates, [])


def _row(
    work: str, cases: int | str, jobs: int, core: float, estimates: Estimates, unknown: list[str]
) -> dict[str, Any]:
    memory = estimates.start.memory
    remark = f"not known: {', '.join(unknown)}" if unknown else ""
    return {
        "work": work, "cases": cases, "jobs": jobs, "core": core, "gpu": 0.0, "memory": memory,
        "remark": remark, "unknown": unknown,
    }  # fmt: skip


def _remark(costs: dict[str, Cost]) -> str:
    """Say why the costs on some datasets are not known, or nothing."""
    by_remark: dict[str, list[str]] = {}
    for dataset, cost in costs.items():
        if cost.remark:
            by_remark.setdefault(cost.remark, []).append(dataset)
    if len(by_remark) == 1 and all(cost.remark for cost in costs.values()):
        return next(iter(by_remark))
    return "; ".join(f"{', '.join(names)}: {remark}" for remark, names in by_remark.items())


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "work": row["work"],
        "restorations": row["cases"],
        "jobs": row["jobs"],
        "CPU cores": f"{'over ' * bool(row['unknown'])}{in_words(row['core'])}",
        "GPUs": in_words(row["gpu"]) if row["gpu"] else "",
        "memory": f"{row['memory'] / 1024:.1f} GiB",
        "remark": row["remark"],
    }
