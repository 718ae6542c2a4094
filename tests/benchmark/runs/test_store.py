"""What a results folder keeps."""

import dataclasses

import numpy as np
import pytest

from benchmark.core.arrays import write_arrays
from benchmark.core.errors import InputError
from benchmark.core.types import Observation, Restoration, Status, Truth
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


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"blurry": None}, "it has no"),
        ({"blurry": np.zeros((0, 3, 3))}, "an array of the shape"),
        ({"blurry": np.array("text")}, "an array of the shape"),
        ({"blurry": np.full((1, 40, 40), np.nan)}, "no finite numbers"),
        ({"blurry": np.ones((1, 40, 40), complex)}, "no finite numbers"),
        ({"kernel_size": np.array(3)}, "len.. of unsized"),
        ({"grid": np.array([0, 1])}, "the grid must have nodes"),
        ({"boundary": np.array("nowhere")}, "'nowhere' is none of"),
    ],
)
def test_an_observation_with_other_arrays_is_refused_in_one_line(tmp_path, results, changes, reason):
    path = results.root / "observations/demo-uniform/camera.npz"
    with np.load(path) as file:
        arrays = {**file, **changes}
    copy = store.Store(tmp_path / "copy")
    write_arrays(
        copy.root / "observations/demo-uniform/camera.npz",
        **{name: array for name, array in arrays.items() if array is not None},
    )
    with pytest.raises(InputError, match=reason) as caught:
        copy.read_observation("demo-uniform", "camera")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK", b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'sh", b"x" * 99])
def test_a_file_that_holds_no_arrays_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "observations/d/c.truth.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"c\.truth\.npz: damaged \(") as caught:
        store.Store(tmp_path).read_truth("d", "c")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kernels", [np.zeros((0, 3, 3)), np.zeros((3, 3)), np.full((1, 3, 3), np.nan)])
def test_kernels_that_are_none_are_refused(tmp_path, kernels):
    write_arrays(tmp_path / "kernels.npz", kernels=kernels)
    with pytest.raises(InputError, match=r"kernels\.npz: damaged"):
        store.read_kernels(tmp_path)


@pytest.mark.parametrize("notes", [{}, {"candidates": [{"method": "a", "energy": 1.5}]}])
def test_a_record_keeps_what_the_method_noted_of_its_run(tmp_path, notes):
    restoration = Restoration(Status.OK, image=np.zeros((1, 2, 2), np.float32), notes=notes)
    store.write_restoration(tmp_path, restoration, {})
    assert store.read_record(tmp_path).get("notes", {}) == notes


@pytest.mark.parametrize("scale", [0.0, 1e200])
def test_true_kernels_that_do_not_sum_to_one_are_damage(tmp_path, scale):
    store = Store(tmp_path)
    observation = Observation("d", "c", np.zeros((1, 8, 8), np.float32), (3, 3))
    store.write_observation(observation, Truth("g", kernels=scale * np.full((1, 3, 3), 1 / 9)))
    with pytest.raises(InputError, match="kernels that do not sum to 1"):
        store.read_truth("d", "c")
