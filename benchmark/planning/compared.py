"""The rows of a ledger that tables show beside a profile's own: of the same cases and observations."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from benchmark.core.errors import InputError
from benchmark.planning.plan import Plan
from benchmark.runs.names import is_control
from benchmark.runs.store import Store, observation_hash
from benchmark.scoring.csv_files import RUN_COLUMNS, SCORE_COLUMNS
from benchmark.scoring.ledger import ledger_of, read_shipped
from benchmark.scoring.shipped import scores_and_runs
from benchmark.tables.leaderboard import in_order


@dataclass(frozen=True)
class Beside:
    """Rows of a ledger, as a table shows them; their methods have the name `<method>@<ledger>`."""

    scores: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(SCORE_COLUMNS)))
    runs: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(RUN_COLUMNS)))
    titles: Mapping[str, str] = field(default_factory=dict)  # method to its title, with the ledger's name
    notes: tuple[str, ...] = ()  # what is shown and what is left out; sentences without a full stop


def rows_beside(plan: Plan, scores: pd.DataFrame) -> Beside:
    """Select the rows of a plan's ledger that were made on the observations of its own restorations.

    Of each dataset the cases and metrics of the profile count; the methods come in order of quality. A
    control that the profile runs itself is left out, and so is a method that saw another observation in any
    of these cases.

    Args:
        plan: The plan of a finished run; nothing is selected unless its config has `compare`.
        scores: The profile's own of some datasets, as in scores.csv.

    Raises:
        InputError: There is no such ledger, or all its observations of a dataset are others.
    """
    if "compare" not in plan.config:
        return Beside()
    name = plan.config["compare"]
    shipped = read_shipped(ledger_of(name))
    selected, notes = [], [f"[{name}]: rows of the ledger {ledger_of(name)}, not of this run"]
    for dataset, own in ((str(name), own) for name, own in scores.groupby("dataset", sort=False)):
        rows = shipped[(shipped.dataset == dataset) & shipped.case.isin(own.case.unique())]
        rows = rows[~(rows.method.isin(own.method.unique()) & rows.method.map(is_control).astype(bool))]
        protocol = plan.datasets[dataset].protocol
        if rows.empty:
            notes.append(f"The ledger has no rows of these cases of {dataset}")
        elif (rows.protocol != protocol).any():
            notes.append(f"The ledger's rows of {dataset} are left out: their protocol is not {protocol}")
        else:
            same, left_out = _on_the_same_observations(plan.store, dataset, rows, name)
            selected.append(in_order(same))
            notes += left_out
    if not selected:
        return Beside(notes=tuple(notes))
    rows = pd.concat(selected, ignore_index=True)
    rows = rows.assign(method=rows.method + f"@{name}", title=rows.title + f" [{name}]")
    more, runs = scores_and_runs(rows)
    measured = pd.MultiIndex.from_frame(scores[["dataset", "metric"]])
    more = more[pd.MultiIndex.from_frame(more[["dataset", "metric"]]).isin(measured)]
    return Beside(more, runs, dict(zip(rows.method, rows.title, strict=True)), tuple(notes))


def _on_the_same_observations(
    store: Store, dataset: str, rows: pd.DataFrame, name: str
) -> tuple[pd.DataFrame, list[str]]:
    """Keep the methods that saw the profile's observations in all cases; say which others are left out.

    Raises:
        InputError: No row was made on the profile's observations.
    """
    here = {case: _hashes(store, dataset, case) for case in rows.case.unique()}
    is_same = pd.Series(
        [seen in here[case] for case, seen in zip(rows.case, rows.observation_hash, strict=True)], rows.index
    )
    if not is_same.any():
        raise InputError(
            f"compare: the observations of {dataset} are others than those of {ledger_of(name)}, as of "
            f"{rows.case.iloc[0]}; run it with the ledger's experiment_seed "
            f"({rows.experiment_seed.iloc[0]}) and data, or leave out `compare`"
        )
    other = rows[~is_same]
    notes = []
    for method, cases in other.groupby("method", sort=False).case:
        title = rows[rows.method == method].title.iloc[0]
        some = ", ".join(cases.unique()[:3])
        notes.append(f"{title} [{name}] is left out of {dataset}: it saw another observation of {some}")
    return rows[~rows.method.isin(other.method.unique())], notes


def _hashes(store: Store, dataset: str, case: str) -> set[str]:
    """Return the hashes of what methods see of a case, and controls that know its kernels."""
    return {
        observation_hash(store.read_observation(dataset, case)),
        observation_hash(store.read_known_blur(dataset, case)),
    }
