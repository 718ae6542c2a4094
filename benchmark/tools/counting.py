"""Count what a computation does and how much memory its tensors have, by whatever device computes it.

On PyTorch's device `meta`, which knows shapes and computes nothing, it tells what an image of any size would
take.
"""

import weakref
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, UntypedStorage
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry


class Counting(TorchDispatchMode):
    """Counts, as a context, the operators that run within it.

    It has PyTorch's own formulas, as `FlopCounterMode` does; that one counts by modules, too, and therefore
    refuses `torch.autograd.grad` of a module's input, which guided diffusion needs.

    Attributes:
        operations: Floating-point, of convolutions and matrix products; a multiplication and an addition are
            two.
        traffic: Bytes that operators read and write, each for itself. A view costs nothing.
        peak: Bytes, the most that tensors made within it had at once. Tensors that share their memory count
            once; what an operator needs besides its results does not count.
    """

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0.0
        self.traffic = 0.0
        self.peak = 0
        self._live = 0
        self._known: weakref.WeakSet[UntypedStorage] = weakref.WeakSet()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> object:
        """Run an operator and count it."""
        del types
        named = kwargs or {}
        result = func(*args, **named)
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.operations += formula(*args, **named, out_val=result)
        made = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        if not func.is_view:
            read = [leaf for leaf in tree_leaves((args, named)) if isinstance(leaf, Tensor)]
            self.traffic += sum(leaf.numel() * leaf.element_size() for leaf in (*read, *made))
        for leaf in made:
            self._keep(leaf.untyped_storage())
        return result

    def _keep(self, storage: UntypedStorage) -> None:
        if storage in self._known:
            return
        self._known.add(storage)
        size = storage.nbytes()
        self._live += size
        self.peak = max(self.peak, self._live)
        weakref.finalize(storage, self._forget, size)

    def _forget(self, size: int) -> None:
        self._live -= size
