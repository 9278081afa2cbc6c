"""Optimizers, the C++ ones: one step moves every parameter, in one schedule with the loss and the gradients.

    optimizer = optim.Adam(net.parameters(), lr=1e-3)
    loss.backward()
    optimizer.step(loss)        # the loss is computed with the step
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Union

from tg import _tg
from tg._tg import Tensor
from tg.nn import Module, Parameters

Source = Union[Module, Mapping[str, Tensor], Iterable[Tensor], Iterable[tuple[str, Tensor]]]


def named(params: Source) -> list[tuple[str, Tensor]]:
    """Tensors with names: of a Module, of what its parameters() gave, of a dict or pairs; others are numbered."""
    if isinstance(params, Module):
        return params.state()
    if isinstance(params, Parameters):
        return params.state
    if isinstance(params, Mapping):
        return list(params.items())
    entries: list[Any] = list(params)
    return [(str(i), entry) if isinstance(entry, Tensor) else entry for i, entry in enumerate(entries)]


class SGD(_tg._SGD):
    __doc__ = _tg._SGD.__doc__

    def __init__(self, params: Source, *arguments: Any, **keywords: Any):
        super().__init__(named(params), *arguments, **keywords)


class Adam(_tg._Adam):
    __doc__ = _tg._Adam.__doc__

    def __init__(self, params: Source, *arguments: Any, **keywords: Any):
        super().__init__(named(params), *arguments, **keywords)


class AdamW(_tg._AdamW):
    __doc__ = _tg._AdamW.__doc__

    def __init__(self, params: Source, *arguments: Any, **keywords: Any):
        super().__init__(named(params), *arguments, **keywords)
