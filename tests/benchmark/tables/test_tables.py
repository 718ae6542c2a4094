"""From scores to tables: what is averaged, ranked, compared, footnoted and left out, and how it looks."""

import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from scipy.stats import bootstrap

from benchmark.core.seeds import generator
from benchmark.core.types import InputError
from benchmark.data.descriptors import find_dataset
from benchmark.runs.names import labelled, weights_behind
from benchmark.scoring.csv_files import SCORE_COLUMNS
from benchmark.tables.coverage import coverage_notes
from benchmark.tables.definition import Block, Column, Definition, Grid, Published, Row
from benchmark.tables.profile_tables import grid_table, own_table
from benchmark.tables.sections import grid_page, table_page
from benchmark.tables.summary import TABLE_COLUMNS, summary

NAME = "demo-uniform"
NO_RUNS = pd.DataFrame(columns=["dataset", "case", "method", "seed", "status", "weights"])


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


def runs_frame(scores, failed=(), weights=""):
    """A run for each score; `failed` holds (method, case) without an image."""
    runs = scores[["dataset", "case", "method", "seed"]].drop_duplicates().reset_index(drop=True)
    return runs.assign(
        status=["failed" if (run.method, run.case) in failed else "ok" for run in runs.itertuples()],
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
    tex = grid_page(table, GRID).latex()
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
    assert list(method) == ["Method", "PSNR, dB ↑", "Gain, dB", "LPIPS (AlexNet) ↓", "Cases", "Failed"]
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
    assert row["PSNR, dB ↑"] == "20.50 [1]"
    assert "[1] with the weights nets-31 demo; with the weights nets-55." in text
    assert table.loc[("selfdeblur", "ssim"), "note"] == ""


def test_figures_name_the_weights_beside_the_method():
    scores = scores_frame(FOUR)
    runs = runs_frame(scores, weights="")
    assert weights_behind(runs) == {}
    method = runs.method.iloc[0]
    runs.loc[runs[runs.method == method].index[:2], "weights"] = ["nets-55", "nets-31 demo"]
    assert weights_behind(runs) == {method: "nets-31 demo, nets-55"}
    words = labelled({method: "Ours", "oracle": "Best"}, weights_behind(runs))
    assert words == {method: "Ours [nets-31 demo, nets-55]", "oracle": "Best"}


@pytest.mark.parametrize("status", ["not_supported", "weights_missing"])
def test_declining_a_case_is_no_failure(status):
    scores = scores_frame({("blurry", "psnr"): [20.0, 21.0], ("selfdeblur", "psnr"): [22.0, np.nan]})
    runs = runs_frame(scores, failed={("selfdeblur", "case1")})
    table, _, _ = page(scores, runs.replace({"status": {"failed": status}}))
    assert table.loc[("selfdeblur", "psnr"), "failed"] == 0


def test_failures_are_counted_and_footnoted():
    notes = {("psnr", 1): "diverged: the loss became infinite"}
    scores = scores_frame({("selfdeblur", "psnr"): [20.0, np.nan, 22.0, 24.0]}, notes)
    table, text, (row,) = page(scores, runs_frame(scores, failed={("selfdeblur", "case1")}))
    cell = table.loc[("selfdeblur", "psnr")]
    assert (cell.cases, cell.runs, cell.failed, cell.failure_rate) == (3, 4, 1, 0.25)
    assert row["PSNR, dB ↑"].endswith("] [1]")
    assert row["Failed"] == "25% (1 of 4)"
    assert "[1] diverged: the loss became infinite." in text


def test_a_metric_without_any_value_has_no_column_but_a_sentence():
    reasons = {"psnr": "no sharp image exists", "ssim": "no sharp image exists", "niqe": "weights not found"}
    values = {("blurry", name): [np.nan, np.nan] for name in reasons} | {("blurry", "piqe"): [30.0, 40.0]}
    notes = {(name, i): reason for name, reason in reasons.items() for i in range(2)}
    scores = scores_frame(values, notes)
    table, text, (row,) = page(scores, runs_frame(scores))
    assert list(row) == ["Method", "PIQE ↓", "Cases", "Failed"]
    assert row["Cases"] == "2"
    assert "Gain" not in text
    assert "No column for PSNR, SSIM: no sharp image exists." in text
    assert "No column for NIQE: weights not found." in text
    assert "PIQE: of the restored image alone, whole frame." in text
    assert set(table.reset_index().metric) == {"psnr", "ssim", "niqe", "piqe"}  # the CSV keeps them


def test_a_metric_with_some_values_keeps_its_column_and_footnotes_the_rest():
    values = {("blurry", "niqe"): [5.0, np.nan], ("selfdeblur", "niqe"): [np.nan, np.nan]}
    _, text, (floor, method) = page(scores_frame(values, {("niqe", 1): "niqe needs at least 96 px a side"}))
    assert floor["NIQE ↓"] == "5.00 [1]"
    assert method["NIQE ↓"] == "[1]"
    assert "[1] niqe needs at least 96 px a side." in text
    assert "No column" not in text


def test_a_table_of_failures_alone_still_has_its_rows():
    scores = scores_frame({("blurry", "psnr"): [np.nan], ("selfdeblur", "psnr"): [np.nan]},
                          {("psnr", 0): "failed: no reason"})  # fmt: skip
    failed = {("blurry", "case0"), ("selfdeblur", "case0")}
    _, text, rows = page(scores, runs_frame(scores, failed))
    assert [list(row.values())[1:] for row in rows] == [["0", "100% (1 of 1)"]] * 2
    assert "No column for PSNR: failed: no reason." in text


def test_a_config_names_the_rows_of_its_own_table():
    scores = scores_frame(FOUR)
    definition = own_table("uniform", {NAME: find_dataset(NAME)}, scores, {"selfdeblur": "Ours, with words"})
    rows = rows_of(table_page(summary(definition, scores, NO_RUNS), definition).markdown())
    assert [row["Method"] for row in rows] == ["Blurry input", "Ours, with words"]


def test_a_dataset_without_scores_is_named():
    with pytest.raises(InputError, match=f"{NAME}: there are no scores"):
        own(scores_frame({}))


def test_datasets_and_cases_that_did_not_run_are_counted():
    scores = scores_frame(FOUR)
    assert coverage_notes([NAME], scores) == []
    assert coverage_notes([NAME], scores[scores.case == scores.case[0]]) == [
        f"{NAME}: 1 of 2 cases: the config selects these."
    ]
    assert coverage_notes(["hide"], scores) == [
        "hide: 0 of 2025 cases: its files are not all here, see `blindbench datasets`."
    ]
    assert coverage_notes(["no-such-dataset"], scores) == []


def paper(rows, columns=(("PSNR", "psnr"), ("LPIPS", "lpips-alex")), published=None, **block):
    """A definition of one block named B on the demo's cases."""
    block = Block("B", tuple(Column(*column) for column in columns), **{"dataset": NAME, **block})
    numbers = {("B", row, column): number for (row, column), number in (published or {}).items()}
    return Definition(
        "t", "A paper, Table 1", (block,), tuple(Row(*row) for row in rows), numbers, ("A remark",)
    )


METHODS = [(name, f"selfdeblur@{name}") for name in ("a", "b", "c", "d")]


def ranks(values, metric, floor=None):
    scores = scores_frame({
        **{(f"selfdeblur@{name}", metric): cases for name, cases in values.items()},
        ("blurry", metric): [floor if floor is not None else 0.0] * 3,
    })  # fmt: skip
    definition = paper([(name, f"selfdeblur@{name}") for name in values], columns=[("M", metric)])
    table = summary(definition, scores, NO_RUNS)
    return dict(zip(table.row, table["rank"], strict=True)), definition, table


def test_best_and_second_are_marked_and_controls_take_no_part():
    found, definition, table = ranks({"a": [20] * 3, "b": [22] * 3, "c": [21] * 3}, "psnr", floor=30)
    assert found == {"Blurry input": "", "a": "", "b": "best", "c": "second"}
    cells = {row["Method"]: row["PSNR, dB ↑"] for row in rows_of(table_page(table, definition).markdown())}
    assert cells["b (selfdeblur@b)"] == "**22.00 [22.0, 22.0]**"
    assert cells["c (selfdeblur@c)"] == "_21.00 [21.0, 21.0]_"
    text = table_page(table, definition).latex()
    assert r"\textbf{22.00 [22.0, 22.0]}" in text
    assert r"\underline{21.00 [21.0, 21.0]}" in text


def test_where_lower_is_better_the_lowest_is_best():
    found, _, _ = ranks({"a": [0.3] * 3, "b": [0.1] * 3, "c": [0.2] * 3}, "lpips-alex")
    assert found == {"Blurry input": "", "a": "", "b": "best", "c": "second"}


def test_what_looks_the_same_is_marked_the_same():
    found, _, _ = ranks({"a": [21.001] * 3, "b": [20] * 3, "c": [20.999] * 3, "d": [19] * 3}, "psnr")
    assert found == {"Blurry input": "", "a": "best", "b": "second", "c": "best", "d": ""}


def test_one_method_alone_is_not_best_and_fewer_cases_do_not_win():
    assert set(ranks({"a": [20] * 3}, "psnr")[0].values()) == {""}
    found, _, _ = ranks({"a": [20] * 3, "b": [21] * 3, "c": [np.nan, 30, 30]}, "psnr")
    assert found == {"Blurry input": "", "a": "second", "b": "best", "c": ""}


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
    assert later["PSNR, dB ↑"] == "[1]"
    assert "[1] not run: no such method here yet." in text
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
    scores = scores_frame(FOUR, {("psnr", 1): AWKWARD})
    definition = paper([(AWKWARD, None), *ROWS], published={**PRINTED, (AWKWARD, "PSNR"): Published("1")})
    return definition, summary(definition, scores, runs_frame(scores))


def test_latex_has_no_special_character_left(awkward):
    definition, table = awkward
    text = table_page(table, definition, caption=AWKWARD, notes=[AWKWARD]).latex()
    escaped = (
        r"50\% \& \$5 of \#1\_a \{x\} \textbackslash{} \textasciitilde{} \textasciicircum{} $<$ $>$ | "
        r"$\uparrow$ $\dagger$ $-$ $\times$ é"
    )
    assert text.count(escaped) == 4  # row, footnote, caption, note
    assert "50% " not in text


def test_latex_compiles(awkward, tmp_path):
    compiler = shutil.which("pdflatex")
    if compiler is None:
        pytest.skip("pdflatex is not installed")
    definition, table = awkward
    body = table_page(table, definition, caption=AWKWARD, notes=[AWKWARD]).latex()
    (tmp_path / "t.tex").write_text(
        "\\documentclass{article}\n\\usepackage{booktabs,graphicx}\n\\begin{document}\n"
        f"{body}\\end{{document}}\n"
    )
    done = subprocess.run(
        [compiler, "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
        cwd=tmp_path, capture_output=True, text=True, check=False, errors="replace",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "t.pdf").stat().st_size > 1000


def test_markdown_cells_do_not_break_the_table(awkward):
    definition, table = awkward
    assert AWKWARD.replace("|", "\\|").replace("<", "&lt;") in table_page(table, definition).markdown()


def test_notes_stand_at_the_end_of_both_pages():
    definition, table = own(scores_frame(FOUR))
    note = "psnr of x lies above the ceiling."
    assert table_page(table, definition, notes=[note]).markdown().endswith(f"\n\n{note}\n")
    assert f"{note}\\par" in table_page(table, definition, notes=[note]).latex()
