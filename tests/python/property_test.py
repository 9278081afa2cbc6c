"""Properties over random shapes, keys and values, with NumPy as the oracle. The seed is fixed and the budget small: a few seconds."""
import pickle
import re

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import tg
from tg import Tensor

few = settings(max_examples=30, deadline=None, derandomize=True, database=None)
shapes = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)


def numbers(shape, seed=0):
    return np.random.default_rng(seed).integers(-9, 10, shape).astype("f")


@few
@given(arrays.mutually_broadcastable_shapes(num_shapes=3, max_dims=4, max_side=4))
def test_broadcasting(three):
    a, b, c = (numbers(shape, seed) for seed, shape in enumerate(three.input_shapes))
    result = tg.where(Tensor(a) > Tensor(b), Tensor(a) * Tensor(c), Tensor(b) - 1)
    assert result.shape == three.result_shape and np.array_equal(result.numpy(), np.where(a > b, a * c, b - 1))


@few
@given(st.data())
def test_indexing_reads_and_writes(data):
    a = numbers(data.draw(shapes))
    key = data.draw(arrays.basic_indices(a.shape, allow_newaxis=True))
    assert np.array_equal(Tensor(a)[key].numpy(), a[key])
    t = Tensor(a)
    t[key] = 100
    a[key] = 100
    assert np.array_equal(t.numpy(), a)


def mixed_key(rng, shape):
    """Of anything that an index may be, for some of the axes."""
    common, key, axis = tuple(rng.integers(1, 4, rng.integers(1, 3))), [], 0
    while axis < len(shape):
        size, kind = shape[axis], rng.integers(8)
        if kind == 0:
            key.append(None)
        elif kind == 1 and not any(k is Ellipsis for k in key):
            key.append(Ellipsis)
            axis += int(rng.integers(0, len(shape) - axis + 1))
        elif kind == 2:
            key.append(int(rng.integers(-size, size)))
            axis += 1
        elif kind == 3:
            key.append(slice(*rng.integers(-5, 6, 2).tolist(), int(rng.choice([-2, -1, 1, 2]))))
            axis += 1
        elif kind == 4:
            axes = int(rng.integers(1, min(2, len(shape) - axis) + 1))
            key.append(rng.random(shape[axis:axis + axes]) < 0.5)
            axis += axes
        elif kind == 5 and rng.random() < 0.3:
            key.append(bool(rng.random() < 0.7))
        else:
            key.append(rng.integers(-size, size, [1 if rng.random() < 0.2 else n for n in common]))
            axis += 1
    return tuple(key)


def test_mixed_indices_are_numpys():
    """Integers, slices, None, ellipses, index arrays and masks together: read, written, and written in place."""
    rng, tried = np.random.default_rng(0), 0
    for _ in range(200):
        a = numbers(tuple(rng.integers(1, 5, rng.integers(0, 5))))
        key = mixed_key(rng, a.shape) if a.ndim else np.array(a > 0)
        try:
            expected, places = a[key], np.arange(a.size).reshape(a.shape)[key]
        except IndexError:
            continue
        mine = tuple(k.tolist() if isinstance(k, np.ndarray) and k.size and rng.random() < 0.5 else k for k in key) if a.ndim else key
        assert np.array_equal(Tensor(a)[mine].numpy(), expected) and Tensor(a)[mine].shape == expected.shape, key
        if len(np.unique(places)) == places.size:  # else the last of equal places is not said
            t, values = Tensor(a), numbers(expected.shape, 1)
            t[mine] = Tensor(values)
            t[mine] *= 2
            a[key] = 2 * values
            assert np.array_equal(t.numpy(), a), key
        tried += 1
    assert tried > 150


@few
@given(st.data())
def test_sums_over_any_axes(data):
    a = numbers(data.draw(shapes))
    axes = data.draw(st.lists(st.integers(-a.ndim, a.ndim - 1), unique_by=lambda i: i % max(a.ndim, 1))) if a.ndim else []
    keep = data.draw(st.booleans())
    expected = a.sum(axis=tuple(axes) or None, keepdims=keep)
    assert np.array_equal(Tensor(a).sum(dim=axes, keepdim=keep).numpy(), expected)


@few
@given(st.data())
def test_movement_is_undone_by_its_inverse(data):
    a = numbers(data.draw(shapes))
    order = data.draw(st.permutations(range(a.ndim)))
    t = Tensor(a).permute(*order)
    assert np.array_equal(t.numpy(), a.transpose(order))
    assert np.array_equal(t.permute([order.index(i) for i in range(a.ndim)]).numpy(), a)
    assert np.array_equal(t.reshape(a.size).numpy(), a.transpose(order).reshape(-1))
    assert np.array_equal(t.flip().flip().numpy(), t.numpy())


@few
@given(arrays.arrays(st.sampled_from(["f4", "f8", "f2"]), shapes))
def test_data_goes_in_and_out_unchanged(a):
    for t in (Tensor(a), tg.asarray(a), Tensor(a.tolist(), dtype=a.dtype).reshape(a.shape)):
        assert t.dtype == a.dtype and np.array_equal(t.numpy(), a, equal_nan=True)


@few
@given(st.lists(st.floats(-3, 3, width=32), min_size=1, max_size=8))
def test_a_gradient_is_the_slope(values):
    x = Tensor(values, dtype="float64", requires_grad=True)
    f = lambda v: ((v * v).sin() + v.sigmoid() * v).sum()  # noqa: E731
    f(x).backward()
    step = 1e-5
    for i, g in enumerate(x.grad.tolist()):
        up, down = ([v + sign * step * (i == k) for k, v in enumerate(values)] for sign in (1, -1))
        slope = (f(Tensor(up, dtype="float64")) - f(Tensor(down, dtype="float64"))).item() / (2 * step)
        assert abs(slope - g) < 1e-5 * max(1, abs(g))


@few
@given(arrays.arrays(st.sampled_from(["f4", "f8", "i4", "i1", "u8", "?"]), shapes))
def test_printing_is_numpys(a):
    t, dtype = Tensor(a), a.dtype.name
    shown = repr(a).removeprefix("array(").removesuffix(")").replace("\n      ", "\n       ")
    shown = shown.replace(f", dtype={dtype}", "").replace(f",\n       dtype={dtype}", "").replace(f",\n        dtype={dtype}", "")
    plain = dtype in ("float32", "int32", "bool")
    assert str(t) == str(a)
    if a.size:
        assert re.sub(r",\s+dtype=\w+\)$", ")", repr(t)) == f"Tensor({shown})" and (f"dtype={dtype})" in repr(t)) != plain


@few
@given(st.data())
def test_memory_goes_round(data):
    """Through NumPy, DLPack and PyTorch and back it is the same memory; through a pickle the same values."""
    a = data.draw(arrays.arrays(st.sampled_from(["f4", "f8", "f2", "i4", "i8", "u1", "?"]), shapes))
    t = tg.asarray(a)
    for other in (np.asarray(t), t.numpy()) + ((np.from_dlpack(t), torch.from_dlpack(t).numpy()) if a.dtype != bool else ()):
        assert other.shape == a.shape and np.array_equal(other, a, equal_nan=a.dtype.kind == "f")
        assert not a.size or other.ctypes.data == t.data_ptr()
    kept = pickle.loads(pickle.dumps(t))
    assert kept.dtype == t.dtype and np.array_equal(kept.numpy(), a, equal_nan=a.dtype.kind == "f")


@few
@given(st.data())
def test_reductions_and_scans_along_any_axis(data):
    a = numbers(data.draw(arrays.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=6)))
    axis = data.draw(st.integers(-a.ndim, a.ndim - 1))
    t = Tensor(a)
    for name in ("max", "min", "argmax", "argmin", "cumsum", "mean", "sort", "argsort", "any", "prod"):
        mine, theirs = getattr(t, name), getattr(np, name)
        got = mine(axis=axis)
        expected = theirs(a, axis=axis, kind="stable") if name.endswith("sort") else theirs(a, axis=axis)
        assert np.allclose((got[0] if name == "sort" else got).numpy(), expected, rtol=1e-5), name


@few
@given(st.data())
def test_products_of_any_shapes(data):
    shape = arrays.mutually_broadcastable_shapes(signature="(m,k),(k,n)->(m,n)", max_dims=2, max_side=4)
    two = data.draw(shape)
    a, b = (numbers(s, seed) for seed, s in enumerate(two.input_shapes))
    x, y = Tensor(a, requires_grad=True), Tensor(b, requires_grad=True)
    result = x @ y
    assert result.shape == two.result_shape and np.array_equal(result.numpy(), a @ b)
    result.sum().backward()
    p, q = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)
    (p @ q).sum().backward()
    assert np.array_equal(x.grad.numpy(), p.grad.numpy()) and np.array_equal(y.grad.numpy(), q.grad.numpy())


@few
@given(st.data())
def test_joined_and_split_again(data):
    a = numbers(data.draw(arrays.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=5)))
    axis = data.draw(st.integers(0, a.ndim - 1))
    sizes = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=3)) + [a.shape[axis]]
    t = tg.cat([Tensor(a.take(range(n), axis, mode="clip")) for n in sizes], dim=axis)
    assert [p.shape[axis] for p in t.split(sizes, dim=axis)] == sizes and np.array_equal(t.split(sizes, dim=axis)[-1].numpy(), a)
    assert np.array_equal(tg.stack(list(t), 0).numpy(), t.numpy()) and np.array_equal(t.flip(axis).numpy(), np.flip(t.numpy(), axis))


@few
@given(st.data())
def test_vmap_is_a_loop(data):
    n, k = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4))
    x, w = Tensor(numbers((n, k))), Tensor(numbers((k, k), 1))
    f = data.draw(st.sampled_from([
        lambda v: (v @ w).sum(), lambda v: v.softmax(-1) * v, lambda v: tg.grad(lambda u: ((u @ w) ** 2).sum())(v),
        lambda v: tg.cat([v, v[:1]]), lambda v: v.sort().values, lambda v: tg.vmap(lambda e: e * v)(v)]))
    axis = data.draw(st.sampled_from([0, 1, -1]))
    batch = x if axis == 0 else x.T
    assert np.allclose(tg.vmap(f, in_dims=axis)(batch).numpy(), np.stack([f(x[i]).numpy() for i in range(n)]), rtol=1e-5)
