"""A stand-in for CUDA graphs on a CPU: record the operators of some work, and run them on the same memory.

As with a graph, Python runs once: what the work reads of Python's numbers then is what all replays have, and
a result that it puts elsewhere is read from where it lay.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Recorder(TorchDispatchMode):
    """Run operators and keep them, with their arguments and results."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, result))
        return result


def tensors(tree):
    """The tensors in nested lists and tuples."""
    if isinstance(tree, torch.Tensor):
        return [tree]
    return [tensor for part in tree for tensor in tensors(part)] if isinstance(tree, list | tuple) else []


def record(work):
    """Record `work`. Returns what does it again, and its result, as a graph does.

    To record is to do it here: the first call of what is returned does nothing.
    """
    recorder = Recorder()
    with recorder:
        result = work()
    is_done = [True]

    @torch.no_grad()
    def replay():
        if is_done and is_done.pop():
            return
        for func, args, kwargs, before in recorder.calls:
            given = {tensor.untyped_storage().data_ptr() for tensor in tensors([args, list(kwargs.values())])}
            after = func(*args, **kwargs)
            for old, new in zip(tensors(before), tensors(after), strict=True):
                if old.untyped_storage().data_ptr() not in given:  # neither a view nor changed in place
                    old.detach().copy_(new)

    return replay, result
