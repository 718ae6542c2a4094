"""What the papers claim in words, from `papers/claims.yaml`: the printed numbers behind it, and a rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.core.errors import InputError
from benchmark.core.schema import checked, did_you_mean, look_up, read_yaml
from benchmark.tables.claim_measures import MEASURES, Measure, unit_of, with_unit
from benchmark.tables.paper_tables import FOLDER, paper_of
from benchmark.tables.published import printed_numbers

FILE = FOLDER / "claims.yaml"


@dataclass(frozen=True)
class Comparison:
    """Whose numbers a claim is about: methods `of` on `datasets`, compared with `over` on `over_datasets`."""

    of: tuple[str, ...]  # names, or shell patterns of the variants of a method
    over: tuple[str, ...]
    datasets: tuple[str, ...]  # none for a property of a network
    over_datasets: tuple[str, ...]  # one for each of `datasets`


@dataclass(frozen=True)
class Rule:
    """When a claim counts as reproduced: all that is given must hold."""

    interval_above: float | None = None  # the whole interval lies above this value
    interval_below: float | None = None
    share_of_published: float | None = None  # our number is at least this share of the published one
    within: float | None = None  # our number differs from the published one by at most this share of it

    def holds(self, value: float, low: float, high: float, published: float) -> bool:
        """Apply the rule to our number, its interval and the published number.

        >>> Rule(interval_above=0, share_of_published=0.5).holds(0.4, 0.1, 0.7, published=0.66)
        True
        """
        checks = {
            "interval_above": lambda bound: low > bound,
            "interval_below": lambda bound: high < bound,
            "share_of_published": lambda share: value >= share * published,
            "within": lambda share: abs(value - published) <= share * abs(published),
        }
        return all(checks[key](number) for key, number in vars(self).items() if number is not None)

    def sentence(self, unit: str) -> str:
        """Say the rule in words."""
        words = {
            "interval_above": lambda bound: f"the interval lies above {with_unit(f'{bound:g}', unit)}",
            "interval_below": lambda bound: f"the interval lies below {with_unit(f'{bound:g}', unit)}",
            "share_of_published": lambda share: f"our number is at least {share:.0%} of the paper's",
            "within": lambda share: f"our number is within {share:.0%} of the paper's",
        }
        given = [words[key](number) for key, number in vars(self).items() if number is not None]
        return " and ".join(given)


@dataclass(frozen=True)
class Claim:
    """A claim of a paper."""

    statement: str  # in our words
    printed: str  # where the paper makes it
    published: float  # computed from the printed tables; NaN where they have no number
    source: str  # from which of their cells, and what the text of the paper states
    measure: Measure
    metric: str  # as in scores.csv
    comparison: Comparison  # as the paper has it
    demo: Comparison | None  # what stands in for it in a small run
    at_least: float | None  # counts the share of restorations with at least this value, in place of the mean
    same_training: bool  # whether the methods' networks must have the same size and training
    rule: Rule
    note: str

    @property
    def unit(self) -> str:
        """The unit of its numbers."""
        return unit_of(self.measure, self.metric, self.at_least)


@dataclass(frozen=True)
class ClaimTable:
    """The claims of a paper."""

    name: str
    title: str
    claims: tuple[Claim, ...]
    # Method, or shell pattern, to the settings that make it what the claims speak of; 'any' leaves one open.
    settings: Mapping[str, Mapping[str, Any]]
    free_settings: tuple[str, ...]  # settings that the papers do not fix

    @property
    def datasets(self) -> list[str]:
        """The datasets of the paper that its claims are about, each once."""
        compared = [claim.comparison for claim in self.claims]
        names = [name for one in compared for name in (*one.datasets, *one.over_datasets)]
        return list(dict.fromkeys(names))


def claim_tables() -> list[str]:
    """List the names of the tables of claims."""
    return list(_document()["tables"])


def claim_table(name: str) -> ClaimTable:
    """Return a table of claims. Raises InputError when there is none."""
    document = _document()
    look_up(document["tables"], name, "table")
    return define_claims(name, document)


def define_claims(name: str, document: Mapping[str, Any]) -> ClaimTable:
    """Make a table of claims.

    Args:
        name: The table's name.
        document: Follows `workflow/schemas/claims.schema.yaml`.

    Raises:
        InputError: A measure is unknown, or the papers' files lack a printed number.
    """
    table = document["tables"][name]
    paper = paper_of(table["paper"])
    claims = tuple(_claim(f"{name}: {entry['statement']}", entry, paper) for entry in table["claims"])
    settings = table.get("settings", {})
    return ClaimTable(
        name, f"{paper['title']}: claims in words", claims, settings, tuple(document["free_settings"])
    )


def _claim(where: str, entry: Mapping[str, Any], paper: Mapping[str, Any]) -> Claim:
    if entry["measure"] not in MEASURES:
        hint = did_you_mean(entry["measure"], list(MEASURES))
        raise InputError(f"{where}: unknown measure '{entry['measure']}'. {hint}")
    measure = MEASURES[entry["measure"]]
    published, source = np.nan, "no number"
    if "published" in entry:
        published, source = _published(where, entry["published"], measure, FOLDER / paper["numbers"])
    return Claim(
        statement=entry["statement"],
        printed=entry["printed"],
        published=published,
        source=source,
        measure=measure,
        metric=entry["metric"],
        comparison=_comparison(entry, entry),
        demo=_comparison(entry, entry["demo"]) if "demo" in entry else None,
        at_least=entry.get("at_least"),
        same_training=entry.get("same_training", False),
        rule=Rule(**entry["rule"]),
        note=entry.get("note", ""),
    )


def _comparison(entry: Mapping[str, Any], place: Mapping[str, Any]) -> Comparison:
    """Make what a claim compares on the datasets of `place`, with the methods that stand in there."""
    others = place.get("methods", {})
    return Comparison(
        of=tuple(others.get(name, name) for name in entry["of"]),
        over=tuple(others.get(name, name) for name in entry.get("over", ())),
        datasets=tuple(place["datasets"]),
        over_datasets=tuple(place.get("over_datasets", place["datasets"])),
    )


def _published(where: str, entry: Mapping[str, Any], measure: Measure, file: Path) -> tuple[float, str]:
    """Compute the published number of a claim from the printed tables, and say from which cells.

    Raises:
        InputError: A cell is not in the file, or is there twice.
    """
    rows = [entry["of"], *([entry["over"]] if "over" in entry else [])]
    numbers = []
    for cell in entry["cells"]:
        of, *over = [np.array([_printed(where, file, cell, row, entry["metric"])]) for row in rows]
        numbers.append(measure.compare(of, over[0] if over else None))
    cells = " and ".join(f"Table {cell['table']} ({cell['split']})" for cell in entry["cells"])
    mean = "the mean over " * (len(numbers) > 1)
    text = f"; the text says {entry['text']:g}" if "text" in entry else ""
    return float(np.mean(numbers)), f"{' against '.join(rows)}, {mean}{cells}{text}"


def _printed(where: str, file: Path, cell: Mapping[str, str], row: str, metric: str) -> float:
    place = {**cell, "method": row, "metric": metric}
    values = [
        entry["value"]
        for entry in printed_numbers(file, cell["table"])
        if all(entry[key] == value for key, value in place.items())
    ]
    if len(values) != 1:
        described = ", ".join(f"{key} {value}" for key, value in place.items())
        raise InputError(
            f"{where}: published: {file.name} has {len(values)} numbers for {described}, not one"
        )
    return float(values[0])


@cache
def _document() -> dict[str, Any]:
    return checked(read_yaml(FILE), "claims", str(FILE))
