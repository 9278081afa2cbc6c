"""Pickles of tensors. Two handles to one tensor, an optimizer's and its network's, are again handles to one when they come back."""
from __future__ import annotations

import weakref
from typing import Any

from tg import _tg
from tg._tg import Tensor

_kept: weakref.WeakValueDictionary[int, Kept] = weakref.WeakValueDictionary()  # by _tg._identity, while a pickle is being written


class Kept:
    """What stands in a pickle for all handles to one tensor: pickle writes each object once."""

    def __init__(self, tensor: Tensor):
        self.tensor = tensor

    def __reduce__(self) -> Any:
        return again, _tg._parts(self.tensor)


def again(*parts: Any) -> Kept:
    """The same, of the parts that were written."""
    return Kept(_tg._unpickled(*parts))


def tensor_of(kept: Kept) -> Tensor:
    """The tensor that it stands for."""
    return kept.tensor


def reduced(tensor: Tensor) -> Any:
    """Tensor.__reduce__."""
    return tensor_of, (_kept.setdefault(_tg._identity(tensor), Kept(tensor)),)
