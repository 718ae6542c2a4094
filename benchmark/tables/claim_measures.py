"""The numbers behind a paper's claims: what is measured, over which cases and seeds, and its interval."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.core.types import Status
from benchmark.runs.names import role_of
from benchmark.scoring.metrics import METRICS
from benchmark.tables.convergence import RUN, iterations_to_reach, stopping_losses
from benchmark.tables.resampling import CONFIDENCE, draws
from benchmark.tables.summary import values_by_case

RESAMPLES = 2_000
# Below, no interval: one case says nothing about others, and two restorations nothing about a spread.
FEWEST_CASES = 2
FEWEST_RESTORATIONS = 3
FAILURES = [
    status.value for status in (Status.DIVERGED, Status.TIMED_OUT, Status.OUT_OF_MEMORY, Status.FAILED)
]

Values = NDArray[np.float64]


class NotTestedError(Exception):
    """A claim cannot be tested with these results. The message is the reason, for the reader of the table."""


@dataclass(frozen=True)
class Evidence:
    """The results of a profile."""

    scores: pd.DataFrame  # as in scores.csv
    runs: pd.DataFrame  # as in runs.csv
    convergence: pd.DataFrame  # as in convergence.csv; empty without snapshots

    def scores_of(self, dataset: str, method: str, metric: str) -> pd.DataFrame:
        """Select the scores of a method, or of those that a shell pattern matches, on a dataset."""
        scores = self.scores[(self.scores.dataset == dataset) & (self.scores.metric == metric)]
        return scores[of_pattern(scores, method)].set_index(RUN)

    def snapshots_of(self, dataset: str, methods: Sequence[str], metric: str) -> pd.DataFrame:
        """Select the scores of the snapshots of `methods` on a dataset."""
        frame = self.convergence[(self.convergence.dataset == dataset) & (self.convergence.metric == metric)]
        return frame[np.logical_or.reduce([of_pattern(frame, method) for method in methods])]

    def failed(self, dataset: str, method: str) -> pd.Index:
        """List the case and the seed of each restoration that failed."""
        of_method = self.runs[(self.runs.dataset == dataset) & of_pattern(self.runs, method)]
        return of_method[of_method.status.isin(FAILURES)].set_index(RUN).index


def of_pattern(frame: pd.DataFrame, pattern: str) -> pd.Series:
    """Tell for each row whether its method is `pattern`, a name or a shell pattern."""
    names = {name for name in frame.method.unique() if fnmatchcase(name, pattern)}
    matches: pd.Series = frame.method.isin(names)
    return matches


@dataclass(frozen=True)
class Subject:
    """Whose numbers are measured: a method on a dataset."""

    dataset: str
    method: str  # or a shell pattern of the variants of a method
    metric: str  # as in scores.csv
    reference: str  # the method that it is compared with; empty for none

    @property
    def name(self) -> str:
        """The name for people."""
        return f"{self.method} on {self.dataset}"


@dataclass(frozen=True)
class Measure:
    """What is measured of each restoration, and how a mean over restorations is compared."""

    name: str
    values: Callable[[Evidence, Subject], pd.Series] = field(repr=False)  # case and seed to value
    # What a restoration that failed counts as: the score of the blurry input; 0; nothing, as a variant that
    # cannot be the best; or it makes the test impossible.
    failure: Literal["floor", "zero", "nothing", "impossible"]
    compares: Literal["difference", "percent", "nothing"] = "nothing"  # the means of `of` and `over`
    unit: str = ""  # that of the metric where empty
    needs_snapshots: bool = False

    def compare(self, of: Values, over: Values | None) -> Values:
        """Compare means (M, ...) with the means (N, ...) of others; of several methods the best one counts.

        >>> MEASURES["relative-gain"].compare(np.array([24.0, 30.0]), np.array([20.0]))
        array(50.)
        """
        best = of.max(axis=0)
        if over is None or self.compares == "nothing":
            return np.asarray(best)
        other = over.max(axis=0)
        return np.asarray(best - other if self.compares == "difference" else 100 * (best / other - 1))


def _scores(evidence: Evidence, subject: Subject) -> pd.Series:
    return evidence.scores_of(subject.dataset, subject.method, subject.metric).value


def _reaches_first(evidence: Evidence, subject: Subject) -> pd.Series:
    """Return 100 where the method reaches the reference's final score in fewer iterations than it, else 0."""
    both = [subject.method, subject.reference]
    snapshots = evidence.snapshots_of(subject.dataset, both, subject.metric)
    reached = iterations_to_reach(snapshots, subject.reference).set_index(["method", *RUN]).iteration
    if subject.method not in reached.index.get_level_values(0):
        return pd.Series(dtype=float)
    own = reached[subject.method]
    is_faster: pd.Series = own < reached[subject.reference].reindex(own.index)
    return 100.0 * is_faster


def _best_peak(evidence: Evidence, subject: Subject) -> pd.Series:
    """Return the highest score along the runs of the variant that is the best one for the case."""
    snapshots = evidence.snapshots_of(subject.dataset, [subject.method], subject.metric)
    peaks = snapshots.groupby(["method", *RUN], sort=False).value.max()
    best = peaks.groupby(["method", "case"], sort=False).mean().groupby("case").idxmax()
    of_best = [peaks[method].loc[[case]] for method, case in best]
    return pd.concat(of_best) if of_best else pd.Series(dtype=float)


def _stopping_loss(column: str) -> Callable[[Evidence, Subject], pd.Series]:
    def loss(evidence: Evidence, subject: Subject) -> pd.Series:
        snapshots = evidence.snapshots_of(subject.dataset, [subject.method], subject.metric)
        return stopping_losses(snapshots).set_index(RUN)[column]

    return loss


# `property` is counted of the published network and has no restorations behind it.
PROPERTY = "property"
MEASURES = {
    measure.name: measure
    for measure in (
        Measure("gain", _scores, "floor", "difference"),
        Measure("relative-gain", _scores, "floor", "percent", "%"),
        Measure("faster", _reaches_first, "zero", unit="%", needs_snapshots=True),
        Measure("peak-gain", _best_peak, "nothing", "difference", needs_snapshots=True),
        Measure("es-gap", _stopping_loss("of_result"), "impossible", needs_snapshots=True),
        Measure("base-gap", _stopping_loss("of_last"), "impossible", needs_snapshots=True),
        Measure(PROPERTY, _scores, "impossible"),
    )
}


@dataclass(frozen=True)
class Sample:
    """The values of one dataset; NaN where a restoration has none."""

    of: Values  # (M, C, S): methods, cases, seeds
    over: Values | None  # (N, C, S)
    failed: int  # restorations that failed, counted as the measure says

    @property
    def cases(self) -> int:
        """The number of cases."""
        return int(self.of.shape[1])

    @property
    def seeds(self) -> int:
        """The number of seeds of the case that has the most."""
        return int(np.isfinite(self.of[0]).sum(axis=1).max())


@dataclass(frozen=True)
class Estimate:
    """A number with its interval, and what it was computed from."""

    value: float
    low: float
    high: float
    samples: tuple[Sample, ...] = ()


def sample(
    evidence: Evidence,
    measure: Measure,
    of: Sequence[Subject],
    over: Sequence[Subject],
    at_least: float | None = None,
) -> Sample:
    """Collect the values of the restorations that all subjects have: one dataset, its cases and seeds.

    Args:
        evidence: The results.
        measure: What is measured.
        of: The methods on the dataset.
        over: Those that they are compared with; on another dataset they are paired by the names of cases.
        at_least: If given, each value becomes 100 where it is at least this, else 0.

    Raises:
        NotTestedError: A subject has no values, or too few.
    """
    columns, failed = [], 0
    for subject in (*of, *over):
        values, failures = _with_failures(evidence, measure, subject)
        columns.append(values if at_least is None else 100.0 * (values >= at_least))
        failed += failures
    table = pd.concat(columns, axis=1, keys=range(len(columns))).replace([np.inf, -np.inf], np.nan).dropna()
    cases = table.index.get_level_values(0).nunique()
    if cases < FEWEST_CASES or len(table) < FEWEST_RESTORATIONS:
        raise NotTestedError(
            f"{of[0].dataset}: {counted(cases, 'case')} with {counted(len(table), 'restoration')} of each "
            f"method; an interval needs {FEWEST_CASES} cases with {FEWEST_RESTORATIONS}"
        )
    arrays = np.stack([table[column].unstack().to_numpy(dtype=np.float64) for column in table.columns])
    return Sample(arrays[: len(of)], arrays[len(of) :] if over else None, failed)


def counted(number: int, noun: str) -> str:
    """Write a number with its noun, in the plural where it needs one."""
    return f"{number} {noun}{'s' * (number != 1)}"


def _with_failures(evidence: Evidence, measure: Measure, subject: Subject) -> tuple[pd.Series, int]:
    """Return the values of a subject, failed restorations included, and how many failed.

    Raises:
        NotTestedError: Restorations failed and the measure has nothing for them, or there are no values.
    """
    failed = evidence.failed(subject.dataset, subject.method)
    if len(failed) and measure.failure == "impossible":
        raise NotTestedError(f"{counted(len(failed), 'restoration')} of {subject.name} failed")
    values = measure.values(evidence, subject)
    if len(failed) and measure.failure == "zero":
        values = values.reindex(values.index.union(failed))
        values[failed] = 0.0
    if len(failed) and measure.failure == "floor":
        values = values.reindex(values.index.union(failed))
        values[failed] = _floor_scores(evidence, subject).reindex(failed.get_level_values(0)).to_numpy()
        if values[failed].isna().any():
            raise NotTestedError(
                f"{counted(len(failed), 'restoration')} of {subject.name} failed, and the profile has no "
                f"{subject.metric} of the blurry input to count instead"
            )
    if values.notna().sum() == 0:
        notes = evidence.scores_of(subject.dataset, subject.method, subject.metric).note
        raise NotTestedError("; ".join(dict.fromkeys([subject.name, *filter(None, notes)])))
    return values, len(failed)


def _floor_scores(evidence: Evidence, subject: Subject) -> pd.Series:
    """Map each case to the score of the blurry input."""
    scores = evidence.scores
    of_dataset = scores[(scores.dataset == subject.dataset) & (scores.metric == subject.metric)]
    return values_by_case(of_dataset[[role_of(method) == "floor" for method in of_dataset.method]])


def estimate(measure: Measure, samples: Sequence[Sample], rng: np.random.Generator) -> Estimate:
    """Compute a number and its 95% percentile bootstrap interval, over cases and seeds.

    The seeds of a case are averaged, then the cases; methods are compared; then the datasets are averaged. A
    resample draws cases with replacement, and then seeds of each drawn case. All methods have the same draws.

    Args:
        measure: What is measured.
        samples: The values, one sample per dataset.
        rng: Draws the resamples.
    """
    value = np.mean([measure.compare(_mean(each.of), _optional_mean(each.over)) for each in samples])
    resampled = np.mean([_resampled(measure, each, rng) for each in samples], axis=0)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return Estimate(float(value), float(low), float(high), tuple(samples))


def _mean(values: Values) -> Values:
    """Average (..., C, S) over seeds, then over cases."""
    return np.asarray(np.nanmean(values, axis=-1).mean(axis=-1))


def _optional_mean(values: Values | None) -> Values | None:
    return None if values is None else _mean(values)


def _resampled(measure: Measure, each: Sample, rng: np.random.Generator) -> Values:
    """Return the comparison for each of `RESAMPLES` resamples of a dataset's cases and seeds."""
    comparisons = []
    for some in draws(np.isfinite(each.of[0]), RESAMPLES, rng):
        for case, seed in zip(*some, strict=True):
            over = None if each.over is None else each.over[:, case, seed].mean(axis=(1, 2))
            comparisons.append(measure.compare(each.of[:, case, seed].mean(axis=(1, 2)), over))
    return np.array(comparisons)


def unit_of(measure: Measure, metric: str, at_least: float | None) -> str:
    """Return the unit of a measure's numbers.

    >>> unit_of(MEASURES["property"], "macs-G", None)
    'G'
    """
    if at_least is not None:
        return "%"
    if measure.name == PROPERTY:
        return metric.rpartition("-")[2]
    return measure.unit or METRICS[metric].unit


def with_unit(number: str, unit: str) -> str:
    """Write a number with its unit and a minus sign that is one.

    >>> with_unit("-3", "dB")
    '−3 dB'
    """
    return f"{number.replace('-', '−')}{' ' * (unit not in ('', '%'))}{unit}"
