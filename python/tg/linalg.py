"""What tg has of PyTorch's and NumPy's linalg."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from tg import _tg
from tg._tg import Tensor, diagonal as diagonal, matmul as matmul


def vector_norm(x: Tensor, ord: float = 2.0, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
    """tg.norm: the ord-th root of the sum of |x|^ord over the axes, or of all elements."""
    return _tg.norm(x, ord, dim, keepdim)


def norm(x: Tensor, ord: float | str | None = None, axis: int | Sequence[int] | None = None, keepdims: bool = False, *,
         dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
    """tg.norm, of vectors along the axes (of all elements without): the ord-th root of the sum of |x|^ord. ValueError for the norms of
    matrices that are not sums of their elements, which need ord and two axes."""
    axes = axis if dim is None else dim
    if ord not in (None, "fro") and (x.ndim > 1 if axes is None else isinstance(axes, Sequence) and len(axes) > 1):
        raise _tg.ValueError("norm: of a matrix there is only 'fro', also without ord, the root of the sum of squares; name one axis")
    return _tg.norm(x, 2.0 if ord is None else ord, axes, keepdims or keepdim)
