"""The memory of tensors, counted on any device."""

import pytest
import torch

from benchmark.tools.live_tensors import LiveTensors

MIB = 2**20


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_the_peak_counts_what_lives_at_once(device):
    with LiveTensors() as counted:
        first = torch.empty(MIB, dtype=torch.uint8, device=device)
        second = first + 1
        assert counted.peak == 2 * MIB
        del second
        third = first + 2
    assert counted.peak == 2 * MIB
    del first, third


def test_a_view_is_no_memory_of_its_own():
    with LiveTensors() as counted:
        image = torch.empty(4, MIB, dtype=torch.uint8, device="meta")
        views = [image[0], image.T, image.reshape(2, 2, MIB)]
    assert counted.peak == 4 * MIB
    del views


def test_what_a_gradient_needs_lives_until_the_gradient():
    weight = torch.empty(MIB, dtype=torch.float32, device="meta", requires_grad=True)
    with torch.no_grad(), LiveTensors() as alone:
        weight.exp().exp().exp().sum()
    with LiveTensors() as with_gradient:
        weight.exp().exp().exp().sum()  # each keeps its result
    assert alone.peak == pytest.approx(2 * 4 * MIB, rel=0.01)
    assert with_gradient.peak == pytest.approx(3 * 4 * MIB, rel=0.01)
