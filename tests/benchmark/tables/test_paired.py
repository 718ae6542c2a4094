"""The paired test of methods against a baseline, and what a table says of it."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wilcoxon

from benchmark.data.descriptors import find_dataset
from benchmark.tables.definition import BEST
from benchmark.tables.paired import holm, paired_test
from benchmark.tables.profile_tables import grid_table, own_table
from benchmark.tables.remarks import remarks_of
from benchmark.tables.sections import grid_page, table_page
from benchmark.tables.summary import summary
from tests.benchmark.tables.test_tables import GRID, NAME, NO_RUNS, runs_frame, scores_frame

BASELINE = "l0-grad"
SPREAD = np.array([20.0, 22.0, 25.0, 23.0, 28.0, 26.0, 24.0, 21.0])
RANKED = np.array([0.1, 0.7, 0.3, 0.5, 0.2, 0.4, 0.8, 0.6])  # no two differences are equal


def table_of(values, cases=8, failed=(), titles=None):
    """The numbers and the Markdown of a table with the baseline; `values` maps a method to PSNR by case."""
    scores = scores_frame({(method, "psnr"): list(psnr[:cases]) for method, psnr in values.items()})
    scores.loc[[(run.method, run.case) in failed for run in scores.itertuples()], "value"] = np.nan
    definition = own_table("uniform", {NAME: find_dataset(NAME)}, scores, titles or {}, BASELINE)
    numbers = summary(definition, scores, runs_frame(scores, failed))
    page = table_page(numbers, definition, remarks=remarks_of(definition, numbers, scores, titles or {}))
    return numbers.set_index("method"), page


ALL = {
    "blurry": SPREAD - 5,
    "oracle": SPREAD + 5,
    BASELINE: SPREAD,
    "selfdeblur": SPREAD + RANKED,
    "nafnet": SPREAD - RANKED,
    "ufpnet": SPREAD + RANKED * [1, -1, 1, -1, 1, -1, 1, -1],
}


def test_a_table_marks_what_is_better_and_worse_than_the_baseline():
    numbers, page = table_of(ALL)
    assert numbers.versus_baseline.to_dict() == {
        "blurry": "", "oracle": "", BASELINE: "", "selfdeblur": "better", "nafnet": "worse", "ufpnet": ""
    }  # fmt: skip
    raw = {name: wilcoxon(ALL[name] - ALL[BASELINE]).pvalue for name in ("selfdeblur", "nafnet", "ufpnet")}
    assert numbers.baseline_p.dropna().to_dict() == pytest.approx(
        {"selfdeblur": 3 * raw["selfdeblur"], "nafnet": 3 * raw["nafnet"], "ufpnet": raw["ufpnet"]}
    )
    text = page.markdown()
    assert "(+)" in next(line for line in text.splitlines() if line.startswith("| SelfDeblur"))
    assert "(−)" in next(line for line in text.splitlines() if line.startswith("| NAFNet"))
    assert "(+) better and (−) worse than L0 gradient (ours): Wilcoxon's signed-rank test over 8" in text
    assert "after Holm's correction" in text
    assert "($-$)" in page.latex("t")


def test_without_a_baseline_nothing_is_tested():
    scores = scores_frame({("blurry", "psnr"): [20.0] * 8, ("l0-grad", "psnr"): [21.0] * 8})
    definition = own_table("uniform", {NAME: find_dataset(NAME)}, scores)
    numbers = summary(definition, scores, NO_RUNS)
    assert numbers.baseline_p.isna().all()
    assert (numbers.versus_baseline == "").all()


def test_by_default_methods_are_tested_against_the_best_of_each_column():
    values = {name: values for name, values in ALL.items() if name != "nafnet"}
    of_ssim = {
        (name, "ssim"): list(psnr / (100 if name != BASELINE else 50)) for name, psnr in values.items()
    }
    scores = scores_frame({(name, "psnr"): list(psnr) for name, psnr in values.items()} | of_ssim)
    definition = own_table("uniform", {NAME: find_dataset(NAME)}, scores, {}, BEST)
    numbers = summary(definition, scores, NO_RUNS)
    tested = numbers[numbers.baseline != ""]
    assert dict(zip(tested.metric + " of " + tested.method, tested.baseline, strict=True)) == {
        "psnr of l0-grad": "selfdeblur",
        "psnr of ufpnet": "selfdeblur",
        "ssim of selfdeblur": BASELINE,
        "ssim of ufpnet": BASELINE,
    }
    of_psnr = numbers[numbers.metric == "psnr"].set_index("method")
    assert of_psnr.versus_baseline["l0-grad"] == "worse"
    assert of_psnr.baseline_p["l0-grad"] == pytest.approx(2 * wilcoxon(RANKED).pvalue)
    (remark,) = remarks_of(definition, numbers, scores)[definition.blocks[0].title][-1:]
    assert "(−) worse than the best of the column" in remark


def test_by_default_nothing_is_said_of_a_test_that_few_cases_do_not_allow():
    scores = scores_frame({(name, "psnr"): list(psnr[:5]) for name, psnr in ALL.items()})
    definition = own_table("uniform", {NAME: find_dataset(NAME)}, scores, {}, BEST)
    assert "No test" not in str(remarks_of(definition, summary(definition, scores, NO_RUNS), scores))


def test_few_cases_are_not_tested_and_the_note_says_so():
    numbers, page = table_of(ALL, cases=5)
    assert numbers.baseline_p.isna().all()
    assert "(+)" not in page.markdown()
    assert "No test against L0 gradient (ours): it takes 6 cases that both have, there are 5" in (
        page.markdown()
    )


def test_a_baseline_that_did_not_run_on_a_dataset_is_said():
    _, page = table_of({name: values for name, values in ALL.items() if name != BASELINE})
    assert "it takes 6 cases that both have, there are 0" in page.markdown()


def test_a_failed_case_counts_as_the_blurry_input():
    numbers, _ = table_of(ALL, failed={("selfdeblur", "case0"), ("selfdeblur", "case1")})
    of_failures = wilcoxon([-5.0, -5.0, *RANKED[2:]]).pvalue
    others = [wilcoxon(ALL[name] - ALL[BASELINE]).pvalue for name in ("nafnet", "ufpnet")]
    assert numbers.baseline_cases["selfdeblur"] == 8
    assert numbers.baseline_p["selfdeblur"] == pytest.approx(holm(pd.Series([of_failures, *others]))[0])
    assert numbers.versus_baseline["selfdeblur"] == ""


def test_lower_scores_are_better_where_the_metric_says_so():
    better = paired_test(pd.Series(-RANKED), pd.Series(np.zeros(8)), lower_is_better=True)
    assert better["versus_baseline"] == "better"
    assert paired_test(pd.Series(RANKED), pd.Series(np.zeros(8)), lower_is_better=True) == {
        **better,
        "versus_baseline": "worse",
    }


def test_equal_and_infinite_scores_are_no_difference():
    same = pd.Series([np.inf] * 3 + [20.0] * 5)
    assert paired_test(same, same, lower_is_better=False)["baseline_p"] == 1


def test_cases_are_paired_by_name():
    values = pd.Series(SPREAD + RANKED, list("abcdefgh"))
    baseline = pd.Series(SPREAD, list("abcdefgh"))
    expected = paired_test(values, baseline, lower_is_better=False)
    assert paired_test(values, baseline[::-1], lower_is_better=False) == expected
    assert paired_test(values, baseline[:6], lower_is_better=False)["baseline_cases"] == 6


def test_holms_correction_is_that_of_his_paper():
    # Each p times how many are left, never below one before it, at most 1.
    assert holm(pd.Series([0.005, 0.011, 0.02, 0.04, 0.13])).tolist() == pytest.approx(
        [0.025, 0.044, 0.06, 0.08, 0.13]
    )
    assert holm(pd.Series([0.9, 0.8])).tolist() == [1, 1]


def test_cells_of_a_table_over_conditions_are_tested_too():
    scores = scores_frame({(method, "psnr"): list(psnr) for method, psnr in ALL.items()})
    definition = grid_table("robustness", GRID, scores, {}, BASELINE)
    numbers = summary(definition, scores, NO_RUNS)
    text = grid_page(numbers, GRID, remarks=remarks_of(definition, numbers, scores)).markdown()
    assert "(+)" in next(line for line in text.splitlines() if line.startswith("| SelfDeblur"))
    assert "true: (+) better and (−) worse than L0 gradient (ours)" in text
