"""The definitions of the papers' figures, from papers.yaml."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from benchmark.core.errors import InputError
from benchmark.core.schema import checked, did_you_mean, look_up, read_yaml
from benchmark.figures.definition import FirstCases, Kind, PaperFigure
from benchmark.figures.kinds import KINDS
from benchmark.scoring.metrics import find_metric
from benchmark.tables.paper_tables import paper_table
from benchmark.tables.published import require_known


def paper_figures() -> list[str]:
    """List the names of the papers' figures."""
    return list(_document()["figures"])


def paper_figure(name: str) -> PaperFigure:
    """Return the definition of a paper's figure. Raises InputError when there is none."""
    document = _document()
    look_up(document["figures"], name, "figure")
    return define(name, document)


def define(name: str, document: Mapping[str, Any]) -> PaperFigure:
    """Make the definition of a figure. One without a number is our own.

    Args:
        name: The figure's name.
        document: Follows `workflow/schemas/figures.schema.yaml`.

    Raises:
        InputError: The kind or a metric is unknown, a key that the kind needs is missing, or a row is not in
            the paper's table.
    """
    figure = document["figures"][name]
    kind = _kind(name, figure)
    for metric in figure.get("metrics", []):
        find_metric(metric)
    table = paper_table(figure["table"])
    titles = figure.get("rows", [row.title for row in table.rows])
    require_known(name, "rows", titles, [row.title for row in table.rows])
    of_table = [row.method for row in table.rows if row.method and row.title in titles]
    methods = figure.get("methods", of_table)
    paper = table.title.partition(", Table")[0]
    return PaperFigure(
        name=name,
        title=f"{paper}, Figure {figure['number']}: {figure['title']}"
        if "number" in figure
        else figure["title"],
        kind=kind,
        cases=[
            {dataset: _cases(cases) for dataset, cases in alternative.items()}
            for alternative in figure.get("cases", [])
        ],
        conditions=figure.get("conditions", []),
        metrics=figure.get("metrics", []),
        methods=[] if kind.methods == "none" else list(dict.fromkeys(methods)),
        sheets=figure.get("sheets", ""),
        options=figure.get("options", {}),
        caption=figure["caption"],
    )


def _kind(name: str, figure: Mapping[str, Any]) -> Kind:
    """Look up a figure's kind, and check that the keys are there that it needs."""
    if figure["kind"] not in KINDS:
        hint = did_you_mean(figure["kind"], list(KINDS))
        raise InputError(f"{name}: unknown kind '{figure['kind']}'. {hint}")
    kind = KINDS[figure["kind"]]
    keys = ("conditions", "metrics") if kind.shows_conditions else (kind.reads,)
    for key in keys:
        if key != "nothing" and key not in figure:
            raise InputError(f"{name}: a figure of the kind '{kind.name}' needs the key '{key}'")
    for option in kind.options:
        if option not in figure.get("options", {}):
            raise InputError(f"{name}: options: a figure of the kind '{kind.name}' needs '{option}'")
    return kind


def _cases(cases: Sequence[str] | Mapping[str, Any]) -> Sequence[str] | FirstCases:
    if not isinstance(cases, Mapping):
        return cases
    return FirstCases(cases["first"], cases.get("of_groups") or tuple(cases.get("of_each", ())))


@cache
def _document() -> dict[str, Any]:
    path = Path(__file__).parent / "papers.yaml"
    return checked(read_yaml(path), "figures", str(path))
