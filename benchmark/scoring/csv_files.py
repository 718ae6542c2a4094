"""The result files scores.csv, runs.csv and convergence.csv: their columns, writing and reading."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.core.files import replacing
from benchmark.core.types import InputError

SCORE_COLUMNS = ("dataset", "group", "case", "method", "seed", "protocol", "metric", "value", "note")
CONVERGENCE_COLUMNS = (
    "dataset", "group", "case", "method", "seed", "iteration", "is_result", "seconds", "protocol", "metric",
    "value",
)  # fmt: skip
RUN_COLUMNS = (
    "dataset", "case", "method", "seed", "status", "reason", "iterations", "seconds", "peak_memory_mib",
    "device", "weights", "config_hash", "code_version",
)  # fmt: skip
TEXT_COLUMNS = {"case": str, "group": str}  # some names, such as MS COCO's, look like numbers


def runs_frame(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Make runs.csv: a row per case, method and seed, with how it ended and what it cost."""
    return pd.DataFrame(list(records)).reindex(columns=list(RUN_COLUMNS))


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, values in full precision."""
    with replacing(path) as temporary:
        frame.to_csv(temporary, index=False)


def read_frame(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read a CSV that `write_frame` wrote.

    Raises:
        InputError: The file is missing or damaged, or lacks one of `columns`.
    """
    try:
        frame = pd.read_csv(path, keep_default_na=False, na_values={"value": [""]}, dtype=TEXT_COLUMNS)
    except FileNotFoundError as error:
        raise InputError(
            f"{path}: no such file; run the steps before this one, as `blindbench run` does"
        ) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a CSV table ({error}); delete the file and run again") from error
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise InputError(f"{path}: the column '{missing[0]}' is missing; delete the file and run again")
    if "value" in frame and len(frame) and not pd.api.types.is_numeric_dtype(frame["value"]):
        wrong = frame[pd.to_numeric(frame["value"], errors="coerce").isna() & frame["value"].notna()]
        raise InputError(
            f"{path}: line {wrong.index[0] + 2}: '{wrong['value'].iloc[0]}' is not a number; "
            "delete the file and run again"
        )
    return frame
