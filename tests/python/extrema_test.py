"""max, min and median: PyTorch's with dim, NumPy's with axis, and of all elements with neither."""
import numpy as np
import pytest
import torch

import tg

NAMES = ["max", "min", "median"]
FIRST = {"max": np.argmax, "min": np.argmin, "median": lambda a, axis: np.take(np.argsort(a, axis, kind="stable"), (a.shape[axis] - 1) // 2,
                                                                               axis)}
RNG = np.random.default_rng(0)
FLOATS = RNG.normal(size=(3, 4, 5)).astype("f")
TIES = RNG.integers(0, 3, (4, 6))


def kernels(*tensors):
    """How many kernels give them."""
    return sum(tg.explain(t, "schedule").count(" for ") for t in tensors)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("a", [FLOATS, FLOATS[:1, :1], TIES.astype("i4"), TIES.astype("u1"), TIES.astype("i8"), TIES.astype("f2")],
                         ids=lambda a: f"{a.dtype}{a.shape}")
@pytest.mark.parametrize("keepdim", [False, True])
def test_dim_gives_values_and_indices(name, a, keepdim):
    for dim in range(-a.ndim, a.ndim):
        for found in (getattr(tg, name)(tg.tensor(a), dim, keepdim), getattr(tg.tensor(a), name)(dim=dim, keepdim=keepdim)):
            theirs = getattr(torch, name)(torch.tensor(a.astype("f")), dim, keepdim)
            assert type(found) is tg.Found and found.indices.dtype == tg.int32 and found.values.dtype == a.dtype.name
            assert np.array_equal(found.values.numpy(), theirs.values.numpy())
            first = FIRST[name](a, axis=dim)
            assert np.array_equal(found.indices.numpy(), np.expand_dims(first, dim) if keepdim else first)
        values, indices = getattr(tg.tensor(a), name)(dim)
        assert values.tolist() == found.values.squeeze(dim).tolist() if keepdim else found.values.tolist() and indices.shape == first.shape


@pytest.mark.parametrize("name", NAMES)
def test_axis_gives_values_and_neither_the_scalar(name):
    x, f = tg.tensor(FLOATS), getattr(tg, name)
    numpys = getattr(np, name) if name != "median" else lambda a, axis=None, keepdims=False: np.quantile(
        a, 0.5, axis=axis, keepdims=keepdims, method="lower")
    for axis in (0, -1):
        for mine in (f(x, axis=axis), getattr(x, name)(axis=axis), f(x, dim=axis).values):
            assert isinstance(mine, tg.Tensor) and np.array_equal(mine.numpy(), numpys(FLOATS, axis=axis))
        assert np.array_equal(f(x, axis=axis, keepdims=True).numpy(), numpys(FLOATS, axis=axis, keepdims=True))
    for mine in (f(x), getattr(x, name)()):
        assert mine.shape == () and mine.item() == numpys(FLOATS)
    if name != "median":
        assert np.array_equal(f(x, axis=(0, 2)).numpy(), numpys(FLOATS, axis=(0, 2)))
        assert np.array_equal(numpys(x, axis=(0, 2)).numpy(), numpys(FLOATS, axis=(0, 2))) and numpys(x).item() == numpys(FLOATS)
        assert np.array_equal(getattr(tg, "a" + name)(x, dim=(0, 2)).numpy(), numpys(FLOATS, axis=(0, 2)))
    with pytest.raises(TypeError, match="axis: int"):  # the indices of two axes
        f(x, dim=(0, 1))


@pytest.mark.parametrize("name", NAMES)
def test_of_nan_the_first_is_found(name):
    nan = np.nan
    a = np.array([[1, nan, 3, nan], [5, 2, 2, 5], [nan, nan, nan, nan]], "f")
    mine, theirs = getattr(tg.tensor(a), name)(1), getattr(torch.tensor(a), name)(1)
    assert np.array_equal(mine.values.numpy(), theirs.values.numpy(), equal_nan=True)
    assert mine.indices.tolist() == [1, {"max": 0, "min": 1, "median": 2}[name], 0]


def test_of_bool_and_of_a_scalar():
    x = tg.tensor([[True, False], [True, True]])
    assert [t.tolist() for t in x.max(1)] == [[True, True], [0, 0]] and [t.tolist() for t in x.min(1)] == [[False, True], [1, 0]]
    assert x.max(1).values.dtype == tg.bool
    for name in NAMES:
        assert [t.tolist() for t in getattr(tg.tensor(3.0), name)(0)] == [3.0, 0]


@pytest.mark.parametrize("name", NAMES)
def test_of_nothing(name):
    x = tg.zeros(2, 0, 3)
    for given in ({"dim": 1}, {"axis": 1}, {}):
        with pytest.raises(tg.ValueError, match=f"{name}: of no elements"):
            getattr(x, name)(**given)
    assert [t.shape for t in getattr(x, name)(0)] == [(0, 3)] * 2
    with pytest.raises(tg.IndexError, match=f"{name}: axis 3 is out of range"):
        getattr(x, name)(3)


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_goes_to_what_was_found(name):
    for a in (FLOATS, FLOATS[:1], np.sort(FLOATS, 1)):
        for dim in range(3):
            grads = []
            for library in (tg, torch):
                x = library.tensor(a, requires_grad=True)
                values = getattr(x, name)(dim)[0]
                (values * values.detach().exp()).sum().backward()
                grads.append(x.grad.numpy())
            assert np.allclose(*grads)
    x = tg.tensor([2.0, 1.0, 2.0, 1.0, 2.0], requires_grad=True)
    getattr(x, name)(0).values.backward()
    assert x.grad.tolist() == {"max": [1, 0, 0, 0, 0], "min": [0, 1, 0, 0, 0], "median": [1, 0, 0, 0, 0]}[name]
    x.grad = None
    x.max(axis=0).backward()  # equals share it
    assert np.allclose(x.grad.numpy(), [1 / 3, 0, 1 / 3, 0, 1 / 3])


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_to_second_order_and_batches(name):
    x = tg.tensor(FLOATS[0].astype("f8"), requires_grad=True)
    assert tg.gradcheck(lambda t: getattr(t.sin(), name)(1).values, [x]) and tg.gradgradcheck(lambda t: getattr(t.sin(), name)(0)[0], [x])
    rows = tg.tensor(FLOATS)
    for part in (0, 1):
        f = lambda row: getattr(row, name)(0)[part]
        assert tg.vmap(f)(rows).tolist() == [f(row).tolist() for row in rows]
    slope = tg.grad(lambda row: getattr(row * row, name)(1)[0].sum())
    assert np.allclose(tg.vmap(slope)(rows).numpy(), [slope(row).tolist() for row in rows])


def test_what_is_not_used_is_not_computed():
    x = tg.tensor(RNG.normal(size=(64, 256)).astype("f")).realize()
    for name, values, indices in (("max", 1, 1), ("min", 1, 1)):
        found = getattr(x, name)(1)
        assert (kernels(found.values), kernels(found.indices)) == (values, indices)
        assert "ArgMax" not in tg.explain(found.values, "schedule") and "Reduce<Max" not in tg.explain(found.indices, "schedule")
    assert kernels(x.median(1).values) <= kernels(x.sort(1).values) + 2


def test_the_tutorials_accuracy():
    outputs, labels = tg.tensor(FLOATS[0]), tg.tensor([0, 1, 2, 3])
    _, predicted = tg.max(outputs, 1)
    theirs = torch.max(torch.tensor(FLOATS[0]), 1)[1]
    assert (predicted == labels).sum().item() == (theirs == torch.arange(4)).sum().item()
