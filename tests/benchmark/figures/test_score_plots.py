"""Plots of scores: what they select, and that the same scores give the same bytes."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark.figures.iteration_plots import convergence_plot
from benchmark.figures.score_plots import few_cases, score_plot, sensitivity_plot
from benchmark.figures.style import CONTROL, method_colour
from benchmark.scoring.csv_files import CONVERGENCE_COLUMNS, SCORE_COLUMNS
from benchmark.tables.convergence import curves
from benchmark.tables.definition import Block, Column, Definition, Published, Row
from benchmark.tables.summary import summary

NAME = "demo-uniform"
NO_RUNS = pd.DataFrame(columns=["dataset", "case", "method", "seed", "status", "weights"])


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
    assert_drawn_twice_alike(lambda out: score_plot(definition, table, THREE, out, {}), tmp_path)


def test_a_method_has_one_colour_and_controls_are_grey():
    assert method_colour("selfdeblur") == method_colour("selfdeblur@wide") != CONTROL
    assert method_colour("blurry") == CONTROL
    for name in ("selfdeblur", "dip-glkm", "l0-grad"):
        red, green, blue = (int(method_colour(name)[at : at + 2], 16) for at in (1, 3, 5))
        assert max(red, green, blue) - min(red, green, blue) > 25
    assert len({method_colour(name) for name in ("selfdeblur", "dip-glkm", "l0-grad", "robust-bid")}) == 4


def test_a_figure_shows_a_few_cases_and_says_so():
    many = psnr_of({("selfdeblur", f"case{index:02}"): [20.0, 21.0] for index in range(13)})
    few, text = few_cases(many)
    assert list(few.case.unique()) == ["case00", "case03", "case06", "case09", "case12"]
    assert "the table has all" in text
    assert "the table has all" not in few_cases(THREE)[1]


@pytest.mark.parametrize("scores", [THREE, THREE[:0]], ids=["three", "nothing"])
def test_the_spread_over_seeds_is_drawn(tmp_path, scores):
    assert_drawn_twice_alike(lambda out: sensitivity_plot(scores, out, "A caption."), tmp_path)


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
    assert_drawn_twice_alike(lambda out: convergence_plot(curves(frame), "selfdeblur", out), tmp_path)
