"""Every bound function against PyTorch in float64: values, gradients and second derivatives, over awkward shapes and all dtypes.

A row is a name and one expression for both libraries, `t` being tg or torch. Adding a function to tg is adding a row here:
test_every_function_has_a_row says which one is missing.
"""
import numpy as np
import pytest
import torch

import tg

SHAPES = [(), (0,), (3, 0), (1,), (13,), (3, 5), (2, 1, 7)]
PAIRS = [((), (3,)), ((1,), ()), ((3, 1), (1, 5)), ((2, 3, 7), (3, 1)), ((0, 3), (1, 3)), ((13,), (13,))]
MATRICES = [(3, 5), (2, 1, 7), (1, 1), (4, 3, 2)]
FLOATS = ["float32", "float64", "float16", "bfloat16"]
INTS = ["int8", "int16", "int32", "int64"]
UNSIGNED = ["uint8", "uint16", "uint32", "uint64"]
ANY = FLOATS + INTS + UNSIGNED + ["bool"]
TOLERANCE = {"float64": (1e-6, 1e-6), "float32": (2e-5, 2e-5), "float16": (4e-3, 4e-3), "bfloat16": (3e-2, 3e-2)}


class Row:
    def __init__(self, name, f, *, torch_f=None, shapes=SHAPES, low=-3.0, high=3.0, dtypes=ANY, order=2, gradients=None, **domains):
        self.name, self.f, self.torch_f, self.low, self.high, self.dtypes = name, f, torch_f or f, low, high, dtypes
        self.shapes = [s if s and isinstance(s[0], tuple) else (s,) for s in shapes]
        self.order, self.gradients, self.domains = order, gradients, domains

    def inputs(self, shapes, dtype):
        """Arrays in the row's domain, the same at each call, exact in `dtype`."""
        rng = np.random.default_rng(len(self.name))
        arrays = []
        for i, shape in enumerate(shapes):
            low, high = self.domains.get(f"domain{i}", (self.low, self.high))
            if dtype == "bool":
                low, high = 0, 1.99
            elif dtype in UNSIGNED:
                low = max(low, 0)
            a = rng.uniform(low, high, shape)
            a = np.trunc(a) if dtype not in FLOATS else a
            arrays.append(tg.Tensor(a, dtype="float64").to(dtype).double().numpy())
        return arrays


def unary(name, low=-3.0, high=3.0, **more):
    return Row(name, lambda t, x: getattr(t, name)(x), low=low, high=high, **more)


def binary(name, **more):
    return Row(name, lambda t, x, y: getattr(t, name)(x, y), shapes=PAIRS, **more)


def reduction(name, call, shapes=MATRICES, **more):
    return Row(name, call, shapes=shapes, **more)


def along(name, f, shapes=((3, 5), (2, 3, 4)), **more):
    return Row(name, f, shapes=shapes, **more)


SIGNED = FLOATS + INTS
index = {tg: lambda v: tg.Tensor(v), torch: lambda v: torch.tensor(v)}

ROWS = [
    unary("neg", dtypes=SIGNED), unary("abs", dtypes=SIGNED), unary("sign", dtypes=SIGNED), unary("floor"), unary("ceil"),
    unary("round"),
    unary("trunc"), unary("exp"), unary("exp2"), unary("log", 0.1, 9), unary("log2", 0.1, 9), unary("sin"), unary("cos"),
    unary("tan", -1, 1),
    unary("sqrt", 0.1, 9), unary("rsqrt", 0.1, 9), unary("reciprocal", 0.5, 4), unary("square"), unary("isnan"), unary("isinf"),
    unary("isfinite"),
    unary("logical_not"), unary("bitwise_not", dtypes=INTS, order=0), unary("erf"), unary("relu"), unary("sigmoid"), unary("tanh"),
    Row("silu", lambda t, x: t.silu(x), torch_f=lambda t, x: t.nn.functional.silu(x)),
    Row("gelu", lambda t, x: t.gelu(x), torch_f=lambda t, x: t.nn.functional.gelu(x), dtypes=FLOATS),
    Row("gelu", lambda t, x: t.gelu(x, approximate="tanh"), torch_f=lambda t, x: t.nn.functional.gelu(x, approximate="tanh"),
          dtypes=FLOATS),
    Row("clamp", lambda t, x: t.clamp(x, min=-1, max=2), dtypes=SIGNED), Row("clamp", lambda t, x: t.clamp(x, max=1)),
    Row("dropout", lambda t, x: t.dropout(x, 0.5, False)),
    binary("add", dtypes=FLOATS + INTS + UNSIGNED), binary("sub", dtypes=SIGNED), binary("mul"),
    binary("div", domain1=(1.0, 4.0)),
    binary("floor_divide", order=0, domain1=(1.0, 4.0), dtypes=["float32", "float64"] + INTS + UNSIGNED),
    binary("remainder", order=0, domain1=(1.0, 4.0), dtypes=["float32", "float64"] + INTS + UNSIGNED),
    binary("pow", domain0=(0.3, 3), domain1=(0, 3), dtypes=FLOATS + INTS + UNSIGNED), binary("maximum"), binary("minimum"),
    binary("eq"), binary("ne"), binary("lt"), binary("le"), binary("gt"), binary("ge"),
    binary("bitwise_and", dtypes=INTS + UNSIGNED + ["bool"], order=0),
    binary("bitwise_or", dtypes=INTS + UNSIGNED + ["bool"], order=0),
    binary("bitwise_xor", dtypes=INTS + UNSIGNED + ["bool"], order=0),
    binary("bitwise_left_shift", dtypes=INTS + UNSIGNED, order=0, domain0=(0, 9), domain1=(0, 3)),
    binary("bitwise_right_shift", dtypes=INTS + UNSIGNED, order=0, domain0=(-9, 9), domain1=(0, 3)),
    binary("logical_and"), binary("logical_or"), binary("logical_xor"),
    Row("where", lambda t, x, y: t.where(x > 0, x, y), shapes=PAIRS),
    # reductions
    reduction("sum", lambda t, x: t.sum(x), SHAPES), reduction("sum", lambda t, x: t.sum(x, dim=-1, keepdim=True)),
    reduction("sum", lambda t, x: t.sum(x, dim=(0, 1))),
    reduction("prod", lambda t, x: t.prod(x), SHAPES, low=0.5, high=1.5, dtypes=FLOATS),
    reduction("prod", lambda t, x: t.prod(x, dim=0), low=1, high=3), reduction("mean", lambda t, x: t.mean(x, dim=0)),
    reduction("mean", lambda t, x: t.mean(x)), reduction("max", lambda t, x: t.max(x)), reduction("min", lambda t, x: t.min(x)),
    reduction("amax", lambda t, x: t.amax(x, dim=1)), reduction("amin", lambda t, x: t.amin(x, dim=(0, 1), keepdim=True)),
    reduction("any", lambda t, x: t.any(x, dim=0)), reduction("all", lambda t, x: t.all(x, dim=-1)),
    reduction("all", lambda t, x: t.all(x)),
    reduction("logsumexp", lambda t, x: t.logsumexp(x, dim=-1)),
    reduction("var", lambda t, x: t.var(x, dim=0, unbiased=True) if t is torch else
              t.var(x, dim=0), [(3, 5), (4, 2)]),
    reduction("std", lambda t, x: t.std(x, dim=0, unbiased=False) if t is torch else t.std(x, axis=0, correction=0),
          [(3, 5), (4, 2)], low=-30),
    reduction("argmax", lambda t, x: t.argmax(x, dim=1), dtypes=FLOATS),
    reduction("argmin", lambda t, x: t.argmin(x), dtypes=FLOATS),
    reduction("softmax", lambda t, x: t.softmax(x, dim=1)), reduction("log_softmax", lambda t, x: t.log_softmax(x, dim=-1)),
    along("cumsum", lambda t, x: t.cumsum(x, dim=1)), along("cumsum", lambda t, x: t.cumsum(x, dim=0), shapes=[(13,), (0,)]),
    along("cumprod", lambda t, x: t.cumprod(x, dim=1), low=1, high=3, dtypes=FLOATS + ["int32", "int64"]),
    along("logcumsumexp", lambda t, x: t.logcumsumexp(x, dim=-1)),
    along("cummax", lambda t, x: t.cummax(x, dim=1)[0]), along("cummin", lambda t, x: t.cummin(x, dim=0)[0]),
    along("cummax", lambda t, x: t.cummax(x, dim=1)[1], dtypes=FLOATS),
    along("sort", lambda t, x: t.sort(x, dim=1)[0]), along("sort", lambda t, x: t.sort(x, dim=0, descending=True)[0]),
    along("argsort", lambda t, x: t.argsort(x, dim=1), dtypes=["float32", "float64"]),
    along("topk", lambda t, x: t.topk(x, 2, dim=1)[0]),
    along("topk", lambda t, x: t.topk(x, 2, dim=1, largest=False)[1], dtypes=["float32"]),
    along("median", lambda t, x: t.median(x), dtypes=FLOATS + INTS),
    # movement
    Row("reshape", lambda t, x: t.reshape(x, (-1,)), shapes=[s for s in SHAPES if s != (3, 0)]),
    Row("flatten", lambda t, x: t.flatten(x)),
    along("flatten", lambda t, x: t.flatten(x, start_dim=1)), along("view", lambda t, x: x.view(5, 3), shapes=[(3, 5)]),
    along("unflatten", lambda t, x: x.unflatten(1, (2, 2)), shapes=[(3, 4)]),
    along("permute", lambda t, x: t.permute(x, (2, 0, 1)), shapes=[(2, 3, 4)]),
    along("transpose", lambda t, x: t.transpose(x, 0, 1)),
    along("expand", lambda t, x: x.expand(4, -1, 3), shapes=[(2, 1), (5, 3)]),
    along("broadcast_to", lambda t, x: t.broadcast_to(x, (2, 3, 5)), shapes=[(3, 5), (5,), ()]),
    along("repeat", lambda t, x: x.repeat(2, 1, 3)),
    along("tile", lambda t, x: x.tile((2, 1, 3))), along("flip", lambda t, x: t.flip(x, (0,))),
    along("flip", lambda t, x: t.flip(x, (1, 0))),
    along("squeeze", lambda t, x: t.squeeze(x), shapes=[(1, 3, 1), (1,), ()]),
    along("squeeze", lambda t, x: t.squeeze(x, 0), shapes=[(1, 3, 1)]),
    along("unsqueeze", lambda t, x: t.unsqueeze(x, -2)), along("split", lambda t, x: t.split(x, 2, dim=1)[-1]),
    along("split", lambda t, x: t.split(x, [1, 2], dim=0)[1], shapes=[(3, 5)]),
    along("chunk", lambda t, x: t.chunk(x, 2, dim=1)[0]),
    along("pad", lambda t, x: t.pad(x, (1, 2, -1, 3), value=1.0), torch_f=lambda t,
          x: t.nn.functional.pad(x, (1, 2, -1, 3), value=1.0)),
    along("shrink", lambda t, x: t.shrink(x, [(1, 3), (0, 2)]), torch_f=lambda t, x: x[1:3, 0:2], shapes=[(3, 5)]),
    along("cat", lambda t, x, y: t.cat([x, y], dim=1), shapes=[((3, 5), (3, 2)), ((2, 0), (2, 3))]),
    along("concat", lambda t, x, y: t.concat([x, y]), shapes=[((3,), (2,))]),
    along("stack", lambda t, x, y: t.stack([x, y], dim=-1), shapes=[((3, 5), (3, 5))]),
    along("gather", lambda t, x: t.gather(x, 1, index[t]([[0, 2], [1, 1], [2, 0]])), shapes=[(3, 5)]),
    along("take", lambda t, x: t.take(x, index[t]([2, 0, 2]), dim=1), torch_f=lambda t,
          x: t.index_select(x, 1, index[t]([2, 0, 2]))),
    along("index_select", lambda t, x: t.index_select(x, 0, index[t]([1, 1, 0]))),
    # products
    along("matmul", lambda t, x, y: t.matmul(x, y),
          shapes=[((3, 5), (5, 2)), ((5,), (5, 2)), ((2, 1, 3, 5), (4, 5, 1)), ((3, 0), (0, 2))], dtypes=FLOATS),
    along("mm", lambda t, x, y: t.mm(x, y), shapes=[((3, 5), (5, 2))], dtypes=FLOATS),
    along("bmm", lambda t, x, y: t.bmm(x, y), shapes=[((2, 3, 5), (2, 5, 2))], dtypes=FLOATS),
    along("dot", lambda t, x, y: t.dot(x, y), shapes=[((13,), (13,))], dtypes=FLOATS),
]


def weights(shape, seed):
    return np.random.default_rng(seed).uniform(0.5, 1.5, shape)


def derivatives(row, shapes, arrays):
    """tg's results, lazily, and PyTorch's: the value, the gradient of each input, and the gradient of their weighted sum."""
    mine = [tg.Tensor(a, dtype="float32", requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in arrays]
    y, z = row.f(tg, *mine), row.torch_f(torch, *theirs)
    pairs = [(y, z.detach())]
    if not z.requires_grad or not row.order:
        return pairs
    w = weights(z.shape, 1)
    g = tg.gradient(y, mine, grad_output=tg.Tensor(w, dtype="float32"), create_graph=True)
    h = torch.autograd.grad(z, theirs, torch.tensor(w), create_graph=True, allow_unused=True)
    h = [torch.zeros_like(x) if d is None else d for d, x in zip(h, theirs)]
    pairs += [(a, b.detach()) for a, b in zip(g, h)]
    mixed = sum(((d * torch.tensor(weights(d.shape, 2))).sum() for d in h), torch.tensor(0.0))
    if row.order < 2 or not mixed.requires_grad:
        return pairs
    second = torch.autograd.grad(mixed, theirs, allow_unused=True)
    mine_mixed = sum((d * tg.Tensor(weights(d.shape, 2), dtype="float32")).sum() for d in g)
    if not mine_mixed.requires_grad:
        return pairs + [(tg.zeros(()), s.sum()) for s in second if s is not None]
    pairs += [(a, torch.zeros_like(x) if b is None else b) for a, b, x in zip(tg.gradient(mine_mixed, mine), second, theirs)]
    return pairs


def agree(pairs, what, scale=1):
    tg.realize(*(mine for mine, _, _ in pairs))
    for mine, theirs, label in pairs:
        assert mine.shape == tuple(theirs.shape), (what, label)
        rtol, atol = TOLERANCE.get(mine.dtype.name, (0, 0))
        got = mine.double().numpy() if mine.dtype != tg.bool else mine.numpy()
        expected = theirs.clone().numpy()  # PyTorch's zeros may be without memory; a clone has it
        np.testing.assert_allclose(got, expected, rtol=scale * rtol, atol=scale * atol, err_msg=f"{what} {label}")


names = [f"{row.name}{i}" for i, row in enumerate(ROWS)]


@pytest.mark.parametrize("row", [r for r in ROWS if "float32" in r.dtypes],
          ids=[n for n, r in zip(names, ROWS) if "float32" in r.dtypes])
def test_values_and_derivatives(row):
    pairs = []
    for shapes in row.shapes:
        pairs += [(a, b, shapes) for a, b in derivatives(row, shapes, row.inputs(shapes, "float32"))]
    agree(pairs, row.name, scale=10)


@pytest.mark.parametrize("row", ROWS, ids=names)
def test_dtypes(row):
    pairs = []
    shapes = row.shapes[-1]
    for dtype in row.dtypes:
        arrays = row.inputs(shapes, dtype)
        mine = row.f(tg, *(tg.Tensor(a, dtype=dtype) for a in arrays))
        whole = torch.bool if dtype == "bool" else torch.int64
        exact = row.name.startswith(("bitwise", "logical", "any", "all"))
        theirs = row.torch_f(torch,
          *(torch.tensor(a).to(whole if exact and dtype not in FLOATS else torch.float64) for a in arrays))
        pairs.append((mine, theirs, dtype))
    agree(pairs, row.name, scale=8)


def test_every_function_has_a_row():
    import network_test

    taking_input = {name for name in dir(tg._tg) if callable(f := getattr(tg._tg, name)) and "(input: " in (f.__doc__ or "")}
    creating = {n for n in taking_input if n.endswith("_like")}
    rows = {row.name for row in ROWS + network_test.ROWS}
    aliases = {n for n in taking_input if any(getattr(tg._tg, n) is getattr(tg._tg, r, None) for r in rows)}
    assert taking_input - creating - rows - aliases == set()
