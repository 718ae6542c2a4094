"""How far a run of the workflow is, in work rather than in jobs: some jobs take seconds, others hours."""

import time
from collections.abc import Callable, Hashable, Mapping, Sequence

from benchmark.planning.budget import in_words
from benchmark.planning.plan import TOGETHER, Plan
from benchmark.planning.work import Estimates
from benchmark.runs.names import base_method
from benchmark.runs.shards import Part
from benchmark.tools.calibration import Calibration
from methods.parts.registry import Cost

# Seconds of a case by a method that nobody measured on this machine: rough, ours.
UNMEASURED: Mapping[Cost, float] = {"seconds": 3.0, "minutes": 60.0, "long": 600.0}


def work_of(estimates: Estimates, rule: str, wildcards: Mapping[str, str]) -> float:
    """Estimate the seconds that a job of the workflow takes.

    Args:
        estimates: What is known of the plan's work.
        rule: The name of the job's rule.
        wildcards: The values of the rule's wildcards.
    """
    start, plan = estimates.start.seconds or 1.0, estimates.plan
    if rule == "synthesize":
        dataset = wildcards["dataset"]
        return start + estimates.observations[dataset].seconds * len(plan.datasets[dataset].cases)
    if not rule.startswith(("restore", "score")):
        return start if rule in ("collect", "table", "figure", "report_page", "train") else 0.0
    if rule.startswith("score"):
        parts = _scored(plan, rule, wildcards)
        return start + _sum(parts, lambda name: estimates.scores[name].seconds)
    method, shard = wildcards["method"], int(wildcards["shard"])
    rough = UNMEASURED[base_method(method).cost]

    def restoring(dataset: str) -> float:
        cost = estimates.restorations[method, dataset]
        return cost.seconds if cost.is_known else rough

    return start + _sum(plan.shards[method][shard], restoring)


def _scored(plan: Plan, rule: str, wildcards: Mapping[str, str]) -> Sequence[Part]:
    """Return what a scoring job scores: a shard of one method, or all of several."""
    if rule.startswith(TOGETHER):
        methods = plan.scored_together[int(rule.removeprefix(TOGETHER))]
        return [part for method in methods for shard in plan.score_shards[method] for part in shard]
    return plan.score_shards[wildcards["method"]][int(wildcards["shard"])]


def _sum(parts: Sequence[Part], seconds: Callable[[str], float]) -> float:
    """Sum the seconds of all cases of a shard; `seconds` gives those of one case of a dataset."""
    return sum(len(part.cases) * seconds(part.dataset) for part in parts)


def work_done(plan: Plan, jobs: Mapping[Hashable, tuple[str, Mapping[str, str]]]) -> "WorkDone":
    """Count the work of jobs, by what was measured on this machine before.

    Args:
        plan: The plan.
        jobs: Each job to its rule and the values of the rule's wildcards.
    """
    estimates = Estimates(plan, Calibration(seconds=0.0))
    return WorkDone({job: work_of(estimates, *asked) for job, asked in jobs.items()})


class WorkDone:
    """Says after each job how much of all work is done and how long the rest may take.

    Args:
        work: Each job to its estimated seconds.
        clock: Returns seconds.

    >>> clock = iter([0.0, 30.0])
    >>> done = WorkDone({"short": 1.0, "long": 3.0}, lambda: next(clock))
    >>> done.after("short")
    '25% of the work done, about 90 s left'
    """

    def __init__(self, work: Mapping[Hashable, float], clock: Callable[[], float] = time.monotonic) -> None:
        self.open, self.all, self.clock = dict(work), sum(work.values()), clock
        self.started = clock()

    def after(self, job: Hashable) -> str:
        """Return a line on how far the work is after `job`; empty if that was no work."""
        if not self.open.pop(job, 0.0):
            return ""
        left = sum(self.open.values())
        done = self.all - left
        if not left:
            return "all of the work done"
        passed = self.clock() - self.started
        return f"{100 * done / self.all:.0f}% of the work done, about {in_words(passed * left / done)} left"
