"""The sizes that the paper prints, counted."""

import pytest

from methods import nafnet, ufpnet


def test_the_published_networks_have_the_papers_sizes():
    counted = ufpnet.METHOD.properties()
    assert counted["parameters-M"] == pytest.approx(80.343663, abs=1e-9)
    assert counted["macs-G"] == pytest.approx(235.56, abs=0.005)
    baseline = nafnet.METHOD.properties()
    assert baseline["parameters-M"] == pytest.approx(67.888835, abs=1e-9)
    assert baseline["macs-G"] == pytest.approx(63.05, abs=0.005)
