"""Layers with PyTorch's tensors in float64: values, and first and second derivatives by input and parameters."""
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from nn_test import copied

import tg


class RMSNorm(torch.nn.Module):  # which PyTorch 1.13 has not
    def __init__(self, n):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(n))

    def forward(self, x):
        return x / ((x * x).mean(-1, keepdim=True) + 1e-5).sqrt() * self.weight


SQUARE = [(2, 4, 3, 5)]
# A layer of docs/ops.md: how it is made of tg.nn or torch.nn, and the shapes of its inputs.
LAYERS = {
    "Linear": (lambda n: n.Linear(5, 3), [(2, 5)]),
    "Conv2d": (lambda n: n.Conv2d(4, 6, (3, 2), stride=2, padding=1, groups=2), SQUARE),
    "ConvTranspose2d": (lambda n: n.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2), SQUARE),
    "BatchNorm": (lambda n: n.BatchNorm2d(4), SQUARE),
    "LayerNorm": (lambda n: n.LayerNorm((3, 5)), SQUARE),
    "GroupNorm": (lambda n: n.GroupNorm(2, 4), SQUARE),
    "InstanceNorm": (lambda n: n.InstanceNorm2d(4, affine=True), SQUARE),
    "RMSNorm": (lambda n: getattr(n, "RMSNorm", RMSNorm)(5), [(3, 5)]),
    "RNN": (lambda n: n.RNN(3, 4, num_layers=2), [(3, 2, 3)]),
    "LSTM": (lambda n: n.LSTM(3, 4, bidirectional=True), [(3, 2, 3)]),
    "GRU": (lambda n: n.GRU(3, 4), [(3, 2, 3)]),
    "MultiheadAttention": (lambda n: n.MultiheadAttention(6, 2), [(3, 2, 6), (5, 2, 6), (5, 2, 6)]),
    "TransformerEncoderLayer": (lambda n: n.TransformerEncoderLayer(6, 2, 7, 0.0, "gelu"), [(3, 2, 6)]),
    "TransformerDecoderLayer": (lambda n: n.TransformerDecoderLayer(6, 2, 7, 0.0, "gelu"), [(3, 2, 6), (5, 2, 6)]),
}


def first(result):
    return result[0] if isinstance(result, tuple) else result


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("name", LAYERS)
def test_are_pytorchs(name, training):
    make, shapes = LAYERS[name]
    layer = make(tg.nn).double().train(training)
    module = copied(make(torch.nn).double(), layer).train(training)
    given = dict(module.named_parameters())
    results = []
    for call, tensor, parameters, gradient in (
            (layer, tg.Tensor, layer.parameters(), tg.gradient),
            (module, torch.tensor, [given[n] for n, _ in layer.named_parameters()], torch.autograd.grad)):
        rng = np.random.default_rng(0)
        inputs = [tensor(rng.normal(size=s), requires_grad=True) for s in shapes] + list(parameters)
        y = first(call(*inputs[:len(shapes)]))
        first_order = gradient((y * tensor(rng.normal(size=tuple(y.shape)))).sum(), inputs, create_graph=True)
        mixed = sum((d * tensor(rng.normal(size=tuple(d.shape)))).sum() for d in first_order)
        # Of no input that the first order leaves out is there a second: 0.
        results.append([y, *first_order, *gradient(mixed + sum((x * 0).sum() for x in inputs), inputs)])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-9)


def test_every_layer_is_here():
    page = Path(os.environ["TG_TEST_SOURCE"], "docs/ops.md").read_text()
    assert re.findall(r"^\| (\w+) \| floats", page[page.index("## Layers"):], re.M) == list(LAYERS)
