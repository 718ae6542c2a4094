"""The best method per budget, and the page of a ledger."""

import pandas as pd
import pytest

from benchmark.report.leaderboard import write_leaderboard
from benchmark.scoring.ledger import write_shipped
from benchmark.tables.excerpts import filled
from benchmark.tables.leaderboard import best_within, core_seconds, in_order, standings
from tests.benchmark.scoring.test_ledger import rows

NAME = "demo-uniform"
VALUES = {  # method to the PSNR of each case, the seconds and the threads
    "blurry": ([20.0, 21.0, 22.0], 0.0, 1),
    "oracle": ([40.0, 41.0, 42.0], 0.1, 1),
    "given-kernel@theirs": ([35.0, 35.0, 35.0], 0.1, 1),
    "l0-fast": ([22.0, 23.0, 24.0], 0.5, 1),
    "l0-grad": ([25.0, 19.0, 28.0], 4.0, 2),
    "selfdeblur": ([30.0, 31.0, 32.0], 100.0, 1),
}


def ledger_rows(**changes):
    """The rows of three cases by each method of `VALUES`, or with others in their place."""
    return rows(
        *(
            {
                **{"dataset": NAME, "group": "g", "case": f"case{place}", "method": method, "title": method},
                **{"psnr": value, "seconds": seconds, "machine": {"threads": threads}, "device": "cpu"},
                **{"protocol": "shift-rgb", "iterations": 1, "peak_memory_mib": 1},
                "image_sha256": f"{method}{place}",
            }
            for method, (values, seconds, threads) in {**VALUES, **changes}.items()
            for place, value in enumerate(values)
        )
    ).drop(columns="ssim")


def best(frame, **budgets):
    """The best per budget of a dataset's rows."""
    return best_within(NAME, frame, standings(NAME, frame), **budgets)


def test_the_best_method_within_each_budget():
    section = best(ledger_rows())
    assert section.headings == ["Within", "Method", "PSNR, dB ↑", "PSNR, worst case", "Core-seconds"]
    assert [row[:2] for row in section.rows] == [
        ["1 s", "l0-fast"],
        ["10 s", "l0-grad"],  # 4 seconds of 2 threads
        ["60 s", "l0-grad"],
        ["600 s", "selfdeblur"],
    ]
    assert section.rows[1][2].startswith("24.00 [")
    assert section.rows[1][3:] == ["19.00", "8.0"]


def test_a_method_that_lacks_a_case_a_control_and_what_was_made_elsewhere_do_not_compete():
    section = best(ledger_rows(**{"l0-fast": ([50.0, 50.0], 0.5, 1)}), budgets=(1, 10))
    assert [row[1] for row in section.rows] == ["none", "l0-grad"]


def test_the_seconds_of_a_gpu_are_no_core_seconds():
    frame = ledger_rows().assign(device="cuda")
    assert core_seconds(frame).isna().all()
    assert best(frame, budgets=(600,)).rows == [["600 s", "none", "", "", ""]]


def test_recorded_processor_time_counts_before_seconds_times_threads():
    frame = ledger_rows()
    frame = frame.assign(core_seconds=["3.0" if method == "l0-grad" else "" for method in frame.method])
    assert set(core_seconds(frame)[frame.method == "l0-grad"]) == {3.0}
    assert best(frame, budgets=(10,)).rows[0][-1] == "3.0"


def test_methods_come_in_order_of_quality_after_the_controls():
    assert list(in_order(ledger_rows()).method.unique()) == [
        *("blurry", "oracle", "l0-fast", "l0-grad", "selfdeblur", "given-kernel@theirs")
    ]


def test_a_page_shows_the_best_per_budget(tmp_path):
    write_shipped(ledger_rows(), tmp_path / "ledger")
    page = filled(f"<!-- best per budget on {NAME} from ledger -->\n| old |\n|:--|\n\nText.\n", tmp_path)
    assert "| 10 s     | l0-grad    | 24.00 [" in page
    assert "old" not in page
    assert page.endswith("|\n\nText.\n")
    with pytest.raises(ValueError, match=r"ledger: there are no scores of levin"):
        filled(page.replace(NAME, "levin"), tmp_path)


def test_the_leaderboard_of_a_ledger_needs_no_restoration(tmp_path):
    frame = ledger_rows(**{"l0-fast": ([22.0], 0.5, 1)})
    write_shipped(frame, tmp_path / "ledger")
    page = write_leaderboard(tmp_path / "ledger")
    text = page.read_text()
    assert "![cost](figures/cost.png)" in text
    assert f"## Best per budget: {NAME}" in text
    assert "| l0-fast" in text  # in the table, which says of how many cases
    claims = pd.read_csv(tmp_path / "ledger/tables/glkm-claims.csv")
    assert set(claims.verdict) == {"not tested"}
    assert f"](tables/glkm-claims.md): {len(claims)} not tested" in text
    for name in (
        f"tables/{NAME}.csv",
        f"tables/{NAME}.tex",
        f"figures/{NAME}-scores.pdf",
        "figures/cost.pdf",
    ):
        assert (tmp_path / "ledger" / name).exists()
    assert (tmp_path / "ledger/figures/performance-profiles.png").exists()
    table = pd.read_csv(tmp_path / f"ledger/tables/{NAME}.csv", keep_default_na=False)
    assert set(table.method) == set(VALUES)


def test_the_figures_show_the_methods_that_ran_on_all_cases(tmp_path, monkeypatch):
    shown = {}
    monkeypatch.setattr(
        "benchmark.report.leaderboard.cost_plot", lambda scores, *_: shown.update(cost=set(scores.method))
    )
    monkeypatch.setattr("benchmark.report.leaderboard.performance_plot", lambda *_: None)
    write_shipped(ledger_rows(**{"l0-fast": ([22.0], 0.5, 1)}), tmp_path / "ledger")
    write_leaderboard(tmp_path / "ledger")
    assert shown["cost"] == set(VALUES) - {"l0-fast"}
