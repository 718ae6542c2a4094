"""Plots of scores: what they select, and that the same scores give the same bytes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from PIL import Image
from skimage.color import rgb2lab

from benchmark.figures import iteration_plots, score_plots
from benchmark.figures.iteration_plots import convergence_plot
from benchmark.figures.score_plots import (
    MISSING_RULE,
    conditions_plot,
    few_cases,
    score_plot,
    sensitivity_plot,
    success_plot,
)
from benchmark.figures.style import COLOURS, CONTROL, looks
from benchmark.scoring.csv_files import CONVERGENCE_COLUMNS, RUN_COLUMNS, SCORE_COLUMNS
from benchmark.tables.convergence import curves
from benchmark.tables.definition import Block, Column, Definition, Published, Row
from benchmark.tables.missing import completed
from benchmark.tables.resampling import FEWEST_CASES
from benchmark.tables.sensitivity import psnr_of_methods
from benchmark.tables.summary import summary

NAME = "demo-uniform"
NO_SCORES = pd.DataFrame(columns=list(SCORE_COLUMNS))
NO_RUNS = pd.DataFrame(columns=list(RUN_COLUMNS))


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are drawn, in place of files."""
    figures = []
    for module in (score_plots, iteration_plots):
        monkeypatch.setattr(module, "save", lambda figure, out: figures.append(figure))
    return figures


def psnr_of(values):
    """`values` maps (method, case) to the PSNR of each seed."""
    rows = [
        (NAME, "g", case, method, seed, "shift-rgb", "psnr", value, "")
        for (method, case), seeds in values.items()
        for seed, value in enumerate(seeds)
    ]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


THREE = psnr_of({
    ("selfdeblur", "a"): [20.0, 22.0, 24.0], ("dip-glkm", "a"): [25.0, 26.0, np.nan],
    ("selfdeblur", "b"): [21.0, 21.5, 23.0], ("dip-glkm", "b"): [np.nan] * 3,
})  # fmt: skip


def assert_drawn_twice_alike(draw, tmp_path):
    for name in ("one", "two"):
        draw(tmp_path / name)
    with Image.open(tmp_path / "one.png") as image:
        assert np.asarray(image.convert("L")).std() > 1
    for suffix in (".png", ".pdf"):
        first, second = ((tmp_path / name).with_suffix(suffix).read_bytes() for name in ("one", "two"))
        assert first == second


def test_the_scores_behind_a_table_are_drawn(tmp_path):
    block = Block("B", (Column("PSNR", "psnr"), Column("LPIPS", "lpips-alex")), NAME)
    rows = (Row("DIP", "selfdeblur"), Row("GLKM", "dip-glkm"), Row("Theirs", None))
    printed = {("B", "Theirs", "PSNR"): Published("24.25")}
    definition = Definition("t", "A paper, Table 1", (block,), rows, printed)
    table = summary(definition, THREE, NO_RUNS)
    assert_drawn_twice_alike(
        lambda out: score_plot(definition, table, THREE, out, "A caption.", {}), tmp_path
    )


def test_no_two_methods_of_a_figure_look_alike_and_controls_are_grey():
    names = ["blurry", *(f"selfdeblur@{index}" for index in range(20)), "oracle", "dip-glkm"]
    chosen = looks(names)
    assert list(chosen) == names
    assert len(set(chosen.values())) == len(names)
    assert {name for name, look in chosen.items() if look.colour == CONTROL} == {"blurry", "oracle"}
    assert looks(["l0-grad", "l0-grad"]) == looks(["l0-grad"])


# What a colour becomes for a person without one kind of cones, in linear light. Source: Machado, Oliveira,
# Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", TVCG 2009, severity 1.
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900],
    ],
}  # fmt: skip


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_colours_differ_also_for_the_colour_blind(deficiency):
    colours = np.array([to_rgb(colour) for colour in (*COLOURS, CONTROL)])
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.transpose(DEFICIENCIES[deficiency]), 0, 1)
    seen = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    places = rgb2lab(seen[None])[0]
    distances = np.linalg.norm(places[:, None] - places, axis=-1)
    assert distances[~np.eye(len(colours), dtype=bool)].min() > 15  # CIELAB; about 2 can just be told apart
    assert (places[:, 0] < 85).all()  # dark enough for white paper


def test_blocks_metrics_and_methods_without_any_number_are_not_drawn(drawn, tmp_path):
    columns = (Column("LPIPS", "lpips-alex"), Column("PSNR", "psnr"), Column("SSIM", "ssim"))
    printed = {("Full", "DIP", "SSIM"): Published("0.9")}
    blocks = (Block("Full", columns, NAME), Block("Empty", columns, "demo-real"))
    rows = (Row("DIP", "selfdeblur"), Row("BIRD", "bird"))
    definition = Definition("t", "A paper, Table 1", blocks, rows, printed)
    assert not score_plot(definition, summary(definition, THREE, NO_RUNS), THREE, tmp_path / "x", "", {})
    assert [axis.get_xlabel() for axis in drawn[0].axes] == ["PSNR, dB ↑", "SSIM ↑"]
    assert [part.get_suptitle() for part in drawn[0].subfigs] == ["Full"]
    labels = [label.get_text() for label in drawn[0].axes[0].get_yticklabels()]
    assert "DIP" in labels
    assert "BIRD" not in labels
    assert said_below(drawn[0]).endswith("Without a number: BIRD.")


def test_a_table_without_any_number_has_a_sentence_in_place_of_a_figure(monkeypatch, tmp_path):
    said = []
    monkeypatch.setattr(score_plots, "text_figure", lambda text, out: said.append(text))
    block = Block("Empty", (Column("PSNR", "psnr"),), "demo-real")
    definition = Definition("t", "A paper, Table 1", (block,), (Row("DIP", "selfdeblur"),), {})
    why = score_plot(definition, summary(definition, THREE, NO_RUNS), THREE, tmp_path / "x", "", {})
    assert said == [f"A paper, Table 1: {why}."]


@pytest.mark.parametrize(
    ("cases", "legend"),
    [
        (1, ["a case"]),
        (2, ["a case", "mean"]),
        (FEWEST_CASES, ["a case", "mean", "95% bootstrap interval"]),
    ],
)
def test_the_legend_names_what_is_drawn_and_nothing_else(drawn, tmp_path, cases, legend):
    scores = psnr_of({("selfdeblur", f"case{index}"): [20.0 + index] for index in range(cases)})
    block = Block("B", (Column("PSNR", "psnr"),), NAME)
    definition = Definition("t", "A table", (block,), (Row("DIP", "selfdeblur"),), {})
    score_plot(definition, summary(definition, scores, NO_RUNS), scores, tmp_path / "x", "", {})
    (shown,) = drawn[0].legends
    assert [text.get_text() for text in shown.get_texts()] == legend
    kinds = {"o": "a case", "|": "mean", "None": "95% bootstrap interval"}
    assert {kinds[line.get_marker()] for line in drawn[0].axes[0].lines} == set(legend)


def test_a_figure_shows_a_few_cases_and_says_so():
    many = psnr_of({("selfdeblur", f"case{index:02}"): [20.0, 21.0] for index in range(13)})
    few, text = few_cases(many)
    assert list(few.case.unique()) == ["case00", "case03", "case06", "case09", "case12"]
    assert "the table has all" in text
    assert "the table has all" not in few_cases(THREE)[1]


@pytest.mark.parametrize("scores", [THREE, THREE[:0]], ids=["three", "nothing"])
def test_the_spread_over_seeds_is_drawn(tmp_path, scores):
    assert_drawn_twice_alike(lambda out: sensitivity_plot(completed(scores), out, "A caption."), tmp_path)


@pytest.mark.parametrize("rows", [24, 0])
def test_psnr_over_iterations_is_drawn(tmp_path, rows):
    frame = pd.DataFrame(
        [
            (NAME, "g", case, method, seed, iteration, iteration == 30, 1.0, "shift-rgb", "psnr",
             20.0 + iteration / 10 + seed)
            for method in ("selfdeblur", "selfdeblur@fast")
            for case in ("a", "b")
            for seed in (0, 1)
            for iteration in (10, 20, 30)
        ],
        columns=list(CONVERGENCE_COLUMNS),
    )[:rows]  # fmt: skip
    assert_drawn_twice_alike(
        lambda out: convergence_plot(curves(frame, NO_SCORES), "selfdeblur", out, "A caption."), tmp_path
    )


def test_panels_fill_their_rows_evenly_and_the_leftmost_have_labels(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(score_plots, "save", lambda figure, out: drawn.append(figure))
    for count, places in ((2, [0, 1]), (4, [0, 1, 2, 3]), (5, [0, 1, 2, 0, 1])):
        scores = psnr_of({("selfdeblur", f"case{index}"): [20.0, 21.0] for index in range(count)})
        sensitivity_plot(completed(scores), tmp_path / "x", "A caption.")
        axes = [axis for axis in drawn[-1].axes if axis.axison]
        assert [axis.get_subplotspec().colspan.start for axis in axes] == places
        labelled = [any(label.get_visible() for label in axis.get_yticklabels()) for axis in axes]
        assert labelled == [place == 0 for place in places]


# One of four restorations of `selfdeblur` failed; the blurry input has 10 dB in its case.
ONE_FAILED = psnr_of({
    ("selfdeblur", "a"): [20.0, 24.0], ("selfdeblur", "b"): [30.0, np.nan],
    ("blurry", "a"): [12.0], ("blurry", "b"): [10.0],
})  # fmt: skip
OF_METHODS = psnr_of_methods(completed(ONE_FAILED), [NAME])


def said_below(figure):
    return figure.get_supxlabel().replace("\n", " ")


def texts(axis):
    return [text.get_text().strip() for text in axis.texts if text.get_text()]


def test_the_mean_behind_a_table_has_the_blurry_input_for_what_failed_and_no_dot(drawn, tmp_path):
    block = Block("B", (Column("PSNR", "psnr"),), NAME)
    definition = Definition("t", "A paper, Table 1", (block,), (Row("DIP", "selfdeblur"),), {})
    table = summary(definition, ONE_FAILED, NO_RUNS)
    score_plot(definition, table, ONE_FAILED, tmp_path / "x", "", {})
    (axis,) = drawn[0].axes
    labels = [label.get_text() for label in axis.get_yticklabels()]
    dots = {tuple(line.get_xdata()) for line in axis.lines if line.get_marker() == "o"}
    means = {line.get_xdata()[0] for line in axis.lines if line.get_marker() == "|"}
    assert labels == ["Blurry input", "DIP"]
    assert dots == {(12, 10), (22, 30)}
    assert means == {11, (22 + 20) / 2}
    assert texts(axis) == ["(3 of 4)"]
    assert MISSING_RULE in said_below(drawn[0])


def test_a_seed_that_failed_counts_as_the_blurry_input_and_has_no_dot(drawn, tmp_path):
    sensitivity_plot(OF_METHODS, tmp_path / "x", "A caption.")
    one, other = drawn[0].axes
    dots = [line.get_xdata() for axis in (one, other) for line in axis.lines if line.get_marker() == "o"]
    means = [line.get_xdata()[0] for axis in (one, other) for line in axis.lines if line.get_marker() == "|"]
    assert [list(values) for values in dots] == [[20, 24], [30]]
    assert means == [22, 20]
    assert (texts(one), texts(other)) == ([], ["(1 of 2)"])
    assert said_below(drawn[0]) == f"A caption. {MISSING_RULE}"
    sensitivity_plot(OF_METHODS[OF_METHODS.case == "a"], tmp_path / "x", "A caption.")
    assert said_below(drawn[1]) == "A caption."


def test_a_condition_counts_what_failed_as_the_blurry_input(drawn, tmp_path):
    unscored = OF_METHODS.assign(metric="lpips-alex", value=np.nan, scored=False)
    scores = pd.concat([OF_METHODS, unscored], ignore_index=True)
    conditions_plot(scores, {"little": NAME}, tmp_path / "x", "A caption.")
    (axis,) = drawn[0].axes  # none for the metric without any number
    assert list(axis.lines[0].get_ydata()) == [(22 + 20) / 2]
    assert axis.get_legend_handles_labels()[1] == ["SelfDeblur (3 of 4)"]
    assert said_below(drawn[0]) == f"A caption. {MISSING_RULE}"


def test_an_image_that_no_seed_restored_is_never_a_success(drawn, tmp_path):
    scores = ONE_FAILED.assign(value=ONE_FAILED.value.where(ONE_FAILED.case == "a", np.nan))
    scores.loc[(scores.method == "blurry") & (scores.case == "b"), "value"] = 50.0
    success_plot(completed(scores), tmp_path / "x", "A caption.")
    (axis,) = drawn[0].axes
    of_method, of_blurry = (line.get_ydata() for line in axis.lines)
    assert max(of_method) == 0.5
    assert max(of_blurry) == 1
    assert axis.get_legend_handles_labels()[1] == ["SelfDeblur (2 of 4)", "Blurry input"]
    assert "never a success" in said_below(drawn[0])


def test_a_seed_that_failed_counts_as_the_blurry_input_in_a_success_rate(drawn, tmp_path):
    success_plot(OF_METHODS, tmp_path / "x", "A caption.")
    (line,) = drawn[0].axes[0].lines
    assert (line.get_xdata()[0], line.get_ydata()[0]) == (10, 1)
    assert line.get_ydata()[line.get_xdata() > 20].max() == 0.5  # the mean of b is 20, that of a 22


def test_runs_that_failed_are_counted_in_the_legend_of_a_convergence_plot(drawn, tmp_path):
    rows = [
        (NAME, "g", case, "selfdeblur", seed, iteration, iteration == 20, 1.0, "shift-rgb", "psnr", 20.0)
        for case, seed in (("a", 0), ("a", 1), ("b", 0))
        for iteration in (10, 20)
    ]
    frame = pd.DataFrame(rows, columns=list(CONVERGENCE_COLUMNS))
    convergence_plot(curves(frame, ONE_FAILED), "selfdeblur", tmp_path / "x", "")
    (axis,) = drawn[0].axes
    assert list(axis.lines[0].get_ydata()) == [(20 + 15) / 2] * 2
    assert axis.get_legend_handles_labels()[1] == ["SelfDeblur (3 of 4)"]
    assert MISSING_RULE in said_below(drawn[0])
