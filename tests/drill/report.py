"""Write what the drill has tried, how often and with what result into docs/reliability.md."""

import csv
import os
import platform
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib import metadata

import numpy as np

from benchmark.core.files import read_text, write_text
from benchmark.core.resources import version
from tests.conftest import ROOT
from tests.drill.kills import SAME, STOPS_WITHIN, Kill, Outcome

KEPT = ROOT / "results" / "drill"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- written by `make drill` -->", "<!-- end of what `make drill` has written -->"
COLUMNS = (
    "number", "scene", "signal", "victim", "hit", "phase", "at", "result", "stopped", "computed", "load",
    "refused", "version", "python", "torch", "snakemake", "system", "cpu", "date",
)  # fmt: skip

Row = Mapping[str, str]


def versions() -> dict[str, str]:
    """What the drill runs with."""
    from benchmark.runs.machine import describe  # imports torch  # noqa: PLC0415

    packages = {name: metadata.version(name) for name in ("torch", "snakemake")}
    system = f"{platform.system()} {platform.release()}"
    return {"version": version(), "python": platform.python_version(), **packages, "system": system,
            "cpu": describe()["cpu"]}  # fmt: skip


def row_of(kill: Kill, outcome: Outcome) -> dict[str, str]:
    """Write a kill and its outcome as a row of the file that keeps them."""
    return {
        "number": str(kill.number),
        "scene": kill.scene.name,
        "signal": kill.signal.name.removeprefix("SIG"),
        "victim": kill.victim,
        "hit": outcome.hit,
        "phase": "work" if kill.is_at_work else "any",
        "at": f"{outcome.at:.2f}",
        "result": outcome.result,
        "stopped": "" if outcome.stopped is None else f"{outcome.stopped:.2f}",
        "computed": "" if outcome.computed is None else f"{outcome.computed:.2f}",
        "load": f"{outcome.load:.1f}",
        "refused": str(outcome.refused),
    }


def page() -> None:
    """Replace what stands between the markers of the page."""
    rows = []
    for path in sorted(KEPT.glob("kills-seed*.csv")):
        with path.open(newline="") as file:
            rows += [row | {"seed": path.stem.removeprefix("kills-seed")} for row in csv.DictReader(file)]
    lines = [*of_kills(rows), *of_stops(rows), *(line for part in PARTS for line in of_tests(part))]
    before, _, rest = read_text(PAGE).partition(BEGIN)
    _, _, after = rest.partition(END)
    written = re.sub(r"\n{3,}", "\n\n", "\n".join([BEGIN, "", *lines, "", END]))
    write_text(PAGE, before + written + after)


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    """Format a table of Markdown."""
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in (head, *rows)]
    first, *others = ["| " + " | ".join(row) + " |" for row in cells]
    return [first, "|" + " --- |" * len(cells[0]), *others]


def of_kills(rows: list[Row]) -> list[str]:
    """Count kills by command, by signal and victim; describe those that went wrong."""
    if not rows:
        return []
    made_with = Counter(
        f"version {r['version']}, Python {r['python']}, torch {r['torch']}, Snakemake {r['snakemake']}, "
        f"{r['system']}, {r['cpu']}, {r['date']}, seed {r['seed']}"
        for r in rows
    )
    wrong = [row for row in rows if row["result"] != SAME]
    signals = {row["signal"]: None for row in rows}
    by_signal = [
        [
            victim,
            *(_share([r for r in rows if (r["hit"], r["signal"]) == (victim, name)]) for name in signals),
        ]
        for victim in dict.fromkeys(row["hit"] for row in rows)
    ]
    named = {"": "none: the command had ended before, three times"}
    return [
        "### Kills",
        "",
        *(f"- {count} kills: {what}" for what, count in made_with.items()),
        "",
        *table(
            ["command", "kills", "same bytes", "something else"],
            [
                [f"`{scene}`", len(own), sum(r["result"] == SAME for r in own),
                 sum(r["result"] != SAME for r in own)]
                for scene in dict.fromkeys(row["scene"] for row in rows)
                for own in [[row for row in rows if row["scene"] == scene]]
            ],
        ),
        "",
        *table(
            ["killed", *signals],
            [[named.get(victim, victim), *cells] for victim, *cells in by_signal],
        ),
        "",
        "Cells: kills that ended with the same bytes, of all kills.",
        "",
        f"What ended otherwise: {len(wrong)} of {len(rows)}.",
        "",
        *(
            f"- kill {r['number']} of seed {r['seed']} ({r['signal']} to {r['hit']} of `{r['scene']}` after "
            f"{r['at']} s): {r['result']}"
            for r in wrong
        ),
        "",
    ]  # fmt: skip


def _share(rows: list[Row]) -> str:
    return f"{sum(row['result'] == SAME for row in rows)} of {len(rows)}" if rows else ""


def of_stops(rows: list[Row]) -> list[str]:
    """Give the distribution of the seconds from TERM or INT to the main process until all has ended."""
    stops = [row for row in rows if row["stopped"]]
    if not stops:
        return []
    lines = []
    for scene in dict.fromkeys(row["scene"] for row in stops):
        own = [row for row in stops if row["scene"] == scene]
        seconds = np.array([float(row["stopped"]) for row in own])
        computed = np.array([float(row["computed"]) for row in own])
        loads = [float(row["load"]) for row in own]
        spread = [f"{value:.1f}" for value in (np.median(seconds), seconds.max())]
        late = int((seconds > STOPS_WITHIN).sum())
        own_work = f"{computed.max():.1f}"
        lines.append(
            [f"`{scene}`", len(own), *spread, late, own_work, f"{min(loads):.0f} to {max(loads):.0f}"]
        )
    head = ["command", "stops", "median, s", "longest, s", f"over {STOPS_WITHIN:.0f} s", "most computed, s"]
    return [
        "### Seconds until a command has stopped",
        "",
        "After TERM or INT to its main process alone. Computed: what the stop itself took of a processor. "
        f"The load average is that of the minute before, on {os.cpu_count()} processors.",
        "",
        *table([*head, "load average"], lines),
        "",
    ]


PARTS = {"soak": "Soak", "faults": "Faults of the machine, lost and damaged files", "fuzz": "Hostile input"}


def of_tests(part: str) -> list[str]:
    """Count the outcomes of each test of a part."""
    path = KEPT / f"{part}.xml"
    if not path.exists():
        return []
    suite = ET.parse(path).getroot().find("testsuite")
    cases: dict[str, list[ET.Element]] = {}
    for case in suite.iter("testcase"):
        cases.setdefault(case.get("name").partition("[")[0], []).append(case)
    properties = {entry.get("name"): entry.get("value") for entry in suite.iter("property")}
    outcomes = {name: Counter(map(_outcome, own)) for name, own in cases.items()}
    kinds = ("passed", "failed", "skipped")
    rows = [
        [name.removeprefix("test_").replace("_", " "), *(counts[kind] or "" for kind in kinds)]
        for name, counts in outcomes.items()
    ]
    failed = [
        f"- {case.get('name')}: {_first_line(case)}"
        for own in cases.values()
        for case in own
        if _outcome(case) != "passed"
    ]
    # Without what hypothesis writes there.
    known = [f"- {name}: {value}" for name, value in properties.items() if not name.startswith("hypothesis")]
    when = suite.get("timestamp", "")[:10]
    blank = [""] if failed or known else []
    return [
        f"### {PARTS[part]}",
        "",
        f"{suite.get('name')}, {when}:",
        "",
        *table(["what", *kinds], rows),
        *blank,
        *known,
        *failed,
        "",
    ]


def _outcome(case: ET.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "passed" if case.find("skipped") is None else "skipped"


def _first_line(case: ET.Element) -> str:
    (reason,) = [child for child in case if child.tag in ("failure", "error", "skipped")][:1]
    # Up to the first path of this machine.
    return re.split(r"['\s]/", re.sub(r"\s+", " ", reason.get("message", "")).strip()[:200])[0]
