"""What people write for PyTorch and NumPy, run by both libraries: pytorch_snippets.txt with tg in the place of torch, numpy_snippets.txt
with tg in the place of numpy. A snippet leaves what is compared in `out`, and begins with its name behind ##.
"""
import copy
import io
import math
import os
import pickle
import re
import types
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.utils.checkpoint

import tg

X = np.random.default_rng(1).normal(size=(12, 4)).astype("f")


def snippets(file):
    """(name, code) of each."""
    parts = re.split(r"^## ", (Path(__file__).parent / file).read_text(), flags=re.M)[1:]
    return [pytest.param(part.split("\n", 1)[1], id=part.split("\n", 1)[0]) for part in parts]


def filled(library, net, seed=0):
    """The network with the same parameters in both libraries."""
    rng = np.random.default_rng(seed)
    with library.no_grad():
        for _, p in sorted(net.named_parameters()):
            p.copy_(library.tensor(rng.normal(size=tuple(p.shape)).astype("f") * 0.5))
    return net


def plain(value):
    """The value with arrays for tensors and lists for whatever is in order."""
    if isinstance(value, (torch.Tensor, tg.Tensor)):
        return value.detach().numpy()
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple, map, zip, range, types.GeneratorType)):
        return [plain(v) for v in value]
    return value


def differences(expected, got, where="out"):
    """Where the values differ; kinds of dtypes, as floats and integers, are compared as well."""
    if isinstance(expected, (list, dict)):
        keys, others = (range(len(v)) if isinstance(v, list) else list(v) for v in (expected, got))
        assert list(keys) == list(others), where
        for key in keys:
            yield from differences(expected[key], got[key], f"{where}[{key!r}]")
    elif isinstance(expected, (str, type(None), bool)):
        if expected != got:
            yield where, expected, got
    else:
        a, b = np.asarray(expected), np.asarray(got)
        alike = a.dtype.kind == b.dtype.kind or not isinstance(expected, np.ndarray)
        if a.shape != b.shape or not alike or not np.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True):
            yield where, expected, got


def run(code, names):
    """What the snippet leaves in `out`."""
    exec(code, names)
    return plain(names["out"])


@pytest.mark.parametrize("code", snippets("pytorch_snippets.txt"))
def test_pytorchs(code, tmp_path):
    outs = []
    for library in (torch, tg):
        folder = tmp_path / library.__name__
        folder.mkdir()
        outs.append(run(code, {
            "torch": library, "nn": library.nn, "F": library.nn.functional, "optim": library.optim, "data": library.utils.data,
            "checkpoint": library.utils.checkpoint.checkpoint, "fill": lambda net, seed=0, library=library: filled(library, net, seed),
            "np": np, "io": io, "os": os, "copy": copy, "math": math, "pickle": pickle, "rng": np.random.default_rng(0), "X": X,
            "Y": np.arange(12) % 3, "folder": str(folder), "__name__": __name__}))
    assert list(differences(*outs)) == []


@pytest.mark.parametrize("code", snippets("numpy_snippets.txt"))
def test_numpys(code):
    assert list(differences(*(run(code, {"np": library, "A": make(X[:3])}) for library, make in ((np, np.array), (tg, tg.Tensor))))) == []
