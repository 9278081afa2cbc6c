"""Optimizers, the C++ ones: one step moves every parameter, in one schedule with the loss and the gradients.

    optimizer = optim.Adam(net.parameters(), lr=1e-3)
    loss.backward()
    optimizer.step(loss)        # the loss is computed with the step

Groups with options of their own are dicts: optim.SGD([{"params": a}, {"params": b, "lr": 0.1}], lr=0.01).
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


class _Group:
    """A group of an optimizer: group["lr"] can be read and set."""

    def __init__(self, optimizer: Any, number: int):
        self._optimizer, self._number = optimizer, number

    def __getitem__(self, key: str) -> float:
        if key != "lr":
            raise KeyError(key)
        return float(self._optimizer._lr(self._number))

    def __setitem__(self, key: str, value: float) -> None:
        if key != "lr":
            raise KeyError(key)
        self._optimizer._set_lr(value, self._number)


class _Grouped:
    """What the optimizers add to the C++ ones: parameters in PyTorch's forms."""

    def __init__(self, params: Any, *arguments: Any, **keywords: Any):
        entries: Any = params if isinstance(params, (Module, Parameters, Mapping)) else list(params)
        groups = isinstance(entries, list) and bool(entries) and isinstance(entries[0], Mapping)
        self._keywords, self._count = keywords, 0
        first, *more = list[Any](entries) if groups else [{"params": entries}]
        make: Any = super().__init__
        make(self._numbered(first["params"], groups), *arguments, **{**keywords, **self._options(first)})
        for group in more:
            self.add_param_group(group)

    def _numbered(self, params: Any, groups: bool = True) -> list[tuple[str, Tensor]]:
        """The names of one group, told apart from other groups' where they are numbers."""
        prefix = f"{self._count}." if groups and not isinstance(params, (Module, Parameters, Mapping)) else ""
        self._count += 1
        return [(prefix + name, tensor) for name, tensor in named(params)]

    @staticmethod
    def _options(group: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in group.items() if key != "params"}

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """More parameters: {"params": ..., "lr": ...}, with the optimizer's keywords for what is not given."""
        self._add_group(self._numbered(group["params"]), **{**self._keywords, **self._options(group)})  # type: ignore[attr-defined]

    @property
    def param_groups(self) -> list[_Group]:
        """The groups, whose "lr" can be read and set."""
        return [_Group(self, i) for i in range(self._groups())]  # type: ignore[attr-defined]


class SGD(_Grouped, _tg._SGD):
    __doc__ = _tg._SGD.__doc__


class Adam(_Grouped, _tg._Adam):
    __doc__ = _tg._Adam.__doc__


class AdamW(_Grouped, _tg._AdamW):
    __doc__ = _tg._AdamW.__doc__


class LAMB(_Grouped, _tg._LAMB):
    __doc__ = _tg._LAMB.__doc__


class Muon(_Grouped, _tg._Muon):
    __doc__ = _tg._Muon.__doc__


class ExponentialAverage(_tg._ExponentialAverage):
    __doc__ = _tg._ExponentialAverage.__doc__

    def __init__(self, params: Source, decay: float = 0.999):
        super().__init__(named(params), decay)


from tg import lr_scheduler as lr_scheduler  # noqa: E402
