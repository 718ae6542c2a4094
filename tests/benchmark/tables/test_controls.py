"""Means outside floor and ceiling are pointed out, over the same cases."""

import pandas as pd
import pytest

from benchmark.tables.controls import control_notes


def scores(metric="psnr", dataset="d", seed=0, **values):
    """A row per method and case; `values` maps a method to its cases a, b, ...; None is a missing score."""
    rows = [
        {"dataset": dataset, "case": case, "method": method, "seed": seed, "metric": metric, "value": value}
        for method, by_case in values.items()
        for case, value in zip("abc", by_case, strict=False)
    ]
    return pd.DataFrame(rows).astype({"value": float})


def test_means_between_the_controls_are_fine():
    assert control_notes(scores(blurry=[20, 22], oracle=[30, 32], selfdeblur=[19, 25])) == []
    assert control_notes(scores(blurry=[20, 22], oracle=[20, 22], selfdeblur=[20, 22])) == []


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([18, 20], "worse than Blurry input (means over the same cases): PSNR 19.000 against 21.000"),
        (
            [33, 31],
            "better than True kernel, hyper-Laplacian with border (means over the same cases): PSNR 32.000 "
            "against 31.000",
        ),
    ],
)
def test_means_outside_are_named(values, sentence):
    found = control_notes(scores(selfdeblur=values, blurry=[20, 22], oracle=[30, 32]))
    assert found == [f"SelfDeblur is {sentence}"]


def test_masked_metrics_are_judged_too():
    (sentence,) = control_notes(scores("psnr-masked", selfdeblur=[18, 20], blurry=[20, 22]))
    assert "PSNR (masked) 19.000 against 21.000" in sentence


def test_a_ceiling_below_the_floor_is_named_once():
    (sentence,) = control_notes(scores(blurry=[20, 22], oracle=[15, 15]))
    assert sentence.startswith("True kernel, hyper-Laplacian with border is worse than Blurry input")


def test_only_cases_that_both_have_are_compared():
    # Over its own two cases the method is above the floor; over all of the floor's it would be below.
    assert control_notes(scores(blurry=[20, 22, 60], selfdeblur=[21, 23, None])) == []
    assert control_notes(scores(blurry=[None, None, 60], selfdeblur=[21, 23, None])) == []


def test_repetitions_count_case_by_case():
    table = pd.concat(
        [
            scores(blurry=[20, 22], selfdeblur=[20, 20]),
            scores(seed=1, blurry=[20, 22], selfdeblur=[20, 21]),
        ]
    )
    (sentence,) = control_notes(table)
    assert "PSNR 20.250 against 21.000" in sentence


def test_metrics_are_judged_apart_and_told_together_and_settings_belong_to_their_method():
    table = pd.concat(
        [
            scores(blurry=[20], **{"selfdeblur@short": [19]}),
            scores(metric="ssim", blurry=[0.5], **{"selfdeblur@short": [0.6]}),
            scores(metric="vif", blurry=[0.5], **{"selfdeblur@short": [0.4]}),
        ]
    )
    (sentence,) = control_notes(table, {"selfdeblur@short": "The short one"})
    assert sentence == (
        "The short one is worse than Blurry input (means over the same cases): "
        "PSNR 19.000 against 20.000; VIF 0.4000 against 0.5000"
    )


def test_lower_is_better_turns_floor_and_ceiling_round():
    (sentence,) = control_notes(scores(metric="lpips-alex", blurry=[0.5], oracle=[0.1], selfdeblur=[0.6]))
    assert sentence.startswith("SelfDeblur is worse than Blurry input")
    assert "LPIPS (AlexNet) 0.6000 against 0.5000" in sentence
    (sentence,) = control_notes(scores(metric="lpips-alex", blurry=[0.5], oracle=[0.1], selfdeblur=[0.05]))
    assert sentence.startswith("SelfDeblur is better than True kernel")


def test_metrics_that_no_control_bounds_are_not_judged():
    assert control_notes(scores(metric="piqe", blurry=[50], oracle=[70], selfdeblur=[30])) == []


def test_infinite_scores_are_compared_like_others():
    assert control_notes(scores(blurry=[float("inf")], selfdeblur=[float("inf")])) == []
