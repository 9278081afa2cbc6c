"""Every row of the conformance tests at awkward shapes, and twice differentiated: as PyTorch has it, or, where PyTorch has no second
derivative, by finite differences.

The shapes are made from each row's own: an axis of size 1, of a prime, of nothing; a scalar; inputs that are transposed, expanded and
strided views. What PyTorch refuses is not asked for.
"""
import copy
import os
import re
from pathlib import Path

import conformance_test
import network_test
import numpy as np
import pytest
import torch
from conformance_test import agree, derivatives

import tg

ROWS = [(f"{r.name}{i}", r) for i, r in enumerate(conformance_test.ROWS + network_test.ROWS)]
named = pytest.mark.parametrize("row", [r for _, r in ROWS], ids=[n for n, _ in ROWS])


def resized(shapes):
    """The shapes with one size in place of another wherever that is, and scalars."""
    for size in sorted({n for s in shapes for n in s}):
        for other in (0, 1, 11):
            if other != size:
                yield tuple(tuple(other if n == size else n for n in s) for s in shapes)
    yield tuple(() for _ in shapes)


# An array that a view is taken of, to look like the array, and the view.
VIEWS = {
    "transposed": (lambda a: np.ascontiguousarray(a.T), lambda x, shape: x.permute(tuple(reversed(range(x.ndim))))),
    "strided": (lambda a: np.repeat(a, 2, -1), lambda x, shape: x[..., ::2]),
    "expanded": (lambda a: a[:1], lambda x, shape: x.expand(shape)),
}


def through(row, view, shapes):
    """The row whose inputs are such views of its arguments."""
    def taken(f):
        return lambda t, *x: f(t, *(view(v, s) if s else v for v, s in zip(x, shapes)))
    other = copy.copy(row)
    other.f, other.torch_f = taken(row.f), taken(row.torch_f)
    return other


def variants(row, dtype):
    """(what, row, shapes, arrays): all of a row that PyTorch takes."""
    for other in dict.fromkeys(other for shapes in row.shapes[:2] for other in resized(shapes)):
        if "max_pool" in row.name and any(n < 2 for n in other[0][-3:]):
            continue  # PyTorch 1.13 writes outside its memory
        what = "scalar" if not any(other) else "empty" if any(0 in s for s in other) else "resized"
        yield what, row, other, row.inputs(other, dtype)
    shapes = row.shapes[-1]
    if all(s and 0 not in s for s in shapes):
        for what, (base, view) in VIEWS.items():
            yield what, through(row, view, shapes), shapes, [base(a) for a in row.inputs(shapes, dtype)]


REFUSED = (RuntimeError, IndexError, ValueError, TypeError, ZeroDivisionError, AssertionError, NotImplementedError)
# Where PyTorch (1.13) is not what to compare with: a row, how its inputs were made, and why.
APART = {
    ("cummax", "scalar"): "takes axis 1 of a scalar",
    **{(name, "scalar"): "moves an axis that is not there; NumPy refuses as well" for name in ("swapaxes", "movedim", "moveaxis", "mT")},
    ("var", "scalar"): "its gradient of no degrees of freedom is inf",
    ("median", "empty"): "docs/python.md", ("squeeze", "empty"): "docs/python.md", ("squeeze", "resized"): "docs/python.md",
    ("shrink", "empty"): "the row's slice clamps", ("shrink", "resized"): "the row's slice clamps",
    ("masked_select", "transposed"): "its gradient of a view is in memory's order",
    ("group_norm", "empty"): "its gradient of weights is nan, not the sum of nothing",
    ("cross_entropy", "empty"): "the mean over no classes is nan, not 0",
    ("conv1d", "empty"): "no input channels give no output channels, not zeros", ("conv2d", "empty"): "the same",
    ("conv3d", "empty"): "the same",
    ("block_diag", "empty"): "its gradient of a part beside nothing is that of another place",
    ("vander", "resized"): "of one number it is 1, which has no gradient",
    ("kthvalue", "expanded"): "which of equals it is, is not said",
    **{(f"adaptive_avg_pool{n}d", "empty"): "means of nothing" for n in (1, 2, 3)},
    ("batch_norm", "scalar"): "the row's formula takes it", ("rms_norm", "scalar"): "the row's formula takes it",
    ("scaled_dot_product_attention", "resized"): "the row's formula takes any heads",
    ("scaled_dot_product_attention", "empty"): "the row's formula takes any heads",
}


def results(row, shapes, arrays, dtype):
    """Pairs of values and gradients; none where PyTorch refuses."""
    whole = "float" not in dtype
    try:
        theirs = [torch.tensor(a, dtype=getattr(torch, dtype)).requires_grad_(not whole) for a in arrays]
        z = row.torch_f(torch, *theirs)
        if z.requires_grad:
            torch.autograd.grad(z.sum(), theirs, allow_unused=True)
    except REFUSED:
        return []
    if whole:
        return [(row.f(tg, *(tg.Tensor(a, dtype=dtype) for a in arrays)), z)]
    return derivatives(row, shapes, arrays, dtype, 1)


@named
def test_awkward_shapes(row):
    """Values in one dtype, and first derivatives."""
    dtype = next(d for d in ("float64", "float32", "int64", "bool") if d in row.dtypes)
    pairs = []
    for what, other, shapes, arrays in variants(row, dtype):
        if (row.name, what) not in APART:
            pairs += [(a, b, (what, shapes)) for a, b in results(other, shapes, arrays, dtype)]
    agree(pairs, row.name, scale=10)


@pytest.mark.parametrize("row", [r for _, r in ROWS if r.order < 2], ids=[n for n, r in ROWS if r.order < 2])
def test_second_order_by_differences(row):
    """Of rows whose second derivatives PyTorch has not: the rest are compared with it where the rows are."""
    dtype = "float64"
    arrays = row.inputs(row.shapes[-1], dtype)
    y = None if row.dtypes and not set(row.dtypes) & set(conformance_test.FLOATS) else row.f(
        tg, *(tg.Tensor(a, dtype=dtype, requires_grad=True) for a in arrays))
    if y is not None and y.is_floating_point() and y.requires_grad:
        inputs = tuple(tg.Tensor(a, dtype=dtype) for a in arrays)
        assert tg.gradcheck(lambda *x: row.f(tg, *x), inputs) and tg.gradgradcheck(lambda *x: row.f(tg, *x), inputs)


OTHER_NAMES = {"floor_div": "floor_divide", "mod": "remainder", "left_shift": "bitwise_left_shift", "right_shift": "bitwise_right_shift"}


def test_every_operation_is_here():
    """Each function of docs/ops.md that has a gradient is a row here, and so is differentiated twice. Layers: layers_test.py."""
    page = Path(os.environ["TG_TEST_SOURCE"], "docs/ops.md").read_text().split("## Layers")[0]
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| \d+ \| \d+ \| \d+ \|", page, re.M)
    here = {r.name for _, r in ROWS} | {"meshgrid"}  # which only arranges its arguments: conformance_test.test_creation
    assert len(rows) > 150
    assert [op for op in rows if not {op, op.split(",")[0], OTHER_NAMES.get(op)} & here] == []
