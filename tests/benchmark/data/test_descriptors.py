"""Descriptors of datasets: what is right makes cases, what is wrong is named."""

import pytest
import yaml

from benchmark.core.errors import InputError
from benchmark.core.schema import read_yaml
from benchmark.data.cases import make_case
from benchmark.data.descriptors import FOLDER, find_dataset
from benchmark.data.synthesis import observe

SHAKE = {"size": 21, "extent": [8, 14], "roll": 2.0, "speed": "constant"}


def write_descriptor(folder, **changes):
    content = read_yaml(FOLDER / "demo-uniform.yaml")
    case = content["cases"][0]
    case.update(changes.pop("case", {}))
    content.update(changes)
    (folder / "x.yaml").write_text(yaml.safe_dump(content))
    return find_dataset("x", folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"titel": "x"}, "unknown key 'titel'. Did you mean 'title'?"),
        (
            {"noise": [{"kind": "gausian"}]},
            "noise[0].kind: unknown value 'gausian'. Did you mean 'gaussian'?",
        ),
        (
            {"case": {"photograph": "camra"}},
            "cases[0].photograph: unknown value 'camra'. Did you mean 'camera'?",
        ),
        ({"case": {"declared_size": -3}}, "cases[0]"),
        (
            {"case": {"kernel": {"shake": SHAKE | {"extent": [8, 10**6]}}}},
            "extent[1]: 1000000 is too large: at most 999 is allowed",
        ),
        ({"case": {"id": "astronaut"}}, "cases[1].id: 'astronaut' is there twice"),
    ],
)
def test_a_wrong_descriptor_is_named(tmp_path, changes, message):
    with pytest.raises(InputError) as caught:
        write_descriptor(tmp_path, **changes)
    assert str(caught.value).startswith(str(tmp_path / "x.yaml"))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("lost", "given", "message"),
    [
        ("count", {}, "files: one of the keys 'count', 'first' is needed"),
        ("find", {}, "files: one of the keys 'find', 'ids', 'declared_sizes' is needed"),
        ("", {"ids": "x.txt"}, "files: 'find' and 'ids' cannot go together; keep one"),
    ],
)
def test_keys_that_need_or_exclude_each_other_are_named(tmp_path, lost, given, message):
    content = read_yaml(FOLDER / "gopro.yaml")
    content["files"] = {key: value for key, value in content["files"].items() if key != lost} | given
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(InputError) as caught:
        find_dataset("x", tmp_path)
    assert str(caught.value) == f"{tmp_path / 'x.yaml'}: {message}"


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ({"kernel": {"trajectory": 12}}, "odd size"),
        ({"crop": {"top": 0, "left": 0, "height": 64, "width": 64}}, "leaves the photograph"),
        ({"crop": {"top": 100, "left": 100, "height": 9, "width": 9}}, "larger than the image"),
    ],
)
def test_a_case_that_cannot_be_made_says_why(tmp_path, case, message):
    dataset = write_descriptor(tmp_path, case=case)
    with pytest.raises(InputError, match=message):
        observe(make_case(dataset, "camera", 0), 0)


def test_observations_depend_on_the_seed_and_nothing_else():
    dataset = find_dataset("demo-uniform")
    first, again, other = (observe(make_case(dataset, "camera", seed), seed)[0] for seed in (0, 0, 1))
    assert first.blurry.tobytes() == again.blurry.tobytes()
    assert first.blurry.tobytes() != other.blurry.tobytes()
    assert first.blurry.shape == (1, 128, 128)
    assert first.kernel_size == (13, 13)


def test_the_blurry_image_is_the_scene_blurred_in_the_frame_of_the_sharp_one():
    case = make_case(find_dataset("demo-uniform"), "astronaut", 0)
    observation, truth = observe(case, 0)
    assert observation.blurry.shape == truth.sharp.shape == (3, 160, 160)
    residual = observation.blurry - truth.sharp
    assert abs(residual.mean()) < 2e-3  # blur keeps brightness
    assert 0.01 < residual.std() < 0.1
