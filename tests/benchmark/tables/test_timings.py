"""Tables of times: what is divided by what."""

import pandas as pd
import pytest

from benchmark.core.errors import InputError
from benchmark.tables.excerpts import filled
from benchmark.tables.timings import COLUMNS, beside_ceilings, growth


def row(what, precision, core_seconds, flop=2e9, *, by="machine", at="255", memory=100.0):
    return dict(
        zip(COLUMNS, ("m", by, at, what, precision, core_seconds, 2.0, flop, memory, "a CPU"), strict=True)
    )


MACHINE = [
    row("plain loop", "float32", 4.0),
    row("blindbench", "float32", 2.0),
    row("blindbench", "bfloat16", 1.0),
    row("convolution", "float32", 1.0, 4e9),
    row("convolution", "bfloat16", 1.0, 16e9),
    row("matrix product", "float32", 1.0, 10e9),
    row("matrix product", "bfloat16", 1.0, 20e9),
]
GROWING = [
    row(what, precision, seconds * factor, by="channels", at=at, memory=100 * factor)
    for at, factor in (("16", 1.0), ("128", 8.0))
    for what, precision, seconds in (("plain loop", "float32", 3.0), ("blindbench", "float32", 2.0))
]


def test_loops_are_compared_with_the_plain_one_and_with_the_ceilings_of_their_precision():
    table = beside_ceilings(pd.DataFrame(MACHINE))
    assert list(table["times as fast"])[:3] == [1, 2, 4]
    assert list(table["GFLOP/s"]) == [0.5, 1, 2, 4, 16, 10, 20]
    assert list(table["% of convolution"])[:3] == [12.5, 25, 12.5]
    assert list(table["% of matrix product"])[:3] == [5, 10, 10]
    assert (
        table.loc[3:, ["times as fast", "% of convolution", "% of matrix product", "MiB"]]
        .isna()
        .all(axis=None)
    )


def test_without_a_plain_loop_nothing_is_so_many_times_as_fast():
    rows = [row("blindbench", "", 2.0), row("convolution", "float32", 1.0, 4e9)]
    table = beside_ceilings(pd.DataFrame(rows))
    assert table["times as fast"].isna().all()
    assert table["% of convolution"][0] == 25


def test_growth_has_a_row_for_each_size_in_order():
    table = growth(pd.DataFrame(GROWING))
    assert list(table["channels"]) == ["16", "128"]
    assert list(table["plain loop, core-s"]) == [3, 24]
    assert list(table["float32, times as fast"]) == [1.5, 1.5]
    assert list(table["float32, MiB"]) == [100, 800]
    assert "float32, s" not in table


def test_growth_by_threads_shows_the_clock_and_needs_no_plain_loop():
    rows = [row("blindbench", p, 1.0, by="threads", at="2") for p in ("float32", "bfloat16")]
    table = growth(pd.DataFrame(rows))
    assert list(table["bfloat16, s"]) == [2]
    assert not [heading for heading in table if "times as fast" in heading]


PAGE = "<!-- times by {by} from times.csv -->\n| old |\n|--|\n| 1 |\n\nText.\n"


def test_a_page_is_filled_from_the_file(tmp_path):
    pd.DataFrame(MACHINE + GROWING).to_csv(tmp_path / "times.csv", index=False)
    page = filled(PAGE.format(by="channels"), tmp_path)
    assert " 128 |" in page
    assert page.endswith("|\n\nText.\n")
    assert filled(page, tmp_path) == page
    assert "GFLOP/s" in filled(PAGE.format(by="machine"), tmp_path)
    with pytest.raises(InputError, match=r"times\.csv: no times by 'colour'; there are machine, channels"):
        filled(PAGE.format(by="colour"), tmp_path)
    with pytest.raises(InputError, match=r"times\.csv: no such file; see docs/results/README.md"):
        filled(PAGE.format(by="machine"), tmp_path / "elsewhere")
