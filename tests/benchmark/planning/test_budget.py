"""What a plan takes on this machine, and what of it fits in a budget."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from benchmark.core.errors import InputError
from benchmark.data.descriptors import find_dataset
from benchmark.planning import measuring
from benchmark.planning.budget import costs, duration, fitting
from benchmark.planning.config import make_plan
from benchmark.planning.measuring import LATER, Cost, Measuring
from benchmark.planning.work import UNREADABLE, Estimates, _kernel_size, representatives
from benchmark.tools import pilot
from benchmark.tools.calibration import Calibration
from benchmark.tools.pilot import Pilot
from tests.benchmark.cli.conftest import CONFIG


@pytest.fixture(scope="module")
def plan():
    return make_plan({**CONFIG, "seeds": [0, 1], "methods": {**CONFIG["methods"], "l0-grad": {}}}, "x.yaml")


@pytest.fixture(scope="module")
def estimates(plan, tmp_path_factory):
    """Real measurements of a tiny plan."""
    return Estimates(plan, Calibration(tmp_path_factory.mktemp("cache"), seconds=600.0))


def test_every_kind_of_work_has_its_time_and_its_memory(plan, estimates):
    rows = {row["work"]: row for row in costs(plan, estimates)}
    assert list(rows) == ["observations", *plan.methods, "scores", "tables", "in all"]
    assert [row["jobs"] for row in rows.values()] == [1, 1, 1, 1, 1, 3, 8]
    assert [row["restorations"] for row in rows.values()] == ["", 4, 4, 4, "", "", 12]
    assert not any(row["remark"] or row["GPUs"] for row in rows.values())
    known = estimates.restorations
    assert set(known) == {(method, "demo-uniform") for method in plan.methods}
    assert known["blurry", "demo-uniform"].seconds < known["selfdeblur", "demo-uniform"].seconds < 5
    assert all(estimates.start.memory < cost.memory < 4096 for cost in known.values())


def test_cases_that_are_on_their_way_together_need_the_memory_of_all(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(Measuring, "cost", lambda *_: Cost(seconds=2.0, memory=100.0))
    known = {}
    for batch in ("auto", 1, 3):
        calibration = Calibration(tmp_path / str(batch), seconds=600.0)
        monkeypatch.setattr("benchmark.planning.work._start", lambda: (1.0, 50.0))
        monkeypatch.setattr(Estimates, "_scoring", lambda *_: Cost())
        known[batch] = Estimates(replace(plan, config={**plan.config, "batch": batch}), calibration)
    of = {
        batch: {method: estimates.restorations[method, "demo-uniform"] for method in plan.methods}
        for batch, estimates in known.items()
    }
    assert [of[batch]["selfdeblur"].memory for batch in of] == [150, 150, 350]
    assert {of[batch]["l0-grad"].memory for batch in of} == {150}  # it takes one at a time
    assert {cost.seconds for costs_of in of.values() for cost in costs_of.values()} == {2.0}


def test_what_an_earlier_version_measured_in_another_form_is_measured_again(plan, tmp_path, monkeypatch):
    @dataclass(frozen=True)
    class Earlier:
        iterations: int
        operations: float

    monkeypatch.setattr("benchmark.planning.work._start", lambda: (1.0, 50.0))
    monkeypatch.setattr(Estimates, "_scoring", lambda *_: Cost())
    with monkeypatch.context() as patch:
        patch.setattr(measuring, "Work", Earlier)
        patch.setattr(pilot, "measure", lambda *_: Pilot(Earlier(0, 0.0), 1.0, 0.0, 1.0, 0.0, 1.0))
        patch.setattr(pilot, "count_work", lambda *_: Earlier(0, 0.0))
        patch.setattr(Pilot, "seconds", lambda *_: 1.0)
        patch.setattr(Pilot, "mebibytes", lambda *_: 1.0)
        calibration = Calibration(tmp_path, seconds=600.0)
        Estimates(plan, calibration)
        calibration.save()
    known = Estimates(plan, Calibration(tmp_path, seconds=600.0)).restorations
    assert all(cost.is_known for cost in known.values())


@pytest.mark.parametrize("dataset", ["levin-synth", "lai-synth", "choose-fresh", "photo-blurs"])
def test_the_cases_that_stand_for_a_dataset_have_kernels_as_large_as_all_on_average(dataset):
    sizes = {case: _kernel_size(entry) for case, entry in find_dataset(dataset).entries.items()}
    chosen = [sizes[case] for case in representatives(sizes)]
    assert np.mean(chosen) == pytest.approx(np.mean(list(sizes.values())), rel=0.05)


def test_rows_take_of_a_budget_what_fits_in_the_order_of_the_config(plan, estimates, monkeypatch):
    monkeypatch.setattr(estimates, "start", Cost())
    monkeypatch.setattr(estimates, "observations", {"demo-uniform": Cost(1.0)})  # two of them
    monkeypatch.setattr(estimates, "scores", {"demo-uniform": Cost(0.5)})
    seconds = {"blurry": 0.5, "selfdeblur": 9.5, "l0-grad": 1.5}
    each = {(method, "demo-uniform"): Cost(value) for method, value in seconds.items()}
    monkeypatch.setattr(estimates, "restorations", each)
    for budget, fit in ((1, [0, 0, 0]), (2 + 4, [4, 0, 0]), (2 + 4 + 21, [4, 2, 0]), (2 + 4 + 19, [4, 1, 4])):
        assert [row["fit"] for row in fitting(plan, estimates, budget)] == fit
    each["selfdeblur", "demo-uniform"] = Cost(remark="why", is_known=False)
    rows = fitting(plan, estimates, 100)
    assert [(row["fit"], row["remark"]) for row in rows] == [(4, ""), ("unknown", "why"), (4, "")]
    assert costs(plan, estimates)[-1]["remark"] == "more: parts of 1 rows are not known"


def test_without_measurements_nothing_is_claimed(plan, tmp_path):
    unknown = Estimates(plan, Calibration(tmp_path, seconds=0.0))
    assert {cost.remark for cost in unknown.restorations.values()} == {LATER}
    assert costs(plan, unknown)[-1]["remark"] == "more: parts of 5 rows are not known"
    assert costs(plan, unknown)[-1]["CPU cores"] == "over 0 s"


def test_images_that_cannot_be_read_and_weights_that_are_not_here_are_told(tmp_path, monkeypatch):
    config = {**CONFIG, "methods": {"mimo": {"weights": str(tmp_path)}, "blurry": {}}}
    plan = make_plan(config, "x.yaml")
    calibration = Calibration(tmp_path / "cache", seconds=600.0)
    found = Estimates(plan, calibration).restorations["mimo", "demo-uniform"]
    assert found.is_known
    assert found.seconds == 0
    assert "mimo" in found.remark

    def fail(*arguments):
        raise InputError("damaged")

    calibration = Calibration(tmp_path / "other", seconds=600.0)
    with monkeypatch.context() as patch:
        patch.setattr("benchmark.planning.work.make_case", fail)
        unreadable = Estimates(plan, calibration)
    assert {cost.remark for cost in unreadable.restorations.values()} == {UNREADABLE}
    assert Estimates(plan, calibration).restorations["blurry", "demo-uniform"].is_known  # once they are here


@pytest.mark.parametrize(("text", "seconds"), [("90min", 5400), ("2h", 7200), (" .5 d", 43_200), ("7s", 7)])
def test_a_duration_has_a_unit(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0h", "0.0s", "-1h", "2", "h", "two hours", "1e9h", "nanh"])
def test_a_budget_of_nothing_or_nonsense_is_refused(text):
    with pytest.raises(InputError, match=f"^--budget {text}: give a time such as 90min, 2h or 1.5d$"):
        duration(text)
