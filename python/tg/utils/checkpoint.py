"""Values that are computed again instead of kept, as PyTorch spells it."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tg import transform


def checkpoint(function: Callable[..., Any], *arguments: Any, use_reentrant: bool = False, **keywords: Any) -> Any:
    """tg.checkpoint(function)(...); of a module too, whose weights keep their gradients."""
    return transform.checkpoint(function)(*arguments, **keywords)
