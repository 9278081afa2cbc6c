"""Properties over random shapes, keys and values, with NumPy as the oracle. The seed is fixed and the budget small: a few seconds."""
import numpy as np
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
