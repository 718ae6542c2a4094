"""Restore one full-size case on a GPU, and add a row to `cases.csv`: seconds, memory, PSNR.

The case is the first photograph under the first kernel of Levin et al. (2009); where their data are not here,
the first of `demo-uniform`, and the row says so. On the CPU everything is tiny: a rehearsal.
"""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from benchmark.core.errors import InputError
from benchmark.core.resources import version
from benchmark.data.cases import make_case
from benchmark.data.descriptors import find_dataset
from benchmark.data.synthesis import observe
from benchmark.runs.machine import claimed_device
from benchmark.runs.names import base_method
from benchmark.runs.restore import builder
from benchmark.runs.settings import method_settings
from benchmark.scoring.csv_files import write_frame
from benchmark.scoring.protocols import find_protocol
from benchmark.scoring.scores import score_image
from methods.parts.solver import Task, drive

FULL_SIZE, DEMO = "levin", "demo-uniform"
# What makes a fit tiny, for a rehearsal.
TINY = {"channels": 4, "skip_channels": 2, "scales": 2}
SEED = 0


def restore_case(
    method: str, device: torch.device, iterations: int, overrides: dict[str, Any], checkpoint: Path
) -> dict[str, Any]:
    """Restore a case, or continue where a run was stopped.

    Args:
        method: Its name.
        device: A GPU; the CPU for a rehearsal, which takes the demo's case.
        iterations: Of the fit.
        overrides: Its other settings.
        checkpoint: The file that a stopped run continues from.

    Returns:
        A row: method, dataset, case, how it ended, iterations, seconds, PSNR in dB under the dataset's
        protocol, device, peak memory in MiB.
    """
    dataset, case = _case(FULL_SIZE if device.type == "cuda" else DEMO)
    observation, truth = observe(case, SEED)
    settings = method_settings(method, {"iterations": iterations, **overrides}, f"settings of {method}")
    build = builder(base_method(method), observation, settings, SEED, device)
    name = f"{dataset.name}/{observation.case}"
    restoration = drive(
        Task(name, build, checkpoint, key=f"{method} {name} {iterations} {overrides} {version()}")
    )
    checkpoint.unlink(missing_ok=True)
    protocol = find_protocol(dataset.content["protocol"])
    psnr = float("nan")
    if restoration.image is not None:
        (psnr,) = score_image(restoration.image, truth, protocol, [protocol.metric("psnr")])
    return {
        "method": method,
        "dataset": dataset.name,
        "case": observation.case,
        "status": restoration.status.value,
        "iterations": restoration.iterations,
        "seconds": restoration.seconds,
        "psnr": psnr,
        "device": restoration.device,
        "peak_memory_mib": restoration.peak_memory_mib,
    }


def _case(name: str) -> tuple[Any, Any]:
    """Return a dataset and its first case; those of the demo where the data are not here."""
    dataset = find_dataset(name)
    try:
        return dataset, make_case(dataset, dataset.case_ids[0], SEED)
    except InputError:
        if name == DEMO:
            raise
        return _case(DEMO)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--iterations", type=int, default=5000)
    parser.add_argument("--out", type=Path, required=True, help="the CSV file that gets a row")
    given = parser.parse_args()
    with claimed_device(given.device) as device:
        row = restore_case(
            given.method,
            device,
            given.iterations,
            TINY if device.type == "cpu" else {},
            given.out.with_name(f".{given.method}.checkpoint.pt"),
        )
    before = pd.read_csv(given.out) if given.out.exists() else pd.DataFrame()
    write_frame(pd.concat([before, pd.DataFrame([row])], ignore_index=True), given.out)
    print(row)


if __name__ == "__main__":
    main()
