"""Weights to start with, written into tensors, which stay the leaves that they are.

    nn.init.xavier_uniform_(layer.weight, gain=2.0)
"""
from __future__ import annotations

from typing import Optional

from tg import _tg
from tg._tg import Generator, Tensor


def constant_(tensor: Tensor, val: float) -> Tensor:
    """One number everywhere."""
    return tensor.assign(val)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros."""
    return tensor.assign(0)


def ones_(tensor: Tensor) -> Tensor:
    """Ones."""
    return tensor.assign(1)


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Optional[Generator] = None) -> Tensor:
    """Uniform in [a, b)."""
    return tensor.uniform_(a, b, generator=generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Optional[Generator] = None) -> Tensor:
    """Normal, of that mean and standard deviation."""
    return tensor.normal_(mean, std, generator=generator)


def kaiming_uniform_(tensor: Tensor, a: float = 0.0, generator: Optional[Generator] = None) -> Tensor:
    """tg.kaiming_uniform of its shape and dtype."""
    return tensor.assign(_tg.kaiming_uniform(tensor.shape, a, generator=generator, dtype=tensor.dtype, device=tensor.device))


def kaiming_normal_(tensor: Tensor, a: float = 0.0, generator: Optional[Generator] = None) -> Tensor:
    """tg.kaiming_normal of its shape and dtype."""
    return tensor.assign(_tg.kaiming_normal(tensor.shape, a, generator=generator, dtype=tensor.dtype, device=tensor.device))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Optional[Generator] = None) -> Tensor:
    """tg.xavier_uniform of its shape and dtype."""
    return tensor.assign(_tg.xavier_uniform(tensor.shape, gain, generator=generator, dtype=tensor.dtype, device=tensor.device))


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Optional[Generator] = None) -> Tensor:
    """tg.xavier_normal of its shape and dtype."""
    return tensor.assign(_tg.xavier_normal(tensor.shape, gain, generator=generator, dtype=tensor.dtype, device=tensor.device))
