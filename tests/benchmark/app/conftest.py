"""A running server of the page, and a small blurred photo."""

import threading

import numpy as np
import pytest
import skimage.data
from PIL import Image
from scipy import ndimage

from benchmark.app.server import Server
from tests.benchmark.tools.conftest import pair

__all__ = ["pair"]  # a fixture of the tools


@pytest.fixture
def server():
    """A server that answers; it is closed at the end."""
    with Server() as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()  # ends as soon
        try:
            yield running
        finally:
            running.shutdown()
            running.session.close()


@pytest.fixture(scope="session")
def photo(tmp_path_factory):
    """The file of a photo of 96 x 110 px, blurred along its rows."""
    sharp = skimage.data.astronaut()[40:136, 150:260].astype(float)
    blurry = ndimage.uniform_filter1d(sharp, 7, axis=1)
    path = tmp_path_factory.mktemp("photo") / "my <b>photo.png"
    Image.fromarray(blurry.round().astype(np.uint8)).save(path)
    return path
