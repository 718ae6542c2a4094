"""Snapshots from the solver to the numbers of the convergence table."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from benchmark.data.cases import make_case
from benchmark.data.descriptors import find_dataset
from benchmark.data.synthesis import observe
from benchmark.runs import restore as restoring
from benchmark.runs.restore import Shard, restore_shard
from benchmark.runs.shards import Part
from benchmark.runs.store import Store, read_kernels, read_record, read_restored_image, read_snapshots
from benchmark.scoring.csv_files import CONVERGENCE_COLUMNS, SCORE_COLUMNS, read_frame, write_frame
from benchmark.scoring.kernel_scores import kernel_psnr
from benchmark.scoring.scores import score_method, score_snapshots  # fmt: skip
from benchmark.tables.convergence import curves, reach_sections, stopping_losses, times_to_reach

NAME = "demo-uniform"
TINY = {"iterations": 6, "channels": 4, "skip_channels": 2, "scales": 2}


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "r")
    store.write_observation(*observe(make_case(find_dataset(NAME), "camera", 0), 0))
    return store


def run(store, method="selfdeblur", snapshots=(), **settings):
    overrides = {**TINY, **settings} if method == "selfdeblur" else settings
    shard = Shard(method, [Part(NAME, 0, ["camera"])], overrides=overrides, snapshots=snapshots)
    restore_shard(store, shard, torch.device("cpu"), lambda _: None)
    return store.case_folder(NAME, method, 0, "camera")


def test_snapshots_are_kept_and_change_nothing(store):
    plain = run(store)
    assert read_snapshots(plain) == ()
    image, kernels = (plain / "image.png").read_bytes(), (plain / "kernels.npz").read_bytes()
    kept = run(store, snapshots=[2, 4, 6, 9])
    snapshots = read_snapshots(kept)
    assert [snapshot.iteration for snapshot in snapshots] == [2, 4, 6]
    assert (kept / "image.png").read_bytes() == image
    assert (kept / "kernels.npz").read_bytes() == kernels
    assert snapshots[-1].image.dtype == np.uint8
    assert np.array_equal(snapshots[-1].image / np.float32(255), read_restored_image(kept))
    assert not np.array_equal(snapshots[0].image, snapshots[-1].image)


def test_fewer_snapshots_keep_the_case_and_others_make_it_again(store):
    folder = run(store, snapshots=[2, 4])
    first = (folder / "run.json").stat().st_mtime_ns
    run(store, snapshots=[4])
    run(store)
    run(store, snapshots=[2, 4, 7])  # none of its six iterations is the seventh
    assert (folder / "run.json").stat().st_mtime_ns == first
    run(store, snapshots=[3, 4])
    assert [snapshot.iteration for snapshot in read_snapshots(folder)] == [3, 4]


def test_a_case_whose_snapshots_were_deleted_is_not_finished(store):
    folder = run(store, snapshots=[2])
    (folder / "snapshots.npz").unlink()
    assert read_record(folder) is None
    run(store, snapshots=[2])
    assert len(read_snapshots(folder)) == 1


def test_a_checkpoint_of_a_run_that_kept_fewer_is_not_continued(store, monkeypatch):
    keys = []

    def record(tasks, report, batch=1):
        keys.extend(task.key for task in tasks)
        return iter(())

    monkeypatch.setattr(restoring, "solve", record)
    for snapshots in ((), (2,), (2, 4), (4, 2), (2, 4, 7)):
        run(store, snapshots=snapshots)
    assert len(set(keys)) == 3
    assert keys[2] == keys[3] == keys[4]


def test_a_method_without_iterations_keeps_none(store):
    folder = run(store, method="blurry", snapshots=[1, 2])
    assert read_snapshots(folder) == ()
    assert json.loads((folder / "run.json").read_text())["status"] == "ok"


def score(store, snapshots, method="selfdeblur", metrics=()):
    return score_snapshots(
        store, NAME, method, ["camera"],
        seed=0, protocol="shift-rgb", metrics=metrics, snapshots=snapshots,
    )  # fmt: skip


def test_snapshots_are_scored_as_restorations_are(store):
    run(store, snapshots=[2, 4])
    # Metrics of single images and of kernel fields are none of a run's progress; PSNR counts once.
    frame = score(store, [2], metrics=["vif", "piqe", "psnr", "error-ratio"])
    assert tuple(frame.columns) == CONVERGENCE_COLUMNS
    assert list(frame.iteration) == [2] * 4 + [6] * 4
    names = ["psnr", "ssim", "kernel-psnr", "vif"]
    assert list(frame.metric) == names * 2
    final = score_method(store, NAME, "selfdeblur", ["camera"], seed=0, protocol="shift-rgb", metrics=names)
    assert list(frame.value[4:]) == list(final.value)
    assert frame.seconds.is_monotonic_increasing


def test_a_snapshot_is_the_image_of_a_run_that_ends_there(store):
    # Without stages and milestones the first steps do not know how many there will be.
    flat = {"mse_share": 1.0, "milestones": [], "kernel_rate": 1e-4}
    snapshot, later = read_snapshots(run(store, snapshots=[2, 4], **flat))
    short = run(store, iterations=2, **flat)
    assert np.array_equal(snapshot.image / np.float32(255), read_restored_image(short))
    assert np.array_equal(snapshot.kernels, read_kernels(short))
    assert not np.array_equal(snapshot.kernels, later.kernels)


def test_the_kernels_psnr_is_that_of_the_snapshots_own_kernel(store):
    (snapshot, _) = read_snapshots(run(store, snapshots=[2, 4]))
    frame = score(store, [2])
    (value,) = frame[(frame.metric == "kernel-psnr") & (frame.iteration == 2)].value
    assert value == kernel_psnr(snapshot.kernels[0], store.read_truth(NAME, "camera").kernels[0])


def test_the_result_stands_where_it_was_taken_from(store):
    """What early stopping returns is from before the end, and its snapshots go on after it."""
    folder = run(store, snapshots=[2, 3, 5, 6])
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | {"returned": 3}))
    frame = score(store, [2, 3, 5, 6])
    assert list(frame[frame.metric == "psnr"].iteration) == [2, 3, 5]
    assert list(frame[frame.metric == "psnr"].is_result) == [False, True, False]


def test_a_case_that_failed_has_no_rows(store):
    folder = run(store, snapshots=[2])
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | {"status": "diverged"}))
    assert score(store, [2]).empty


def test_a_case_without_a_sharp_image_has_no_rows(store):
    observation, truth = observe(make_case(find_dataset(NAME), "camera", 0), 0)
    store.write_observation(observation, replace(truth, sharp=None, kernels=None))
    run(store, snapshots=[2])
    assert score(store, [2]).empty


def test_an_empty_table_survives_the_round_trip(tmp_path):
    write_frame(pd.DataFrame(columns=list(CONVERGENCE_COLUMNS)), tmp_path / "x.csv")
    assert read_frame(tmp_path / "x.csv", CONVERGENCE_COLUMNS).empty


def test_names_that_look_like_numbers_stay_names(tmp_path):
    row = ("coco80", "000000000139", "000000000139", "blurry", 0, "shift-rgb", "psnr", 20.0, "")
    write_frame(pd.DataFrame([row], columns=list(SCORE_COLUMNS)), tmp_path / "x.csv")
    assert list(read_frame(tmp_path / "x.csv", SCORE_COLUMNS).case) == ["000000000139"]


def runs(**values):
    """`method_case_seed` to its PSNR at iterations 10, 20, 30; seconds are a tenth of the iteration."""
    rows = [
        (
            *(NAME, "g", case, method, int(seed), iteration, iteration == 10 * len(series)),
            *(iteration / 10, "shift-rgb", metric, value),
        )
        for name, series in values.items()
        for method, case, seed in [name.split("_")]
        for iteration, value in zip((10, 20, 30), series, strict=False)
        for metric in ("psnr", "ssim")
    ]
    return pd.DataFrame(rows, columns=list(CONVERGENCE_COLUMNS))


NO_SCORES = pd.DataFrame(columns=list(SCORE_COLUMNS))
SLOW_AND_FAST = runs(
    slow_a_0=[10, 15, 20], slow_b_0=[20, 25, 30], slow_a_1=[12, 17, 22], slow_b_1=[20, 25, 30],
    fast_a_0=[15, 21, 22], fast_b_0=[25, 29, 31], fast_a_1=[15, 23, 24], fast_b_1=[25, 31, 28],
)  # fmt: skip


def test_curves_are_means_over_cases_with_the_range_over_seeds():
    curve = curves(SLOW_AND_FAST, NO_SCORES).set_index(["method", "iteration"])
    assert set(curve.metric) == {"psnr"}
    start = curve.loc[("slow", 10)]
    assert (start["mean"], start.low, start.high, start.seeds, start.seconds) == (15.5, 15, 16, 2, 1.0)
    assert curve.loc[("fast", 20), "mean"] == (25 + 27) / 2


def test_a_run_that_failed_counts_as_the_blurry_input_at_every_iteration_of_a_curve():
    values = {("slow", 0): 20.0, ("slow", 1): np.nan, ("blurry", 0): 8.0, ("none", 0): np.nan}
    scores = pd.DataFrame(
        [
            (NAME, "g", "a", method, seed, "shift-rgb", "psnr", value, "")
            for (method, seed), value in values.items()
        ],
        columns=list(SCORE_COLUMNS),
    )
    curve = curves(runs(slow_a_0=[10, 15, 20]), scores)
    assert set(curve.method) == {"slow"}
    assert list(curve["mean"]) == [9, 11.5, 14]
    assert list(curve.low) == [8, 8, 8]
    assert list(curve.seconds) == [1, 2, 3]
    assert set(zip(curve.scored, curve.runs, strict=True)) == {(1, 2)}


def test_iterations_that_a_run_lacks_are_left_out():
    lacking = runs(slow_a_0=[10, 15, 20], slow_b_0=[20, 25])
    assert list(curves(lacking, NO_SCORES).iteration) == [10, 20]


def test_gaps_are_what_the_best_iteration_has_more_than_the_result_and_the_last():
    frame = runs(one_a_0=[10, 20, 15], one_b_0=[10, 12, 14])
    frame.loc[frame.case == "a", "is_result"] = frame.iteration == 10
    found = stopping_losses(frame).set_index(["case", "metric"])
    assert tuple(found.loc[("a", "psnr"), ["of_result", "of_last"]]) == (10, 5)
    assert tuple(found.loc[("b", "psnr"), ["of_result", "of_last"]]) == (0, 0)


def test_gaps_are_positive_where_lower_is_better():
    frame = runs(one_a_0=[3, 1, 2]).assign(metric="lpips-alex")
    frame["is_result"] = frame.iteration == 10
    assert stopping_losses(frame)[["of_result", "of_last"]].to_numpy().tolist() == [[2, 1]]


def test_the_reference_is_reached_where_the_mean_curve_first_is_no_lower():
    table = times_to_reach(SLOW_AND_FAST, "slow").set_index("method")
    fast = table.loc["fast"]
    # The reference ends at a: (20 + 22) / 2 = 21, b: 30; their mean is 25.5. Fast has 26 at 20 iterations.
    assert (fast.reference_final, fast.final) == (25.5, 26.25)
    assert (fast.iteration, fast.seconds) == (20, 2.0)
    # Run by run: a 0 at 20 (21 >= 21), a 1 at 20, b 0 at 30 (31 >= 30), b 1 at 20.
    assert (fast.runs, fast.reached, fast.median_iteration) == (4, 4, 20)
    slow = table.loc["slow"]
    assert (slow.iteration, slow.final) == (30, 25.5)
    assert (slow.runs, slow.reached) == (4, 3)  # seed 0 of a ends below the mean of its seeds


def test_a_method_that_never_reaches_the_reference_has_no_iteration():
    table = times_to_reach(SLOW_AND_FAST, "fast").set_index("method")
    slow = table.loc["slow"]
    assert np.isnan(slow.iteration)
    assert np.isnan(slow.seconds)
    assert slow.reached == 2  # b reaches 29.5 with both seeds, a never 23
    assert np.isnan(slow.median_iteration)  # between 30 and never


def test_only_shared_cases_are_compared_and_a_dataset_without_the_reference_has_no_row():
    frame = runs(slow_a_0=[10, 15, 20], fast_a_0=[20, 21, 22], fast_b_0=[1, 2, 3])
    fast = times_to_reach(frame, "slow").set_index("method").loc["fast"]
    assert (fast.cases, fast.final, fast.iteration) == (1, 22, 10)
    assert times_to_reach(frame, "nothing").empty


def test_a_failed_run_never_reaches_the_reference_and_the_others_are_compared_on_their_cases():
    lacking = SLOW_AND_FAST[~((SLOW_AND_FAST.method == "fast") & (SLOW_AND_FAST.case == "a"))]
    frame = lacking.replace({"method": {"slow": "selfdeblur", "fast": "selfdeblur@fast"}})
    fast = times_to_reach(frame, "selfdeblur").set_index("method").loc["selfdeblur@fast"]
    assert (fast.reference_final, fast.final, fast.iteration) == (30, 29.5, 20)
    assert (fast.runs, fast.scored, fast.reached) == (4, 2, 2)
    assert np.isnan(fast.median_iteration)  # 20, 30 and twice never
    (sheet,) = reach_sections(times_to_reach(frame, "selfdeblur"))
    assert sheet.headings[2] == "Goal"
    assert sheet.rows[0][1:4] == ["25.50", "25.50", "30"]
    assert sheet.rows[1][1:] == [
        "29.50 (2 of 4)", "30.00", "20 (2 of 4)", "2.0 (2 of 4)", "2 of 4", "not reached"
    ]  # fmt: skip
    assert "(25.50 dB, mean over 2 cases and 2 seeds)" in sheet.caption
    assert "(1 of 2): of one of two restorations, the other has no image" in sheet.caption


def test_a_reference_that_lacks_a_run_has_one_final_mean():
    lacking = SLOW_AND_FAST.query("not (method == 'slow' and case == 'a' and seed == 0)")
    slow = times_to_reach(lacking, "slow").set_index("method").loc["slow"]
    assert (slow.final, slow.reference_final, slow.scored, slow.runs) == (26, 26, 3, 4)


def test_the_sheet_says_where_the_reference_is_reached():
    frame = SLOW_AND_FAST.replace({"method": {"slow": "selfdeblur", "fast": "selfdeblur@fast"}})
    (sheet,) = reach_sections(times_to_reach(frame, "selfdeblur"), {"selfdeblur@fast": "The fast one"})
    assert "final PSNR of SelfDeblur is reached (25.50 dB, mean over 2 cases and 2 seeds)" in sheet.caption
    assert sheet.rows == [
        ["SelfDeblur", "25.50", "30", "3.0", "3 of 4", "30"],
        ["The fast one", "26.25", "20", "2.0", "4 of 4", "20"],
    ]
    (other,) = reach_sections(times_to_reach(frame, "selfdeblur@fast"))
    assert other.rows[0][2:] == ["not reached", "not reached", "2 of 4", "not reached"]
