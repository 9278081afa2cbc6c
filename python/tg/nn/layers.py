"""Layers: those with tensors, which are the C++ ones, and functions of tg as modules, a row each."""
from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Optional

from tg import _tg
from tg._tg import Tensor
from tg.nn.module import Module, ModuleList, Parameter

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d", "Apply",
    "AvgPool1d", "AvgPool2d", "AvgPool3d", "BCELoss", "BCEWithLogitsLoss", "BatchNorm", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d",
    "CELU", "ChannelShuffle", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d",
    "ConvTranspose2d", "ConvTranspose3d", "CosineEmbeddingLoss", "CosineSimilarity", "CrossEntropyLoss", "Dropout", "ELU", "Embedding",
    "Flatten", "GELU", "GLU", "GaussianNLLLoss", "GroupNorm", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "HingeEmbeddingLoss",
    "HuberLoss", "InstanceNorm", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "KLDivLoss", "L1Loss", "LayerNorm", "LeakyReLU",
    "Linear", "LogSigmoid", "LogSoftmax", "MSELoss", "MarginRankingLoss", "MaxPool1d", "MaxPool2d", "MaxPool3d", "Mish",
    "MultiLabelSoftMarginLoss", "MultiheadAttention", "NLLLoss", "PReLU", "PairwiseDistance", "PixelShuffle", "PixelUnshuffle",
    "PoissonNLLLoss", "RMSNorm", "ReLU", "ReLU6", "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d",
    "ReplicationPad2d", "ReplicationPad3d", "SELU", "SiLU", "Sigmoid", "SmoothL1Loss", "SoftMarginLoss", "Softmax", "Softmin", "Softplus",
    "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Threshold", "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder",
    "TransformerEncoderLayer", "TripletMarginLoss", "Unflatten", "Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d", "ZeroPad2d"]

_BUFFERS = ("running_mean", "running_var")  # the tensors of layers that are no parameters


class _Layer:
    """What the layers of C++ have beside: copied or pickled, one is made again from its arguments, and given the tensors it had."""

    _made: tuple[tuple[Any, ...], dict[str, Any]]

    def __init_subclass__(cls) -> None:
        """A layer is explained where C++ is, and one by another name where that is."""
        cls.__doc__ = cls.__doc__ or next(base.__doc__ for base in cls.__mro__[1:] if base is not _Layer and base.__doc__)

    def __new__(cls, *arguments: Any, **keywords: Any) -> Any:
        layer = super().__new__(cls)
        vars(layer)["_made"] = arguments, keywords
        return layer

    def __reduce__(self) -> Any:
        return _again, (type(self), *self._made), (vars(self), self._own_state())

    def __setstate__(self, state: Any) -> None:
        attributes, tensors = state
        vars(self).update(attributes)
        self._take_state([tensor for _, tensor in tensors])

    if not TYPE_CHECKING:  # a class derived from a layer may hold more tensors than the C++ one
        def _is_parameter(self, name: str, tensor: Tensor) -> bool:
            return name not in _BUFFERS and (name in dict(super()._own_state()) or Module._is_parameter(self, name, tensor))

        def _own_state(self) -> list[tuple[str, Tensor]]:
            return [*super()._own_state(), *Module._own_state(self)]

        def _take_state(self, tensors: list[Tensor]) -> None:
            own = len(super()._own_state())
            super()._take_state(tensors[:own])
            vars(self).update((name, tensor) for (name, _), tensor in zip(Module._own_state(self), tensors[own:]))
    else:
        def _own_state(self) -> list[tuple[str, Tensor]]: return []
        def _take_state(self, tensors: list[Tensor]) -> None: ...


def _again(cls: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    with _tg.Drawing(_tg.Generator()):  # its first weights are not what is wanted, nor to be drawn from the process's numbers
        return cls(*arguments, **keywords)


def _told(module: Any, names: str) -> str:
    """Attributes as reprs tell them: by their values, or by name and value where "=" follows the name."""
    return ", ".join(f"{name if name.endswith('=') else ''}{getattr(module, name.rstrip('='))}" for name in names.split())


class Linear(_Layer, _tg._Linear, Module):
    def extra_repr(self) -> str:
        """Its sizes."""
        return f"{_told(self, 'in_features= out_features=')}, bias={self.bias is not None}"


class _Convolution(Module):
    def extra_repr(self) -> str:
        """Its channels and window, and what is not as usual."""
        own: Any = self
        usual = {"padding": {0}, "dilation": {1}, "output_padding": {0}}
        more = [f"{name}=" for name, value in usual.items() if set(getattr(self, name, value)) != value]
        names = " ".join(["in_channels out_channels kernel_size= stride=", *more, *(["groups="] if own.groups != 1 else [])])
        return _told(self, names) + (", bias=False" if own.bias is None else "")


class Conv1d(_Layer, _tg._Conv1d, _Convolution): ...
class Conv2d(_Layer, _tg._Conv2d, _Convolution): ...
class Conv3d(_Layer, _tg._Conv3d, _Convolution): ...
class ConvTranspose1d(_Layer, _tg._ConvTranspose1d, _Convolution): ...
class ConvTranspose2d(_Layer, _tg._ConvTranspose2d, _Convolution): ...
class ConvTranspose3d(_Layer, _tg._ConvTranspose3d, _Convolution): ...


class BatchNorm(_Layer, _tg._BatchNorm, Module):
    def extra_repr(self) -> str:
        """Its options."""
        return f"{_told(self, 'num_features eps= momentum=')}, affine=True, track_running_stats=True"


class BatchNorm1d(BatchNorm): ...
class BatchNorm2d(BatchNorm): ...
class BatchNorm3d(BatchNorm): ...


class LayerNorm(_Layer, _tg._LayerNorm, Module):
    def extra_repr(self) -> str:
        """Its options."""
        return _told(self, "normalized_shape eps= elementwise_affine=")


class GroupNorm(_Layer, _tg._GroupNorm, Module):
    def extra_repr(self) -> str:
        """Its options."""
        return _told(self, "num_groups num_channels eps= affine=")


class InstanceNorm(_Layer, _tg._InstanceNorm, Module):
    def extra_repr(self) -> str:
        """Its options."""
        return _told(self, "num_features eps= affine=")


class InstanceNorm1d(InstanceNorm): ...
class InstanceNorm2d(InstanceNorm): ...
class InstanceNorm3d(InstanceNorm): ...


class RMSNorm(_Layer, _tg._RMSNorm, Module):
    def extra_repr(self) -> str:
        """Its options."""
        return _told(self, "normalized_shape eps=")


class Embedding(_Layer, _tg._Embedding, Module):
    def extra_repr(self) -> str:
        """Its sizes."""
        own: Any = self
        return _told(self, "num_embeddings embedding_dim" + ("" if own.padding_idx is None else " padding_idx="))


class Dropout(_Layer, _tg._Dropout, Module):
    def __init__(self, p: float = 0.5, inplace: bool = False):
        super().__init__(p)
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """tg.dropout of the input in training, written to it where inplace says so."""
        result = super().forward(input)
        return input.copy_(result) if self.inplace else result

    def extra_repr(self) -> str:
        """Its probability."""
        return f"p={self.p}, inplace={self.inplace}"


class PReLU(Module):
    """tg.prelu with a weight of its own: one number, or one a channel."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25):
        self.num_parameters = num_parameters
        self.weight = Parameter(_tg.full((num_parameters,), init))

    def forward(self, x: Tensor) -> Tensor:
        """tg.prelu(x, weight)."""
        return _tg.prelu(x, self.weight)

    def extra_repr(self) -> str:
        """How many weights it has."""
        return f"num_parameters={self.num_parameters}"


class MultiheadAttention(_Layer, _tg._MultiheadAttention, Module): ...
class TransformerEncoderLayer(_Layer, _tg._TransformerEncoderLayer, Module): ...
class TransformerDecoderLayer(_Layer, _tg._TransformerDecoderLayer, Module): ...


class TransformerEncoder(Module):
    """So many copies of an encoder layer, one after another, then a norm, if one is given."""

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Optional[Module] = None):
        self.layers, self.num_layers = ModuleList(copy.deepcopy(encoder_layer) for _ in range(num_layers)), num_layers
        self.norm = norm

    def forward(self, src: Tensor, mask: Optional[Tensor] = None, src_key_padding_mask: Optional[Tensor] = None,
                is_causal: bool = False) -> Tensor:
        """All layers in turn, with these masks: true where not to look."""
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask, is_causal)
        out: Tensor = self.norm(src) if self.norm else src
        return out


class TransformerDecoder(Module):
    """So many copies of a decoder layer, one after another, then a norm, if one is given."""

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Optional[Module] = None):
        self.layers, self.num_layers = ModuleList(copy.deepcopy(decoder_layer) for _ in range(num_layers)), num_layers
        self.norm = norm

    def forward(self, tgt: Tensor, memory: Tensor, tgt_mask: Optional[Tensor] = None, memory_mask: Optional[Tensor] = None,
                tgt_key_padding_mask: Optional[Tensor] = None, memory_key_padding_mask: Optional[Tensor] = None,
                tgt_is_causal: bool = False) -> Tensor:
        """All layers in turn, with these masks: true where not to look."""
        for layer in self.layers:
            tgt = layer(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask, tgt_is_causal)
        out: Tensor = self.norm(tgt) if self.norm else tgt
        return out


class Apply(Module):
    """A function with its keywords as a module: Apply(tg.max_pool2d, kernel_size=2)."""

    def __init__(self, function: Callable[..., Tensor], **keywords: Any):
        self.function, self.keywords = function, keywords

    def forward(self, *inputs: Tensor, **named: Tensor) -> Tensor:
        """function(*inputs, **keywords)."""
        return self.function(*inputs, **named, **self.keywords)

    def __repr__(self) -> str:
        return f"{self.function.__name__}({', '.join(f'{k}={v}' for k, v in self.keywords.items())})"


class _Function(Module):
    """A function of tg as a module, whose arguments are its attributes."""

    _function: Callable[..., Tensor]
    _usual: dict[str, Any]  # its arguments after the input, in order
    _shown: tuple[str, ...]  # those that its repr tells
    _inplace = False  # whether inplace may stand behind them

    def __init__(self, *values: Any, inplace: bool = False, **keywords: Any):
        if self._inplace and len(values) == len(self._usual) + 1:
            *values, inplace = values  # type: ignore[assignment]
        given = {**dict(zip(self._usual, values)), **keywords}
        if unknown := [*given.keys() - self._usual.keys(), *values[len(self._usual):]]:
            raise TypeError(f"{type(self).__name__} has no argument {unknown[0]!r}; it has {', '.join(self._usual) or 'none'}")
        for name, usual in self._usual.items():
            if usual is ... and name not in given:
                raise TypeError(f"{type(self).__name__} needs an argument {name}")
            setattr(self, name, given.get(name, usual))
        if "stride" in self._usual and given.get("stride") is None:
            self.stride = self.kernel_size
        self.inplace = inplace

    def forward(self, *inputs: Tensor) -> Tensor:
        """The function of the inputs, written to the first where inplace says so."""
        result = self._function(*inputs, **{name: getattr(self, name) for name in self._usual})
        return inputs[0].copy_(result) if self.inplace else result

    def extra_repr(self) -> str:
        """Its arguments."""
        return ", ".join([f"{name}={getattr(self, name)!r}" for name in self._shown] + (["inplace=True"] if self.inplace else []))

    if TYPE_CHECKING:
        def __getattr__(self, name: str) -> Any: ...


_IN_PLACE = "ReLU ReLU6 SiLU Mish SELU Hardsigmoid Hardswish LeakyReLU ELU CELU Hardtanh".split()


def _function(module: str, name: str, hidden: str = "", **usual: Any) -> type[_Function]:
    """The class of that name: tg.<name>, with the values that its arguments have unless told, ... where they must be told."""
    shown = tuple(a for a in usual if a not in hidden.split())
    members: dict[str, Any] = {"_function": staticmethod(getattr(_tg, name)), "_usual": usual, "_shown": shown,
                               "_inplace": module in _IN_PLACE}
    return type(module, (_Function,), {"__doc__": f"tg.{name} as a module.", "__module__": __name__, **members})


ReLU, ReLU6, Sigmoid, LogSigmoid = (_function(n, n.lower()) for n in ("ReLU", "ReLU6", "Sigmoid", "LogSigmoid"))
Tanh, SiLU, Mish, SELU = (_function(n, n.lower()) for n in ("Tanh", "SiLU", "Mish", "SELU"))
Softsign, Hardsigmoid, Hardswish = (_function(n, n.lower()) for n in ("Softsign", "Hardsigmoid", "Hardswish"))
LeakyReLU = _function("LeakyReLU", "leaky_relu", negative_slope=0.01)
ELU, CELU = _function("ELU", "elu", alpha=1.0), _function("CELU", "celu", alpha=1.0)
Hardtanh = _function("Hardtanh", "hardtanh", min_val=-1.0, max_val=1.0)
Softplus = _function("Softplus", "softplus", beta=1, threshold=20)
GELU, GLU = _function("GELU", "gelu", approximate="none"), _function("GLU", "glu", dim=-1)
Softmin, Tanhshrink = _function("Softmin", "softmin", dim=-1), _function("Tanhshrink", "tanhshrink")
Hardshrink, Softshrink = _function("Hardshrink", "hardshrink", lambd=0.5), _function("Softshrink", "softshrink", lambd=0.5)
Threshold = _function("Threshold", "threshold", threshold=..., value=...)
Softmax, LogSoftmax = _function("Softmax", "softmax", dim=-1), _function("LogSoftmax", "log_softmax", dim=-1)
Flatten = _function("Flatten", "flatten", start_dim=1, end_dim=-1)

_MAX = {"kernel_size": ..., "stride": None, "padding": 0, "dilation": 1, "return_indices": False, "ceil_mode": False}
_MEAN = {"kernel_size": ..., "stride": None, "padding": 0, "ceil_mode": False, "count_include_pad": True,
         "divisor_override": None}
MaxPool1d, MaxPool2d, MaxPool3d = (_function(f"MaxPool{n}d", f"max_pool{n}d", "return_indices", **_MAX) for n in (1, 2, 3))
AvgPool1d, AvgPool2d, AvgPool3d = (
    _function(f"AvgPool{n}d", f"avg_pool{n}d", "ceil_mode count_include_pad divisor_override", **_MEAN) for n in (1, 2, 3))
AdaptiveMaxPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool3d = (
    _function(f"AdaptiveMaxPool{n}d", f"adaptive_max_pool{n}d", output_size=...) for n in (1, 2, 3))
AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d = (
    _function(f"AdaptiveAvgPool{n}d", f"adaptive_avg_pool{n}d", output_size=...) for n in (1, 2, 3))
Upsample = _function("Upsample", "interpolate", size=None, scale_factor=None, mode="nearest", align_corners=None)
UpsamplingNearest2d = _function("UpsamplingNearest2d", "interpolate", "mode", size=None, scale_factor=None, mode="nearest")
UpsamplingBilinear2d = _function("UpsamplingBilinear2d", "interpolate", "mode align_corners", size=None, scale_factor=None, mode="bilinear",
                                 align_corners=True)
PixelShuffle, PixelUnshuffle = (_function("PixelShuffle", "pixel_shuffle", upscale_factor=...),
                                _function("PixelUnshuffle", "pixel_unshuffle", downscale_factor=...))
ChannelShuffle = _function("ChannelShuffle", "channel_shuffle", groups=...)
CosineSimilarity = _function("CosineSimilarity", "cosine_similarity", "dim eps", dim=1, eps=1e-8)
PairwiseDistance = _function("PairwiseDistance", "pairwise_distance", "p eps keepdim", p=2.0, eps=1e-6, keepdim=False)
Unflatten = _function("Unflatten", "unflatten", dim=..., unflattened_size=...)

_LOSS, _WEIGHTED, _CLASSES = "weight reduction", {"weight": None}, {"weight": None, "ignore_index": -100}
MSELoss, L1Loss = (_function(n, f, _LOSS, reduction="mean") for n, f in (("MSELoss", "mse_loss"), ("L1Loss", "l1_loss")))
HuberLoss = _function("HuberLoss", "huber_loss", "reduction delta", reduction="mean", delta=1.0)
SmoothL1Loss = _function("SmoothL1Loss", "smooth_l1_loss", "reduction beta", reduction="mean", beta=1.0)
BCELoss = _function("BCELoss", "binary_cross_entropy", _LOSS, **_WEIGHTED, reduction="mean")
BCEWithLogitsLoss = _function("BCEWithLogitsLoss", "binary_cross_entropy_with_logits", f"{_LOSS} pos_weight", **_WEIGHTED, reduction="mean",
                              pos_weight=None)
NLLLoss = _function("NLLLoss", "nll_loss", f"{_LOSS} ignore_index", **_CLASSES, reduction="mean")
CrossEntropyLoss = _function("CrossEntropyLoss", "cross_entropy", f"{_LOSS} ignore_index label_smoothing", **_CLASSES, reduction="mean",
                             label_smoothing=0.0)
KLDivLoss = _function("KLDivLoss", "kl_div", "reduction log_target", reduction="mean", log_target=False)
MarginRankingLoss = _function("MarginRankingLoss", "margin_ranking_loss", "margin reduction", margin=0.0, reduction="mean")
HingeEmbeddingLoss = _function("HingeEmbeddingLoss", "hinge_embedding_loss", "margin reduction", margin=1.0, reduction="mean")
CosineEmbeddingLoss = _function("CosineEmbeddingLoss", "cosine_embedding_loss", "margin reduction", margin=0.0, reduction="mean")
SoftMarginLoss = _function("SoftMarginLoss", "soft_margin_loss", "reduction", reduction="mean")
MultiLabelSoftMarginLoss = _function("MultiLabelSoftMarginLoss", "multilabel_soft_margin_loss", _LOSS, **_WEIGHTED, reduction="mean")
TripletMarginLoss = _function("TripletMarginLoss", "triplet_margin_loss", "margin p eps swap reduction", margin=1.0, p=2.0, eps=1e-6,
                              swap=False, reduction="mean")
PoissonNLLLoss = _function("PoissonNLLLoss", "poisson_nll_loss", "log_input full eps reduction", log_input=True, full=False, eps=1e-8,
                           reduction="mean")
GaussianNLLLoss = _function("GaussianNLLLoss", "gaussian_nll_loss", "full eps reduction", full=False, eps=1e-6, reduction="mean")


class _Pad(Module):
    """tg.pad of the last axes: as much on all sides, or (left, right, top, bottom, ...)."""

    _axes, _mode = 0, "constant"

    def __init__(self, padding: int | tuple[int, ...], value: float = 0.0):
        self.padding = tuple(padding for _ in range(self._axes) for _ in range(2)) if isinstance(padding, int) else tuple(padding)
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        """tg.pad(x, padding)."""
        return _tg.pad(x, self.padding, self._mode, self.value)

    def extra_repr(self) -> str:
        """Its amounts, and the value where it has one."""
        valued = self._mode == "constant" and "Zero" not in type(self).__name__
        return f"padding={self.padding}, value={self.value}" if valued else f"{self.padding}"


def _pad(name: str, axes: int, mode: str) -> type[_Pad]:
    return type(name, (_Pad,), {"_axes": axes, "_mode": mode, "__doc__": _Pad.__doc__, "__module__": __name__})


ZeroPad2d = _pad("ZeroPad2d", 2, "constant")
ConstantPad1d, ConstantPad2d, ConstantPad3d = (_pad(f"ConstantPad{n}d", n, "constant") for n in (1, 2, 3))
ReflectionPad1d, ReflectionPad2d, ReflectionPad3d = (_pad(f"ReflectionPad{n}d", n, "reflect") for n in (1, 2, 3))
ReplicationPad1d, ReplicationPad2d, ReplicationPad3d = (_pad(f"ReplicationPad{n}d", n, "replicate") for n in (1, 2, 3))
