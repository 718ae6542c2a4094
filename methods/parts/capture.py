"""Repeat the same work on a GPU as a CUDA graph: one launch for a step instead of thousands.

A step of a fit is some thousand small kernels, and Python needs longer to launch them than the GPU to compute
them. A graph is recorded once and then launched as a whole. It computes on the same memory each time, so the
work must find all that changes from one call to the next in tensors that it changes in place: no numbers of
Python, no read of the device (`blindbench check-method` finds one), no copy from the host.

On a CPU the work is called as it is. `BLINDBENCH_EAGER=1` has the same effect on a GPU, to find an error.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Generic, TypeVar

import torch

EAGER = "BLINDBENCH_EAGER"  # the variable of the environment: any text but an empty one
WARM_UP = 3  # calls before the graph is recorded: libraries choose their kernels and take memory in these

T = TypeVar("T")
# Work -> (what does it again, where its result lies).
Record = Callable[[Callable[[], T]], tuple[Callable[[], None], T]]


def repeated(work: Callable[[], T], device: torch.device, rng: torch.Generator) -> Callable[[], T]:
    """Return a function that does `work` once per call: this is where eager or captured is decided.

    Args:
        work: Does a step on the device and returns tensors, or containers of them. See above for what it
            must not do. Later calls may overwrite what earlier ones returned.
        device: Where it computes.
        rng: A generator on the device from which it draws.

    >>> counted = torch.zeros(())
    >>> count = repeated(lambda: counted.add_(1), torch.device("cpu"), torch.Generator())
    >>> count().item(), count().item()
    (1.0, 2.0)
    """
    if device.type != "cuda" or os.environ.get(EAGER):
        return work
    stream = torch.cuda.Stream(device)  # PyTorch's notes on CUDA graphs: none is recorded on the default one
    return Repeated(work, lambda work: _cuda_graph(work, stream, rng), lambda: _aside(stream))


class Repeated(Generic[T]):
    """Do some work as it is in the first calls, then record it and replay the record."""

    def __init__(
        self,
        work: Callable[[], T],
        record: Record[T],
        first_calls: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Prepare.

        Args:
            work: As in `repeated`.
            record: Records it, without doing it. Returns what does it once, and the result, which that
                overwrites.
            first_calls: Gives a context for each call that does the work as it is.
        """
        self.work, self.record, self.first_calls = work, record, first_calls
        self.calls = 0
        self.recorded: tuple[Callable[[], None], T] | None = None

    def __call__(self) -> T:
        """Do the work once."""
        if self.calls < WARM_UP:
            self.calls += 1
            with self.first_calls():
                return self.work()
        if self.recorded is None:
            self.recorded = self.record(self.work)
        replay, result = self.recorded
        replay()
        return result


@contextmanager
def _aside(stream: torch.cuda.Stream) -> Iterator[None]:
    """Work on another stream of the device, after what was launched before and before what comes after."""
    current = torch.cuda.current_stream(stream.device)
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        yield
    current.wait_stream(stream)


def _cuda_graph(
    work: Callable[[], T], stream: torch.cuda.Stream, rng: torch.Generator
) -> tuple[Callable[[], None], T]:
    """Record `work` on a stream as a CUDA graph."""
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(rng)  # each replay draws the next numbers
    with torch.cuda.graph(graph, stream=stream):
        result = work()
    return graph.replay, result
