"""Verbs that run a config, and the steps of the workflow: restore, score, collect."""

import dataclasses
import json
import shutil
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

RESTORE = ("restore", "selfdeblur", *HERE)
CAMERA = RESULTS / "restorations/demo-uniform/selfdeblur/seed0/camera"


def restore(method):
    return ("restore", method, *HERE)


def scores_of(method):
    return pd.read_csv(RESULTS / f"scores/{method}/0.csv").set_index("metric")


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


def test_the_plan_says_what_the_work_takes_and_what_fits_in_a_budget(blindbench, monkeypatch, tmp_path):
    Path("config.yaml").write_text(yaml.safe_dump({**CONFIG, "methods": {"blurry": {}}}))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("benchmark.tools.calibration.SECONDS", 600.0)
    code, output, _ = blindbench("plan", "config.yaml")
    assert code == 0
    work = [line.split()[:3] for line in output.splitlines()]
    assert ["blurry", "2", "1"] in work
    assert ["in", "all", "2"] in work
    assert "not measured" not in output
    assert list((tmp_path / "cache").rglob("calibration.json"))
    code, output, _ = blindbench("plan", "config.yaml", "--budget", "2h")
    assert code == 0
    assert ["blurry", "demo-uniform", "2", "2"] in [line.split()[:4] for line in output.splitlines()]
    refused = blindbench("plan", "config.yaml", "--budget", "0h")
    assert_refused(refused, "--budget 0h: give a time such as 90min, 2h or 1.5d")


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
    assert {path.name for path in RESULTS.glob("records/selfdeblur/*.json")} == {"0.json", "1.json"}
    refused = synthesized(*RESTORE, "--shard", 2)
    assert_refused(refused, "--shard 2: selfdeblur has 2, numbered from 0")


def test_results_do_not_depend_on_the_shard_size_and_finished_cases_are_kept(synthesized):
    outcomes = {}
    for size in (1, 2):
        write_plan(shard_size=size)
        assert synthesized(*RESTORE)[0] == 0
        assert synthesized("score", "selfdeblur", *HERE)[0] == 0
        files = [*CAMERA.parent.glob("*/image.png"), *CAMERA.parent.glob("*/kernels.npz")]
        scores = RESULTS / "scores/selfdeblur/0.csv"
        outcomes[size] = {file: file.read_bytes() for file in [*files, scores]}
        if size == 1:
            shutil.rmtree(CAMERA.parent)
    assert len(outcomes[1]) == 5
    assert outcomes[1] == outcomes[2]

    before = {file: file.stat().st_mtime_ns for file in CAMERA.parent.glob("*/*")}
    write_plan(shard_size=1)
    assert synthesized(*RESTORE)[0] == 0
    assert {file: file.stat().st_mtime_ns for file in CAMERA.parent.glob("*/*")} == before
    files = [RESULTS / f"records/selfdeblur/{number}.json" for number in (0, 1)]
    sizes = [len(json.loads(file.read_text())) for file in files]
    assert sizes == [1, 1]


def test_metrics_without_weights_stay_empty_and_say_why(synthesized, monkeypatch, tmp_path):
    monkeypatch.delenv("BLINDBENCH_MIRROR", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "nothing here"))
    monkeypatch.setattr("benchmark.scoring.iqa.data_folder", lambda: tmp_path / "nothing here")
    write_plan(metrics=["psnr", "ssim", "lpips", "vif", "niqe", "brisque", "piqe"], cases=ONE_CASE)
    assert synthesized(*restore("blurry"))[0] == 0
    code, _, error = synthesized("score", "blurry", *HERE)
    assert (code, error) == (0, "")
    scores = scores_of("blurry")
    assert set(scores.index) == {"psnr", "ssim", "lpips-alex", "vif", "niqe", "brisque", "piqe"}
    assert list(scores.index[scores.value.isna()]) == ["lpips-alex"]
    note = "weights of lpips-alex not found: blindbench download metric-weights --accept-terms"
    assert scores.note["lpips-alex"] == note
    assert scores.note.drop("lpips-alex").isna().all()
    assert not (tmp_path / "nothing here").exists()


def test_one_call_scores_several_methods_as_several_calls_do(synthesized):
    write_plan(methods={"blurry": {}, "oracle": {}}, cases=ONE_CASE)
    names = ("blurry", "oracle")
    for name in names:
        assert synthesized(*restore(name))[0] == 0
        assert synthesized("score", name, *HERE)[0] == 0
    files = [RESULTS / f"scores/{name}/0.csv" for name in names]
    apart = [file.read_bytes() for file in files]
    for file in files:
        file.unlink()
    assert synthesized("score", *names, *HERE)[0] == 0
    assert [file.read_bytes() for file in files] == apart


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("blurry", "orakel"), "the plan has no method 'orakel'. Did you mean 'oracle'?"),
        (("blurry", "oracle", "--shard", "0"), "--shard 0: name one method, not 2"),
    ],
)
def test_of_several_methods_all_are_known_and_scored_whole(synthesized, names, message):
    write_plan(methods={"blurry": {}, "oracle": {}}, cases=ONE_CASE)
    assert synthesized(*restore("blurry"))[0] == 0
    code, _, error = synthesized("score", *names, *HERE)
    assert (code, error.splitlines()[-1]) == (2, f"blindbench: {message}")
    assert not (RESULTS / "scores/blurry/0.csv").exists()


def test_a_photograph_without_a_sharp_image_has_no_reference_scores_on_the_full_frame(blindbench):
    write_plan(datasets=["demo-real"], metrics=["psnr", "ssim", "lpips", "vif", "piqe"])
    for step in (("synthesize", "demo-real"), ("restore", "blurry")):
        assert blindbench(*step, *HERE)[0] == 0
    assert blindbench("score", "blurry", *HERE)[0] == 0
    scores = scores_of("blurry")
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


def test_a_record_stays_when_its_files_come_out_again(synthesized):
    write_plan(methods={"blurry": {}})
    synthesized(*restore("blurry"))
    first = record("blurry")
    folder = RESULTS / "restorations/demo-uniform/blurry/seed0/camera"
    (folder / "run.json").write_text(json.dumps(first | {"seconds": 77}))
    (folder / "image.png").unlink()
    synthesized(*restore("blurry"))
    assert record("blurry")["seconds"] == 77
    assert (folder / "image.png").exists()


@pytest.mark.parametrize("name", ["kernels.npz", "trace.csv"])
def test_a_case_with_another_file_than_recorded_is_not_scored(synthesized, name):
    write_plan(cases=ONE_CASE)
    synthesized(*RESTORE)
    content = (CAMERA / name).read_bytes()
    (CAMERA / name).write_bytes(content[:-9] + bytes(9))
    assert read_record(CAMERA) is None
    refused = synthesized("score", "selfdeblur", *HERE)
    assert_refused(refused, "seed0/camera: not restored, or altered since")
    synthesized(*RESTORE)
    assert (CAMERA / name).read_bytes() == content


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
    for step in ("synthesize", "demo-real"), ("restore", "oracle"):
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
    write_plan(methods=methods, cases=ONE_CASE, metrics=["kernel-similarity", "error-ratio", "kernel-energy"])
    for method in methods:
        synthesized(*restore(method))
        scored = synthesized("score", method, *HERE)
        assert scored[0] == 0, scored[2]
    scores = {name: scores_of(name) for name in methods}
    assert scores["oracle"].value["kernel-similarity"] == pytest.approx(1)
    assert scores["oracle"].value["error-ratio"] == pytest.approx(1)
    assert 0 < scores["selfdeblur"].value["kernel-similarity"] < 1
    assert scores["selfdeblur"].value["error-ratio"] > 1
    assert 0 < scores["oracle"].value["kernel-energy"] < scores["selfdeblur"].value["kernel-energy"]
    assert scores["blurry"].value.isna().all()
    assert set(scores["blurry"].note) == {"the method estimates no kernel"}


PLANNED = [
    (("synthesize", "demo-unifrom"), "the plan has no dataset 'demo-unifrom'. Did you mean 'demo-uniform'?"),
    (("synthesize", "demo-real"), "the plan has no dataset 'demo-real'. Known: demo-uniform."),
    (("restore", "selfdebur"), "the plan has no method 'selfdebur'. Did you mean 'selfdeblur'?"),
    (("restore", "selfdeblur"), "camera.npz: no such file; run `blindbench synthesize` first"),
    (("collect",), "results/r/records/blurry/0.json: no such file; run `blindbench restore` first"),
    (("table", "uniform"), "scores.csv: no such file; run the steps before this one"),
]


@pytest.mark.parametrize(("arguments", "message"), PLANNED)
def test_a_step_refuses_in_one_line(blindbench, arguments, message):
    write_plan()
    assert_refused(blindbench(*arguments, *HERE), message)


def test_a_step_tells_where_a_method_or_a_dataset_does_not_run(blindbench, tmp_path, monkeypatch):
    monkeypatch.setenv("BLINDBENCH_MIRROR", str(tmp_path))
    datasets = ["demo-real", "gopro"]
    write_plan(datasets=datasets, only={"selfdeblur": ["gopro"]})
    for step in ("restore", "score"):
        refused = blindbench(step, "selfdeblur", *HERE)
        assert_refused(refused, "selfdeblur has no cases: none of its datasets can run; see")
    assert_refused(blindbench("synthesize", "gopro", *HERE), "gopro cannot run: there is no folder")


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
    assert_refused(refused, "blindbench: elsewhere/records/")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"config": {}}'])
def test_a_damaged_plan_is_named(blindbench, content):
    write_plan().write_text(content)
    assert_refused(
        blindbench("collect", *HERE), "results/r/plan.json: damaged, or written by another version"
    )


@pytest.mark.parametrize("changes", [{"seeds": None}, {"seeds": 5}, {"metrics": None}, {"titels": {}}])
def test_a_plan_whose_config_is_not_whole_is_damaged(blindbench, changes):
    path = write_plan()
    document = json.loads(path.read_text())
    config = document["config"] | changes
    document["config"] = {key: value for key, value in config.items() if value is not None}
    path.write_text(json.dumps(document))
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


# Mappings of mappings, ten times as many at each level. Snakemake alone fills the memory with them.
EXPLODING = "a: &a {x: 1}\n" + "".join(
    f"{name}: &{name} {{{', '.join(f'k{number}: *{before}' for number in range(10))}}}\n"
    for before, name in zip("abcdefghijk", "bcdefghijkl", strict=True)
)
# Snakemake alone runs this, as a template of the package yte.
TEMPLATE = "__use_yte__: true\nprofile: ?__import__('pathlib').Path('ran').touch() or 'r'\n"


@pytest.mark.parametrize("verb", ["run", "check"])
@pytest.mark.parametrize(
    ("content", "message"),
    [(EXPLODING, "stand for more than 100000 entries"), (TEMPLATE, "unknown key '__use_yte__'")],
)
def test_a_strangers_config_is_read_by_us_first(blindbench, verb, content, message):
    Path("config.yaml").write_text(content)
    assert_refused(blindbench(verb, "--configfile", "config.yaml"), message)
    assert not Path("ran").exists()


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
    refused = synthesized("score", "blurry", *HERE)
    assert_refused(refused, "seed0/camera: not restored, or altered since; run `blindbench restore` first")


def test_a_damaged_observation_is_named(synthesized):
    (RESULTS / "observations/demo-uniform/camera.npz").write_bytes(b"hello")
    assert_refused(synthesized(*RESTORE), "camera.npz: damaged")


HEADER = "dataset,group,case,method,seed,protocol,metric,value,note\n"
ROW = "demo-uniform,camera,camera,blurry,0,shift-rgb,psnr"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("dataset,case\na,b\n", "0.csv: the column 'group' is missing"),
        (f"{HEADER}{ROW},23.7,\n{ROW},,none\n{ROW},27.l,\n", "0.csv: line 4: '27.l' is not a number"),
    ],
)
def test_an_edited_file_of_scores_is_named(synthesized, content, message):
    write_plan(methods={"blurry": {}})
    assert synthesized(*restore("blurry"))[0] == 0
    assert synthesized("score", "blurry", *HERE)[0] == 0
    scores = RESULTS / "scores/blurry/0.csv"
    scores.write_text(content)
    assert_refused(synthesized("collect", *HERE), "0.csv: damaged or altered since it was written")
    scores.with_suffix(".sha256").unlink()  # as a file from elsewhere
    assert_refused(synthesized("collect", *HERE), message)


def test_a_results_folder_that_cannot_be_written_is_one_line(blindbench):
    write_plan()
    (RESULTS / "observations").write_text("")
    assert_refused(blindbench("synthesize", "demo-uniform", *HERE), "cannot be written")
