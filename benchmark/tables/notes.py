"""Place the reasons why numbers are missing: at the table, a row, a column or a cell."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Place = tuple[str, str]  # row and column


@dataclass
class Notes:
    """Reasons by what they hold for: each stands at the largest part of the table for which it is true."""

    table: str = ""
    rows: dict[str, str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    cells: dict[Place, str] = field(default_factory=dict)


def placed(reasons: Mapping[Place, str]) -> Notes:
    """Place the reasons of cells.

    Args:
        reasons: Cell to its reason; empty for a cell that needs none.

    >>> placed({("a", "x"): "r", ("a", "y"): "r", ("b", "x"): "", ("b", "y"): ""}).rows
    {'a': 'r'}
    >>> placed({("a", "x"): "r", ("a", "y"): "", ("b", "x"): "r", ("b", "y"): ""}).columns
    {'x': 'r'}
    >>> placed({("a", "x"): "r", ("a", "y"): "", ("b", "x"): "", ("b", "y"): ""}).cells
    {('a', 'x'): 'r'}
    """
    if shared := _shared(reasons):
        return Notes(table=shared)
    rows = _lines(reasons, 0)
    others = {place: reason for place, reason in reasons.items() if place[0] not in rows}
    columns = _lines(others, 1)
    cells = {place: reason for place, reason in others.items() if reason and place[1] not in columns}
    return Notes("", rows, columns, cells)


def _lines(reasons: Mapping[Place, str], axis: int) -> dict[str, str]:
    """Map each row (axis 0) or column (axis 1) whose cells share a reason to that reason."""
    names = dict.fromkeys(place[axis] for place in reasons)
    lines = {
        name: _shared({place: reason for place, reason in reasons.items() if place[axis] == name})
        for name in names
    }
    return {name: reason for name, reason in lines.items() if reason}


def _shared(reasons: Mapping[Place, str]) -> str:
    """Return the reason that several cells share; empty when they differ, or for one cell alone."""
    different = set(reasons.values())
    return different.pop() if len(reasons) > 1 and len(different) == 1 else ""
