"""What docs/python.md says differs from PyTorch, of tensors and of all programs. Networks and training: training_differences_test.py."""
import io

import numpy as np
import pytest
import torch

import tg
from differences import Rows
from tg import nn
from training_differences_test import Net

F, G = torch.nn.functional, tg.nn.functional
ROWS = Rows("## What differs")
row = ROWS.row


@row("when")
def _():
    x = tg.ones(3) + 1
    assert "Add" in tg.explain(x, "graph")
    a, b = x * 2, x * 3
    assert tg.realize(a, b) is None and a.tolist() == [4] * 3 and b.tolist() == [6] * 3 and not tg.explain(a, "graph").count("Mul")


@row("whole numbers in lists")
def _():
    assert torch.tensor([1]).dtype == torch.int64 and tg.tensor([1]).dtype == tg.int32 and tg.tensor([2**40]).dtype == tg.int64
    for x in (tg.arange(3), tg.randint(0, 2, (3,)), tg.one_hot(tg.arange(2)), tg.ones(2).argmax(), tg.ones(2).sort().indices,
              tg.searchsorted(tg.arange(3), tg.ones(1)), tg.bincount(tg.arange(3)), tg.count_nonzero(tg.ones(2))):
        assert x.dtype == tg.int32
    assert torch.arange(3).dtype == torch.ones(2).argmax().dtype == torch.int64


@row("int / int, `mean` of integers")
def _():
    assert (tg.tensor([1]) / tg.tensor([2])).dtype == tg.tensor([1]).mean().dtype == tg.float32
    with pytest.raises(RuntimeError):
        torch.tensor([1]).mean()


@row("sums of bool and narrow integers")
def _():
    sums = {d: tg.ones(2, dtype=d).sum().dtype.name for d in ("bool", "int8", "uint16", "int64", "uint64")}
    assert sums == {"bool": "int32", "int8": "int32", "uint16": "uint32", "int64": "int64", "uint64": "uint64"}
    assert torch.ones(2, dtype=torch.int8).sum().dtype == torch.int64


@row("a number that a dtype has not, `int8 + 1000`, `tensor(300, dtype=int8)`")
def _():
    for f in (lambda: tg.ones(1, dtype="int8") + 1000, lambda: tg.tensor(300, dtype=tg.int8)):
        with pytest.raises(ValueError, match="outside the range of int8"):
            f()
    assert tg.tensor(np.array([300]), dtype="int8").tolist() == tg.tensor([300]).to("int8").tolist() == [44]
    assert (torch.ones(1, dtype=torch.int8) + 1000).item() == -23


@row("integers `// 0`, `% 0`")
def _():
    assert ((tg.tensor([5]) // 0).item(), (tg.tensor([5]) % 0).item()) == (0, 0)
    with pytest.raises(RuntimeError):
        torch.tensor([5]) // 0


@row("floats out of an integer's range")
def _():
    assert tg.tensor([300.0, -1.0, float("nan"), -1e30]).to("uint8").tolist() == [255, 0, 0, 0]


@row("`<<`, `>>` beyond the width")
def _():
    x = tg.tensor([-5, 5])
    assert (x << 40).tolist() == [0, 0] and (x >> 40).tolist() == [-1, 0]


@row("causal attention to a nan or infinite value")
def _():
    q, k, v = np.random.default_rng(0).standard_normal((3, 1, 1, 256, 16)).astype("f")
    v[:, :, 200] = np.nan
    seen = np.tril(np.ones((256, 256), bool))
    weights = (torch.tensor(q) @ torch.tensor(k).mT / 4).masked_fill(torch.tensor(~seen), -np.inf).softmax(-1)
    assert (weights @ torch.tensor(v)).isnan().all()
    assert np.isnan(tg.scaled_dot_product_attention(tg.Tensor(q), tg.Tensor(k), tg.Tensor(v), is_causal=True).numpy())[:, :, 200:].all()


@row("`max`, `min`, `median` with `axis=`")
def _():
    x = np.array([[1.0, 3.0, 2.0]], "f")
    for name in ("max", "min", "median"):
        mine, theirs = getattr(tg.tensor(x), name), getattr(torch.tensor(x), name)(1)
        assert isinstance(mine(axis=1), tg.Tensor) and mine(axis=1).tolist() == theirs.values.tolist()
        for found in (mine(1), mine(dim=1)):
            assert found.values.tolist() == theirs.values.tolist() and found.indices.tolist() == theirs.indices.tolist()


@row("`silu`, `mish`, `hardswish` at -inf")
def _():
    for name in ("silu", "mish", "hardswish"):
        assert torch.isnan(getattr(F, name)(torch.tensor(-torch.inf))) and getattr(G, name)(tg.tensor(-torch.inf)).item() == 0


@row("`sign(nan)`")
def _():
    assert torch.tensor(np.nan).sign().item() == 0 and np.isnan(tg.tensor(np.nan).sign().item()) and np.isnan(np.sign(np.nan))


@row("`max` where there is a nan")
def _():
    x = [1.0, float("nan"), 2.0]
    assert np.isnan(tg.tensor(x).max().item()) and np.isnan(torch.tensor(x).max().item()) and tg.tensor(x).argmax().item() == 1


@row("`median` of nothing")
def _():
    assert torch.tensor([]).median().isnan()
    for f in (tg.median, tg.max):
        with pytest.raises(ValueError):
            f(tg.zeros(0))


@row("`equal(a, b)`")
def _():
    assert torch.equal(torch.ones(2), torch.ones(2)) is True and tg.equal(tg.ones(2), tg.ones(2)).tolist() == [True, True]
    assert tg.allclose(tg.ones(2), tg.ones(2)) is True


@row("`take(x, index)`")
def _():
    a = [[1, 2], [3, 4]]
    assert torch.take(torch.tensor(a), torch.tensor([1])).tolist() == [2]
    assert tg.take(tg.tensor(a), tg.tensor([1])).tolist() == np.take(a, [1], axis=0).tolist()


@row("`squeeze(dim)` of a size that is not 1")
def _():
    assert torch.ones(2, 3).squeeze(0).shape == (2, 3)
    with pytest.raises(tg.ShapeError):
        tg.ones(2, 3).squeeze(0)


@row("`view`")
def _():
    assert tg.arange(6).view(2, 3).T.view(6).tolist() == [0, 3, 1, 4, 2, 5]
    with pytest.raises(RuntimeError):
        torch.arange(6).view(2, 3).T.view(6)
    assert tg.ones(2).view(tg.int32).tolist() == tg.ones(2).bitcast(tg.int32).tolist() == torch.ones(2).view(torch.int32).tolist()


@row("`empty`")
def _():
    assert tg.empty(2, 3).tolist() == tg.empty_like(tg.ones(2, 3)).tolist() == [[0] * 3] * 2


@row("tensors without axes in promotion")
def _():
    one = torch.ones(1) * torch.tensor(1.0, dtype=torch.float64)
    assert one.dtype == torch.float32 and (tg.ones(1) * tg.tensor(1.0, dtype="float64")).dtype == tg.float64
    assert (tg.ones(1) * 1.5).dtype == tg.float32


@row("a fraction or nan given to integers, `x[0] = 2.7`, `tensor([2.7], dtype=int8)`")
def _():
    x = tg.arange(3)
    for f in (lambda: x.__setitem__(0, 2.7), lambda: tg.tensor([2.7], dtype="int8"), lambda: tg.tensor(np.nan, dtype="int8")):
        with pytest.raises(tg.DTypeError):
            f()
    assert tg.tensor([2.7]).to("int8").item() == torch.tensor([2.7], dtype=torch.int8).item() == 2
    x[0] = 2.0
    assert x.tolist() == [2, 1, 2]


@row("`x.shape`, `x.device`")
def _():
    assert type(tg.ones(2, 3).shape) is tuple and type(tg.ones(1).device) is str


@row("names of arguments")
def _():
    x = tg.arange(6).view(2, 3)
    assert x.sum(axis=1, keepdims=True).tolist() == x.sum(dim=1, keepdim=True).tolist() == [[3], [12]]
    for keyword, nothing in (("out", None), ("inplace", False)):
        assert tg.relu(x, **{keyword: nothing}).tolist() == x.tolist()
        with pytest.raises(TypeError):
            tg.relu(x, **{keyword: x})
    for library in (torch, tg):
        x = library.ones(2) * -1
        assert library.nn.ReLU(inplace=True)(x) is x and x.tolist() == [0, 0]


@row("`x[0, :, [1, 2]]`: integers apart from lists")
def _():
    x = np.zeros((2, 5, 3))
    assert torch.tensor(x)[0, :, [1, 2]].shape == (5, 2) and tg.tensor(x)[0, :, [1, 2]].shape == x[0, :, [1, 2]].shape == (2, 5)


@row("`x[i]` with integers and slices")
def _():
    x, y = tg.zeros(2, 3), torch.zeros(2, 3)
    for t in (x, y):
        t[0][1] += 1
        part = t[1]
        t[1] = 5
    assert x.tolist() == y.tolist() == [[0, 1, 0], [5, 5, 5]] and part.tolist() == [5, 5, 5]
    part = x[0]
    x[0] = 9
    assert part.tolist() == [0, 1, 0]


@row("`x.view(...)`, `x.T`, `x.diagonal()`")
def _():
    x, y = tg.zeros(4), torch.zeros(4)
    for t in (x, y):
        t.view(2, 2)[0] = 1
    assert x.tolist() == [0] * 4 and y.tolist() == [1, 1, 0, 0]
    x, y = tg.zeros(3, 4), torch.zeros(3, 4)
    for t in (x, y):
        t.select(1, 1).fill_(1)
        t.narrow(0, 1, 2)[0] += 2
        t.unbind(0)[2].mul_(3)
        t.unbind(1)[0].add_(1, alpha=4)
    assert x.tolist() == y.tolist()


@row("`x.numpy()`")
def _():
    x = tg.ones(2, requires_grad=True)
    a = x.numpy()
    assert a.ctypes.data == x.data_ptr() and not a.flags.writeable and np.array(x).flags.writeable
    with pytest.raises(RuntimeError):
        torch.ones(2, requires_grad=True).numpy()


@row("`from_numpy`, `asarray`, `from_dlpack`")
def _():
    for f in (tg.from_numpy, tg.asarray, tg.from_dlpack):
        a = np.ones(4, "f")
        t = f(a)
        assert t.data_ptr() == a.ctypes.data
        t += 1
        assert a.tolist() == [1] * 4 and t.tolist() == [2] * 4 and t.data_ptr() != a.ctypes.data


@row("`x.grad`")
def _():
    x = tg.ones(2, requires_grad=True)
    x.sum().backward()
    assert x.grad is not x.grad and x.grad.tolist() == [1, 1]
    x.grad = tg.zeros(2)
    assert x.grad.tolist() == [0, 0]
    x.grad = None
    assert x.grad is None


@row("hooks, `retain_grad`, `grad_fn`")
def _():
    x = tg.ones(2, requires_grad=True)
    y = x * 3
    assert tg.autograd.grad((y * y).sum(), y)[0].tolist() == [6, 6]
    assert not {"retain_grad", "register_hook", "register_forward_hook", "grad_fn"} & {*dir(x), *dir(nn.Linear(1, 1))}


@row("`autograd.Function`")
def _():
    class Two(tg.autograd.Function):
        forward = staticmethod(lambda ctx, x: (x, x * 2))
    with pytest.raises(tg.ValueError, match="Two: forward must give one tensor"):
        Two.apply(tg.ones(1, requires_grad=True))


@row("`autograd.grad` of what does not matter")
def _():
    for library, zero in ((tg, [0]), (torch, None)):
        x, y = (library.ones(1, requires_grad=True) for _ in range(2))
        g, = library.autograd.grad(x.sum(), y, allow_unused=True)
        assert (g if g is None else g.tolist()) == zero


@row("`x.data`")
def _():
    x, y = tg.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    for t in (x, y):
        t.data -= 0.5
        t.data[0] = 3
        t.data.mul_(2)
        t.data.copy_(t.data + 1)
        assert not t.data.requires_grad and t.requires_grad
    part, shared = x.data, y.data
    for t in (x, y):
        t.data.zero_()
    assert x.tolist() == y.tolist() == shared.tolist() == [0, 0] and part.tolist() == [7, 2]


@row("`x.is_leaf`")
def _():
    assert (torch.ones(1) + 1).is_leaf and not (tg.ones(1) + 1).is_leaf and tg.tensor([1.0]).is_leaf


@row("random numbers")
def _():  # jax.random.uniform(jax.random.PRNGKey(0), (3,)), with jax_threefry_partitionable
    assert np.allclose(tg.rand(3, generator=tg.Generator.with_key((0, 0))).numpy(), [0.947667, 0.9785799, 0.33229148])


@row("tensors of the other library")
def _():
    x, t = tg.arange(6).view(2, 3), torch.arange(6).view(2, 3)
    for theirs in (torch.from_dlpack(x), torch.from_numpy(np.array(x))):
        assert torch.equal(theirs, t.int())
    for mine in (tg.tensor(t), tg.as_tensor(t), tg.from_dlpack(t)):
        assert mine.tolist() == x.tolist() and mine.dtype == tg.int64
    for f in (torch.tensor, torch.as_tensor, lambda x: t[x[0, 0]]):
        with pytest.raises(TypeError, match="len.. of a tensor without axes"):
            f(x)


@row("files")
def _(tmp_path):
    net, other = Net(), Net()
    tg.save(net, tmp_path / "net.safetensors")
    assert tg.load_into(other, tmp_path / "net.safetensors") == {}
    assert tg.load(tmp_path / "net.safetensors").keys() == net.state_dict().keys()
    assert other.layers[0].weight.tolist() == net.layers[0].weight.tolist()
    tree = {"epoch": 3, "net": net.state_dict(), 5: [tg.ones(2), (None, True, 0.5, "text")], "a.b": tg.zeros(1), "a": {"b": tg.ones(1)}}
    buffer = io.BytesIO()
    tg.save(tree, buffer)
    buffer.seek(0)
    back = tg.load(buffer, map_location="interpreter")
    assert repr(back).replace(", device='interpreter'", "") == repr({**tree, "net": {k: t.detach() for k, t in tree["net"].items()}})
    with pytest.raises(tg.ValueError, match="x.0 is of type set"):
        tg.save({"x": [{1}]}, buffer)
    with pytest.raises(tg.IoError, match="the stream"):
        tg.load(io.BytesIO(b"123"))


@row("what else PyTorch has")
def _():
    assert not {"fft", "distributions", "mode", "nanmedian", "renorm"} & set(dir(tg)) and not hasattr(tg.linalg, "solve")
    assert not {"Dropout2d", "EmbeddingBag", "Bilinear", "Fold"} & set(dir(nn)) and not {"grid_sample", "ctc_loss"} & set(dir(G))
    assert not {"addcmul_", "index_fill_"} & set(dir(tg.Tensor))
    with pytest.raises(TypeError):
        nn.Conv2d(1, 1, 3, padding_mode="reflect")
    assert G.pad(tg.arange(3), (1, 1), mode="circular").tolist() == [2, 0, 1, 2, 0]


@row("errors")
def _():
    kinds = {"ShapeError": ValueError, "ValueError": ValueError, "DTypeError": TypeError, "IndexError": IndexError,
             "DeviceError": RuntimeError, "GradientError": RuntimeError, "IoError": OSError}
    assert all(issubclass(getattr(tg, name), (kind, )) and issubclass(getattr(tg, name), tg.Error) for name, kind in kinds.items())


@row("settings")
def _():
    with tg.settings(device="interpreter", eager=True), tg.no_grad(), tg.Drawing(tg.Generator(1)):
        assert tg.rand(2).device == "interpreter"


@row("devices")
def _():
    assert [tg.ones(1, device=d).device for d in ("cpu", "interpreter", "null")] == ["cpu", "interpreter", "null"]
    with pytest.raises(tg.DeviceError, match="opencl"):
        tg.ones(1, device="cuda:0")
    device = tg.device("cuda" if tg.cuda.is_available() else "cpu")
    assert isinstance(device, str) and device.type == "cpu" == tg.ones(1, device=device).device and tg.cuda.device_count() == 0


test_every_row_of_the_table_is_tried, test_differences = ROWS.tests()
