"""How the work of a method is cut into jobs."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Part(NamedTuple):
    """Cases of one dataset, for one repetition."""

    dataset: str
    seed: int  # which repetition
    cases: Sequence[str]


def cut(parts: Iterable[Part], size: int) -> list[list[Part]]:
    """Cut parts into shards: a job restores, or scores, one shard.

    Args:
        parts: All cases of a method, in order.
        size: Cases in a shard. Only the last shard may have fewer.

    >>> cut([Part("a", 0, ["x", "y"]), Part("b", 0, ["x"])], 2)
    [[Part(dataset='a', seed=0, cases=['x', 'y'])], [Part(dataset='b', seed=0, cases=['x'])]]
    """
    shards: list[list[Part]] = []
    room = 0
    for part in parts:
        start = 0
        while start < len(part.cases):
            if not room:
                shards.append([])
                room = size
            taken = part.cases[start : start + room]
            shards[-1].append(part._replace(cases=taken))
            start += len(taken)
            room -= len(taken)
    return shards
