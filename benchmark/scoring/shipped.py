"""Scores that ship with the repository: a row per restoration, from which anyone can repeat it.

A row holds the scores of one case by one method for one seed, and all that made them: the settings as they
took effect, the seeds, hashes of observation, weights and code, the machine and the libraries' versions.
`benchmark.scoring.ledger` writes and reads them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from benchmark.core.errors import InputError
from benchmark.core.hashes import digest
from benchmark.runs.names import NO_TITLES, Titles, method_title
from benchmark.scoring.csv_files import RUN_COLUMNS, SCORE_COLUMNS

NAME_COLUMNS = (
    "profile",
    "dataset",
    "group",
    "case",
    "method",
    "title",
    "seed",
    "protocol",
    "status",
    "reason",
)
# Behind the scores. Columns that hold more than one value are JSON.
ORIGIN_COLUMNS = (
    "iterations", "seconds", "core_seconds", "peak_memory_mib", "device", "weights", "experiment_seed",
    "observation_hash", "weights_hash", "code_hash", "settings_hash", "image_sha256", "code_version",
    "settings", "machine", "versions", "notes",
)  # fmt: skip
JSON_COLUMNS = ("settings", "machine", "versions", "notes")


def shipped_frame(
    profile: str, scores: pd.DataFrame, records: Sequence[Mapping[str, Any]], titles: Titles = NO_TITLES
) -> pd.DataFrame:
    """Join the scores and the records of a profile's runs.

    Args:
        profile: The profile's name.
        scores: As in scores.csv.
        records: The contents of the `run.json` of all runs.
        titles: Method to its title, for those that the config names.

    Returns:
        `NAME_COLUMNS`, a column per metric, `ORIGIN_COLUMNS`; a row per dataset, method, case and seed. What
        `JSON_COLUMNS` name are values, not texts.

    Raises:
        InputError: A record was written by an earlier version, without its machine.
    """
    keys = ["dataset", "method", "case", "seed"]
    by_run = dict(iter(scores.groupby(keys, sort=False)))
    rows = []
    for record in records:
        if "machine" not in record:
            raise InputError(
                f"{record['method']} on {record['dataset']}/{record['case']}: the record does not name the "
                "machine; delete its run.json and run the workflow again"
            )
        of_run = by_run[tuple(record[key] for key in keys)]
        decides, names = record["provenance"], of_run.iloc[0]
        rows.append(
            {
                **record,
                "profile": profile,
                "group": names.group,
                "protocol": names.protocol,
                "title": method_title(record["method"], titles),
                **dict(zip(of_run.metric, of_run.value, strict=True)),
                "notes": {row.metric: row.note for row in of_run.itertuples() if row.note},
                "experiment_seed": decides["seeds"][0],
                "observation_hash": decides["observation"],
                "weights_hash": decides["weights"],
                "code_hash": decides["code"],
                "settings": decides["settings"],
                "settings_hash": digest(decides["settings"]),
                "image_sha256": record.get("image_sha256", ""),
            }
        )
    metrics = list(dict.fromkeys(scores.metric))
    return pd.DataFrame(rows, columns=[*NAME_COLUMNS, *metrics, *ORIGIN_COLUMNS])


def metrics_of(shipped: pd.DataFrame) -> list[str]:
    """List the metrics of shipped scores, in order."""
    return [column for column in shipped.columns if column not in (*NAME_COLUMNS, *ORIGIN_COLUMNS)]


def scores_and_runs(shipped: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows as in scores.csv and as in runs.csv, from which tables are compiled."""
    scores = [
        {**row, "metric": metric, "value": row[metric], "note": row["notes"].get(metric, "")}
        for row in shipped.to_dict("records")
        for metric in metrics_of(shipped)
        if pd.notna(row[metric]) or metric in row["notes"]
    ]
    runs = shipped.assign(config_hash="").reindex(columns=list(RUN_COLUMNS))
    return pd.DataFrame(scores, columns=list(SCORE_COLUMNS)), runs


def row_name(row: Mapping[Any, Any]) -> str:
    """Return the name of a row, `<dataset>/<method>/<case>/seed<k>`."""
    return f"{row['dataset']}/{row['method']}/{row['case']}/seed{row['seed']}"
