"""What to do with a GPU that is at hand for minutes: tests, times, two full-size cases, and trainings.

`make gpu` calls it. Each part is a command with its own time limit; all together take nine minutes at most. A
part that is done leaves a line in `day.json` and is not done again, so the same call continues where a killed
one stopped. What is left of the time goes to the trainings, in the order of what they are worth.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from benchmark.core.files import require_writable, write_json, write_text
from benchmark.core.types import InputError
from benchmark.runs.gpus import require_gpu
from benchmark.tools.gpu_bench import FULL_SIZE
from methods.parts.solver import device_name

MINUTES = 9.0  # of the whole day
GRACE = 5.0  # seconds that a part gets to end after its limit
NEEDS = (
    "torch", "numpy", "scipy", "skimage", "PIL", "safetensors", "pandas", "pydantic", "yaml", "jsonschema",
    "pooch", "platformdirs", "matplotlib", "rich", "tabulate", "threadpoolctl", "typer", "pytest",
)  # fmt: skip
MOST_FILES, MOST_BYTES = 8, 16 * 2**20  # of the outputs: what can be taken home
DAY = "day.json"
# The trainings that fit into a day, as `<training>-<kernel size>`. Neither needs photographs.
TRAININGS = ("generator-31", "generator-any", "decoder-31", "decoder-any")


@dataclass(frozen=True)
class Part:
    """A part of the day."""

    name: str
    command: Sequence[str]  # of Python: what follows `python -m`
    seconds: float  # that it may take at most
    outputs: Sequence[str]  # files that it writes in the folder of the day


def parts(out: Path, device: str = "cuda", training: str = TRAININGS[0]) -> list[Part]:
    """Return the parts of the day, in order.

    Args:
        out: The folder of the day.
        device: cuda; cpu for a rehearsal, a hundredth of everything.
        training: One of TRAININGS.
    """
    scale = 1.0 if device == "cuda" else 0.01
    on = ["--device", device]
    tests = ["pytest", "-q", "-p", "no:cacheprovider", "-m", "cuda", "tests/cuda"]
    bench = ["benchmark", "bench", "gpu", *on, "--seconds", str(105 * scale), "--out", str(out / "gpu.csv")]
    iterations = ["--iterations", str(round(5000 * scale)), "--out", str(out / "cases.csv")]
    name, _, size = training.partition("-")
    train = ["benchmark", "pretrain", name, "--kernel-size", size, *on, "--out", str(out), "--half"]
    train += ["--max-minutes", str(2.5 * scale)]
    if device == "cpu":
        train += ["--set", "kernels=64", "--set", "width=2", "--set", "batch=8", "--steps", "2"]
    # A sheet, or the second network: more files than MOST_FILES cannot be taken home.
    last = f"encoder-{size}.safetensors" if name == "decoder" else f"{training}.png"
    trained = [f"generator-{size}.safetensors", f"{training}.json", f"{training}.md", last]
    return [
        Part("tests", tests, 120, ["tests.txt"]),
        Part("times", bench, 120, ["gpu.csv"]),
        *(
            Part(method, ["benchmark.tools.gpu_case", method, *on, *iterations], 60, ["cases.csv"])
            for method in FULL_SIZE
        ),
        Part(training, train, 175, trained),
    ]


def run(
    out: Path,
    device: str = "cuda",
    clock: Callable[[], float] = time.monotonic,
    training: str = TRAININGS[0],
) -> int:
    """Do the parts that are not done yet. Returns how many failed or had no time left.

    Args:
        out: The folder of the day; made if it is not there.
        device: As in `parts`.
        clock: In seconds.
        training: One of TRAININGS.

    Raises:
        InputError: A package is missing, there is no such device, or the folder cannot be written.
    """
    missing = [name for name in NEEDS if find_spec(name) is None]
    if missing:
        raise InputError(
            f"missing here: {', '.join(missing)}; bring their wheels in a folder: make gpu WHEELS=folder"
        )
    require_writable(out)
    record: dict[str, Any] = {"device": _device(device), "parts": {}} | _record(out)
    began, open_parts = clock(), 0
    for part in parts(out, device, training):
        if record["parts"].get(part.name, {}).get("code") == 0:
            print(f"{part.name}: was done before", flush=True)
            continue
        seconds = min(part.seconds, 60 * MINUTES - GRACE - (clock() - began))
        if seconds <= 0:
            print(f"{part.name}: no time is left; the same call goes on", flush=True)
            open_parts += 1
            continue
        ended = _do(part, out, seconds)
        record["parts"][part.name] = ended
        write_json(out / DAY, record)
        print(f"{part.name}: {ended['end']} after {ended['seconds']:.0f} s", flush=True)
        open_parts += ended["code"] != 0
    kept = [name for other in TRAININGS for part in parts(out, device, other) for name in part.outputs]
    _tidy(out, [DAY, *kept])
    return open_parts


def _record(out: Path) -> dict[str, Any]:
    """Read what was done before. Raises InputError if the file is damaged."""
    path = out / DAY
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError as error:
        raise InputError(f"{path}: is no JSON ({error}); delete it to begin anew") from error
    return record


def _device(name: str) -> str:
    """Return the device's name. Raises InputError where there is no GPU."""
    if name == "cpu":
        return name
    require_gpu()
    return device_name(torch.device("cuda", 0))


def _do(part: Part, out: Path, seconds: float) -> Mapping[str, Any]:
    """Run a part; what it prints becomes `<name>.txt` where that is one of its outputs."""
    began = time.monotonic()
    command = [sys.executable, "-m", *part.command]
    log = out / f"{part.name}.txt"
    keeps = log.name in part.outputs
    try:
        done = subprocess.run(
            command,
            timeout=seconds,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE if keeps else None,
            stderr=subprocess.STDOUT if keeps else None,
            check=False,
        )
        code, said = done.returncode, done.stdout
        end = "done" if code == 0 else f"failed with exit code {code}"
    except subprocess.TimeoutExpired as late:
        code, said, end = -1, late.output, f"stopped at its limit of {seconds:.0f} s"
    if keeps:
        text = (said or b"").decode(errors="replace")
        write_text(log, text)
        print("\n".join(text.splitlines()[-15:]))
    return {"code": code, "end": end, "seconds": round(time.monotonic() - began, 1)}


def _tidy(out: Path, names: Sequence[str]) -> None:
    """Delete what parts left beside their outputs. Raises InputError if one is too large to be taken home."""
    for path in out.iterdir():
        if path.is_file() and path.name not in names and not path.name.endswith(".checkpoint.pt"):
            path.unlink()
        elif path.name in names and path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path}: larger than {MOST_BYTES // 2**20} MiB; it cannot be taken home")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/gpu"))
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"), help="cpu: a rehearsal")
    parser.add_argument(
        "--training", default=TRAININGS[0], choices=TRAININGS, help="what is trained at the end"
    )
    given = parser.parse_args()
    try:
        sys.exit(1 if run(given.out, given.device, training=given.training) else 0)
    except InputError as error:
        print(f"blindbench: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
