"""Operations, traffic and the memory of tensors, counted on any device."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmark.tools.counting import Counting

MIB = 2**20


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_the_peak_counts_what_lives_at_once(device):
    with Counting() as counted:
        first = torch.empty(MIB, dtype=torch.uint8, device=device)
        second = first + 1
        assert counted.peak == 2 * MIB
        del second
        third = first + 2
    assert counted.peak == 2 * MIB
    del first, third


def test_a_view_is_no_memory_of_its_own():
    with Counting() as counted:
        image = torch.empty(4, MIB, dtype=torch.uint8, device="meta")
        views = [image[0], image.T, image.reshape(2, 2, MIB)]
    assert counted.peak == 4 * MIB
    del views


def test_what_a_gradient_needs_lives_until_the_gradient():
    weight = torch.empty(MIB, dtype=torch.float32, device="meta", requires_grad=True)
    with torch.no_grad(), Counting() as alone:
        weight.exp().exp().exp().sum()
    with Counting() as with_gradient:
        weight.exp().exp().exp().sum()  # each keeps its result
    assert alone.peak == pytest.approx(2 * 4 * MIB, rel=0.01)
    assert with_gradient.peak == pytest.approx(3 * 4 * MIB, rel=0.01)


def test_the_operations_are_those_that_pytorch_counts():
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Flatten(), torch.nn.Linear(8 * 36, 5))
    images = torch.rand(2, 3, 8, 8)
    with FlopCounterMode(display=False) as theirs:
        network(images).sum().backward()
    with Counting() as ours:
        network(images).sum().backward()
    assert ours.operations == theirs.get_total_flops() > 0


def test_a_gradient_by_a_modules_input_is_counted():
    layer, image = torch.nn.Linear(4, 4), torch.rand(1, 4, requires_grad=True)
    with Counting() as counted:
        torch.autograd.grad(layer(image).sum(), image)
    assert counted.operations == 2 * (2 * 4 * 4)  # forwards, and backwards by the image alone


def test_traffic_is_what_is_read_and_written():
    image = torch.empty(10, dtype=torch.float32, device="meta")
    with Counting() as counted:
        image.view(2, 5)
        assert counted.traffic == 0
        image + 1
    assert counted.traffic == 2 * 10 * 4
