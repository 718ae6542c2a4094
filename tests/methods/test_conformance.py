"""The contract of a method, tested for every registered one at tiny size: to register is to be tested.

Resuming has a file of its own, `test_resume.py`; so have the defaults, `test_defaults.py`.
"""

import dataclasses
from math import prod

import numpy as np
import pytest
import torch

from benchmark.core.types import InputError, KnownBlur, NotSupportedError, Observation, Status, Truth
from benchmark.runs.restore import Shard, restore_shard
from benchmark.runs.settings import effective
from benchmark.runs.store import Store, read_record
from benchmark.tools.method_pages import list_settings
from methods.parts import registry
from methods.parts.settings import default_part, keys_of
from methods.parts.solver import solve
from tests.methods.tiny import (
    CPU,
    METHODS,
    TINY,
    defaults,
    observe,
    overrides_of,
    places,
    settings_of,
    task,
)

GRID = (2, 2)


@pytest.fixture(params=sorted(METHODS))
def method(request):
    return METHODS[request.param]


def check(method, restoration, shape, nodes=1):
    """What every finished restoration promises; `nodes` are those of the grid of kernels."""
    assert restoration.status is Status.OK, restoration.reason
    assert restoration.reason == ""
    assert restoration.image.shape == shape
    assert restoration.image.dtype == np.float32
    assert 0 <= restoration.image.min() <= restoration.image.max() <= 1
    iterates = "iterations" in defaults(method.settings)
    assert restoration.iterations == (TINY["iterations"] if iterates else 0)
    if restoration.kernels is not None:
        check_kernels(restoration.kernels, nodes)


def check_kernels(kernels, nodes):
    count, h, w = kernels.shape
    assert count == nodes
    assert (h, w) == (5, 3) or min(h, w) > 5, "the declared size, or a larger one that a network has"
    assert (kernels >= 0).all()
    np.testing.assert_allclose(kernels.sum((1, 2)), 1, rtol=1e-5)


@pytest.mark.parametrize("shape", [(1, 31, 34), (3, 32, 31)])
def test_uniform_blur_gives_an_image_and_at_most_one_kernel(method, shape, restore):
    check(method, restore(method, observe(shape))["case"], shape)


DECLINING = sorted(name for name, method in METHODS.items() if "nonuniform" not in method.blur_models)


@pytest.mark.parametrize("name", DECLINING)
def test_nonuniform_blur_is_declined_where_it_is_not_claimed(name, weights, tmp_path):
    method, observation = METHODS[name], observe(grid=GRID)
    store = Store(tmp_path)
    store.write_observation(observation, Truth("group"))
    overrides = overrides_of(method, **places(method, tmp_path, weights))
    restore_shard(store, Shard("test", name, ["case"], 0, 0, 0, overrides), CPU, lambda progress: None)
    record = read_record(store.case_folder("test", name, 0, "case"))
    assert record["status"] == Status.NOT_SUPPORTED.value
    assert record["reason"] == f"{name} does not treat nonuniform blur"


@pytest.mark.parametrize("name", sorted(METHODS.keys() - set(DECLINING)))
def test_nonuniform_blur_gives_at_most_a_kernel_for_each_node(name, restore):
    observation = observe((1, 36, 40), grid=GRID)
    check(METHODS[name], restore(METHODS[name], observation)["case"], (1, 36, 40), nodes=prod(GRID))


def test_twice_the_same_is_the_same_to_the_byte(method, restore):
    grids = [GRID] if "nonuniform" in method.blur_models else []
    for grid in (None, *grids):
        first, second = (restore(method, observe((1, 36, 40), grid=grid))["case"] for _ in range(2))
        assert first.image.tobytes() == second.image.tobytes()
        if first.kernels is not None:
            assert first.kernels.tobytes() == second.kernels.tobytes()


def test_a_case_does_not_depend_on_the_others(method, restore):
    alone = restore(method, observe(case="b"))["b"]
    together = restore(method, observe(case="a!"), observe(case="b"), observe(case="ccc"))["b"]
    assert alone.image.tobytes() == together.image.tobytes()


def test_snapshots_change_nothing_and_the_last_is_the_image(method, restore, weights, tmp_path):
    plain = restore(method, observe())["case"]
    settings = settings_of(method, **places(method, tmp_path, weights))
    ((_, kept),) = solve([task(method, observe(), settings, snapshots=(1, 2, 3))])
    assert kept.image.tobytes() == plain.image.tobytes()
    if plain.kernels is not None:
        assert kept.kernels.tobytes() == plain.kernels.tobytes()
    assert [snapshot.iteration for snapshot in kept.snapshots] == [1, 2, 3][: kept.iterations]
    for snapshot in kept.snapshots[2:]:
        np.testing.assert_array_equal(snapshot.image, np.round(255 * plain.image))


def test_leaves_global_state_alone(method, restore):
    rng, threads, dtype = torch.get_rng_state(), torch.get_num_threads(), torch.get_default_dtype()
    numpy_state = np.random.get_state()[1].copy()
    restore(method, observe())
    assert torch.equal(rng, torch.get_rng_state())
    assert (torch.get_num_threads(), torch.get_default_dtype()) == (threads, dtype)
    assert (np.random.get_state()[1] == numpy_state).all()


@pytest.mark.parametrize(
    ("shape", "kernel_size"),
    [
        ((1, 1, 1), (1, 1)),
        ((1, 5, 40), (5, 3)),  # narrower than any generator's kernels
        ((1, 33, 35), (4, 6)),  # an even kernel has no centre
        ((1, 33, 35), (33, 35)),  # as large as the image
        ((1, 78, 79), (77, 77)),  # larger than any generator's kernels
    ],
    ids=["one-pixel", "strip", "even", "image", "large"],
)
def test_unusual_sizes_are_restored_or_declined_with_a_reason(method, shape, kernel_size, restore):
    pixels = np.random.default_rng(0).random(shape, dtype=np.float32)
    restoration = restore(method, Observation("test", "case", pixels, kernel_size))["case"]
    assert restoration.status in (Status.OK, Status.NOT_SUPPORTED, Status.WEIGHTS_MISSING), restoration.reason
    if restoration.status is Status.OK:
        assert restoration.image.shape == shape
        assert np.isfinite(restoration.image).all()
    else:
        assert restoration.reason


def test_an_undeclared_kernel_size_is_found_out_or_declined(method, restore):
    observation = observe(kernel_size=None)
    if method.needs_true_kernels:
        observation = KnownBlur(**vars(observation), kernels=None)
    restoration = restore(method, observation)["case"]
    assert restoration.status in (Status.OK, Status.NOT_SUPPORTED), restoration.reason
    assert bool(restoration.reason) == (restoration.status is not Status.OK)


def test_only_controls_are_given_the_true_kernels(method):
    assert not method.needs_true_kernels or method.role == "ceiling"


def test_says_where_it_comes_from(method):
    assert method.name == method.name.lower()
    assert method.title
    assert method.paper
    assert method.licence
    assert method.blur_models
    assert dataclasses.is_dataclass(method.settings)


def test_unknown_settings_are_refused(method):
    with pytest.raises(InputError, match=r"^methods\.x: unknown setting 'iteration_count'"):
        effective(method.settings, {"iteration_count": 3}, "methods.x")


def test_settings_of_another_type_are_refused(method):
    for name, value in defaults(method.settings).items():
        with pytest.raises(InputError, match=rf"^methods\.x\.\S*{name}"):
            effective(method.settings, {name: {"not": "a value"}}, "methods.x")
        if isinstance(value, int | float):
            with pytest.raises(InputError, match=rf"^methods\.x\.\S*{name}"):
                effective(method.settings, {name: "much"}, "methods.x")


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf")])
def test_rates_weights_and_counts_that_cannot_be_are_refused(method, wrong):
    """Every number that a method can be given is one of these, and the message names it."""
    for name, value in defaults(method.settings).items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (number or name == "kernel_rate"):
            continue
        with pytest.raises(InputError, match=name) as caught:
            effective(method.settings, {name: wrong}, "methods.x")
        assert "has no effect" not in str(caught.value)


def parts_of(settings):
    """The class of settings and those of its parts."""
    yield settings
    for field in dataclasses.fields(settings):
        part = default_part(field)
        if part is not None:
            yield from parts_of(type(part))


def test_settings_are_frozen_and_inherit_once_at_most(method):
    for part in parts_of(method.settings):
        assert part.__dataclass_params__.frozen
        assert len(part.__mro__) <= 3, f"{part} inherits from more than one class"  # itself, one, object


def test_every_setting_has_a_comment_that_says_what_it_is(method):
    for row in list_settings(method.name):
        assert len(row["meaning"]) > 5, row["setting"]


def test_every_key_is_that_of_one_setting(method):
    keys = keys_of(method.settings)
    assert len(keys) == len(set(keys))


def test_unknown_names_get_a_hint():
    with pytest.raises(InputError, match="Did you mean 'selfdeblur'"):
        registry.find("selfdebur")


class Plugin:
    """An entry point as importlib.metadata has it."""

    def __init__(self, content):
        self.content = content

    def load(self):
        return self.content


@pytest.mark.parametrize("valid", [True, False])
def test_other_packages_can_add_methods(monkeypatch, valid):
    class Plugins(dict):
        names = property(set)

    content = METHODS["blurry"] if valid else object()
    monkeypatch.setattr(registry, "entry_points", lambda **_: Plugins(mine=Plugin(content)))
    if valid:
        assert registry.find("mine") is content
    else:
        with pytest.raises(InputError, match="'mine'"):
            registry.find("mine")


def test_declining_is_an_exception_with_a_sentence():
    method = METHODS["selfdeblur"]
    with pytest.raises(NotSupportedError, match="declared kernel size"):
        method.problem(observe(kernel_size=None), settings_of(method), torch.Generator(), CPU)
