"""The functions that networks are made of, under PyTorch's names: all of them are functions of tg as well.

    import tg.nn.functional as F
    F.cross_entropy(F.linear(x, weight, bias), target, label_smoothing=0.1)
"""
from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import TYPE_CHECKING, Optional

from tg import _tg
from tg._tg import Tensor


def layer_norm(
        input: Tensor, normalized_shape: int | Sequence[int], weight: Optional[Tensor] = None, bias: Optional[Tensor] = None,
        eps: float = 1e-5) -> Tensor:
    """tg.layer_norm over the last axes, of these sizes."""
    return _tg.layer_norm(input, _weight(input, normalized_shape, weight), bias, eps)


def rms_norm(
        input: Tensor, normalized_shape: int | Sequence[int], weight: Optional[Tensor] = None, eps: float = 1e-5) -> Tensor:
    """tg.rms_norm over the last axes, of these sizes."""
    return _tg.rms_norm(input, _weight(input, normalized_shape, weight), eps)


def _weight(input: Tensor, shape: int | Sequence[int], weight: Optional[Tensor]) -> Tensor:
    return _tg.ones(shape, dtype=input.dtype, device=input.device) if weight is None else weight


def batch_norm(
        input: Tensor, running_mean: Tensor, running_var: Tensor, weight: Optional[Tensor] = None, bias: Optional[Tensor] = None,
        training: builtins.bool = False, momentum: float = 0.1, eps: float = 1e-5) -> Tensor:
    """tg.batch_norm with the running statistics; to train, use nn.BatchNorm, which moves them."""
    if training:
        raise _tg.ValueError("batch_norm: the function has no training=True; nn.BatchNorm computes statistics of a batch and keeps them")
    return _tg.batch_norm(input, running_mean, running_var, weight, bias, eps)


def instance_norm(
        input: Tensor, running_mean: Optional[Tensor] = None, running_var: Optional[Tensor] = None, weight: Optional[Tensor] = None,
        bias: Optional[Tensor] = None, use_input_stats: builtins.bool = True, momentum: float = 0.1, eps: float = 1e-5) -> Tensor:
    """tg.instance_norm, whose statistics are the input's own."""
    if not use_input_stats or running_mean is not None or running_var is not None:
        raise _tg.ValueError("instance_norm: statistics are the input's own; for running ones, use batch_norm")
    return _tg.instance_norm(input, weight, bias, eps)


def unfold(input: Tensor, kernel_size: int | Sequence[int], dilation: int | Sequence[int] = 1, padding: int | Sequence[int] = 0,
           stride: int | Sequence[int] = 1) -> Tensor:
    """The windows of (n, c, h, w) as columns, (n, c kh kw, windows), as a convolution multiplies them; tensor.unfold is along one axis."""
    return _tg._unfold_images(input, kernel_size, dilation, padding, stride)


# All other functions of tg; where PyTorch's arguments come in another order, what is above has the name.
if TYPE_CHECKING:
    from tg._tg import *  # type: ignore[assignment]  # noqa: F403
else:
    globals().update({name: value for name, value in vars(_tg).items() if not name.startswith("_") and name not in globals()})
