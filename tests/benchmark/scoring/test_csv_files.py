"""Files of scores in a spreadsheet."""

import pandas as pd

from benchmark.scoring.csv_files import write_frame


def test_no_cell_is_a_formula_and_numbers_stay_numbers(tmp_path):
    texts = [
        "=HYPERLINK(1)",
        "+cmd|x",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "-1.5",
        "+2",
        "-inf",
        "a=b",
        "",
    ]
    write_frame(pd.DataFrame({"group": texts, "value": [-1.5, *range(9)]}), tmp_path / "x.csv")
    again = pd.read_csv(tmp_path / "x.csv", dtype={"group": str}, keep_default_na=False)
    assert again.group[:5].tolist() == [f"'{text}" for text in texts[:5]]
    assert again.group[5:].tolist() == texts[5:]
    assert again["value"].tolist() == [-1.5, *range(9)]
