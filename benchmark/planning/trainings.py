"""Which networks a config trains, and in which order."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark.figures.training_sheets import PRETRAINED
from benchmark.planning.parts import TrainingPlan
from benchmark.pretraining.job import jobs


def planned_trainings(orders: Sequence[Mapping[str, Any]], results: Path) -> dict[str, TrainingPlan]:
    """Check what a config trains.

    Args:
        orders: the entries of the config's `pretrain`.
        results: the profile's results folder.

    Returns:
        The stem of the files that a training writes, such as 'decoder-31', to the training.

    Raises:
        InputError: a training or a setting does not exist, or two trainings write the same weights.
    """
    by_stem = jobs(orders, results / PRETRAINED)
    makers = {path: job.record_path for job in by_stem.values() for path in job.outputs}
    return {
        stem: TrainingPlan(
            command=job.command,
            files=[str(path) for path in job.files],
            inputs=list(dict.fromkeys(str(makers.get(path, path)) for path in job.inputs)),
            threads=order.get("threads", 1),
        )
        for (stem, job), order in zip(by_stem.items(), orders, strict=True)
    }
