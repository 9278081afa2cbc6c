"""What is done to gradients between backward and the step; and parameters as one vector.

    total = nn.utils.clip_grad_norm_(net.parameters(), 1.0)
"""
from __future__ import annotations

import math
from collections.abc import Iterable

from tg import _tg
from tg._tg import Tensor


def clip_grad_norm_(parameters: Iterable[Tensor], max_norm: float, norm_type: float = 2.0) -> Tensor:
    """Scales the gradients so that their norm is at most max_norm; gives the norm they had."""
    return _tg._clip_grad_norm(list(parameters), max_norm, norm_type)


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements in a row."""
    return _tg.cat([p.flatten() for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Gives the parameters the elements of a vector, in order."""
    tensors = list(parameters)
    for tensor, part in zip(tensors, vec.detach().split([math.prod(t.shape) for t in tensors])):
        tensor.assign(part.reshape(tensor.shape))


def clip_grad_value_(parameters: Iterable[Tensor], clip_value: float) -> None:
    """Limits every element of the gradients to +-clip_value."""
    _tg._clip_grad_value(list(parameters), clip_value)
