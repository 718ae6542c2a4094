"""What a results folder keeps, and what is forgotten."""

import dataclasses

import numpy as np
import pytest

from benchmark.data.cases import make_case
from benchmark.data.descriptors import find_dataset
from benchmark.data.synthesis import observe
from benchmark.runs import store
from benchmark.runs.store import Store


@pytest.fixture
def results(tmp_path):
    """A store with the observations of the demo's uniform cases."""
    results, dataset = Store(tmp_path), find_dataset("demo-uniform")
    for case in dataset.case_ids:
        results.write_observation(*observe(make_case(dataset, case, 0), 0))
    return results


def test_failed_cases_can_be_forgotten(tmp_path):
    folder = tmp_path / "restorations/d/m/seed0"
    for case, content in (("good", ("run.json", "image.png")), ("bad", ("run.json",))):
        (folder / case).mkdir(parents=True)
        for name in content:
            (folder / case / name).write_text("{}")
    (folder / "shard0.json").write_text("[]")
    assert store.forget_failed(tmp_path) == 1
    assert not (folder / "bad/run.json").exists()
    assert (folder / "good/run.json").exists()
    assert not (folder / "shard0.json").exists()
    assert store.forget_failed(tmp_path) == 0


def test_another_true_kernel_makes_the_oracle_stale(results):
    known = results.read_known_blur("demo-uniform", "camera")
    turned = dataclasses.replace(known, kernels=known.kernels[:, ::-1, ::-1])
    assert store.observation_hash(known) != store.observation_hash(turned)
    assert store.observation_hash(known) != store.observation_hash(
        results.read_observation("demo-uniform", "camera")
    )


def test_observations_survive_the_round_trip(results):
    written = results.read_observation("demo-uniform", "astronaut")
    assert written.blurry.shape == (3, 160, 160)
    assert written.blurry.dtype == np.float32
    assert (written.kernel_size, written.blur_model, written.boundary) == ((15, 15), "uniform", "valid")
    truth = results.read_truth("demo-uniform", "astronaut")
    assert truth.sharp.shape == (3, 160, 160)
    assert truth.kernels.shape == (1, 15, 15)
