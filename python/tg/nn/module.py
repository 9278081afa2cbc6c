"""Modules: what finds the tensors and modules that it holds by itself, and the containers of modules."""
from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, overload

from tg import _tg
from tg._tg import Tensor

__all__ = ["Identity", "Loaded", "Module", "ModuleDict", "ModuleList", "Parameter", "ParameterList", "Parameters", "Sequential"]


T = typing.TypeVar("T")


class _AnyLeaf(type(Tensor)):  # type: ignore[misc]
    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, Tensor) and x.is_leaf and (x.requires_grad or cls is not Parameter)


class Parameter(Tensor, metaclass=_AnyLeaf):
    """Parameter(data): the value as a leaf that requires a gradient, which is all that makes a module's tensor a parameter. Whatever is
    such a leaf is an instance."""

    def __new__(cls, data: Any, requires_grad: bool = True) -> Tensor:  # type: ignore[misc]
        return (data.detach().clone() if isinstance(data, Tensor) else Tensor(data)).requires_grad_(requires_grad)


class Loaded(typing.NamedTuple):
    """What load_state_dict found: names of the module that the state lacks, and of the state that the module lacks."""
    missing_keys: list[str]
    unexpected_keys: list[str]


def _load_into(own: Mapping[str, Tensor], state: Mapping[str, Any], strict: bool = True) -> Loaded:
    """Gives each tensor the value of its name. ValueError where names differ and strict is asked for, ShapeError where shapes do; then
    nothing has changed."""
    missing, unexpected = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    if strict and (missing or unexpected):
        raise _tg.ValueError(f"load_state_dict: missing {missing}, unexpected {unexpected}")
    common = [(name, tensor) for name, tensor in own.items() if name in state]
    for name, tensor in common:
        if tuple(tensor.shape) != tuple(state[name].shape):
            raise _tg.ShapeError(f"load_state_dict: {name} has shape {tensor.shape}, the value given {tuple(state[name].shape)}")
    for name, tensor in common:
        tensor.assign(state[name])
    return Loaded(missing, unexpected)


def _each_once(named: Iterable[tuple[str, Tensor]]) -> list[tuple[str, Tensor]]:
    """Of a tensor with several names, a tied weight, the first."""
    first: dict[int, tuple[str, Tensor]] = {}
    for entry in named:
        first.setdefault(_tg._identity(entry[1]), entry)
    return list(first.values())


class Parameters(list[Tensor]):
    """What Module.parameters() gives: a list of tensors that also knows their names, and the buffers beside them."""

    def __init__(self, parameters: Iterable[Tensor], state: list[tuple[str, Tensor]]):
        super().__init__(parameters)
        self.state = state


class Module:
    """A layer or model: called, it runs forward. Its state are the tensors and modules among its attributes, also in lists and dicts."""

    training = True

    def forward(self, *inputs: Any, **keywords: Any) -> Any:
        """What the module computes; for subclasses to write."""
        raise NotImplementedError(f"{type(self).__name__} has no forward()")

    __call__: Callable[..., Any] = _tg._call_module

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Tensor):
            self._set_parameters(name, value.requires_grad)
        object.__setattr__(self, name, value)

    def _set_parameters(self, name: str, parameter: bool) -> None:
        known: set[str] = vars(self).setdefault("_parameter_names", set())
        (known.add if parameter else known.discard)(name)

    def _is_parameter(self, name: str, tensor: Tensor) -> bool:
        """Whether it is one although perhaps no gradient is asked for now, as of a frozen layer."""
        return tensor.requires_grad or name in vars(self).get("_parameter_names", ())

    def _own_state(self) -> list[tuple[str, Tensor]]:
        """The tensors that it holds itself, not through its children: parameters, then buffers."""
        own = [(name, value) for name, value in vars(self).items() if isinstance(value, Tensor)]
        return sorted(own, key=lambda named: not self._is_parameter(*named))

    def _named_own(self) -> Iterator[tuple[str, Tensor, bool]]:
        """All tensors by name, tied ones by each, and whether each is a parameter."""
        for prefix, module in self.named_modules(remove_duplicate=False):
            for name, tensor in module._own_state():
                yield f"{prefix}.{name}" if prefix else name, tensor, module._is_parameter(name, tensor)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules among its attributes, and in lists, tuples and dicts there, by name."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value
            elif isinstance(value, (list, tuple, Mapping)):
                items = value.items() if isinstance(value, Mapping) else enumerate(value)
                yield from ((f"{name}.{key}", child) for key, child in items if isinstance(child, Module))

    def children(self) -> Iterator[Module]:
        """The modules among its attributes, each once."""
        return iter({id(child): child for _, child in self.named_children()}.values())

    def named_modules(self, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """Itself, by the prefix, and all modules below; one that is held twice by its first name, or, without remove_duplicate, by each."""
        seen: set[int] = set()
        for name, module in self._below_by_name(prefix):
            if not remove_duplicate or id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def _below_by_name(self, prefix: str) -> Iterator[tuple[str, Module]]:
        yield prefix, self
        for name, child in self.named_children():
            yield from child._below_by_name(f"{prefix}.{name}" if prefix else name)

    def modules(self) -> Iterator[Module]:
        """Itself, and all modules below."""
        return (module for _, module in self.named_modules())

    def apply(self, f: Callable[[Module], Any]) -> Module:
        """f of every module, those below first; the module itself."""
        for child in self.children():
            child.apply(f)
        f(self)
        return self

    def register_buffer(self, name: str, tensor: Tensor) -> None:
        """setattr(self, name, tensor): a tensor that requires no gradient is a buffer."""
        setattr(self, name, tensor)

    def register_parameter(self, name: str, parameter: Tensor) -> None:
        """setattr(self, name, parameter): a tensor that requires a gradient is a parameter."""
        setattr(self, name, parameter)

    def add_module(self, name: str, module: Module) -> None:
        """setattr(self, name, module)."""
        setattr(self, name, module)

    def _take_state(self, tensors: list[Tensor]) -> None:
        vars(self).update((name, tensor) for (name, _), tensor in zip(self._own_state(), tensors))

    def to(self, *target: Any, **keywords: Any) -> Module:
        """Its float tensors as Tensor.to converts them, all on the device if one is named: other tensors, so before an optimizer is made.
        The module itself."""
        own = _each_once(self.state())
        made = {_tg._identity(old): self._converted(old, old.detach().to(*target, **keywords)) for _, old in own}
        for module in self.modules():
            module._take_state([made[_tg._identity(old)] for _, old in module._own_state()])
        return self

    def _converted(self, old: Tensor, new: Tensor) -> Tensor:
        return new.requires_grad_(old.requires_grad) if old.is_floating_point() else old.to(new.device)

    def double(self) -> Module:
        """to("float64")."""
        return self.to("float64")

    def float(self) -> Module:
        """to("float32")."""
        return self.to("float32")

    def half(self) -> Module:
        """to("float16")."""
        return self.to("float16")

    def state(self) -> list[tuple[str, Tensor]]:
        """All tensors by name, in order: its parameters and buffers, then its children's. A tied one is there by each of its names."""
        return [(name, tensor) for name, tensor, _ in self._named_own()]

    def state_dict(self) -> dict[str, Tensor]:
        """All tensors by name."""
        return dict(self.state())

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> Loaded:
        """Gives each tensor the value of that name. Where names are missing or unexpected, ValueError, and nothing has changed; without
        strict they are left alone. Returns both kinds of names."""
        return _load_into(self.state_dict(), state, strict)

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """The parameters by name: the tensors that require a gradient, or did when they became members. A tied one by its first name."""
        return iter(_each_once((name, t) for name, t, parameter in self._named_own() if parameter))

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """The other tensors by name, each once."""
        return iter(_each_once((name, t) for name, t, parameter in self._named_own() if not parameter))

    def buffers(self) -> Iterator[Tensor]:
        """The tensors that are no parameters."""
        return (t for _, t in self.named_buffers())

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Whether its parameters require a gradient from now on: with False it is frozen. The module itself."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def parameters(self) -> Parameters:
        """The parameters: what an optimizer takes."""
        return Parameters([t for _, t in self.named_parameters()], self.state())

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Removes all gradients, whatever set_to_none is."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def train(self, mode: bool = True) -> Module:
        """From now on it trains (or, with False, evaluates), as do all modules below; the module itself."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """From now on it evaluates: BatchNorm uses its running statistics, Dropout passes its input on."""
        return self.train(False)

    def get_submodule(self, target: str) -> Module:
        """The module below of that name, "blocks.0.out". AttributeError where there is none."""
        return self._below(target, dict(self.named_modules()))

    def get_parameter(self, target: str) -> Tensor:
        """The parameter of that name. AttributeError where there is none."""
        return self._below(target, dict(self.named_parameters()))

    def _below(self, target: str, found: dict[str, T]) -> T:
        if target not in found:
            raise AttributeError(f"{type(self).__name__} has no {target!r}; it has {', '.join(filter(None, found)) or 'none'}")
        return found[target]

    def extra_repr(self) -> str:
        """What its repr says between the parentheses, besides modules; for subclasses to write."""
        return ""

    def __repr__(self) -> str:
        children = [f"({name}): " + repr(child).replace("\n", "\n  ") for name, child in self._shown_children()]
        extra = self.extra_repr()
        if not children and "\n" not in extra:
            return f"{type(self).__name__}({extra})"
        return f"{type(self).__name__}(\n  " + "\n  ".join([*filter(None, extra.split("\n")), *children]) + "\n)"

    def _shown_children(self) -> Iterator[tuple[str, Any]]:
        return self.named_children()


class ModuleList(Module, list[Module]):
    """A list of modules, named by their positions."""

    __hash__ = object.__hash__  # type: ignore[assignment]

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules, by position."""
        return ((str(i), module) for i, module in enumerate(self))


class ModuleDict(Module, dict[str, Module]):
    """A dict of modules."""

    __hash__ = object.__hash__  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        if name not in self:
            raise AttributeError(f"'ModuleDict' object has no attribute or module {name!r}")
        return self[name]

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules, by key."""
        return iter(self.items())


class Sequential(Module):
    """One module or function after another, named by their positions, Sequential(Linear(2, 3), tg.relu), or by the keys of a dict."""

    def __init__(self, *layers: Callable[[Tensor], Tensor] | Mapping[str, Callable[[Tensor], Tensor]]):
        first = layers[0] if len(layers) == 1 else None
        named = first.items() if isinstance(first, Mapping) else ((str(i), layer) for i, layer in enumerate(layers))
        self.layers: dict[str, Any] = dict(named)

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules, by name."""
        return ((name, layer) for name, layer in self.layers.items() if isinstance(layer, Module))

    def forward(self, x: Tensor) -> Tensor:
        """All layers in turn."""
        for layer in self.layers.values():
            x = layer(x)
        return x

    def append(self, layer: Callable[[Tensor], Tensor]) -> Sequential:
        """With another layer at the end; the module itself."""
        self.layers[str(len(self.layers))] = layer
        return self

    def add_module(self, name: str, module: Any) -> None:
        """With another layer at the end, of that name."""
        self.layers[name] = module

    def _shown_children(self) -> Iterator[tuple[str, Any]]:
        """With the functions among the layers."""
        return ((name, layer if isinstance(layer, Module) else _Shown(layer)) for name, layer in self.layers.items())

    def __getattr__(self, name: str) -> Any:
        if name == "layers" or name not in self.layers:
            raise AttributeError(f"'Sequential' object has no attribute '{name}'")
        return self.layers[name]

    @overload
    def __getitem__(self, i: int) -> Any: ...
    @overload
    def __getitem__(self, i: slice) -> Sequential: ...
    def __getitem__(self, i: int | slice) -> Any:
        return Sequential(dict(list(self.layers.items())[i])) if isinstance(i, slice) else list(self.layers.values())[i]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers.values())

    def __len__(self) -> int:
        return len(self.layers)


class _Shown:
    """A function as it is shown among modules."""

    def __init__(self, function: Any):
        self.function = function

    def __repr__(self) -> str:
        return f"{getattr(self.function, '__name__', self.function)}()"


class ParameterList(Module, list[Tensor]):
    """A list of parameters, named by their positions."""

    __hash__ = object.__hash__  # type: ignore[assignment]

    def _own_state(self) -> list[tuple[str, Tensor]]:
        """The tensors, by position."""
        return [(str(i), tensor) for i, tensor in enumerate(self)]

    def _take_state(self, tensors: list[Tensor]) -> None:
        self[:] = tensors


class Identity(Module):
    """Its input."""

    def forward(self, x: Tensor) -> Tensor:
        """x."""
        return x
