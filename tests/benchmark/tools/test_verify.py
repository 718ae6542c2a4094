"""The tolerances between machines follow from what was measured, and the page shows it."""

import pandas as pd
import pytest

from benchmark.data.descriptors import find_dataset
from benchmark.scoring.metrics import METRICS
from benchmark.tools.verify import OF_FITS, OF_OTHERS, tolerances
from tests.conftest import ROOT
from tests.other_cpus import AS_IT_IS, FILE, KEYS, RUNS, SWITCHES

NO_SCORES = (*KEYS, "observation_hash", "image_sha256")


@pytest.fixture(scope="module")
def measured():
    """The scores of each case under each variable."""
    frame = pd.read_csv(FILE, keep_default_na=False)
    scores = [column for column in frame.columns if column not in NO_SCORES]
    frame[scores] = frame[scores].apply(pd.to_numeric)
    return frame.assign(run=frame.dataset + "/" + frame.method)


@pytest.fixture(scope="module")
def changes(measured):
    """Run and variable to the change of each score against the machine as it is; `bytes`: of the image."""
    keys = ["run", "case"]
    before = measured[measured.switch == AS_IT_IS].set_index(keys)
    after = measured[measured.switch != AS_IT_IS].set_index(keys)
    before = before.reindex(after.index)
    scores = [column for column in before.columns if column not in NO_SCORES]
    changed = (after[scores] - before[scores]).abs()
    changed["bytes"] = (after.image_sha256 != before.image_sha256).astype(float)
    return changed.groupby([after.index.get_level_values("run"), after.switch]).max()


def cell(changes, run, switch):
    """Return what the page's table says of a run under a variable."""
    if (run, switch) not in changes.index:
        return ""
    change = changes.loc[run, switch]
    if not change.bytes:
        return "–"
    return f"{change.psnr:.2g}" if change.psnr >= 1e-4 else "below 0.0001"


def test_what_was_measured_was_measured_on_all_cases_and_on_the_machine_as_it_is(measured):
    there = set(measured[["run", "switch", "case"]].itertuples(index=False, name=None))
    assert len(there) == len(measured)
    for run in RUNS:
        cases = find_dataset(run.split("/")[0]).entries
        switches = {switch for name, switch, _ in there if name == run}
        assert AS_IT_IS in switches <= set(RUNS[run])
        assert {(run, switch, case) for switch in switches for case in cases} <= there


def test_the_observations_are_the_same_under_all_variables(measured):
    assert (measured.groupby(["dataset", "case"]).observation_hash.nunique() == 1).all()


def test_both_kinds_of_methods_were_measured(measured):
    kinds = [tolerances(run.split("/")[1], {}) for run in measured.run.unique()]
    assert OF_FITS in kinds
    assert OF_OTHERS in kinds


@pytest.mark.parametrize("allowed", [OF_FITS, OF_OTHERS], ids=["fits", "others"])
@pytest.mark.parametrize("metric", OF_FITS)
def test_a_tolerance_is_twice_the_largest_change_rounded_up(changes, metric, allowed):
    of_the_kind = [run for run, _ in changes.index if tolerances(run.split("/")[1], {}) is allowed]
    largest = changes.loc[of_the_kind, metric].max()
    least = max(2 * largest, 0.5 * 10 ** -METRICS[metric].digits)
    assert least <= allowed[metric] <= 1.5 * least


def test_choosing_among_kernels_has_the_tolerance_of_what_it_runs():
    assert tolerances("choose", {"effort": "low"}) is OF_OTHERS
    assert tolerances("choose", {"effort": "normal"}) is OF_FITS
    assert tolerances("selfdeblur@quick", {"iterations": 5}) is OF_FITS


def test_the_page_shows_the_tolerances_and_the_changes_of_the_metrics_without_one(changes):
    page = (ROOT / "docs" / "verify.md").read_text()
    for allowed in (OF_FITS, OF_OTHERS):
        assert " | " + " | ".join(f"{value:g}" for value in allowed.values()) + " |" in page
    moved = [f"{changes[metric].max():.1f}" for metric in ("niqe", "brisque", "piqe")]
    assert "They moved by up to {}, {} and {},".format(*moved) in page


@pytest.mark.parametrize("run", RUNS)
def test_the_page_shows_the_largest_change_of_psnr(changes, run):
    page = (ROOT / "docs" / "verify.md").read_text().splitlines()
    dataset, method = run.split("/")
    row = [f"| `{method}` on `{dataset}`", *(cell(changes, run, switch) for switch in SWITCHES[1:])]
    assert " | ".join([*row, ""]).replace("|  |", "| |").replace("|  |", "| |").rstrip() in page
