"""Forbid what makes a program wait for its device: reads of values, and copies to it or from it.

A GPU works through what it was given while the program gives it more. A read of a value, such as `item`,
waits until all of it is done; a CUDA graph cannot hold one.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten
# Operators whose result, or its shape, depends on values: the program must know them to go on.
READING = frozenset(
    {
        aten._local_scalar_dense,  # item, float, int, bool
        aten.nonzero,
        aten.masked_select,
        aten.unique_consecutive,
        aten._unique2,
        aten.unique_dim,
        aten.equal,
        aten.bincount,
    }
)


class DeviceReadError(RuntimeError):
    """Something reads from the device, or copies to it or from it."""


class NoReads(TorchDispatchMode):
    """Raise DeviceReadError where an operator makes the program wait for a device.

    >>> cpu = torch.device("cpu")
    >>> with NoReads(cpu):
    ...     doubled = 2 * torch.ones(3)
    >>> doubled.sum().item()
    6.0
    >>> with NoReads(cpu):
    ...     doubled.sum().item()
    Traceback (most recent call last):
    ...
    benchmark.tools.device_reads.DeviceReadError: aten._local_scalar_dense reads from the device cpu
    """

    def __init__(self, device: torch.device) -> None:
        """Watch a device.

        Args:
            device: Values that lie elsewhere may be read: those on the CPU, while this is another one.
        """
        super().__init__()
        self.device = device

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run an operator that reads nothing. Raises DeviceReadError before one that does."""
        del types
        given = _tensors((args, kwargs or {}))
        touches = any(tensor.device.type == self.device.type for tensor in given)
        if touches and (func.overloadpacket in READING or _selects_by_mask(func, args)):
            raise DeviceReadError(f"{func.overloadpacket} reads from the device {self.device}")
        result = func(*args, **(kwargs or {}))
        if func.overloadpacket in (aten._to_copy, aten.copy_):
            kinds = {tensor.device.type for tensor in (*given, *_tensors(result))}
            if self.device.type in kinds and len(kinds) > 1:
                raise DeviceReadError(f"{func.overloadpacket} copies between {' and '.join(sorted(kinds))}")
        return result


def _selects_by_mask(func: Callable[..., Any], args: Sequence[Any]) -> bool:
    """Tell whether entries are taken where a mask is true: how many depends on its values."""
    if getattr(func, "overloadpacket", None) is not aten.index:
        return False
    return any(tensor.dtype in (torch.bool, torch.uint8) for tensor in _tensors(args[1]))


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
