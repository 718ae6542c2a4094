"""Trials of `deblur` on photographs whose sharp image is known, and what the docs say of them."""

import numpy as np
import pandas as pd
import pytest

from benchmark.core.errors import InputError
from benchmark.core.types import Restoration, Status
from benchmark.data.cases import make_case
from benchmark.data.descriptors import find_dataset
from benchmark.tools.trials import counted, trials
from tests.conftest import ROOT


def estimator(kernel):
    """An `Estimate` that gives `kernel`, with a rim of zeros up to the declared size."""

    def estimate(part, size):
        margin = (size - len(kernel)) // 2
        return Restoration(Status.OK, kernels=np.pad(kernel, margin)[None].astype(np.float32))

    return estimate


def test_the_true_kernel_is_trusted_and_gains():
    dataset = find_dataset("demo-uniform")
    (kernel,) = make_case(dataset, "camera", 0).kernels
    (trial,) = trials(dataset, estimator(kernel), ["camera"], 0)
    assert (trial.case, trial.trusted, trial.agreement) == ("camera", True, pytest.approx(1))
    assert trial.restored_psnr > trial.blurry_psnr + 3
    assert trial.kernel_size in (15, 31)
    assert trial.misfit < 3


def test_a_wrong_kernel_is_doubted_and_loses():
    wrong = np.full((13, 13), 1 / 169)
    (trial,) = trials(find_dataset("demo-uniform"), estimator(wrong), ["camera"], 0)
    assert not trial.trusted
    assert trial.restored_psnr < trial.blurry_psnr
    assert trial.sentence.startswith("do not trust this")


@pytest.mark.parametrize("name", ["demo-nonuniform", "demo-real", "levin"])
def test_without_a_sharp_image_or_one_kernel_there_is_nothing_to_try(name):
    with pytest.raises(InputError, match=f"{name}: take a dataset that is blurred here"):
        next(trials(find_dataset(name), estimator(np.ones((1, 1))), ["x"], 0))


def rows(*trials_):
    keys = ("trusted", "kernel_size", "blurry_psnr", "restored_psnr")
    return pd.DataFrame([dict(zip(keys, trial, strict=True)) for trial in trials_])


def test_verdicts_are_counted_against_gains():
    table = counted(
        rows(
            (True, 15, 20.0, 25.0),
            (True, 31, 20.0, 21.0),
            (False, 15, 20.0, 20.5),
            (False, 15, 20.0, 18.0),
            (False, None, 20.0, 20.0),
        )
    ).set_index("verdict")
    counts = table[["cases", "gained 1 dB or more", "gained less", "lost"]]
    assert counts.loc["trusted"].tolist() == [2, 2, 0, 0]
    assert counts.loc["doubted"].tolist() == [2, 0, 1, 1]
    assert counts.loc["nothing done"].tolist() == [1, 0, 1, 0]
    assert table.loc["trusted", ["mean gain, dB", "least", "largest"]].tolist() == [3.0, 1.0, 5.0]


def test_the_photographs_are_as_many_as_the_caption_says():
    cases = find_dataset("photo-blurs").entries
    assert len(cases) == 48
    assert len({entry.photograph for entry in cases.values()}) == 6
    sizes = {next(iter(entry.kernel.values())) for entry in cases.values()}
    assert (min(sizes), max(sizes), len(sizes)) == (7, 57, 8)


def test_the_page_on_photos_shows_how_often_the_verdict_was_right():
    page = (ROOT / "docs" / "own-photos.md").read_text()
    rows = pd.read_csv(ROOT / "docs" / "results" / "photo-verdicts.csv", dtype={"case": str})
    table = counted(rows).set_index("verdict")
    assert rows["case"].tolist() == find_dataset("verdict-fresh").case_ids
    for verdict, numbers in table[table["cases"] > 0].iterrows():
        cells = [verdict, *(f"{number:.0f}" for number in numbers[:4]), *(f"{x:.1f}" for x in numbers[4:])]
        assert "| " + " | ".join(cell.replace("-", "−") for cell in cells) + " |" in page


def test_the_sets_to_choose_on_and_to_report_share_no_photograph():
    chosen, held_out = (find_dataset(name) for name in ("verdict-tuning", "verdict-fresh"))
    assert (len(chosen.case_ids), len(held_out.case_ids)) == (80, 66)
    assert len({*chosen.case_ids, *held_out.case_ids}) == 146
    for key in ("kernel", "noise", "protocol"):
        assert chosen.content[key] == held_out.content[key]
    # A restoration may be shifted by half a pixel, which nobody sees.
    assert held_out.content["protocol"] == "levin-shift"
