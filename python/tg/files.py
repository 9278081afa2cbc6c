"""Tensors in files (safetensors, .npy, bytes), and data sets; all of them are functions of tg as well."""
from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Optional

from tg import _tg
from tg._tg import Tensor
from tg.optim import Source, named

if TYPE_CHECKING:
    from tg._tg import DTypeLike

__all__ = ["from_file", "load", "load_into", "load_npy", "mnist", "save"]


def save(state: Source, path: str | os.PathLike[str], metadata: Optional[Mapping[str, str]] = None) -> None:
    """Writes a module's state, or tensors by name, as safetensors. The file is the old one or the new one, whatever happens."""
    _tg._save(os.fspath(path), named(state), dict(metadata or {}))


def load(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name. The file is mapped: its pages are read when values are needed."""
    return dict(_tg._load(os.fspath(path))[0])


def load_into(state: Source, path: str | os.PathLike[str]) -> dict[str, str]:
    """Gives a module's tensors the values they have in the file, whose metadata is returned.

    Names, shapes and dtypes must agree exactly.
    """
    return _tg._load_into(os.fspath(path), named(state))


def load_npy(path: str | os.PathLike[str]) -> Tensor:
    """The array of an .npy file, which is mapped unless it is in Fortran's order or big endian."""
    return _tg._load_npy(os.fspath(path))


def from_file(path: str | os.PathLike[str], shape: int | Sequence[int], dtype: DTypeLike = "float32", offset: int = 0) -> Tensor:
    """The elements in a file from byte `offset` on, in row-major order, little endian. The file is mapped."""
    return _tg._from_file(os.fspath(path), dtype, shape, offset)


def mnist(folder: str | os.PathLike[str] = "") -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """(images, labels) to train on and to test with: uint8, (n, 28, 28) from 0, paper, to 255, and (n,).

    Looks in the folder, else in TG_DATA, else in data/mnist above the program.
    """
    return _tg._mnist(os.fspath(folder))
