"""From scores to tables: CSV for machines, Markdown for people."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from tabulate import tabulate

from benchmark.descriptors import Dataset
from benchmark.metrics import METRICS
from benchmark.plan import base_method
from benchmark.protocols import PROTOCOLS
from benchmark.types import Status

GAIN_METRIC = "psnr"  # the one whose differences are read as such
TABLE_COLUMNS = (
    "dataset", "method", "metric", "protocol", "mean", "min", "max", "gain", "scored", "failed", "note",
)  # fmt: skip


def summary(scores: pd.DataFrame, runs: pd.DataFrame, datasets: Sequence[str]) -> pd.DataFrame:
    """A row per dataset, method and metric, in the order of `scores`.

    `mean`, `min` and `max` over all cases and seeds that were scored (`scored` of them); `gain`, for PSNR
    alone, is the mean minus the floor's over the same cases; `failed` counts the cases that ended without an
    image.
    """
    rows = []
    selected = scores[scores.dataset.isin(datasets)]
    for (dataset, method, metric), group in selected.groupby(["dataset", "method", "metric"], sort=False):
        values = group.value.dropna()
        failed = runs[(runs.dataset == dataset) & (runs.method == method) & (runs.status != Status.OK.value)]
        rows.append(
            {
                "dataset": dataset,
                "method": method,
                "metric": metric,
                "protocol": group.protocol.iloc[0],
                "mean": values.mean(),
                "min": values.min(),
                "max": values.max(),
                "gain": _gain(group, selected) if metric == GAIN_METRIC else np.nan,
                "scored": len(values),
                "failed": len(failed),
                "note": "; ".join(dict.fromkeys(note for note in group.note if note)),
            }
        )
    return pd.DataFrame(rows, columns=list(TABLE_COLUMNS))


def markdown(table: pd.DataFrame, datasets: Mapping[str, Dataset], caption: str) -> str:
    """The table as a page: a section per dataset, empty cells footnoted with their reason.

    A metric that has no value in any row gets no column but a sentence with the reason.
    """
    sections = []
    for name, dataset in datasets.items():
        part = table[table.dataset == name]
        protocol = dataset.content["protocol"]
        shown = part[part.groupby("metric").scored.transform("max") > 0]
        notes: dict[str, str] = {}
        body = tabulate(_cells(part, shown, notes), headers="keys", tablefmt="pipe", disable_numparse=True)
        lines = [
            f"## {dataset.content['title']} (`{name}`)",
            dataset.content["caption"],
            caption,
            f"Protocol `{protocol}`: {PROTOCOLS[protocol].title}. {_legend(shown)}",
            body,
            *(f"{mark} {note}." for note, mark in notes.items()),
            *_left_out(part.drop(shown.index)),
        ]
        sections.append("\n\n".join(lines))
    return "\n\n".join(sections) + "\n"


def _gain(group: pd.DataFrame, scores: pd.DataFrame) -> float:
    """Mean difference to the floor, case by case; missing without a floor."""
    first = group.iloc[0]
    same = scores[(scores.dataset == first.dataset) & (scores.metric == first.metric)]
    floor = same[[base_method(name).role == "floor" for name in same.method]]
    floor_by_case = floor.groupby("case").value.mean()
    return float((group.value - group.case.map(floor_by_case)).mean())


def _legend(shown: pd.DataFrame) -> str:
    """How to read the cells."""
    metrics = [METRICS[name] for name in shown.metric.unique()]
    legend = (
        "Mean over all cases and seeds, in brackets the worst and the best; arrows point to better values."
    )
    if any(metric.name == GAIN_METRIC for metric in metrics):
        legend += " Gain over the blurry input."
    full_frame = [metric.title for metric in metrics if metric.sees == "image"]
    if full_frame:
        legend += f" {', '.join(full_frame)}: of the restored image alone, whole frame."
    return legend


def _left_out(empty: pd.DataFrame) -> list[str]:
    """A sentence for each reason why metrics have no column."""
    reasons: dict[str, list[str]] = {}
    for name, group in empty.groupby("metric", sort=False):
        reason = "; ".join(dict.fromkeys(note for note in group.note if note))
        reasons.setdefault(reason, []).append(METRICS[str(name)].title)
    return [f"No column for {', '.join(titles)}: {reason}." for reason, titles in reasons.items()]


def _cells(part: pd.DataFrame, shown: pd.DataFrame, notes: dict[str, str]) -> list[dict[str, str]]:
    """One dictionary per method of `part`, heading to text, with the metrics of `shown`.

    `notes` collects footnotes and their marks.
    """
    rows = []
    for method, group in part.groupby("method", sort=False):
        name, _, setting = str(method).partition("@")
        row = {"Method": base_method(name).title + (f" ({setting})" if setting else "")}
        for entry in shown[shown.method == method].to_dict("records"):
            metric, mark = METRICS[entry["metric"]], _mark(entry["note"], notes)
            worst_to_best = ("max", "min") if metric.lower_is_better else ("min", "max")
            mean, worst, best = (f"{entry[key]:.{metric.digits}f}" for key in ("mean", *worst_to_best))
            scored = entry["scored"] > 0
            row[metric.heading] = f"{mean} ({worst} to {best}) {mark}".rstrip() if scored else mark
            if metric.name == GAIN_METRIC:
                row["Gain, dB"] = f"{entry['gain']:+.2f}" if scored else mark
        row["Scored"] = str(group.scored.max())
        row["Failed"] = str(group.failed.max())
        rows.append(row)
    return rows


def _mark(note: str, notes: dict[str, str]) -> str:
    if not note:
        return ""
    return notes.setdefault(note, f"[{len(notes) + 1}]")
