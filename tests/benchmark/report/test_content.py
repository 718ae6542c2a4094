"""What the page shows: the tables' own numbers, every run, and every reason."""

import base64
import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark.core.seals import is_whole
from benchmark.planning.plan import Plan
from benchmark.planning.records import read_records
from benchmark.report.content import content
from benchmark.report.page import write_report
from benchmark.report.pictures import case_folder, make_pictures
from benchmark.runs.store import Store, read_kernels
from tests.benchmark.report.conftest import CONFIG, HOSTILE


@pytest.fixture
def shown(here):
    plan, store = Plan.read(here), Store(here)
    return content(plan, store, read_records(plan, store))


def of_dataset(shown):
    return next(block for block in shown["blocks"] if block["table"] == "uniform")


def test_statistics_are_those_of_the_tables(here, shown):
    table = pd.read_csv(here / "tables/uniform.csv").set_index(["method", "column"])
    rows = {row["method"]: row["cells"] for row in of_dataset(shown)["rows"]}
    assert list(rows) == list(CONFIG["methods"])
    for (method, column), expected in table.iterrows():
        cell = rows[method][column]
        for key in ("mean", "worst_seed", "gain", "seed_deviation"):
            assert cell.get(key, np.nan) == pytest.approx(expected[key], abs=1e-5, nan_ok=True)
        assert (cell["runs"], cell["failed"]) == (expected["runs"], expected["failed"])


def test_every_run_has_its_score_its_seconds_and_its_hashes(here, shown):
    (dataset,) = shown["datasets"]
    assert dataset["cases"] == ["camera", "astronaut"]
    scores = pd.read_csv(here / "scores.csv").set_index(["method", "metric", "case", "seed"]).value
    runs = pd.read_csv(here / "runs.csv").set_index(["method", "case", "seed"])
    for method in ("blurry", "selfdeblur"):
        at = 0
        for case in dataset["cases"]:
            for seed in CONFIG["seeds"]:
                value = dataset["scores"]["psnr"][method][at]
                assert value == pytest.approx(scores[method, "psnr", case, seed], abs=1e-5)
                assert dataset["runs"][method]["hash"][at] == runs.loc[(method, case, seed), "config_hash"]
                assert dataset["runs"][method]["seconds"][at] == runs.loc[(method, case, seed), "seconds"]
                at += 1
    assert dataset["scores"]["psnr"]["ufpnet"] == [None] * 4


def test_printed_numbers_stay_as_printed_beside_ours(shown):
    block = next(block for block in shown["blocks"] if block["table"] == "glkm-table1")
    (row,) = [row for row in block["rows"] if row["method"] == "selfdeblur"]
    printed = pd.read_csv("results/r/tables/glkm-table1.csv", dtype=str)
    own = printed[(printed.method == "selfdeblur") & (printed.metric == "psnr")].iloc[0]
    assert row["cells"]["PSNR"]["published"] == own.published
    assert row["cells"]["PSNR"]["mean"] == pytest.approx(float(own["mean"]), abs=1e-5)
    assert "difference" not in row["cells"]["PSNR"]  # the stand-in has other cases


def test_failures_have_a_cause_and_missing_numbers_a_reason(shown):
    assert {(each["method"], each["case"], each["seed"]) for each in shown["failures"]} == {
        ("ufpnet", case, seed) for case in ("camera", "astronaut") for seed in (0, 1)
    }
    assert all("nowhere" in each["reason"] and each["sentence"] for each in shown["failures"])
    missing = {name: each["reason"] for each in shown["missing"] for name in each["what"]}
    (place,) = [name for name in missing if name.endswith("PSNR, DIP-GLKM")]
    assert missing[place] == "not run: dip-glkm is not in this profile"


def test_kernels_are_drawn_on_one_scale_whose_white_is_the_true_peak(here):
    text = (case_folder(here, "demo-uniform", "camera") / "case.js").read_text(encoding="utf-8")
    case = json.loads(text.partition("blindbenchCase(")[2].rpartition(")")[0])
    truth = Store(here).read_truth("demo-uniform", "camera").kernels[0]
    assert pixels(case["trueKernel"]).max() == 255
    (run,) = [run for run in case["runs"] if (run["method"], run["seed"]) == ("selfdeblur", 1)]
    estimate = read_kernels(here / "restorations/demo-uniform/selfdeblur/seed1/camera")[0]
    expected = np.round(255 * np.clip(estimate / truth.max(), 0, 1))
    np.testing.assert_array_equal(pixels(run["kernel"]), expected)
    trace = pd.read_csv(here / "restorations/demo-uniform/selfdeblur/seed1/camera/trace.csv")
    assert run["trace"]["iterations"] == list(trace.iteration)
    assert run["trace"]["curves"]["loss"] == pytest.approx(list(trace.loss), rel=1e-4)
    assert case["size"] == list(Store(here).read_observation("demo-uniform", "camera").blurry.shape[1:])


def pixels(kernel):
    """The pixels of a kernel's picture, which is an address that holds its data."""
    file = io.BytesIO(base64.b64decode(kernel["picture"].partition(",")[2]))
    return np.asarray(Image.open(file))


def test_pictures_of_unchanged_cases_are_not_made_again(here):
    plan, store = Plan.read(here), Store(here)
    records = read_records(plan, store)
    folders = {case: case_folder(here, "demo-uniform", case) for case in ("camera", "astronaut")}
    times = lambda case: {path: path.stat().st_mtime_ns for path in folders[case].iterdir()}  # noqa: E731
    camera, astronaut = times("camera"), times("astronaut")
    assert {path.name for path in camera} == {"blurry.png", "sharp.png", "thumbnail.webp", "case.js"}
    make_pictures(plan, store, records)
    assert (times("camera"), times("astronaut")) == (camera, astronaut)
    changed = [
        {**record, "image_sha256": "another"} if record["case"] == "camera" else record for record in records
    ]
    make_pictures(plan, store, changed)
    assert times("astronaut") == astronaut
    assert all(times("camera")[path] != time for path, time in camera.items())


def test_the_page_is_sealed_and_holds_no_foreign_markup(here):
    plan, store = Plan.read(here), Store(here)
    page = write_report(plan, store)
    assert page == here / "index.html"
    assert is_whole(page)
    text = page.read_text(encoding="utf-8")
    assert HOSTILE not in text
    assert "<img src=x" not in text
    assert text.count("</script>") == 2  # that of the content and that of the code
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text
