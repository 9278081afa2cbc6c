"""Optimizers, the C++ ones: one step moves every parameter, in one schedule with the loss and the gradients.

    optimizer = optim.Adam(net.parameters(), lr=1e-3)
    loss.backward()
    optimizer.step(loss)        # the loss is computed with the step

Groups with options of their own are dicts: optim.SGD([{"params": a}, {"params": b, "lr": 0.1}], lr=0.01).
"""
from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Union

from tg import _tg
from tg._tg import Tensor
from tg.nn.module import Module, Parameters, _each_once, _load_into

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
    """A group of an optimizer: group["lr"] can be read and set, group["params"] and the options that it was given read."""

    def __init__(self, optimizer: Any, number: int):
        self._optimizer, self._number = optimizer, number

    def __getitem__(self, key: str) -> Any:
        if key == "lr":
            return float(self._optimizer._lr(self._number))
        own, options = self._optimizer._own[self._number]
        return [t for _, t in own if t.requires_grad] if key == "params" else {**self._optimizer._usual(), **options}[key]

    def __setitem__(self, key: str, value: float) -> None:
        if key != "lr":
            raise KeyError(key)
        self._optimizer._set_lr(value, self._number)

    def __iter__(self) -> Iterator[str]:
        return iter({"params": None, **self._optimizer._usual()})

    def keys(self) -> list[str]:
        """What it has."""
        return list(self)


class _Grouped:
    """What the optimizers add to the C++ ones: parameters in PyTorch's forms, a state in one piece, copies and pickles.

    A copy, or what a pickle gives, goes on alike; its parameters are the copy's of a network copied or pickled together with it.
    """

    def __init_subclass__(cls) -> None:
        """An optimizer is explained where C++ is."""
        cls.__doc__ = cls.__doc__ or next(base.__doc__ for base in cls.__mro__[1:] if base is not _Grouped and base.__doc__)

    def __init__(self, params: Any, *arguments: Any, **keywords: Any):
        entries: Any = params if isinstance(params, (Module, Parameters, Mapping)) else list(params)
        groups = isinstance(entries, list) and bool(entries) and isinstance(entries[0], Mapping)
        keywords = {**dict(zip(self._usual(), arguments)), **keywords}
        self._keywords = keywords
        self._own: list[tuple[list[tuple[str, Tensor]], dict[str, Any]]] = []  # the tensors and the options of each group
        first, *more = list[Any](entries) if groups else [{"params": entries}]
        self._add(super().__init__, first, groups)
        for group in more:
            self.add_param_group(group)

    @classmethod
    def _usual(cls) -> dict[str, Any]:
        """The options in order, and what they are unless told."""
        doc = str(cls._add_group.__doc__)  # type: ignore[attr-defined]
        options = re.findall(r", (\w+): (?:\w+|\w+\[[^]]*\])(?: = (\([^)]*\)|[^,)]+))?", doc.split("params: ", 1)[1].split(") ->")[0])
        return {name: ast.literal_eval(value) if value else None for name, value in options}

    def _add(self, add: Any, group: Mapping[str, Any], numbered: bool = True) -> None:
        params, options = group["params"], {k: v for k, v in group.items() if k != "params"}
        params = [params] if isinstance(params, Tensor) else params
        # Names of one group are told apart from other groups' where they are numbers.
        prefix = f"{len(self._own)}." if numbered and not isinstance(params, (Module, Parameters, Mapping)) else ""
        own = _each_once((prefix + name, tensor) for name, tensor in named(params))
        add(own, **{**self._keywords, **options})
        self._own.append((own, {**self._keywords, **options}))

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """More parameters: {"params": ..., "lr": ...}, with the optimizer's keywords for what is not given."""
        self._add(self._add_group, group)  # type: ignore[attr-defined]

    @property
    def param_groups(self) -> list[_Group]:
        """The groups, whose "lr" can be read and set."""
        return [_Group(self, i) for i in range(len(self._own))]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Removes all gradients, whatever set_to_none is."""
        super().zero_grad()  # type: ignore[misc]

    def step(self, *also: Any) -> Any:
        """Updates every parameter that has a gradient, and removes the gradient; the tensors given, such as the loss, are computed with
        it. Of a function, as PyTorch's closures are: calls it first, and gives what it gave."""
        closure = also[0] if also and not isinstance(also[0], Tensor) else None
        loss = closure() if closure else None
        super().step(*([loss] if isinstance(loss, Tensor) else () if closure else also))  # type: ignore[misc]
        return loss

    def state_dict(self) -> dict[str, Any]:
        """All that changes: the moments by name, the number of steps, the groups' rates. The tensors are the optimizer's own."""
        state: Any = self
        return {"state": dict(state.state()), "steps": state.steps, "lr": [group["lr"] for group in self.param_groups]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from what state_dict() gave of an optimizer with the same parameters. ValueError, ShapeError where it is of others,
        and then nothing has changed."""
        if len(state["lr"]) != len(self._own):
            raise _tg.ValueError(f"load_state_dict: the state has {len(state['lr'])} groups, the optimizer {len(self._own)}")
        own: Any = self
        _load_into(dict(own.state()), state["state"])
        own.steps = state["steps"]
        for group, lr in zip(self.param_groups, state["lr"]):
            group["lr"] = lr

    def __reduce__(self) -> Any:
        groups = [{"params": dict(own), **options} for own, options in self._own]
        return _again, (type(self), self._keywords, groups), self.state_dict()

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.load_state_dict(state)


def _again(cls: Any, keywords: dict[str, Any], groups: list[dict[str, Any]]) -> Any:
    return cls(groups, **keywords)


class SGD(_Grouped, _tg._SGD): ...
class Adam(_Grouped, _tg._Adam): ...
class AdamW(_Grouped, _tg._AdamW): ...
class LAMB(_Grouped, _tg._LAMB): ...
class Muon(_Grouped, _tg._Muon): ...
class RMSprop(_Grouped, _tg._RMSprop): ...
class Adagrad(_Grouped, _tg._Adagrad): ...
class Adadelta(_Grouped, _tg._Adadelta): ...
class Adamax(_Grouped, _tg._Adamax): ...
class NAdam(_Grouped, _tg._NAdam): ...
class RAdam(_Grouped, _tg._RAdam): ...


class ExponentialAverage(_tg._ExponentialAverage):
    __doc__ = _tg._ExponentialAverage.__doc__

    def __init__(self, params: Source, decay: float = 0.999):
        super().__init__(named(params), decay)


from tg.optim import lr_scheduler as lr_scheduler  # noqa: E402
