"""Every bound function against PyTorch in float64: values, gradients and second derivatives, over awkward shapes and all dtypes.

A row is a name and one expression for both libraries, `t` being tg or torch. Adding a function to tg is adding a row here:
surface_test.py says which one is missing.
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
        if self.domains.get("distinct"):  # near each other and of their row, also when rounded to 8 bits
            n = int(np.prod(shapes[0]))
            return [(np.arange(n) * 97 % 251 - (0 if dtype in UNSIGNED else 125)).reshape(shapes[0]).astype("f8")]
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


def activation(name, low=-8.0, high=8.0, **more):
    return Row(name, lambda t, x: getattr(t, name)(x), torch_f=lambda t, x: getattr(t.nn.functional, name)(x), low=low, high=high, **more)


def scattering(name, call, torch_call=None, **more):
    """call(t, x, index, values): along axis 1, with an index that has equal places."""
    places = [[0, 2], [1, 1], [4, 0]]
    theirs = torch_call or call  # whose gradient fails where there are more values than indices
    return Row(name, lambda t, x, y: call(t, x, index[t](places), y), torch_f=lambda t, x, y: theirs(t, x, index[t](places), y[:3, :2]),
               shapes=[((3, 5), (3, 2)), ((3, 5), (4, 3))], **more)


def written(x, write):
    """A copy of x that write() has changed."""
    x = x.clone()
    write(x)
    return x


SIGNED = FLOATS + INTS
index = {tg: lambda v: tg.Tensor(v), torch: lambda v: torch.tensor(v)}

ROWS = [
    unary("neg", dtypes=SIGNED), unary("abs", dtypes=SIGNED), unary("sign", dtypes=SIGNED), unary("floor"), unary("ceil"),
    Row("round", lambda t, x: t.round(x, decimals=2), dtypes=FLOATS), Row("round", lambda t, x: x.round(decimals=-1), low=-120, high=120),
    unary("round"),
    unary("trunc"), unary("exp"), unary("exp2"), unary("log", 0.1, 9), unary("log2", 0.1, 9), unary("sin"), unary("cos"),
    unary("tan", -1, 1),
    unary("sqrt", 0.1, 9), unary("rsqrt", 0.1, 9), unary("reciprocal", 0.5, 4), unary("square"), unary("isnan"), unary("isinf"),
    unary("isfinite"),
    Row("cast", lambda t, x: x.cast(t.float64), torch_f=lambda t, x: x.to(t.float64)), unary("logical_not"),
    unary("bitwise_not", dtypes=INTS, order=0), unary("erf"), unary("relu"), unary("sigmoid"), unary("tanh"),
    Row("silu", lambda t, x: t.silu(x), torch_f=lambda t, x: t.nn.functional.silu(x)),
    Row("gelu", lambda t, x: t.gelu(x), torch_f=lambda t, x: t.nn.functional.gelu(x), dtypes=FLOATS),
    Row("gelu", lambda t, x: t.gelu(x, approximate="tanh"), torch_f=lambda t, x: t.nn.functional.gelu(x, approximate="tanh"),
          dtypes=FLOATS),
    Row("clamp", lambda t, x: t.clamp(x, min=-1, max=2), dtypes=SIGNED), Row("clamp", lambda t, x: t.clamp(x, max=1)),
    Row("clamp", lambda t, x, y, z: t.clamp(x, y, z), shapes=[((3, 5), (5,), (3, 1)), ((), (), ())], dtypes=SIGNED),
    Row("clamp", lambda t, x, y: t.clamp(x, max=y), shapes=[((3, 5), (3, 5)), ((4,), (1,))], dtypes=SIGNED),
    Row("add", lambda t, x, y: t.add(x, y, alpha=2), shapes=PAIRS, dtypes=FLOATS + INTS),
    Row("sub", lambda t, x, y: x.sub(y, alpha=3), shapes=PAIRS, dtypes=FLOATS + INTS),
    Row("dropout", lambda t, x: t.dropout(x, 0.5, False)),
    unary("exp10", torch_f=lambda t, x: 10**x), unary("expm1"), unary("log10", 0.1, 9), unary("log1p", -0.5, 9),
    unary("asin", -0.9, 0.9), unary("acos", -0.9, 0.9), unary("atan"), unary("sinh"), unary("cosh"), unary("asinh"),
    unary("acosh", 1.2, 9), unary("atanh", -0.9, 0.9), unary("erfc"), unary("erfinv", -0.9, 0.9), unary("lgamma", 1, 9),
    unary("digamma", 1, 9), Row("polygamma", lambda t, x: t.polygamma(2, x), low=1, high=9, dtypes=["float32", "float64"]),
    activation("relu6"), activation("logsigmoid", dtypes=FLOATS), activation("mish"), activation("selu"),
    activation("softsign", dtypes=FLOATS),
    activation("hardsigmoid", order=1), activation("hardswish"),
    Row("hardtanh", lambda t, x: t.hardtanh(x, -2, 1.5), torch_f=lambda t, x: t.nn.functional.hardtanh(x, -2, 1.5), dtypes=FLOATS),
    Row("leaky_relu", lambda t, x: t.leaky_relu(x, 0.1), torch_f=lambda t, x: t.nn.functional.leaky_relu(x, 0.1), dtypes=FLOATS),
    Row("elu", lambda t, x: t.elu(x, alpha=2), torch_f=lambda t, x: t.nn.functional.elu(x, alpha=2), dtypes=FLOATS),
    Row("celu", lambda t, x: t.celu(x, 2), torch_f=lambda t, x: t.nn.functional.celu(x, 2), dtypes=FLOATS),
    Row("softplus", lambda t, x: t.softplus(x, beta=2, threshold=3), torch_f=lambda t, x: t.nn.functional.softplus(x, beta=2, threshold=3),
        dtypes=FLOATS),
    Row("prelu", lambda t, x, w: t.prelu(x, w), shapes=[((2, 3, 4), (3,)), ((5,), (1,))], dtypes=FLOATS),
    Row("glu", lambda t, x: t.glu(x, dim=1), torch_f=lambda t, x: t.nn.functional.glu(x, dim=1), shapes=[(3, 6), (2, 4, 3)], dtypes=FLOATS),
    Row("div", lambda t, x, y: t.div(x, y, rounding_mode="trunc"), shapes=PAIRS, order=0, domain1=(1.0, 4.0), dtypes=["float32"] + INTS),
    Row("div", lambda t, x, y: t.div(x, y, rounding_mode="floor"), shapes=PAIRS, order=0, domain1=(1.0, 4.0), dtypes=["float32"] + INTS),
    binary("fmod", order=0, domain1=(1.0, 4.0), dtypes=["float32", "float64"] + INTS + UNSIGNED),
    binary("atan2", domain0=(0.5, 3)), binary("hypot", domain0=(0.5, 3), dtypes=FLOATS), binary("logaddexp", dtypes=FLOATS),
    binary("copysign", dtypes=FLOATS), binary("nextafter", order=0, dtypes=["float64"]),
    Row("lerp", lambda t, x, y, w: t.lerp(x, y, w), shapes=[((3, 1), (1, 5), (3, 5)), ((), (), ())], dtypes=FLOATS),
    Row("isclose", lambda t, x, y: t.isclose(x, y, rtol=0.5, atol=0.1), shapes=PAIRS, dtypes=FLOATS),
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
    reduction("std", lambda t, x: t.std(x, 1, False, True), [(3, 5), (4, 2)], low=-30, dtypes=FLOATS),
    reduction("var", lambda t, x: x.var(False), [(3, 5), (7,)], dtypes=FLOATS),
    reduction("var", lambda t, x: x.var(1, True), [(3, 5)], dtypes=FLOATS),
    reduction("argmax", lambda t, x: t.argmax(x, dim=1), dtypes=FLOATS),
    reduction("argmin", lambda t, x: t.argmin(x), dtypes=FLOATS),
    reduction("softmax", lambda t, x: t.softmax(x, 1, dtype=t.float64)), reduction("softmax", lambda t, x: t.softmax(x, dim=1)),
    reduction("log_softmax", lambda t, x: x.log_softmax(0, dtype=t.float64)),
    reduction("log_softmax", lambda t, x: t.log_softmax(x, dim=-1)),
    along("cumsum", lambda t, x: t.cumsum(x, dim=1)), along("cumsum", lambda t, x: t.cumsum(x, dim=0), shapes=[(13,), (0,)]),
    along("cumsum", lambda t, x: t.cumsum(x, dim=0, dtype=t.float64)), along("cumprod", lambda t, x: x.cumprod(1, dtype=t.float64)),
    along("cumprod", lambda t, x: t.cumprod(x, dim=1), low=1, high=3, dtypes=FLOATS + ["int32", "int64"]),
    along("logcumsumexp", lambda t, x: t.logcumsumexp(x, dim=-1)),
    along("cummax", lambda t, x: t.cummax(x, dim=1)[0], distinct=True, dtypes=FLOATS + INTS + UNSIGNED),
    along("cummin", lambda t, x: t.cummin(x, dim=0)[0], distinct=True, dtypes=FLOATS + INTS + UNSIGNED),
    along("cummax", lambda t, x: t.cummax(x, dim=1)[1], dtypes=FLOATS),
    along("sort", lambda t, x: t.sort(x, dim=1)[0]), along("sort", lambda t, x: t.sort(x, dim=0, descending=True)[0]),
    along("argsort", lambda t, x: t.argsort(x, dim=1), dtypes=["float32", "float64"]),
    along("sort", lambda t, x: x.trunc().sort(stable=True, dim=1, descending=True)[1], dtypes=FLOATS + INTS, order=0),
    along("argsort", lambda t, x: t.argsort(x.trunc(), dim=0, stable=True), dtypes=FLOATS + INTS, order=0),
    along("topk", lambda t, x: x.topk(2, dim=1, largest=False, sorted=True)[0]),
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
    along("tile", lambda t, x: x.tile((2, 1, 3))), along("tile", lambda t, x: t.tile(x, dims=(2,))),
    along("flip", lambda t, x: t.flip(x, (0,))),
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
    along("hstack", lambda t, x, y: t.hstack([x, y]), shapes=[((3, 5), (3, 2)), ((2,), (3,)), ((), ())]),
    along("vstack", lambda t, x, y: t.vstack([x, y]), shapes=[((3, 5), (2, 5)), ((2,), (2,)), ((), (1,))]),
    along("stack", lambda t, x, y: t.stack([x, y], dim=-1), shapes=[((3, 5), (3, 5))]),
    along("gather", lambda t, x: t.gather(x, 1, index[t]([[0, 2], [1, 1], [2, 0]])), shapes=[(3, 5)]),
    along("take", lambda t, x: t.take(x, index[t]([2, 0, 2]), dim=1), torch_f=lambda t,
          x: t.index_select(x, 1, index[t]([2, 0, 2]))),
    along("index_select", lambda t, x: t.index_select(x, 0, index[t]([1, 1, 0]))),
    along("take_along_dim", lambda t, x: t.take_along_dim(x, index[t]([[4, 0]]), dim=1), shapes=[(3, 5), (1, 5)]),
    along("take_along_dim", lambda t, x: x.take_along_dim(index[t]([[2], [0], [2]]), 1), shapes=[(1, 5), (3, 3)]),
    along("take_along_dim", lambda t, x: x.take_along_dim(index[t]([0, 7, 0])), shapes=[(3, 5), (2, 4)]),
    along("pad", lambda t, x: t.pad(x, (2, 1), mode="reflect"), torch_f=lambda t, x: t.nn.functional.pad(x, (2, 1), mode="reflect")),
    along("pad", lambda t, x: t.pad(x, (2, 1), mode="replicate"), torch_f=lambda t, x: t.nn.functional.pad(x, (2, 1), mode="replicate"),
          order=1),
    along("pad", lambda t, x: t.pad(x, (2, 1), mode="circular"), shapes=[(2, 3, 4)],
          torch_f=lambda t, x: t.nn.functional.pad(x, (2, 1), mode="circular")),
    along("roll", lambda t, x: t.roll(x, (1, -2), dims=(0, 1))), along("roll", lambda t, x: t.roll(x, 2)),
    along("repeat_interleave", lambda t, x: t.repeat_interleave(x, 2, dim=1)),
    along("repeat_interleave", lambda t, x: x.repeat_interleave(3)),
    along("repeat_interleave", lambda t, x: x.repeat_interleave(index[t]([2, 0, 1]), dim=0), shapes=[(3, 5)]),
    along("repeat_interleave", lambda t, x: x[t.repeat_interleave(index[t]([2, 0, 1]))], shapes=[(3, 5)]),
    along("unfold", lambda t, x: x.unfold(1, 2, 2)), along("unfold", lambda t, x: x.unfold(-1, 3, 1)),
    along("diagonal", lambda t, x: t.diagonal(x, offset=1)), along("diagonal", lambda t, x: x.diagonal(-1, dim1=-2, dim2=-1)),
    along("diag", lambda t, x: t.diag(x, -1), shapes=[(3, 5), (4,)]), along("diag", lambda t, x: t.diag(x)[:, :2], shapes=[(3,)]),
    along("tril", lambda t, x: t.tril(x)), along("tril", lambda t, x: x.tril(1)), along("triu", lambda t, x: t.triu(x, diagonal=-1)),
    along("rearrange", lambda t, x: t.rearrange(x, "a (b c) -> c b a", b=2), shapes=[(3, 4)],
          torch_f=lambda t, x: x.reshape(len(x), 2, x.shape[1] // 2).permute(2, 1, 0)),
    along("rot90", lambda t, x: t.rot90(x), shapes=[(3, 5), (2, 3, 4)]),
    along("rot90", lambda t, x: t.rot90(x, -1, (1, 0)), shapes=[(3, 5)]),
    along("tensor_split", lambda t, x: t.tensor_split(x, 3, dim=1)[0]), along("tensor_split", lambda t, x: x.tensor_split((1, -2), 1)[1]),
    along("array_split", lambda t, x: t.array_split(x, 2)[0], torch_f=lambda t, x: t.tensor_split(x, 2)[0]),
    along("vsplit", lambda t, x: t.vsplit(x, [1])[1]), along("hsplit", lambda t, x: t.hsplit(x, [2])[0], shapes=[(3, 5), (5,)]),
    along("dsplit", lambda t, x: t.dsplit(x, 2)[1], shapes=[(2, 3, 4)]),
    along("dstack", lambda t, x, y: t.dstack([x, y]), shapes=[((3, 5), (3, 5)), ((2,), (2,)), ((), ())]),
    along("column_stack", lambda t, x, y: t.column_stack([x, y]), shapes=[((3, 5), (3,)), ((2,), (2,))]),
    *(along(f"atleast_{n}d", lambda t, x, n=n: getattr(t, f"atleast_{n}d")(x), shapes=[(), (3,), (3, 5), (2, 3, 4)]) for n in (1, 2, 3)),
    Row("atleast_2d", lambda t, x, y: t.cat(t.atleast_2d(x, y), 1), shapes=[((3,), (1, 5))]),
    along("broadcast_tensors", lambda t, x, y: t.broadcast_tensors(x, y)[0], shapes=[((3, 1), (1, 5)), ((), (2,))]),
    along("broadcast_arrays", lambda t, x, y: t.broadcast_arrays(x, y)[1], torch_f=lambda t, x, y: t.broadcast_tensors(x, y)[1],
          shapes=[((3, 1), (1, 5))]),
    along("diag_embed", lambda t, x: t.diag_embed(x), shapes=[(3,), (2, 3)]), along("diag_embed", lambda t, x: x.diag_embed(-2)),
    along("diag_embed", lambda t, x: x.diag_embed(1)), along("diag_embed", lambda t, x: t.diag_embed(x, -1, dim1=0, dim2=2)),
    along("block_diag", lambda t, x, y, z: t.block_diag(x, y, z), shapes=[((2, 3), (1, 2), (3, 1)), ((2,), (), (2, 2))]),
    along("cartesian_prod", lambda t, x, y: t.cartesian_prod(x, y), shapes=[((3,), (2,))]),
    along("cartesian_prod", lambda t, x: t.cartesian_prod(x), shapes=[(3,)]),
    along("combinations", lambda t, x: t.combinations(x), shapes=[(5,), (2,), (1,)]),
    along("combinations", lambda t, x: t.combinations(x, r=3), shapes=[(5,)]),
    along("combinations", lambda t, x: t.combinations(x, r=3, with_replacement=True), shapes=[(4,)]),
    along("vander", lambda t, x: t.vander(x), shapes=[(4,)], dtypes=FLOATS + INTS,  # PyTorch's has no gradient
          torch_f=lambda t, x: t.stack([x**n for n in reversed(range(len(x)))], 1)),
    along("vander", lambda t, x: t.vander(x, 3, increasing=True), torch_f=lambda t, x: t.stack([x**n for n in range(3)], 1), shapes=[(4,)],
          dtypes=FLOATS),
    along("pixel_shuffle", lambda t, x: t.pixel_shuffle(x, 2), shapes=[(2, 8, 3, 2), (4, 1, 1)]),
    along("pixel_unshuffle", lambda t, x: t.pixel_unshuffle(x, 2), shapes=[(2, 3, 4, 2)]),
    along("channel_shuffle", lambda t, x: t.channel_shuffle(x, 2), torch_f=lambda t, x: x.unflatten(1, (2, x.shape[1] // 2)).transpose(
        1, 2).flatten(1, 2), shapes=[(2, 4, 3, 2)]),
    along("select", lambda t, x: t.select(x, 1, -2)), along("narrow", lambda t, x: t.narrow(x, 1, 1, 2)),
    along("unbind", lambda t, x: t.unbind(x, dim=1)[1]), along("t", lambda t, x: x.t(), shapes=[(3, 5), (4,), ()]),
    along("ravel", lambda t, x: t.ravel(x)), along("swapaxes", lambda t, x: t.swapaxes(x, 0, -1)),
    along("swapdims", lambda t, x: x.swapdims(1, 0)), along("movedim", lambda t, x: t.movedim(x, 0, -1)),
    along("movedim", lambda t, x: x.movedim((0, 1), (2, -3)), shapes=[(2, 3, 4)]),
    along("moveaxis", lambda t, x: x.moveaxis(-1, 0)), along("mT", lambda t, x: x.mT),
    along("view_as", lambda t, x: x.view_as(t.ones(5, 3)), shapes=[(3, 5)]),
    along("reshape_as", lambda t, x: x.reshape_as(t.ones(15)), shapes=[(3, 5)]),
    along("expand_as", lambda t, x: x.expand_as(t.ones(2, 3, 5)), shapes=[(3, 5), (3, 1)]),
    along("index, integer", lambda t, x: x[1]),
    along("index, step", lambda t, x: x[:, 3::-2] if t is tg else x[:, [3, 1]], shapes=[(3, 5)]),
    along("index, None and ellipsis", lambda t, x: x[None, ..., 1]),
    along("index, integer tensors", lambda t, x: x[[0, 2, 0], [1, 0, 1]], shapes=[(3, 5)]),
    along("slice", lambda t, x: x[1:3, :2]),
    # writing by index
    Row("set, slice", lambda t, x, y: written(x, lambda z: z.__setitem__((slice(0, 2), 1), y)), shapes=[((3, 5), (2,)), ((3, 5), ())]),
    Row("x[i][j] += 1", lambda t, x, y: written(x, lambda z: z[1][2:4].add_(y)), shapes=[((3, 5), (2,))], dtypes=FLOATS + INTS),
    Row("add_, in place", lambda t, x, y: written(x, lambda z: z.add_(y)), shapes=[((3, 5), (5,))], dtypes=FLOATS + INTS),
    scattering("scatter", lambda t, x, i, y: t.scatter(x, 1, i, y), order=0, dtypes=["float32"]),
    Row("scatter", lambda t, x: t.scatter(x, 0, index[t]([[2, 0, 1, 0, 0]]), value=5), shapes=[(3, 5)], dtypes=FLOATS + INTS),
    scattering("scatter", lambda t, x, i, y: t.scatter(x, 1, i, y, reduce="multiply"),
               lambda t, x, i, y: t.scatter_reduce(x, 1, i, y, "prod"), order=1, dtypes=FLOATS),
    scattering("scatter_add", lambda t, x, i, y: t.scatter_add(x, 1, i, y), dtypes=FLOATS + INTS),
    *(scattering("scatter_reduce", lambda t, x, i, y, mode=mode: t.scatter_reduce(x, 1, i, y, mode), order=order, dtypes=FLOATS)
      for mode, order in (("sum", 2), ("prod", 1), ("mean", 1), ("amax", 1), ("amin", 1))),
    Row("index_add", lambda t, x, y: t.index_add(x, 1, index[t]([4, 0, 4]), y, alpha=2), shapes=[((3, 5), (3, 3))], dtypes=FLOATS + INTS),
    Row("masked_fill", lambda t, x: t.masked_fill(x, x > 1, -7), dtypes=SIGNED),
    Row("masked_select", lambda t, x: t.masked_select(x, x > 0)),
    Row("nonzero", lambda t, x: t.nonzero(x > 0), order=0), Row("nonzero", lambda t, x: t.nonzero(x)[-1:], shapes=[(3, 5)], order=0),
    Row("nonzero", lambda t, x: t.nonzero(x > 0, as_tuple=True)[1], shapes=[(3, 5)], order=0),
    Row("one_hot", lambda t, x: t.one_hot(index[t]([[2, 0], [1, 2]])) + x, shapes=[()], dtypes=FLOATS,
        torch_f=lambda t, x: t.nn.functional.one_hot(index[t]([[2, 0], [1, 2]])) + x),
    Row("one_hot", lambda t, x: t.one_hot(index[t]([2, 0]), 4) + x, shapes=[()], dtypes=["float32"],
        torch_f=lambda t, x: t.nn.functional.one_hot(index[t]([2, 0]), 4) + x),
    # products
    Row("einsum", lambda t, x, y: t.einsum("bij,bjk->bik", x, y), shapes=[((2, 3, 4), (2, 4, 5))], dtypes=FLOATS),
    Row("einsum", lambda t, x, y: t.einsum("...i,...i", [x, y]) if t is tg else t.einsum("...i,...i", x, y), shapes=[((2, 3), (2, 3))],
        dtypes=["float32"]),
    Row("einsum", lambda t, x: t.einsum("iij->j", x), shapes=[(3, 3, 2)], dtypes=["float32"]),
    Row("outer", lambda t, x, y: t.outer(x, y), shapes=[((3,), (5,)), ((0,), (2,))], dtypes=FLOATS),
    Row("tensordot", lambda t, x, y: t.tensordot(x, y, dims=1), shapes=[((2, 3), (3, 4))], dtypes=FLOATS),
    Row("tensordot", lambda t, x, y: t.tensordot(x, y, dims=([0, 2], [1, 0])), shapes=[((2, 3, 4), (4, 2, 5))], dtypes=FLOATS),
    Row("norm", lambda t, x: t.norm(x), shapes=[(3, 5), (4,)], dtypes=FLOATS),
    Row("norm", lambda t, x: t.norm(x, 3, dim=1), shapes=MATRICES, dtypes=FLOATS),
    Row("norm", lambda t, x: x.norm("fro", dim=1), shapes=[(3, 5)], dtypes=FLOATS),
    Row("linalg.norm", lambda t, x: t.linalg.norm(x, "fro"), shapes=[(3, 5)], dtypes=["float32"]),
    Row("linalg.vector_norm", lambda t, x: t.linalg.vector_norm(x, ord=3, dim=0, keepdim=True), shapes=[(3, 5)], dtypes=["float32"]),
    Row("norm", lambda t, x: t.norm(x, float("inf"), dim=0, keepdim=True), shapes=[(3, 5)], dtypes=FLOATS, order=1),
    Row("normalize", lambda t, x: t.normalize(x), torch_f=lambda t, x: t.nn.functional.normalize(x), shapes=MATRICES, dtypes=FLOATS),
    Row("normalize", lambda t, x: t.normalize(x, 3, dim=0), torch_f=lambda t, x: t.nn.functional.normalize(x, 3, dim=0), shapes=MATRICES,
        dtypes=FLOATS),
    Row("cosine_similarity", lambda t, x, y: t.cosine_similarity(x, y, dim=-1), shapes=[((3, 5), (3, 5)), ((1, 4), (3, 4))],
        dtypes=FLOATS),
    Row("trace", lambda t, x: t.trace(x), torch_f=lambda t, x: x.diagonal().sum(), shapes=[(3, 5), (1, 1), (0, 0)]),
    Row("addcmul", lambda t, x, y, z: t.addcmul(x, y, z, value=3), shapes=[((3, 5), (3, 1), (5,)), ((), (), ())], dtypes=FLOATS + INTS),
    Row("addcdiv", lambda t, x, y, z: t.addcdiv(x, y, z, value=0.5), shapes=[((3, 5), (3, 1), (5,))], dtypes=FLOATS, domain2=(1.0, 4.0)),
    Row("fmax", lambda t, x, y: t.fmax(x, y), shapes=PAIRS), Row("fmin", lambda t, x, y: t.fmin(x, y), shapes=PAIRS),
    Row("xlogy", lambda t, x, y: t.xlogy(x, y), shapes=PAIRS, domain1=(0.5, 4.0), dtypes=FLOATS),
    Row("heaviside", lambda t, x, y: t.heaviside(x.trunc(), y), torch_f=lambda t, x, y: t.heaviside(x.trunc(), y.detach()), shapes=PAIRS,
        order=0),
    Row("float_power", lambda t, x, y: t.float_power(x, y).to(x.dtype), shapes=PAIRS, domain0=(0.3, 3), domain1=(0, 3), dtypes=FLOATS),
    unary("frac", dtypes=FLOATS), unary("deg2rad"), unary("rad2deg"), unary("sinc"), unary("signbit"), unary("isposinf"), unary("isneginf"),
    Row("logit", lambda t, x: t.logit(x), low=0.05, high=0.95, dtypes=FLOATS),
    Row("logit", lambda t, x: t.logit(x, 0.2), low=0.05, high=0.95, dtypes=FLOATS),
    Row("threshold", lambda t, x: t.threshold(x, 0.5, 7.0), torch_f=lambda t, x: t.nn.functional.threshold(x, 0.5, 7.0), dtypes=FLOATS),
    Row("hardshrink", lambda t, x: t.hardshrink(x, 1.5), dtypes=FLOATS),
    Row("softshrink", lambda t, x: t.softshrink(x, 1.5), torch_f=lambda t, x: t.nn.functional.softshrink(x, 1.5), dtypes=FLOATS),
    activation("tanhshrink", dtypes=FLOATS),
    Row("softmin", lambda t, x: t.softmin(x, dim=1), torch_f=lambda t, x: t.nn.functional.softmin(x, dim=1), shapes=MATRICES),
    Row("clamp_min", lambda t, x, y: x.clamp_min(y), shapes=[((3, 5), (5,))], dtypes=FLOATS + INTS),
    Row("clamp_max", lambda t, x, y: t.clamp_max(x, y), shapes=[((3, 5), (3, 1))], dtypes=FLOATS + INTS),
    Row("clamp_min", lambda t, x: t.clamp_min(x, 1)), Row("clamp_max", lambda t, x: t.clamp_max(x, 1)),
    # products with a sum
    Row("addmm", lambda t, x, a, b: t.addmm(x, a, b, beta=2, alpha=3), shapes=[((2,), (3, 5), (5, 2)), ((3, 2), (3, 5), (5, 2))],
        dtypes=FLOATS + INTS, low=-1.9, high=1.9),
    Row("addmm", lambda t, x, a, b: x.addmm(a, b, beta=0), shapes=[((3, 2), (3, 5), (5, 2))], dtypes=FLOATS),
    Row("addmv", lambda t, x, a, b: t.addmv(x, a, b), shapes=[((3,), (3, 5), (5,)), ((1,), (3, 5), (5,))], dtypes=FLOATS),
    Row("addr", lambda t, x, a, b: t.addr(x, a, b, alpha=2), shapes=[((3, 2), (3,), (2,))], dtypes=FLOATS),
    Row("baddbmm", lambda t, x, a, b: t.baddbmm(x, a, b), shapes=[((2, 1, 2), (2, 3, 5), (2, 5, 2))], dtypes=FLOATS),
    Row("addbmm", lambda t, x, a, b: t.addbmm(x, a, b, beta=0.5), shapes=[((3, 2), (2, 3, 5), (2, 5, 2))], dtypes=FLOATS),
    Row("inner", lambda t, x, y: t.inner(x, y), shapes=[((2, 3, 4), (5, 4)), ((4,), (4,)), ((), (3,))], dtypes=FLOATS),
    Row("kron", lambda t, x, y: t.kron(x, y), shapes=[((2, 3), (3, 2)), ((2,), (2, 1, 3)), ((), (3,))]),
    Row("cross", lambda t, x, y: t.cross(x, y, dim=-1), shapes=[((4, 3), (4, 3))], dtypes=FLOATS + INTS),
    Row("cross", lambda t, x, y: t.cross(x, y), shapes=[((3, 3), (3, 3)), ((2, 3, 4), (2, 3, 4))], dtypes=["float32"]),
    Row("cdist", lambda t, x, y: t.cdist(x, y), shapes=[((2, 3, 4), (2, 5, 4)), ((1, 3), (2, 3))], dtypes=FLOATS, order=1),
    Row("cdist", lambda t, x, y: t.cdist(x, y, p=1.0), shapes=[((3, 4), (5, 4))], dtypes=["float32"], order=1),
    Row("pairwise_distance", lambda t, x, y: t.pairwise_distance(x, y, keepdim=True), shapes=[((3, 4), (3, 4)), ((3, 4), (1, 4))],
        dtypes=FLOATS),
    # writing whole entries
    Row("index_copy", lambda t, x, y: t.index_copy(x, 1, index[t]([4, 0]), y), shapes=[((3, 5), (3, 2))]),
    Row("index_fill", lambda t, x: t.index_fill(x, 1, index[t]([4, 0]), 2), shapes=[(3, 5)], dtypes=FLOATS + INTS),
    Row("masked_scatter", lambda t, x, y: t.masked_scatter(x, x > 0, y), shapes=[((3, 5), (4, 5))], dtypes=FLOATS + INTS),
    # statistics
    along("unique", lambda t, x: t.unique(x), shapes=[(3, 5), (0,), ()], order=0),
    along("unique", lambda t, x: t.unique(x, return_inverse=True, return_counts=True)[1], shapes=[(3, 5), (0,)], order=0),
    along("unique", lambda t, x: t.unique(x.round(), return_inverse=True, return_counts=True)[2], shapes=[(3, 5)], order=0),
    along("unique_consecutive", lambda t, x: t.unique_consecutive(x.round()), shapes=[(13,), (4, 5)], order=0),
    along("unique_consecutive", lambda t, x: t.unique_consecutive(x.round(), return_counts=True)[1], shapes=[(13,)], order=0),
    Row("bincount", lambda t, x: t.bincount(x.int(), minlength=5), shapes=[(13,), (0,)], low=0, high=9, order=0),
    Row("bincount", lambda t, x, y: t.bincount(x.int(), y), shapes=[((13,), (13,))], low=0, high=9, order=0, dtypes=["float32", "float64"]),
    Row("histc", lambda t, x: t.histc(x, 5), shapes=[(13,), (3, 5)], dtypes=["float32", "float64"], order=0),
    Row("histc", lambda t, x: t.histc(x, 4, -2, 2), shapes=[(3, 5)], dtypes=FLOATS[:3], order=0),
    Row("histogram", lambda t, x: t.histogram(x, 5, range=(-2, 2))[0], shapes=[(3, 5)], dtypes=["float32"], order=0),
    Row("histogram", lambda t, x: t.histogram(x, 5)[1], shapes=[(3, 5)], dtypes=["float32"], order=0),
    Row("searchsorted", lambda t, x, y: t.searchsorted(t.sort(x)[0], y), shapes=[((7,), (3, 5)), ((1,), ()), ((8,), (0,))], order=0),
    Row("searchsorted", lambda t, x, y: t.searchsorted(t.sort(x.round())[0], y.round(), right=True), shapes=[((3, 7), (3, 4))], order=0),
    Row("bucketize", lambda t, x: t.bucketize(x.round(), index[t]([-2, 0, 1]), right=True), shapes=SHAPES, order=0),
    Row("isin", lambda t, x: t.isin(x.round(), index[t]([-2, 0, 1])), shapes=SHAPES, order=0),
    Row("isin", lambda t, x: t.isin(x.round(), index[t]([-2, 0, 1]), invert=True), shapes=[(3, 5)], order=0),
    along("quantile", lambda t, x: t.quantile(x, 0.3, dim=1), dtypes=FLOATS),
    along("quantile", lambda t, x: t.quantile(x, t.tensor([0.0, 0.35, 1.0], dtype=x.dtype), dim=0, keepdim=True), dtypes=["float64"]),
    *(along("quantile", lambda t, x, how=how: t.quantile(x, 0.3, interpolation=how), dtypes=["float32"])
      for how in ("lower", "higher", "midpoint", "nearest")),
    along("kthvalue", lambda t, x: t.kthvalue(x, 2, dim=1)[0]), along("kthvalue", lambda t, x: x.kthvalue(3, 0, True)[1], shapes=[(5, 2)],
                                                                     dtypes=["float32"]),
    along("nansum", lambda t, x: t.nansum(t.where(x > 1, float("nan"), x), dim=1), dtypes=FLOATS,
          torch_f=lambda t, x: t.nansum(t.where(x > 1, t.tensor(float("nan"), dtype=x.dtype), x), dim=1)),
    along("nanmean", lambda t, x: t.nanmean(t.where(x > 1, float("nan"), x), dim=1), dtypes=FLOATS,
          torch_f=lambda t, x: t.nanmean(t.where(x > 1, t.tensor(float("nan"), dtype=x.dtype), x), dim=1)),
    along("var_mean", lambda t, x: t.var_mean(x, dim=1)[0]), along("std_mean", lambda t, x: t.std_mean(x, dim=0)[1]),
    along("aminmax", lambda t, x: t.aminmax(x, dim=1)[1], torch_f=lambda t, x: x.amax(1)),
    along("aminmax", lambda t, x: x.aminmax()[0], torch_f=lambda t, x: x.amin()),
    along("diff", lambda t, x: t.diff(x, prepend=x[..., :1], append=x), dtypes=SIGNED),
    along("diff", lambda t, x: t.diff(x), dtypes=SIGNED), along("diff", lambda t, x: t.diff(x, 2, dim=0), dtypes=SIGNED),
    along("trapezoid", lambda t, x: t.trapezoid(x, dx=0.5, dim=0), dtypes=FLOATS),
    Row("trapezoid", lambda t, x, y: t.trapezoid(x, y), shapes=[((3, 5), (5,)), ((3, 5), (3, 5))], dtypes=FLOATS),
    along("trapz", lambda t, x: t.trapz(x), dtypes=["float32"]),
    along("cov", lambda t, x: t.cov(x), shapes=[(3, 5), (4,)], dtypes=FLOATS),
    along("cov", lambda t, x: t.cov(x, correction=0), shapes=[(3, 5)], dtypes=["float32"]),
    along("corrcoef", lambda t, x: t.corrcoef(x)[1:, :1], shapes=[(3, 5)], dtypes=FLOATS, order=1),
    Row("nan_to_num", lambda t, x: t.nan_to_num(1 / x.trunc(), 0.5, 9, -9), shapes=[(13,)], dtypes=FLOATS, order=0, low=-1.9, high=1.9),
    Row("max", lambda t, x, y: t.max(x, y), shapes=PAIRS), Row("min", lambda t, x, y: x.min(y), torch_f=lambda t, x, y: t.min(x, y),
                                                              shapes=PAIRS),
    Row("count_nonzero", lambda t, x: t.count_nonzero(x, dim=1), shapes=MATRICES),
    along("matmul", lambda t, x, y: t.matmul(x, y),
          shapes=[((3, 5), (5, 2)), ((5,), (5, 2)), ((2, 1, 3, 5), (4, 5, 1)), ((3, 0), (0, 2))], dtypes=FLOATS),
    along("mm", lambda t, x, y: t.mm(x, y), shapes=[((3, 5), (5, 2))], dtypes=FLOATS),
    along("bmm", lambda t, x, y: t.bmm(x, y), shapes=[((2, 3, 5), (2, 5, 2))], dtypes=FLOATS),
    along("mv", lambda t, x, y: t.mv(x, vec=y), shapes=[((3, 5), (5,))], dtypes=FLOATS),
    along("dot", lambda t, x, y: t.dot(x, y), shapes=[((13,), (13,))], dtypes=FLOATS),
]


def weights(shape, seed):
    return np.random.default_rng(seed).uniform(0.5, 1.5, shape)


def derivatives(row, shapes, arrays, dtype="float32", order=2):
    """tg's results, lazily, and PyTorch's: the value, the gradient of each input, and the gradient of their weighted sum."""
    order = min(order, row.order)
    mine = [tg.Tensor(a, dtype=dtype, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in arrays]
    y, z = row.f(tg, *mine), row.torch_f(torch, *theirs)
    pairs = [(y, z.detach())]
    if not z.requires_grad or not order:
        return pairs
    w = tg.Tensor(weights(z.shape, 1)).to(dtype)
    g = tg.gradient(y, mine, grad_output=w, create_graph=order > 1)
    h = torch.autograd.grad(z, theirs, torch.tensor(w.double().numpy()), create_graph=order > 1, allow_unused=True)
    h = [torch.zeros_like(x) if d is None else d for d, x in zip(h, theirs)]
    pairs += [(a, b.detach()) for a, b in zip(g, h)]
    mixed = sum(((d * torch.tensor(weights(d.shape, 2))).sum() for d in h), torch.tensor(0.0))
    if order < 2 or not mixed.requires_grad:
        return pairs
    second = torch.autograd.grad(mixed, theirs, allow_unused=True)
    mine_mixed = sum((d * tg.Tensor(weights(d.shape, 2), dtype=dtype)).sum() for d in g)
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
    """Values in every dtype; gradients in every float, second derivatives in float64."""
    pairs = []
    shapes = row.shapes[-1]
    for dtype in row.dtypes:
        arrays = row.inputs(shapes, dtype)
        if dtype in FLOATS:
            found = derivatives(row, shapes, arrays, dtype, 2 if dtype == "float64" else 1)
            pairs += [(a, b, dtype) for a, b in found if dtype != "float32" or b is found[0][1]]
            continue
        mine = row.f(tg, *(tg.Tensor(a, dtype=dtype) for a in arrays))
        whole = torch.bool if dtype == "bool" else torch.int64
        exact = row.name.startswith(("bitwise", "logical", "any", "all"))
        theirs = row.torch_f(torch, *(torch.tensor(a).to(whole if exact else torch.float64) for a in arrays))
        pairs.append((mine, theirs, dtype))
    agree(pairs, row.name, scale=8)


def test_what_was_found_is_a_named_tuple():
    found = tg.Tensor([3.0, 1.0, 2.0]).sort()
    values, indices = found
    assert isinstance(found, tg.Found) and isinstance(found, tuple) and found.values is values and found[1] is indices
    assert repr(found) == "Found(values=Tensor([1., 2., 3.]), indices=Tensor([1, 2, 0]))"
    doubled = tg.vmap(lambda row: row.topk(2))(tg.Tensor([[1.0, 3.0, 2.0], [6.0, 5.0, 4.0]]))
    assert isinstance(doubled, tg.Found) and doubled.values.tolist() == [[3, 2], [6, 5]] and doubled.indices.tolist() == [[1, 2], [0, 1]]


def test_allclose():
    x = tg.Tensor([1.0, 2.0, float("nan")])
    assert tg.allclose(x, x, equal_nan=True) is True and tg.allclose(x, x) is False
    assert x[:2].allclose(x[:2] + 1e-3, rtol=1e-2) and not x[:2].allclose(x[:2] + 1e-3)


@pytest.mark.parametrize("call", [
    lambda t: t.linspace(-1, 2, 7), lambda t: t.linspace(3, 3, 1), lambda t: t.eye(3, 4), lambda t: t.arange(5, 0, -2),
    lambda t: t.meshgrid(t.arange(3), t.arange(2), indexing="ij")[1], lambda t: t.meshgrid(t.arange(3), t.arange(2), indexing="xy")[0],
    lambda t: t.logspace(-1, 2, 5), lambda t: t.logspace(0, 3, 4, base=2), lambda t: t.tril_indices(3, 4, -1),
    lambda t: t.triu_indices(4, 3),
    lambda t: t.full((2, 3), 1.5), lambda t: t.tril(t.ones(3, 4), -1)])
def test_creation(call):
    mine, theirs = call(tg), call(torch)
    assert mine.shape == tuple(theirs.shape)
    np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-6)


def test_tri_and_empty():
    np.testing.assert_array_equal(tg.tri(3, 4, 1).numpy(), np.tri(3, 4, 1))
    np.testing.assert_array_equal(tg.tri(3).numpy(), np.tri(3))
    assert tg.empty(2, 3, dtype="int8").shape == (2, 3)
