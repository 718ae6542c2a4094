"""The suite's own method: which candidates it runs, and what it refuses."""

import numpy as np
import pytest
import torch

from benchmark.blur.kernel_energy import ONSET
from benchmark.core.errors import InputError
from benchmark.core.types import Observation, Status
from benchmark.runs.provenance import code_of
from benchmark.runs.settings import effective
from methods.choose import EFFORTS, METHOD
from methods.parts.candidates import UNDECLARED
from methods.parts.choice import FINE, FINE_NOISE, MERGES, NEAR
from methods.parts.polish import COMPLETING, DEFAULT, EDGE, FAINT
from methods.parts.solver import Task, solve
from tests.benchmark.blur.test_kernel_energy import blurred, motion
from tests.conftest import ROOT

CPU = torch.device("cpu")


def settings(**values):
    return effective(METHOD.settings, values, "methods.choose")


def test_more_effort_runs_more_candidates():
    low, normal, high = (settings(effort=effort).plan() for effort in EFFORTS)
    assert low == normal[: len(low)]
    assert normal == high[: len(normal)]
    assert len(low) < len(normal) < len(high)


def test_the_page_on_choose_has_the_numbers_of_the_code():
    page = " ".join((ROOT / "docs/choose.md").read_text().split())
    assert (EDGE, MERGES, NEAR) == (3.0, (2, 3), 0.01)
    assert f"an edge counts three times; where the luma's noise is above {ONSET}, the weight" in page
    assert f"fragments of {FAINT.fragment:.0%} of its mass" in page and FAINT.makes_room
    assert f"{1 - COMPLETING:.0%} less energy" in " ".join((ROOT / "docs/methods.md").read_text().split())
    assert "merges the two kernels of least energy" in page and "then the three of least energy" in page
    assert "at most 1 % above the least" in page
    assert min(DEFAULT.weights) / FINE == pytest.approx(3)
    assert f"a standard deviation of at most {FINE_NOISE}" in page
    assert ", ".join(map(str, UNDECLARED[:-1])) + f" and {UNDECLARED[-1]} px" in page


def test_a_photograph_is_restored_and_the_record_tells_what_each_candidate_scored():
    true = motion(1)
    observation = Observation("test", "case", blurred("camera", true)[None].astype(np.float32), true.shape)
    chosen = settings(candidates=[{"method": "l0-fast"}, {"method": "l0-grad", "size": 0.8}])
    rng = torch.Generator().manual_seed(0)
    ((_, restoration),) = solve([Task("case", lambda: METHOD.problem(observation, chosen, rng, CPU))])
    assert restoration.status is Status.OK
    noted = restoration.notes["candidates"]
    assert [each["candidate"] for each in noted[:2]] == ["l0-fast", "l0-grad, size x 0.8"]
    assert [each["size"] for each in noted[:2]] == [[13, 13], [10, 10]]
    assert restoration.notes["chosen"] in [each["candidate"] for each in noted]


@pytest.mark.parametrize(("noise", "is_polished"), [(0.0, True), (0.02, False)])
def test_only_where_there_is_little_noise_the_kernel_is_polished_once_more(noise, is_polished):
    true = motion(1)
    blurry = blurred("camera", true)
    blurry += noise * np.random.default_rng(0).standard_normal(blurry.shape)
    observation = Observation("test", "case", blurry[None].astype(np.float32), true.shape)
    chosen, rng = settings(candidates=[{"method": "l0-fast"}]), torch.Generator().manual_seed(0)
    ((_, restoration),) = solve([Task("case", lambda: METHOD.problem(observation, chosen, rng, CPU))])
    labels = [each["candidate"] for each in restoration.notes["candidates"]]
    assert labels[:4] == ["l0-fast", "l0-fast, faint parts", "mean of 2", "mean of 3"]
    assert restoration.notes["chosen"].endswith(", last polish") == is_polished == (len(labels) == 5)


def test_its_results_become_stale_with_those_of_its_candidates():
    twice = settings(candidates=[{"method": "l0-tv"}, {"method": "l0-tv", "size": 2}])
    assert METHOD.uses(twice) == ("l0-tv",)
    plain, with_other = ([{"method": name}] for name in ("l0-grad", "l1l2"))
    assert code_of(METHOD, settings(candidates=plain)) != code_of(METHOD, settings(candidates=with_other))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"effort": "hihg"}, "methods.choose.effort: unknown value 'hihg'. Did you mean 'high'"),
        ({"candidates": ["l0-grad"]}, r"candidates\[0\]: a mapping of keys to values is needed, not 'l0-g"),
        ({"candidates": [{"method": "l0-gard"}]}, r"candidates\[0\]: unknown method 'l0-gard'. Did you mean"),
        ({"candidates": [{"method": "choose"}]}, r"candidates\[0\]: 'choose' cannot be its own candidate"),
        ({"effort": "low", "candidates": [{"method": "l1l2"}]}, "'effort' has no effect with candidates"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(values, message):
    with pytest.raises(InputError, match=message) as caught:
        settings(**values)
    assert "\n" not in str(caught.value)
