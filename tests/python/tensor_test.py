"""What a Tensor is in Python: construction, conversion, operators, gradients, indexing, errors."""
import gc

import numpy as np
import pytest
import torch

import tg
from tg import Tensor
from tg.tensor import Tensor as SameTensor


def test_the_first_snippet(capsys):
    x = Tensor([2.0], requires_grad=True); y = x * x + x.sin(); y.backward(); print(x.grad)
    assert capsys.readouterr().out == "[3.5838532]\n"
    assert SameTensor is Tensor


DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"]


@pytest.mark.parametrize("data, dtype, shape", [
    (2.5, "float32", ()), (7, "int32", ()), (True, "bool", ()), ([], "float32", (0,)), ([[], []], "float32", (2, 0)),
    ([1, 2.5], "float32", (2,)), ([True, 2], "int32", (2,)), ([[1], [2**40]], "int64", (2, 1)), ([2**63], "uint64", (1,)),
    ((1, 2), "int32", (2,)), (range(3), "int32", (3,)), ([np.float64(1)], "float32", (1,)), (np.float64(1), "float64", ()),
    (np.arange(6).reshape(2, 3)[:, ::-1], "int64", (2, 3)), (np.zeros((0, 3), np.uint8), "uint8", (0, 3)),
])
def test_construction(data, dtype, shape):
    t = Tensor(data)
    assert (t.dtype, t.shape) == (dtype, shape) and np.array_equal(t.numpy(), np.asarray(data, dtype=dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_and_back(dtype):
    a = (np.arange(24) % 3).reshape(2, 3, 4).astype(dtype)
    for array in (a, a.T, a[:, ::-1, 1:], a[0, 0, 0:0]):
        t = Tensor(array)
        assert t.dtype == dtype and np.array_equal(t.numpy(), array) and t.numpy().dtype == a.dtype
        assert np.array_equal(np.asarray(t), array) and t.tolist() == array.tolist()
    assert Tensor(a.tolist(), dtype=dtype).dtype == a.dtype
    assert Tensor([0, 1], dtype=np.dtype(dtype)).dtype == getattr(tg, dtype)


def test_dtypes():
    assert tg.float32 == "float32" == tg.float32 and tg.float32 == np.float32
    assert tg.float32 == np.dtype("float32") and tg.float32 != tg.float64
    assert repr(tg.bfloat16) == "tg.bfloat16" and {tg.int8: 1}[tg.dtype("int8")] == 1 and tg.int64.itemsize == 8
    assert Tensor([1.0], dtype=int).tolist() == [1] and Tensor([1], dtype=float).dtype == tg.float32
    assert Tensor([2], dtype=bool).tolist() == [True]
    assert Tensor([1.0]).double().dtype == tg.float64 and Tensor([1.0]).to("float16").dtype == tg.float16
    assert tg.promote_types("int8", tg.uint8) == tg.int16
    with pytest.raises(TypeError):
        Tensor([1], dtype="float33")


def test_numbers_are_weak():
    for dtype in ("int8", "uint16", "int64", "float16", "bfloat16", "float64"):
        t = Tensor([3], dtype=dtype)
        for result in (t + 1, 1 + t, t * True, 2 - t, t // 2, t ** 2, np.int64(1) + t):
            assert result.dtype == dtype
    assert (Tensor([1], dtype="int8") + 1.5).dtype == tg.float32 and (Tensor([True]) + 1).dtype == tg.int32
    assert (Tensor([1.0], dtype="float16") + 1.5).dtype == tg.float16
    assert (Tensor([1.0]) + np.float64(1)).dtype == tg.float32  # a number, as 1.0 is
    assert (Tensor([1.0]) + np.array([1.0])).dtype == tg.float64 and (np.array([1.0]) + Tensor([1.0])).dtype == tg.float64
    assert isinstance(np.ones(2, "float32") * Tensor([1.0, 2.0]), Tensor)


def test_values():
    assert Tensor(2.5).item() == 2.5 and isinstance(Tensor(7).item(), int) and Tensor(True).item() is True
    assert float(Tensor([1])) == 1.0 and int(Tensor([1.75])) == 1 and bool(Tensor([0.0])) is False
    assert [10, 20, 30][Tensor(1)] == 20 and Tensor([2**64 - 1], dtype="uint64").item() == 2**64 - 1
    assert Tensor([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]] and Tensor(3).tolist() == 3 and tg.zeros(2, 0).tolist() == [[], []]
    assert [t.item() for t in Tensor([1, 2])] == [1, 2] and len(tg.zeros(3, 2)) == 3
    with pytest.raises(TypeError):
        len(Tensor(1.0))
    with pytest.raises(TypeError):
        [1, 2][Tensor(1.0)]
    with pytest.raises(ValueError):
        Tensor([1, 2]).item()


REPRS = [np.array(2.5, "f"), np.arange(3, dtype="i4"), np.array([True, False]), np.arange(6, dtype="f").reshape(2, 3) / 4,
         np.arange(1200, dtype="i4"),
         np.arange(60, dtype="f") * 1.25, np.arange(8, dtype="f").reshape(2, 2, 2),
         np.array([1e-5, 1, np.nan], "f"), np.arange(2000, dtype="f").reshape(40, 50)]


@pytest.mark.parametrize("a", REPRS, ids=lambda a: f"{a.dtype}{a.shape}")
def test_printing_is_numpys(a):
    expected = repr(a).replace(", dtype=float32)", ")").replace(",\n      dtype=float32)", ")").replace(", dtype=int32)", ")")
    got = repr(Tensor(a))
    assert str(Tensor(a)) == str(a) and got.startswith("Tensor(") and got[7:].replace("\n ", "\n") == expected[6:]


def test_printing_says_what_is_not_plain():
    assert repr(Tensor([1.0], requires_grad=True)) == "Tensor([1.], requires_grad=True)"
    assert repr(Tensor([1], dtype="int8")) == "Tensor([1], dtype=int8)" and repr(tg.zeros(0, 3)) == "Tensor([], shape=(0, 3))"
    assert repr(tg.ones(2, device="interpreter")) == "Tensor([1., 1.], device='interpreter')"


def test_dim_and_axis_are_one():
    x = tg.arange(6).reshape(2, 3).float()
    for f, expected in [(x.sum, [3, 12]), (x.mean, [1, 4])]:
        for arguments in ({"dim": 1}, {"axis": 1}, {"axis": (1,)}, {"dim": [-1]}):
            assert f(**arguments).tolist() == expected
            assert f(keepdim=True, **arguments).shape == f(keepdims=True, **arguments).shape == (2, 1)
    assert tg.sum(x, axis=0).tolist() == [3, 5, 7] and tg.stack([x, x], axis=2).shape == (2, 3, 2) and tg.softmax(x, axis=0).shape == (2, 3)
    with pytest.raises(TypeError):
        x.sum(dim=0, axis=0)


def test_gradients():
    x = Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert x.grad is None and x.is_leaf and x.requires_grad
    (x * x).sum().backward()
    (x * x).backward(tg.ones(2, 2))
    assert x.grad.tolist() == [[4, 8], [12, 16]]
    x.grad = None
    assert x.grad is None
    with tg.no_grad():
        assert not (x * 2).requires_grad
        with tg.no_grad():
            pass
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad and not x.detach().requires_grad
    @tg.no_grad()
    def f():
        return x * 2
    assert not f().requires_grad
    first, = tg.gradient((x ** 3).sum(), [x], create_graph=True)
    second, = tg.gradient(first.sum(), [x])
    assert np.allclose(second.numpy(), 6 * x.numpy())
    with pytest.raises(RuntimeError):
        (tg.ones(2) * 2).sum().backward()
    y = tg.ones(2)
    assert y.requires_grad_() is y and y.requires_grad


def test_a_tensor_knows_what_it_is():
    x = tg.ones(2, 3, dtype="float16")
    assert (x.shape, x.ndim, x.dim(), x.numel(), x.size(), x.size(1), x.size(dim=-2)) == ((2, 3), 2, 2, 6, (2, 3), 3, 2)
    assert (x.dtype, x.element_size(), x.is_floating_point(), x.device) == (tg.float16, 2, True, tg.ones(1).device)
    assert Tensor([1.0]).is_leaf and not x.is_leaf and x.T.shape == (3, 2) and x.contiguous().tolist() == x.cpu().tolist() == [[1] * 3] * 2
    assert x.realize() is not None and tg.realize(x, x + 1) is None and not tg.arange(3).is_floating_point()
    assert tg.ones_like(x).dtype == tg.float16 == tg.empty_like(x).dtype and tg.zeros_like(x, dtype="int8").dtype == tg.int8
    y = (x.float().requires_grad_() * 2)
    assert not y.is_leaf and y.requires_grad


def test_zero_grad():
    x = tg.ones(2, requires_grad=True)
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2, 2]
    x.zero_grad()
    assert x.grad is None


def test_the_tensor_module():
    assert tg.tensor([1, 2], dtype="int8").tolist() == [1, 2] and SameTensor is Tensor  # both, whatever is imported first


def test_settings(capfd):
    usual = tg.ones(1).device
    with tg.settings(device="interpreter"):
        assert tg.ones(1).device == "interpreter" and repr(tg.ones(1)) == "Tensor([1.])"
        with tg.settings(debug=1, eager=True):
            assert tg.ones(1).device == "interpreter"
            (tg.rand(3, device="cpu") + 1.25).realize()
    assert tg.ones(1).device == usual and capfd.readouterr().err
    (tg.rand(3) + 2.25).realize()
    assert not capfd.readouterr().err

    @tg.settings(device="null")
    def f():
        return tg.ones(1).device
    assert f() == f() == "null" != tg.ones(1).device
    with pytest.raises(ValueError, match="0 to 5"):
        with tg.settings(debug=7):
            pass
    with pytest.raises(tg.DeviceError, match="nowhere"):
        with tg.settings(device="nowhere"):
            tg.ones(1)
    assert tg.ones(1).device == usual


def test_explain():
    x = Tensor([2.0], requires_grad=True)
    for part in ("graph", "gradient", "schedule", "loops", "source", "rewrites", "all"):
        assert isinstance(tg.explain(x * x, part), str)
    assert "Mul" in tg.explain(x * x, part="graph") and tg.explain(x * x, "loops") in tg.explain(x * x)
    with pytest.raises(ValueError, match="part"):
        tg.explain(x, "soul")


def test_our_own_mistakes():
    assert issubclass(tg.InternalError, (tg.Error, RuntimeError))


def test_files_say_what_is_wrong(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"no tensors")
    with pytest.raises(tg.IoError) as info:
        tg.load(tmp_path / "x.safetensors")
    assert isinstance(info.value, OSError)


def test_writing():
    x = tg.zeros(2, 3)
    alias = x
    x[0, 1:] = 7
    x += 1
    assert alias is x and x.tolist() == [[1, 8, 8], [1, 1, 1]]
    copy = x.clone()
    assert x.assign(5) is x and copy.tolist() == [[1, 8, 8], [1, 1, 1]] and x.tolist() == [[5] * 3] * 2
    x[x > 4] = -1
    x[[0, 1], [2, 0]] = Tensor([3.0, 4.0])
    x[1, None, ...] *= np.float32(2)
    assert x.tolist() == [[-1, -1, 3], [8, -2, -2]] and x.zero_().tolist() == [[0] * 3] * 2 and x.fill_(2).sum().item() == 12


def test_in_place_forms():
    torch = pytest.importorskip("torch")
    values, others = [0.25, 0.5, 0.75], [0.5, 2.0, 0.125]
    forms = [(name + "_", ()) for name in """neg abs sign floor ceil round trunc square sqrt rsqrt reciprocal exp exp2 expm1 log log2 log10
             log1p sin cos tan asin acos atan sinh cosh tanh asinh atanh erf erfc erfinv lgamma digamma sigmoid relu zero""".split()]
    forms += [(name + "_", (others,)) for name in "add sub mul div floor_divide remainder fmod pow atan2 hypot copysign copy".split()]
    forms += [("clamp_", (0.3, 0.6)), ("fill_", (3.0,)), ("lerp_", (others, 0.5)), ("masked_fill_", ([True, False, True], 7.0)),
              ("scatter_", (0, [2, 0, 1], others)), ("scatter_add_", (0, [2, 0, 0], others)), ("index_add_", (0, [2, 0, 0], others))]
    for name, arguments in forms:
        ours, theirs = Tensor(values), torch.tensor(values)
        assert getattr(ours, name)(*[Tensor(a) if isinstance(a, list) else a for a in arguments]) is ours
        getattr(theirs, name)(*[torch.tensor(a) if isinstance(a, list) else a for a in arguments])
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-6, err_msg=name)
    a, b = Tensor([6, 5]), np.array([6, 5])
    for t in (a, b):
        t <<= 2
        t |= 1
        t ^= 3
        t &= 30
        t //= 2
        t %= 7
        t **= 2
        t >>= 1
    assert a.tolist() == b.tolist()
    x = tg.zeros(2, 3)
    x[0].fill_(4).sqrt_()
    x[1][1:].uniform_(5, 6)
    assert x[0].tolist() == [2] * 3 and x[1, 0].item() == 0 and 5 <= x[1, 1:].min().item() < 6
    w = tg.ones(2, requires_grad=True)
    with pytest.raises(tg.GradientError, match="mul_: a leaf that requires a gradient"):
        w.mul_(2)
    with tg.no_grad():
        w -= 0.5
        w.mul_(4)
    assert w.tolist() == [2, 2] and w.requires_grad


def test_parts_are_written_where_they_are():
    x, a = tg.zeros(3, 4), np.zeros((3, 4), "f")
    for t in (x, a):
        t[0][1] += 5
        t[1:][0][2:] = 7
        row = t[2]
        row += 1
        row *= 3
        row[0] = -1
        t[0] -= 0.5
        t[..., -1][1:] /= 2
        t[[0, 1]][0] = 100  # a copy: what integers in lists pick is no part
        t[:, 0][0] += t[0][1]
    assert x.tolist() == a.tolist()
    x[1].assign(0)
    assert x[1].tolist() == [0] * 4
    w = tg.ones(2, 2, requires_grad=True)
    y = w * 2
    y[0] *= 10
    y.sum().backward()
    assert w.grad.tolist() == [[20, 20], [2, 2]]


INDICES = [0, -1, (0, 1), slice(1), slice(None, None, -1), (slice(None), slice(4, 0, -2)), None, ..., (..., 0), (None, 1, ..., None),
           [0, 1], [1, 1, 0], (0, [2, 1]), (slice(None), [2, 1], 0), ([0, 1], slice(None), [1, 0]), (slice(1), slice(3, 1)),
           np.array([[0, 1], [1, 0]]), (0, np.int64(2), -1), []]


@pytest.mark.parametrize("key", INDICES, ids=str)
def test_indexing_is_numpys(key):
    a = np.arange(40, dtype="f").reshape(2, 5, 4)
    numpys = np.array(key, int) if isinstance(key, list) else key  # [] is of integers here
    expected = a[numpys]
    assert Tensor(a)[key].tolist() == expected.tolist() and Tensor(a)[key].shape == expected.shape
    written, t = a.copy(), Tensor(a)
    written[numpys] = 3
    t[key] = 3
    assert np.array_equal(t.numpy(), written)


def test_masks():
    a = np.arange(12, dtype="f").reshape(3, 4)
    t = Tensor(a)
    assert t[t > 5].tolist() == a[a > 5].tolist() and t[[True, False, True]].tolist() == a[[True, False, True]].tolist()
    assert t[a > 5].tolist() == a[a > 5].tolist() and t[Tensor([False, True, False]), 1:].tolist() == a[[False, True, False], 1:].tolist()


def endless():
    """A list that is its own element."""
    a = []
    a.append(a)
    return a


@pytest.mark.parametrize("call, python, own", [
    (lambda: tg.ones(2) + tg.ones(3), ValueError, "ShapeError"), (lambda: tg.ones(2).sum(3), IndexError, "IndexError"),
    (lambda: tg.ones(2)[5], IndexError, "IndexError"), (lambda: tg.ones(2) & 1, TypeError, "DTypeError"),
    (lambda: tg.ones(2, device="nowhere"), RuntimeError, "DeviceError"), (lambda: tg.ones(2).backward(), RuntimeError, "GradientError"),
    (lambda: tg.arange(0, 1, 0), ValueError, "ValueError"), (lambda: Tensor([[1], [2, 3]]), ValueError, "ShapeError"),
    (lambda: Tensor([1.0, 2.0])[Tensor([5])].tolist(), IndexError, "IndexError"),
    (lambda: tg.ones(2).sum(2**40), IndexError, "IndexError"), (lambda: Tensor(endless()), ValueError, "ShapeError"),
])
def test_errors(call, python, own):
    with pytest.raises(python) as info:
        call()
    assert type(info.value) is getattr(tg, own) and isinstance(info.value, tg.Error)
    assert info.traceback[-1].path == info.traceback[0].path  # the last line is the user's own


class Layer(tg.nn.Module):
    def __init__(self):
        self.inner = tg.nn.Linear(3, 2)

    def forward(self, x):
        return self.inner(x)


@pytest.mark.parametrize("call", [
    lambda: tg.nn.Linear(3, 2)(tg.ones(4)), lambda: Layer()(tg.ones(4)), lambda: Layer().eval()(tg.ones(4)),
    lambda: tg.nn.Sequential(Layer())(tg.ones(4)), lambda: tg.nn.Linear(0, 2), lambda: tg.max_pool2d(tg.ones(3), 2),
    lambda: tg.grad(lambda x: x + tg.ones(5))(tg.ones(2)), lambda: tg.vmap(lambda x: x + tg.ones(5))(tg.ones(2, 2))])
def test_the_line_that_was_wrong_is_the_last_of_the_traceback(call):
    """Of tests, layers and functions given to transformations: the last line is the user's, not one of the package."""
    with pytest.raises(ValueError) as info:
        call()
    assert str(info.traceback[-1].path) == __file__


def test_wrong_arguments():
    for call in (lambda: tg.ones(2) + "1", lambda: Tensor("text"), lambda: Tensor([None]), lambda: tg.ones(2).sum(colour=1),
                 lambda: tg.zeros("a"), lambda: tg.sin(None), lambda: tg.ones(2)["a"]):
        with pytest.raises(TypeError):
            call()


def test_a_tensor_is_a_key_and_equality_is_elementwise():
    x, y = tg.ones(2), tg.ones(2)
    assert {x: 1, y: 2}[x] == 1 and (x == y).tolist() == [True, True] and (x == None) is False  # noqa: E711


def test_creation():
    assert tg.zeros(2, 3).shape == tg.zeros((2, 3)).shape == tg.ones([2, 3]).shape == Tensor.rand(2, 3).shape == (2, 3)
    assert tg.full((2,), 3).dtype == tg.int32 and tg.full(2, 1.5).tolist() == [1.5, 1.5] and tg.eye(2).tolist() == [[1, 0], [0, 1]]
    assert tg.arange(3).dtype == tg.int32 and tg.arange(1, 2, 0.25).tolist() == [1, 1.25, 1.5, 1.75] and tg.arange(2.0).dtype == tg.float32
    assert tg.zeros_like(tg.arange(3)).dtype == tg.int32 and tg.full_like(tg.ones(2), 3).tolist() == [3, 3]
    tg.manual_seed(7)
    first = tg.randn(5).tolist()
    tg.manual_seed(7)
    assert tg.randn(5).tolist() == first and tg.randn(5).tolist() != first
    assert set(tg.randint(0, 3, (100,)).tolist()) == {0, 1, 2}


def test_every_public_name_is_documented():
    missing = [f"{owner.__name__}.{name}" for owner in (tg, Tensor) for name in dir(owner)
               if not name.startswith("_") and callable(getattr(owner, name)) and not (getattr(owner, name).__doc__ or "").strip()]
    assert missing == []


def test_memory_is_returned():
    gc.collect()
    x = tg.ones(1000)
    for _ in range(100):
        x = (x * 1.0).realize()
    assert x.sum().item() == 1000


@pytest.mark.parametrize("name, keywords", [
    ("permute", {"dims": (1, 0)}), ("reshape", {"shape": (3, 2)}), ("expand", {"size": (4, 2, 3)}), ("repeat", {"repeats": (2, 1)}),
    ("tile", {"dims": (2,)}), ("broadcast_to", {"size": (4, 2, 3)}), ("flip", {"dims": (0, 1)}), ("unbind", {"dim": 1}),
    ("select", {"dim": 1, "index": 2}), ("narrow", {"dim": 1, "start": 1, "length": 2}), ("movedim", {"source": 0, "destination": 1}),
    ("clamp", {"min": 1, "max": 3}), ("sub", {"other": 2, "alpha": 3}), ("size", {"dim": 1}), ("sum", {"dim": 1, "keepdim": True})])
def test_keywords_of_methods(name, keywords):
    a = np.arange(6, dtype="f").reshape(2, 3)
    mine, theirs = (getattr(x, name)(**keywords) for x in (Tensor(a), torch.tensor(a)))
    for x, y in zip(mine, theirs) if isinstance(theirs, (tuple, list)) else [(mine, theirs)]:
        assert x == y if isinstance(y, int) else (x.shape == tuple(y.shape) and x.tolist() == y.tolist())


def test_other_names_of_sizes():
    x = tg.ones(2, 3, dtype="int8")
    assert (x.ndimension(), x.nelement(), x.type_as(tg.ones(1)).dtype) == (2, 6, tg.float32)
    for new in (x.new_zeros(2, 3), x.new_ones((2, 3)), x.new_empty([2, 3]), x.new_full((2, 3), 7), x.new_tensor([[1, 2, 3]] * 2)):
        assert new.dtype == "int8" and new.shape == (2, 3)
    assert x.new_zeros(1, dtype="float64").dtype == "float64" and x.new_full((1,), 7).item() == 7
    for made in (tg.zeros(size=(2, 3)), tg.ones(size=(2, 3)), tg.empty(size=[2, 3]), tg.rand(size=(2, 3)), tg.randn(size=(2, 3))):
        assert made.shape == (2, 3)
    assert tg.zeros(size=4).shape == (4,) and x.flip(0, 1).shape == (2, 3) and x.to(tg.ones(1)).dtype == tg.float32
    for bad in (lambda: x.select(2, 0), lambda: x.movedim(0, 5), lambda: x.unbind(-3), lambda: x.narrow(2, 0, 1)):
        with pytest.raises(tg.IndexError):
            bad()
    with pytest.raises(tg.ShapeError):
        tg.ones(2, 2, 2).t()


def test_formats():
    x = Tensor([1.5, 2.25])
    assert f"{x[1]:.1f} {x.sum():6.2f} {x}" == "2.2   3.75 [1.5  2.25]" and [v.item() for v in reversed(x)] == [2.25, 1.5]
    with pytest.raises(ValueError):
        f"{x:.1f}"


def test_numpys_names():
    a = np.arange(6, dtype="f").reshape(2, 3)
    x = tg.array(a.tolist())
    assert (x.itemsize, x.nbytes) == (a.itemsize, a.nbytes) and tg.array_equal(x, tg.Tensor(a)) and not tg.array_equal(x, x + 1)
    assert not tg.array_equal(x, x[0])
    assert 3 in x and 7 not in x and x[tg.newaxis].shape == (1, 2, 3) and tg.identity(2).tolist() == [[1, 0], [0, 1]]
    assert (tg.inf, tg.pi, tg.e) == (np.inf, np.pi, np.e) and tg.nan != tg.nan
    for name in ("flipud", "fliplr"):
        assert getattr(tg, name)(x).tolist() == getattr(x, name)().tolist() == getattr(np, name)(a).tolist()
    index = np.array([[2, 0], [1, 1]])
    assert tg.take_along_axis(x, tg.Tensor(index), axis=1).tolist() == np.take_along_axis(a, index, axis=1).tolist()
    assert tg.take_along_axis(x, tg.Tensor([5, 0]), None).tolist() == np.take_along_axis(a, np.array([5, 0]), None).tolist()
    assert tg.is_tensor(x) and not tg.is_tensor(a)
    for shapes in (((2, 1), (3,)), ((), 4), ((0, 1), (1, 5))):
        assert tg.broadcast_shapes(*shapes) == np.broadcast_shapes(*shapes)
    other = x.copy()
    other += 1
    assert x.tolist() == a.tolist() and [t.tolist() for t in divmod(x, 2)] == [t.tolist() for t in divmod(a, 2)]
    for amounts in (1, ((1, 2), (0, 1)), ((2, 1),)):
        assert tg.pad(x, amounts).tolist() == np.pad(a, amounts).tolist()
        assert tg.pad(x, pad_width=amounts, mode="circular").tolist() == np.pad(a, amounts, mode="wrap").tolist()
    for ord in (None, 1, 3, np.inf):
        assert np.allclose(tg.linalg.norm(x, ord, axis=1, keepdims=True).numpy(), np.linalg.norm(a, ord, axis=1, keepdims=True))
    assert np.isclose(tg.linalg.norm(x).item(), np.linalg.norm(a)) and tg.linalg.norm(x, dim=0, keepdim=True).shape == (1, 3)
    for given in ((2,), (1, (0, 1))):
        with pytest.raises(tg.ValueError, match="of a matrix"):
            tg.linalg.norm(x, *given)
