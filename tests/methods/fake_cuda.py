"""A CUDA device that computes nothing: it knows shapes, types and devices of tensors, and needs no GPU.

PyTorch's `FakeTensorMode` refuses an operation whose tensors lie on different devices. A backward pass needs
a real context of CUDA, so gradients are left out here; the device `meta` has them.
"""

from contextlib import contextmanager

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.overrides import TorchFunctionMode

from benchmark.blur import svola
from methods.parts.capture import EAGER

CUDA = torch.device("cuda", 0)


class WithoutCudaGenerators:
    """PyTorch, but a generator of any device is one of the CPU: others need a real device."""

    def __getattr__(self, name):
        return getattr(torch, name)

    def Generator(self, device="cpu"):  # noqa: N802
        return torch.Generator()


class ToFakeCuda(TorchFunctionMode):
    """Make a real tensor a fake one when it is moved to the device or made there."""

    def __init__(self, fake):
        super().__init__()
        self.fake = fake

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        places = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.device)]
        if func is torch.Tensor.to:  # also to where another tensor is
            places += [value.device for value in args[1:] if isinstance(value, FakeTensor)]
        if not any(place.type == "cuda" for place in places):
            return func(*args, **kwargs)
        if func is torch.Tensor.to and not isinstance(args[0], FakeTensor):
            args = (self.fake.from_tensor(args[0].detach()), *args[1:])
        with self.fake:  # which needs no context of CUDA
            return func(*args, **kwargs)


real_move = nn.Module.to


def moved(module, *args, **kwargs):
    """Move a module, unless all of it is there: fake parameters cannot take their own place."""
    is_there = all(map(is_on_it, (*module.parameters(), *module.buffers())))
    return module if args == (CUDA,) and is_there else real_move(module, *args, **kwargs)


@contextmanager
def fake_cuda():
    """Yield the mode of the fake device; inside, no gradient is computed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("methods.parts.seeding.torch", WithoutCudaGenerators())
        patch.setenv(EAGER, "1")  # a graph needs a real device
        patch.setattr(torch.Tensor, "backward", lambda self: None)
        patch.setattr(torch.autograd, "grad", lambda loss, of: [torch.zeros_like(tensor) for tensor in of])
        patch.setattr(nn.Module, "to", moved)
        fake = FakeTensorMode()
        try:
            with ToFakeCuda(fake):
                yield fake
        finally:
            svola._axis.cache_clear()  # it keeps tensors of the device


def is_on_it(tensor):
    """Whether a tensor is a fake one on the device."""
    return isinstance(tensor, FakeTensor) and tensor.device == CUDA
