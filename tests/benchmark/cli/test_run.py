"""Verbs that run a config, and the steps of the workflow: restore, score, collect."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from benchmark.core.files import try_lock
from benchmark.planning.config import make_plan
from benchmark.planning.plan import Plan
from benchmark.runs import store
from benchmark.runs.names import base_method
from benchmark.runs.store import Store, read_record
from benchmark.scoring.metrics import METRICS
from tests.benchmark.cli.conftest import CONFIG, HERE, ONE_CASE, RESULTS, assert_refused, write_plan

RESTORE = ("restore", "demo-uniform", "selfdeblur", *HERE)
CAMERA = RESULTS / "restorations/demo-uniform/selfdeblur/seed0/camera"


def restore(method, dataset="demo-uniform"):
    return ("restore", dataset, method, *HERE)


def scores_of(method, dataset="demo-uniform", seed=0):
    return pd.read_csv(RESULTS / f"scores/{dataset}/{method}/seed{seed}.csv").set_index("metric")


def record(method, dataset="demo-uniform", case="camera"):
    return json.loads((RESULTS / f"restorations/{dataset}/{method}/seed0/{case}/run.json").read_text())


def test_the_plan_is_shown_and_written(blindbench):
    Path("config.yaml").write_text(yaml.safe_dump(CONFIG))
    code, output, _ = blindbench("plan", "config.yaml")
    assert code == 0
    assert output.splitlines()[2].split() == ["uniform", "demo-uniform", "2", "2"]
    assert not RESULTS.exists()
    assert blindbench("plan", "config.yaml", "--write")[0] == 0
    assert Plan.read(RESULTS) == make_plan(CONFIG, "config.yaml")


def test_a_config_goes_on_top_of_another(blindbench):
    Path("config.yaml").write_text(yaml.safe_dump(CONFIG))
    Path("seeds.yaml").write_text("seeds: [0, 1]\nmethods: {oracle: {}}\n")
    assert blindbench("plan", "config.yaml", "seeds.yaml", "--write")[0] == 0
    plan = Plan.read(RESULTS)
    assert (plan.seeds, list(plan.methods)) == ([0, 1], ["blurry", "selfdeblur", "oracle"])


def test_the_plan_of_a_run_that_goes_on_is_not_replaced(blindbench):
    Path("config.yaml").write_text(yaml.safe_dump(CONFIG))
    lock = try_lock(RESULTS / ".lock")
    assert lock is not None
    with lock:
        refused = blindbench("plan", "config.yaml", "--write")
    assert refused[0] == 2
    assert "another run is working in results/r" in refused[2]
    assert not (RESULTS / "plan.json").exists()


def test_a_shard_restores_its_own_cases_and_without_one_all_are_restored(synthesized):
    write_plan(shard_size=1)
    assert synthesized(*RESTORE, "--shard", 1)[0] == 0
    assert {path.parent.name for path in CAMERA.parent.glob("*/run.json")} == {"astronaut"}
    assert synthesized(*RESTORE)[0] == 0
    assert {path.name for path in CAMERA.parent.glob("*.json")} == {"shard0.json", "shard1.json"}
    assert_refused(synthesized(*RESTORE, "--shard", 2), "--shard 2: demo-uniform has 2, numbered from 0")


def test_metrics_without_weights_stay_empty_and_say_why(synthesized, monkeypatch, tmp_path):
    monkeypatch.delenv("BLINDBENCH_MIRROR", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "nothing here"))
    write_plan(metrics=["psnr", "ssim", "lpips", "vif", "niqe", "brisque", "piqe"], cases=ONE_CASE)
    assert synthesized(*restore("blurry"))[0] == 0
    code, _, error = synthesized("score", "demo-uniform", "blurry", *HERE)
    assert (code, error) == (0, "")
    scores = scores_of("blurry")
    empty = {"lpips-alex", "niqe", "brisque"}
    assert set(scores.index[scores.value.isna()]) == empty
    assert set(scores.index) - empty == {"psnr", "ssim", "vif", "piqe"}
    for name in empty:
        assert scores.note[name].startswith(f"weights of {name} not found: set BLINDBENCH_MIRROR, or put")
    assert scores.note.drop(empty).isna().all()
    assert not (tmp_path / "nothing here").exists()


def test_a_photograph_without_a_sharp_image_has_no_reference_scores_on_the_full_frame(blindbench):
    write_plan(datasets=["demo-real"], metrics=["psnr", "ssim", "lpips", "vif", "piqe"])
    for step in (("synthesize", "demo-real"), ("restore", "demo-real", "blurry")):
        assert blindbench(*step, *HERE)[0] == 0
    assert blindbench("score", "demo-real", "blurry", *HERE)[0] == 0
    scores = scores_of("blurry", "demo-real")
    image = store.read_restored_image(RESULTS / "restorations/demo-real/blurry/seed0/clock")
    assert scores.value["piqe"] == pytest.approx(METRICS["piqe"].function(image.astype(np.float64)))
    without = scores.drop("piqe")
    assert without.value.isna().all()
    assert set(without.note) == {"no sharp image exists"}


def test_a_finished_case_is_kept_and_an_altered_one_is_made_again(synthesized):
    synthesized(*RESTORE)
    first = (CAMERA / "image.png").read_bytes(), (CAMERA / "run.json").stat().st_mtime_ns
    synthesized(*RESTORE)
    assert ((CAMERA / "image.png").read_bytes(), (CAMERA / "run.json").stat().st_mtime_ns) == first
    (CAMERA / "image.png").write_bytes(b"altered")
    assert read_record(CAMERA) is None
    synthesized(*RESTORE)
    assert (CAMERA / "image.png").read_bytes() == first[0]
    (CAMERA / "run.json").write_text('{"status": "ok"}')
    assert synthesized(*RESTORE)[0] == 0
    assert read_record(CAMERA)["config_hash"]


def test_a_failed_case_is_tried_again_and_a_diverged_one_is_not(synthesized, tmp_path, monkeypatch):
    path = tmp_path / CAMERA / "run.json"

    def sabotage(error):
        monkeypatch.setattr(
            "methods.parts.fit.Fit.step", lambda self, iteration: (_ for _ in ()).throw(error)
        )

    with monkeypatch.context():
        sabotage(MemoryError("no room"))
        assert synthesized(*RESTORE)[0] == 0
    assert json.loads(path.read_text())["status"] == "out_of_memory"
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    synthesized(*RESTORE)
    first = json.loads(path.read_text())
    assert first["status"] == "ok"
    path.write_text(json.dumps(first | {"status": "diverged"}))
    synthesized(*RESTORE)
    assert json.loads(path.read_text())["status"] == "diverged"


def test_cases_are_not_forgotten_under_another_run(blindbench):
    lock = try_lock(Path("results/demo/.lock"))
    assert lock is not None
    with lock:
        assert_refused(blindbench("run", "--retry-failed"), "another run is working in results/demo")


def test_only_a_method_that_declares_the_need_is_given_the_true_kernels(synthesized, monkeypatch):
    given = {}

    def spied(name):
        def problem(observation, *arguments):
            given[name] = observation
            return method.problem(observation, *arguments)

        method = base_method(name)
        return dataclasses.replace(method, problem=problem)

    write_plan(methods={"blurry": {}, "oracle": {}}, cases=ONE_CASE)
    monkeypatch.setattr("benchmark.runs.restore.base_method", spied)
    for method in ("blurry", "oracle"):
        assert synthesized(*restore(method))[0] == 0
    assert not hasattr(given["blurry"], "kernels")
    truth = Store(RESULTS).read_truth("demo-uniform", "camera")
    np.testing.assert_array_equal(given["oracle"].kernels, truth.kernels)


def test_the_oracle_declines_real_photographs(blindbench):
    write_plan(datasets=["demo-real"], methods={"oracle": {}})
    for step in ("synthesize", "demo-real"), ("restore", "demo-real", "oracle"):
        assert blindbench(*step, *HERE)[0] == 0
    ended = record("oracle", "demo-real", "clock")
    assert (ended["status"], ended["reason"]) == (
        "not_supported",
        "the true kernel of this image is not known",
    )


def test_images_made_elsewhere_are_restored_again_when_they_change(synthesized, tmp_path):
    images = tmp_path / "made elsewhere"
    images.mkdir()
    Image.new("RGB", (160, 160)).save(images / "astronaut.png")
    write_plan(methods={"folder@matlab": {"path": str(images)}})
    assert synthesized(*restore("folder@matlab"))[0] == 0
    assert record("folder@matlab")["status"] == "not_supported"
    astronaut = record("folder@matlab", case="astronaut")
    assert astronaut["status"] == "ok"
    Image.new("L", (128, 128), 10).save(images / "camera.png")
    synthesized(*restore("folder@matlab"))
    first = record("folder@matlab")
    assert first["status"] == "ok"
    Image.new("L", (128, 128), 20).save(images / "camera.png")
    synthesized(*restore("folder@matlab"))
    assert record("folder@matlab")["provenance"]["weights"] != first["provenance"]["weights"]
    restored = RESULTS / "restorations/demo-uniform/folder@matlab/seed0/camera/image.png"
    assert Image.open(restored).getextrema() == (20, 20)
    assert record("folder@matlab", case="astronaut") == astronaut


def test_kernel_scores_are_taken_where_there_are_kernels(synthesized):
    methods = {**CONFIG["methods"], "oracle": {}}
    write_plan(methods=methods, cases=ONE_CASE, metrics=["kernel-similarity", "error-ratio"])
    for method in methods:
        synthesized(*restore(method))
        scored = synthesized("score", "demo-uniform", method, *HERE)
        assert scored[0] == 0, scored[2]
    scores = {name: scores_of(name) for name in methods}
    assert scores["oracle"].value["kernel-similarity"] == pytest.approx(1)
    assert scores["oracle"].value["error-ratio"] == pytest.approx(1)
    assert 0 < scores["selfdeblur"].value["kernel-similarity"] < 1
    assert scores["selfdeblur"].value["error-ratio"] > 1
    assert scores["blurry"].value.isna().all()
    assert set(scores["blurry"].note) == {"the method estimates no kernel"}


PLANNED = [
    (("synthesize", "demo-unifrom"), "the plan has no dataset 'demo-unifrom'. Did you mean 'demo-uniform'?"),
    (("synthesize", "demo-real"), "the plan has no dataset 'demo-real'. Known: demo-uniform."),
    (
        ("restore", "demo-uniform", "selfdebur"),
        "the plan has no method 'selfdebur'. Did you mean 'selfdeblur'?",
    ),
    (
        ("restore", "demo-uniform", "selfdeblur"),
        "camera.npz: no such file; run `blindbench synthesize` first",
    ),
    (("restore", "demo-uniform", "blurry", "--seed", 3), "the plan has no seed 3; it has 0"),
    (
        ("collect",),
        "results/r/restorations/demo-uniform/blurry/seed0/shard0.json: no such file; run `blindbench",
    ),
    (("table", "uniform"), "scores.csv: no such file; run the steps before this one"),
]


@pytest.mark.parametrize(("arguments", "message"), PLANNED)
def test_a_step_refuses_in_one_line(blindbench, arguments, message):
    write_plan()
    assert_refused(blindbench(*arguments, *HERE), message)


def test_a_step_tells_where_a_method_or_a_dataset_does_not_run(blindbench, tmp_path, monkeypatch):
    monkeypatch.setenv("BLINDBENCH_MIRROR", str(tmp_path))
    datasets = ["demo-uniform", "demo-real", "gopro"]
    write_plan(datasets=datasets, only={"selfdeblur": ["demo-real"]})
    refused = blindbench("restore", "demo-uniform", "selfdeblur", *HERE)
    assert_refused(refused, "the plan keeps selfdeblur to demo-real")
    assert_refused(blindbench("restore", "gopro", "blurry", *HERE), "gopro cannot run: there is no folder")


@pytest.mark.parametrize("step", ["synthesize demo-uniform", "collect", "table uniform", "figure uniform"])
def test_a_step_without_a_plan_says_how_to_get_one(blindbench, step):
    advice = "plan.json: no such file; run the workflow, or `blindbench plan CONFIG --write`, which writes it"
    assert_refused(blindbench(*step.split(), *HERE), advice)


def test_a_file_in_the_place_of_the_results_is_named(blindbench, tmp_path):
    (tmp_path / "results").touch()
    assert_refused(blindbench("run", "--cores", 1), "results: a file lies where a folder for results belongs")


def test_a_results_folder_may_be_moved(blindbench, tmp_path):
    write_plan()
    (tmp_path / RESULTS).rename(tmp_path / "elsewhere")
    refused = blindbench("collect", "--results", "elsewhere")
    assert_refused(refused, "blindbench: elsewhere/restorations/")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"config": {}}'])
def test_a_damaged_plan_is_named(blindbench, content):
    write_plan().write_text(content)
    assert_refused(
        blindbench("collect", *HERE), "results/r/plan.json: damaged, or written by another version"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "methods: {blurry: {}\nseeds: [0]\n",
            "config.yaml: line 2, column 1: not valid YAML (expected ',' or",
        ),
        ("methods:\n\tblurry: {}\n", "config.yaml: line 2, column 1: not valid YAML (found character"),
        ("- a\n", "config.yaml: a config is"),
        ("seeds: 0\n", "config.yaml: the key 'profile' is missing"),
    ],
)
@pytest.mark.parametrize("verb", ["plan", "run"])
def test_a_config_that_cannot_be_read_is_one_line(blindbench, verb, content, message):
    Path("config.yaml").write_text(content)
    given = ("--configfile",) if verb == "run" else ()
    assert_refused(blindbench(verb, *given, "config.yaml"), message)
    assert_refused(blindbench(verb, *given, "nothing.yaml"), "nothing.yaml: no such file")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("tabels", "unknown target 'tabels'. Did you mean 'tables'?"),
        ("glkm-fig44", "unknown target 'glkm-fig44'. Did you mean 'glkm-fig4'?"),
        ("results/demo/tables/unifrom.md", "Did you mean 'results/demo/tables/uniform.md'?"),
        ("results/other/tables/uniform.md", "unknown target 'results/other/tables/uniform.md'. Did"),
    ],
)
def test_a_mistyped_target_is_one_line(blindbench, target, message):
    assert_refused(blindbench("run", target), message)


def test_scores_need_restorations(synthesized):
    refused = synthesized("score", "demo-uniform", "blurry", *HERE)
    assert_refused(refused, "seed0/camera: not restored, or altered since; run `blindbench restore` first")


def test_a_damaged_observation_is_named(synthesized):
    (RESULTS / "observations/demo-uniform/camera.npz").write_bytes(b"hello")
    assert_refused(synthesized(*RESTORE), "camera.npz: damaged")


HEADER = "dataset,group,case,method,seed,protocol,metric,value,note\n"
ROW = "demo-uniform,camera,camera,blurry,0,shift-rgb,psnr"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("dataset,case\na,b\n", "seed0.csv: the column 'group' is missing"),
        (f"{HEADER}{ROW},23.7,\n{ROW},,none\n{ROW},27.l,\n", "seed0.csv: line 4: '27.l' is not a number"),
    ],
)
def test_an_edited_file_of_scores_is_named(synthesized, content, message):
    write_plan(methods={"blurry": {}})
    assert synthesized(*restore("blurry"))[0] == 0
    assert synthesized("score", "demo-uniform", "blurry", *HERE)[0] == 0
    (RESULTS / "scores/demo-uniform/blurry/seed0.csv").write_text(content)
    assert_refused(synthesized("collect", *HERE), message)


def test_a_results_folder_that_cannot_be_written_is_one_line(blindbench):
    write_plan()
    (RESULTS / "observations").write_text("")
    assert_refused(blindbench("synthesize", "demo-uniform", *HERE), "cannot be written")
