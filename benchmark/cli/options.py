"""Options that several verbs share: their texts, and how their values are read."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmark.core.errors import InputError

Results = Annotated[
    Path, typer.Option(help="The results folder, results/<profile>; its plan.json says what names mean.")
]
Seed = Annotated[int, typer.Option(min=0, help="Which repetition: seeds the method's initial weights.")]
ExperimentSeed = Annotated[int, typer.Option(min=0, help="Seeds kernels and noise.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads.")]
DEMO = Path("results/demo")


def given_settings(texts: Sequence[str] | None, **options: int | str | None) -> dict[str, Any]:
    """Read the settings that a user gives, by --set and by options of their own.

    Args:
        texts: Each KEY=VALUE, the value as in YAML.
        options: Settings that have an option of their own; None where it is not given.

    Raises:
        InputError: A text has no equals sign or no YAML value, or a setting is given twice.
    """
    from benchmark.core.schema import parse_yaml

    settings: dict[str, Any] = {key: value for key, value in options.items() if value is not None}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--set {text}: write KEY=VALUE, such as --set channels=32")
        if key in settings:
            raise InputError(f"--set {text}: '{key}' is given twice; leave out one of them")
        settings[key] = parse_yaml(value, f"--set {text}")
    return settings


def text_table(rows: Iterable[Any], **layout: Any) -> str:
    """Lay out rows as text by `tabulate`, which is loaded here alone, as it takes a tenth of a second."""
    from tabulate import tabulate

    return tabulate(rows, **layout)


def page(lines: Sequence[tuple[str, str]]) -> str:
    """Write pairs of a heading and a text, one below the other."""
    return text_table(
        lines, tablefmt="plain", maxcolwidths=[None, 80], break_long_words=False, break_on_hyphens=False
    )
