"""How many cases of a job are on their way at once: as the config says, where the memory suffices."""

import torch

from benchmark.core.errors import InputError, NotSupportedError, WeightsMissingError
from benchmark.core.types import Observation
from benchmark.planning.measuring import Measuring, described
from benchmark.planning.plan import AUTO, Plan
from benchmark.runs.machine import free_memory
from benchmark.runs.names import base_method
from benchmark.runs.restore import NOBODY
from benchmark.runs.settings import method_settings
from benchmark.runs.store import Store
from benchmark.runs.watch import Watch
from benchmark.tools.calibration import Calibration
from benchmark.tools.pilot import UnknownError
from methods.parts.settings import memory_advice

MINUTES = 2.0  # that a measurement may take, where the config does not limit those of a case. Ours.
SHARE = 0.9  # of the free memory that the cases may fill: what they need is an estimate. Ours.


def read_batch(text: str) -> int | str:
    """Read a number of cases, or `AUTO`.

    Raises:
        InputError: It is neither.

    >>> read_batch("4"), read_batch("auto")
    (4, 'auto')
    """
    if text == AUTO:
        return AUTO
    if not text.isdecimal() or not int(text):
        raise InputError(f"--batch {text}: give a whole number from 1 on, or {AUTO}")
    return int(text)


def cases_at_once(
    plan: Plan, method: str, shard: int, device: torch.device, asked: int | str, watch: Watch = NOBODY
) -> int:
    """Decide how many cases of a shard are on their way at once.

    Memory is asked for more than one case, and for `AUTO` on a GPU. What a case takes is measured once, on a
    part of its image, and kept (`benchmark.tools.pilot`). Where that is not known, `asked` counts; the solver
    halves a batch that does not fit.

    Args:
        plan: Has the shard and the method's settings.
        method: <method> or <method>@<setting>.
        shard: Its number.
        device: Where it runs.
        asked: How many; `AUTO` for as many as a GPU's memory holds, and 1 on a CPU.
        watch: Is told when the measurement begins and ends: it may die, or never end, as a case may.

    Returns:
        At least 1, and no more than there are cases.

    Raises:
        InputError: There is too little memory for what was asked.
    """
    spec = base_method(method)
    count = sum(len(part.cases) for part in plan.shards[method][shard])
    most = count if asked == AUTO else min(int(asked), count)
    if not spec.gpu or most == 1 or (asked == AUTO and device.type == "cpu"):
        return 1
    need, free = _need(plan, method, shard, device, watch), free_memory(device)
    if not need or free is None:
        return 1 if asked == AUTO else most
    fit = max(1, int(SHARE * free / need))
    if asked == AUTO:
        return min(most, fit)
    if most > fit:
        settings = method_settings(method, plan.methods[method].given, f"methods.{method}")
        advice = "".join(f" or {advice}" for advice in memory_advice(settings))
        raise InputError(
            f"batch: {most} cases at once of {method} need {most * need / 2**10:.1f} GiB, "
            f"{SHARE * free / 2**10:.1f} GiB are free on {device}: use batch {fit}{advice}"
        )
    return most


def _need(plan: Plan, method: str, shard: int, device: torch.device, watch: Watch) -> float | None:
    """Return the MiB that the largest case of a shard takes; None where that cannot be measured."""
    what = f"the memory of {method}"
    if what in watch.lost:
        return None
    minutes = plan.config.get("minutes_per_case", MINUTES)
    spec, store = base_method(method), Store(plan.results)
    settings = method_settings(method, plan.methods[method].given, f"methods.{method}")
    read = store.read_known_blur if spec.needs_true_kernels else store.read_observation
    seen = (read(part.dataset, case) for part in plan.shards[method][shard] for case in part.cases)
    largest: Observation = max(seen, key=lambda observation: observation.blurry.size)
    calibration = Calibration()
    measuring = Measuring(spec, settings, device, calibration, 60 * minutes)
    watch.begin(what, 3 * minutes)  # a part of the image is measured, and perhaps the whole
    try:
        return measuring.cost(described(largest), lambda: largest).memory
    except (NotSupportedError, WeightsMissingError, UnknownError):
        return None
    finally:
        watch.end(what)
        calibration.save()
