"""What to do with a GPU that is at hand for minutes: tests, times, two full-size cases, and trainings.

`make gpu` calls it. Each part is a command with its own time limit; all together take nine minutes at most. A
part that is done leaves a line in `day.json` and is not done again, so the same call continues where a killed
one stopped. What is left of the time goes to the trainings, in the order of what they are worth.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from benchmark.core.errors import InputError
from benchmark.core.files import require_writable, write_json, write_text
from benchmark.core.schema import look_up
from benchmark.pretraining.job import Job, jobs
from benchmark.runs.gpus import require_gpu
from benchmark.tools.gpu_bench import FULL_SIZE, PLAN
from methods.parts.solver import device_name

MINUTES = 9.0  # of the whole day
GRACE = 5.0  # seconds that a part gets to end after its limit
NEEDS = (
    "torch", "numpy", "scipy", "skimage", "PIL", "safetensors", "pandas", "pydantic", "yaml", "jsonschema",
    "pooch", "platformdirs", "matplotlib", "rich", "tabulate", "threadpoolctl", "typer", "pytest",
)  # fmt: skip
MOST_FILES, MOST_BYTES = 8, 16 * 2**20  # of the outputs: what can be taken home
DAY = "day.json"
TRAININGS: Mapping[str, Mapping[str, Any]] = PLAN["trainings"]  # what may be trained at the end of a day
FIRST = next(iter(TRAININGS))
TAKEN = 4  # files of a training that are taken home


@dataclass(frozen=True)
class Part:
    """A part of the day."""

    name: str
    command: Sequence[str]  # of Python: what follows `python -m`
    seconds: float  # that it may take at most
    outputs: Sequence[str]  # files that it writes in the folder of the day


@dataclass(frozen=True)
class Wish:
    """What is trained at the end of the day."""

    training: str = FIRST  # one of TRAININGS
    images: tuple[str, ...] = ()  # folders of photographs, or sources; empty: those of gpu.yaml
    start: str = ""  # a folder with weights of the same training to begin with

    def job(self, out: Path, device: str) -> Job:
        """Return the training as a job whose results go to the folder `out`.

        Raises:
            InputError: There is no such training, or the wish does not fit it.
        """
        recipe = dict(look_up(TRAININGS, self.training, "training of a GPU day"))
        rehearsed = recipe.pop("rehearsal")
        recipe |= {"half": True, "minutes": 2.5, "start": self.start}
        if self.images:
            recipe["images"] = list(self.images)
        if device == "cpu":
            recipe |= {"settings": {**recipe["settings"], **rehearsed}, "steps": 2}
        (job,) = jobs([recipe], out).values()
        return job


def parts(out: Path, device: str = "cuda", wish: Wish = Wish()) -> list[Part]:
    """Return the parts of the day, in order.

    Args:
        out: The folder of the day.
        device: cuda; cpu for a rehearsal, a hundredth of everything.
        wish: What is trained at the end.

    Raises:
        InputError: As `Wish.job`.
    """
    scale = 1.0 if device == "cuda" else 0.01
    on = ["--device", device]
    tests = ["pytest", "-q", "-p", "no:cacheprovider", "-m", "cuda", "tests/cuda"]
    bench = ["benchmark", "bench", "gpu", *on, "--seconds", str(105 * scale), "--out", str(out / "gpu.csv")]
    iterations = ["--iterations", str(round(5000 * scale)), "--out", str(out / "cases.csv")]
    job = wish.job(out, device)
    train = ["benchmark", *shlex.split(job.command)[1:], *on, "--out", str(out)]
    card = job.record_path.with_suffix(".md")
    worth = [*job.outputs, job.record_path, card, job.record_path.with_suffix(".png")]
    trained = [path.name for path in worth[:TAKEN]]
    return [
        Part("tests", tests, 120, ["tests.txt"]),
        Part("times", bench, 120, ["gpu.csv"]),
        *(
            Part(method, ["benchmark.tools.gpu_case", method, *on, *iterations], 60, ["cases.csv"])
            for method in FULL_SIZE
        ),
        Part(wish.training, train, 175, trained),
    ]


def run(
    out: Path,
    device: str = "cuda",
    clock: Callable[[], float] = time.monotonic,
    wish: Wish = Wish(),
) -> int:
    """Do the parts that are not done yet. Returns how many failed or had no time left.

    Args:
        out: The folder of the day; made if it is not there.
        device: As in `parts`.
        clock: In seconds.
        wish: What is trained at the end.

    Raises:
        InputError: A package or the weights of an earlier training are missing, there is no such device, or
            the folder cannot be written.
    """
    missing = [name for name in NEEDS if find_spec(name) is None]
    if missing:
        raise InputError(
            f"missing here: {', '.join(missing)}; bring their wheels in a folder: make gpu WHEELS=folder"
        )
    job = wish.job(out, device)
    _ = job.photographs  # refuses folders without any before the minutes run
    for path in job.inputs:
        if not path.is_file():
            raise InputError(
                f"{path} is missing, which {wish.training} needs; train it first, or copy it there"
            )
    require_writable(out)
    record: dict[str, Any] = {"device": _device(device), "parts": {}} | _record(out)
    began, open_parts = clock(), 0
    for part in parts(out, device, wish):
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
    kept = [name for other in TRAININGS for part in parts(out, device, Wish(other)) for name in part.outputs]
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
    parser.add_argument("--training", default=FIRST, choices=TRAININGS, help="what is trained at the end")
    parser.add_argument(
        "--images", action="append", default=[], help="photographs to train on, in place of BSDS500"
    )
    parser.add_argument("--start", default="", help="a folder with weights of this training to begin with")
    given = parser.parse_args()
    try:
        wish = Wish(given.training, tuple(given.images), given.start)
        sys.exit(1 if run(given.out, given.device, wish=wish) else 0)
    except InputError as error:
        print(f"blindbench: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
