"""Write where a number of a table comes from, for a terminal: the lines of `blindbench explain`."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from benchmark.report.provenance import Origin, Provenance, Value
from benchmark.scoring.metrics import METRICS

HASH_DIGITS = 12  # that are shown; run.json has all


def about_number(found: Provenance, cell: Mapping[Any, Any]) -> list[tuple[str, str]]:
    """Describe a number of a table by pairs of a heading and a text.

    Args:
        found: Where the number comes from.
        cell: The number's row of the table of numbers, see `benchmark.tables.summary.TABLE_COLUMNS`.
    """
    origin = found.origin
    metric = METRICS[found.metric]
    settings = ", ".join(f"{key}: {value}" for key, value in origin.changed.items())
    paper = f"{origin.paper}; where it prints a setting, that is the default"
    return [
        ("number", f"{metric.title} of {origin.title} ({origin.method}) on {origin.dataset}"),
        ("mean", _mean(cell, metric.digits)),
        ("protocol", f"{origin.protocol}: {origin.protocol_title}"),
        ("paper", paper if origin.paper != "none" else "none"),
        ("settings that differ", settings or "none: all have the method's defaults"),
        ("weights", "; ".join([*origin.weights, *origin.cards]) or "none"),
        *_made_by(origin),
        ("repeat and compare", origin.command),
    ]


def restoration_rows(found: Provenance) -> list[dict[str, str]]:
    """Make a row per restoration: case, seed, value, how it ended, and the hashes."""
    digits = METRICS[found.metric].digits
    return [
        {
            "case": value.case,
            "seed": str(value.seed),
            found.metric: "" if pd.isna(value.value) else f"{value.value:.{digits}f}",
            "status": value.status,
            "seconds": f"{value.seconds:.1f}",
            "config hash": value.config_hash[:HASH_DIGITS],
            "observation": value.observation[:HASH_DIGITS],
            "image": value.image_sha256[:HASH_DIGITS],
        }
        for value in found.values
    ]


def remarks(values: Sequence[Value]) -> list[str]:
    """Say why restorations have no image or no score, each reason once."""
    return list(dict.fromkeys(filter(None, (value.reason or value.note for value in values))))


def _mean(cell: Mapping[Any, Any], digits: int) -> str:
    """Write the mean as the table has it, and over what it is."""
    if pd.isna(cell["mean"]):
        return f"none: {cell['note'] or cell['failures']}"
    asked, every = cell["asked_cases"], cell["all_cases"]
    cases = f"{asked} of {every:.0f} cases" if asked < every else _count(asked, "case")
    interval = "" if pd.isna(cell["low"]) else f" [{cell['low']:.{digits}f}, {cell['high']:.{digits}f}]"
    substituted = cell["runs"] - cell["scored"]
    counts = f"; {substituted} without a score count as the blurry input" if substituted else ""
    over = f"over {cases} and {_count(cell['seeds'], 'seed')}, the seeds of a case averaged first{counts}"
    return f"{cell['mean']:.{digits}f}{interval} {over}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _made_by(origin: Origin) -> list[tuple[str, str]]:
    """Describe the code and the machines that made the restorations."""
    machines = [
        ", ".join(
            [
                str(machine.get("cpu", "unknown CPU")),
                str(machine.get("instructions", "")),
                _count(machine.get("threads", 0), "thread"),
            ]
        )
        for machine in origin.machines
    ]
    versions = [", ".join(f"{name} {number}" for name, number in each.items()) for each in origin.versions]
    return [
        ("code", "; ".join([*origin.code_versions, *(f"hash {code[:HASH_DIGITS]}" for code in origin.code)])),
        ("device", "; ".join(origin.devices)),
        ("machine", "; ".join(machines)),
        ("versions", "; ".join(versions)),
    ]
