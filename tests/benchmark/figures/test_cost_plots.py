"""The plot of quality against time: what a point shows, and where the names stand."""

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Annotation

from benchmark.data.descriptors import find_dataset
from benchmark.figures import cost_plots
from benchmark.figures.cost_plots import cost_plot, costs
from benchmark.scoring.csv_files import RUN_COLUMNS, SCORE_COLUMNS
from benchmark.tables.profile_tables import own_table
from benchmark.tables.summary import summary
from tests.benchmark.tables.test_tables import NAME, runs_frame, scores_frame

VALUES = {  # method to the PSNR of each case, and its seconds
    "blurry": ([20.0, 22.0], [0.0, 0.0]),
    "oracle": ([30.0, 32.0], [1.0, 1.0]),
    "l0-grad": ([25.0, 27.0], [1.0, 3.0]),
    "l0-fast": ([25.1, 27.1], [2.0, 2.2]),
    "selfdeblur": ([26.0, np.nan], [100.0, 300.0]),
}


@pytest.fixture
def frames():
    scores, runs = [], []
    for method, (values, seconds) in VALUES.items():
        for case, value, taken in zip("ab", values, seconds, strict=True):
            scores.append(("d", "g", case, method, 0, "plain", "psnr", value, ""))
            runs.append(("d", case, method, 0, "ok", "", 1, taken, taken, 1, "CPU", "", "", ""))
    return (
        pd.DataFrame(scores, columns=list(SCORE_COLUMNS)),
        pd.DataFrame(runs, columns=list(RUN_COLUMNS)),
    )


def test_a_point_is_the_mean_and_the_worst_case_with_the_median_of_the_seconds(frames):
    points = costs(*frames, "psnr").set_index("method")
    assert tuple(points.loc["l0-grad", ["mean", "worst", "seconds"]]) == (26, 25, 2)
    assert tuple(points.loc["selfdeblur", ["mean", "worst"]]) == (24, 22)  # the failed case counts as blurry
    assert points.low.isna().all()  # of two cases there is no interval


def test_the_interval_of_a_point_is_that_of_the_table():
    scores = scores_frame(
        {("blurry", "psnr"): [20.0, 24.0, 22.0, 23.0], ("l0-grad", "psnr"): [21.0, 30.0, 25.0, 26.0]}
    )
    runs = runs_frame(scores).assign(seconds=1.0)
    point = costs(scores, runs, "psnr").set_index("method").loc["l0-grad"]
    cell = summary(own_table("uniform", {NAME: find_dataset(NAME)}, scores), scores, runs)
    expected = cell[(cell.method == "l0-grad") & (cell.metric == "psnr")].iloc[0]
    assert (point["mean"], point.low, point.high) == (expected["mean"], expected.low, expected.high)


def test_names_cover_neither_each_other_nor_points(frames, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(cost_plots, "save", lambda figure, out: drawn.append(figure))
    cost_plot(*frames, "psnr", tmp_path / "cost", "A demo.")
    (axis,) = drawn[0].axes
    boxes = [text.get_window_extent() for text in axis.texts if isinstance(text, Annotation)]
    assert len(boxes) == len(VALUES)
    assert not any(first.overlaps(second) for first, second in combinations(boxes, 2))
    points = [
        axis.transData.transform(line.get_xydata()[0]) for line in axis.lines if line.get_marker() == "o"
    ]
    assert len(points) == 3
    assert not any(box.contains(*point) for box, point in product(boxes, points))


def test_the_same_scores_give_the_same_bytes(frames, tmp_path):
    for name in ("one", "two"):
        cost_plot(*frames, "psnr", tmp_path / name, "")
    for suffix in (".png", ".pdf"):
        first, second = ((tmp_path / name).with_suffix(suffix).read_bytes() for name in ("one", "two"))
        assert first == second
