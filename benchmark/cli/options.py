"""Options that several verbs share, and how their texts are read."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from tabulate import tabulate

from benchmark.core.types import InputError

Results = Annotated[Path, typer.Option(help="The results folder, results/<profile>.")]
Seed = Annotated[int, typer.Option(min=0, help="Which repetition: seeds the method's initial weights.")]
ExperimentSeed = Annotated[int, typer.Option(min=0, help="Seeds kernels and noise.")]
Cases = Annotated[str, typer.Option(help="Case names, comma-separated.")]
TableDatasets = Annotated[
    str,
    typer.Option("--datasets", help="The datasets it shows, comma-separated; a paper's table has its own."),
]
Snapshots = Annotated[str, typer.Option(help="Iterations, comma-separated.")]
Titles = Annotated[str, typer.Option(help="JSON object: method to the words for it, as in a config.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads.")]
Caption = Annotated[str, typer.Option(help="What it says of the profile.")]
DEMO = Path("results/demo")


def json_object(text: str, option: str = "--settings") -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InputError(f"{option}: not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise InputError(f"{option}: a JSON object such as '{{\"iterations\": 500}}' is needed")
    return value


def iterations(text: str) -> list[int]:
    words = text.split(",") if text else []
    for word in words:
        if not word.isdecimal() or int(word) < 1:
            raise InputError(f"--snapshots: '{word}' is no number of iterations; write such as 50,100")
    return [int(word) for word in words]


def key_value(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--set {text}: write KEY=VALUE, such as --set channels=32")
    return key, yaml.safe_load(value)


def weights_of(results: Path) -> dict[str, str]:
    """The pre-trained weights behind the results of each method that has any."""
    from benchmark.runs.names import weights_behind
    from benchmark.scoring.csv_files import RUN_COLUMNS, read_frame

    path = results / "runs.csv"
    return weights_behind(read_frame(path, RUN_COLUMNS)) if path.exists() else {}


def page(lines: Sequence[tuple[str, str]]) -> str:
    """Pairs of a heading and a text, one below the other."""
    return tabulate(
        lines, tablefmt="plain", maxcolwidths=[None, 80], break_long_words=False, break_on_hyphens=False
    )
