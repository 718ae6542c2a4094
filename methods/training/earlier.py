"""Begin a training with the weights of an earlier one."""

from pathlib import Path

from torch import nn

from methods.parts.weight_files import Stored, fill, read_network


def earlier_weights(path: Path, kind: str, value: str) -> Stored:
    """Read the file of an earlier training.

    Args:
        path: of the file.
        kind: the entry of its metadata that says what it holds.
        value: what it must hold.

    Raises:
        InputError: it cannot be read, or holds something else.
    """
    stored = read_network(path)
    stored.require(kind, value)
    return stored


def take_over(network: nn.Module, stored: Stored) -> int:
    """Give a network the weights of an earlier training; return after how many steps these were written.

    Raises:
        InputError: they are those of a network of other sizes.
    """
    fill(network, stored)
    return int(stored.number("steps"))
