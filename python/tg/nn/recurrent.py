"""Layers that read sequences, the C++ ones, under PyTorch's names.

    lstm = nn.LSTM(8, 16, num_layers=2, batch_first=True)
    y, (h, c) = lstm(x)
"""
from __future__ import annotations

from typing import Any

from tg import _tg
from tg.nn.layers import _Layer, _told
from tg.nn.module import Module

__all__ = ["GRU", "GRUCell", "LSTM", "LSTMCell", "RNN", "RNNCell"]


class _Recurrent(Module):
    """Its weights are attributes: weight_ih_l0, or of a cell weight_ih."""

    def __getattr__(self, name: str) -> Any:
        layer: Any = self
        own = dict(layer._own_state()) if name.startswith(("weight_", "bias_")) else {}
        if name not in own:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return own[name]

    def extra_repr(self) -> str:
        """Its sizes, and what is not as usual."""
        usual = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0, "bidirectional": False}
        more = [f"{name}=" for name, value in usual.items() if getattr(self, name, value) != value]
        return _told(self, " ".join(["input_size hidden_size", *more]))


class RNN(_Layer, _tg._RNN, _Recurrent): ...
class LSTM(_Layer, _tg._LSTM, _Recurrent): ...
class GRU(_Layer, _tg._GRU, _Recurrent): ...
class RNNCell(_Layer, _tg._RNNCell, _Recurrent): ...
class LSTMCell(_Layer, _tg._LSTMCell, _Recurrent): ...
class GRUCell(_Layer, _tg._GRUCell, _Recurrent): ...
