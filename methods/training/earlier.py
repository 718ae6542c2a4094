"""Begin a training with the weights of an earlier one."""

from pathlib import Path

from torch import nn

from methods.parts.weight_files import Stored, fill, read_network


def earlier_weights(path: Path, kind: str) -> Stored:
    """Read the network of an earlier training.

    Args:
        path: of the file.
        kind: of the network, such as 'generator', as the metadata of its file say it.

    Raises:
        InputError: the file cannot be read, or holds something else.
    """
    stored = read_network(path)
    stored.require("kind", kind)
    return stored


def take_over(network: nn.Module, stored: Stored) -> int:
    """Give a network the weights of an earlier training; return how many steps these were trained for.

    Raises:
        InputError: they are those of a network of other sizes.
    """
    fill(network, stored)
    return int(stored.number("steps"))
