"""Measure how far the scores of other CPUs lie, on this one.

    python -m tests.other_cpus [pattern ...]     # of <dataset>/<method>; all if none

The numerical libraries choose their code by the CPU, and variables make them take another CPU's. Under one
such variable at a time, this restores the demo's cases with the demo's settings and scores them. It replaces
the rows of docs/results/other-cpus.csv. `BLINDBENCH_MIRROR` names a folder that has the metrics' weights.
"""

import csv
import fnmatch
import math
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from unittest import mock

import torch

from benchmark.core.progress import silent
from benchmark.data.cases import make_case
from benchmark.data.descriptors import find_dataset
from benchmark.data.synthesis import observe
from benchmark.planning.config import read_configs
from benchmark.runs.machine import prepare
from benchmark.runs.restore import Shard, restore_shard
from benchmark.runs.shards import Part
from benchmark.runs.store import Store, observation_hash, read_record
from benchmark.scoring.scores import score_method
from tests.conftest import ROOT

FILE = ROOT / "docs" / "results" / "other-cpus.csv"
KEYS = ("dataset", "method", "case", "seed", "switch")
AS_IT_IS = ""  # no variable: the machine's own code
OTHERS = ("OPENBLAS_CORETYPE=SkylakeX", "ATEN_CPU_CAPABILITY=avx2")
OTHERS_OF_TORCH = ("ONEDNN_MAX_CPU_ISA=AVX2", "MKL_CBWR=AVX2")
OTHERS_OF_NUMPY = (
    "OPENBLAS_CORETYPE=Sandybridge",
    "OPENBLAS_CORETYPE=Zen",
    "NPY_DISABLE_CPU_FEATURES="
    "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR",
)
SWITCHES = (AS_IT_IS, *OTHERS, *OTHERS_OF_TORCH, *OTHERS_OF_NUMPY)
RUNS = {
    "demo-uniform/oracle": SWITCHES,
    "demo-uniform/l0-grad": SWITCHES,
    "demo-uniform/choose": SWITCHES,
    "demo-uniform/nafnet": SWITCHES,
    "demo-uniform/ufpnet": SWITCHES,
    "demo-uniform/dip-glkm@quick": (AS_IT_IS, *OTHERS, *OTHERS_OF_TORCH),  # half a minute for each case
    "demo-nonuniform/oracle": SWITCHES,
    "demo-nonuniform/nafnet": SWITCHES,
    "demo-nonuniform/ufpnet": SWITCHES,
    "demo-nonuniform/dip-glkm@quick": (AS_IT_IS, *OTHERS),
}


def measure(runs, switch, known):
    """Restore and score all cases of some runs, `<dataset>/<method>`; return a row for each case.

    An image with the same bytes as one of the rows in `known` has its scores.
    """
    prepare(1)
    methods = read_configs([ROOT / "config" / "demo.yaml"])["methods"]
    rows = []
    for run in runs:
        dataset, method = run.split("/")
        for case in find_dataset(dataset).entries:
            with tempfile.TemporaryDirectory() as folder:
                store = Store(Path(folder))
                observation, truth = observe(make_case(find_dataset(dataset), case, 0), 0)
                store.write_observation(observation, truth)
                shard = Shard(method, [Part(dataset, 0, [case])], overrides=methods[method])
                restore_shard(store, shard, torch.device("cpu"), silent)
                image = read_record(store.case_folder(dataset, method, 0, case))["image_sha256"][:12]
                row = dict(zip(KEYS, (dataset, method, case, "0", switch), strict=True))
                row |= {"observation_hash": observation_hash(observation), "image_sha256": image}
                same = [other for other in known if other["image_sha256"] == image]
                rows.append((same[0] | row) if same else (row | scores_of(store, row)))
    return rows


def scores_of(store, row):
    """Score the restoration of a row; return metric to value, with six digits."""
    metrics = read_configs([ROOT / "config" / "demo.yaml"])["metrics"]
    scores = score_method(
        store, row["dataset"], row["method"], [row["case"]], seed=0, protocol="shift-rgb", metrics=metrics
    )
    values = ["" if math.isnan(value) else f"{value:.6g}" for value in scores.value]
    return dict(zip(scores.metric, values, strict=True))


def measure_under(switch, runs, known):
    """Measure in a new process, whose libraries see the variable as they start."""
    variable = dict([switch.split("=", 1)] if switch else [])
    with mock.patch.dict(os.environ, variable), ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(measure, runs, switch, known).result()


def write(rows):
    """Write the CSV, in the order of `RUNS` and of their variables."""
    order = [(*run.split("/"), switch) for run, switches in RUNS.items() for switch in switches]
    rows.sort(key=lambda row: (order.index((row["dataset"], row["method"], row["switch"])), row["case"]))
    with FILE.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    patterns = sys.argv[1:] or ["*"]
    chosen = [run for run in RUNS if any(fnmatch.fnmatch(run, pattern) for pattern in patterns)]
    known = []
    for switch in SWITCHES:
        runs = [run for run in chosen if switch in RUNS[run]]
        if not runs:
            continue
        new = measure_under(switch, runs, known)
        known = known or new
        again = {tuple(row[key] for key in KEYS) for row in new}
        kept = list(csv.DictReader(FILE.open())) if FILE.exists() else []
        write([row for row in kept if tuple(row[key] for key in KEYS) not in again] + new)
        print(f"{switch or 'as it is'}: {len(new)} cases", flush=True)
