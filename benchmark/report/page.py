"""Write the page of a run: `index.html`, which opens from disk, and the pictures beside it."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmark.core.files import write_text
from benchmark.core.seals import sealed
from benchmark.planning.plan import Plan
from benchmark.planning.records import read_records
from benchmark.report.content import content
from benchmark.report.pictures import make_pictures
from benchmark.runs.store import Store

TEMPLATES = Path(__file__).parent / "page"


def write_report(plan: Plan, store: Store) -> Path:
    """Write the page of a finished run and return its path.

    The page holds all numbers, its style and its scripts. Pictures lie beside it: those of `make_pictures`
    and the restored images, where they are.

    Args:
        plan: The plan of the run.
        store: Its results folder, with the tables.

    Raises:
        InputError: A result is missing or damaged.
        MachineError: A file cannot be written.
    """
    records = read_records(plan, store)
    make_pictures(plan, store, records)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    # In the order of the plan, and without NaN, which no browser reads.
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    page = environment.get_template("index.html").render(content=content(plan, store, records))
    with sealed(store.report):
        write_text(store.report, page)
    return store.report
