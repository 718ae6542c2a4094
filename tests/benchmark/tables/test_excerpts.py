"""Tables of Markdown pages, compiled from shipped scores."""

import pandas as pd
import pytest

from benchmark.scoring.shipped import NAME_COLUMNS, ORIGIN_COLUMNS
from benchmark.tables.excerpts import filled, tables_of

PAGE = """Text before.

<!-- scores of demo-uniform from one.csv, other.csv -->
| Method | PSNR, dB ↑ | Gain, dB |
|:--|:--|:--|
| old | 99.99 | +9.99 |

Text after, with | a bar.
"""


def row(method, case, psnr, **others):
    """A row of shipped scores."""
    constants = {
        **dict.fromkeys((*NAME_COLUMNS, *ORIGIN_COLUMNS), ""),
        **{"profile": "p", "dataset": "demo-uniform", "group": case, "seed": 0, "protocol": "shift-rgb"},
        **{"status": "ok", "settings": "{}", "machine": "{}", "versions": "{}", "notes": "{}"},
    }
    return {**constants, "case": case, "method": method, "title": method, "psnr": psnr, **others}


@pytest.fixture
def folder(tmp_path):
    """A folder with shipped scores in two files."""
    one = [
        row("blurry", "camera", 20.0, title="Blurry input"),
        row("blurry", "astronaut", 24.0, title="Blurry input"),
    ]
    one += [
        row("selfdeblur", case, psnr, seed=seed)
        for case, psnr in (("camera", 25), ("astronaut", 27))
        for seed in (0, 1)
    ]
    other = [
        row("blurry", "camera", 1.0),
        row("ufpnet", "camera", 23.125, title="UFPNet", weights="small demo"),
    ]
    other += [row("ufpnet", "astronaut", 24.125, title="UFPNet", weights="small demo")]
    for name, rows in (("one.csv", one), ("other.csv", other)):
        frame = pd.DataFrame(rows)
        frame[[*NAME_COLUMNS, "psnr", *ORIGIN_COLUMNS]].to_csv(tmp_path / name, index=False)
    return tmp_path


def cells(page):
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.splitlines()
        if line.startswith("|")
    ]


def test_a_table_is_compiled_from_the_files_that_its_comment_names(folder):
    page = filled(PAGE, folder)
    assert cells(page)[0] == ["Method", "PSNR, dB ↑", "Gain, dB"]
    assert cells(page)[2:] == [
        ["Blurry input", "22.00", "+0.00"],
        ["selfdeblur", "**26.00**", "+4.00"],
        ["UFPNet (`small demo`)", "23.62", "+1.62"],
    ]
    assert page.startswith("Text before.\n\n<!-- scores of demo-uniform")
    assert page.endswith("\n\nText after, with | a bar.\n")


def test_the_worst_case_and_the_median_of_the_seconds_are_of_single_cases(folder):
    frame = pd.read_csv(folder / "one.csv", keep_default_na=False)
    frame.assign(seconds=[0, 0, 1, 2, 4, 8]).to_csv(folder / "one.csv", index=False)
    page = PAGE.replace("Gain, dB", "PSNR, worst case | Seconds").replace(", other.csv", "")
    page = page.replace(":--|:--|", ":--|:--|:--|").replace("+9.99", "9.99 | 9.9")
    assert cells(filled(page, folder))[2:] == [
        ["Blurry input", "22.00", "20.00", "0.0"],
        ["selfdeblur", "26.00", "25.00", "3.0"],
    ]


def test_a_filled_table_stays_and_another_number_does_not(folder):
    page = filled(PAGE, folder)
    assert filled(page, folder) == page
    assert filled(page.replace("26.00", "26.01"), folder) == page


def test_the_tables_of_a_page_are_listed_with_their_files():
    ((text, files),) = tables_of(PAGE)
    assert files == ["one.csv", "other.csv"]
    assert text.startswith("<!-- scores of")
    assert text.endswith("| +9.99 |\n")
    assert tables_of("| a | b |\n") == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Gain, dB", "SSIM ↑", r"one\.csv: no column 'SSIM ↑'; there are Method, PSNR"),
        ("one.csv", "none.csv", r"none\.csv: no such file"),
        ("demo-uniform", "demo-faces", r"one\.csv: there are no scores of demo-faces"),
    ],
)
def test_what_cannot_be_compiled_is_refused(folder, old, new, message):
    with pytest.raises(ValueError, match=message):
        filled(PAGE.replace(old, new), folder)
