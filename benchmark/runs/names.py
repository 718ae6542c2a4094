"""Names of methods: `<method>` or `<method>@<setting>`, and the words for them in tables and figures."""

from collections.abc import Mapping

import pandas as pd

from benchmark.core.types import InputError
from methods.parts import registry


def base_method(name: str) -> registry.Method:
    """The method behind `<method>` or `<method>@<setting>`."""
    return registry.find(name.partition("@")[0])


Titles = Mapping[str, str]  # method to the words for it, of a config


NO_TITLES: Titles = {}


def method_title(name: str, titles: Titles = NO_TITLES) -> str:
    """The words for `<method>` or `<method>@<setting>`: those in `titles`, else the method's own title."""
    if name in titles:
        return titles[name]
    base, _, setting = name.partition("@")
    return base_method(base).title + (f" ({setting})" if setting else "")


def find_method(method: str) -> registry.Method | None:
    """The method; None for one that does not exist (yet)."""
    try:
        return base_method(method)
    except InputError:
        return None


def is_control(method: str) -> bool:
    """Whether it is the floor or the ceiling of the tables."""
    return role_of(method) != "method"


def role_of(method: str) -> str:
    """'method', or which control."""
    found = find_method(method)
    return found.role if found else "method"


def labelled(titles: Titles, weights: Mapping[str, str]) -> Titles:
    """`titles` in which methods with pre-trained weights name them: for figures, which have no footnotes."""
    words = {method: f"{method_title(method, titles)} [{label}]" for method, label in weights.items()}
    return {**titles, **words}


def weights_behind(runs: pd.DataFrame) -> dict[str, str]:
    """Method to the labels of the pre-trained weights in its results, for those with any: see `labelled`.

    `runs` as runs.csv. A label says whether the weights are a demo's.
    """
    named = runs[runs.weights.fillna("") != ""]
    return {str(method): ", ".join(sorted(own.weights.unique())) for method, own in named.groupby("method")}
