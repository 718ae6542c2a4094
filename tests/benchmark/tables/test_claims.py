"""The claims in words: printed numbers, our numbers by hand, intervals, and every kind of verdict."""

import copy
import json
import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap

from benchmark.core.errors import InputError
from benchmark.core.schema import checked, read_yaml
from benchmark.data.descriptors import find_dataset
from benchmark.runs.names import base_method
from benchmark.runs.settings import effective
from benchmark.scoring.csv_files import CONVERGENCE_COLUMNS, RUN_COLUMNS, SCORE_COLUMNS
from benchmark.scoring.metrics import METRICS
from benchmark.tables.claim_measures import MEASURES, PROPERTY, Evidence, Sample, estimate
from benchmark.tables.claim_table import ANY, CLAIM_COLUMNS, claims_page, verdicts
from benchmark.tables.claims import FILE, Rule, claim_table, claim_tables, define_claims
from methods.parts.settings import flat

DOCUMENT = read_yaml(FILE)
TABLES = {name: claim_table(name) for name in claim_tables()}
CLAIMS = [(name, claim) for name, table in TABLES.items() for claim in table.claims]
NOTHING = Evidence(
    pd.DataFrame(columns=list(SCORE_COLUMNS)),
    pd.DataFrame(columns=list(RUN_COLUMNS)),
    pd.DataFrame(columns=list(CONVERGENCE_COLUMNS)),
)
LAI = [
    f"{group}_{image}_kernel_{kernel}" for group in ("a", "b") for image in range(10) for kernel in range(5)
]


def evidence(values, failed=(), weights="", snapshots=None):
    """`values` maps (dataset, method) to case to a value per seed; `failed` lists (method, case, seed)."""
    scores = [
        (dataset, "g", case, method, seed, "shift-rgb", metric, value, "")
        for (dataset, method), cases in values.items()
        for case, seeds in cases.items()
        for seed, value in enumerate(seeds)
        for metric in ("psnr", "reblur-psnr")
    ]
    frame = pd.DataFrame(scores, columns=list(SCORE_COLUMNS))
    is_failed = [(row.method, row.case, row.seed) in failed for row in frame.itertuples()]
    frame.loc[is_failed, "value"] = np.nan
    runs = frame.assign(status=np.where(is_failed, "diverged", "ok"), weights=weights)
    runs = runs.reindex(columns=list(RUN_COLUMNS)).drop_duplicates()
    rows = [
        (dataset, "g", case, method, seed, iteration, iteration == result, 0.0, "shift-rgb", "psnr", value)
        for (dataset, method, case, seed), (curve, result) in (snapshots or {}).items()
        for iteration, value in curve.items()
    ]
    return Evidence(frame, runs, pd.DataFrame(rows, columns=list(CONVERGENCE_COLUMNS)))


def cases(*values, seeds=3):
    """A case for each value; its seeds lie 0, 0.1, 0.2, ... above it."""
    return {
        f"case{number}": [value + 0.1 * seed for seed in range(seeds)] for number, value in enumerate(values)
    }


def defaults(*methods, **changes):
    """The settings of a profile that leaves all as in the papers, but for `changes` by method."""
    own = TABLES["glkm-claims"].settings
    papers = {name: flat(effective(base_method(name).settings, own.get(name, {}), name)) for name in methods}
    changed = {name: settings | changes.get(name.replace("-", "_"), {}) for name, settings in papers.items()}
    return json.loads(json.dumps(changed))  # as a plan has them


def claim(number, evidence, settings=None, name="glkm-claims"):
    """The row of a claim, counted from 1."""
    table = verdicts(TABLES[name], evidence, settings or {})
    assert tuple(table.columns) == CLAIM_COLUMNS
    return table.iloc[number - 1]


# The printed numbers.


@pytest.mark.parametrize(("name", "claim"), [(n, c) for n, c in CLAIMS if np.isfinite(c.published)])
def test_what_the_text_of_a_paper_states_follows_from_its_tables(name, claim):
    """As far as it was printed: 34.2 and 25.8 with one digit, differences of tables with two."""
    expected = {
        "GLKM raises the PSNR of DIP on uniform blur, on average": (34.2, 1),
        "GLKM raises the PSNR of VDIP-Std on uniform blur, on average": (25.8, 1),
        "The flow prior improves the kernels (PSNR of re-blurred images)": (0.66, 2),
        "Learning the uncertainty improves them further": (1.36, 2),
        "UFPNet beats NAFNet on GoPro": (0.37, 2),
        "Multiply-accumulate operations of UFPNet, 256 x 256 px": (243.3, 1),
        "Multiply-accumulate operations of NAFNet, 256 x 256 px": (65.0, 1),
        "The regulariser l1/l2 beats l1, low noise": (1.52, 2),
        "The regulariser l1/l2 beats l1, high noise": (3.4, 2),
    }
    number, digits = expected[claim.statement]
    assert round(claim.published, digits) == number
    stated = re.search(r"the text says ([\d.]+)", claim.source)
    assert stated is None or float(stated[1]) == number


def test_the_gains_of_glkm_are_means_of_two_relative_gains():
    gains = [100 * (24.25 / 17.44 - 1), 100 * (24.97 / 19.31 - 1)]
    assert TABLES["glkm-claims"].claims[0].published == pytest.approx(np.mean(gains))
    pooled = 100 * ((24.25 + 24.97) / (17.44 + 19.31) - 1)
    assert round(pooled, 1) == 33.9  # another way to average, which does not give the printed number


@pytest.mark.parametrize(("name", "claim"), CLAIMS, ids=lambda value: getattr(value, "statement", value))
def test_a_claim_names_datasets_methods_metrics_and_settings_that_exist(name, claim):
    for compared in filter(None, (claim.comparison, claim.demo)):
        for dataset in (*compared.datasets, *compared.over_datasets):
            find_dataset(dataset)
        assert len(compared.datasets) == len(compared.over_datasets)
        for method in (*compared.of, *compared.over):
            own = TABLES[name].settings.get(method, {})
            given = {key: value for key, value in own.items() if value != ANY}
            settings = effective(base_method(method).settings, given, method)
            assert set(own) <= set(flat(settings))
    assert claim.measure.name == PROPERTY or not METRICS[claim.metric].lower_is_better
    assert (claim.rule.share_of_published, claim.rule.within) == (None, None) or np.isfinite(claim.published)


MSCOCO = {"table": "I", "dataset": "COCO80-uniform", "split": "all"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"measure": "gian"}, "unknown measure 'gian'. Did you mean 'gain'?"),
        (
            {"published": {"of": "DIP", "metric": "PNSR", "cells": [MSCOCO]}},
            "glkm.csv has 0 numbers for table I, dataset COCO80-uniform, split all, method DIP, metric PNSR",
        ),
    ],
)
def test_a_wrong_entry_is_one_line(change, message):
    document = copy.deepcopy(DOCUMENT)
    document["tables"]["glkm-claims"]["claims"][0].update(change)
    checked(document, "claims", "claims.yaml")
    with pytest.raises(InputError, match=re.escape(message)):
        define_claims("glkm-claims", document)


def test_an_unknown_table_is_refused():
    with pytest.raises(InputError, match=r"unknown table 'glkm-claim'. Did you mean 'glkm-claims'\?"):
        claim_table("glkm-claim")


# Verdicts.


@pytest.mark.parametrize("name", TABLES)
def test_without_results_nothing_is_tested_but_what_is_counted_of_a_network(name):
    table = verdicts(TABLES[name], NOTHING, {})
    counted = table.measure == PROPERTY
    assert (table[~counted].verdict == "not tested").all()
    assert (table[~counted].reason != "").all()
    assert table[~counted].value.isna().all()
    assert (table[counted].verdict == "reproduced").all()
    page = claims_page(table, TABLES[name].title, "A test.")
    assert page.markdown().count("| not tested |") == (~counted).sum()
    assert page.latex("t").count("\\begin{tabular}") == 1
    assert page.latex("t").isascii()  # TeX's fonts lack other characters


def test_operations_are_counted_and_compared_with_the_printed_ones():
    row = claim(4, NOTHING, name="ufpnet-claims")
    assert row.value == pytest.approx(235.56, abs=0.01)  # against the printed 243.3
    assert (row.verdict, row.rule) == ("reproduced", "our number is within 5% of the paper's")


W_AND_Z = {
    ("lai", "dip-glkm"): cases(24, 26, 28, 31),
    ("lai", "dip-glkm@code"): cases(23, 24, 27, 29),
}
SETTINGS = defaults("dip-glkm", "dip-glkm@code")


def test_a_claim_is_reproduced_when_its_rule_holds():
    row = claim(4, evidence(W_AND_Z), SETTINGS)
    assert row.value == pytest.approx(1.5)
    assert 1 <= row.low < 1.5 < row.high <= 2
    assert (row.verdict, row.cases, row.seeds, row.failed) == ("reproduced (part)", "4", "3", 0)
    assert row.reason == "lai: 4 of 100 cases"


def test_all_cases_of_the_paper_leave_no_remark():
    scores = {
        ("lai", "dip-glkm"): cases(*np.linspace(20, 30, 100), seeds=1),
        ("lai", "dip-glkm@code"): cases(*np.linspace(19, 28, 100), seeds=1),
    }
    row = claim(4, evidence(scores), SETTINGS)
    assert (row.verdict, row.reason, row.cases, row.seeds) == ("reproduced", "", "100", "1")


def test_a_claim_is_not_reproduced_when_its_interval_contains_the_bound():
    scores = {**W_AND_Z, ("lai", "dip-glkm@code"): cases(23, 27, 27, 30)}
    row = claim(4, evidence(scores), SETTINGS)
    assert row.value == pytest.approx(0.5)
    assert row.low < 0 < row.high
    assert row.verdict == "not reproduced (part)"


def test_half_of_the_published_gain_is_needed_where_the_rule_says_so():
    """The paper has 34.2 %: 20 % are enough, 10 % are not although their interval lies above 0."""
    settings = defaults("dip-glkm", "selfdeblur")
    for ratio, verdict in ((1.2, "reproduced"), (1.1, "not reproduced")):
        scores = {
            (dataset, method): cases(*[factor * value for value in (20, 22, 24, 26)], seeds=1)
            for dataset in ("coco80", "lai")
            for method, factor in (("dip-glkm", ratio), ("selfdeblur", 1))
        }
        row = claim(1, evidence(scores), settings)
        assert row.value == pytest.approx(100 * (ratio - 1))
        assert row.low > 0
        assert (row.verdict, row.cases) == (f"{verdict} (part)", "4 + 4")


def test_datasets_weigh_the_same_however_many_cases_they_have():
    scores = {
        ("coco80", "dip-glkm"): cases(30, 30, 30, 30, 30, 30, seeds=1),
        ("coco80", "selfdeblur"): cases(20, 20, 20, 20, 20, 20, seeds=1),
        ("lai", "dip-glkm"): cases(22, 22, 22, seeds=1),
        ("lai", "selfdeblur"): cases(20, 20, 20, seeds=1),
    }
    row = claim(1, evidence(scores), defaults("dip-glkm", "selfdeblur"))
    assert row.value == pytest.approx((50 + 10) / 2)


@pytest.mark.parametrize(
    ("scores", "settings", "reason"),
    [
        ({("levin", "dip-glkm"): cases(1, 2, 3)}, {}, "lai: "),
        ({("lai", "dip-glkm"): cases(1, 2, 3)}, {}, "dip-glkm@code is not in this profile"),
        (
            {("lai", "dip-glkm"): cases(1, 2, 3), ("levin", "dip-glkm@code"): cases(1, 2, 3)},
            {},
            "dip-glkm@code does not run on lai in this profile",
        ),
        (
            {("lai", "dip-glkm"): cases(1), ("lai", "dip-glkm@code"): cases(1)},
            {},
            "lai: 1 case with 3 restorations of each method; an interval needs 2 cases with 3",
        ),
        (
            {("lai", "dip-glkm"): cases(1, 2, seeds=1), ("lai", "dip-glkm@code"): cases(1, 2, seeds=1)},
            {},
            "lai: 2 cases with 2 restorations of each method; an interval needs 2 cases with 3",
        ),
        (
            W_AND_Z,
            {"dip-glkm@code": {"variable": "features"}},
            "dip-glkm@code has variable: features in this profile; the claim needs code",
        ),
    ],
)
def test_a_claim_that_cannot_be_tested_says_why(scores, settings, reason):
    row = claim(4, evidence(scores), settings)
    assert row.verdict == "not tested"
    assert row.reason.startswith(reason)
    assert np.isnan(row.value)


def test_a_metric_that_was_not_scored_and_weights_that_are_missing_are_reasons():
    without = evidence(W_AND_Z)
    without.scores.metric = "ssim"
    assert claim(4, without, SETTINGS).reason == "psnr is not among this profile's metrics for lai"
    missing = evidence(W_AND_Z)
    declined = missing.scores.method == "dip-glkm"
    missing.scores.loc[declined, ["value", "note"]] = [np.nan, "weights_missing: no generator of 75 px"]
    row = claim(4, missing, SETTINGS)
    assert row.verdict == "not tested"
    assert row.reason == "dip-glkm on lai; weights_missing: no generator of 75 px"


DEMO = {("demo-uniform", method): values for (_, method), values in W_AND_Z.items()}


def test_other_data_settings_or_weights_make_a_verdict_a_demo():
    row = claim(4, evidence(DEMO), SETTINGS)
    assert row.verdict == "reproduced (demo)"
    assert row.reason.startswith("demo-uniform in place of lai")
    row = claim(4, evidence(W_AND_Z), defaults("dip-glkm", "dip-glkm@code", dip_glkm={"iterations": 350}))
    assert row.verdict == "reproduced (demo)"
    assert row.reason == "not the paper's iterations in dip-glkm; lai: 4 of 100 cases"
    row = claim(4, evidence(W_AND_Z, weights="glkm-fast-31 demo"), SETTINGS)
    assert row.verdict == "reproduced (demo)"
    assert "weights glkm-fast-31 demo" in row.reason
    row = claim(4, evidence(W_AND_Z), defaults("dip-glkm", "dip-glkm@code", dip_glkm={"weights": "mine"}))
    assert row.verdict == "reproduced (part)"  # where the weights lie is no setting of the paper


def test_no_verdict_of_demo_size_stands_without_its_label():
    table = verdicts(TABLES["glkm-claims"], evidence(DEMO), SETTINGS)
    assert set(table.verdict) == {"not tested", "reproduced (demo)"}
    text = claims_page(table, "x").markdown()
    assert "| reproduced (demo) |" in text
    assert not re.search(r"reproduced\s*\|", text)
    assert "(demo): smaller data, networks or runs" in text


def test_networks_of_other_training_are_not_compared_as_one_ablation():
    """UFPNet, claim 1: flow against softmax."""
    scores = {("demo-uniform", name): cases(30, 32, 33) for name in ("ufpnet@flow", "ufpnet@softmax")}
    scores |= {("demo-nonuniform", method): values for (_, method), values in scores.items()}
    results = evidence(scores, weights="ufpnet-15 demo (16 channels, 12 blocks, 1,000 steps)")
    row = claim(1, results, name="ufpnet-claims")
    assert row.verdict == "not reproduced (demo)"
    assert "weights ufpnet-15 demo (16 channels, 12 blocks, 1,000 steps)" in row.reason
    results.runs.loc[results.runs.method == "ufpnet@flow", "weights"] = (
        "ufpnet-15 demo (16 channels, 5,529 steps)"
    )
    row = claim(1, results, name="ufpnet-claims")
    assert row.verdict == "not tested"
    assert "the weights differ in size or training: ufpnet-15 demo (16 channels, 12 blocks" in row.reason


def test_the_best_variant_of_each_case_counts_by_its_peak():
    """Robust BID, the last claim: l1/l2 against l1, each at its best weight, whichever iteration."""
    peaks = {
        "l1l2-1e-4": (28, 30, 33),
        "l1l2-1e-5": (27, 31, 30),
        "l1-1e-2": (26, 28, 29),
        "l1-1e-3": (25, 25, 30),
    }
    place = "levin-synth@gaussian-high"
    methods = {f"robust-bid@{name}": values for name, values in peaks.items()}
    snapshots = {
        (place, method, f"case{number}", 0): ({10: 3.0 if "l1l2" in method else peak, 20: peak, 30: 9.0}, 30)
        for method, values in methods.items()
        for number, peak in enumerate(values)
    }
    scores = {(place, method): cases(*values, seeds=1) for method, values in methods.items()}
    row = claim(11, evidence(scores, snapshots=snapshots), name="bid-claims")
    assert row.value == pytest.approx(np.mean([28, 31, 33]) - np.mean([26, 28, 30]))
    assert row.compared == f"robust-bid@l1l2-* against robust-bid@l1-* on {place}"
    assert row.verdict == "reproduced (part)"
    # A variant that failed cannot be the best; it is counted.
    del snapshots[place, "robust-bid@l1l2-1e-5", "case1", 0]
    failed = [("robust-bid@l1l2-1e-5", "case1", 0)]
    row = claim(11, evidence(scores, failed, snapshots=snapshots), name="bid-claims")
    assert row.value == pytest.approx(np.mean([28, 30, 33]) - np.mean([26, 28, 30]))
    assert row.failed == 1


def test_settings_of_a_sweep_are_open_and_others_are_not():
    place = "levin-synth@gaussian-high"
    methods = ("robust-bid@l1l2-1e-4", "robust-bid@l1-1e-2")
    snapshots = {
        (place, method, f"case{number}", 0): ({10: peak}, 10)
        for method, peak in zip(methods, (30.0, 25.0), strict=True)
        for number in range(3)
    }
    scores = {(place, method): cases(30, 31, 32, seeds=1) for method in methods}
    papers = flat(effective(base_method("robust-bid").settings, {}, ""))
    sweep = {
        methods[0]: papers | {"regulariser_weight": 1e-4, "stop": "watched"},
        methods[1]: papers | {"regulariser_weight": 1e-2, "regulariser": "tv"},
    }
    sweep = json.loads(json.dumps(sweep))
    row = claim(11, evidence(scores, snapshots=snapshots), sweep, name="bid-claims")
    assert (row.verdict, row.reason) == ("reproduced (part)", f"{place}: 3 of 32 cases")
    sweep[methods[0]]["channels"] = 16
    results = evidence(scores, snapshots=snapshots)
    assert claim(11, results, sweep, name="bid-claims").verdict == "reproduced (demo)"
    sweep[methods[1]]["regulariser"] = "none"
    reason = "robust-bid@l1-1e-2 has regulariser: none in this profile; the claim needs tv"
    assert claim(11, evidence(scores, snapshots=snapshots), sweep, name="bid-claims").reason.startswith(
        reason
    )


def test_methods_that_stand_in_are_named():
    scores = {
        (dataset, method): cases(30 + better, 32 + better, 33 + better)
        for dataset in ("demo-uniform", "demo-nonuniform")
        for method, better in (("ufpnet@uncertain", 2), ("ufpnet@flow", 0), ("ufpnet", 9))
    }
    row = claim(2, evidence(scores), name="ufpnet-claims")
    assert row.value == pytest.approx(2)
    assert "ufpnet@uncertain in place of ufpnet" in row.reason


def test_a_failed_restoration_counts_as_the_blurry_input():
    failed = [("dip-glkm", "case0", 1)]
    without_floor = claim(4, evidence(W_AND_Z, failed), SETTINGS)
    assert without_floor.verdict == "not tested"
    assert without_floor.reason == (
        "1 restoration of dip-glkm on lai failed, and the profile has no psnr of the blurry input to count "
        "instead"
    )
    floor = {
        **W_AND_Z,
        ("lai", "blurry"): {name: [18.0] * 3 for name in ("case0", "case1", "case2", "case3")},
    }
    row = claim(4, evidence(floor, failed), SETTINGS)
    ours = np.mean([np.mean([24, 18, 24.2]), 26.1, 28.1, 31.1])
    assert row.value == pytest.approx(ours - np.mean([23.1, 24.1, 27.1, 29.1]))
    assert (row.failed, row.cases) == (1, "4")
    page = claims_page(verdicts(TABLES["glkm-claims"], evidence(floor, failed), SETTINGS), "x").markdown()
    assert "1 restoration failed." in page
    assert "A restoration that failed counts as the blurry input" in page


def test_the_best_of_several_methods_counts():
    """Robust BID, claim 4: the best of the others over the blurry image, at level 5 of both sets."""
    others = {"joint-fit@selfdeblur-tv": 20, "l0-grad": 20.5, "l0-dark": 21, "l0-robust": 20, "lowrank": 19}
    scores = {
        (f"{name}-synth@size-level-5", method): cases(level, level + 1, level + 2)
        for name in ("levin", "lai")
        for method, level in {**others, "blurry": 20.6}.items()
    }
    row = claim(4, evidence(scores), name="bid-claims")
    assert row.value == pytest.approx(0.4)
    assert (row.verdict, row.rule) == ("reproduced (part)", "the interval lies below 1 dB")
    one_less = {key: value for key, value in scores.items() if key[1] != "lowrank"}
    assert claim(4, evidence(one_less), name="bid-claims").reason == "lowrank is not in this profile"


def test_conditions_are_compared_case_by_case():
    scores = {
        ("lai-synth@size-level-5", "robust-bid"): cases(24.5, 26, 27),
        ("lai-synth", "robust-bid"): cases(25, 26, 28),
    }
    row = claim(2, evidence(scores), name="bid-claims")
    assert row.value == pytest.approx(-0.5)
    assert row.compared == "robust-bid on lai-synth@size-level-5 against robust-bid on lai-synth"
    assert (row.verdict, row.rule) == ("not reproduced (part)", "the interval lies above −1 dB")


def curves(dataset, method, firsts, final, last=30):
    """Runs by case and seed that reach `final` at an iteration of `firsts`, and stay there; None: never."""
    return {
        (dataset, method, f"case{number}", seed): (
            {i: final if first and i >= first else 10.0 for i in (10, 20, last)},
            last,
        )
        for number, seeds in enumerate(firsts)
        for seed, first in enumerate(seeds)
    }


def test_the_faster_method_reaches_the_final_score_in_fewer_iterations():
    snapshots = {
        **curves("demo-uniform", "selfdeblur", [[30, 30], [30, 30]], 25.0),
        **curves("demo-uniform", "dip-glkm", [[10, 20], [30, None]], 25.0),
    }
    values = {("demo-uniform", method): cases(25, 25, seeds=2) for method in ("selfdeblur", "dip-glkm")}
    row = claim(3, evidence(values, snapshots=snapshots))
    assert row.value == 50  # two of four; equally fast, and never, are not faster
    assert (row.verdict, row.unit, row.cases, row.seeds) == ("not reproduced (demo)", "%", "2", "2")
    fast = {**snapshots, **curves("demo-uniform", "dip-glkm", [[10, 20], [10, 20]], 25.0)}
    row = claim(3, evidence(values, snapshots=fast))
    assert (row.value, row.low, row.verdict) == (100, 100, "reproduced (demo)")
    # A run that failed has no snapshots, and is not the faster one.
    del fast["demo-uniform", "dip-glkm", "case1", 1]
    row = claim(3, evidence(values, [("dip-glkm", "case1", 1)], snapshots=fast))
    assert (row.value, row.failed) == (75, 1)


def test_without_snapshots_speed_is_not_tested():
    values = {("lai", method): cases(25, 25) for method in ("selfdeblur", "dip-glkm")}
    assert claim(3, evidence(values)).reason == "there are no snapshots of dip-glkm on lai"


def test_gaps_of_early_stopping_are_a_share_and_a_mean():
    datasets = [f"lai-synth@gaussian-{level}@size-level-5" for level in ("low", "high")]
    snapshots = {
        (dataset, "robust-bid@watched", f"case{number}", 0): ({10: 20.0, 20: 26.0, 30: 26.0 - loss}, result)
        for dataset in datasets
        for number, (loss, result) in enumerate([(3.0, 20), (5.0, 20), (1.0, 20), (2.0, 30)])
    }
    values = {(dataset, "robust-bid@watched"): cases(26, 26, 26, 24, seeds=1) for dataset in datasets}
    base, stopped = (
        claim(number, evidence(values, snapshots=snapshots), name="bid-claims") for number in (5, 6)
    )
    assert (base.value, base.unit) == (50, "%")  # 3 and 5 dB of four
    assert (stopped.value, stopped.unit) == (0.5, "dB")
    failed = evidence(values, [("robust-bid@watched", "case0", 0)], snapshots=snapshots)
    assert claim(6, failed, name="bid-claims").reason == (
        "1 restoration of robust-bid@watched on lai-synth@gaussian-low@size-level-5 failed"
    )


# Intervals.


def test_the_interval_is_the_bootstrap_of_the_mean_where_there_is_one_seed():
    values = np.random.default_rng(0).normal(2, 3, 40)
    one_seed = Sample(values.reshape(1, -1, 1), None, 0)
    number = estimate(MEASURES["es-gap"], [one_seed], np.random.default_rng(1))
    expected = bootstrap(
        (values,), np.mean, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert number.value == pytest.approx(values.mean())
    assert (number.low, number.high) == pytest.approx(tuple(expected), abs=0.1)


def test_the_interval_covers_seeds_and_cases():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, (1, 6, 4))
    spread = 5 * rng.normal(0, 1, (1, 6, 1))

    def width(values):
        number = estimate(MEASURES["es-gap"], [Sample(values, None, 0)], np.random.default_rng(1))
        return number.high - number.low

    assert 0.3 < width(noise) < 2  # the seeds alone
    assert width(noise + spread) > 3 * width(noise)  # cases differ more


def test_seeds_are_drawn_within_a_case():
    """All cases are alike, so that the seeds alone make the interval."""
    values = np.tile([0.0, 1.0], (1, 4, 1))
    number = estimate(MEASURES["es-gap"], [Sample(values, None, 0)], np.random.default_rng(1))
    assert 0 < number.low < number.value == 0.5 < number.high < 1


def test_what_cases_share_does_not_widen_the_interval_of_a_difference():
    base = 10 * np.random.default_rng(0).normal(0, 1, (1, 8, 3))
    number = estimate(MEASURES["gain"], [Sample(base + 2, base, 0)], np.random.default_rng(1))
    assert (number.value, number.low, number.high) == pytest.approx((2, 2, 2))


def test_a_missing_seed_weighs_as_little_as_it_should():
    values = np.array([[[1.0, 3.0, np.nan], [4.0, 4.0, 4.0]]])
    number = estimate(MEASURES["es-gap"], [Sample(values, None, 0)], np.random.default_rng(1))
    assert number.value == 3  # the mean of 2 and 4
    assert 1 <= number.low <= number.high <= 4


def test_the_same_results_give_the_same_interval():
    first, second = (claim(4, evidence(W_AND_Z), SETTINGS) for _ in range(2))
    assert (first.low, first.high) == (second.low, second.high)


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        (Rule(interval_above=1), True),
        (Rule(interval_above=1.5), False),
        (Rule(interval_below=3.5), True),
        (Rule(interval_below=3), False),
        (Rule(share_of_published=0.5), True),
        (Rule(share_of_published=0.51), False),
        (Rule(within=0.5), True),
        (Rule(within=0.4), False),
        (Rule(interval_above=1, interval_below=2), False),
    ],
)
def test_all_that_a_rule_names_must_hold(rule, holds):
    assert rule.holds(2, 1.5, 3, published=4) == holds
