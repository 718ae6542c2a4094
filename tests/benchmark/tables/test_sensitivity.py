"""The spread over seeds: numbers by hand, and what is left out."""

import numpy as np
import pandas as pd
import pytest

from benchmark.scoring.csv_files import SCORE_COLUMNS
from benchmark.tables.sensitivity import (
    SPREAD_COLUMNS,
    over_cases,
    psnr_of_methods,
    seed_spread,
    spread_sections,
)

NAME = "demo-uniform"


def scores(values, metric="psnr"):
    """`values` maps (method, case) to a value per seed."""
    rows = [
        (NAME, "g", case, method, seed, "shift-rgb", metric, value, "")
        for (method, case), seeds in values.items()
        for seed, value in enumerate(seeds)
    ]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


THREE = scores({
    ("selfdeblur", "a"): [20.0, 22.0, 27.0],
    ("selfdeblur", "b"): [30.0, 31.0, np.nan],
    ("selfdeblur@x", "a"): [25.0, 25.0, 25.0],
    ("blurry", "a"): [18.0, 18.0, 18.0],
    ("blurry", "b"): [16.0, 16.0, 16.0],
})  # fmt: skip


def test_mean_deviation_worst_and_best_are_over_the_seeds_of_a_case():
    table = seed_spread(THREE, [NAME]).set_index(["method", "case"])
    a = table.loc[("selfdeblur", "a")]
    assert (a["mean"], a.worst, a.best, a.seeds, a.failed) == (23, 20, 27, 3, 0)
    assert a.deviation == pytest.approx(np.sqrt((9 + 1 + 16) / 2))
    b = table.loc[("selfdeblur", "b")]
    # The failed seed counts as the blurry input.
    assert (b["mean"], b.worst, b.best, b.seeds, b.failed) == (pytest.approx(77 / 3), 16, 31, 3, 1)
    assert b.deviation == pytest.approx(np.std([30, 31, 16], ddof=1))
    assert table.loc[("selfdeblur@x", "a"), "deviation"] == 0
    assert tuple(seed_spread(THREE, [NAME]).columns) == SPREAD_COLUMNS


def test_one_seed_has_no_deviation():
    one = seed_spread(THREE[THREE.seed == 0], [NAME])
    assert one.deviation.isna().all()


def test_the_summary_averages_each_number_over_cases():
    row = over_cases(seed_spread(THREE, [NAME])).set_index("method").loc["selfdeblur"]
    assert (row["mean"], row.worst, row.best) == (pytest.approx((23 + 77 / 3) / 2), 18, 29)
    assert row.deviation == pytest.approx((np.sqrt(13) + np.std([30, 31, 16], ddof=1)) / 2)
    assert (row.cases, row.seeds, row.runs, row.failed) == (2, 3, 6, 1)


def test_controls_and_other_metrics_and_datasets_are_left_out():
    frame = pd.concat([THREE, scores({("selfdeblur", "a"): [0.5]}, metric="ssim")])
    assert set(psnr_of_methods(frame, [NAME]).method) == {"selfdeblur", "selfdeblur@x"}
    assert set(psnr_of_methods(frame, [NAME]).metric) == {"psnr"}
    assert psnr_of_methods(frame, ["levin"]).empty


def test_sections_have_the_numbers_and_the_titles_of_the_config():
    means, cases = spread_sections(seed_spread(THREE, [NAME]), {"selfdeblur@x": "The other"})
    assert means.headings[:3] == ["Method", "PSNR, dB", "Standard deviation"]
    assert means.rows[0] == ["SelfDeblur", "24.33 (5 of 6)", "6.00", "18.00", "29.00", "2", "3", "1"]
    assert means.rows[1][0] == "The other"
    assert cases.rows[1] == ["b", "SelfDeblur", "25.67 (2 of 3)", "8.39", "16.00", "31.00", "3", "1"]
    assert "one of two restorations has a score, the other counts as the blurry input" in cases.caption
    assert "protocol shift-rgb" in means.caption


def test_a_case_whose_seeds_all_failed_counts_as_the_blurry_input_and_shows_no_number():
    frame = THREE[THREE.method != "selfdeblur@x"].copy()
    frame.loc[(frame.method == "selfdeblur") & (frame.case == "b"), "value"] = np.nan
    table = seed_spread(frame, [NAME])
    assert over_cases(table)["mean"].tolist() == [(23 + 16) / 2]
    means, cases = spread_sections(table)
    assert means.rows[0][1] == "19.50 (3 of 6)"
    assert cases.rows[1] == ["b", "SelfDeblur", "", "", "", "", "3", "3"]
    frame.loc[frame.method == "selfdeblur", "value"] = np.nan
    assert seed_spread(frame, [NAME])["mean"].isna().all()
