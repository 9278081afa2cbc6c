"""Element types beside NumPy's and PyTorch's: their limits, and the same bytes seen as another type."""
import numpy as np
import pytest
import torch
from conformance_test import FLOATS, INTS, UNSIGNED

import tg


@pytest.mark.parametrize("name", [*FLOATS, *INTS, *UNSIGNED])
def test_views_as_other_dtypes_are_numpys(name):
    """x.view(dtype): the same bytes, along the last axis where sizes differ."""
    known = [t for t in FLOATS + INTS + UNSIGNED if t != "bfloat16"]
    a = np.random.default_rng(1).integers(0, 256, (3, 16)).astype("u1")
    x = tg.Tensor(a).view(getattr(tg, name))
    for other in known:
        size = np.dtype(other).itemsize
        y, expected = x.view(dtype=other), a.view(other)
        assert y.dtype == other and y.shape == (3, 16 // size) and y.numpy().tobytes() == expected.tobytes()
        assert x[0].view(getattr(tg, other)).numpy().tobytes() == expected[0].tobytes()
    assert x.view(3, -1).shape == x.shape and x.view(x.dtype).shape == x.shape
    other = "int8" if x.itemsize > 1 else "int16"
    for bad in (lambda: tg.zeros(2, 3, dtype="uint8").view(tg.float32), lambda: tg.zeros((), dtype=name).view(other)):
        with pytest.raises(tg.ShapeError, match="does not hold whole elements"):
            bad()
    with pytest.raises(tg.DTypeError, match="bitcast: not defined for bool"):
        x.view(tg.bool)


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
def test_finfo(name):
    mine, theirs = tg.finfo(name), torch.finfo(getattr(torch, name))
    assert mine.dtype == getattr(tg, name)
    assert [getattr(mine, k) for k in ("bits", "eps", "max", "min", "tiny", "smallest_normal")] == \
        [getattr(theirs, k) for k in ("bits", "eps", "max", "min", "tiny", "smallest_normal")]
    if name != "bfloat16":
        assert mine.smallest_subnormal == np.finfo(name).smallest_subnormal
    with pytest.raises(tg.DTypeError):
        tg.iinfo(name)


@pytest.mark.parametrize("name", INTS + UNSIGNED)
def test_iinfo(name):
    mine, theirs = tg.iinfo(name), np.iinfo(name)
    assert (mine.bits, mine.min, mine.max, mine.dtype.name) == (theirs.bits, theirs.min, theirs.max, name)
    with pytest.raises(TypeError):
        tg.finfo(name)
