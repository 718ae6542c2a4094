"""What `check` tells of a results folder, and what is removed so that the workflow makes it again."""

import json
import os
import time
from pathlib import Path

import pytest
import yaml

from benchmark.planning.plan import Plan
from benchmark.planning.upkeep import failed_cases, forget_failed, remove_altered, settle_times
from tests.benchmark.cli.conftest import CONFIG, HERE, RESULTS, assert_refused, write_plan

RESTORED = "restorations/demo-uniform/blurry/seed0"
SCORES = "scores/blurry/0.csv"


@pytest.fixture
def made(blindbench):
    """`blindbench` in a folder with the results of one method, from observations to a table."""
    Path("config.yaml").write_text(yaml.safe_dump({**CONFIG, "methods": {"blurry": {}}}))
    write_plan(methods={"blurry": {}})
    for step in (
        ("synthesize", "demo-uniform"),
        ("restore", "blurry"),
        ("score", "blurry"),
        ("collect",),
        ("table", "uniform"),
    ):
        code, _, error = blindbench(*step, *HERE)
        assert code == 0, error
    return blindbench


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def changed(path):
    path.write_text(path.read_text().replace('"seconds": ', '"seconds": 1'))


DAMAGE = [
    ("observations/demo-uniform/camera.npz", flip),
    ("observations/demo-uniform/astronaut.truth.npz", Path.unlink),
    ("observations/demo-uniform/manifest.json", Path.unlink),
    (f"{RESTORED}/camera/image.png", flip),
    (f"{RESTORED}/camera/image.png", Path.unlink),
    (f"{RESTORED}/astronaut/run.json", changed),
    (f"{RESTORED}/astronaut/run.json", Path.unlink),
    ("records/blurry/0.json", changed),
    (SCORES, cut),
    (SCORES, Path.unlink),
    ("scores.csv", cut),
    ("runs.csv", flip),
    ("tables/uniform.md", flip),
]


@pytest.mark.parametrize(("name", "damage"), DAMAGE)
def test_check_names_the_file_and_nothing_else(made, name, damage):
    damage(RESULTS / name)
    code, output, error = made("check", "--configfile", "config.yaml")
    assert (code, output) == (1, f"results/r/{name}: {'lost' if damage is Path.unlink else 'altered'}\n")
    assert error == "blindbench: damaged files: 1; `blindbench check --repair` makes them again\n"


def test_whole_results_and_those_that_are_not_finished_are_no_damage(made):
    whole = (0, "", "results/r: all files are whole\n")
    assert made("check", "--configfile", "config.yaml") == whole
    for name in ("tables/uniform.tex", "tables/uniform.md", "tables/uniform.csv", "scores.csv", "runs.csv"):
        (RESULTS / name).unlink()  # as if these were never made
    assert made("check", "--configfile", "config.yaml") == whole


def test_a_folder_that_is_not_there_or_in_use_is_named(blindbench):
    Path("config.yaml").write_text(yaml.safe_dump(CONFIG))
    refused = blindbench("check", "--configfile", "config.yaml")
    assert_refused(refused, "results/r: no such folder; `blindbench run` makes it")
    with Plan.read(write_plan().parent).claim_results():
        refused = blindbench("check", "--repair", "--configfile", "config.yaml")
    assert_refused(refused, "another run is working in results/r")


@pytest.mark.parametrize(("step", "name"), [("table", "scores.csv"), ("collect", SCORES)])
def test_a_cut_file_of_scores_is_not_read(made, step, name):
    cut(RESULTS / name)
    refused = made(*[step, "uniform"][: 2 if step == "table" else 1], *HERE)
    assert_refused(refused, f"results/r/{name}: damaged or altered since it was written; the next run")


def test_an_altered_file_goes_with_all_that_was_made_from_it(made):
    plan = Plan.read(RESULTS)
    assert remove_altered(plan) == []
    cut(RESULTS / SCORES)
    assert remove_altered(plan) == [RESULTS / SCORES]
    left = {path.relative_to(RESULTS).as_posix() for path in RESULTS.rglob("*.*") if path.suffix != ".sha256"}
    assert not left & {SCORES, "scores.csv", "runs.csv", "tables/uniform.csv", "tables/uniform.md"}
    assert "records/blurry/0.json" in left


def test_failed_cases_are_forgotten_with_all_that_was_made_from_them(made):
    plan, folder = Plan.read(RESULTS), RESULTS / RESTORED / "camera"
    assert failed_cases(plan) == {}
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | {"status": "diverged"}))
    assert failed_cases(plan) == {RESULTS / "records/blurry/0.json": [folder]}
    forget_failed(plan)
    for name in ("records/blurry/0.json", SCORES, "scores.csv", "tables/uniform.md"):
        assert not (RESULTS / name).exists()
    assert not (folder / "run.json").exists()
    assert (RESULTS / RESTORED / "astronaut" / "run.json").exists()
    assert failed_cases(plan) == {}


def test_times_in_the_future_are_set_so_that_contents_decide(made):
    plan = Plan.read(RESULTS)
    assert settle_times(plan) == 0
    tomorrow = time.time() + 86_400
    os.utime(RESULTS / "scores.csv", (tomorrow, tomorrow))
    assert settle_times(plan) == 1
    chain = ("observations/demo-uniform/manifest.json", "records/blurry/0.json", SCORES, "scores.csv")
    times = [(RESULTS / name).stat().st_mtime for name in (*chain, "tables/uniform.md")]
    assert times == sorted(times, reverse=True)
    assert times[0] < time.time()
