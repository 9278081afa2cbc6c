"""Tensors in files (safetensors, .npy, bytes), and data sets; all of them are functions of tg as well.

A file of safetensors holds tensors by name. What else a checkpoint holds, tensors in dicts, lists and tuples with numbers, texts, bools and
None beside them, is written as JSON into its metadata, with the tensors' names in their places: reading a file runs nothing.
"""
from __future__ import annotations

import json
import os
import typing
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional, Union

from tg import _tg
from tg._tg import Tensor
from tg.nn import Module, Parameters
from tg.optim import Source, named

if TYPE_CHECKING:
    from tg._tg import DTypeLike

__all__ = ["from_file", "load", "load_into", "load_npy", "mnist", "save"]

File = Union[str, os.PathLike[str], typing.IO[bytes]]
_TREE = "tg.tree"  # the key of metadata that holds what is not a dict of tensors


def _plain(value: Any) -> bool:
    """Whether it is what a file of safetensors holds as it is."""
    if isinstance(value, (Module, Parameters)):
        return True
    if isinstance(value, Mapping):
        return all(isinstance(k, str) and isinstance(v, Tensor) for k, v in value.items())
    return not isinstance(value, (Tensor, str, int, float)) and value is not None and all(
        isinstance(v, Tensor) or isinstance(v, tuple) and len(v) == 2 and isinstance(v[0], str) and isinstance(v[1], Tensor) for v in value)


def _written(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """The value as JSON holds it: {"tensor": name}, {"dict": pairs}, {"list": ...}, {"tuple": ...}, or what it is."""
    if isinstance(value, Tensor):
        name = name or "tensor"
        while name in tensors:  # {"a.b": x, "a": {"b": y}}
            name += "'"
        tensors[name] = value
        return {"tensor": name}
    if isinstance(value, Module):
        value = value.state_dict()
    if isinstance(value, Mapping):
        return {"dict": [[_written(k, "", {}), _written(v, f"{name}.{k}" if name else str(k), tensors)] for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_written(v, f"{name}.{i}" if name else str(i), tensors) for i, v in enumerate(value)]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:  # numpy.float32(1)
        return value.item()
    raise _tg.ValueError(f"save: {name or 'the value'} is of type {type(value).__name__}; a file holds tensors, numbers, texts, bools and "
                         "None in dicts, lists and tuples. Convert it, or use pickle")


def _read(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    """What was written."""
    if not isinstance(tree, dict):
        return tree
    (kind, value), = tree.items()
    if kind == "tensor":
        return tensors[value]
    if kind == "dict":
        return {_read(k, tensors): _read(v, tensors) for k, v in value}
    parts = [_read(v, tensors) for v in value]
    return tuple(parts) if kind == "tuple" else parts


def save(state: Any, path: File, metadata: Optional[Mapping[str, str]] = None) -> None:
    """Writes a module's state, tensors by name, or any dict, list or tuple of tensors, numbers and texts, to a path or an open file, as
    safetensors. The file of a path is the old one or the new one, whatever happens. ValueError for what a file cannot hold."""
    texts = dict(metadata or {})
    if _plain(state):
        entries = named(state)
    else:
        tensors: dict[str, Tensor] = {}
        tree = json.dumps(_written(state, "", tensors))
        entries = list(tensors.items())
        texts[_TREE] = tree
    if isinstance(path, (str, os.PathLike)):
        _tg._save(os.fspath(path), entries, texts)
    else:
        path.write(_tg._save_bytes(entries, texts))


def load(path: File, map_location: Optional[str] = None, *, weights_only: bool = True) -> Any:
    """What save wrote: the tensors of a safetensors file by name, or the dict, list or tuple that it holds; on the device map_location. The
    file of a path is mapped: its pages are read when values are needed. No file holds more than weights_only allows."""
    named_tensors, metadata = _tg._load(os.fspath(path)) if isinstance(path, (str, os.PathLike)) else _tg._load_bytes(path.read())
    tensors = {name: t if map_location is None else t.to(map_location) for name, t in named_tensors}
    return _read(json.loads(metadata[_TREE]), tensors) if _TREE in metadata else tensors


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
