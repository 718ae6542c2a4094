"""Where a photo has the edges that show its blur."""

import numpy as np

from benchmark.tools.texture import has_texture, textured_part


def test_texture_is_more_than_noise():
    noise = np.random.default_rng(0).normal(0, 0.05, (128, 128))
    edge = np.where(np.arange(128) < 64, 0.3, 0.6)
    assert not has_texture(noise, 0.05)
    assert has_texture(noise + edge, 0.05)


def test_the_part_has_edges_in_all_directions_and_is_not_saturated():
    photo = np.full((400, 600), 0.5)
    photo[:200, :200] += 0.2 * np.sin(np.arange(200) / 2)  # stripes: one direction alone
    blocks = np.kron(np.random.default_rng(0).random((10, 10)), np.ones((20, 20)))
    photo[200:, 400:] = 0.1 + 0.8 * blocks
    photo[200:, :200] = np.where(blocks > 0.3, 1, 0)  # saturated
    rows, columns = textured_part(photo, 128)
    assert (rows.stop - rows.start, columns.stop - columns.start) == (128, 128)
    assert rows.start >= 160
    assert columns.start >= 360
    assert textured_part(photo[:100], 128)[0] == slice(0, 100)
