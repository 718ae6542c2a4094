"""The command line: what a person types, and what they read when it was wrong."""

import dataclasses
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage
from skimage import data

from benchmark.cli import main as cli
from benchmark.core.files import try_lock
from benchmark.runs import store
from benchmark.runs.names import base_method
from benchmark.runs.store import Store, read_record
from benchmark.scoring.metrics import METRICS

TINY = ["--set", "channels=4", "--set", "skip_channels=2", "--set", "scales=2"]
TINY_JSON = json.dumps({"iterations": 4, "channels": 4, "skip_channels": 2, "scales": 2})


@pytest.fixture
def blindbench(monkeypatch, capfd, tmp_path):
    """`blindbench("methods")` returns (exit code, standard output, standard error); runs in `tmp_path`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "benchmark.runs.machine.prepare", lambda threads: None
    )  # global switches of a process

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["blindbench", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capfd.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return call


def assert_refused(outcome, message):
    code, _, error = outcome
    assert code == 2
    assert message in error
    complaints = [line for line in error.splitlines() if "/3 " not in line]  # other lines are progress
    assert len(complaints) == 1, error
    assert complaints[0].startswith("blindbench: ")


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "a photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 30, 3), dtype=np.uint8)).save(path)
    return path


def deblur(photo, *more, out="x.png", size=5, iterations=3):
    named = ("deblur", photo, "--method", "selfdeblur", "--kernel-size", size)
    return (*named, "--iterations", iterations, "--out", out, *TINY, *more)


def test_methods_and_datasets_are_listed(blindbench):
    assert "CVPR 2020" in blindbench("methods")[1]
    assert "demo-uniform" in blindbench("datasets")[1]


def test_deblur_writes_image_and_kernel(blindbench, photo, tmp_path):
    code, output, _ = blindbench(*deblur(photo))
    assert code == 0
    assert "x.png: restored in 3 iterations" in output
    assert "x.png: blurred again it misses the photo by 0." in output
    assert Image.open(tmp_path / "x.png").size == (30, 24)
    assert Image.open(tmp_path / "x_kernel.png").size == (5, 5)


def test_deblur_with_the_robust_method_needs_no_size(blindbench, photo, tmp_path):
    """Its kernels get half the photo where no size is given."""
    small = {"channels": 4, "skip_channels": 2, "scales": 2, "siren_width": 8, "window": 3}
    more = [word for key, value in small.items() for word in ("--set", f"{key}={value}")]
    named = ("--method", "robust-bid", "--iterations", 4, "--out", "x.png")
    code, output, _ = blindbench("deblur", photo, *named, *more)
    assert code == 0
    assert "restored in 4 iterations" in output
    with Image.open(photo) as given, Image.open("x_kernel.png") as kernel, Image.open("x.png") as restored:
        assert restored.size == given.size
        assert kernel.size == tuple(-(-side // 2) for side in given.size)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "I;16"])
def test_deblur_takes_every_kind_of_image(blindbench, tmp_path, mode):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 22, 3), dtype=np.uint8)
    sixteen = Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257)
    path = tmp_path / "photo.tif"
    (sixteen if mode == "I;16" else Image.fromarray(pixels).convert(mode)).save(path)
    assert blindbench(*deblur(path))[0] == 0
    expected = mode if mode in ("L", "RGBA", "I;16") else "RGB"
    assert Image.open(tmp_path / "x.png").mode == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "Invalid value for '--kernel-size'"),
        ({"size": 25}, "the kernel (25 x 25) is larger than the image (24 x 30)"),
        ({"iterations": 0}, "Invalid value for '--iterations'"),
        ({"out": "x.xyz"}, "unknown image format '.xyz'"),
        ({"out": "nowhere/x.png"}, "nowhere: no such folder"),
        ({"out": "a photo.png"}, "is the photo itself"),
    ],
)
def test_deblur_refuses_before_it_works(blindbench, photo, arguments, message):
    assert_refused(blindbench(*deblur(photo, **arguments)), message)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--method", "selfdebur"), "unknown method 'selfdebur'. Did you mean 'selfdeblur'?"),
        (("--set", "chanels=3"), "unknown setting 'chanels'. Did you mean 'channels'?"),
        (("--set", "channels"), "write KEY=VALUE"),
        (("--device", "tpu"), "unknown device 'tpu'"),
        (("--scales", "3"), "No such option"),
    ],
)
def test_deblur_names_the_wrong_option(blindbench, photo, more, message):
    assert_refused(blindbench(*deblur(photo, *more)), message)


@pytest.mark.parametrize("damage", ["missing", "truncated", "text", "one pixel"])
def test_deblur_names_a_bad_photo(blindbench, photo, damage):
    if damage == "missing":
        photo.unlink()
    elif damage == "one pixel":
        Image.new("RGB", (1, 1)).save(photo)
    else:
        photo.write_bytes(b"hello" if damage == "text" else photo.read_bytes()[:100])
    assert_refused(blindbench(*deblur(photo)), "a photo.png")


def test_an_image_too_small_for_the_network_is_refused(blindbench, tmp_path):
    Image.new("L", (3, 3)).save(tmp_path / "dot.png")
    assert_refused(blindbench(*deblur("dot.png", "--set", "scales=5", size=3)), "at least 33 pixels")


@pytest.fixture
def textured(tmp_path):
    """A photograph of 72 x 66 px, blurred over 5 px, so that the default method has something to find."""
    sharp = data.astronaut()[60:136, 180:246].astype(float)
    path = tmp_path / "textured.png"
    Image.fromarray(ndimage.uniform_filter1d(sharp, 5, axis=0)[2:-2].astype(np.uint8)).save(path)
    return path


def test_deblur_needs_neither_size_nor_method(blindbench, textured, tmp_path):
    code, output, error = blindbench("deblur", textured, "--out", "x.png")
    assert code == 0
    assert "trying blurs of up to 15 px" in error
    verdict, numbers, kernel = output.splitlines()
    assert verdict.startswith(("x.png: do not trust this: ", "x.png: the kernels", "x.png: blurred again"))
    assert "kernel size 15 px" in numbers
    assert "blurred again it misses the photo by 0.0" in numbers
    assert kernel.startswith("x_kernel.png: ")
    assert Image.open(tmp_path / "x.png").size == Image.open(textured).size
    assert Image.open(tmp_path / "x_kernel.png").size == (15, 15)


def test_deblur_with_a_size_tries_that_one(blindbench, textured, tmp_path):
    output = blindbench("deblur", textured, "--kernel-size", 9, "--out", "x.png")[1]
    assert "kernel size 9 px; blurred again" in output
    assert Image.open(tmp_path / "x_kernel.png").size == (9, 9)
    larger = blindbench("deblur", textured, "--kernel-size", 70, "--out", "x.png")
    assert_refused(larger, "the kernel size 70 is larger than the photo (66 px)")


def test_deblur_leaves_a_photo_without_edges_as_it_is(blindbench, tmp_path):
    Image.new("RGB", (60, 50), (10, 20, 30)).save("flat.png")
    code, output, _ = blindbench("deblur", "flat.png", "--out", "x.png")
    assert code == 0
    assert output.startswith("x.png: nothing was done to the photo: it has no edges")
    np.testing.assert_array_equal(Image.open("x.png"), Image.open("flat.png"))
    assert not (tmp_path / "x_kernel.png").exists()


def test_deblur_keeps_alpha_and_depth_where_the_format_can(blindbench, textured):
    file = Image.open(textured)
    alpha = Image.linear_gradient("L").resize(file.size)
    file.putalpha(alpha)
    file.save("alpha.png")
    assert blindbench("deblur", "alpha.png", "--kernel-size", 7, "--out", "x.png")[0] == 0
    assert Image.open("x.png").mode == "RGBA"
    np.testing.assert_array_equal(Image.open("x.png").getchannel("A"), alpha)
    output = blindbench("deblur", "alpha.png", "--kernel-size", 7, "--out", "x.jpg")[1]
    assert "x.jpg: .jpg cannot keep its transparency of the photo" in output
    deep = np.asarray(file.convert("L"), np.uint16) * 257 + 5
    Image.fromarray(deep).save("deep.png")
    assert blindbench("deblur", "deep.png", "--kernel-size", 7, "--out", "x.png")[0] == 0
    restored = np.asarray(Image.open("x.png"))
    assert restored.dtype == np.uint16
    assert len(np.unique(restored)) > 256


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
        (("bench", "method", "oracle"), "oracle takes no iterations"),
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
        (("frobnicate",), "No such command 'frobnicate'"),
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
    assert_refused(synthesized("collect", "x.csv", "--results", "r"), "x.csv: line 4: '27.l' is no value")


def test_a_results_folder_that_cannot_be_written_is_one_line(blindbench, tmp_path):
    (tmp_path / "file").write_text("")
    assert_refused(blindbench("synthesize", "demo-uniform", "--results", "file/r"), "cannot be written")


def test_ctrl_c_says_how_to_continue(blindbench, monkeypatch, photo):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("methods.parts.solver.solve", interrupted)
    code, _, error = blindbench(*deblur(photo))
    assert code == 130
    assert "continues" in error


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


def smooth_picture(path, rng, shift=0):
    """A grey picture with structure at all scales, and its 8-bit file."""
    rows = np.cumsum(rng.standard_normal((60, 64)), axis=0)
    image = np.cumsum(rows, axis=1)
    image = (image - image.min()) / np.ptp(image)
    Image.fromarray(np.round(255 * np.roll(image, shift, axis=1)).astype(np.uint8)).save(path)
    return image


def test_detective_names_the_protocol_and_what_has_no_partner(blindbench, tmp_path):
    for folder in ("sharp", "restored"):
        (tmp_path / folder).mkdir()
    for name in ("a", "b"):
        smooth_picture(tmp_path / f"sharp/{name}.png", np.random.default_rng(ord(name)))
        smooth_picture(tmp_path / f"restored/{name}_kernel_01.png", np.random.default_rng(ord(name)), shift=3)
    shutil.copy(tmp_path / "restored/a_kernel_01.png", tmp_path / "restored/c.png")
    arguments = ("detective", "--restored", "restored", "--sharp", "sharp", "--published")
    code, out, error = blindbench(*arguments, "99.99", "--rows", 4)
    assert code == 0
    assert "left out, without a sharp partner (1): c.png" in error
    assert len(out.splitlines()) == 2 + 4 + 1
    assert "No protocol reproduces 99.99" in out
    assert_refused(blindbench(*arguments, "24,97"), "--published 24,97: a number as printed is needed")


def test_doctor_reports_orientation_and_boundary(blindbench, tmp_path):
    sharp = smooth_picture(tmp_path / "sharp.png", np.random.default_rng(0))
    sharp = np.round(255 * sharp) / 255
    kernel = np.array([[0, 0, 1], [0, 0, 2], [4, 3, 2]])
    blurry = ndimage.convolve(sharp, kernel / kernel.sum(), mode="wrap")
    Image.fromarray(np.round(255 * blurry).astype(np.uint8)).save(tmp_path / "blurry.png")
    Image.fromarray((60 * kernel[::-1, ::-1]).astype(np.uint8)).save(tmp_path / "kernel.png")
    files = ("--sharp", "sharp.png", "--kernel", "kernel.png", "--blurry", "blurry.png")
    code, out, _ = blindbench("doctor", *files)
    assert code == 0
    assert "The kernel file is in the form: correlation." in out
    assert "Boundary: circular." in out
    assert_refused(blindbench("doctor", *files, "--blurry", "blurry.png"), "1 sharp and 2 blurry images")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["decodr"], "unknown training 'decodr'. Did you mean 'decoder'?"),
        (["decoder", "--kernel-size", 12], "odd kernel size of at least 13, not 12"),
        (["decoder", "--max-minutes", 0], "max-minutes must be positive, not 0"),
        (["decoder", "--steps", 0], "steps must be positive"),
        (["decoder", "--seed", -1], "the seed must lie between 0 and"),
        (["decoder", "--set", "foo=1"], "decoder: unknown setting 'foo'"),
        (["decoder", "--settings", '{"kernels": "x"}'], "decoder.kernels: Input should be a valid integer"),
        (["decoder", "--images", "folder"], "learns from no photographs"),
        (["initializer"], "give --images a folder"),
        (["initializer", "--images", "nowhere"], "no folder nowhere"),
        (["initializer", "--images", "empty"], "empty: no images in this folder"),
        (["initializer", "--images", "one"], "the only image; at least 2 are needed"),
        (["initializer", "--images", "damaged"], "damaged/a.png: not an image that can be read"),
        (["initializer", "--images", "folder"], "no generator for kernels of 31 x 31"),
    ],
)
def test_pretrain_says_what_is_wrong(blindbench, tmp_path, arguments, message):
    image = np.zeros((40, 40), dtype=np.uint8)
    for name, count in (("empty", 0), ("one", 1), ("folder", 2), ("damaged", 2)):
        (tmp_path / name).mkdir()
        for index in range(count):
            Image.fromarray(image).save(tmp_path / name / f"{index}.png")
    (tmp_path / "damaged" / "a.png").write_text("no image")
    assert_refused(blindbench("pretrain", *arguments, "--out", "out", "--device", "cpu"), message)


def test_pretrain_trains_once(blindbench, tmp_path, monkeypatch):
    monkeypatch.setattr("benchmark.pretraining.job.HELD_OUT", 5)
    monkeypatch.setattr("methods.training.generator.INVERSION_STEPS", 1)
    command = ["pretrain", "decoder", "--kernel-size", 13, "--steps", 2, "--threads", 1, "--device", "cpu"]
    command += ["--set", "kernels=8", "--set", "batch=4", "--set", "width=4", "--out", "out"]
    assert "decoder-13.md: trained" in blindbench(*command)[1]
    assert (tmp_path / "out" / "generator-13.safetensors").exists()
    code, output, _ = blindbench(*command)
    assert code == 0
    assert "is finished already" in output
