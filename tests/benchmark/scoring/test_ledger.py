"""How rows are merged into a ledger."""

import gzip

import numpy as np
import pandas as pd
import pytest

from benchmark.scoring.ledger import add, merged, read_shipped
from benchmark.scoring.shipped import NAME_COLUMNS, ORIGIN_COLUMNS


def rows(*changes):
    """Rows of shipped scores, one for each mapping of changes."""
    same = {
        **dict.fromkeys((*NAME_COLUMNS, *ORIGIN_COLUMNS), ""),
        **{"profile": "p", "dataset": "d", "case": "a", "method": "m", "seed": 0, "status": "ok"},
        **{"psnr": 20.0, "image_sha256": "image", "code_hash": "code", "experiment_seed": 0},
        **{"settings_hash": "s", "settings": {"x": 1}, "machine": {"cpu": "c"}, "versions": {}, "notes": {}},
    }
    names = [*NAME_COLUMNS, "psnr", "ssim", *ORIGIN_COLUMNS]
    return pd.DataFrame([{**same, **change} for change in changes], columns=names)


def test_rows_that_are_there_stay_and_new_ones_are_added():
    frame = merged(rows({}), rows({"psnr": 1.0}, {"seed": 1}), "ledger")
    assert frame.psnr.tolist() == [20.0, 20.0]
    assert frame.seed.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"settings_hash": "t"}, "other settings"),
        ({"observation_hash": "o"}, "another observation"),
        ({"weights_hash": "w"}, "other weights"),
        ({"experiment_seed": 1}, "another experiment seed"),
        ({"protocol": "plain"}, "another protocol"),
        ({"code_hash": "new", "image_sha256": "other"}, "another image, by other code"),
    ],
)
def test_a_contradiction_is_named_with_how_many_there_are(change, what):
    before = rows({}, {"case": "b"})
    new = rows(change, {**change, "case": "b"})
    with pytest.raises(ValueError, match=rf"^ledger: d/m/a/seed0 is there with {what} \(2 such rows\); add"):
        merged(before, new, "ledger")
    assert merged(before, new, "ledger", replace=True)[list(change)].iloc[0].to_dict() == change


@pytest.mark.parametrize("change", [{"code_hash": "new"}, {"image_sha256": "other"}])
def test_other_code_with_the_same_image_and_another_machines_bits_contradict_nothing(change):
    frame = merged(rows({}), rows({**change, "seconds": 9}), "ledger")
    assert frame.seconds.tolist() == [""]


def test_a_row_gains_the_scores_that_it_lacks_if_the_image_is_the_same():
    new = {"psnr": 1.0, "ssim": 0.9}
    before = rows({"notes": {"ssim": "no weights"}})
    frame = merged(before, rows(new), "ledger")
    assert frame[["psnr", "ssim"]].iloc[0].tolist() == [20.0, 0.9]
    assert frame.notes[0] == {}
    other = merged(before, rows({**new, "image_sha256": "of another machine"}), "ledger")
    assert np.isnan(other.ssim[0])


def test_a_row_without_an_image_gives_way_to_one_with_an_image():
    failed = rows({"image_sha256": "", "status": "out_of_memory", "psnr": np.nan})
    assert merged(failed, rows({}), "ledger").status.tolist() == ["ok"]
    assert merged(rows({}), failed, "ledger").status.tolist() == ["ok"]


def test_the_order_of_adding_and_the_time_change_no_byte(tmp_path):
    first, second = rows({"case": "b", "settings_hash": "t"}), rows({"machine": {"cpu": "e"}})
    for name, order in (("one", (first, second)), ("two", (second, first))):
        for frame in order:
            add(frame, tmp_path / name)
    one, two = (
        {file.name: file.read_bytes() for file in (tmp_path / name).glob("*.gz")} for name in ("one", "two")
    )
    assert one == two
    assert all(content[3:8] == bytes(5) for content in one.values())  # neither a name nor a time
    assert gzip.decompress(one["settings.csv.gz"]).count(b"\n") == 3
    assert read_shipped(tmp_path / "one").case.tolist() == ["a", "b"]


def test_what_no_row_names_any_more_goes(tmp_path):
    add(rows({}), tmp_path / "ledger")
    counts = add(rows({"settings_hash": "t", "settings": {"x": 2}}), tmp_path / "ledger", replace=True)
    assert counts == {"new": 0, "changed": 1, "all": 1}
    assert read_shipped(tmp_path / "ledger").settings.tolist() == [{"x": 2}]
    assert gzip.decompress((tmp_path / "ledger/settings.csv.gz").read_bytes()).count(b"\n") == 2


def test_a_ledger_whose_settings_are_lost_is_refused(tmp_path):
    add(rows({}), tmp_path / "ledger")
    add(rows({"settings_hash": "t"}), tmp_path / "other")
    (tmp_path / "other/settings.csv.gz").replace(tmp_path / "ledger/settings.csv.gz")
    with pytest.raises(ValueError, match=r"settings\.csv\.gz: settings_hash s is missing"):
        read_shipped(tmp_path / "ledger")
