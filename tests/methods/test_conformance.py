"""The contract of a method, tested for every registered one at tiny size: to register is to be tested.

The checks are those of `blindbench check-method`. The defaults have a file of their own, `test_defaults.py`.
"""

from dataclasses import replace
from importlib.metadata import EntryPoints

import pytest
import torch

from benchmark.core.errors import InputError, NotSupportedError
from benchmark.core.types import Status, Truth
from benchmark.runs.restore import Shard, restore_shard
from benchmark.runs.shards import Part
from benchmark.runs.store import Store, read_record
from benchmark.tools.conformance import CPU, GRID, observe, promises_of
from methods.parts import registry
from methods.parts.candidates import PARTS
from methods.parts.choice import MERGES
from methods.parts.presets import QUICK, QUICK_BLIND
from methods.parts.settings import keys_of
from tests.methods.tiny import METHODS, TINY, defaults, overrides_of, places, settings_of


@pytest.mark.parametrize(
    ("name", "promise"),
    [(name, promise) for name in sorted(METHODS) for promise in promises_of(METHODS[name])],
    ids=str,
)
def test_every_method_keeps(name, promise, subject):
    promise.check(subject(METHODS[name]))


def steps_of(method):
    """How many steps of the solver a tiny run has."""
    names = defaults(method.settings)
    if "candidates" in names:
        return 1 + PARTS + 1 + len(MERGES) + 1  # two candidates, faint parts, means, the last polish
    return TINY["iterations"] if "iterations" in names else 0


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_takes_as_many_steps_as_its_settings_say(name, restore):
    assert restore(METHODS[name], observe())["case"].iterations == steps_of(METHODS[name])


DECLINING = sorted(name for name, method in METHODS.items() if "nonuniform" not in method.blur_models)


@pytest.mark.parametrize("name", DECLINING)
def test_nonuniform_blur_is_declined_where_it_is_not_claimed(name, weights, tmp_path):
    method, observation = METHODS[name], observe(grid=GRID)
    store = Store(tmp_path)
    store.write_observation(observation, Truth("group"))
    overrides = overrides_of(method, **places(method, tmp_path, weights))
    shard = Shard(name, [Part("test", 0, ["case"])], overrides=overrides)
    restore_shard(store, shard, CPU, lambda progress: None)
    record = read_record(store.case_folder("test", name, 0, "case"))
    assert record["status"] == Status.NOT_SUPPORTED.value
    assert record["reason"] == f"{name} does not treat nonuniform blur"


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

    content = replace(METHODS["blurry"], name="mine") if valid else object()
    monkeypatch.setattr(registry, "_plugins", lambda: Plugins(mine=Plugin(content)))
    if valid:
        assert registry.find("mine") is content
    else:
        with pytest.raises(InputError, match="'mine'"):
            registry.find("mine")


class Broken(Plugin):
    def load(self):
        return self.content()


def quits():
    raise ImportError("No module named\n'acme'")


@pytest.mark.parametrize(
    ("name", "plugin", "message"),
    [
        (
            "mine",
            Broken(quits),
            "'mine' of blindbench.methods cannot be loaded .ImportError: No module",
        ),
        (
            "mine",
            Broken(lambda: 1 / 0),
            "'mine' of blindbench.methods cannot be loaded .ZeroDivisionError",
        ),
        ("blurry", Plugin(METHODS["oracle"]), "'blurry' of blindbench.methods takes the name of a method"),
    ],
)
def test_plugins_that_cannot_be_used_are_refused_in_one_line(monkeypatch, name, plugin, message):
    class Plugins(dict):
        names = property(set)

    monkeypatch.setattr(registry, "_plugins", lambda: Plugins({name: plugin}))
    with pytest.raises(InputError, match=message) as caught:
        registry.find(name)
    assert "\n" not in str(caught.value)


def test_every_method_that_fits_an_image_network_has_a_quick_preset():
    fitted = {name for name, method in METHODS.items() if "precision" in keys_of(method.settings)}
    assert len(fitted) == 11
    for name in fitted:
        quick = QUICK_BLIND if "finish" in keys_of(METHODS[name].settings) else QUICK
        assert METHODS[name].presets["quick"].items() >= quick.items()


def test_installed_packages_are_searched_once_and_not_for_every_job(monkeypatch):
    searches = []
    monkeypatch.setattr(registry, "entry_points", lambda **group: searches.append(group) or EntryPoints())
    registry._plugins.cache_clear()
    for name in ("blurry", "oracle", "blurry"):
        registry.find(name)
    registry._plugins.cache_clear()
    assert searches == [{"group": "blindbench.methods"}]


def test_declining_is_an_exception_with_a_sentence():
    method = METHODS["selfdeblur"]
    with pytest.raises(
        NotSupportedError, match="needs a declared kernel size: give the dataset's descriptor a"
    ):
        method.problem(observe(kernel_size=None), settings_of(method), torch.Generator(), CPU)
