"""Names of methods, `<method>` or `<method>@<setting>`, and their titles in tables and figures."""

from collections.abc import Mapping

import pandas as pd

from benchmark.core.types import InputError
from methods.parts import registry


def base_method(name: str) -> registry.Method:
    """Find the method behind `<method>` or `<method>@<setting>`. Raises InputError when there is none."""
    return registry.find(name.partition("@")[0])


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


def labelled(titles: Titles, weights: Mapping[str, str]) -> Titles:
    """Add the labels of pre-trained weights to the titles of their methods: figures have no footnotes.

    Args:
        titles: the config's titles.
        weights: method to the label of its weights, as `weights_behind` gives it.
    """
    labels = {method: f"{method_title(method, titles)} [{label}]" for method, label in weights.items()}
    return {**titles, **labels}


def weights_behind(runs: pd.DataFrame) -> dict[str, str]:
    """Find which methods ran with pre-trained weights.

    Args:
        runs: the content of runs.csv.

    Returns:
        Method to the labels of its weights, which say whether they are a demo's.
    """
    named = runs[runs.weights.fillna("") != ""]
    return {str(method): ", ".join(sorted(own.weights.unique())) for method, own in named.groupby("method")}
