"""Networks in PyTorch's manner: a Module finds the tensors that it holds by itself, the layers are the C++ ones.

    class Net(nn.Module):
        def __init__(self):
            self.hidden, self.out = nn.Linear(784, 128), nn.Linear(128, 10)

        def forward(self, x):
            return self.out(self.hidden(x).relu())
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tg import _tg
from tg._tg import Tensor


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

    def modules(self) -> Iterator[Module]:
        """Itself, and all modules below."""
        yield self
        for _, child in self.named_children():
            yield from child.modules()

    def state(self) -> list[tuple[str, Tensor]]:
        """All tensors by name, in order: parameters, which require a gradient, and buffers."""
        state = list(self._own_state())
        for name, child in self.named_children():
            state += [(f"{name}.{inner}", tensor) for inner, tensor in child.state()]
        return state

    def state_dict(self) -> dict[str, Tensor]:
        """All tensors by name."""
        return dict(self.state())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Gives each tensor the value of that name. ValueError where names are missing or unexpected, and then nothing has changed."""
        own = self.state_dict()
        if own.keys() != state.keys():
            missing, unexpected = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
            raise _tg.ValueError(f"load_state_dict: missing {missing}, unexpected {unexpected}")
        for name, tensor in own.items():
            if tuple(tensor.shape) != tuple(state[name].shape):
                raise _tg.ShapeError(f"load_state_dict: {name} has shape {tensor.shape}, the value given {tuple(state[name].shape)}")
        for name, tensor in own.items():
            tensor.assign(state[name])

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """The tensors that require a gradient, by name."""
        return ((name, t) for name, t in self.state() if t.requires_grad)

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
        for (_, own), (_, kept) in zip(self._own_state(), tensors):  # type: ignore[attr-defined]
            own.assign(kept).requires_grad_(kept.requires_grad)


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


class Sequential(Module):
    """One module or function after another, named by their positions: Sequential(Linear(2, 3), tg.relu)."""

    def __init__(self, *layers: Callable[[Tensor], Tensor]):
        self.layers = layers

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules, by position."""
        for i, layer in enumerate(self.layers):
            if isinstance(layer, Module):
                yield str(i), layer

    def forward(self, x: Tensor) -> Tensor:
        """All layers in turn."""
        for layer in self.layers:
            x = layer(x)
        return x

    def __getitem__(self, i: int) -> Callable[[Tensor], Tensor]:
        return self.layers[i]

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

    def forward(self, *inputs: Tensor) -> Tensor:
        """function(*inputs, **keywords)."""
        return self.function(*inputs, **self.keywords)

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
