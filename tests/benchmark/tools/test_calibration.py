"""Measurements of this machine are made once, and only as long as there is time."""

import json

import pytest

from benchmark.tools import calibration
from benchmark.tools.calibration import FILE, Calibration


@pytest.fixture(autouse=True)
def time_to_measure(monkeypatch):
    monkeypatch.setattr(calibration, "SECONDS", 20.0)


def fail():
    raise AssertionError("measured again")


def test_what_was_measured_is_kept_for_this_machine_alone(tmp_path):
    first = Calibration(tmp_path)
    assert first.recall({"what": "a"}, lambda: (1.5, 2)) == [1.5, 2]
    first.save()
    second = Calibration(tmp_path)
    assert second.recall({"what": "a"}, fail) == [1.5, 2]
    assert second.recall({"what": "b"}, lambda: 3) == 3
    assert Calibration(tmp_path, again=True).recall({"what": "a"}, lambda: 9) == 9
    content = json.loads((tmp_path / FILE).read_text())
    content["machine"]["cpu"] = "another"
    (tmp_path / FILE).write_text(json.dumps(content))
    assert Calibration(tmp_path).recall({"what": "a"}, lambda: 4) == 4


def test_without_time_only_what_is_known_is_given(tmp_path):
    known = Calibration(tmp_path)
    known.recall({"what": "a"}, lambda: 1)
    known.save()
    without = Calibration(tmp_path, seconds=0.0)
    assert without.recall({"what": "a"}, fail) == 1
    assert without.recall({"what": "b"}, fail) is None
    (tmp_path / FILE).unlink()
    without.save()
    assert not (tmp_path / FILE).exists()  # nothing new


def test_time_that_was_used_is_gone(tmp_path, monkeypatch):
    clock = iter([0.0, 3.0, 3.0, 8.0])
    monkeypatch.setattr(calibration, "_used", lambda: next(clock))
    limited = Calibration(tmp_path, seconds=7.0)
    assert limited.recall({"what": "a"}, lambda: 1) == 1
    assert limited.recall({"what": "b"}, lambda: 2) == 2
    assert limited.recall({"what": "c"}, fail) is None


@pytest.mark.parametrize("content", ["", "[]", "{", '{"machine": {}}', '{"machine": 1, "measured": 2}'])
def test_a_damaged_file_is_as_none(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    assert Calibration(tmp_path).recall({"what": "a"}, lambda: 1) == 1


def test_a_folder_that_cannot_be_made_keeps_nothing(tmp_path):
    (tmp_path / "file").touch()
    measured = Calibration(tmp_path / "file" / "below")
    assert measured.recall({"what": "a"}, lambda: 1) == 1
    measured.save()
