"""Scores that ship: written from a profile, read again, repeated, and compiled into the tables of pages."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.cli.main import app
from benchmark.cli.tables import read_runs, read_scores
from benchmark.core.hashes import digest
from benchmark.core.seals import sealed
from benchmark.planning import stale
from benchmark.planning.plan import Plan
from benchmark.scoring.csv_files import RUN_COLUMNS
from benchmark.scoring.ledger import read_shipped, write_shipped
from benchmark.scoring.shipped import metrics_of, scores_and_runs
from benchmark.tools.verify import OF_OTHERS
from tests.benchmark.cli.conftest import HERE, RESULTS, assert_refused, write_plan

SHIPPED = Path("docs/results/r.csv")
METHODS = {
    "blurry": {},
    "l0-grad": {},
    "selfdeblur": {"iterations": 4, "channels": 4, "skip_channels": 2, "scales": 2},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with the results and the shipped scores of three methods on two photographs."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_plan(methods=METHODS, metrics=["psnr", "ssim", "kernel-similarity"], titles={"l0-grad": "L0"})
        patch.setattr("benchmark.runs.machine.prepare", lambda threads: None)
        steps = [("synthesize", "demo-uniform")]
        steps += [(step, name) for name in METHODS for step in ("restore", "score")]
        for step in [*steps, ("collect",), ("ship", str(SHIPPED))]:
            assert app([*step, *map(str, HERE)], standalone_mode=False) in (0, None)
    return folder


@pytest.fixture
def shipped(blindbench, finished, tmp_path):
    """`blindbench` in a copy of that folder."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return blindbench


def test_a_shipped_row_has_the_scores_and_all_that_made_them(shipped):
    frame = read_shipped(SHIPPED)
    assert list(zip(frame.method, frame.case, strict=True)) == [
        (method, case) for method in METHODS for case in ("camera", "astronaut")
    ]
    row = frame[(frame.method == "selfdeblur") & (frame.case == "camera")].iloc[0]
    record = json.loads((RESULTS / "restorations/demo-uniform/selfdeblur/seed0/camera/run.json").read_text())
    assert (row.profile, row.protocol, row.status, row.seed) == ("r", "shift-rgb", "ok", 0)
    assert row.settings["channels"] == 4
    assert row.settings["kernel_rate"] == record["provenance"]["settings"]["kernel_rate"]
    assert row.settings_hash == digest(record["provenance"]["settings"])
    assert row.observation_hash == record["provenance"]["observation"]
    assert row.image_sha256 == record["image_sha256"]
    assert row.machine == record["machine"]
    assert row.machine["threads"] == 1
    assert set(row.versions) >= {"python", "torch", "numpy", "scipy"}
    assert list(frame.title.unique()) == ["Blurry input", "L0", "SelfDeblur"]


def test_the_scores_and_runs_come_back_from_a_shipped_file(shipped):
    frame = read_shipped(SHIPPED)
    assert metrics_of(frame) == ["psnr", "ssim", "kernel-similarity"]
    scores, runs = scores_and_runs(frame)
    pd.testing.assert_frame_equal(scores.fillna({"note": ""}), read_scores(RESULTS), check_dtype=False)
    same = [column for column in RUN_COLUMNS if column != "config_hash"]
    pd.testing.assert_frame_equal(runs[same], read_runs(RESULTS)[same], check_dtype=False)


def test_what_is_no_file_of_shipped_scores_is_refused(shipped, tmp_path):
    with pytest.raises(ValueError, match=r"nothing\.csv: no such file"):
        read_shipped(tmp_path / "nothing.csv")
    with pytest.raises(ValueError, match="the column 'profile' is missing"):
        read_shipped(RESULTS / "scores.csv")
    broken = tmp_path / "broken.csv"
    broken.write_text(SHIPPED.read_text().replace('"{""', '"{', 1))
    with pytest.raises(ValueError, match=r"broken\.csv: line 2: '\w+' is not JSON"):
        read_shipped(broken)


def test_records_without_a_machine_cannot_ship(shipped):
    path = RESULTS / "records/l0-grad/0.json"
    records = json.loads(path.read_text())
    del records[1]["machine"]
    with sealed(path):
        path.write_text(json.dumps(records))
    assert_refused(
        shipped("ship", SHIPPED, *HERE),
        "l0-grad on demo-uniform/astronaut: the record does not name the machine",
    )


def test_a_value_ships_in_full_precision(shipped):
    scores = read_scores(RESULTS)
    frame = read_shipped(SHIPPED)
    shown = frame[frame.method == "l0-grad"].psnr.to_numpy()
    np.testing.assert_array_equal(
        shown, scores[(scores.method == "l0-grad") & (scores.metric == "psnr")].value
    )


LEDGER = Path("results/reference")


def test_a_ledger_gives_back_what_a_csv_has(shipped):
    code, _, error = shipped("ship", LEDGER, *HERE)
    assert (code, error.splitlines()[-1]) == (0, "results/reference: 6 rows, 6 new, 0 changed")
    keys = ["method", "case"]
    pd.testing.assert_frame_equal(
        read_shipped(LEDGER), read_shipped(SHIPPED).sort_values(keys, ignore_index=True), check_dtype=False
    )
    assert shipped("verify", LEDGER, "--sample", 3)[0] == 0


def test_adding_twice_or_from_a_csv_changes_no_byte(shipped):
    shipped("ship", LEDGER, *HERE)
    before = {file.name: file.read_bytes() for file in LEDGER.glob("*.gz")}
    for source in (RESULTS, SHIPPED, LEDGER):
        _, _, error = shipped("ship", LEDGER, "--results", source)
        assert error.endswith("results/reference: 6 rows, 0 new, 0 changed\n")
    assert {file.name: file.read_bytes() for file in LEDGER.glob("*.gz")} == before
    assert len(before) == 3


def test_a_ledger_takes_what_has_ended_and_later_the_rest(shipped):
    lost = RESULTS / "restorations/demo-uniform/selfdeblur/seed0/camera/run.json"
    kept = lost.read_text()
    lost.unlink()
    for file in (RESULTS / "scores/selfdeblur").iterdir():  # as before its scoring job
        file.unlink()
    assert "results/reference: 5 rows, 5 new" in shipped("ship", LEDGER, *HERE)[2]
    lost.write_text(kept)
    assert "results/reference: 6 rows, 1 new, 0 changed" in shipped("ship", LEDGER, *HERE)[2]
    expected = read_shipped(SHIPPED).sort_values(["method", "case"], ignore_index=True)
    pd.testing.assert_frame_equal(read_shipped(LEDGER), expected, check_dtype=False)


def test_scores_that_are_older_than_their_restoration_are_computed_again(shipped):
    (file,) = (RESULTS / "scores/l0-grad").glob("*.csv")
    with sealed(file):
        frame = pd.read_csv(file)
        frame.assign(value=1.0).to_csv(file, index=False)
    os.utime(file, (1, 1))
    shipped("ship", LEDGER, *HERE)
    assert "6 rows, 0 new, 0 changed" in shipped("ship", LEDGER, "--results", SHIPPED)[2]
    now, before = (frame[frame.method == "l0-grad"].psnr for frame in map(read_shipped, (LEDGER, SHIPPED)))
    assert sorted(now) == sorted(before)


def test_restorations_by_other_settings_than_the_plans_do_not_ship(shipped):
    write_plan(methods=METHODS | {"l0-grad": {"alternations": 2}}, metrics=["psnr"])
    shipped("ship", LEDGER, *HERE)
    assert set(read_shipped(LEDGER).method) == {"blurry", "selfdeblur"}


def test_a_row_that_contradicts_the_ledger_is_one_line_unless_it_replaces(shipped):
    shipped("ship", LEDGER, *HERE)

    def fewer(settings):
        return json.dumps({**json.loads(settings), "alternations": 1})

    other = altered(settings=fewer, settings_hash=lambda _: "other", image_sha256=lambda _: "new")
    assert_refused(
        shipped("ship", LEDGER, "--results", other),
        f"results/reference: {ROW} is there with other settings; add --replace",
    )
    assert "6 rows, 0 new, 1 changed" in shipped("ship", LEDGER, "--results", other, "--replace")[2]
    frame = read_shipped(LEDGER)
    assert frame[(frame.method == "l0-grad") & (frame.case == "camera")].settings.iloc[0]["alternations"] == 1
    assert_refused(shipped("ship", SHIPPED, *HERE, "--replace"), "--replace: docs/results/r.csv is written")


def test_what_is_no_ledger_is_refused(shipped):
    assert_refused(shipped("verify", "nothing"), "nothing/rows.csv.gz: no such file; give what")
    shipped("ship", LEDGER, *HERE)
    rows = LEDGER / "rows.csv.gz"
    rows.write_bytes(rows.read_bytes()[:-20])
    assert_refused(shipped("verify", LEDGER), "results/reference/rows.csv.gz: not a CSV table")


TABLE = RESULTS / "tables/uniform.md"


def compare(shipped, **changes):
    """Compile the table of a run of two methods with the ledger's rows, which may be altered, beside them."""
    frame = read_shipped(SHIPPED)
    for (method, case), hashed in changes.get("observations", {}).items():
        frame.loc[(frame.method == method) & (frame.case == case), "observation_hash"] = hashed
    frame.insert(frame.columns.get_loc("psnr"), "lpips-alex", 0.1)
    write_shipped(frame, LEDGER)
    write_plan(
        methods={name: METHODS[name] for name in ("blurry", "l0-grad")},
        metrics=["psnr", "kernel-similarity"],
        compare="reference",
    )
    assert shipped("collect", *HERE)[0] == 0
    return shipped("table", "uniform", *HERE)


def titles():
    """The first cells of the first table that was compiled."""
    section = TABLE.read_text().partition("## Do the metrics")[0]
    return re.findall(r"^\| (\w.*?) *\|", section, re.MULTILINE)[1:]


def test_a_table_shows_the_ledgers_rows_beside_the_runs_own_labelled(shipped):
    assert compare(shipped)[0] == 0
    assert titles() == ["Blurry input", "L0 gradient (ours)", "SelfDeblur [reference]", "L0 [reference]"]
    text = TABLE.read_text()
    assert "[reference]: rows of the ledger results/reference, not of this run." in text
    assert "LPIPS" not in text  # the ledger has it, the run does not
    table = pd.read_csv(RESULTS / "tables/uniform.csv", keep_default_na=False)
    psnr = table[table.metric == "psnr"].set_index("method")["mean"].astype(float)
    assert psnr["l0-grad@reference"] == psnr["l0-grad"]
    assert shipped("figure", "uniform-scores", *HERE)[0] == 0
    assert shipped("report", *HERE)[0] == 0


def test_a_ledger_of_other_observations_is_refused_in_one_line(shipped):
    other = {(method, case): "other" for method in METHODS for case in ("camera", "astronaut")}
    assert_refused(
        compare(shipped, observations=other),
        "compare: the observations of demo-uniform are others than those of results/reference, as of astro",
    )


def test_a_row_of_the_ledger_that_saw_another_observation_of_one_case_is_left_out(shipped):
    assert compare(shipped, observations={("l0-grad", "camera"): "other"})[0] == 0
    assert titles() == ["Blurry input", "L0 gradient (ours)", "SelfDeblur [reference]"]
    assert "L0 [reference] is left out of demo-uniform: it saw another observation of camera." in (
        TABLE.read_text()
    )


def test_a_config_that_compares_with_no_ledger_or_with_other_datasets_is_refused(shipped):
    with pytest.raises(ValueError, match=r"compare: .*mine/rows\.csv\.gz: no such file"):
        write_plan(compare="mine")
    write_shipped(read_shipped(SHIPPED).assign(dataset="levin"), LEDGER)
    with pytest.raises(ValueError, match=r"compare: .* has no rows of these datasets; it has levin"):
        write_plan(compare="reference")


def test_another_ledger_makes_the_tables_again(shipped):
    write_shipped(read_shipped(SHIPPED), LEDGER)
    write_plan(compare="reference")
    before = stale.table(Plan.read(RESULTS), "uniform")
    write_shipped(read_shipped(SHIPPED).iloc[:3], LEDGER)
    assert stale.table(Plan.read(RESULTS), "uniform") != before


def verdicts(output):
    """(row, what was compared) to the verdict, from the table that `verify` prints."""
    lines = [re.split(r" {2,}", line.strip()) for line in output.splitlines()[2:]]
    return {(cells[0], cells[1]): cells[-1] for cells in lines}


def altered(**changes):
    """Write the shipped file anew with other values in the row `ROW`; a function gets the old value."""
    path, frame = Path("altered.csv"), pd.read_csv(SHIPPED, keep_default_na=False, dtype=str)
    row = (frame.method == "l0-grad") & (frame.case == "camera")
    for column, change in changes.items():
        frame.loc[row, column] = [str(change(old)) for old in frame.loc[row, column]]
    frame.to_csv(path, index=False)
    return path


L0 = ("--rows", "*/l0-grad/camera/*")
ROW = "demo-uniform/l0-grad/camera/seed0"


def other_cpu(machine):
    return json.dumps({**json.loads(machine), "cpu": "another"})


def test_on_the_same_machine_every_byte_and_value_comes_again(shipped):
    code, output, error = shipped("verify", SHIPPED)
    found = verdicts(output)
    assert code == 0, error
    assert set(found.values()) == {"same"}
    assert {what for _, what in found} == {
        *("status", "observation", "image", "psnr", "ssim", "kernel-similarity")
    }
    assert len({row for row, _ in found}) == 6
    assert "verify · 6/6 demo-uniform/selfdeblur/astronaut/seed0: 4 of 4" in error


def test_a_value_that_does_not_come_again_differs(shipped):
    file = altered(psnr=lambda value: float(value) + 1e-9)
    code, output, _ = shipped("verify", file, *L0)
    assert code == 1
    assert verdicts(output)[ROW, "psnr"] == "differs"
    assert verdicts(output)[ROW, "ssim"] == "same"


@pytest.mark.parametrize("column", ["observation_hash", "image_sha256", "status"])
def test_other_data_another_image_or_another_end_differ_on_the_same_machine(shipped, column):
    code, output, _ = shipped("verify", altered(**{column: lambda _: "other"}), *L0)
    assert code == 1
    assert list(verdicts(output).values()).count("differs") == 1


@pytest.mark.parametrize(("share", "code"), [(0.9, 0), (-0.9, 0), (1.1, 1)])
def test_on_another_machine_scores_agree_within_the_tolerance(shipped, share, code):
    file = altered(
        machine=other_cpu,
        image_sha256=lambda _: "other",
        observation_hash=lambda _: "other",
        psnr=lambda value: float(value) + share * OF_OTHERS["psnr"],
    )
    ended, output, _ = shipped("verify", file, *L0)
    assert ended == code
    assert verdicts(output)[ROW, "psnr"] == ("differs" if code else "within tolerance")
    assert verdicts(output)[ROW, "observation"] == "other bits"
    assert (ROW, "image") not in verdicts(output)


@pytest.mark.parametrize("what", ["machine", "versions", "device"])
def test_the_same_machine_has_the_same_cpu_libraries_and_device(shipped, what):
    changes = {"machine": other_cpu, "versions": lambda _: '{"torch": "1"}', "device": lambda _: "a GPU"}
    file = altered(image_sha256=lambda _: "other", **{what: changes[what]})
    assert shipped("verify", file, *L0)[0] == 0


def test_a_setting_that_was_not_the_default_is_used_again(shipped):
    def fewer(settings):
        return json.dumps({**json.loads(settings), "alternations": 1})

    code, output, _ = shipped("verify", altered(settings=fewer), *L0)
    assert code == 1
    assert verdicts(output)[ROW, "image"] == "differs"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dataset": lambda _: "levin", "case": lambda _: "im1_kernel1"}, "im1_kernel1_img.png"),
        ({"case": lambda _: "dog"}, "there is no case 'dog'"),
        ({"method": lambda _: "l0-gard"}, "l0-grad"),
        (
            dict.fromkeys(("weights", "weights_hash", "image_sha256"), lambda _: "other"),
            "the pre-trained weights here are others",
        ),
        ({"settings": lambda _: '{"turns": 3}'}, "unknown setting 'turns'"),
        ({"protocol": lambda _: "shift"}, "shift"),
    ],
)
def test_a_row_that_cannot_be_repeated_is_named_and_the_others_are_verified(
    shipped, monkeypatch, tmp_path, changes, reason
):
    monkeypatch.setenv("BLINDBENCH_MIRROR", str(tmp_path))
    monkeypatch.setattr("benchmark.data.descriptors.data_folder", lambda: tmp_path / "no data")
    code, output, error = shipped("verify", altered(**changes), "--rows", "*/l0-*/*")
    assert code == 2
    (line,) = [line for line in error.splitlines() if line.startswith("blindbench: ")]
    assert "seed0: not verified: " in line
    assert reason in line
    assert verdicts(output)["demo-uniform/l0-grad/astronaut/seed0", "psnr"] == "same"


def test_weights_that_came_beside_those_of_a_row_do_not_matter_where_the_image_is_the_same(shipped):
    code, output, _ = shipped("verify", altered(weights_hash=lambda _: "other"), *L0)
    assert code == 0
    assert verdicts(output)[ROW, "image"] == "same"


def test_a_metric_whose_weights_are_not_here_is_not_verified_and_changes_nothing_else(shipped, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", "nothing here")
    monkeypatch.delenv("BLINDBENCH_MIRROR", raising=False)
    monkeypatch.setattr("benchmark.scoring.iqa.data_folder", lambda: Path("nothing here"))
    frame = pd.read_csv(SHIPPED, keep_default_na=False, dtype=str)
    frame.insert(10, "lpips-alex", "0.1")
    frame.to_csv("lpips.csv", index=False)
    code, output, error = shipped("verify", "lpips.csv", "--rows", "*/blurry/*")
    assert code == 0
    assert verdicts(output)["demo-uniform/blurry/camera/seed0", "lpips-alex"] == "not verified"
    (line,) = [line for line in error.splitlines() if line.startswith("blindbench: ")]
    assert line.startswith("blindbench: lpips-alex: not verified: weights of lpips-alex not found")


def test_rows_are_drawn_by_a_seed(shipped):
    def drawn(seed):
        return {row for row, _ in verdicts(shipped("verify", SHIPPED, "--sample", 1, "--seed", seed)[1])}

    assert drawn(0) == drawn(0)
    assert len({row for seed in range(4) for row in drawn(seed)}) > 1


def test_rows_that_match_nothing_and_files_that_are_no_shipped_scores_are_refused(shipped):
    assert_refused(shipped("verify", SHIPPED, "--rows", "*/wiener/*"), "--rows */wiener/*: no row matches")
    assert_refused(shipped("verify", SHIPPED, "--sample", 7), "--sample 7: there are 6 rows to draw from")
    assert_refused(shipped("verify", "nothing.csv"), "nothing.csv: no such file; give what")
    assert_refused(shipped("verify", RESULTS / "scores.csv"), "the column 'profile' is missing; give what")
