"""The default of every setting is the one in `defaults.yaml`, which says where it is printed."""

import pytest
import yaml

from methods.parts import registry
from methods.training import registry as trainings
from tests.conftest import ROOT
from tests.methods.tiny import defaults

TABLE = yaml.safe_load((ROOT / "tests" / "methods" / "defaults.yaml").read_text())
REGISTERED = {"methods": registry.built_in(), "trainings": trainings.built_in()}
EVERY = [(kind, name) for kind, registered in REGISTERED.items() for name in registered]


def printed(kind, name):
    """setting -> (value, source) of one method or training, from all blocks that name it."""
    rows = {}
    for block in TABLE[kind]:
        if name in block["of"]:
            assert not rows.keys() & block["defaults"].keys(), f"{name}: two blocks have the same setting"
            rows |= block["defaults"]
    return rows


def as_list(value):
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize(("kind", "name"), EVERY, ids=[name for _, name in EVERY])
def test_every_default_is_the_one_in_the_table(kind, name):
    values = {setting: value for setting, (value, _) in printed(kind, name).items()}
    registered = defaults(REGISTERED[kind][name].settings)
    assert {setting: as_list(value) for setting, value in registered.items()} == values
    # 1 == 1.0 == True: a changed type is a changed default, too.
    assert all(type(as_list(value)) is type(values[setting]) for setting, value in registered.items())


@pytest.mark.parametrize("kind", REGISTERED)
def test_the_table_names_what_is_registered(kind):
    named = {name for block in TABLE[kind] for name in block["of"]}
    assert named == REGISTERED[kind].keys()


@pytest.mark.parametrize(("kind", "name"), EVERY, ids=[name for _, name in EVERY])
def test_every_value_has_a_source(kind, name):
    for setting, (_, source) in printed(kind, name).items():
        assert len(source) > 5, f"{name}: {setting} has no source"
        assert source != "ours", f"{name}: {setting} does not say why it is ours"
