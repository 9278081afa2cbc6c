"""Windows, normalisation, attention and losses against PyTorch in float64: values, first and second derivatives, and dtypes.

Rows as in conformance_test.py, which says which function has none.
"""
import numpy as np
import pytest
import torch
import torch.nn.functional as F

import tg
import tg.nn.functional as G
from conformance_test import FLOATS, INTS, TOLERANCE, Row, agree, derivatives, index

library = {tg: G, torch: F}


def row(name, call, shapes, torch_f=None, **more):
    """call(F, inputs...) with tg.nn.functional or torch.nn.functional."""
    theirs = torch_f or call
    return Row(name, lambda t, *x: call(G, *x), torch_f=lambda t, *x: theirs(F, *x), shapes=shapes, **{"dtypes": FLOATS, **more})


def integers(f, values):
    return index[tg if f is G else torch](values)


SPATIAL = {1: [9], 2: [7, 5], 3: [4, 5, 3]}


def windows(n):
    """Rows of the functions over n axes."""
    s = SPATIAL[n]
    conv, transposed = f"conv{n}d", f"conv_transpose{n}d"
    size = tuple([3, 2, 2][:n])
    x, grouped = (2, 4, *s), ((2, 4, *s), (6, 2, *size), (6,))
    yield row(conv, lambda f, x, w: getattr(f, conv)(x, w), [(x, (3, 4, *size)), ((4, *s), (1, 4, *size))])
    yield row(conv, lambda f, x, w, b: getattr(f, conv)(x, w, b, stride=2, padding=1, groups=2), [grouped])
    yield row(conv, lambda f, x, w, b: getattr(f, conv)(x, w, b, padding="same", dilation=2, groups=2), [grouped])
    yield row(conv, lambda f, x, w: getattr(f, conv)(x, w, padding=[(0, 2)] * n) if f is G else
              getattr(f, conv)(f.pad(x, (0, 2) * n), w), [(x, (3, 4, *size))])
    yield row(transposed, lambda f, x, w: getattr(f, transposed)(x, w), [(x, (4, 3, *size)), ((4, *s), (4, 1, *size))])
    yield row(transposed, lambda f, x, w, b: getattr(f, transposed)(x, w, b, stride=3, padding=1, output_padding=2, groups=2, dilation=2),
              [((1, 4, *s), (4, 3, *size), (6,))])
    yield row(transposed, lambda f, x, w: getattr(f, transposed)(x, w, stride=2, output_padding=1), [(x, (4, 1, *[1] * n))])
    high, mean = f"max_pool{n}d", f"avg_pool{n}d"
    distinct = {"distinct": True}
    yield row(high, lambda f, x: getattr(f, high)(x, 2), [x], dtypes=FLOATS + ["int8", "int32"] if n == 2 else FLOATS, **distinct)
    yield row(high, lambda f, x: getattr(f, high)(x, 3, 2, 1, ceil_mode=True), [x, (4, *s)], **distinct)
    yield row(high, lambda f, x: getattr(f, high)(x, 2, stride=1, dilation=2, padding=1), [x], **distinct)
    yield row(high, lambda f, x: getattr(f, high)(x, 3, 2, 1, ceil_mode=True, return_indices=True)[0], [x], **distinct)
    yield row(high, lambda f, x: getattr(f, high)(x, 3, 2, 1, return_indices=True)[1], [x, (4, *s)], order=0, dtypes=["float32"],
              **distinct)
    yield row(high, lambda f, x: getattr(f, high)(x, 2, 3, 0, 2 if n != 3 else 1, return_indices=True)[1], [x], order=0,
              dtypes=["float32"], **distinct)
    yield row(mean, lambda f, x: getattr(f, mean)(x, 2), [x, (4, *s)])
    yield row(mean, lambda f, x: getattr(f, mean)(x, 3, 2, 1, ceil_mode=True), [x])
    yield row(mean, lambda f, x: getattr(f, mean)(x, 3, 1, padding=1, count_include_pad=False), [x])
    yield row(mean, lambda f, x: getattr(f, mean)(x, 3, 2, 1, ceil_mode=True, count_include_pad=False), [x])
    if n > 1:
        yield row(mean, lambda f, x: getattr(f, mean)(x, 2, divisor_override=3), [x])
    highest, average, to = f"adaptive_max_pool{n}d", f"adaptive_avg_pool{n}d", tuple([4, 3, 3][:n])
    yield row(highest, lambda f, x: getattr(f, highest)(x, to), [x, (4, *s)], **distinct)
    yield row(highest, lambda f, x: getattr(f, highest)(x, 1, return_indices=True)[1], [x], order=0, dtypes=["float32"], **distinct)
    yield row(highest, lambda f, x: getattr(f, highest)(x, to, return_indices=True)[1], [x], order=0, dtypes=["float32"], **distinct)
    yield row(average, lambda f, x: getattr(f, average)(x, to), [x, (4, *s)])
    yield row(average, lambda f, x: getattr(f, average)(x, 1), [x])
    for f_of in (highest, average) if n > 1 else ():
        yield row(f_of, lambda f, x, f_of=f_of: getattr(f, f_of)(x, (None, *to[1:])), [x], **distinct)
    linear, other = ["linear", "bilinear", "trilinear"][n - 1], tuple([4, 9, 5][:n])
    yield row("interpolate", lambda f, x: f.interpolate(x, other), [x])
    yield row("interpolate", lambda f, x: f.interpolate(x, scale_factor=2), [x])
    yield row("interpolate", lambda f, x: f.interpolate(x, other, mode=linear, align_corners=False), [x])
    yield row("interpolate", lambda f, x: f.interpolate(x, other, mode=linear, align_corners=True), [x])
    yield row("interpolate", lambda f, x: f.interpolate(x, scale_factor=1.5, mode=linear, align_corners=False), [x])
    yield row("interpolate", lambda f, x: f.interpolate(x, 1, mode=linear, align_corners=True), [x])


def attention(f, q, k, v, mask=None, causal=False, scale=None):
    """The formula, for a PyTorch that has no such function yet."""
    if f is G:
        return f.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, scale=scale, enable_gqa=q.ndim == 4)
    if q.ndim == 4:
        k, v = (t.repeat_interleave(q.shape[1] // t.shape[1], 1) for t in (k, v))
    scores = q @ k.transpose(-1, -2) * (scale or q.shape[-1] ** -0.5)
    if causal:
        scores = scores.masked_fill(~torch.ones(scores.shape[-2:], dtype=torch.bool).tril(), -torch.inf)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    return scores.softmax(-1) @ v


QKV = [((2, 3, 4), (2, 5, 4), (2, 5, 6)), ((1, 4, 3, 2), (1, 2, 5, 2), (1, 2, 5, 3))]
SEEN = [[True, False, True, True, False], [False, True, True, True, True], [True, True, True, True, True]]
WEIGHTS = [0.5, 2.0, 1.0, 0.0, 1.5]
CLASSES = [2, 0, 4, 1]


ROWS = [r for n in (1, 2, 3) for r in windows(n)] + [
    row("layer_norm", lambda f, x, w, b: f.layer_norm(x, w.shape, w, b), [((2, 3, 5), (5,), (5,)), ((2, 3, 5), (3, 5), (3, 5))]),
    row("layer_norm", lambda f, x: f.layer_norm(x, (5,)), [(2, 3, 5)]),
    row("batch_norm", lambda f, x, m, v, w, b: f.batch_norm(x, m, v * v + 1, w, b), [((4, 3, 2), (3,), (3,), (3,), (3,))],
        torch_f=lambda f, x, m, v, w, b: (x - m[:, None]) * (v * v + 1 + 1e-5)[:, None].rsqrt() * w[:, None] + b[:, None]),
    row("batch_norm", lambda f, x, m, v: f.batch_norm(x, m, v * v + 1), [((4, 3), (3,), (3,))],
        torch_f=lambda f, x, m, v: (x - m) * (v * v + 1 + 1e-5).rsqrt()),
    row("group_norm", lambda f, x, w, b: f.group_norm(x, 2, w, b), [((2, 6, 5), (6,), (6,)), ((3, 4), (4,), (4,))]),
    row("group_norm", lambda f, x: f.group_norm(x, 3), [(2, 6, 3, 2)]),
    row("instance_norm", lambda f, x, w, b: f.instance_norm(x, weight=w, bias=b), [((2, 3, 5), (3,), (3,)), ((1, 2, 3, 4), (2,), (2,))]),
    row("rms_norm", lambda f, x, w: f.rms_norm(x, w.shape, w), [((2, 3, 5), (5,)), ((2, 3, 5), (3, 5))],
        torch_f=lambda f, x, w: x * (x.square().mean(tuple(range(-w.dim(), 0)), keepdim=True) + 1e-5).rsqrt() * w),
    row("linear", lambda f, x, w, b: f.linear(x, w, b), [((2, 3, 5), (4, 5), (4,))]),
    row("scaled_dot_product_attention", attention, QKV),
    row("scaled_dot_product_attention", lambda f, q, k, v: attention(f, q, k, v, causal=True, scale=0.3), QKV),
    row("scaled_dot_product_attention", lambda f, q, k, v: attention(f, q, k, v, integers(f, SEEN)), QKV),
    row("scaled_dot_product_attention", lambda f, q, k, v, m: attention(f, q, k, v, m), [(*QKV[0], (3, 5)), (*QKV[1], (1, 4, 3, 5))]),
    row("embedding", lambda f, x: f.embedding(integers(f, [[1, 2], [0, 2]]), x), [(3, 4)]),
    row("embedding", lambda f, x: f.embedding(integers(f, [1, 2, 0, 2]), x, padding_idx=-1), [(3, 4)]),
    row("binary_cross_entropy", lambda f, x, t: f.binary_cross_entropy(x, t), [((3, 4), (3, 4))], low=0.05, high=0.95),
    row("binary_cross_entropy", lambda f, x, t, w: f.binary_cross_entropy(x, t, weight=w, reduction="sum"), [((3, 4), (3, 4), (4,))],
        torch_f=lambda f, x, t, w: (w * f.binary_cross_entropy(x, t, reduction="none")).sum(), low=0.05, high=0.95),
    row("binary_cross_entropy_with_logits", lambda f, x, t: f.binary_cross_entropy_with_logits(x, t), [((3, 4), (3, 4))],
        domain1=(0, 1)),
    row("binary_cross_entropy_with_logits", lambda f, x, t, w, p: f.binary_cross_entropy_with_logits(x, t, w, pos_weight=p),
        [((3, 4), (3, 4), (4,), (4,))], domain1=(0, 1),
        torch_f=lambda f, x, t, w, p: -(w * (p * t * f.logsigmoid(x) + (1 - t) * f.logsigmoid(-x))).mean()),
    row("kl_div", lambda f, x, t: f.kl_div(x, t, reduction="batchmean"), [((3, 4), (3, 4))], domain1=(0.1, 1)),
    row("kl_div", lambda f, x, t: f.kl_div(x, t, reduction="mean", log_target=True), [((3, 4), (3, 4))]),
]
PM = lambda f, t: (t > 0) * 2.0 - 1  # noqa: E731  a target of 1 and -1
ROWS += [
    row("margin_ranking_loss", lambda f, x, y, t: f.margin_ranking_loss(x, y, PM(f, t).to(x.dtype), margin=0.3),
        [((3, 4), (3, 4), (3, 4))]),
    row("hinge_embedding_loss", lambda f, x, t: f.hinge_embedding_loss(x, PM(f, t).to(x.dtype)), [((3, 4), (3, 4))]),
    row("cosine_embedding_loss", lambda f, x, y, t: f.cosine_embedding_loss(x, y, PM(f, t).to(x.dtype), margin=-0.2),
        [((4, 5), (4, 5), (4,))]),
    row("soft_margin_loss", lambda f, x, t: f.soft_margin_loss(x, PM(f, t).to(x.dtype)), [((3, 4), (3, 4))]),
    row("multilabel_soft_margin_loss", lambda f, x, t, w: f.multilabel_soft_margin_loss(x, t, w), [((3, 4), (3, 4), (4,))], domain1=(0, 1)),
    row("triplet_margin_loss", lambda f, a, p, n: f.triplet_margin_loss(a, p, n, reduction="none"), [((3, 4), (3, 4), (3, 4))]),
    row("triplet_margin_loss", lambda f, a, p, n: f.triplet_margin_loss(a, p, n, margin=2.0, swap=True), [((3, 4), (3, 4), (3, 4))]),
    row("poisson_nll_loss", lambda f, x, t: f.poisson_nll_loss(x, t, full=True), [((3, 4), (3, 4))], domain1=(0.2, 4)),
    row("poisson_nll_loss", lambda f, x, t: f.poisson_nll_loss(x, t, log_input=False, reduction="sum"), [((3, 4), (3, 4))], low=0.2),
    row("gaussian_nll_loss", lambda f, x, t, v: f.gaussian_nll_loss(x, t, v, full=True), [((3, 4), (3, 4), (3, 4))], domain2=(0.5, 2)),
]
for loss, extra in (("mse_loss", {}), ("l1_loss", {}), ("huber_loss", {"delta": 0.7}), ("smooth_l1_loss", {"beta": 0.6})):
    ROWS += [row(loss, lambda f, x, t, loss=loss, extra=extra, r=r: getattr(f, loss)(x, t, reduction=r, **extra), [((3, 5), (3, 5))])
             for r in ("none", "mean", "sum")]
for loss in ("nll_loss", "cross_entropy"):
    def call(f, x, loss=loss, targets=CLASSES, weighted=False, **keywords):
        weight = {tg: tg.Tensor, torch: torch.tensor}[tg if f is G else torch](WEIGHTS) if weighted else None
        if weight is not None and f is F:
            weight = weight.double()
        return getattr(f, loss)(x, integers(f, targets), weight, **keywords)
    ROWS += [row(loss, lambda f, x, c=call: c(f, x), [(4, 5)]), row(loss, lambda f, x, c=call: c(f, x, targets=3), [(5,)]),
             row(loss, lambda f, x, c=call: c(f, x, weighted=True, ignore_index=4), [(4, 5)]),
             row(loss, lambda f, x, c=call: c(f, x, weighted=True, reduction="none"), [(4, 5)]),
             row(loss, lambda f, x, c=call: c(f, x, targets=[[1, -100, 4], [0, 2, 2]], reduction="sum"), [(2, 5, 3)])]
ROWS += [
    row("unfold", lambda f, x: f.unfold(x, 2), [(2, 3, 4, 5)]),
    row("unfold", lambda f, x: f.unfold(x, (2, 3), dilation=(2, 1), padding=(1, 0), stride=(1, 2)), [(1, 2, 4, 6), (2, 3, 5)]),
    row("cross_entropy", lambda f, x, c=call: c(f, x, label_smoothing=0.2), [(4, 5)]),
    row("cross_entropy", lambda f, x, c=call: c(f, x, weighted=True, label_smoothing=0.2, ignore_index=0), [(4, 5)]),
    row("cross_entropy", lambda f, x, t: f.cross_entropy(x, t), [((4, 5), (4, 5)), ((2, 5, 3), (2, 5, 3)), ((5,), (5,))]),
    row("cross_entropy", lambda f, x, t: f.cross_entropy(x, t, label_smoothing=0.1, reduction="sum"), [((4, 5), (4, 5))]),
]
names = [f"{r.name}{i}" for i, r in enumerate(ROWS)]


@pytest.mark.parametrize("row", ROWS, ids=names)
def test_values_and_derivatives(row):
    pairs = []
    for shapes in row.shapes:
        pairs += [(a, b, shapes) for a, b in derivatives(row, shapes, row.inputs(shapes, "float32"))]
    agree(pairs, row.name, scale=10)


@pytest.mark.parametrize("row", [r for i, r in enumerate(ROWS) if r.name not in {p.name for p in ROWS[:i]}], ids=lambda r: r.name)
def test_dtypes(row):
    pairs = []
    for dtype in row.dtypes:
        found = derivatives(row, row.shapes[0], row.inputs(row.shapes[0], dtype), dtype, 1) if dtype in FLOATS else [
            (row.f(tg, *(tg.Tensor(a, dtype=dtype) for a in row.inputs(row.shapes[0], dtype))),
             row.torch_f(torch, *(torch.tensor(a) for a in row.inputs(row.shapes[0], dtype))))]
        assert all(mine.dtype.name == dtype or not theirs.is_floating_point() for mine, theirs in found)
        pairs += [(mine, theirs, dtype) for mine, theirs in found]
    agree(pairs, row.name, scale=8)
