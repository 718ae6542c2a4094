"""Run the drill and write its table into docs/reliability.md: `make drill`.

    python -m tests.drill [--kills 100] [--fuzz 1000] [--soak 500] [--seed 0] [--only PART ...]

It can be stopped at any time: outcomes are kept in results/drill, and the same command goes on there. Delete
that folder to begin anew.
"""

import argparse
import csv
import os
import signal
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

from benchmark.core.files import write_text
from benchmark.core.resources import version
from tests.conftest import ROOT
from tests.drill.field import SCENES, Field, serving
from tests.drill.kills import Kill, carry_out
from tests.drill.report import COLUMNS, KEPT, page, row_of, versions

TESTS = {  # what each part runs under pytest
    "soak": ["tests/drill/test_soak.py"],
    "faults": ["tests/drill/test_faults.py", "tests/benchmark/cli/test_machine_faults.py",
               "tests/benchmark/cli/test_dying_cases.py", "tests/workflow/test_upkeep.py"],
    "fuzz": ["tests/fuzz"],
}  # fmt: skip
PARTS = ("kills", *TESTS)


def main() -> None:
    """Run the parts that were asked for and are not finished, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.drill", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="how many commands are killed")
    parser.add_argument("--fuzz", type=int, default=1000, help="examples of each kind of hostile input")
    parser.add_argument("--soak", type=int, default=500, help="cases in one process")
    parser.add_argument("--seed", type=int, default=0, help="draws the kills")
    parser.add_argument("--only", nargs="+", choices=[*PARTS, "page"], default=list(PARTS))
    given = parser.parse_args()
    # A shell lets jobs in its background ignore INT, and so would all commands that are killed here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    KEPT.mkdir(parents=True, exist_ok=True)
    if "kills" in given.only:
        run_kills(given.seed, given.kills)
    sizes = {"fuzz": f", {given.fuzz} examples of each kind", "soak": f", {given.soak} cases"}
    for part in TESTS:
        if part in given.only:
            settings = {"BLINDBENCH_FUZZ": str(given.fuzz), "BLINDBENCH_SOAK": str(given.soak)}
            run_tests(part, settings, f"version {version()}{sizes.get(part, '')}")
    page()


def run_kills(seed: int, count: int) -> None:
    """Carry out the kills that have no outcome yet."""
    path = KEPT / f"kills-seed{seed}.csv"
    if not path.exists():
        write_text(path, ",".join(COLUMNS) + "\n")
    with path.open(newline="") as file:
        done = {int(row["number"]) for row in csv.DictReader(file)}
    missing = [Kill.drawn(seed, number) for number in range(count) if number not in done]
    if not missing:
        return
    made_with = versions() | {"date": date.today().isoformat()}  # of the copy that is made now
    with tempfile.TemporaryDirectory(prefix="drill") as folder:
        field = Field(Path(folder) / "field")
        with serving(field):
            names = {kill.scene.name for kill in missing}
            runs = field.undisturbed([scene for scene in SCENES if scene.name in names])
            for kill in missing:
                outcome = carry_out(kill, field, runs[kill.scene.name])
                row = row_of(kill, outcome) | made_with
                with path.open("a", newline="") as file:
                    csv.DictWriter(file, COLUMNS).writerow(row)
                print(f"kill {kill.number + 1} of {count}: {row['scene']}: {row['result']}", flush=True)


def run_tests(part: str, settings: dict[str, str], title: str) -> None:
    """Run the tests of a part with as many examples as were asked for; their report is kept."""
    report = KEPT / f"{part}.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    command += ["-o", f"junit_suite_name={title}"]
    environment = {**os.environ, **settings, "BLINDBENCH_DRILL": "1", "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, *TESTS[part]], cwd=ROOT, env=environment, check=False)


if __name__ == "__main__":
    main()
