"""Grids of images: what stands where, what is left out, and that no text is cut or covers another."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from benchmark.core.types import Observation, Restoration, Status, Truth
from benchmark.figures import image_grids, score_plots
from benchmark.figures.image_grids import ImagePanel, ImageRow, draw_rows, method_grid
from benchmark.figures.score_plots import conditions_plot, score_plot, sensitivity_plot
from benchmark.runs.store import Store, write_restoration
from benchmark.scoring.csv_files import RUN_COLUMNS, SCORE_COLUMNS
from benchmark.tables.definition import Block, Column, Definition, Row
from benchmark.tables.missing import completed
from benchmark.tables.summary import summary

RNG = np.random.default_rng(0)
IMAGE = RNG.random((3, 96, 120)).astype(np.float32)
KERNEL = np.zeros((11, 11), np.float32)
KERNEL[4:6, 5:8] = 1 / 6
LONG = "Least energy of several kernels of several methods (ours) [weights-of-a-long-name demo]"


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are drawn, in place of files."""
    figures = []
    for module in (image_grids, score_plots):
        monkeypatch.setattr(module, "save", lambda figure, out: figures.append(figure))
    return figures


@pytest.fixture
def store(tmp_path):
    """Two cases, of which one method restores both, one the first, and one none."""
    store = Store(tmp_path / "r")
    for case in ("one", "two"):
        store.write_observation(
            Observation("data", case, 0.9 * IMAGE, (11, 11)), Truth("g", IMAGE, KERNEL[None])
        )
        done = Restoration(Status.OK, image=0.95 * IMAGE, kernels=KERNEL[None])
        write_restoration(store.case_folder("data", "selfdeblur", 0, case), done, {})
        no = Restoration(Status.NOT_SUPPORTED, reason="no")
        write_restoration(store.case_folder("data", "l0-grad", 0, case), no, {})
        write_restoration(store.case_folder("data", "blurry", 0, case), no if case == "two" else done, {})
    return store


def rendered(figure):
    """The figure with its final layout, and its renderer."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return canvas.get_renderer()


def boxes(figure):
    """The content of each text of a figure, and where it lies."""
    renderer = rendered(figure)
    shown = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    shown += [text for part in figure.subfigs for text in part.texts]
    for axes in figure.axes:
        shown += [axes.title, axes._left_title, *axes.texts]
        for axis in (axes.xaxis, axes.yaxis) if axes.axison else ():
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            shown += [axis.label, *(tick.label1 for tick in ticks)]
    return [
        (text.get_text(), text.get_window_extent(renderer))
        for text in shown
        if text.get_text().strip() and text.get_visible()
    ]


def assert_texts_are_apart(figure):
    for (one, first), (other, second) in combinations(boxes(figure), 2):
        overlap = min(first.x1, second.x1) - max(first.x0, second.x0)
        above = min(first.y1, second.y1) - max(first.y0, second.y0)
        assert overlap < 1 or above < 1, (one, other)


def show(store, drawn, methods=("blurry", "l0-grad", "selfdeblur")):
    method_grid(store, "data", ["one", "two"], methods, 0, "plain", store.root / "x", "A note.")
    return drawn[0] if drawn else None


def test_the_score_and_the_kernel_stand_below_their_image_and_within_its_width(store, drawn):
    figure = show(store, drawn)
    renderer = rendered(figure)
    images = [axis for axis in figure.axes if axis.images and axis.texts]
    labels = [axis.texts[0].get_text() for axis in images]
    stored = np.round(255 * 0.95 * IMAGE) / 255
    assert labels == [f"{-10 * np.log10(np.mean((stored - IMAGE) ** 2)):.2f} dB"] * 3
    for axis in images:
        frame, label = axis.get_window_extent(renderer), axis.texts[0].get_window_extent(renderer)
        (box,) = (child.get_window_extent(renderer) for child in axis.child_axes)
        assert max(box.y1, label.y1) <= frame.y0
        assert frame.x0 - 1 <= box.x0 < box.x1 < label.x0 < label.x1 <= frame.x1 + 1
        assert box.width == pytest.approx(box.height, rel=0.02)


def test_kernels_have_one_scale_and_no_black_border_that_all_share(store, drawn):
    figure = show(store, drawn)
    kernels = [np.asarray(child.images[0].get_array()) for axis in figure.axes for child in axis.child_axes]
    assert {kernel.shape for kernel in kernels} == {(7, 7)}  # a margin around 5 x 5
    assert all(kernel.sum() == pytest.approx(1) for kernel in kernels)
    rows, columns = np.nonzero(kernels[0])
    assert (rows.min(), columns.min()) == (2, 3)  # the middle stays in the middle


def test_a_method_without_any_image_has_no_column_and_the_caption_names_it_last(store, drawn):
    figure = show(store, drawn)
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert titles == ["Blurry input", "SelfDeblur", "Sharp"]
    assert [text.get_text() for axis in figure.axes for text in axis.texts].count("no image") == 1
    said = figure.get_supxlabel().replace("\n", " ")
    assert said.startswith("data, seed 0. Below each image its PSNR by protocol plain and its kernel,")
    assert said.endswith("A note. Without an image: L0 gradient (ours).")


def test_without_any_image_a_sentence_stands_in_for_the_figure(store, drawn, monkeypatch):
    said = []
    monkeypatch.setattr(image_grids, "text_figure", lambda text, out: said.append(text))
    show(store, drawn, ["l0-grad"])
    assert said == ["data: no method has an image of one, two."]
    assert not drawn


def test_many_images_of_a_case_are_broken_into_lines_that_fit_a_page(drawn, tmp_path):
    panels = [ImagePanel(f"{index} {LONG}", IMAGE, KERNEL, "25.00 dB") for index in range(9)]
    draw_rows({"one": ImageRow(panels), "two": ImageRow(panels[:7])}, LONG * 5, tmp_path / "x")
    figure = drawn[0]
    with_images = [axis for axis in figure.axes if axis.images]
    columns = [axis.get_subplotspec().colspan.start for axis in with_images]
    assert columns == [0, 1, 2, 3, 4, 0, 1, 2, 3, 0, 1, 2, 3, 4, 0, 1]
    assert figure.get_figwidth() < 8
    assert_texts_are_apart(figure)


@pytest.mark.parametrize(("count", "window"), [(3, None), (6, None), (6, (10, 20, 24))])
def test_no_text_of_an_image_grid_covers_another(drawn, tmp_path, count, window):
    panels = [ImagePanel(LONG, IMAGE, KERNEL, "25.00 dB") for _ in range(count)]
    draw_rows({"a case": ImageRow(panels, window), "b": ImageRow(panels, window)}, LONG * 3, tmp_path / "x")
    assert_texts_are_apart(drawn[0])
    titled = [bool(axis.get_title()) for axis in drawn[0].axes if axis.images and axis.texts]
    assert titled == [True] * count + [window is not None] * count


METRICS = ("psnr", "ssim", "lpips-alex", "vif", "niqe", "brisque", "piqe")
SCORES = pd.DataFrame(
    [
        ("demo-uniform", "g", case, method, seed, "shift-rgb", metric, RNG.random() * 30, "")
        for method in ("selfdeblur", "dip-glkm", "l0-grad", "blurry")
        for case in ("camera", "astronaut", "third")
        for seed in (0, 1)
        for metric in METRICS
    ],
    columns=list(SCORE_COLUMNS),
)


def test_no_text_of_a_plot_of_scores_covers_another(drawn, tmp_path):
    columns = tuple(Column(metric, metric) for metric in METRICS)
    title = "A block of a very long name that says all about its dataset and more"
    blocks = tuple(Block(f"{number} {title}", columns, "demo-uniform") for number in range(2))
    rows = (Row("DIP", "selfdeblur"), Row("GLKM", "dip-glkm"), Row("A classical method", "l0-grad"))
    definition = Definition("t", "A paper, Table 1", blocks, rows, {})
    table = summary(definition, SCORES, pd.DataFrame(columns=list(RUN_COLUMNS)))
    weights = {"dip-glkm": "weights of a long name (32 channels)"}
    score_plot(definition, table, SCORES, tmp_path / "x", LONG * 3, weights)
    of_psnr = completed(SCORES[SCORES.metric == "psnr"])
    sensitivity_plot(of_psnr, tmp_path / "x", LONG * 3)
    conditions = {"a condition": "demo-uniform", "another one": "demo-uniform"}
    conditions_plot(completed(SCORES), conditions, tmp_path / "x", LONG * 3)
    assert len(drawn) == 3
    for figure in drawn:
        assert_texts_are_apart(figure)


def test_texts_that_cover_each_other_are_noticed(drawn, tmp_path):
    draw_rows({"one": ImageRow([ImagePanel("A", IMAGE), ImagePanel("B", IMAGE)])}, "", tmp_path / "x")
    drawn[0].axes[0].set_title("A title that is much longer than its image is wide" * 2)
    with pytest.raises(AssertionError):
        assert_texts_are_apart(drawn[0])
