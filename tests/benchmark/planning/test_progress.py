"""The progress of a run counts in work."""

import pytest

from benchmark.planning.config import make_plan
from benchmark.planning.measuring import Cost
from benchmark.planning.progress import UNMEASURED, WorkDone, work_of
from benchmark.planning.work import Estimates
from benchmark.tools.calibration import Calibration
from tests.benchmark.cli.conftest import CONFIG


@pytest.fixture
def estimates(tmp_path):
    plan = make_plan({**CONFIG, "seeds": [0, 1], "shard_size": 3}, "x.yaml")
    made = Estimates(plan, Calibration(tmp_path, seconds=0.0))
    made.start, made.scores = Cost(2.0), {"demo-uniform": Cost(0.5)}
    made.observations = {"demo-uniform": Cost(0.25)}
    made.restorations["blurry", "demo-uniform"] = Cost(10.0)
    return made


@pytest.mark.parametrize(
    ("rule", "wildcards", "seconds"),
    [
        ("synthesize", {"dataset": "demo-uniform"}, 2.5),
        ("restore", {"method": "blurry", "shard": "0"}, 2 + 3 * 10),
        ("restore", {"method": "blurry", "shard": "1"}, 2 + 10),
        ("restore_on_gpu", {"method": "selfdeblur", "shard": "1"}, 2 + UNMEASURED["long"]),
        ("score_with_snapshots", {"method": "selfdeblur", "shard": "0"}, 2 + 4 * 0.5),
        ("table", {"table": "uniform"}, 2.0),
        ("tables", {}, 0.0),
    ],
)
def test_the_work_of_a_job_is_that_of_its_cases(estimates, rule, wildcards, seconds):
    assert work_of(estimates, rule, wildcards) == seconds


def test_the_work_of_a_job_that_scores_several_methods_is_that_of_all_their_cases(tmp_path):
    plan = make_plan({**CONFIG, "methods": {"blurry": {}, "oracle": {}}, "seeds": [0, 1]}, "x.yaml")
    made = Estimates(plan, Calibration(tmp_path, seconds=0.0))
    made.start, made.scores = Cost(2.0), {"demo-uniform": Cost(0.5)}
    assert plan.scored_together == [["blurry", "oracle"]]
    assert work_of(made, "score_together_0", {}) == 2 + 2 * 4 * 0.5


def test_what_is_left_follows_from_the_time_that_the_work_took_so_far():
    clock = iter([100.0, 110.0, 150.0])
    done = WorkDone({1: 10.0, 2: 30.0, 3: 60.0, 4: 0.0}, lambda: next(clock))
    assert done.after(1) == "10% of the work done, about 90 s left"
    assert done.after(2) == "40% of the work done, about 75 s left"
    assert done.after(2) == done.after(4) == ""
    assert done.after(3) == "all of the work done"
