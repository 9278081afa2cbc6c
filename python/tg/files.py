"""Tensors in files (safetensors), and data sets. tg.save, tg.load and tg.load_into are these."""
from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Optional

from tg import _tg
from tg._tg import Tensor
from tg.optim import Source, named


def save(state: Source, path: str | os.PathLike[str], metadata: Optional[Mapping[str, str]] = None) -> None:
    """Writes a module's state, or tensors by name, as safetensors. The file is the old one or the new one, whatever happens."""
    _tg._save(os.fspath(path), named(state), dict(metadata or {}))


def load(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name."""
    return dict(_tg._load(os.fspath(path))[0])


def load_into(state: Source, path: str | os.PathLike[str]) -> dict[str, str]:
    """Gives a module's tensors the values they have in the file, whose metadata is returned.

    Names, shapes and dtypes must agree exactly.
    """
    return _tg._load_into(os.fspath(path), named(state))


def mnist(folder: str | os.PathLike[str] = "") -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """(images, labels) to train on and to test with: uint8, (n, 28, 28) from 0, paper, to 255, and (n,).

    Looks in the folder, else in TG_DATA, else in data/mnist above the program.
    """
    return _tg._mnist(os.fspath(folder))
