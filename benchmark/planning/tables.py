"""Which tables a config compiles, and which datasets each of them shows."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from benchmark.planning.parts import DatasetPlan, TablePlan
from benchmark.runs.store import CONVERGENCE_FILE, SCORES_FILE
from benchmark.tables.claims import claim_table, claim_tables
from benchmark.tables.definition import Grid
from benchmark.tables.paper_tables import paper_table, paper_tables

CONVERGENCE = "convergence"
SENSITIVITY = "sensitivity"


def planned_tables(
    config: Mapping[str, Any], datasets: Mapping[str, DatasetPlan], converging: Sequence[str]
) -> dict[str, TablePlan]:
    """List the tables that a profile can be asked for.

    Args:
        config: the checked config.
        datasets: the config's datasets.
        converging: the methods with snapshots; with any, there is a table of convergence.
    """
    own: dict[str, list[str]] = {}
    for name, dataset in datasets.items():
        own.setdefault(dataset.table, []).append(name)
    running = [name for name, dataset in datasets.items() if dataset.runs]
    tables = {
        name: TablePlan("own", names, default=True)
        for name, names in own.items()
        if set(names) & set(running)
    }
    for name in paper_tables():
        definition, default = paper_table(name, config["stand_ins"]), name in config["paper_tables"]
        tables[name] = TablePlan("paper", definition.datasets, default)
        if definition.best_of:
            reads = CONVERGENCE_FILE if converging else SCORES_FILE
            tables[name] = TablePlan("best", definition.datasets, default, reads)
    tables |= {
        name: TablePlan("claims", claim_table(name).datasets, default=name in config["paper_tables"])
        for name in claim_tables()
    }
    if converging:
        tables[CONVERGENCE] = TablePlan("convergence", running, True, CONVERGENCE_FILE)
    if len(config["seeds"]) > 1:
        tables[SENSITIVITY] = TablePlan("sensitivity", running, default=True)
    for name, content in config["grids"].items():
        grid = Grid(**content)
        cells = [grid.cell(row, column) for row, column in product(grid.rows, grid.columns)]
        tables[name] = TablePlan("grid", cells, default=True)
    return tables
