"""A number that a dtype has not is refused in every way of giving it."""
import numpy as np
import pytest

import tg

WAYS = """tg.tensor(V, dtype="int8") | tg.tensor([V], dtype="int8") | tg.tensor([[1, V]], dtype="int8") | tg.as_tensor([V], dtype="int8")
tg.full((2,), V, dtype="int8") | tg.full_like(x, V) | x.new_full((2,), V) | x.new_tensor([V]) | x.fill_(V) | x.assign(V) | x.copy_(V)
x.masked_fill(x > 0, V) | x.masked_fill_(x > 0, V) | x.scatter(0, tg.tensor([0]), V) | x.__setitem__(0, V) | x.__setitem__(x > 0, V)
x.__setitem__(slice(None), [1, V, 2])"""
MIXED = "x + V | V - x | x * V | x // V | V % x | x == V | V < x | x & V | tg.maximum(x, V) | tg.where(x > 0, x, V) | x.add_(V)"


def tried(way, value):
    return eval(way.replace("V", value), {"tg": tg, "np": np, "x": tg.ones(3, dtype="int8")})


def listed(ways):
    return [w.strip() for line in ways.splitlines() for w in line.split(" | ")]


@pytest.mark.parametrize("way", listed(WAYS) + listed(MIXED))
def test_whole_numbers_beyond_the_range(way):
    for value in ("300", "(-129)", "2**40", "2**63", "np.int64(300)"):
        with pytest.raises(ValueError, match=rf"{eval(value)} is outside the range of int8"):
            tried(way, value)
    for value in ("2**70", "(-2**70)"):
        with pytest.raises(ValueError, match=rf"{eval(value)} is outside the range of all integer dtypes, -2\^63 to 2\^64 - 1"):
            tried(way, value)
    tried(way, "5")
    tried(way, "True")


@pytest.mark.parametrize("way", listed(WAYS))
def test_floats_that_are_no_integers(way):
    for value in ("2.5", "float('nan')", "np.float32(2.5)"):
        with pytest.raises(TypeError, match="is not a value of int8; cast"):
            tried(way, value)
    for value in ("300.0", "float('inf')", "(-1e30)"):
        with pytest.raises(ValueError, match="is outside the range of int8"):
            tried(way, value)
    assert tried(way.replace('"int8"', '"int16"'), "2.0") is None or "2" in str(tried(way, "2.0"))


def test_other_dtypes():
    for dtype, good, bad in (("uint8", 255, -1), ("uint64", 2**64 - 1, -1), ("int64", -2**63, 2**63), ("uint32", 2**32 - 1, 2**32)):
        assert tg.tensor([good], dtype=dtype).item() == tg.full((1,), good, dtype=dtype).item() == good
        for f in (lambda v: tg.tensor([v], dtype=dtype), lambda v: tg.full((1,), v, dtype=dtype), tg.ones(1, dtype=dtype).fill_):
            with pytest.raises(ValueError, match=f"{bad} is outside the range of {dtype}"):
                f(bad)
    assert tg.tensor([2, 0, -1.5, float("nan")], dtype="bool").tolist() == [True, False, True, True]
    assert tg.full((2,), 2, dtype="bool").tolist() == [True, True]
    assert tg.tensor(2**40).dtype == tg.full((1,), 2**40).dtype == tg.int64 and tg.tensor(2**63).dtype == tg.uint64
    assert (tg.ones(1) + float(2**70)).item() == 2.0**70


def test_arrays_and_tensors_are_converted():
    assert tg.tensor(np.array([300.0, -1.0, 2.5]), dtype="uint8").tolist() == [255, 0, 2]
    assert tg.tensor([2.7, 1.0]).to("int8").tolist() == [2, 1]
    assert tg.as_tensor(tg.tensor([2.7]), dtype="int8").tolist() == [2]


def test_lists_of_arrays():
    rows = [np.arange(3.0), np.ones(3)]
    assert tg.tensor(rows).dtype == tg.float64 and tg.tensor(rows, dtype="int8").tolist() == [[0, 1, 2], [1, 1, 1]]
    assert tg.tensor([rows, rows], requires_grad=True).shape == (2, 2, 3)
    parts = [tg.ones(2, requires_grad=True), tg.zeros(2)]
    joined = tg.tensor(parts)
    assert joined.tolist() == [[1, 1], [0, 0]] and not joined.requires_grad
    assert tg.tensor([tg.tensor(1), np.array(2), np.float32(3)]).tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match=r"stack: shapes \(2,\) and \(3,\) differ"):
        tg.tensor([np.ones(2), np.ones(3)])
    x = tg.zeros(2, 3)
    x[0] = [1, 2.5, 3]
    x[:, 2] = (7, 8)
    assert x.tolist() == [[1, 2.5, 7], [0, 0, 8]]


def test_what_speaks_the_array_interface():
    class Image:
        __array_interface__ = np.arange(6, dtype="u1").reshape(2, 3).__array_interface__
    assert tg.tensor(Image()).tolist() == tg.as_tensor(Image()).tolist() == [[0, 1, 2], [3, 4, 5]]
