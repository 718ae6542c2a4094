"""Verbs that run, score and compile tables."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark.core.files import try_lock
from benchmark.runs import store
from benchmark.runs.names import base_method
from benchmark.runs.store import Store, read_record
from benchmark.scoring.metrics import METRICS
from tests.benchmark.cli.conftest import assert_refused

TINY_JSON = json.dumps({"iterations": 4, "channels": 4, "skip_channels": 2, "scales": 2})


def restore(method="selfdeblur", dataset="demo-uniform", settings=TINY_JSON, cases="camera"):
    return ("restore", dataset, method, "--cases", cases, "--settings", settings, "--results", "r")


@pytest.fixture
def synthesized(blindbench):
    assert blindbench("synthesize", "demo-uniform", "--results", "r")[0] == 0
    return blindbench


def test_the_verbs_by_hand_give_scores_and_tables(synthesized, tmp_path):
    for method, settings in (("blurry", "{}"), ("selfdeblur", TINY_JSON)):
        code, _, error = synthesized(*restore(method, settings=settings, cases="camera,astronaut"))
        assert code == 0, error
        scored = synthesized(
            *("score", "demo-uniform", method, "--cases", "camera,astronaut"),
            *("--results", "r", "--out", f"{method}.csv"),
        )
        assert scored[0] == 0, scored[2]
    manifests = sorted(Path("r/restorations").glob("*/*/*/shard0.json"))
    assert synthesized("collect", "blurry.csv", "selfdeblur.csv", *manifests, "--results", "r")[0] == 0
    written = synthesized(
        "tables", "uniform", "--datasets", "demo-uniform", "--caption", "A test.", "--results", "r"
    )
    assert written[0] == 0, written[2]
    table = pd.read_csv(tmp_path / "r/tables/uniform.csv").set_index(["method", "metric"])
    scores = pd.read_csv(tmp_path / "r/scores.csv").set_index(["method", "metric", "case"]).sort_index().value
    assert table.loc[("blurry", "psnr"), "gain"] == 0
    expected = (scores["selfdeblur", "psnr"] - scores["blurry", "psnr"]).mean()
    assert table.loc[("selfdeblur", "psnr"), "gain"] == pytest.approx(expected)
    assert "A test." in (tmp_path / "r/tables/uniform.md").read_text()
    assert "A test." in (tmp_path / "r/tables/uniform.tex").read_text()
    assert synthesized("score-plot", "uniform", "--datasets", "demo-uniform", "--results", "r")[0] == 0
    assert synthesized("tables", "glkm-table1", "--results", "r")[0] == 0
    published = pd.read_csv(tmp_path / "r/tables/glkm-table1.csv")
    assert published.published.notna().sum() == 54
    for suffix in ("png", "pdf"):
        assert (tmp_path / f"r/figures/uniform-scores.{suffix}").stat().st_size > 5_000


def test_snapshots_and_seeds_by_hand_give_tables_and_figures(synthesized, tmp_path):
    titles = ("--titles", json.dumps({"selfdeblur": "Ours"}))
    files = []
    for seed in (0, 1):
        done = synthesized(*restore(), "--seed", seed, "--snapshots", "1,3")
        assert done[0] == 0, done[2]
        which = ("--cases", "camera", "--results", "r", "--seed", seed)
        done = synthesized(
            "score", "demo-uniform", "selfdeblur", *which, "--out", f"score{seed}.csv",
            "--snapshots", "1,3", "--convergence", f"way{seed}.csv",
        )  # fmt: skip
        assert done[0] == 0, done[2]
        files.append(f"way{seed}.csv")
    assert list(pd.read_csv("way0.csv").iteration.unique()) == [1, 3, 4]
    manifests = sorted(Path("r/restorations").glob("*/*/*/shard0.json"))
    assert synthesized("collect", "score0.csv", "score1.csv", *manifests, "--results", "r")[0] == 0
    done = synthesized("convergence", *files, "--reference", "selfdeblur", "--results", "r", *titles)
    assert done[0] == 0, done[2]
    assert len(pd.read_csv("r/convergence.csv")) == 2 * 3 * 2  # seeds, points, metrics
    done = synthesized("sensitivity", "--datasets", "demo-uniform", "--results", "r", *titles)
    assert done[0] == 0, done[2]
    for name in ("convergence", "sensitivity"):
        assert "| Ours" in (tmp_path / f"r/tables/{name}.md").read_text()
        assert "Ours" in (tmp_path / f"r/tables/{name}.tex").read_text()
        assert (tmp_path / f"r/figures/{name}.pdf").stat().st_size > 5_000
    spread = pd.read_csv("r/tables/sensitivity.csv").iloc[0]
    both = [pd.read_csv(f"score{seed}.csv").set_index("metric").value["psnr"] for seed in (0, 1)]
    assert (spread["mean"], spread.best) == pytest.approx((np.mean(both), max(both)))
    shown = ("--cases", '{"demo-uniform": ["camera"]}', "--methods", "selfdeblur", "--results", "r")
    for name in ("glkm-fig1", "glkm-fig4"):
        assert synthesized("paper-figure", name, *shown, "--seeds", "0,1")[0] == 0
        assert (tmp_path / f"r/figures/{name}.pdf").stat().st_size > 5_000
    code, _, error = synthesized("paper-figure", "glkm-fig3", "--results", "r")
    assert (code, error) == (0, "")
    assert (tmp_path / "r/figures/glkm-fig3.pdf").stat().st_size > 20_000  # the sheet that ships


def score(metrics, dataset="demo-uniform", cases="camera"):
    return (
        *("score", dataset, "blurry", "--cases", cases, "--protocol", "shift-rgb", "--metrics", metrics),
        *("--results", "r", "--out", "scores.csv"),
    )


def test_metrics_without_weights_stay_empty_and_say_why(synthesized, monkeypatch, tmp_path):
    monkeypatch.delenv("BLINDBENCH_MIRROR", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "nothing here"))
    assert synthesized(*restore("blurry", settings="{}"))[0] == 0
    code, _, error = synthesized(*score("psnr,ssim,lpips,vif,niqe,brisque,piqe"))
    assert (code, error) == (0, "")
    scores = pd.read_csv("scores.csv").set_index("metric")
    empty = {"lpips-alex", "niqe", "brisque"}
    assert set(scores.index[scores.value.isna()]) == empty
    assert set(scores.index) - empty == {"psnr", "ssim", "vif", "piqe"}
    for name in empty:
        assert scores.note[name].startswith(f"weights of {name} not found: set BLINDBENCH_MIRROR, or put")
    assert scores.note.drop(empty).isna().all()
    assert not (tmp_path / "nothing here").exists()


def test_a_photograph_without_a_sharp_image_has_no_reference_scores_on_the_full_frame(blindbench):
    blindbench("synthesize", "demo-real", "--results", "r")
    blindbench(*restore("blurry", dataset="demo-real", settings="{}", cases="clock"))
    assert blindbench(*score("psnr,ssim,lpips,vif,piqe", "demo-real", "clock"))[0] == 0
    scores = pd.read_csv("scores.csv").set_index("metric")
    image = store.read_restored_image(Path("r/restorations/demo-real/blurry/seed0/clock"))
    assert scores.value["piqe"] == pytest.approx(METRICS["piqe"].function(image.astype(np.float64)))
    without = scores.drop("piqe")
    assert without.value.isna().all()
    assert set(without.note) == {"no sharp image exists"}


def test_a_finished_case_is_kept_and_an_altered_one_is_made_again(synthesized, tmp_path):
    folder = tmp_path / "r/restorations/demo-uniform/selfdeblur/seed0/camera"
    synthesized(*restore())
    first = (folder / "image.png").read_bytes(), (folder / "run.json").stat().st_mtime_ns
    synthesized(*restore())
    assert ((folder / "image.png").read_bytes(), (folder / "run.json").stat().st_mtime_ns) == first
    (folder / "image.png").write_bytes(b"altered")
    assert read_record(folder) is None
    synthesized(*restore())
    assert (folder / "image.png").read_bytes() == first[0]
    (folder / "run.json").write_text('{"status": "ok"}')
    assert synthesized(*restore())[0] == 0
    assert read_record(folder)["config_hash"]


def test_a_failed_case_is_tried_again_and_a_diverged_one_is_not(synthesized, tmp_path, monkeypatch):
    record_path = tmp_path / "r/restorations/demo-uniform/selfdeblur/seed0/camera/run.json"

    def sabotage(error):
        monkeypatch.setattr(
            "methods.parts.fit.Fit.step", lambda self, iteration: (_ for _ in ()).throw(error)
        )

    with monkeypatch.context():
        sabotage(MemoryError("no room"))
        assert synthesized(*restore())[0] == 0
    assert json.loads(record_path.read_text())["status"] == "out_of_memory"
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    synthesized(*restore())
    assert json.loads(record_path.read_text())["status"] == "ok"
    record = json.loads(record_path.read_text())
    record_path.write_text(json.dumps(record | {"status": "diverged"}))
    synthesized(*restore())
    assert json.loads(record_path.read_text())["status"] == "diverged"


def test_cases_are_not_forgotten_under_another_run(blindbench):
    lock = try_lock(Path("results/demo/.lock"))
    assert lock is not None
    with lock:
        assert_refused(blindbench("run", "--retry-failed"), "another run is working in results/demo")


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


def record(method, dataset="demo-uniform", case="camera"):
    return json.loads(Path(f"r/restorations/{dataset}/{method}/seed0/{case}/run.json").read_text())


def test_only_a_method_that_declares_the_need_is_given_the_true_kernels(synthesized, monkeypatch):
    given = {}

    def spied(name):
        def problem(observation, *arguments):
            given[name] = observation
            return method.problem(observation, *arguments)

        method = base_method(name)
        return dataclasses.replace(method, problem=problem)

    monkeypatch.setattr("benchmark.runs.restore.base_method", spied)
    for method in ("blurry", "oracle"):
        assert synthesized(*restore(method, settings="{}"))[0] == 0
    assert not hasattr(given["blurry"], "kernels")
    truth = Store(Path("r")).read_truth("demo-uniform", "camera")
    np.testing.assert_array_equal(given["oracle"].kernels, truth.kernels)


def test_another_true_kernel_makes_the_oracle_stale(synthesized):
    results = Store(Path("r"))
    known = results.read_known_blur("demo-uniform", "camera")
    turned = dataclasses.replace(known, kernels=known.kernels[:, ::-1, ::-1])
    assert store.observation_hash(known) != store.observation_hash(turned)
    assert store.observation_hash(known) != store.observation_hash(
        results.read_observation("demo-uniform", "camera")
    )


def test_the_oracle_declines_real_photographs(blindbench):
    assert blindbench("synthesize", "demo-real", "--results", "r")[0] == 0
    assert blindbench(*restore("oracle", "demo-real", settings="{}", cases="clock"))[0] == 0
    ended = record("oracle", "demo-real", "clock")
    assert (ended["status"], ended["reason"]) == (
        "not_supported",
        "the true kernel of this image is not known",
    )


def test_images_made_elsewhere_are_restored_again_when_they_change(synthesized, tmp_path):
    images = tmp_path / "made elsewhere"
    images.mkdir()
    both = restore("folder@matlab", settings=json.dumps({"path": str(images)}), cases="camera,astronaut")
    Image.new("RGB", (160, 160)).save(images / "astronaut.png")
    assert synthesized(*both)[0] == 0
    assert record("folder@matlab")["status"] == "not_supported"
    astronaut = record("folder@matlab", case="astronaut")
    assert astronaut["status"] == "ok"
    Image.new("L", (128, 128), 10).save(images / "camera.png")
    synthesized(*both)
    first = record("folder@matlab")
    assert first["status"] == "ok"
    Image.new("L", (128, 128), 20).save(images / "camera.png")
    synthesized(*both)
    assert record("folder@matlab")["provenance"]["weights"] != first["provenance"]["weights"]
    restored = Path("r/restorations/demo-uniform/folder@matlab/seed0/camera/image.png")
    assert Image.open(restored).getextrema() == (20, 20)
    assert record("folder@matlab", case="astronaut") == astronaut


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("synthesize", "demo-unifrom"), "unknown dataset 'demo-unifrom'. Did you mean 'demo-uniform'?"),
        (restore("selfdebur"), "unknown method 'selfdebur'"),
        (restore(settings="{"), "--settings: not valid JSON"),
        (restore(settings="[]"), "--settings: a JSON object"),
        (restore(settings='{"iterations": -1}'), "iterations must be at least 1, not -1"),
        (
            restore("folder", settings='{"path": "x"}'),
            "folder: x: not a folder that can be read (No such file",
        ),
        (restore("folder", settings='{"path": "."}'), "folder: .: holds no image (.png, .jpg, .jpeg, .bmp)"),
        (restore("folder", settings="{}"), "methods.folder.path: Field required"),
        (restore(), "camera.npz: no such file; run `blindbench synthesize` first"),
        (
            ("score", "demo-uniform", "blurry", "--cases", "camera", "--out", "x.csv", "--protocol", "shift"),
            "unknown protocol 'shift'. Did you mean 'shift-rgb'?",
        ),
        (
            ("score", "demo-uniform", "blurry", "--cases", "camera", "--out", "x.csv", "--metrics", "psrn"),
            "unknown metric 'psrn'. Did you mean 'psnr'?",
        ),
        (
            ("score", "demo-uniform", "blurry", "--cases", "camera", "--out", "x.csv", "--snapshots", "5"),
            "--snapshots and --convergence go together",
        ),
        (("collect", "nothing.csv"), "nothing.csv: no such file"),
        ((*restore(), "--snapshots", "0,5"), "--snapshots: '0' is no number of iterations"),
        ((*restore(), "--snapshots", "5,"), "--snapshots: '' is no number of iterations"),
        (("convergence", "no.csv", "--reference", "x", "--results", "r"), "no.csv: no such file"),
        (("sensitivity", "--datasets", "x", "--results", "r"), "scores.csv: no such file"),
        (("sensitivity", "--datasets", "x", "--titles", "["), "--titles: not valid JSON"),
        (("paper-figure", "glkm-fig2", "--results", "r"), "unknown figure 'glkm-fig2'. Did you mean"),
        (("tables", "uniform", "--datasets", "demo-uniform"), "scores.csv: no such file"),
        (("tables", "glkm-tabel1"), "unknown table 'glkm-tabel1'. Did you mean 'glkm-table1'?"),
        (("score-plot", "bid-table1"), "unknown table 'bid-table1'. Did you mean 'bid-table"),
        (("run", "--configfile", "nothing.yaml"), "nothing.yaml: no such file"),
    ],
)
def test_every_verb_refuses_in_one_line(blindbench, arguments, message):
    assert_refused(blindbench(*arguments), message)


def test_a_damaged_observation_is_named(synthesized, tmp_path):
    (tmp_path / "r/observations/demo-uniform/camera.npz").write_bytes(b"hello")
    assert_refused(synthesized(*restore()), "camera.npz: damaged")


def test_an_edited_scores_file_is_named(synthesized, tmp_path):
    (tmp_path / "x.csv").write_text("dataset,case\na,b\n")
    assert_refused(synthesized("collect", "x.csv", "--results", "r"), "x.csv: the column 'group' is missing")


def test_an_edited_value_is_named_with_its_line(synthesized, tmp_path):
    header = "dataset,group,case,method,seed,protocol,metric,value,note"
    row = "demo-uniform,camera,camera,blurry,0,shift-rgb,psnr"
    (tmp_path / "x.csv").write_text(f"{header}\n{row},23.7,\n{row},,none\n{row},27.l,\n")
    assert_refused(synthesized("collect", "x.csv", "--results", "r"), "x.csv: line 4: '27.l' is not a number")


def test_a_results_folder_that_cannot_be_written_is_one_line(blindbench, tmp_path):
    (tmp_path / "file").write_text("")
    assert_refused(blindbench("synthesize", "demo-uniform", "--results", "file/r"), "cannot be written")


def test_observations_survive_the_round_trip(synthesized):
    written = Store(Path("r")).read_observation("demo-uniform", "astronaut")
    assert written.blurry.shape == (3, 160, 160)
    assert written.blurry.dtype == np.float32
    assert (written.kernel_size, written.blur_model, written.boundary) == ((15, 15), "uniform", "valid")
    truth = Store(Path("r")).read_truth("demo-uniform", "astronaut")
    assert truth.sharp.shape == (3, 160, 160)
    assert truth.kernels.shape == (1, 15, 15)


def test_kernel_scores_are_taken_where_there_are_kernels(synthesized):
    for method, settings in (("blurry", "{}"), ("oracle", "{}"), ("selfdeblur", TINY_JSON)):
        synthesized(*restore(method, settings=settings))
        scored = synthesized(
            *(
                "score",
                "demo-uniform",
                method,
                "--cases",
                "camera",
                "--results",
                "r",
                "--out",
                f"{method}.csv",
            ),
            *("--metrics", "kernel-similarity,error-ratio"),
        )
        assert scored[0] == 0, scored[2]
    scores = {
        name: pd.read_csv(f"{name}.csv").set_index("metric") for name in ("blurry", "oracle", "selfdeblur")
    }
    assert scores["oracle"].value["kernel-similarity"] == pytest.approx(1)
    assert scores["oracle"].value["error-ratio"] == pytest.approx(1)
    assert 0 < scores["selfdeblur"].value["kernel-similarity"] < 1
    assert scores["selfdeblur"].value["error-ratio"] > 1
    assert scores["blurry"].value.isna().all()
    assert set(scores["blurry"].note) == {"the method estimates no kernel"}
