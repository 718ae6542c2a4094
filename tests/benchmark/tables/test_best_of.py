"""Tables of the best of several variants: chosen case by case, by the highest PSNR along a run."""

import pandas as pd
import pytest

from benchmark.scoring.csv_files import CONVERGENCE_COLUMNS, RUN_COLUMNS, SCORE_COLUMNS
from benchmark.tables.best_of import best_runs, best_scores, spread_sections
from benchmark.tables.page import Page
from benchmark.tables.paper_tables import paper_table
from benchmark.tables.sections import table_page
from benchmark.tables.summary import summary

LOW = "levin-synth@gaussian-low"
TABLE = paper_table("bid-table2")
VALUES = {
    "robust-bid@l1l2-1e-3": 1e-3,
    "robust-bid@l1l2-1e-4": 1e-4,
    "robust-bid@l1-2e-2": 2e-2,
    "robust-bid@lambda-1e-6": 1e-6,  # a row of another table
}
# Case, method, seed, iteration, whether it is the result, PSNR.
SNAPSHOTS = [
    ("im1", "robust-bid@l1l2-1e-3", 0, 100, False, 30.0),
    ("im1", "robust-bid@l1l2-1e-3", 0, 200, True, 20.0),
    ("im1", "robust-bid@l1l2-1e-4", 0, 100, False, 25.0),
    ("im1", "robust-bid@l1l2-1e-4", 0, 200, True, 29.0),
    ("im2", "robust-bid@l1l2-1e-3", 0, 100, False, 21.0),
    ("im2", "robust-bid@l1l2-1e-4", 0, 100, True, 32.0),
    ("im1", "robust-bid@l1-2e-2", 0, 100, True, 28.0),
    ("im1", "robust-bid@lambda-1e-6", 0, 100, True, 99.0),
]


def convergence(rows=SNAPSHOTS):
    rows = [
        (LOW, case[:3], case, method, seed, iteration, is_result, 1.0, "shift-rgb", "psnr", value)
        for case, method, seed, iteration, is_result, value in rows
    ]
    return pd.DataFrame(rows, columns=list(CONVERGENCE_COLUMNS))


def scores():
    rows = [(LOW, "im1", "im1", "blurry", 0, "shift-rgb", "psnr", 22.0, "")]
    rows.append((LOW, "im1", "im1", "robust-bid@l1l2-1e-3", 0, "shift-rgb", "psnr", 20.0, ""))
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def runs():
    rows = [(LOW, "im1", name, 0, "ok" if "1e-3" in name else "diverged") for name in VALUES]
    frame = pd.DataFrame(rows, columns=["dataset", "case", "method", "seed", "status"])
    return frame.reindex(columns=list(RUN_COLUMNS)).assign(weights="", reason="")


def test_each_case_has_the_variant_whose_run_reaches_the_highest_psnr():
    best = best_scores(TABLE, convergence(), scores(), VALUES)
    cells = best.set_index(["method", "case", "metric"]).value.to_dict()
    assert cells == {
        ("blurry", "im1", "psnr"): 22.0,
        ("robust-bid@l1l2-*", "im1", "psnr"): 30.0,  # its result is worse than the other variant's
        ("robust-bid@l1l2-*", "im1", "regulariser_weight"): 1e-3,
        ("robust-bid@l1l2-*", "im2", "psnr"): 32.0,
        ("robust-bid@l1l2-*", "im2", "regulariser_weight"): 1e-4,
        ("robust-bid@l1-*", "im1", "psnr"): 28.0,
        ("robust-bid@l1-*", "im1", "regulariser_weight"): 2e-2,
    }


def test_over_seeds_the_mean_of_the_peaks_decides_and_each_seed_is_kept():
    rows = [
        ("im1", "robust-bid@l1l2-1e-3", 0, 100, True, 30.0),
        ("im1", "robust-bid@l1l2-1e-3", 1, 100, True, 20.0),
        ("im1", "robust-bid@l1l2-1e-4", 0, 100, True, 27.0),
        ("im1", "robust-bid@l1l2-1e-4", 1, 100, True, 26.0),
    ]
    best = best_scores(TABLE, convergence(rows), scores(), VALUES)
    of_row = best[best.method == "robust-bid@l1l2-*"]
    assert of_row[of_row.metric == "psnr"].value.tolist() == [27.0, 26.0]
    assert of_row[of_row.metric == "regulariser_weight"].value.unique().tolist() == [1e-4]


def test_the_table_has_means_spread_and_the_published_numbers():
    best = best_scores(TABLE, convergence(), scores(), VALUES)
    numbers = summary(TABLE, best, best_runs(TABLE, runs()))
    low = numbers[numbers.dataset == LOW].set_index(["row", "metric"])
    psnr, weight = low.loc[("l1/l2", "psnr")], low.loc[("l1/l2", "regulariser_weight")]
    assert (psnr["mean"], psnr.published, psnr.cases) == (31.0, "32.64", 2)
    assert weight["mean"] == pytest.approx(5.5e-4)
    assert (psnr.runs, psnr.failed) == (2, 0)  # one variant did not fail
    page = Page("", spread_sections(TABLE, best, VALUES)).markdown()
    assert "| l1/l2 | PSNR | 31.00 | 1.41 | 31.00 | 30.50 to 31.50 | 2 |" in " ".join(page.split())
    weights = "| l1/l2 | Best weight | 0.00055 | 0.000636 | 0.00055 | 0.000325 to 0.000775 | 2 | 2 of 2 |"
    assert weights in " ".join(page.split())
    assert "0.00055" in table_page(numbers, TABLE).markdown()


def test_a_case_that_no_variant_restored_counts_as_the_blurry_input():
    names = ("robust-bid@l1l2-1e-3", "robust-bid@l1l2-1e-4")
    blurry = (LOW, "im3", "im3", "blurry", 0, "shift-rgb", "psnr", 24.0, "")
    failed = [(LOW, "im3", "im3", name, 0, "shift-rgb", "psnr", float("nan"), "diverged") for name in names]
    more = pd.DataFrame([blurry, *failed], columns=list(SCORE_COLUMNS))
    best = best_scores(TABLE, convergence(), pd.concat([scores(), more]), VALUES)
    numbers = summary(TABLE, best, best_runs(TABLE, runs()))
    psnr = numbers[(numbers.dataset == LOW) & (numbers.row == "l1/l2") & (numbers.metric == "psnr")].iloc[0]
    assert (psnr["mean"], psnr.own_mean) == (pytest.approx((30 + 32 + 24) / 3), 31.0)
    assert (psnr.runs, psnr.scored) == (3, 2)


def test_without_snapshots_the_cells_say_why_they_are_empty():
    nothing = pd.DataFrame(columns=list(CONVERGENCE_COLUMNS))
    best = best_scores(TABLE, nothing, scores(), {})
    numbers = summary(TABLE, best, best_runs(TABLE, runs()))
    ours = numbers[numbers.row == "l1/l2"]
    assert ours["mean"].isna().all()
    assert (ours.note != "").all()
    assert spread_sections(TABLE, best, {}) == []
