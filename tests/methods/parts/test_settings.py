from dataclasses import dataclass

import pytest

from benchmark.core.errors import InputError
from benchmark.runs.settings import effective, kept_snapshots
from methods.parts import registry
from methods.parts.settings import change, compose, flat, keys_of, without_effect


@dataclass(frozen=True)
class Inner:
    depth: int = 3
    rates: tuple[float, ...] = (0.1, 0.2)


@dataclass(frozen=True)
class Part:
    inner: Inner = Inner()
    width: int = 8

    def __post_init__(self):
        if not self.width > 0:
            raise ValueError(f"width must be positive, not {self.width}")

    def without_effect(self):
        return {"depth": "width: 1"} if self.width == 1 else {}


@dataclass(frozen=True)
class Composition:
    path: str
    part: Part = Part(Inner(depth=5), width=64)
    iterations: int = 100

    def __post_init__(self):
        if self.part.width > self.iterations:
            raise ValueError("width must be at most the iterations")


def test_defaults_are_those_of_the_composition_and_not_of_the_parts():
    expected = {"path": "x", "depth": 5, "rates": (0.1, 0.2), "width": 64, "iterations": 100}
    assert flat(compose(Composition, path="x")) == expected
    assert flat(effective(Composition, {"path": "x", "rates": [1, 2]}, "m")) == expected | {
        "rates": (1.0, 2.0)
    }
    assert keys_of(Composition) == list(expected)


def test_changes_that_only_hold_together_are_made_together():
    settings = compose(Composition, path="x", iterations=10, width=10)
    assert flat(change(settings, width=20, iterations=30))["width"] == 20
    assert flat(effective(Composition, {"path": "x", "width": 9, "iterations": 9}, "m"))["iterations"] == 9
    with pytest.raises(ValueError, match="at most"):
        change(settings, width=20)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"widht": 3}, "m: unknown setting 'widht'. Did you mean 'width'?"),
        ({"part": 3}, "m: unknown setting 'part'."),
        ({"width": "wide"}, "m.width: a whole number is needed, not 'wide'"),
        ({"depth": 0.5}, "m.depth: a whole number is needed, not 0.5"),
        ({"rates": [0.1, "fast"]}, "m.rates[1]: a number is needed, not 'fast'"),
        ({"width": -1}, "m: width must be positive, not -1"),
        ({"width": 200}, "m: width must be at most the iterations"),
        ({"width": 1, "depth": 2}, "m: 'depth' has no effect with width: 1; change one of the two"),
    ],
)
def test_a_wrong_override_is_one_line_that_names_the_key(overrides, message):
    with pytest.raises(InputError) as caught:
        effective(Composition, {"path": "x", **overrides}, "m")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_an_unknown_key_is_refused_in_code_too():
    with pytest.raises(TypeError, match="unknown setting 'widht'"):
        compose(Composition, path="x", widht=3)
    with pytest.raises(TypeError, match="unknown setting 'part'"):
        change(compose(Composition, path="x"), part=Part())


def test_settings_without_effect_are_found_in_parts_and_refused_only_when_given():
    settings = compose(Composition, path="x", width=1)
    assert without_effect(settings) == {"depth": "width: 1"}
    assert effective(Composition, {"path": "x", "width": 1}, "m") == settings


def test_snapshots_are_kept_up_to_the_iterations_of_a_method():
    assert kept_snapshots(compose(Composition, path="x"), [300, 100, 10]) == [10, 100]
    assert kept_snapshots(Part(), [10]) == []


@pytest.mark.parametrize(
    ("method", "overrides", "key", "reason"),
    [
        (
            "robust-bid",
            {"kernel_prior": "network", "siren_width": 64},
            "siren_width",
            "kernel_prior: network",
        ),
        ("robust-bid", {"kernel_hidden": 64}, "kernel_hidden", "kernel_prior: siren"),
        ("robust-bid", {"data_term": "l1", "delta": 0.1}, "delta", "data_term: l1"),
        ("robust-bid", {"stop": "fixed", "patience": 3}, "patience", "stop: fixed"),
        ("dip-only", {"regulariser": "none", "regulariser_weight": 1.0}, "regulariser_weight", "none"),
        ("joint-fit", {"latent_rate": 1e-3}, "latent_rate", "kernel_prior: network"),
        ("joint-fit", {"kernel_prior": "generator", "kernel_rate": 1e-3}, "kernel_rate", "generator"),
        ("joint-fit", {"objective": "residual", "mse_share": 0.1}, "mse_share", "objective: residual"),
        ("joint-fit", {"patch": 9}, "patch", "objective: mse-ssim"),
        (
            "joint-fit",
            {"image_prior": "variational", "objective": "sparse", "patch": 9},
            "patch",
            "objective: sparse",
        ),
        ("blinddps", {"constant_step": 0.1}, "constant_step", "step_size: growing"),
        ("blinddps-glkm", {"late_share": 0.1}, "late_share", "latent_schedule: growing"),
    ],
)
def test_a_setting_that_the_chosen_parts_ignore_is_refused(method, overrides, key, reason):
    with pytest.raises(InputError, match=f"'{key}' has no effect with .*{reason}"):
        effective(registry.find(method).settings, overrides, method)
