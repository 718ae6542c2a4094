"""From scores to tables: what is averaged, ordered, footnoted and left out."""

import numpy as np
import pandas as pd
import pytest

from benchmark.descriptors import find_dataset
from benchmark.scoring import SCORE_COLUMNS
from benchmark.tables import markdown, summary

NAME = "demo-uniform"


def scores_frame(values, notes=None):
    """`values` maps (method, metric) to one value per case."""
    rows = [
        (NAME, "g", f"case{i}", method, 0, "shift-rgb", metric, value, (notes or {}).get((metric, i), ""))
        for (method, metric), cases in values.items()
        for i, value in enumerate(cases)
    ]
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def page(scores):
    runs = pd.DataFrame(columns=["dataset", "method", "status"])
    table = summary(scores, runs, [NAME])
    text = markdown(table, {NAME: find_dataset(NAME)}, "A test.")
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    heading, _, *rows = [[cell.strip() for cell in line] for line in lines]
    return table, text, [dict(zip(heading, row, strict=True)) for row in rows]


def test_worst_to_best_follows_the_direction_of_the_metric():
    values = {
        ("blurry", "psnr"): [20.0, 24.0], ("blurry", "lpips-alex"): [0.5, 0.25], ("blurry", "niqe"): [5, 9],
        ("selfdeblur", "psnr"): [23.0, 25.0], ("selfdeblur", "lpips-alex"): [0.125, 0.25],
        ("selfdeblur", "niqe"): [4.0, 6.0],
    }  # fmt: skip
    table, text, (floor, method) = page(scores_frame(values))
    assert floor["PSNR, dB ↑"] == "22.00 (20.00 to 24.00)"
    assert floor["LPIPS (AlexNet) ↓"] == "0.375 (0.500 to 0.250)"
    assert method["NIQE ↓"] == "5.00 (6.00 to 4.00)"
    assert method["Gain, dB"] == "+2.00"
    assert "No column" not in text
    assert "Gain over the blurry input. NIQE: of the restored image alone, whole frame." in text
    assert list(method) == [
        *("Method", "PSNR, dB ↑", "Gain, dB", "LPIPS (AlexNet) ↓", "NIQE ↓", "Scored", "Failed")
    ]
    by_metric = table.set_index(["method", "metric"])
    assert by_metric.gain["selfdeblur", "psnr"] == pytest.approx(2)
    assert by_metric.gain.drop("psnr", level="metric").isna().all()


def test_a_metric_without_any_value_has_no_column_but_a_sentence():
    reasons = {"psnr": "no sharp image exists", "ssim": "no sharp image exists", "niqe": "weights not found"}
    values = {("blurry", name): [np.nan, np.nan] for name in reasons} | {("blurry", "piqe"): [30.0, 40.0]}
    notes = {(name, i): reason for name, reason in reasons.items() for i in range(2)}
    table, text, (row,) = page(scores_frame(values, notes))
    assert list(row) == ["Method", "PIQE ↓", "Scored", "Failed"]
    assert row["Scored"] == "2"
    assert "Gain" not in text
    assert "No column for PSNR, SSIM: no sharp image exists." in text
    assert "No column for NIQE: weights not found." in text
    assert set(table.metric) == {"psnr", "ssim", "niqe", "piqe"}  # the CSV keeps them


def test_a_metric_with_some_values_keeps_its_column_and_footnotes_the_rest():
    values = {("blurry", "niqe"): [5.0, np.nan], ("selfdeblur", "niqe"): [np.nan, np.nan]}
    notes = {("niqe", 1): "niqe needs at least 96 px a side", ("niqe", 0): ""}
    _, text, (floor, method) = page(scores_frame(values, notes))
    assert floor["NIQE ↓"] == "5.00 (5.00 to 5.00) [1]"
    assert method["NIQE ↓"] == "[1]"
    assert "[1] niqe needs at least 96 px a side." in text
    assert "No column" not in text


def test_a_table_of_failures_alone_still_has_its_rows():
    values = {("blurry", "psnr"): [np.nan], ("selfdeblur", "psnr"): [np.nan]}
    _, text, rows = page(scores_frame(values, {("psnr", 0): "failed: no reason"}))
    assert [list(row) for row in rows] == [["Method", "Scored", "Failed"]] * 2
    assert "No column for PSNR: failed: no reason." in text
