"""The functions that networks are made of, under PyTorch's names: all of them are functions of tg as well.

    import tg.nn.functional as F
    F.cross_entropy(F.linear(x, weight, bias), target, label_smoothing=0.1)
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from tg import _tg
from tg._tg import *  # noqa: F403
from tg._tg import Tensor


def linear(input: Tensor, weight: Tensor, bias: Optional[Tensor] = None) -> Tensor:
    """input W^T + b, of (..., in) and a weight (out, in)."""
    y = _tg.matmul(input, _tg.transpose(weight, 0, 1))
    return y if bias is None else _tg.add(y, bias)


def layer_norm(  # type: ignore[no-redef]
        input: Tensor, normalized_shape: int | Sequence[int], weight: Optional[Tensor] = None, bias: Optional[Tensor] = None,
        eps: float = 1e-5) -> Tensor:
    """tg.layer_norm over the last axes, of these sizes."""
    return _tg.layer_norm(input, _tg.ones(normalized_shape, dtype=input.dtype) if weight is None else weight, bias, eps)


def rms_norm(  # type: ignore[no-redef]
        input: Tensor, normalized_shape: int | Sequence[int], weight: Optional[Tensor] = None, eps: float = 1e-5) -> Tensor:
    """tg.rms_norm over the last axes, of these sizes."""
    return _tg.rms_norm(input, _tg.ones(normalized_shape, dtype=input.dtype) if weight is None else weight, eps)
