"""Make up the results of a large run, to see how long its report takes to make and to open.

    python -m tests.benchmark.report.large FOLDER --cases 1000

writes them into FOLDER, makes the report, and opens it in Chromium. The scores are drawn at random.
"""

import argparse
import json
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.cli.main import app
from benchmark.core.arrays import write_arrays
from benchmark.core.files import write_json
from benchmark.core.images import write_image
from benchmark.core.seals import sealed
from benchmark.core.types import Observation, Truth
from benchmark.planning.config import make_plan
from benchmark.runs.store import Store
from benchmark.scoring.csv_files import SCORE_COLUMNS, runs_frame, write_sealed

DATASET = "demo-uniform"
METRICS = {  # mean and spread of the scores
    "psnr": (25, 4), "ssim": (0.7, 0.1), "lpips-alex": (0.3, 0.1), "vif": (0.4, 0.1), "niqe": (6, 1),
    "brisque": (40, 9), "piqe": (50, 9), "kernel-similarity": (0.7, 0.1), "error-ratio": (2, 0.5),
}  # fmt: skip
CONFIG = {
    "profile": "large",
    "caption": "Made up: the scores are drawn at random.",
    "datasets": [DATASET],
    "metrics": [
        "psnr",
        "ssim",
        "lpips",
        "vif",
        "niqe",
        "brisque",
        "piqe",
        "kernel-similarity",
        "error-ratio",
    ],
    "methods": {
        name: {}
        for name in ("blurry", "oracle", "l0-grad", "choose", "selfdeblur", "dip-glkm", "nafnet", "ufpnet")
    },
}
SIDE = 96  # px, of the images


def make_results(cases):
    """Write the results of `CONFIG` on so many cases below the working directory; return their folder."""
    plan, rng = make_plan(CONFIG, "large"), np.random.default_rng(0)
    names = {f"case{number:04}": f"group{number % 10}" for number in range(cases)}
    plan = replace(plan, datasets={DATASET: replace(plan.datasets[DATASET], cases=names)})
    plan.write()
    store, image = plan.store, rng.random((3, SIDE, SIDE), dtype=np.float32)
    kernel = np.full((1, 15, 15), 1 / 225, dtype=np.float32)
    hashes = {}
    for case, group in names.items():
        observation = Observation(DATASET, case, np.roll(image, rng.integers(SIDE), axis=1), (15, 15))
        store.write_observation(observation, Truth(group, image, kernel))
        hashes |= {file.name: case for file in store.observation_files(DATASET, case)}
    store.write_observations_manifest(DATASET, hashes)
    write_image(Path("image.png"), image)
    write_arrays(Path("kernels.npz"), kernels=kernel)
    losses = np.geomspace(1, 0.01, 300)
    pd.DataFrame({"iteration": np.arange(1, 301), "loss": losses}).to_csv("trace.csv", index=False)
    records, scores = [], []
    for method, shards in plan.shards.items():
        for number, shard in enumerate(shards):
            own = [_record(store, method, case) for part in shard for case in part.cases]
            with sealed(store.records(method, number)):
                write_json(store.records(method, number), own)
            records += own
        for metric, (mean, spread) in METRICS.items():
            values = rng.normal(mean, spread, cases)
            scores += [
                (DATASET, names[case], case, method, 0, "shift-rgb", metric, value, "")
                for case, value in zip(names, values, strict=True)
            ]
    write_sealed(runs_frame(records), store.runs)
    write_sealed(pd.DataFrame(scores, columns=list(SCORE_COLUMNS)), store.scores)
    return plan.results


def _record(store, method, case):
    """The record of a restoration whose files all others share."""
    folder = store.case_folder(DATASET, method, 0, case)
    folder.mkdir(parents=True)
    for name in ("image.png", "kernels.npz", "trace.csv"):
        os.link(name, folder / name)
    decides = {"settings": {}, "observation": "0" * 16, "weights": "", "code": "1" * 16, "seeds": [0, 0]}
    record = {
        "dataset": DATASET, "case": case, "method": method, "seed": 0, "config_hash": "2" * 16,
        "provenance": decides, "status": "ok", "reason": "", "iterations": 300, "seconds": 12.5,
        "peak_memory_mib": 700, "device": "cpu", "weights": "", "code_version": "made-up", "versions": {},
        "machine": {}, "image_sha256": "3" * 64, "other_sha256": {},
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(record))
    return record


def seconds_to_open(page):
    """Open a page in Chromium.

    Returns the seconds until it is drawn, those of them in which a processor worked for it, and the number of
    pictures loaded.
    """
    from tests.benchmark.report.browser import opened  # noqa: PLC0415  (only where there is one)

    with opened() as browser:
        tab = browser.new_page()
        pictures = []
        tab.on("request", lambda request: pictures.append(request.url) if ".webp" in request.url else None)
        metrics = tab.context.new_cdp_session(tab)
        metrics.send("Performance.enable")
        started = time.monotonic()
        tab.goto(page.resolve().as_uri(), wait_until="load")
        tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
        seconds = time.monotonic() - started
        measured = {
            entry["name"]: entry["value"] for entry in metrics.send("Performance.getMetrics")["metrics"]
        }
        return seconds, measured["ProcessTime"], len(pictures)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cases", type=int, default=1000)
    given = parser.parse_args()
    given.folder.mkdir(parents=True)
    os.chdir(given.folder)
    results = make_results(given.cases)
    app(["table", "uniform", "--results", str(results)], standalone_mode=False)
    for what in ("first", "again"):
        started = time.process_time()
        app(["report", "--results", str(results)], standalone_mode=False)
        print(f"report, {what}: {time.process_time() - started:.1f} core-seconds")
    page = Store(results).report
    print(f"index.html: {page.stat().st_size / 2**20:.1f} MiB")
    for _ in range(3):
        seconds, busy, pictures = seconds_to_open(page)
        print(f"opened in {seconds:.2f} s, {busy:.2f} core-seconds, with {pictures} thumbnails")


if __name__ == "__main__":
    main()
