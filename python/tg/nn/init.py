"""Weights to start with, written into tensors, which stay the leaves that they are.

    nn.init.xavier_uniform_(layer.weight, gain=2.0)
"""
from __future__ import annotations

from collections.abc import Callable
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


def eye_(tensor: Tensor) -> Tensor:
    """Ones on the diagonal of a matrix."""
    return tensor.assign(_tg.eye(*tensor.shape, dtype=tensor.dtype, device=tensor.device))


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Optional[Generator] = None) -> Tensor:
    """Uniform in [a, b)."""
    return tensor.uniform_(a, b, generator=generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Optional[Generator] = None) -> Tensor:
    """Normal, of that mean and standard deviation."""
    return tensor.normal_(mean, std, generator=generator)


_SLOPES = {"relu": 0.0, "linear": 1.0, "sigmoid": 1.0, "conv1d": 1.0, "conv2d": 1.0, "conv3d": 1.0}  # with PyTorch's gains


def _kaiming(draw: Callable[..., Tensor], tensor: Tensor, a: float, mode: str, nonlinearity: str, generator: Optional[Generator]) -> Tensor:
    if mode not in ("fan_in", "fan_out"):
        raise _tg.ValueError(f"kaiming: mode is 'fan_in' or 'fan_out', not {mode!r}")
    if nonlinearity != "leaky_relu" and nonlinearity not in _SLOPES:
        raise _tg.ValueError(f"kaiming: nonlinearity is 'leaky_relu' or one of {', '.join(_SLOPES)}, not {nonlinearity!r}")
    out, *rest = tensor.shape
    shape = tensor.shape if mode == "fan_in" or not rest else (rest[0], out, *rest[1:])
    drawn = draw(shape, _SLOPES.get(nonlinearity, a), generator=generator, dtype=tensor.dtype, device=tensor.device)
    return tensor.assign(drawn if mode == "fan_in" else drawn.transpose(0, 1))


def kaiming_uniform_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                     generator: Optional[Generator] = None) -> Tensor:
    """tg.kaiming_uniform of its shape and dtype, by the elements behind an output, or (mode "fan_out") in front of an input; a is the slope
    of a leaky_relu, other nonlinearities have their own."""
    return _kaiming(_tg.kaiming_uniform, tensor, a, mode, nonlinearity, generator)


def kaiming_normal_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                    generator: Optional[Generator] = None) -> Tensor:
    """tg.kaiming_normal in the same way."""
    return _kaiming(_tg.kaiming_normal, tensor, a, mode, nonlinearity, generator)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Optional[Generator] = None) -> Tensor:
    """tg.xavier_uniform of its shape and dtype."""
    return tensor.assign(_tg.xavier_uniform(tensor.shape, gain, generator=generator, dtype=tensor.dtype, device=tensor.device))


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Optional[Generator] = None) -> Tensor:
    """tg.xavier_normal of its shape and dtype."""
    return tensor.assign(_tg.xavier_normal(tensor.shape, gain, generator=generator, dtype=tensor.dtype, device=tensor.device))
