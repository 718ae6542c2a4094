"""Names of methods, `<method>` or `<method>@<setting>`, and their titles in tables and figures."""

from collections.abc import Mapping

import pandas as pd

from benchmark.core.errors import InputError
from methods.parts import registry
from methods.parts.presets import Preset
from methods.parts.settings import required_keys


def base_method(name: str) -> registry.Method:
    """Find the method behind `<method>` or `<method>@<setting>`. Raises InputError when there is none."""
    return registry.find(name.partition("@")[0])


def preset_of(name: str) -> Preset:
    """Return the settings that `<method>@<setting>` starts from: those of the preset of this name, if any.

    >>> preset_of("selfdeblur@quick")["channels"], preset_of("selfdeblur@wide")
    (32, {})
    """
    base, _, setting = name.partition("@")
    return base_method(base).presets.get(setting, {})


def require_preset(name: str) -> None:
    """Raise InputError unless `name` is a method or a preset of one: only configs make other variants."""
    base, _, setting = name.partition("@")
    presets = base_method(base).presets
    if "@" in name and setting not in presets:
        there_are = f"its presets: {', '.join(presets)}" if presets else "it has none"
        raise InputError(f"{base} has no preset '{setting}'; {there_are}")


Titles = Mapping[str, str]  # a config's titles, by method
NO_TITLES: Titles = {}


def method_title(name: str, titles: Titles = NO_TITLES) -> str:
    """Return the title of `<method>` or `<method>@<setting>`: that of the config, else the method's own.

    >>> method_title("selfdeblur@wide")
    'SelfDeblur (wide)'
    >>> method_title("selfdeblur@wide", {"selfdeblur@wide": "SelfDeblur, 256 channels"})
    'SelfDeblur, 256 channels'
    """
    if name in titles:
        return titles[name]
    base, _, setting = name.partition("@")
    return base_method(base).title + (f" ({setting})" if setting else "")


def find_method(method: str) -> registry.Method | None:
    """Find the method behind a name; None when there is none, as for some rows of papers' tables."""
    try:
        return base_method(method)
    except InputError:
        return None


def is_control(method: str) -> bool:
    """Tell whether a method is a control: the floor or the ceiling of the tables."""
    return role_of(method) != "method"


def role_of(method: str) -> str:
    """Return 'method' or, for a control, 'floor' or 'ceiling'."""
    registered = find_method(method)
    return registered.role if registered else "method"


def is_made_elsewhere(method: str) -> bool:
    """Tell whether a method takes images or kernels that were made elsewhere: its settings must say where.

    >>> is_made_elsewhere("folder@theirs"), is_made_elsewhere("blurry")
    (True, False)
    """
    registered = find_method(method)
    return registered is not None and bool(required_keys(registered.settings))


def labelled(titles: Titles, weights: Mapping[str, str]) -> Titles:
    """Add the names of pre-trained weights to the titles of their methods: figures have no footnotes.

    Args:
        titles: the config's titles.
        weights: method to the label of its weights, as `weights_behind` gives it.
    """
    labels = {
        method: f"{method_title(method, titles)} [{short_label(label)}]" for method, label in weights.items()
    }
    return {**titles, **labels}


def short_label(label: str) -> str:
    """Leave size and training, which stand in brackets, out of the label of weights.

    >>> short_label("ufpnet-15 demo (16 channels, 12 blocks, 5,529 steps)")
    'ufpnet-15 demo'
    """
    return label.partition(" (")[0]


def training_of(label: str) -> str:
    """Return what the label of weights says of their training, without the name of the network.

    >>> training_of("ufpnet-15 demo (16 channels, 12 blocks, 5,529 steps)")
    'demo (16 channels, 12 blocks, 5,529 steps)'
    >>> training_of("nafnet official")
    'official'
    """
    return label.partition(" ")[2]


def weights_behind(runs: pd.DataFrame) -> dict[str, str]:
    """Find which methods ran with pre-trained weights.

    Args:
        runs: the content of runs.csv.

    Returns:
        Method to the labels of its weights, which say whether they are a demo's.
    """
    named = runs[runs.weights.fillna("") != ""]
    return {str(method): ", ".join(sorted(own.weights.unique())) for method, own in named.groupby("method")}
