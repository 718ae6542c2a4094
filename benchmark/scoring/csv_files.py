"""The result files scores.csv, runs.csv and convergence.csv: their columns, writing and reading."""

import gzip
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.core.errors import InputError
from benchmark.core.files import replacing
from benchmark.core.seals import require_whole, sealed

SCORE_COLUMNS = ("dataset", "group", "case", "method", "seed", "protocol", "metric", "value", "note")
CONVERGENCE_COLUMNS = (
    "dataset", "group", "case", "method", "seed", "iteration", "is_result", "seconds", "protocol", "metric",
    "value",
)  # fmt: skip
RUN_COLUMNS = (
    "dataset", "case", "method", "seed", "status", "reason", "iterations", "seconds", "core_seconds",
    "peak_memory_mib", "device", "weights", "config_hash", "code_version",
)  # fmt: skip
# Some names, such as MS COCO's, and some hashes look like numbers; published numbers stay as printed.
TEXT_COLUMNS = dict.fromkeys(
    (
        "case", "group", "observation_hash", "weights_hash", "code_hash", "settings_hash", "machine_hash",
        "image_sha256", "published", "published_deviation",
    ),
    str,
)  # fmt: skip

UNREADABLE = (
    pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError,
    gzip.BadGzipFile, EOFError, zlib.error,
)  # fmt: skip


def runs_frame(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Make runs.csv: a row per case, method and seed, with how it ended and what it cost."""
    return pd.DataFrame(list(records)).reindex(columns=list(RUN_COLUMNS))


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, values in full precision; no text is one that a spreadsheet would run.

    A path that ends in .gz is compressed. The same table gives the same bytes: they hold no time and no name.
    """
    texts = frame.select_dtypes(exclude="number").columns
    content = frame.assign(**{name: frame[name].map(as_text) for name in texts}).to_csv(index=False).encode()
    with replacing(path) as temporary:
        temporary.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def as_text(cell: Any) -> Any:
    """Put an apostrophe before a text that spreadsheets take for a formula; numbers stay numbers.

    >>> [as_text(cell) for cell in ("=HYPERLINK(x)", "-1.5", "@x", "im1", -2)]
    ["'=HYPERLINK(x)", '-1.5', "'@x", 'im1', -2]
    """
    if not isinstance(cell, str) or not cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def write_sealed(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as `write_frame` does, with a seal."""
    with sealed(path):
        write_frame(frame, path)


def read_frame(
    path: Path,
    columns: Sequence[str],
    *,
    if_absent: str = "run the steps before this one, as `blindbench run` does",
    if_wrong: str = "delete the file and run again",
) -> pd.DataFrame:
    """Read a CSV that `write_frame` wrote.

    Args:
        path: The file.
        columns: Those that it must have.
        if_absent: What to do where there is no such file.
        if_wrong: What to do where it is no such table.

    Raises:
        InputError: The file is missing or damaged, does not match its seal, or lacks one of `columns`.
    """
    require_whole(path)
    try:
        frame = pd.read_csv(path, keep_default_na=False, na_values={"value": [""]}, dtype=TEXT_COLUMNS)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; {if_absent}") from error
    except UNREADABLE as error:
        raise InputError(f"{path}: not a CSV table ({error}); {if_wrong}") from error
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise InputError(f"{path}: the column '{missing[0]}' is missing; {if_wrong}")
    if "value" in frame and len(frame) and not pd.api.types.is_numeric_dtype(frame["value"]):
        wrong = frame[pd.to_numeric(frame["value"], errors="coerce").isna() & frame["value"].notna()]
        raise InputError(
            f"{path}: line {wrong.index[0] + 2}: '{wrong['value'].iloc[0]}' is not a number; {if_wrong}"
        )
    return frame
