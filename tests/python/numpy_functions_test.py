"""NumPy's own functions of tensors: each gives what it gives of the array, or says why not."""
import numpy as np
import pytest

import tg

A = np.array([[1.5, -2, 3], [4, 5, -6]], "f")
I = np.array([[0], [1]])
FUNCTIONS = """sum(x) | sum(x, axis=0) | sum(x, axis=1, keepdims=True) | sum(x, dtype="float64") | prod(x) | mean(x)
mean(x, axis=1) | mean(x, dtype="float64") | std(x) | std(x, axis=0, ddof=1) | std(x, dtype=None) | var(x) | max(x) | max(x, axis=0)
min(x) | amax(x, axis=1) | amin(x) | median(x) | argmax(x) | argmax(x, axis=1) | argmin(x, axis=0) | any(x) | all(x, axis=0) | cumsum(x)
cumsum(x, axis=1) | cumprod(x, axis=0) | sort(x) | sort(x, axis=0) | argsort(x, axis=1) | argsort(x, kind="stable") | clip(x, -1, 1)
clip(x, 0, None) | round(x) | around(x, 2) | where(x > 0, x, 0) | where(x > 0) | count_nonzero(x) | concatenate([x, x]) | stack([x, x])
vstack([x, x]) | hstack([x, x]) | split(x, 2) | array_split(x, 2) | reshape(x, (3, 2)) | ravel(x) | transpose(x) | transpose(x, (1, 0))
swapaxes(x, 0, 1) | moveaxis(x, 0, 1) | expand_dims(x, 0) | squeeze(x[None]) | squeeze(x[None], axis=0) | tile(x, 2) | repeat(x, 2)
repeat(x, 2, axis=1) | flip(x, 0) | roll(x, 1) | take(x, [0, 1]) | take(x, [0], axis=1) | take_along_axis(x, i, 1) | diagonal(x)
trace(x) | dot(x, x.T) | matmul(x, x.T) | inner(x, x) | outer(x, x) | einsum("ij->i", x) | tensordot(x, x) | kron(x, x) | linalg.norm(x)
linalg.inv(x[:, :2]) | sin(x) | exp(x) | maximum(x, 0) | add(x, x) | abs(x) | isnan(x) | allclose(x, x) | array_equal(x, x)
isclose(x, x) | testing.assert_allclose(x, x) | testing.assert_array_equal(x, x) | shape(x) | ndim(x) | copy(x) | zeros_like(x)
full_like(x, 2) | unique(x) | histogram(x) | percentile(x, 50) | pad(x, 1) | meshgrid(x[0], x[0]) | interp(x[0], i[:, 0], i[:, 0])
digitize(x, [0]) | cov(x) | diff(x) | nan_to_num(x) | nansum(x) | ptp(x) | average(x) | fft.fft(x) | atleast_2d(x[0])
broadcast_to(x[0], (2, 3)) | triu(x) | select([x > 0], [x]) | bincount(i[:, 0]) | issubdtype(x.dtype, np.floating)
zeros(2, dtype=x.dtype) | empty((i[1, 0], 2)).shape | float64(x[0, 0]) | add.reduce(x) | std(x, axis=1) | np.ones((2, 3)) @ x.T
x @ np.ones((3, 2)) | np.ones(3) + x | np.float32(2) * x | np.arange(4)[i[:, 0]] | np.arange(4)[i[1, 0]] < x"""


def plain(value):
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value.numpy() if isinstance(value, tg.Tensor) else value


@pytest.mark.parametrize("text", [f.strip() for line in FUNCTIONS.splitlines() for f in line.split(" | ")])
def test_numpys_functions(text):
    code = text if "@" in text or text.startswith("np.") else "np." + text
    mine, theirs = (plain(eval(code, {"np": np, "x": x, "i": i})) for x, i in ((tg.tensor(A), tg.tensor(I)), (A, I)))
    for got, expected in zip(mine, theirs) if isinstance(theirs, list) else [(mine, theirs)]:
        if not isinstance(expected, (np.ndarray, np.floating)):
            assert got == expected
        else:
            assert np.shape(got) == np.shape(expected) and np.allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_functions_that_call_methods_give_tensors():
    x = tg.tensor(A, requires_grad=True)
    for f in (np.sum, np.mean, np.max, np.std, np.prod, np.argmax):
        assert isinstance(f(x), tg.Tensor)
    np.mean(x).backward()
    assert np.allclose(x.grad, np.full(A.shape, 1 / 6))
    assert isinstance(np.ones((2, 3)) @ x.T, tg.Tensor) and (np.ones((2, 3)) @ x.T).requires_grad


@pytest.mark.parametrize("text, why", [
    ("np.sum(x, out=np.zeros(()))", "out= must be None: a function gives a new tensor"), ("x.exp(out=x)", "out= must be None"),
    ("np.std(x, dtype='float64')", "dtype= must be None"), ("np.max(x, initial=9)", "axis: int"), ("np.sum(x, where=x > 0)", "dim: int"),
    ("x @ 2", "use \\* instead")])
def test_what_they_cannot_do_is_said(text, why):
    with pytest.raises((TypeError, tg.ShapeError), match=why):
        eval(text, {"np": np, "x": tg.tensor(A)})
