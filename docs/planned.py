"""Compare the plan of a run with what it took: python docs/planned.py FILE.csv RESULTS [RESULTS ...]

Each folder of results must be of a run that has ended on this machine. Counted are the restorations of each
method: core-seconds as planned, in all, and as `run.json` has them; MiB as planned and the most that one
took. The plan is that of `blindbench plan`, measured again.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from benchmark.core.errors import InputError
from benchmark.core.files import write_text
from benchmark.planning.plan import Plan
from benchmark.planning.work import Estimates
from benchmark.runs.machine import describe, prepare
from benchmark.tables.timings import COLUMNS
from benchmark.tools.calibration import Calibration


def rows(results: Path, calibration: Calibration) -> Iterator[dict[str, object]]:
    """Return two rows with `COLUMNS` for each method of a run: planned and taken."""
    plan = Plan.read(results)
    estimates = Estimates(plan, calibration)
    runs = pd.read_csv(results / "runs.csv")
    for method in plan.methods:
        of_method = {data: cost for (name, data), cost in estimates.restorations.items() if name == method}
        unknown = [cost.remark for cost in of_method.values() if not cost.is_known]
        if unknown:
            raise InputError(f"{method}: what it takes is not known: {unknown[0]}")
        counts = {data: len(plan.datasets[data].cases) * len(plan.seeds) for data in of_method}
        once = max(cost.once for cost in of_method.values()) * len(plan.shards[method])
        planned = once + sum(cost.seconds * counts[data] for data, cost in of_method.items())
        taken = runs[runs.method == method]
        memory = max(cost.memory for cost in of_method.values())
        row = dict.fromkeys(COLUMNS, "") | {"method": method, "by": plan.config["profile"], "at": method}
        row["cpu"] = describe()["cpu"]
        yield row | {"what": "planned", "core_seconds": planned, "peak_memory_mib": memory}
        yield row | {
            "what": "taken",
            "core_seconds": taken.core_seconds.sum(),
            "peak_memory_mib": taken.peak_memory_mib.max(),
        }


def main() -> None:
    """Write the file that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("results", type=Path, nargs="+")
    given = parser.parse_args()
    prepare(1)
    calibration = Calibration(again=True, seconds=600.0)  # more than `blindbench plan` takes: all is measured
    found = [row for results in given.results for row in rows(results, calibration)]
    write_text(given.file, pd.DataFrame(found).to_csv(index=False, float_format="%.3f"))


if __name__ == "__main__":
    main()
