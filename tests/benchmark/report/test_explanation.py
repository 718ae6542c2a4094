"""`blindbench explain`: where a number of a table comes from, for a terminal."""

import re

import pandas as pd
import pytest

from benchmark.cli.main import app
from benchmark.core.errors import InputError


@pytest.fixture
def explained(here, capsys):
    """`explained(dataset, method, metric)` is the text of the verb."""

    def call(*names):
        app(["explain", *names, "--results", str(here)], standalone_mode=False)
        return capsys.readouterr().out

    return call


def test_the_number_is_the_tables_and_every_value_is_there(explained, here):
    text = explained("demo-uniform", "selfdeblur", "psnr")
    table = pd.read_csv(here / "tables/uniform.csv").set_index(["method", "metric"])
    assert f"mean {table.loc[('selfdeblur', 'psnr'), 'mean']:.2f} over 2 cases and 2 seeds" in " ".join(
        text.split()
    )
    scores = pd.read_csv(here / "scores.csv")
    own = scores[(scores.method == "selfdeblur") & (scores.metric == "psnr")]
    assert len(own) == 4
    for row in own.itertuples():
        assert re.search(rf"^{row.case} +{row.seed} +{row.value:.2f} +ok", text, re.MULTILINE)


def test_it_says_what_made_the_number_and_how_to_repeat_it(explained):
    text = explained("demo-uniform", "selfdeblur", "psnr")
    flat = " ".join(text.split())
    assert "settings that differ iterations: 4, channels: 4, skip_channels: 2, scales: 2" in flat
    assert "protocol shift-rgb: " in flat
    assert re.search(r"machine +\S.*threads?", text)
    assert re.search(r"versions +python 3", text)
    assert re.search(r"code +\S.*hash [0-9a-f]{12}", text)
    assert "blindbench verify r.csv --rows 'demo-uniform/selfdeblur/*'" in flat
    assert "run.json below results/r/restorations/demo-uniform/selfdeblur" in text


def test_a_missing_number_says_why(explained):
    text = explained("demo-uniform", "ufpnet", "psnr")
    assert re.search(r"mean +none: .*weights missing", text)
    assert "weights_missing" in text


def test_a_wrong_name_gets_a_hint(explained):
    with pytest.raises(InputError, match="Did you mean 'selfdeblur'"):
        explained("demo-uniform", "selfdebur", "psnr")
