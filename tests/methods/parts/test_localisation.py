import numpy as np
import pytest
import torch

from methods.parts.colour import luma
from methods.parts.localisation import (
    APART,
    Similarity,
    correlation,
    correlation_peaks,
    kernel_centre,
    locate,
)


def locate_exhaustively(image, blurry):
    """The oracle: SSIM at every offset; of equal ones that nearest to the middle."""
    similarity = Similarity(image, blurry)
    rows, columns = similarity.room
    offsets = [(i, j) for i in range(rows) for j in range(columns)]
    distances = [(i - (rows - 1) / 2) ** 2 + (j - (columns - 1) / 2) ** 2 for i, j in offsets]
    ranked = zip(similarity(offsets), distances, offsets, strict=True)
    return min(ranked, key=lambda entry: (-entry[0], *entry[1:]))[2]


@pytest.fixture(params=["a", "b"])
def case(request, fixture):
    arrays = fixture("robust_localise")
    return {name.partition("_")[2]: arrays[name] for name in arrays if name.startswith(request.param)}


def images(case):
    return torch.from_numpy(case["xhat"]), torch.from_numpy(case["y"])


def test_maps_match_the_reference(case):
    image, blurry = images(case)
    rows, columns = case["ssim_map"].shape
    offsets = [(row, column) for row in range(rows) for column in range(columns)]
    similarities = np.reshape(Similarity(image, blurry)(offsets), (rows, columns))
    np.testing.assert_allclose(similarities, case["ssim_map"], rtol=0, atol=1e-8)
    correlations = correlation(luma(image)[0], luma(blurry)[0])
    np.testing.assert_allclose(correlations, case["zncc_map"], rtol=0, atol=1e-8)


def test_finds_the_window_that_an_exhaustive_search_finds(case):
    image, blurry = images(case)
    offset = locate(image, blurry)
    assert offset == tuple(case["offset"])
    assert offset == locate_exhaustively(image, blurry)
    assert kernel_centre(offset, case["k"].shape) == tuple(case["kernel_centre"])


def test_of_equal_windows_the_nearest_to_the_middle():
    image = torch.full((1, 30, 33), 0.5)
    assert locate(image, image[:, :20, :20]) == (5, 6)
    assert locate_exhaustively(image, image[:, :20, :20]) == (5, 6)


def test_peaks_keep_their_distance():
    correlations = np.zeros((40, 40))
    for row, column, height in ((5, 5, 1.0), (8, 8, 0.9), (30, 30, 0.8)):
        correlations[row, column] = height
    assert correlation_peaks(correlations)[:2] == [(5, 5), (30, 30)]
    assert APART == 8


def test_a_blurry_image_of_the_same_size_has_one_place():
    image = torch.rand(3, 20, 24)
    assert locate(image, image) == (0, 0)
