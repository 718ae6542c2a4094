"""Which claims of a paper a profile reproduces: the verdicts, and the page that shows them."""

import fnmatch
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmark.core.seeds import generator
from benchmark.runs.names import base_method, is_control, training_of
from benchmark.runs.settings import effective
from benchmark.scoring.metrics import METRICS
from benchmark.tables.claim_measures import (
    PROPERTY,
    Estimate,
    Evidence,
    NotTestedError,
    Subject,
    counted,
    estimate,
    of_pattern,
    sample,
    with_unit,
)
from benchmark.tables.claims import Claim, ClaimTable, Comparison
from benchmark.tables.coverage import case_count, why_not_run
from benchmark.tables.page import Cell, Page, Section, with_full_stop
from benchmark.tables.resampling import CONFIDENCE
from methods.parts.settings import flat

REPRODUCED, NOT_REPRODUCED, NOT_TESTED = "reproduced", "not reproduced", "not tested"
ANY = "any"  # a setting's value in the claims' settings that the claim leaves open
DEMO, PART = "demo", "part"  # the sizes of a test that is smaller than the paper's
CLAIM_COLUMNS = (
    "table", "claim", "statement", "printed", "published", "published_source", "unit", "measure", "metric",
    "compared", "value", "low", "high", "cases", "seeds", "failed", "rule", "verdict", "reason",
    "note",
)  # fmt: skip

Settings = Mapping[str, Mapping[str, Any]]  # method to its effective settings, as a plan has them


@dataclass(frozen=True)
class Outcome:
    """How the test of a claim ended."""

    verdict: str
    size: str = ""  # DEMO or PART; empty at the paper's size, and where nothing was tested
    reason: str = ""  # why the claim was not tested, or in what its test is smaller than the paper's
    number: Estimate = Estimate(np.nan, np.nan, np.nan)
    comparison: Comparison | None = None  # what was compared; None where nothing was


def verdicts(table: ClaimTable, evidence: Evidence, settings: Settings) -> pd.DataFrame:
    """Judge each claim of a paper by its rule.

    Args:
        table: The claims.
        evidence: The results of a profile.
        settings: The effective settings of the profile's methods.

    Returns:
        `CLAIM_COLUMNS`, a row per claim. `value`, `low` and `high` are our number with its interval; `cases`
        and `seeds` have a number for each dataset. `verdict` is 'reproduced', 'not reproduced' or 'not
        tested'; behind the first two stands '(demo)' where data, settings or weights are smaller than the
        paper's, and '(part)' where only cases are missing; `reason` says which.
    """
    rows = []
    for number, claim in enumerate(table.claims, 1):
        outcome = _judge(claim, table, evidence, settings)
        samples, compared = outcome.number.samples, outcome.comparison
        rows.append(
            {
                "table": table.name,
                "claim": number,
                "statement": claim.statement,
                "printed": claim.printed,
                "published": claim.published,
                "published_source": claim.source,
                "unit": claim.unit,
                "measure": claim.measure.name,
                "metric": claim.metric,
                "compared": _compared(compared or claim.comparison),
                "value": outcome.number.value,
                "low": outcome.number.low,
                "high": outcome.number.high,
                "cases": " + ".join(str(each.cases) for each in samples),
                "seeds": " + ".join(str(each.seeds) for each in samples),
                "failed": sum(each.failed for each in samples),
                "rule": claim.rule.sentence(claim.unit),
                "verdict": outcome.verdict + (f" ({outcome.size})" if outcome.size else ""),
                "reason": outcome.reason,
                "note": claim.note,
            }
        )
    return pd.DataFrame(rows, columns=list(CLAIM_COLUMNS))


def _judge(claim: Claim, table: ClaimTable, evidence: Evidence, settings: Settings) -> Outcome:
    """Test a claim as the paper has it or, where that was not run, with what stands in for it."""
    if claim.measure.name == PROPERTY:
        return _count(claim)
    try:
        return _test(claim, claim.comparison, table, evidence, settings)
    except NotTestedError as error:
        reason = str(error)
    if claim.demo is None or not set(claim.demo.datasets) & set(evidence.scores.dataset):
        return Outcome(NOT_TESTED, reason=reason)
    try:
        return _test(claim, claim.demo, table, evidence, settings)
    except NotTestedError as error:
        return Outcome(NOT_TESTED, reason=f"{reason}; and in its place, {error}")


def _count(claim: Claim) -> Outcome:
    """Judge a property of a published network, which is the same in every profile."""
    (name,) = claim.comparison.of
    value = base_method(name).properties()[claim.metric]
    number = Estimate(value, value, value)
    verdict = REPRODUCED if claim.rule.holds(value, value, value, claim.published) else NOT_REPRODUCED
    return Outcome(verdict, number=number, comparison=claim.comparison)


def _test(
    claim: Claim, compared: Comparison, table: ClaimTable, evidence: Evidence, settings: Settings
) -> Outcome:
    """Compute a claim's number and apply its rule. Raises NotTestedError where results are missing."""
    methods = list(dict.fromkeys([*compared.of, *compared.over]))
    _require_results(claim, compared, evidence)
    _require_settings(methods, table, settings)
    weights = _weights(methods, compared, evidence.runs)
    if claim.same_training:
        _require_one_training(compared, weights)
    samples = []
    for dataset, other in zip(compared.datasets, compared.over_datasets, strict=True):
        reference = compared.over[0] if compared.over else ""
        of = [Subject(dataset, method, claim.metric, reference) for method in compared.of]
        over = [Subject(other, method, claim.metric, "") for method in compared.over]
        subtracted = [] if claim.measure.compares == "nothing" else over
        samples.append(sample(evidence, claim.measure, of, subtracted, claim.at_least))
    rng = generator("claim", table.name, claim.statement)
    number = estimate(claim.measure, samples, rng)
    holds = claim.rule.holds(number.value, number.low, number.high, claim.published)
    named = dict.fromkeys(label for method in methods for label in weights[method])
    demo_weights = [label for label in named if DEMO in label.replace(",", " ").split()]
    smaller = [
        *_stand_ins(claim, compared),
        *_other_settings(methods, table, settings),
        *([f"weights {', '.join(demo_weights)}"] if demo_weights else []),
    ]
    missing = _missing_cases(compared, [each.cases for each in samples])
    size = DEMO if smaller else PART if missing else ""
    verdict = REPRODUCED if holds else NOT_REPRODUCED
    return Outcome(verdict, size, "; ".join([*smaller, *missing]), number, compared)


def _require_results(claim: Claim, compared: Comparison, evidence: Evidence) -> None:
    """Raise NotTestedError, with the reason, when a dataset, a method, a score or snapshots are missing."""
    scores = evidence.scores
    sides = [(compared.of, compared.datasets), (compared.over, compared.over_datasets)]
    places = [(method, dataset) for names, datasets in sides for dataset in datasets for method in names]
    for _, dataset in places:
        if dataset not in set(scores.dataset):
            raise NotTestedError(f"{dataset}: {why_not_run(dataset)}")
    for method, dataset in places:
        of_method = scores[of_pattern(scores, method)]
        if of_method.empty:
            raise NotTestedError(f"{method} is not in this profile")
        here = of_method[of_method.dataset == dataset]
        if here.empty:
            raise NotTestedError(f"{method} does not run on {dataset} in this profile")
        if claim.metric not in set(here.metric):
            raise NotTestedError(f"{claim.metric} is not among this profile's metrics for {dataset}")
        if claim.measure.needs_snapshots and evidence.snapshots_of(dataset, [method], claim.metric).empty:
            raise NotTestedError(f"there are no snapshots of {method} on {dataset}")


def _require_settings(methods: Sequence[str], table: ClaimTable, settings: Settings) -> None:
    """Raise NotTestedError when a method lacks a setting that makes it the row that the claims speak of."""
    for method in methods:
        for name in fnmatch.filter(settings, method):
            for key, value in table.settings.get(method, {}).items():
                has = settings[name][key]
                if value not in (ANY, has):
                    raise NotTestedError(f"{name} has {key}: {has} in this profile; the claim needs {value}")


def _require_one_training(compared: Comparison, labels: Mapping[str, Sequence[str]]) -> None:
    """Raise NotTestedError when the methods' weights differ in size or training.

    Args:
        compared: The methods.
        labels: Method to the labels of its weights.
    """
    named = {label for method in (*compared.of, *compared.over) for label in labels[method]}
    if len({training_of(label) for label in named}) > 1:
        raise NotTestedError(f"the weights differ in size or training: {', '.join(sorted(named))}")


def _stand_ins(claim: Claim, compared: Comparison) -> list[str]:
    """Say which datasets and methods stand in for the claim's own."""
    if compared == claim.comparison:
        return []
    used, named = ((*one.of, *one.over) for one in (compared, claim.comparison))
    pairs = [(" and ".join(compared.datasets), " and ".join(claim.comparison.datasets))]
    pairs += [(ours, theirs) for ours, theirs in zip(used, named, strict=True) if ours != theirs]
    return [f"{ours} in place of {theirs}" for ours, theirs in dict.fromkeys(pairs)]


def _other_settings(methods: Iterable[str], table: ClaimTable, settings: Settings) -> list[str]:
    """Say which settings are not those of the paper."""
    keys: list[str] = []
    others: list[str] = []
    for method in methods:
        own = table.settings.get(method, {})
        free = {*table.free_settings, *(key for key, value in own.items() if value == ANY)}
        given = {key: value for key, value in own.items() if value != ANY}
        for name in fnmatch.filter(settings, method):
            if is_control(name):
                continue
            papers = json.loads(json.dumps(flat(effective(base_method(name).settings, given, name))))
            ours = settings[name]
            differing = [key for key in ours if key not in free and ours[key] != papers[key]]
            keys += differing
            others += [method] * bool(differing)
    return [f"not the paper's {_listed(keys)} in {_listed(others)}"] if keys else []


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _weights(methods: Sequence[str], compared: Comparison, runs: pd.DataFrame) -> dict[str, list[str]]:
    """Map each method to the labels of the pre-trained weights behind its results."""
    here = runs[
        runs.dataset.isin([*compared.datasets, *compared.over_datasets]) & (runs.weights.fillna("") != "")
    ]
    return {method: sorted(here[of_pattern(here, method)].weights.unique()) for method in methods}


def _missing_cases(compared: Comparison, counts: Sequence[int]) -> list[str]:
    """Say of which datasets only some cases were compared."""
    expected = [case_count(dataset) for dataset in compared.datasets]
    return [
        f"{dataset}: {count} of {cases} cases"
        for dataset, count, cases in zip(compared.datasets, counts, expected, strict=True)
        if cases is not None and count < cases
    ]


def _compared(compared: Comparison) -> str:
    """Name the methods of a comparison and their datasets."""
    sides = [(compared.of, compared.datasets), (compared.over, compared.over_datasets)]
    names = [
        f"the best of {', '.join(methods)}" if len(methods) > 1 else methods[0]
        for methods, _ in sides
        if methods
    ]
    places = [f" on {' and '.join(datasets)}" if datasets else "" for _, datasets in sides]
    if compared.over and places[0] != places[1]:
        return f"{names[0]}{places[0]} against {names[1]}{places[1]}"
    return " against ".join(names) + places[0]


def claims_page(rows: pd.DataFrame, title: str, caption: str = "") -> Page:
    """Lay out the table of `verdicts`: a row per claim, with a footnote on all that is behind it.

    Args:
        rows: The table.
        title: That of the table of claims.
        caption: What every table says of the profile.
    """
    headings = ["Claim", "Printed", "Paper", "Ours", "Cases × seeds", "Verdict"]
    body: list[list[str | Cell]] = []
    for row in rows.to_dict("records"):
        counts = zip(row["cases"].split(" + "), row["seeds"].split(" + "), strict=True)
        body.append(
            [
                Cell(row["statement"], note=_footnote(row)),
                row["printed"],
                _number(row, "published") or "–",
                _with_interval(row),
                " + ".join(f"{cases} × {seeds}" for cases, seeds in counts) if row["cases"] else "",
                row["verdict"],
            ]
        )
    return Page(title, [Section("Verdicts", "", headings, body, _legend(rows))], caption)


def _number(row: Mapping[Any, Any], column: str) -> str:
    """Write a number with its unit; nothing for NaN."""
    return "" if pd.isna(row[column]) else with_unit(_digits(row, row[column]), row["unit"])


def _digits(row: Mapping[Any, Any], value: float) -> str:
    """Write a value with as many digits as its metric has, others with one; differences with their sign."""
    digits = METRICS[row["metric"]].digits if row["unit"] == "dB" else 1
    return f"{value:{'+' * row['measure'].endswith('gain')}.{digits}f}"


def _with_interval(row: Mapping[Any, Any]) -> str:
    """Write our number with its interval, where it has one."""
    if pd.isna(row["low"]) or row["measure"] == PROPERTY:
        return _number(row, "value")
    bounds = [with_unit(_digits(row, row[column]), "") for column in ("low", "high")]
    return f"{_number(row, 'value')} [{', '.join(bounds)}]"


def _footnote(row: Mapping[Any, Any]) -> str:
    """Say what was compared, by which rule, where the published number comes from, and what is missing."""
    about = "Not tested" if row["verdict"] == NOT_TESTED else "Smaller than the paper's"
    sentences = [
        row["compared"],
        f"{counted(row['failed'], 'restoration')} failed" if row["failed"] else "",
        f"Rule: {row['rule']}",
        f"Paper: {row['published_source']}",
        row["note"],
        f"{about}: {row['reason']}" if row["reason"] else "",
    ]
    return " ".join(with_full_stop(sentence) for sentence in sentences if sentence).removesuffix(".")


def _legend(rows: pd.DataFrame) -> list[str]:
    """Explain what the table shows, and only that."""
    sentences = {
        f"In brackets the {CONFIDENCE:.0%} bootstrap interval over cases and seeds": rows.cases.any(),
        "Methods are compared on the cases and seeds that all of them have": rows.cases.any(),
        "A restoration that failed counts as the blurry input, and is never the faster one": (
            (rows.failed > 0).any()
        ),
        "An interval without width says that all restorations agree": (
            (rows.low == rows.high) & (rows.cases != "")
        ).any(),
        "The rules in the footnotes are older than the results, unless a footnote says otherwise": True,
        "(demo): smaller data, networks or runs than the paper's; the verdict is of that size alone": (
            rows.verdict.str.endswith(f"({DEMO})").any()
        ),
        "(part): the paper's settings on some of its cases": rows.verdict.str.endswith(f"({PART})").any(),
    }
    return [sentence for sentence, applies in sentences.items() if applies]
