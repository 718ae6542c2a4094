"""The settings of a method, as a config gives them."""

from dataclasses import make_dataclass
from typing import Literal

import pytest

from benchmark.core.errors import InputError
from benchmark.runs.settings import changed, effective, method_settings
from methods.parts.settings import compose, flat
from methods.selfdeblur import METHOD, Settings


def test_settings_take_yaml_values():
    settings = effective(Settings, {"iterations": 7, "milestones": [0.5], "image_rate": 1}, "x")
    schedule = settings.schedule
    assert (schedule.iterations, schedule.milestones, schedule.image_rate) == (7, (0.5,), 1.0)


def test_an_unknown_warm_start_is_one_line_that_names_the_setting():
    with pytest.raises(InputError, match=r"^methods.x: start: unknown method 'l0-gard'. Did you mean"):
        effective(Settings, {"start": "l0-gard"}, "methods.x")


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        (int, 1.5, "a whole number is needed, not 1.5"),
        (int | None, True, "a whole number is needed, not true"),
        (float, False, "a number is needed, not false"),
        (tuple[float, ...], [0.5, True], "key[1]: a number is needed, not true"),
        (bool, 1, "true or false is needed, not 1"),
        (int | None, "x", "a whole number is needed, not 'x'"),
        (float, None, "a number is needed, not nothing"),
        (bool, "maybe", "true or false is needed, not 'maybe'"),
        (str, 3, "a text is needed, not 3"),
        (tuple[int, ...], 4, "a list is needed, not 4"),
        (tuple[float, ...], [1.0, "fast"], "a number is needed, not 'fast'"),
        (tuple[float, float], [1.0], "one more entry is needed"),
        (tuple[float, float], [1.0, 2.0, 3.0], "2 entries are needed, not 3"),
        (Literal["zero", "circular"], "zeros", "unknown value 'zeros'. Did you mean 'zero'?"),
    ],
)
def test_a_value_of_another_type_is_refused_in_plain_words(kind, given, message):
    settings = make_dataclass("S", [("key", kind, None)], frozen=True)
    with pytest.raises(InputError) as caught:
        effective(settings, {"key": given}, "methods.x")
    assert str(caught.value).startswith("methods.x.key")
    assert message in str(caught.value)


def test_a_preset_is_what_its_name_starts_from_and_a_user_has_the_last_word():
    quick = METHOD.presets["quick"]
    assert method_settings("selfdeblur@quick", {}, "x") == compose(Settings, **quick)
    own = flat(method_settings("selfdeblur@quick", {"channels": 48, "scales": 4}, "x"))
    assert (own["channels"], own["scales"], own["iterations"]) == (48, 4, quick["iterations"])
    assert (
        method_settings("selfdeblur@other", {}, "x") == method_settings("selfdeblur", {}, "x") == Settings()
    )


def test_an_unknown_key_beside_a_preset_is_refused():
    with pytest.raises(
        InputError, match=r"^methods.selfdeblur@quick: unknown setting 'chanels'. Did you mean"
    ):
        method_settings("selfdeblur@quick", {"chanels": 8}, "methods.selfdeblur@quick")


def test_a_preset_may_lose_its_effect_but_not_what_a_user_gives():
    given = {"kernel_prior": "generator"}  # has no use for the preset's kernel_rate
    assert flat(method_settings("joint-fit@quick", given, "x"))["kernel_prior"] == "generator"
    with pytest.raises(InputError, match="'kernel_rate' has no effect"):
        method_settings("joint-fit@quick", {**given, "kernel_rate": 0.1}, "x")


@pytest.mark.parametrize("given", [{}, {"channels": 128}, {"iterations": 5000, "scales": 4}])
def test_what_changed_is_counted_from_the_preset(given):
    quick = METHOD.presets["quick"]
    values = flat(method_settings("selfdeblur@quick", given, "x"))
    assert changed(Settings, {**values, "milestones": [0.4, 0.6, 0.8]}, quick) == given
