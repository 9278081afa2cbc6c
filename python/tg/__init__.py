"""Tensors, automatic differentiation and a compiler.

    x = tg.Tensor([2.0], requires_grad=True)
    y = x * x + x.sin()
    y.backward()
    print(x.grad)               # [3.5838532]

Names are PyTorch's; docs/python.md says what differs.
"""
import contextlib as _contextlib

from tg import _tg
from tg._tg import *  # noqa: F403
from tg._tg import Tensor, _NoGrad


class no_grad(_NoGrad, _contextlib.ContextDecorator):
    """with tg.no_grad(): operations on this thread record no history. Also a decorator."""


def tensor(data, *, dtype=None, device=None, requires_grad=False) -> Tensor:
    """Tensor(data, ...), as PyTorch spells it."""
    return Tensor(data, dtype=dtype, device=device, requires_grad=requires_grad)


def _unpickled(*parts) -> Tensor:
    """What a pickle of a tensor calls."""
    return _tg._unpickled(*parts)


from tg import data, nn, optim  # noqa: E402
from tg.files import from_file, load, load_into, load_npy, mnist, save  # noqa: E402
from tg.transform import (checkpoint, custom_gradient, grad, gradcheck, gradgradcheck, hessian, hvp, jacfwd, jacobian, jacrev,  # noqa: E402
                          jvp, stop_gradient, value_and_grad, vjp, vmap)
