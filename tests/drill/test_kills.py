"""A rehearsal of the kills of `make drill`, and what the drill promises of itself."""

import pytest

from tests.drill.field import SCENES, Field, differences, serving, without_times
from tests.drill.kills import SAME, SIGNALS, VICTIMS, Kill, carry_out

REHEARSED = ("download", "synthesize")  # the ones that take seconds


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """The copy of the code, with a server."""
    field = Field(tmp_path_factory.mktemp("drill") / "field")
    with serving(field):
        yield field


def test_killed_commands_continue_to_the_same_bytes(field):
    runs = field.undisturbed([scene for scene in SCENES if scene.name in REHEARSED])
    drawn = (Kill.drawn(0, number) for number in range(200))
    kills = {kill.scene.name: kill for kill in drawn if kill.scene.name in REHEARSED}
    for name, kill in kills.items():
        outcome = carry_out(kill, field, runs[name])
        assert outcome.hit
        assert outcome.result == SAME


def test_each_kill_is_the_same_whenever_it_is_drawn_and_all_kinds_occur():
    kills = [Kill.drawn(0, number) for number in range(100)]
    assert kills == [Kill.drawn(0, number) for number in range(100)]
    assert kills != [Kill.drawn(1, number) for number in range(100)]
    assert {(kill.signal, kill.victim) for kill in kills} == {(s, v) for s in SIGNALS for v in VICTIMS}
    assert {kill.scene.name for kill in kills} == {scene.name for scene in SCENES}


def test_results_are_compared_without_times_and_with_all_else(tmp_path):
    path = tmp_path / "run.json"
    path.write_text('{"status": "ok", "seconds": 1.5, "of": [{"minutes": 2, "steps": 3}]}')
    before = {"run.json": without_times(path)}
    path.write_text('{"status": "ok", "seconds": 9.5, "of": [{"minutes": 7, "steps": 3}]}')
    assert differences(before, {"run.json": without_times(path)}) == []
    path.write_text('{"status": "ok", "seconds": 1.5, "of": [{"minutes": 2, "steps": 4}]}')
    assert differences(before, {"run.json": without_times(path)}) == ["run.json: other bytes"]
    assert differences(before, {"x": b""}) == ["run.json: lost", "x: new"]
