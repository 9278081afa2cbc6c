"""Networks in PyTorch's manner: a Module finds the tensors that it holds by itself, the layers are the C++ ones.

    class Net(nn.Module):
        def __init__(self):
            self.hidden, self.out = nn.Linear(784, 128), nn.Linear(128, 10)

        def forward(self, x):
            return self.out(self.hidden(x).relu())
"""
from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, overload

from tg import _tg
from tg._tg import Tensor


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


class Parameters(list[Tensor]):
    """What Module.parameters() gives: a list of tensors that also knows their names, and the buffers beside them."""

    def __init__(self, state: list[tuple[str, Tensor]]):
        super().__init__(t for _, t in state if t.requires_grad)
        self.state = state


class Module:
    """A layer or model: called, it runs forward. Its state are the tensors and modules among its attributes, also in lists and dicts."""

    training = True

    def forward(self, *inputs: Any, **keywords: Any) -> Any:
        """What the module computes; for subclasses to write."""
        raise NotImplementedError(f"{type(self).__name__} has no forward()")

    __call__: Callable[..., Any] = _tg._call_module

    def _own_state(self) -> list[tuple[str, Tensor]]:
        """The tensors that it holds itself, not through its children."""
        return [(name, value) for name, value in vars(self).items() if isinstance(value, Tensor)]

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules among its attributes, and in lists, tuples and dicts there, by name."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value
            elif isinstance(value, (list, tuple, Mapping)):
                items = value.items() if isinstance(value, Mapping) else enumerate(value)
                yield from ((f"{name}.{key}", child) for key, child in items if isinstance(child, Module))

    def children(self) -> Iterator[Module]:
        """The modules among its attributes."""
        return (child for _, child in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Itself, by the prefix, and all modules below."""
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

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
        for (name, _), tensor in zip(self._own_state(), tensors):
            setattr(self, name, tensor)

    def to(self, *target: Any, **keywords: Any) -> Module:
        """Its float tensors as Tensor.to converts them, all on the device if one is named: other tensors, so before an optimizer is made.
        The module itself."""
        for module in self.modules():
            own = [(t, t.detach().to(*target, **keywords)) for _, t in module._own_state()]
            module._take_state([new.requires_grad_(old.requires_grad) if old.is_floating_point() else old.to(new.device)
                                for old, new in own])
        return self

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
        """All tensors by name, in order: parameters, which require a gradient, and buffers."""
        state = list(self._own_state())
        for name, child in self.named_children():
            state += [(f"{name}.{inner}", tensor) for inner, tensor in child.state()]
        return state

    def state_dict(self) -> dict[str, Tensor]:
        """All tensors by name."""
        return dict(self.state())

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> Loaded:
        """Gives each tensor the value of that name. Where names are missing or unexpected, ValueError, and nothing has changed; without
        strict they are left alone. Returns both kinds of names."""
        return _load_into(self.state_dict(), state, strict)

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """The tensors that require a gradient, by name."""
        return ((name, t) for name, t in self.state() if t.requires_grad)

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """The tensors that do not, by name."""
        return ((name, t) for name, t in self.state() if not t.requires_grad)

    def buffers(self) -> Iterator[Tensor]:
        """The tensors that require no gradient."""
        return (t for _, t in self.named_buffers())

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """With False its parameters require no gradient from now on, and are buffers until they are asked to again; the module itself."""
        if not requires_grad:
            self._frozen = [*getattr(self, "_frozen", []), *self.parameters()]
        for tensor in self._frozen if not requires_grad else vars(self).pop("_frozen", []):
            tensor.requires_grad_(requires_grad)
        return self

    def parameters(self) -> Parameters:
        """The tensors that require a gradient: what an optimizer takes."""
        return Parameters(self.state())

    def zero_grad(self) -> None:
        """Removes all gradients."""
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

    def __repr__(self) -> str:
        children = [f"  ({name}): " + repr(child).replace("\n", "\n  ") + "\n" for name, child in self.named_children()]
        own = ", ".join(f"{name}={tuple(t.shape)}" for name, t in self._own_state())
        return f"{type(self).__name__}({own}" + ("\n" + "".join(children) if children else "") + ")"


class _Layer:
    """What the layers of C++ have beside: copied or pickled, one is made again from its arguments, and given the tensors it had."""

    _made: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *arguments: Any, **keywords: Any) -> Any:
        layer = super().__new__(cls)
        layer._made = arguments, keywords
        return layer

    def __reduce__(self) -> Any:
        return _again, (type(self), *self._made), (vars(self), self._own_state())  # type: ignore[attr-defined]

    def __setstate__(self, state: Any) -> None:
        attributes, tensors = state
        vars(self).update(attributes)
        self._take_state([tensor for _, tensor in tensors])  # type: ignore[attr-defined]


def _again(cls: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    with _tg.Drawing(_tg.Generator()):  # its first weights are not what is wanted, nor to be drawn from the process's numbers
        return cls(*arguments, **keywords)


class Linear(_Layer, _tg._Linear, Module):
    __doc__ = _tg._Linear.__doc__


class Conv1d(_Layer, _tg._Conv1d, Module):
    __doc__ = _tg._Conv1d.__doc__


class Conv2d(_Layer, _tg._Conv2d, Module):
    __doc__ = _tg._Conv2d.__doc__


class Conv3d(_Layer, _tg._Conv3d, Module):
    __doc__ = _tg._Conv3d.__doc__


class ConvTranspose1d(_Layer, _tg._ConvTranspose1d, Module):
    __doc__ = _tg._ConvTranspose1d.__doc__


class ConvTranspose2d(_Layer, _tg._ConvTranspose2d, Module):
    __doc__ = _tg._ConvTranspose2d.__doc__


class ConvTranspose3d(_Layer, _tg._ConvTranspose3d, Module):
    __doc__ = _tg._ConvTranspose3d.__doc__


class BatchNorm(_Layer, _tg._BatchNorm, Module):
    __doc__ = _tg._BatchNorm.__doc__


BatchNorm1d = BatchNorm2d = BatchNorm3d = BatchNorm


class LayerNorm(_Layer, _tg._LayerNorm, Module):
    __doc__ = _tg._LayerNorm.__doc__


class GroupNorm(_Layer, _tg._GroupNorm, Module):
    __doc__ = _tg._GroupNorm.__doc__


class InstanceNorm(_Layer, _tg._InstanceNorm, Module):
    __doc__ = _tg._InstanceNorm.__doc__


InstanceNorm1d = InstanceNorm2d = InstanceNorm3d = InstanceNorm


class RMSNorm(_Layer, _tg._RMSNorm, Module):
    __doc__ = _tg._RMSNorm.__doc__


class Embedding(_Layer, _tg._Embedding, Module):
    __doc__ = _tg._Embedding.__doc__


class MultiheadAttention(_Layer, _tg._MultiheadAttention, Module):
    __doc__ = _tg._MultiheadAttention.__doc__


class TransformerEncoderLayer(_Layer, _tg._TransformerEncoderLayer, Module):
    __doc__ = _tg._TransformerEncoderLayer.__doc__


class TransformerDecoderLayer(_Layer, _tg._TransformerDecoderLayer, Module):
    __doc__ = _tg._TransformerDecoderLayer.__doc__


class Dropout(_Layer, _tg._Dropout, Module):
    __doc__ = _tg._Dropout.__doc__


class ModuleList(Module, list[Module]):
    """A list of modules, named by their positions."""

    __hash__ = object.__hash__  # type: ignore[assignment]

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules, by position."""
        return ((str(i), module) for i, module in enumerate(self))


class ModuleDict(Module, dict[str, Module]):
    """A dict of modules."""

    __hash__ = object.__hash__  # type: ignore[assignment]

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


class Identity(Module):
    """Its input."""

    def forward(self, x: Tensor) -> Tensor:
        """x."""
        return x


class Apply(Module):
    """A function with its keywords as a module: Apply(tg.max_pool2d, kernel_size=2)."""

    def __init__(self, function: Callable[..., Tensor], **keywords: Any):
        self.function, self.keywords = function, keywords

    def forward(self, *inputs: Tensor, **named: Tensor) -> Tensor:
        """function(*inputs, **keywords)."""
        return self.function(*inputs, **named, **self.keywords)

    def __repr__(self) -> str:
        return f"{self.function.__name__}({', '.join(f'{k}={v}' for k, v in self.keywords.items())})"


def _applied(name: str, *order: str) -> Callable[..., Module]:
    """A maker of modules that apply tg.<name>, whose keywords may also stand in the given order."""
    def make(*values: Any, **keywords: Any) -> Module:
        return Apply(getattr(_tg, name), **dict(zip(order, values)), **keywords)

    make.__doc__ = f"tg.{name} as a module."
    return make


ReLU, ReLU6, Sigmoid, LogSigmoid, Tanh, SiLU, Mish, SELU, Softsign, Hardsigmoid, Hardswish = map(
    _applied, ("relu", "relu6", "sigmoid", "logsigmoid", "tanh", "silu", "mish", "selu", "softsign", "hardsigmoid", "hardswish"))
LeakyReLU, ELU, CELU = _applied("leaky_relu", "negative_slope"), _applied("elu", "alpha"), _applied("celu", "alpha")
Hardtanh, Softplus = _applied("hardtanh", "min_val", "max_val"), _applied("softplus", "beta", "threshold")
GELU, GLU = _applied("gelu", "approximate"), _applied("glu", "dim")
Softmax, LogSoftmax = _applied("softmax", "dim"), _applied("log_softmax", "dim")
Unflatten = _applied("unflatten", "dim", "sizes")


def Flatten(start_dim: int = 1, end_dim: int = -1) -> Module:
    """tg.flatten as a module, which keeps the batch's axis."""
    return Apply(_tg.flatten, start_dim=start_dim, end_dim=end_dim)


_WINDOW = ("kernel_size", "stride", "padding")
MaxPool1d, MaxPool2d, MaxPool3d = (_applied(f"max_pool{n}d", *_WINDOW) for n in (1, 2, 3))
AvgPool1d, AvgPool2d, AvgPool3d = (_applied(f"avg_pool{n}d", *_WINDOW) for n in (1, 2, 3))
AdaptiveMaxPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool3d = (_applied(f"adaptive_max_pool{n}d", "output_size") for n in (1, 2, 3))
AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d = (_applied(f"adaptive_avg_pool{n}d", "output_size") for n in (1, 2, 3))
Upsample = _applied("interpolate", "size", "scale_factor", "mode", "align_corners")
MSELoss, L1Loss, HuberLoss, SmoothL1Loss = map(_applied, ("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss"))
BCELoss, BCEWithLogitsLoss = _applied("binary_cross_entropy", "weight"), _applied("binary_cross_entropy_with_logits", "weight")
NLLLoss, CrossEntropyLoss, KLDivLoss = _applied("nll_loss", "weight"), _applied("cross_entropy", "weight"), _applied("kl_div")

from tg.nn import functional as functional, init as init, utils as utils  # noqa: E402
