"""Tensors, automatic differentiation and a compiler.

    x = tg.Tensor([2.0], requires_grad=True)
    y = x * x + x.sin()
    y.backward()
    print(x.grad)               # [3.5838532]

Names are PyTorch's; docs/python.md says what differs.
"""
import builtins as _builtins
import contextlib as _contextlib
import math as _math
import typing as _typing

import tg.tensor as _module  # noqa: F401  loaded, so that loading it later does not hide the function tensor
from tg import _tg
from tg._tg import *  # noqa: F403
from tg._tg import Tensor, _Settings

half, float, double, short, int, long = _tg.float16, _tg.float32, _tg.float64, _tg.int16, _tg.int32, _tg.int64


inf, nan, pi, e, newaxis = _math.inf, _math.nan, _math.pi, _math.e, None


class settings(_Settings, _contextlib.ContextDecorator):
    """with tg.settings(device="interpreter", eager=True, debug=2): where this thread makes tensors that name no device, whether it computes
    every operation at once, and what it prints (docs/tour.md); what is not given stays as it is. Also a decorator."""


def tensor(data: _typing.Any, *, dtype: _typing.Any = None, device: _typing.Optional[str] = None,
           requires_grad: _builtins.bool = False) -> Tensor:
    """Tensor(data, ...), as PyTorch spells it."""
    return Tensor(data, dtype=dtype, device=device, requires_grad=requires_grad)


array = tensor


def array_equal(a: _typing.Any, b: _typing.Any) -> _builtins.bool:
    """Whether both have the same shape and the same elements: one bool."""
    return tuple(a.shape) == tuple(b.shape) and _builtins.bool((a == b).all())


def is_tensor(obj: _typing.Any) -> _builtins.bool:
    """Whether it is a Tensor."""
    return isinstance(obj, Tensor)


def broadcast_shapes(*shapes: _typing.Any) -> _typing.Tuple[_builtins.int, ...]:
    """The shape that these broadcast to."""
    return _tg.broadcast_tensors(*(_tg.empty(size=shape) for shape in shapes))[0].shape


class device(str):
    """device("cpu"): the name of a device, which is all that there is of one."""

    @property
    def type(self) -> str:
        """The name."""
        return str(self)


from tg import autograd as autograd, cuda as cuda, data as data, func as func, linalg as linalg  # noqa: E402
from tg import nn as nn, optim as optim, utils as utils  # noqa: E402
from tg.files import *  # noqa: E402, F403
from tg.grad_mode import *  # noqa: E402, F403
from tg.transform import *  # noqa: E402, F403
