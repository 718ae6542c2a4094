"""The settings of a method, as a config gives them."""

import pytest

from benchmark.core.types import InputError
from benchmark.runs.settings import effective
from methods.selfdeblur import Settings


def test_settings_take_yaml_values():
    settings = effective(Settings, {"iterations": 7, "milestones": [0.5], "image_rate": 1}, "x")
    schedule = settings.schedule
    assert (schedule.iterations, schedule.milestones, schedule.image_rate) == (7, (0.5,), 1.0)


def test_an_unknown_warm_start_is_one_line_that_names_the_setting():
    with pytest.raises(InputError, match=r"^methods.x: warm_start: unknown method 'l0-gard'. Did you mean"):
        effective(Settings, {"warm_start": "l0-gard"}, "methods.x")
