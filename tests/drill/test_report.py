"""The page of the drill: what went wrong stands there as well as what went right."""

import csv

from tests.drill import report
from tests.drill.kills import SAME, Kill, Outcome
from tests.drill.report import BEGIN, COLUMNS, END, page, row_of

MADE_WITH = dict.fromkeys(("version", "python", "torch", "snakemake", "system", "cpu", "date"), "1")
TESTS = """\
<testsuites><testsuite name="version 1" timestamp="2026-01-02T03:04:05">
<testcase name="test_one_thing[a]"><properties><property name="cases" value="7"/></properties></testcase>
<testcase name="test_one_thing[b]"><failure message="not
this"/></testcase>
<testcase name="test_other"><skipped message="nothing here"/></testcase>
</testsuite></testsuites>
"""


def test_the_page_counts_what_was_tried_and_names_what_failed(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "KEPT", tmp_path)
    monkeypatch.setattr(report, "PAGE", tmp_path / "page.md")
    (tmp_path / "page.md").write_text(f"Before.\n\n{BEGIN}\nold\n{END}\n\nAfter.\n")
    kill = Kill.drawn(0, 3)
    outcomes = [
        Outcome(SAME, "main", 1.5, stopped=7.25, computed=0.5, load=12),
        Outcome(SAME, "main", 1.5, stopped=1.25, computed=0.25, load=2),
        Outcome("scores.csv: lost", "group", 2.5),
    ]
    with (tmp_path / "kills-seed0.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(row_of(kill, outcome) | MADE_WITH for outcome in outcomes)
    (tmp_path / "fuzz.xml").write_text(TESTS)
    page()
    text = (tmp_path / "page.md").read_text()
    assert text.startswith(f"Before.\n\n{BEGIN}\n")
    assert text.endswith(f"{END}\n\nAfter.\n")
    assert "old" not in text
    name, scene = kill.signal.name.removeprefix("SIG"), f"`{kill.scene.name}`"
    assert f"| {scene} | 3 | 2 | 1 |" in text
    assert "| main | 2 of 2 |" in text
    assert "| group | 0 of 1 |" in text
    assert "What ended otherwise: 1 of 3." in text
    assert f"({name} to group of {scene} after 2.50 s): scores.csv: lost" in text
    assert f"| {scene} | 2 | 4.2 | 7.2 | 1 | 0.5 | 2 to 12 |" in text
    assert "version 1, 2026-01-02:" in text
    assert "| one thing | 1 | 1 |  |" in text
    assert "| other |  |  | 1 |" in text
    assert "- cases: 7" in text
    assert "- test_one_thing[b]: not this" in text
    assert "- test_other: nothing here" in text
