"""From scores to tables: what is averaged, ranked, compared, footnoted and left out, and how it looks."""

import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap

from benchmark.core.errors import InputError
from benchmark.core.seeds import generator
from benchmark.data.descriptors import find_dataset
from benchmark.runs.names import labelled, weights_behind
from benchmark.scoring.csv_files import SCORE_COLUMNS
from benchmark.tables.coverage import absence_notes, case_count
from benchmark.tables.definition import Block, Column, Definition, Grid, Published, Row
from benchmark.tables.profile_tables import grid_table, own_table
from benchmark.tables.remarks import remarks_of
from benchmark.tables.sections import grid_page, table_page
from benchmark.tables.summary import TABLE_COLUMNS, summary

NAME = "demo-uniform"
NO_RUNS = pd.DataFrame(columns=["dataset", "case", "method", "seed", "status", "reason", "weights"])


def scores_frame(values, notes=None, seed=0, group="g"):
    """`values` maps (method, metric) to one value per case."""
    rows = [
        (
            NAME,
            group,
            f"case{i}",
            method,
            seed,
            "shift-rgb",
            metric,
            value,
            (notes or {}).get((metric, i), ""),
        )
        for (method, metric), cases in values.items()
        for i, value in enumerate(cases)
    ]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def runs_frame(scores, failed=(), weights="", reason="no reason"):
    """A run for each score; `failed` holds (method, case) without an image."""
    runs = scores[["dataset", "case", "method", "seed"]].drop_duplicates().reset_index(drop=True)
    is_failed = [(run.method, run.case) in failed for run in runs.itertuples()]
    return runs.assign(
        status=["failed" if each else "ok" for each in is_failed],
        reason=[reason if each else "" for each in is_failed],
        weights=weights,
    )


def own(scores, runs=NO_RUNS):
    definition = own_table("uniform", {NAME: find_dataset(NAME)}, scores)
    return definition, summary(definition, scores, runs)


GRID = Grid(
    title="Noise & size",
    dataset=NAME,
    rows={"little": "", "much": "gaussian-high"},
    columns={"true": "", "half": "size-level-5"},
    metric="psnr",
)


def grid_scores():
    """l0-grad in the first row only."""
    little = scores_frame({("blurry", "psnr"): [20.0, 22.0], ("l0-grad", "psnr"): [24.0, 27.0]})
    larger = scores_frame({("selfdeblur", "psnr"): [25.0, 28.0], ("l0-grad", "psnr"): [23.0, 26.0]})
    much = scores_frame({("blurry", "psnr"): [18.0, 19.0]})
    return pd.concat(
        [little, larger.assign(dataset=f"{NAME}@size-level-5"), much.assign(dataset=f"{NAME}@gaussian-high")]
    )


def test_a_table_over_two_sets_of_conditions_has_a_section_per_row_and_a_column_per_column():
    definition = grid_table("robustness", GRID, grid_scores())
    assert definition.datasets == [
        f"{NAME}{name}" for name in ("", "@size-level-5", "@gaussian-high", "@gaussian-high@size-level-5")
    ]
    table = summary(definition, grid_scores(), NO_RUNS)
    assert list(table.columns) == list(TABLE_COLUMNS)
    assert len(table) == 2 * 3 + 2 * 1
    page = grid_page(table, GRID, caption="A demo.").markdown()
    assert [line for line in page.splitlines() if line.startswith("## ")] == ["## little", "## much"]
    sections = page.split("## ")
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in sections[1].splitlines()
             if line.startswith("|")]  # fmt: skip
    assert cells[0] == ["Method", "true", "half"]
    assert cells[2:] == [
        ["Blurry input", "21.00", "[1]"],
        ["L0 gradient (ours)", "25.50", "_24.50_"],
        ["SelfDeblur", "[2]", "**26.50**"],
    ]
    assert "[1] not run: blurry runs on other datasets of this profile." in sections[1]
    assert "SelfDeblur" not in sections[2]  # ran in no cell of that row
    assert f"not run: dataset {NAME}@gaussian-high@size-level-5: it is not in this profile" in sections[2]
    tex = grid_page(table, GRID).latex("t")
    assert tex.count("\\begin{table}") == 2
    assert "Noise \\& size" in tex


def test_a_table_of_conditions_without_any_score_is_one_line():
    with pytest.raises(InputError, match="demo-uniform and the others have no ssim in scores"):
        grid_table("robustness", Grid(**(vars(GRID) | {"metric": "ssim"})), grid_scores())


def rows_of(text):
    """The rows of the only table of a Markdown page, heading to cell."""
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    heading, _, *rows = [[cell.strip() for cell in line] for line in lines]
    return [dict(zip(heading, row, strict=True)) for row in rows]


def page(scores, runs=NO_RUNS):
    definition, table = own(scores, runs)
    text = table_page(table, definition, caption="A test.").markdown()
    return table.set_index(["method", "metric"]), text, rows_of(text)


FOUR = {
    ("blurry", "psnr"): [20.0, 22.0, 24.0, 26.0],
    ("selfdeblur", "psnr"): [21.0, 25.0, 24.0, 30.0],
    ("blurry", "lpips-alex"): [0.5, 0.5, 0.5, 0.5],
    ("selfdeblur", "lpips-alex"): [0.25, 0.5, 0.25, 0.5],
}


def test_masked_psnr_gains_over_the_floors_masked_psnr():
    values = {("blurry", "psnr-masked"): [20, 22], ("selfdeblur", "psnr-masked"): [23, 24]}
    _, table = own(scores_frame({**values, ("blurry", "psnr"): [0, 0]}))
    cell = table[(table.method == "selfdeblur") & (table.metric == "psnr-masked")].iloc[0]
    assert cell.gain == 2.5


def test_a_cell_has_its_mean_its_interval_and_its_gain():
    table, text, (floor, method) = page(scores_frame(FOUR), runs_frame(scores_frame(FOUR)))
    cell = table.loc[("selfdeblur", "psnr")]
    assert (cell["mean"], cell["min"], cell["max"], cell.cases, cell.seeds) == (25.0, 21.0, 30.0, 4, 1)
    assert cell.gain == (1 + 3 + 0 + 4) / 4
    expected = bootstrap(
        (np.array([21.0, 25.0, 24.0, 30.0]),),
        np.mean,
        method="percentile",
        rng=generator("interval", NAME, "", "selfdeblur", "psnr"),
    ).confidence_interval
    assert (cell.low, cell.high) == tuple(expected)
    assert 21 < cell.low < 25 < cell.high < 30
    assert method["PSNR, dB ↑"] == f"25.00 [{expected.low:.1f}, {expected.high:.1f}]"
    assert method["LPIPS (AlexNet) ↓"].startswith("0.375 [0.")
    assert (floor["Gain, dB"], method["Gain, dB"]) == ("+0.00", "+2.00")
    assert (method["PSNR, worst case"], method["Worse than blurry"]) == ("21.00", "0%")
    assert (cell.worst_case, cell.below_floor) == (21, 0)
    assert table.loc[("selfdeblur", "lpips-alex")].worst_case == max(FOUR["selfdeblur", "lpips-alex"])
    assert list(method) == [
        *("Method", "PSNR, dB ↑", "Gain, dB", "PSNR, worst case", "Worse than blurry", "LPIPS (AlexNet) ↓"),
        *("Cases", "Failed"),
    ]
    assert (method["Cases"], method["Failed"]) == ("4", "0%")
    assert table.gain.drop("psnr", level="metric").isna().all()
    for sentence in (
        "Protocol shift-rgb: 15 px cropped",
        "In brackets the 95% bootstrap interval",
        "A test.",
    ):
        assert sentence in text
    assert "±" not in text
    assert "worst seed" not in text


def test_the_same_scores_in_another_order_give_the_same_interval():
    scores = scores_frame(FOUR)
    (_, first), (_, second) = own(scores), own(scores.iloc[::-1].reset_index(drop=True))
    columns = ["mean", "low", "high", "gain"]
    keys = ["method", "metric"]
    pd.testing.assert_frame_equal(
        first.set_index(keys)[columns].sort_index(), second.set_index(keys)[columns].sort_index()
    )


def test_fewer_than_three_cases_have_no_interval_and_the_legend_says_so():
    two = {key: values[:2] for key, values in FOUR.items()}
    table, text, (_, method) = page(scores_frame(two))
    assert table.low.isna().all()
    assert method["PSNR, dB ↑"] == "23.00"
    assert text.count("No interval for fewer than 3 cases.") == 1
    assert "In brackets" not in text


def test_equal_and_infinite_scores_are_no_obstacle():
    table, _, _ = page(scores_frame({("blurry", "psnr"): [np.inf] * 3, ("blurry", "ssim"): [0.5] * 3}))
    assert table.loc[("blurry", "psnr"), "mean"] == np.inf
    assert np.isnan(table.loc[("blurry", "psnr"), "low"])
    assert tuple(table.loc[("blurry", "ssim"), ["low", "high"]]) == (0.5, 0.5)


def test_seeds_are_averaged_within_a_case_and_their_spread_and_worst_are_shown():
    values = {0: [20.0, 24.0, 28.0], 1: [22.0, 24.0, 32.0], 2: [24.0, 27.0, 30.0]}
    lpips = {0: [0.1] * 3, 1: [0.2] * 3, 2: [0.3] * 3}
    scores = pd.concat(
        scores_frame(
            {("selfdeblur", "psnr"): values[seed], ("selfdeblur", "lpips-alex"): lpips[seed]}, seed=seed
        )
        for seed in values
    )
    table, text, (row,) = page(scores)
    psnr = table.loc[("selfdeblur", "psnr")]
    assert (psnr.cases, psnr.seeds) == (3, 3)
    assert psnr["mean"] == pytest.approx((22 + 25 + 30) / 3)
    assert (psnr["min"], psnr["max"]) == (22, 30)
    assert psnr.seed_deviation == pytest.approx(np.std([24, 26, 27], ddof=1))
    assert psnr.worst_seed == 24
    assert table.loc[("selfdeblur", "lpips-alex"), "worst_seed"] == pytest.approx(0.3)
    assert row["PSNR, dB ↑"].endswith(" ±1.53")
    assert row["LPIPS (AlexNet) ↓"].endswith(" ±0.100")
    assert row["PSNR, worst seed"] == "24.00"
    assert "LPIPS (AlexNet), worst seed" not in row
    assert "the seeds of a case averaged first" in text
    assert "After ±, the standard deviation of the seeds' means" in text


def test_numbers_made_with_pretrained_weights_say_with_which():
    scores = scores_frame({("selfdeblur", "psnr"): [20.0, 21.0], ("selfdeblur", "ssim"): [np.nan, np.nan]})
    table, text, (row,) = page(scores, runs_frame(scores, weights=["nets-31 demo", "nets-55"]))
    assert (row["Method"], row["PSNR, dB ↑"]) == ("SelfDeblur [1]", "20.50")
    assert "[1] with the weights nets-31 demo, nets-55." in text
    assert set(table.note) == {""}


def test_figures_name_the_weights_beside_the_method():
    scores = scores_frame(FOUR)
    runs = runs_frame(scores, weights="")
    assert weights_behind(runs) == {}
    method = runs.method.iloc[0]
    runs.loc[runs[runs.method == method].index[:2], "weights"] = ["nets-55", "nets-31 demo"]
    assert weights_behind(runs) == {method: "nets-31 demo, nets-55"}
    words = labelled({method: "Ours", "oracle": "Best"}, weights_behind(runs))
    assert words == {method: "Ours [nets-31 demo, nets-55]", "oracle": "Best"}


@pytest.mark.parametrize(
    "status", ["failed", "diverged", "out_of_memory", "not_supported", "weights_missing"]
)
def test_every_restoration_without_an_image_counts_as_failed(status):
    scores = scores_frame({("blurry", "psnr"): [20.0, 21.0], ("selfdeblur", "psnr"): [22.0, np.nan]})
    runs = runs_frame(scores, failed={("selfdeblur", "case1")})
    table, text, (_, row) = page(scores, runs.replace({"status": {"failed": status}}))
    assert table.loc[("selfdeblur", "psnr"), "failed"] == 1
    assert row["Failed"] == "50% (1 of 2) [1]"
    assert f"[1] case1: {status.replace('_', ' ')}: no reason." in text


def test_a_missing_image_counts_as_the_blurry_one():
    """A method that returns the blurry images but lacks the hardest is no better than the blurry input."""
    blurry = [23.0, 26.0]
    scores = scores_frame({
        ("blurry", "psnr"): blurry, ("folder", "psnr"): [np.nan, 26.0], ("selfdeblur", "psnr"): [24.0, 26.5],
        ("blurry", "lpips-alex"): [0.5, 0.3], ("folder", "lpips-alex"): [np.nan, 0.3],
        ("selfdeblur", "lpips-alex"): [0.4, 0.2],
    })  # fmt: skip
    table, text, (floor, folder, _) = page(scores, runs_frame(scores, failed={("folder", "case0")}))
    assert folder["PSNR, dB ↑"] == "24.50 (1 of 2)"
    assert floor["PSNR, dB ↑"] == "24.50"
    assert folder["LPIPS (AlexNet) ↓"] == "0.400 (1 of 2)"
    assert (folder["Gain, dB"], folder["Cases"], folder["Failed"]) == ("+0.00", "1 of 2", "50% (1 of 2) [1]")
    cell = table.loc[("folder", "psnr")]
    assert (cell["mean"], cell.own_mean, cell.cases, cell.runs, cell.scored) == (24.5, 26.0, 1, 2, 1)
    assert (cell["min"], cell["max"]) == (23, 26)
    assert not cell.complete
    assert text.count("one of two restorations has a score, the other counts as the blurry input.") == 1


def test_a_seed_that_lacks_the_hard_case_has_no_better_mean():
    values = {("blurry", "psnr"): [20.0, 30.0], ("selfdeblur", "psnr"): [22.0, 32.0]}
    lacking = values | {("selfdeblur", "psnr"): [np.nan, 32.0]}
    table, _, (_, row) = page(pd.concat([scores_frame(values), scores_frame(lacking, seed=1)]))
    cell = table.loc[("selfdeblur", "psnr")]
    assert (cell["mean"], cell.worst_seed) == ((21 + 32) / 2, 26)
    assert row["PSNR, dB ↑"] == "26.50 ±0.71 (3 of 4)"
    assert row["Cases"] == "2"


def test_where_the_blurry_input_has_no_score_the_mean_is_of_the_others_and_says_so():
    scores = scores_frame({
        ("blurry", "psnr"): [20.0, 22.0], ("blurry", "kernel-similarity"): [np.nan, np.nan],
        ("selfdeblur", "psnr"): [21.0, np.nan], ("selfdeblur", "kernel-similarity"): [0.5, np.nan],
    })  # fmt: skip
    _, text, (_, row) = page(scores, runs_frame(scores, failed={("selfdeblur", "case1")}))
    assert row["Kernel similarity ↑"] == "0.500 (1 of 2)"
    assert "behind a mean, of Kernel similarity: of the one of two restorations that has a score." in text
    (row,) = rows_of(table_page(*own(scores[scores.method == "selfdeblur"])[::-1]).markdown())
    assert row["PSNR, dB ↑"] == "21.00 (1 of 2)"  # no blurry input in the profile


def test_a_method_without_any_image_has_no_numbers_and_its_reason_stands_once():
    scores = scores_frame({
        ("blurry", "psnr"): [20.0, 22.0], ("blurry", "niqe"): [np.nan, np.nan],
        ("l0-grad", "psnr"): [np.nan, np.nan], ("l0-grad", "niqe"): [np.nan, np.nan],
    })  # fmt: skip
    scores.loc[scores.metric == "niqe", "note"] = "weights of niqe not found"
    scores.loc[scores.method == "l0-grad", "note"] = "failed: no such blur"
    failed = {("l0-grad", "case0"), ("l0-grad", "case1")}
    table, text, (_, row) = page(scores, runs_frame(scores, failed, reason="no such blur"))
    assert (row["PSNR, dB ↑"], row["Cases"], row["Failed"]) == ("", "0 of 2", "100% (2 of 2) [1]")
    assert "[1] failed: no such blur." in text
    assert "No column for NIQE: weights of niqe not found.\n" in text
    assert text.count("no such blur") == 1
    assert np.isnan(table.loc[("l0-grad", "psnr"), "mean"])


def test_failures_are_counted_and_footnoted():
    scores = scores_frame({("selfdeblur", "psnr"): [20.0, np.nan, 22.0, 24.0]})
    runs = runs_frame(scores, failed={("selfdeblur", "case1")}, reason="the loss became infinite")
    table, text, (row,) = page(scores, runs.replace({"status": {"failed": "diverged"}}))
    cell = table.loc[("selfdeblur", "psnr")]
    assert (cell.cases, cell.runs, cell.failed, cell.failure_rate) == (3, 4, 1, 0.25)
    assert row["PSNR, dB ↑"].endswith("] (3 of 4)")
    assert row["Failed"] == "25% (1 of 4) [1]"
    assert "[1] case1: diverged: the loss became infinite." in text


def test_many_reasons_and_many_cases_are_shortened():
    scores = scores_frame({("folder", "psnr"): [np.nan] * 9 + [20.0]})
    runs = runs_frame(scores, failed={("folder", f"case{i}") for i in range(9)})
    runs.loc[:4, "reason"] = "too small"
    runs.loc[5:8, "reason"] = [f"no image {i}" for i in range(4)]
    _, text, _ = page(scores, runs)
    assert (
        "[1] case0, case1, case2 and 2 more cases: failed: too small. case5: failed: no image 0. "
        "case6: failed: no image 1. 2 more reasons stand in runs.csv and scores.csv."
    ) in text


def test_worse_than_the_blurry_input_are_single_restorations_with_an_image():
    floor = {("blurry", "psnr"): [20.0, 24.0, 22.0], ("blurry", "lpips-alex"): [0.5, 0.4, 0.3]}
    one = {("selfdeblur", "psnr"): [19.0, 25.0, np.nan], ("selfdeblur", "lpips-alex"): [0.6, 0.5, np.nan]}
    two = {("selfdeblur", "psnr"): [21.0, 25.0, 18.0], ("selfdeblur", "lpips-alex"): [0.4, 0.4, 0.2]}
    scores = pd.concat([scores_frame(floor | one), scores_frame(two, seed=1)], ignore_index=True)
    table, _, (blurry, method) = page(scores, runs_frame(scores))
    assert method["Worse than blurry"] == "33% (2 of 6)"
    assert method["PSNR, worst case"] == "18.00"
    assert blurry["Worse than blurry"] == ""
    assert table.loc[("selfdeblur", "lpips-alex")].below_floor == 2


def test_a_metric_without_any_value_has_no_column_but_a_sentence():
    reasons = {"psnr": "no sharp image exists", "ssim": "no sharp image exists", "niqe": "weights not found"}
    values = {("blurry", name): [np.nan, np.nan] for name in reasons} | {("blurry", "piqe"): [30.0, 40.0]}
    notes = {(name, i): reason for name, reason in reasons.items() for i in range(2)}
    scores = scores_frame(values, notes)
    table, text, (row,) = page(scores, runs_frame(scores))
    assert list(row) == ["Method", "PIQE ↓", "PIQE, worst case", "Cases", "Failed"]
    assert row["Cases"] == "2"
    assert "Gain" not in text
    assert "No column for PSNR, SSIM: no sharp image exists." in text
    assert "No column for NIQE: weights not found." in text
    assert "PIQE: of the restored image alone, whole frame." in text
    assert set(table.reset_index().metric) == {"psnr", "ssim", "niqe", "piqe"}  # the CSV keeps them


def test_a_metric_with_some_values_keeps_its_column_and_footnotes_the_rest():
    values = {("blurry", "niqe"): [5.0, np.nan], ("selfdeblur", "niqe"): [np.nan, np.nan]}
    scores = scores_frame(values)
    scores.loc[scores.value.isna(), "note"] = "niqe needs at least 96 px a side"
    _, text, (floor, method) = page(scores)
    assert floor["NIQE ↓"] == "5.00 (1 of 2) [1]"
    assert method["NIQE ↓"] == "[2]"
    assert "[1] case1: niqe needs at least 96 px a side." in text
    assert "[2] niqe needs at least 96 px a side." in text
    assert "No column" not in text


def test_a_reason_stands_at_the_row_or_the_metric_that_it_is_about():
    values = {
        (method, metric): [np.nan] if metric != "psnr" else [20.0]
        for method in ("blurry", "oracle", "l0-grad")
        for metric in ("psnr", "vif", "niqe", "piqe", "ssim")
    }
    scores = scores_frame(values)
    scores.loc[scores.metric == "niqe", "note"] = "weights of niqe not found"
    scores.loc[scores.metric == "piqe", "note"] = "piqe needs more pixels"
    scores.loc[scores.metric.isin(["vif", "ssim"]), "note"] = "a reason of all"
    scores.loc[scores.metric.eq("vif") & scores.method.eq("blurry"), "note"] = "a reason of one"
    _, text, _ = page(scores)
    assert "No column for VIF: a reason of one (Blurry input); a reason of all (the others).\n" in text
    assert "No column for NIQE: weights of niqe not found.\n" in text
    assert "No column for PIQE: piqe needs more pixels.\n" in text
    assert "No column for SSIM: a reason of all.\n" in text


def test_a_table_of_failures_alone_still_has_its_rows():
    scores = scores_frame({("blurry", "psnr"): [np.nan], ("selfdeblur", "psnr"): [np.nan]})
    failed = {("blurry", "case0"), ("selfdeblur", "case0")}
    _, text, rows = page(scores, runs_frame(scores, failed))
    assert [list(row.values())[1:] for row in rows] == [["0 of 1", "100% (1 of 1) [1]"]] * 2
    assert "No column for PSNR: no restoration has an image." in text
    assert "[1] failed: no reason." in text


def test_a_config_names_the_rows_of_its_own_table():
    scores = scores_frame(FOUR)
    definition = own_table("uniform", {NAME: find_dataset(NAME)}, scores, {"selfdeblur": "Ours, with words"})
    rows = rows_of(table_page(summary(definition, scores, NO_RUNS), definition).markdown())
    assert [row["Method"] for row in rows] == ["Blurry input", "Ours, with words"]


def test_a_dataset_without_scores_is_named():
    with pytest.raises(InputError, match=f"{NAME}: there are no scores"):
        own(scores_frame({}))


def test_a_mean_over_a_part_of_the_dataset_says_so():
    scores = scores_frame({("blurry", "psnr"): [20.0, 22.0]})
    assert "Mean over 2 cases." in page(scores)[1]
    assert "Mean over only 1 of 2 cases, which the config selects." in page(scores[scores.case == "case0"])[1]
    grid = grid_scores().query("dataset != 'demo-uniform@size-level-5' or case == 'case0'")
    text = grid_page(summary(grid_table("r", GRID, grid), grid, NO_RUNS), GRID).markdown()
    assert (
        "Mean over 2 cases (little, true); only 1 of 2 cases, which the config selects (little, half)."
        in text
    )


def test_the_cases_of_a_dataset_and_of_a_group_are_counted():
    assert case_count(NAME) == 2
    assert case_count("lai-synth") == 100
    assert case_count("lai-synth", "text") == 20
    assert case_count("no-such-dataset") is None


def test_datasets_without_scores_are_named_with_the_reason():
    scores = scores_frame(FOUR)
    assert absence_notes([NAME, "hide", "gopro", "no-such-dataset"], scores) == [
        "No rows for hide, gopro: its files are not all here, see `blindbench datasets`",
        "No rows for no-such-dataset: no such dataset here yet",
    ]


def paper(rows, columns=(("PSNR", "psnr"), ("LPIPS", "lpips-alex")), published=None, **block):
    """A definition of one block named B on the demo's cases."""
    block = Block("B", tuple(Column(*column) for column in columns), **{"dataset": NAME, **block})
    numbers = {("B", row, column): number for (row, column), number in (published or {}).items()}
    return Definition(
        "t", "A paper, Table 1", (block,), tuple(Row(*row) for row in rows), numbers, ("A remark",)
    )


METHODS = [(name, f"selfdeblur@{name}") for name in ("a", "b", "c", "d")]


def ranks(values, metric, floor):
    scores = scores_frame({
        **{(f"selfdeblur@{name}", metric): cases for name, cases in values.items()},
        ("blurry", metric): [floor] * len(next(iter(values.values()))),
    })  # fmt: skip
    definition = paper([(name, f"selfdeblur@{name}") for name in values], columns=[("M", metric)])
    table = summary(definition, scores, NO_RUNS)
    return dict(zip(table.row, table["rank"], strict=True)), definition, table


def test_best_and_second_are_marked_and_controls_take_no_part():
    found, definition, table = ranks({"a": [20] * 3, "b": [22] * 3, "c": [21] * 3}, "psnr", floor=10)
    assert found == {"Blurry input": "", "a": "", "b": "best", "c": "second"}
    cells = {row["Method"]: row["PSNR, dB ↑"] for row in rows_of(table_page(table, definition).markdown())}
    assert cells["b (selfdeblur@b)"] == "**22.00 [22.0, 22.0]**"
    assert cells["c (selfdeblur@c)"] == "_21.00 [21.0, 21.0]_"
    text = table_page(table, definition).latex("t")
    assert r"\textbf{22.00 [22.0, 22.0]}" in text
    assert r"\underline{21.00 [21.0, 21.0]}" in text


def test_where_lower_is_better_the_lowest_is_best():
    found, _, _ = ranks({"a": [0.3] * 3, "b": [0.1] * 3, "c": [0.2] * 3}, "lpips-alex", floor=0.9)
    assert found == {"Blurry input": "", "a": "", "b": "best", "c": "second"}


def test_what_looks_the_same_is_marked_the_same():
    found, _, _ = ranks(
        {"a": [21.001] * 3, "b": [20] * 3, "c": [20.999] * 3, "d": [19] * 3}, "psnr", floor=10
    )
    assert found == {"Blurry input": "", "a": "best", "b": "second", "c": "best", "d": ""}


def test_one_method_alone_is_not_best_and_rows_that_lack_a_case_take_no_place():
    assert set(ranks({"a": [20] * 3}, "psnr", floor=10)[0].values()) == {""}
    found, _, _ = ranks({"a": [20] * 3, "b": [21] * 3, "c": [np.nan, 90, 90]}, "psnr", floor=10)
    assert found == {"Blurry input": "", "a": "second", "b": "best", "c": ""}
    # One of four restorations in two seeds is missing.
    values = {("blurry", "psnr"): [1, 1], ("l0-grad", "psnr"): [2, 2], ("selfdeblur", "psnr"): [9, 9]}
    lacking = values | {("selfdeblur", "psnr"): [9, np.nan]}
    scores = pd.concat([scores_frame(values), scores_frame(lacking, seed=1)])
    assert set(own(scores)[1]["rank"]) == {""}


def test_a_case_that_no_row_can_score_excludes_nobody():
    found, _, _ = ranks({"a": [20, np.nan], "b": [21, np.nan]}, "kernel-similarity", floor=np.nan)
    assert found == {"Blurry input": "", "a": "second", "b": "best"}


@pytest.mark.parametrize(("metric", "sign"), [("psnr", 1), ("lpips-alex", -1)])
def test_nothing_below_the_blurry_input_is_marked(metric, sign):
    found, _, _ = ranks({"a": [sign * 20] * 3, "b": [sign * 22] * 3}, metric, floor=sign * 21)
    assert found == {"Blurry input": "", "a": "", "b": "best"}
    found, _, _ = ranks({"a": [sign * 20] * 3, "b": [sign * 21] * 3}, metric, floor=sign * 21)
    assert set(found.values()) == {""}


def test_a_metric_that_prefers_the_blurry_input_to_the_true_kernels_result_marks_nothing():
    values = {"blurry": 30.0, "oracle": 60.0, "l0-grad": 20.0, "selfdeblur": 10.0}
    scores = scores_frame({(method, "piqe"): [value] * 2 for method, value in values.items()})
    table, text, _ = page(scores)
    assert set(table["rank"]) == {""}
    assert (
        "PIQE marks no best value: it finds Blurry input (30.00) better than "
        "True kernel, hyper-Laplacian with border (60.00).\n"
    ) in text
    table, text, _ = page(scores.replace({"value": {60.0: 25.0}}))
    assert list(table["rank"]) == ["", "", "second", "best"]
    assert "marks no best" not in text


PRINTED = {
    ("Old", "PSNR"): Published("19.50", "0.25"),
    ("Old", "LPIPS"): Published("", note="N/A in the paper"),
    ("Ours", "PSNR"): Published("24.00", note="a misprint"),
    ("Ours", "LPIPS"): Published("0.500"),
    ("Later", "PSNR"): Published("30.0"),
}
ROWS = [("Old", None), ("Ours", "selfdeblur"), ("Later", "no-such-method")]


def test_a_papers_table_has_ours_beside_the_published_numbers():
    scores = scores_frame(FOUR)
    definition = paper(ROWS, published=PRINTED)
    table = summary(definition, scores, runs_frame(scores))
    assert list(table.columns) == list(TABLE_COLUMNS)
    cells = table.set_index(["row", "column"]).sort_index()
    assert cells.difference["Ours", "PSNR"] == 1.0
    assert cells.difference["Ours", "LPIPS"] == -0.125
    assert cells.difference.drop("Ours").isna().all()
    assert dict(table.groupby("row").role.first()) == {
        **{"Blurry input": "floor", "Old": "published", "Ours": "method", "Later": "method"}
    }
    text = table_page(table, definition).markdown()
    floor, old, ours, later = rows_of(text)
    assert floor["PSNR, paper"] == ""
    assert (old["Method"], old["PSNR, dB ↑"], old["PSNR, paper"]) == ("Old †", "", "19.50 (0.25)")
    assert old["LPIPS, paper"].startswith("– [")
    assert (old["Cases"], old["Failed"]) == ("", "")
    assert ours["Method"] == "Ours (selfdeblur)"
    assert ours["PSNR, paper"].startswith("24.00 [")
    assert (ours["PSNR, ours − paper"], ours["LPIPS, ours − paper"]) == ("+1.00", "−0.125")
    assert (later["Method"], later["PSNR, dB ↑"]) == ("Later (no-such-method) [3]", "")
    assert "[3] not run: no such method here yet." in text
    for line in ("a misprint.", "N/A in the paper.", "† published only: no such method here.", "A remark."):
        assert line in text
    assert "Gain" not in text


@pytest.mark.parametrize(
    ("rows", "block", "reason"),
    [
        (ROWS, {"dataset": "coco80"},
         "not run: dataset coco80: its files are not all here, see `blindbench datasets`"),
        (ROWS, {"group": "text"}, f"not run: dataset {NAME}, group text: it is not in this profile"),
        (ROWS, {"dataset": None, "reason": "no score"}, "no score"),
        ([("Ours", "selfdeblur@x")], {}, "not run: selfdeblur@x is not in this profile"),
        ([("Later", "no-such-method")], {}, "not run: no such method here yet"),
        ([("Ours", "selfdeblur")], {"columns": [("VIF", "vif")]},
         f"not scored: vif is not among this profile's metrics for {NAME}"),
        ([("Ours", "selfdeblur")], {"columns": [("MACs", "")]},
         "a published number without a counterpart here"),
    ],
)  # fmt: skip
def test_every_empty_cell_of_ours_has_its_reason(rows, block, reason):
    definition = paper(rows, published=PRINTED, **block)
    table = summary(definition, scores_frame(FOUR), NO_RUNS)
    ours = table[~table.role.isin(["published", "floor"])]
    assert ours["mean"].isna().all()
    assert set(ours.note) == {reason}


def test_a_difference_to_the_paper_needs_all_of_its_cases():
    """Neither a part of the dataset, nor a row that lacks an image, is compared with a published mean."""
    definition = paper([("Ours", "selfdeblur")], [("PSNR", "psnr")], {("Ours", "PSNR"): Published("24.00")})
    two = {("blurry", "psnr"): [20.0, 22.0], ("selfdeblur", "psnr"): [21.0, 25.0]}

    def of_ours(values):
        table = summary(definition, scores_frame(values), NO_RUNS)
        return table[table.row == "Ours"].iloc[0], table_page(table, definition).markdown()

    cell, text = of_ours(two)
    assert cell.difference == -1.0
    assert "Ours − paper: only where ours has all cases of the dataset." in text
    for part in (
        {key: values[:1] for key, values in two.items()},
        two | {("selfdeblur", "psnr"): [21.0, np.nan]},
    ):
        cell, text = of_ours(part)
        assert cell["mean"] > 0
        assert np.isnan(cell.difference)
        assert "ours − paper" not in text.lower()


def test_a_group_has_its_own_cases():
    scores = pd.concat([
        scores_frame({("selfdeblur", "psnr"): [20.0, 22.0]}, group="text"),
        scores_frame({("selfdeblur", "psnr"): [30.0, 32.0]}, group="people").replace(
            {"case0": "case2", "case1": "case3"}
        ),
    ])  # fmt: skip
    runs = runs_frame(scores, failed={("selfdeblur", "case3")})
    means = {}
    for group in ("text", "people", None):
        cell = summary(paper([("Ours", "selfdeblur")], [("PSNR", "psnr")], group=group), scores, runs).iloc[0]
        means[group] = (cell["mean"], cell.runs, cell.failed)
    assert means == {"text": (21, 2, 0), "people": (31, 2, 1), None: (26, 4, 1)}


AWKWARD = r"50% & $5 of #1_a {x} \ ~ ^ < > | ↑ † − × é"


@pytest.fixture
def awkward():
    """A table with TeX's special characters in every kind of text."""
    scores = scores_frame(
        FOUR | {("selfdeblur", "psnr"): [np.nan] * 4}, {("psnr", i): AWKWARD for i in range(4)}
    )
    definition = paper([(AWKWARD, None), *ROWS], published={**PRINTED, (AWKWARD, "PSNR"): Published("1")})
    return definition, summary(definition, scores, runs_frame(scores))


def test_latex_has_no_special_character_left(awkward):
    definition, table = awkward
    text = table_page(table, definition, caption=AWKWARD, notes=[AWKWARD]).latex("t")
    escaped = (
        r"50\% \& \$5 of \#1\_a \{x\} \textbackslash{} \textasciitilde{} \textasciicircum{} $<$ $>$ | "
        r"$\uparrow$ $\dagger$ $-$ $\times$ é"
    )
    assert text.count(escaped) == 4  # row, footnote, caption, note
    assert "50% " not in text


DOCUMENT = r"""\documentclass{article}
\usepackage{booktabs,graphicx}
\begin{document}
\input{t}
\input{other}
Table \ref{tab:t} and Table \ref{tab:other}.
\end{document}
"""


@pytest.mark.parametrize("document", ["t", "paper"])
def test_latex_compiles_alone_and_in_a_document(awkward, tmp_path, document):
    compiler = shutil.which("pdflatex")
    if compiler is None:
        pytest.skip("pdflatex is not installed")
    definition, table = awkward
    page = table_page(table, definition, caption=AWKWARD, notes=[AWKWARD])
    for name in ("t", "other"):
        (tmp_path / f"{name}.tex").write_text(page.latex(name))
    (tmp_path / "paper.tex").write_text(DOCUMENT)
    for _ in range(2):  # the second run knows the labels
        done = subprocess.run(
            [compiler, "-interaction=nonstopmode", "-halt-on-error", f"{document}.tex"],
            cwd=tmp_path, capture_output=True, text=True, check=False, errors="replace",
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:]
    assert "undefined" not in done.stdout
    assert (tmp_path / f"{document}.pdf").stat().st_size > 1000


def test_latex_notes_and_labels_stand_inside_the_floats(awkward):
    definition, table = awkward
    page = table_page(table, definition, notes=["A note on the page."])
    text = page.latex("uniform")
    (table_text,) = re.findall(r"\\begin\{table\}(.*?)\\end\{table\}", text, re.DOTALL)
    assert r"\label{tab:uniform}" in table_text
    assert r"\toprule" in table_text
    assert table_text.rstrip().endswith(r"A note on the page.\par")
    two = replace(page, sections=[*page.sections, *page.sections]).latex("uniform")
    assert re.findall(r"\\label\{(.*?)\}", two) == ["tab:uniform-1", "tab:uniform-2"]
    assert two.count("A note on the page.") == 1


def test_markdown_cells_do_not_break_the_table(awkward):
    definition, table = awkward
    assert AWKWARD.replace("|", "\\|").replace("<", "&lt;") in table_page(table, definition).markdown()


def test_remarks_on_means_outside_floor_and_ceiling_are_of_the_metrics_that_a_table_shows():
    values = {("blurry", "psnr"): [20.0, 22.0], ("selfdeblur", "psnr"): [19.0, 20.0]}
    scores = scores_frame(
        values | {(method, "ssim"): [value[0] / 100] * 2 for (method, _), value in values.items()}
    )
    definition = paper([("Ours", "selfdeblur")], [("SSIM", "ssim")])
    (remark,) = remarks_of(definition, summary(definition, scores, NO_RUNS), scores)["B"]
    assert "SSIM 0.1900 against 0.2000" in remark
    assert "PSNR" not in remark


def test_notes_stand_at_the_end_of_both_pages():
    definition, table = own(scores_frame(FOUR))
    note = "psnr of x lies above the ceiling."
    assert table_page(table, definition, notes=[note]).markdown().endswith(f"\n\n{note}\n")
    assert f"{note}\\par" in table_page(table, definition, notes=[note]).latex("t")
