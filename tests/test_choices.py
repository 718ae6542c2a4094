"""Settings that a run of ours chose are those with the best scores in the file that ships."""

import pandas as pd
import pytest

from benchmark.core.schema import read_yaml
from methods.parts import registry
from methods.parts.settings import flat
from tests.conftest import ROOT

RESULTS = ROOT / "docs" / "results"


@pytest.fixture(scope="module")
def best():
    """`best(prefix)`: the settings of the row with the highest mean PSNR among those whose names begin so."""
    config = read_yaml(ROOT / "config" / "diffusion-rates.yaml")
    scores = pd.read_csv(RESULTS / "diffusion-rates.csv")
    assert set(scores["method"]) == set(config["methods"])
    assert (scores["status"] == "ok").all()
    assert (scores.groupby("method")["case"].nunique() == scores["case"].nunique()).all()
    means = scores.groupby("method")["psnr"].mean()

    def find(prefix):
        return config["methods"][means[means.index.str.startswith(prefix)].idxmax()]

    return find


def default(method, setting):
    return flat(registry.built_in()[method].settings())[setting]


def test_the_rate_of_w_of_bird_glkm_is_the_best_on_the_held_out_faces(best):
    assert default("bird-glkm", "latent_rate") == best("bird-glkm@rate-")["latent_rate"]


def test_the_rate_of_w_of_blinddps_glkm_is_the_best_on_the_held_out_faces(best):
    chosen = best("blinddps-glkm@steps-100-")
    demo = read_yaml(ROOT / "config" / "diffusion.yaml")["methods"]["blinddps-glkm"]
    assert demo == chosen
    assert default("blinddps-glkm", "latent_rate") == pytest.approx(chosen["latent_rate"] / 10)
    assert default("blinddps-glkm", "latent_schedule") == chosen.get("latent_schedule", "growing")


def test_the_step_length_of_blinddps_at_demo_size_is_the_best_on_the_held_out_faces(best):
    demo = read_yaml(ROOT / "config" / "diffusion.yaml")["methods"]["blinddps"]
    assert demo == best("blinddps@steps-100")
