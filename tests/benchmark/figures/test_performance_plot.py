"""The share of cases near the best method."""

import numpy as np
import pytest

from benchmark.figures import score_plots
from benchmark.figures.score_plots import distances_to_best, performance_plot
from benchmark.scoring.metrics import METRICS
from tests.benchmark.tables.test_tables import scores_frame

VALUES = {
    ("blurry", "psnr"): [10.0, 10.0, 10.0],
    ("oracle", "psnr"): [50.0, 50.0, 50.0],
    ("l0-grad", "psnr"): [25.0, 27.0, 21.0],
    ("selfdeblur", "psnr"): [26.0, np.nan, 24.0],
}


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """The lines of the figure, by the title of the method."""
    figures = []
    monkeypatch.setattr(score_plots, "save", lambda figure, out: figures.append(figure))
    performance_plot(scores_frame(VALUES), "psnr", tmp_path / "x", "A test.")
    (axis,) = figures[0].axes
    return {line.get_label(): line.get_xydata() for line in axis.lines}


def share(line, distance):
    """The share at a distance from the best."""
    return line[np.searchsorted(line[:, 0], distance), 1]


def test_distances_are_to_the_best_method_of_each_case():
    of_methods = scores_frame({name: cases for name, cases in VALUES.items() if name[0] in ("l0-grad",)})
    assert distances_to_best(of_methods, METRICS["psnr"]).tolist() == [0, 0, 0]
    lower = scores_frame({("l0-grad", "lpips-alex"): [0.25], ("selfdeblur", "lpips-alex"): [0.75]})
    assert distances_to_best(lower, METRICS["lpips-alex"]).tolist() == [0, 0.5]


def test_a_line_is_the_share_of_cases_within_so_much_of_the_best(drawn):
    ours, deep = drawn["L0 gradient (ours)"], drawn["SelfDeblur"]
    assert set(drawn) == {"L0 gradient (ours)", "SelfDeblur"}  # without the controls
    assert share(ours, 0) == pytest.approx(1 / 3)
    assert share(ours, 1.2) == pytest.approx(2 / 3)
    assert share(ours, 3.2) == 1
    assert share(deep, 0) == pytest.approx(2 / 3)
    assert share(deep, 9) == pytest.approx(2 / 3)  # the failed case counts as the blurry input, 17 dB away


def test_without_methods_there_is_a_sentence(tmp_path):
    controls = {name: cases for name, cases in VALUES.items() if name[0] in ("blurry", "oracle")}
    performance_plot(scores_frame(controls), "psnr", tmp_path / "x", "A test.")
    assert (tmp_path / "x.png").exists()
