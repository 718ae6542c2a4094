"""Make what the page shows of each case beside the restored images, which it takes from where they lie.

    report/cases/<dataset>/<case>/thumbnail.webp, blurry.png, sharp.png
        case.js: the kernels, the traces and the notes; the page loads it when the case is opened

A page that is opened from disk may load scripts but not read files: so the rest of a case is a script.
Its first line names what it was made from. What is still up to date is not made again.
"""

import base64
import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmark.core.console import counted
from benchmark.core.files import read_json, replacing, write_text
from benchmark.core.hashes import digest, files_hash
from benchmark.core.images import kernel_mosaic, write_image
from benchmark.core.types import Array
from benchmark.planning.plan import Plan
from benchmark.report.provenance import Record
from benchmark.runs.store import SYNTHESIZE, Store, read_kernels

THUMBNAIL = 160  # px, the longer side: 80 on a page, sharp on screens with two pixels for one
MOST_POINTS = 120  # of a trace; a curve is a few hundred pixels wide
MOST_CURVES = 4  # of a trace
DECISIVE = ("method", "seed", "iterations", "image_sha256", "other_sha256")  # of a record, for the pictures
CALL = "blindbenchCase"  # the page's function that a case's script calls


def case_folder(results: Path, dataset: str, case: str) -> Path:
    """Return the folder of a case's files."""
    return results / "report" / "cases" / dataset / case


def make_pictures(plan: Plan, store: Store, records: Sequence[Record]) -> None:
    """Make the files of all cases that are new or have changed.

    Args:
        plan: The plan of a finished run.
        store: Its results folder, with observations and restorations.
        records: Those of all runs.

    Raises:
        InputError: An observation or a restoration is missing or damaged.
        MachineError: A file cannot be written.
    """
    by_case: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        by_case.setdefault((record["dataset"], record["case"]), []).append(record)
    code = files_hash([Path(__file__)])
    for dataset in plan.running:
        manifest = read_json(store.observations_manifest(dataset), SYNTHESIZE)
        for case in counted(list(plan.datasets[dataset].cases), f"{dataset}: pictures"):
            runs = by_case.get((dataset, case), [])
            observed = [manifest.get(file.name) for file in store.observation_files(dataset, case)]
            decisive = [{key: run.get(key) for key in DECISIVE} for run in runs]
            made_from = digest(code, observed, decisive)
            folder = case_folder(store.root, dataset, case)
            if _first_line(folder / "case.js") != f"// {made_from}":
                _make_case(store, folder, dataset, case, runs, made_from)


def _make_case(
    store: Store, folder: Path, dataset: str, case: str, runs: Sequence[Record], made_from: str
) -> None:
    """Write the files of one case, `case.js` last."""
    observation, truth = store.read_observation(dataset, case), store.read_truth(dataset, case)
    _write_thumbnail(folder / "thumbnail.webp", observation.blurry)
    write_image(folder / "blurry.png", observation.blurry)
    if truth.sharp is not None:
        write_image(folder / "sharp.png", truth.sharp)
    folders = {
        (run["method"], run["seed"]): store.case_folder(dataset, run["method"], run["seed"], case)
        for run in runs
    }
    estimates = {run: read_kernels(path) for run, path in folders.items()}
    mosaics = {
        run: kernel_mosaic(kernels, observation.grid)
        for run, kernels in estimates.items()
        if kernels is not None
    }
    true = None if truth.kernels is None else kernel_mosaic(truth.kernels, observation.grid)
    # One scale for all: white is the peak of the true kernel or, without one, the highest peak.
    peaks = [mosaic.max() for mosaic in (mosaics.values() if true is None else [true])]
    white = float(max(peaks, default=1))
    content = {
        "dataset": dataset,
        "case": case,
        "size": list(observation.blurry.shape[1:]),
        "hasSharp": truth.sharp is not None,
        "trueKernel": None if true is None else _kernel(true, white),
        "runs": [
            {
                "method": run["method"],
                "seed": run["seed"],
                "iterations": run.get("iterations", 0),
                "kernel": _kernel(mosaics[key], white) if key in mosaics else None,
                "trace": _trace(folders[key] / "trace.csv"),
            }
            for run in runs
            for key in [(run["method"], run["seed"])]
        ],
    }
    write_text(folder / "case.js", f"// {made_from}\n{CALL}({json.dumps(content)});\n")


def _write_thumbnail(path: Path, image: Array) -> None:
    picture = _picture(image)
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    with replacing(path) as temporary:
        picture.save(temporary, quality=80)


def _picture(image: Array) -> Image.Image:
    """Convert (C, H, W) in [0, 1] to a picture of 8 bits."""
    pixels = np.round(255 * np.clip(image, 0, 1)).astype(np.uint8)
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def _kernel(mosaic: Array, white: float) -> dict[str, Any]:
    """Draw a kernel, or several side by side, (h, w); entries from `white` on are white."""
    file = io.BytesIO()
    _picture((mosaic / white)[None]).save(file, "PNG")
    address = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    return {"height": mosaic.shape[0], "width": mosaic.shape[1], "picture": address}


def _trace(path: Path) -> dict[str, Any] | None:
    """Read the curves of a trace, thinned to `MOST_POINTS`; None where there are no two points."""
    if not path.exists():
        return None
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if len(rows) < 2:
        return None
    chosen = [rows[int(place)] for place in np.linspace(0, len(rows) - 1, min(len(rows), MOST_POINTS))]
    columns = [name for name in rows[0] if any(_finite(row[name]) is not None for row in rows)]
    curves = [name for name in columns if name != "iteration"][:MOST_CURVES]
    return {
        "iterations": [_finite(row["iteration"]) for row in chosen],
        "curves": {name: [_finite(row[name]) for row in chosen] for name in curves},
    }


def _finite(text: str | None) -> float | None:
    """Read a number, of five digits; None for a text or what is not finite."""
    try:
        value = float(f"{float(text or ''):.5g}")
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline().rstrip("\n")
    except OSError:
        return ""
