"""What is done to gradients between backward and the step.

    total = nn.utils.clip_grad_norm_(net.parameters(), 1.0)
"""
from __future__ import annotations

from collections.abc import Iterable

from tg import _tg
from tg._tg import Tensor


def clip_grad_norm_(parameters: Iterable[Tensor], max_norm: float, norm_type: float = 2.0) -> Tensor:
    """Scales the gradients so that their norm is at most max_norm; gives the norm they had."""
    return _tg._clip_grad_norm(list(parameters), max_norm, norm_type)


def clip_grad_value_(parameters: Iterable[Tensor], clip_value: float) -> None:
    """Limits every element of the gradients to +-clip_value."""
    _tg._clip_grad_value(list(parameters), clip_value)
