"""Random draws that repeat: every network and every noise comes from the generator of its case."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


def generator_from(rng: torch.Generator, device: torch.device) -> torch.Generator:
    """Make a generator on `device`, seeded by the next draw of `rng`.

    The device `meta`, on which work is counted, draws nothing and has no generator.
    """
    own = torch.Generator("cpu" if device.type == "meta" else device)
    return own.manual_seed(int(torch.randint(2**62, (), generator=rng)))


@contextmanager
def initialised_from(rng: torch.Generator) -> Iterator[None]:
    """Draw the initial weights of the modules built inside from `rng`.

    PyTorch draws them from the global generator: it is seeded by the next draw of `rng`, and put back
    afterwards.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(torch.randint(2**62, (), generator=rng)))
        yield
