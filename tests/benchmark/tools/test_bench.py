"""What is timed is what is meant; how long it takes is nobody's promise."""

from dataclasses import replace

import pandas as pd
import pytest
import torch

from benchmark.core.errors import InputError
from benchmark.core.progress import silent
from benchmark.tables.timings import COLUMNS, CONVOLUTION, OURS, PLAIN, PRODUCT
from benchmark.tools import bench, scaling
from benchmark.tools.bench import Workload, bench_method, time_in_turns
from benchmark.tools.plain_loop import PlainLoop
from methods.parts.image_priors.skip import SkipNetwork

SIZES = {"code_channels": 2, "channels": 4, "skip_channels": 2, "scales": 2, "kernel_hidden": 8}
SMALL = Workload("selfdeblur", SIZES, size=24, kernel_size=5)


def test_the_plain_loop_lowers_its_loss():
    torch.manual_seed(0)
    loop = PlainLoop(torch.linspace(0, 1, 28).expand(3, 24, 28), 5, SIZES)
    losses = [loop.step().item() for _ in range(60)]
    assert losses[-1] < 0.5 * losses[0]


def test_the_plain_network_is_the_methods_with_biases():
    sizes = {**SIZES, "scales": 4}  # two of them with attention
    plain = PlainLoop(torch.rand(1, 40, 40), 5, sizes).image
    ours = SkipNetwork(2, 1, channels=4, skip_channels=2, scales=4)
    useless = 4 * (2 + 4 * 4) + 2 * 4  # biases before batch norms: five blocks a scale, two attentions
    assert sum(p.numel() for p in plain.parameters()) == sum(p.numel() for p in ours.parameters()) + useless


@pytest.mark.parametrize("precisions", [["float32"], ["float32", "bfloat16"]])
def test_a_method_is_timed_beside_the_plain_loop_and_the_machine(precisions, monkeypatch):
    monkeypatch.setattr(bench, "processor_has_bfloat16", lambda: len(precisions) == 2)
    monkeypatch.setattr("methods.parts.precision.processor_has_bfloat16", lambda: True)
    asked = []

    def in_turns(builds, steps, threads):
        asked.extend([steps, threads])
        return [bench.Timing(number + 1.0, 1.0, 1e9 * (number + 1), 100.0) for number, _ in enumerate(builds)]

    monkeypatch.setattr(bench, "time_in_turns", in_turns)
    frame = bench_method(SMALL, 3)
    assert asked == [3, 1]
    loops = [(PLAIN, "float32"), *((OURS, precision) for precision in precisions)]
    assert list(zip(frame["what"], frame["precision"], strict=True))[: len(loops)] == loops
    assert list(frame["times as fast"])[1 : len(loops)] == [len(loops) / n for n in range(1, len(loops))]
    assert set(frame["what"][len(loops) :]) == {CONVOLUTION, PRODUCT}
    assert set(frame["% of convolution"][: len(loops)]) == {100.0}


def test_steps_are_timed_in_processes_of_their_own():
    loops = bench.ways(SMALL)
    timings = dict(zip(loops, time_in_turns(list(loops.values()), 2), strict=True))
    plain, ours = timings[PLAIN, "float32"], timings[OURS, "float32"]
    assert ours.flop == pytest.approx(plain.flop, rel=0.1)
    assert all(t.core_seconds > 0 and t.seconds > 0 and t.peak_memory_mib > 50 for t in timings.values())


def test_without_an_image_network_or_with_many_kernels_there_is_no_plain_loop():
    assert list(bench.ways(Workload("bird", {}))) == [(OURS, "")]
    assert (PLAIN, "float32") not in bench.ways(Workload("selfdeblur", SIZES, grid=(2, 2)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 2, "kernel_size": 1}, "the image network needs at least 5 pixels"),
        ({"kernel_size": 25}, "the kernel .25 x 25. is larger than the image"),
        ({"settings": {"channels": 1}}, "channels must be at least 2"),
    ],
)
def test_what_cannot_be_built_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        bench_method(replace(SMALL, **changes), 1)


def test_scaling_measures_one_thing_after_another(monkeypatch):
    asked = []

    def time_ways(work, steps, *, with_ceilings):
        asked.append((work, with_ceilings))
        timing = vars(bench.Timing(1.0, 1.0, 1.0, 1.0))
        return pd.DataFrame([{"what": OURS, "precision": "float32", **timing}])

    monkeypatch.setattr(scaling, "time_ways", time_ways)
    frame = scaling.measure("selfdeblur@quick", {"scales": 3}, silent)
    assert tuple(frame.columns) == COLUMNS
    assert list(dict.fromkeys(frame.by)) == [
        "side, px", "kernel, px", "channels", "colours", "grid", "threads", "machine",
    ]  # fmt: skip
    base = Workload("selfdeblur@quick", {"scales": 3})
    for work, with_ceilings in asked:
        others = {key for key, value in vars(work).items() if value != vars(base)[key]}
        assert len(others) <= 1  # of the image or the network, and nothing else
        assert with_ceilings == (work is asked[-1][0])
    assert {work.size for work, _ in asked} == set(scaling.SIDES)
    assert {work.settings.get("channels", 32) for work, _ in asked} == set(scaling.WIDTHS)


def test_scaling_is_for_methods_with_an_image_network():
    with pytest.raises(InputError, match=r"^bird fits no image network"):
        scaling.measure("bird", {}, silent)
