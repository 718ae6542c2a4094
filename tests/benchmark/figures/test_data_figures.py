"""Figures that need no method: kernels and their sizes, noises, frames, the field of view, boundaries."""

import numpy as np
import pytest

from benchmark.blur.nonblind import hyper_laplacian
from benchmark.core.types import KnownBlur, Observation, Truth
from benchmark.data.cases import make_case
from benchmark.data.descriptors import find_dataset
from benchmark.data.synthesis import observe
from benchmark.figures import data_grids, field_of_view, image_grids, patch_boundaries
from benchmark.figures.definition import Content
from benchmark.figures.drawing import draw
from benchmark.figures.paper_figures import paper_figure
from benchmark.runs.store import Store
from benchmark.scoring.metrics import METRICS
from benchmark.scoring.protocols import find_protocol
from benchmark.scoring.scores import score_image

RNG = np.random.default_rng(0)
SHARP = RNG.random((1, 40, 48)).astype(np.float32)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "r")


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are drawn, in place of their files."""
    figures = []
    for module in (image_grids, data_grids, field_of_view):
        monkeypatch.setattr(module, "save", lambda figure, out: figures.append(figure))
    return figures


def show(name, store, cases, tmp_path):
    content = Content(cases, [], [0], "shift-rgb", {})
    assert draw(paper_figure(name), store, content, "A note.", [], tmp_path / "x") == []


def images(axes):
    return [np.asarray(axis.images[0].get_array()) for axis in axes if axis.images]


def test_kernels_stand_on_their_specified_box_with_both_sizes(store, drawn, tmp_path):
    kernel = np.zeros((9, 9), np.float32)
    kernel[3:5, 2:5] = [[0.3, 0.2, 0.1], [0.2, 0.1, 0.1]]
    kernel[0, 0] = 1e-6  # less than half a step of 8 bits
    for case, size in (("small", 9), ("declared-larger", 13)):
        observation = Observation("data", case, SHARP, (size, size))
        store.write_observation(observation, Truth("g", SHARP, kernel[None]))
    show("bid-fig2", store, {"data": ["small", "declared-larger"]}, tmp_path)
    axes = drawn[0].axes
    assert [axis.get_title() for axis in axes] == ["small\n2 x 3 (9 x 9)", "declared-larger\n2 x 3 (13 x 13)"]
    small, larger = images(axes)
    assert small.shape == larger.shape == (13, 13)
    assert np.allclose(small[2:11, 2:11], kernel / kernel.max())
    assert np.all(small[:2] == data_grids.OUTSIDE)
    assert np.all(larger[0] == 0)


def test_a_case_stands_beside_itself_under_other_noise(store, drawn, tmp_path):
    names = ["demo-uniform", "demo-uniform@shot-high"]
    for name in names:
        store.write_observation(*observe(make_case(find_dataset(name), "astronaut", 0), 0))
    show("bid-fig3", store, {name: ["astronaut"] for name in names}, tmp_path)
    titled = [axis for axis in drawn[0].axes if axis.get_title()]
    assert [axis.get_title() for axis in titled] == ["demo-uniform", "demo-uniform\n@shot-high", "Sharp"]
    truth = store.read_truth(names[0], "astronaut")
    for axis, name, image in zip(titled, names, images(titled), strict=False):
        blurry = store.read_observation(name, "astronaut").blurry
        assert np.array_equal(image, blurry.transpose(1, 2, 0))
        (value,) = score_image(blurry, truth, find_protocol("shift-rgb"), [METRICS["psnr"]])
        assert [text.get_text() for text in axis.texts] == [f"{value:.2f} dB"]
    assert np.array_equal(images(titled)[2], truth.sharp.transpose(1, 2, 0))


def test_the_blurriest_frame_of_each_scene_is_framed(store, drawn, tmp_path):
    frames = {
        "a": (1.0, 0.3, 0.6),
        "b": (0.2, 0.9, 0.5),
    }  # contrasts: the Laplacian's variance grows with them
    for scene, contrasts in frames.items():
        for number, contrast in enumerate(contrasts):
            frame = Observation("data", f"{scene}{number}", contrast * SHARP, None)
            store.write_observation(frame, Truth(scene))
    show(
        "bid-fig27", store, {"data": [f"{scene}{number}" for scene in "ab" for number in range(3)]}, tmp_path
    )
    framed = [axis.get_title() for axis in drawn[0].axes if axis.get_frame_on()]
    assert framed == ["data\na1", "data\nb0"]
    variance = data_grids.sharpness(SHARP)
    assert [axis.get_xlabel() for axis in drawn[0].axes[:2]] == [f"{variance:.4f}", f"{0.09 * variance:.4f}"]
    grey = SHARP[0].astype(np.float64)
    row, column = 11, 17
    laplacian = grey[[row - 1, row + 1], column].sum() + grey[row, [column - 1, column + 1]].sum()
    laplacian -= 4 * grey[row, column]
    point = np.zeros_like(grey)
    point[row, column] = 1
    # The variance is that of the five-point Laplacian.
    assert np.isclose(data_grids.laplace(grey)[row, column], laplacian)
    assert data_grids.sharpness(point[None].astype(np.float32)) == pytest.approx(20 / 1920)


def test_the_kernel_is_an_s_and_no_z():
    kernel = field_of_view.s_kernel(31)
    assert kernel.sum() == pytest.approx(1)
    rows, columns = np.nonzero(kernel)
    assert (rows.min(), rows.max()) == (1, 29)
    assert columns[rows == 8].min() < 10  # the upper half bulges to the left
    assert kernel[9, 18:].sum() == 0
    assert columns[rows == 22].max() > 20  # and the lower one to the right
    assert kernel[21, :12].sum() == 0


def test_a_point_outside_the_field_of_view_leaves_a_ghost():
    kernel = field_of_view.s_kernel(15)
    scene = np.zeros((1, 45, 45), np.float32)
    scene[0, 4, 22] = 1  # three pixels above the field of view, which begins at 7
    observed, inside = field_of_view.ghosts(scene, kernel)
    assert observed.shape == (1, 31, 31)
    assert not inside.any()
    # What lies below the third row under the kernel's middle, in true-convolution form.
    assert np.allclose(observed[0, :5, 8:23], kernel[10:], atol=1e-6)
    scene = np.zeros((1, 45, 45), np.float32)
    scene[0, 22, 22] = 1
    observed, inside = field_of_view.ghosts(scene, kernel)
    assert np.array_equal(observed, inside)
    assert np.allclose(observed[0, 8:23, 8:23], kernel, atol=1e-6)


def test_the_scene_with_its_field_of_view_and_the_ghosts_are_drawn(store, drawn, tmp_path):
    store.write_observation(Observation("data", "one", SHARP, (5, 5)), Truth("g", SHARP))
    show("bid-fig7", store, {"data": ["one"]}, tmp_path)
    scene, kernel, observed, inside, difference = images(drawn[0].axes)
    (frame,) = drawn[0].axes[0].patches
    assert kernel.shape == (11, 11)
    assert observed.shape == inside.shape == (frame.get_height(), frame.get_width()) == (30, 38)
    outside = np.abs(observed - inside)
    assert np.allclose(difference, outside / outside.max(), atol=1e-6)
    assert np.array_equal(scene, SHARP[0])


def test_each_patch_is_restored_by_itself_with_its_own_kernel():
    kernels = np.zeros((2, 1, 5), np.float32)
    kernels[0, 0] = 0.2
    kernels[1, 0, 2] = 1
    known = KnownBlur("data", "one", SHARP, (1, 5), "nonuniform", "valid", (1, 2), kernels=kernels)
    restored = patch_boundaries.patch_by_patch(known)
    for half, kernel in ((np.s_[:, :, :24], kernels[0]), (np.s_[:, :, 24:], kernels[1])):
        assert np.allclose(restored[half], hyper_laplacian(SHARP[half], kernel).clip(0, 1), atol=1e-6)


def test_boundaries_show_the_patches_the_whole_and_where_they_differ(store, drawn, tmp_path):
    store.write_observation(*observe(make_case(find_dataset("demo-nonuniform"), "coffee", 0), 0))
    show("glkm-fig3", store, {"demo-nonuniform": ["coffee"]}, tmp_path)
    titled = [axis for axis in drawn[0].axes if axis.get_title()]
    names = ["Blurry", patch_boundaries.PATCHES, patch_boundaries.WHOLE, "Sharp"]
    assert [axis.get_title().replace("\n", " ") for axis in titled] == names
    blurry, patches, whole = (float(axis.texts[0].get_text().removesuffix(" dB")) for axis in titled[:3])
    assert blurry < patches < whole  # patches lose at their boundaries
    height, width = images(titled)[0].shape[:2]
    (frame,) = titled[1].patches
    left, top = frame.get_xy()
    # The two differ most at the boundary of two patches: the grid has 2 x 2 of them.
    crosses_column = left < width / 2 < left + frame.get_width()
    crosses_row = top < height / 2 < top + frame.get_height()
    assert crosses_column or crosses_row
    (text,) = drawn[0].texts
    assert patch_boundaries.DETAIL_RULE in text.get_text().replace("\n", " ")
