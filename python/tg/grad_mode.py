"""Whether operations record history for gradients: what holds inside `with`, inside a function, or from now on."""
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from tg import _tg

__all__ = ["enable_grad", "inference_mode", "no_grad", "set_grad_enabled"]

F = TypeVar("F", bound=Callable[..., Any])


class _Mode:
    """Entered, it sets the mode of this thread; left, it puts back what was before. As a decorator it holds while the function runs."""

    _record: bool

    def __enter__(self) -> None:
        self._before = _tg._set_grad_enabled(self._record)

    def __exit__(self, *error: Any) -> None:
        _tg._set_grad_enabled(self._before)

    def __call__(self, f: F) -> F:
        @functools.wraps(f)
        def inside(*arguments: Any, **keywords: Any) -> Any:
            with type(self)():
                return f(*arguments, **keywords)

        return cast(F, inside)


class no_grad(_Mode):
    """with tg.no_grad(): operations on this thread record no history. Also a decorator."""

    _record = False


class enable_grad(_Mode):
    """with tg.enable_grad(): operations on this thread record history, also inside no_grad. Also a decorator."""

    _record = True


class inference_mode(no_grad):
    """As no_grad."""


class set_grad_enabled(_Mode):
    """set_grad_enabled(mode): whether operations on this thread record history, from now on, or until the `with` that it opens ends."""

    def __init__(self, mode: bool):
        self._record, self._before = mode, _tg._set_grad_enabled(mode)

    def __enter__(self) -> None:
        pass
