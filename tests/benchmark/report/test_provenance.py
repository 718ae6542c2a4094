"""Where a number comes from: cases, values, settings, hashes, machine and command."""

import json
import shlex

import pandas as pd
import pytest

from benchmark.cli.main import app
from benchmark.core.errors import InputError
from benchmark.report.provenance import provenance
from tests.benchmark.report.conftest import CONFIG


def test_a_number_leads_to_its_cases_and_to_what_made_them(here):
    found = provenance(here, "demo-uniform", "selfdeblur", "psnr")
    scores = pd.read_csv(here / "scores.csv")
    own = scores[(scores.method == "selfdeblur") & (scores.metric == "psnr")]
    assert [(value.case, value.seed, value.value) for value in found.values] == list(
        zip(own.case, own.seed, own.value, strict=True)
    )
    record = json.loads(
        (here / "restorations/demo-uniform/selfdeblur/seed1/astronaut/run.json").read_text(encoding="utf-8")
    )
    (last,) = [value for value in found.values if (value.case, value.seed) == ("astronaut", 1)]
    assert (last.image_sha256, last.config_hash) == (record["image_sha256"], record["config_hash"])
    assert found.origin.title == CONFIG["titles"]["selfdeblur"]
    assert found.origin.protocol == "shift-rgb"
    assert found.origin.changed == CONFIG["methods"]["selfdeblur"]
    assert found.origin.settings["code_noise"] == 0.001  # a default
    assert found.origin.machines == [record["machine"]]
    assert found.origin.code == [record["provenance"]["code"]]
    assert (found.origin.weights, found.origin.cards) == ([], ())


def test_the_command_repeats_the_restorations(here):
    words = shlex.split(provenance(here, "demo-uniform", "selfdeblur", "ssim").origin.command)
    assert words[:5] == ["blindbench", "ship", "r.csv", "--results", "results/r"]
    assert words[6:] == ["blindbench", "verify", "r.csv", "--rows", "demo-uniform/selfdeblur/*"]


def test_the_command_is_one_that_runs(here, tmp_path, capsys):
    words = shlex.split(provenance(here, "demo-uniform", "blurry", "psnr").origin.command)
    ship, verify = words[1 : words.index("&&")], words[words.index("&&") + 2 :]
    file = str(tmp_path / "r.csv")
    for verb in (ship, verify):
        verb[verb.index("r.csv")] = file
        assert app(verb, standalone_mode=False) in (0, None)
    repeated = capsys.readouterr().out
    assert repeated.count("demo-uniform/blurry/") == 4 * 5  # status, observation, image and two scores
    assert "differs" not in repeated


def test_a_missing_number_says_why(here):
    found = provenance(here, "demo-uniform", "ufpnet", "psnr")
    assert {value.status for value in found.values} == {"weights_missing"}
    assert all("nowhere" in value.reason for value in found.values)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("demo-unifrm", "selfdeblur", "psnr"), "Did you mean 'demo-uniform'"),
        (("demo-uniform", "selfdeblr", "psnr"), "Did you mean 'selfdeblur'"),
        (("demo-uniform", "selfdeblur", "psrn"), "Did you mean 'psnr'"),
    ],
)
def test_what_is_not_there_is_refused_with_the_closest_name(here, names, message):
    with pytest.raises(InputError, match=message):
        provenance(here, *names)
