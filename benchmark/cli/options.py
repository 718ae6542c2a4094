"""Options that several verbs share, and how their texts are read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from tabulate import tabulate

from benchmark.core.types import InputError

Results = Annotated[
    Path, typer.Option(help="The results folder, results/<profile>; its plan.json says what names mean.")
]
Seed = Annotated[int, typer.Option(min=0, help="Which repetition: seeds the method's initial weights.")]
ExperimentSeed = Annotated[int, typer.Option(min=0, help="Seeds kernels and noise.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads.")]
DEMO = Path("results/demo")


def key_value(text: str) -> tuple[str, Any]:
    """Read KEY=VALUE, the value as in YAML. Raises InputError when there is no equals sign."""
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--set {text}: write KEY=VALUE, such as --set channels=32")
    return key, yaml.safe_load(value)


def page(lines: Sequence[tuple[str, str]]) -> str:
    """Pairs of a heading and a text, one below the other."""
    return tabulate(
        lines, tablefmt="plain", maxcolwidths=[None, 80], break_long_words=False, break_on_hyphens=False
    )
