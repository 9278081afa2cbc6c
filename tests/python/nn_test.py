"""Layers and files in Python: PyTorch's results, and the C++ program's to the last bit."""
import copy
import os
import pickle
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch

import tg
from tg import Tensor, nn, optim

BUILD, SOURCE = os.environ["TG_TEST_BUILD"], os.environ["TG_TEST_SOURCE"]

CPP = r"""
#include <bit>
#include <cstdio>
#include <tg/nn.hpp>
#include <tg/optim.hpp>
#include <tg/tg.hpp>
int main() {
  tg::manual_seed(3);
  tg::nn::Conv2d conv(1, 4, 3, {.padding = 1});
  tg::nn::BatchNorm norm(4);
  tg::nn::Linear out(64, 3);
  tg::nn::State state;
  tg::nn::append(state, "conv", conv.state());
  tg::nn::append(state, "norm", norm.state());
  tg::nn::append(state, "out", out.state());
  tg::nn::AdamW optimizer(state, {.lr = 0.01, .weight_decay = 0.02});
  for (int step = 0; step < 6; ++step) {
    const tg::Tensor x = tg::Tensor::randn({5, 1, 8, 8}), y = tg::Tensor::randint({5}, 0, 3);
    const tg::Tensor h = norm(conv(x)).relu().max_pool2d().flatten(1).dropout(0.25);
    const tg::Tensor loss = out(h).cross_entropy(y);
    loss.backward();
    optimizer.step({loss});
    std::printf("%08x\n", std::bit_cast<unsigned>(loss.item<float>()));
  }
}
"""


class Net(nn.Module):
    def __init__(self):
        self.conv, self.norm, self.out = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Linear(64, 3)

    def forward(self, x):
        return self.out(self.norm(self.conv(x)).relu().max_pool2d(2).flatten(1).dropout(0.25))


def losses(steps):
    tg.manual_seed(3)
    net = Net()
    optimizer = optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.02)
    for _ in range(steps):
        x, y = tg.randn(5, 1, 8, 8), tg.randint(0, 3, (5,))
        loss = net(x).cross_entropy(y)
        loss.backward()
        optimizer.step(loss)
        yield loss.item()


def test_training_has_the_same_bits_in_both_languages(tmp_path):
    (tmp_path / "train.cpp").write_text(CPP)
    program = tmp_path / "train"
    subprocess.run(["c++", "-std=c++20", "-O1", f"-I{SOURCE}/include", tmp_path / "train.cpp", "-o", program, f"-L{BUILD}", "-ltg",
                    f"-Wl,-rpath,{BUILD}"], check=True)
    expected = subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()
    assert [struct.pack(">f", loss).hex() for loss in losses(6)] == expected and len(expected) == 6


def test_state_is_found_in_pytorchs_manner():
    class Deep(nn.Module):
        def __init__(self):
            self.scale = tg.ones(1, requires_grad=True)
            self.blocks = [nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 3, bias=False), nn.ReLU(), nn.BatchNorm1d(3))]
            self.heads = {"a": nn.Linear(3, 1)}
    deep = Deep()
    names = ["scale", "blocks.0.weight", "blocks.0.bias", "blocks.1.0.weight", "blocks.1.2.weight", "blocks.1.2.bias",
             "blocks.1.2.running_mean", "blocks.1.2.running_var", "heads.a.weight", "heads.a.bias"]
    assert list(deep.state_dict()) == names and len(list(deep.modules())) == 7
    assert [n for n, _ in deep.named_parameters()] == [n for n in names if "running" not in n]
    assert len(deep.parameters()) == 8 and deep.blocks[1][0].bias is None
    assert repr(nn.Sequential(deep.blocks[0], tg.relu)) == (
        "Sequential(\n  (0): Linear(in_features=2, out_features=3, bias=True)\n  (1): relu()\n)")


def test_training_and_evaluation():
    net = nn.Sequential(nn.BatchNorm1d(3), nn.Dropout(0.5))
    x = tg.randn(64, 3) * 3 + 1
    assert net.training and (net(x) == 0).any().item()
    net[0].running_mean.realize()
    assert net.eval() is net and not net[0].training
    expected = (x.numpy() - net[0].running_mean.numpy()) / np.sqrt(net[0].running_var.numpy() + 1e-5)
    assert np.allclose(net(x).numpy(), expected, atol=1e-6)
    assert net.train()[0].training and (net(x) == 0).any().item()


def copied(module, layer):
    """The PyTorch module with the layer's tensors."""
    module.load_state_dict({name: torch.tensor(t.numpy()) for name, t in layer.state()}, strict=False)
    return module


@pytest.mark.parametrize("layer, module, shape", [
    (nn.Linear(5, 3), torch.nn.Linear(5, 3), (2, 7, 5)), (nn.Linear(5, 3, bias=False), torch.nn.Linear(5, 3, bias=False), (5,)),
    (nn.Conv2d(4, 6, (3, 2), stride=2, padding=1, groups=2), torch.nn.Conv2d(4, 6, (3, 2), stride=2, padding=1, groups=2), (2, 4, 7, 5)),
    (nn.Conv1d(4, 6, 3, padding="same"), torch.nn.Conv1d(4, 6, 3, padding="same"), (2, 4, 9)),
    (nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1, groups=2),
     torch.nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1, groups=2), (2, 4, 5, 4)),
    (nn.Conv3d(2, 3, 2, 2), torch.nn.Conv3d(2, 3, 2, 2), (1, 2, 4, 5, 4)),
    (nn.ConvTranspose1d(2, 3, 3, 2), torch.nn.ConvTranspose1d(2, 3, 3, 2), (2, 2, 4)),
    (nn.ConvTranspose3d(2, 3, 2, 2), torch.nn.ConvTranspose3d(2, 3, 2, 2), (1, 2, 2, 3, 2)),
    (nn.GroupNorm(2, 4), torch.nn.GroupNorm(2, 4), (2, 4, 5)),
    (nn.InstanceNorm2d(3, affine=True), torch.nn.InstanceNorm2d(3, affine=True), (2, 3, 5, 4)),
    (nn.InstanceNorm1d(3), torch.nn.InstanceNorm1d(3), (2, 3, 5)), (nn.InstanceNorm3d(2), torch.nn.InstanceNorm3d(2), (2, 2, 3, 2, 2)),
    (nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3), (4, 3)), (nn.BatchNorm3d(2), torch.nn.BatchNorm3d(2), (2, 2, 3, 2, 2)),
    (nn.TransformerEncoderLayer(8, 2, 12, 0.0), torch.nn.TransformerEncoderLayer(8, 2, 12, 0.0), (5, 2, 8)),
    (nn.TransformerEncoderLayer(8, 2, 12, 0.0, "gelu", batch_first=True, norm_first=True),
     torch.nn.TransformerEncoderLayer(8, 2, 12, 0.0, "gelu", batch_first=True, norm_first=True), (2, 5, 8)),
    (nn.BatchNorm2d(3), torch.nn.BatchNorm2d(3), (4, 3, 5, 2)), (nn.LayerNorm((3, 4)), torch.nn.LayerNorm((3, 4)), (2, 3, 4)),
    (nn.LayerNorm(4, 1e-3, elementwise_affine=False), torch.nn.LayerNorm(4, 1e-3, elementwise_affine=False), (2, 3, 4)),
    (nn.Dropout(0.0, inplace=False), torch.nn.Dropout(0.0, inplace=False), (2, 3)),
], ids=lambda v: type(v).__name__ if not isinstance(v, tuple) else "")
def test_layers_are_pytorchs(layer, module, shape):
    module = copied(module, layer)
    x = np.random.default_rng(0).normal(size=shape).astype("f")
    mine, theirs = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    out, expected = layer(mine), module(theirs)
    out.backward(tg.ones(out.shape) * out.detach())
    expected.backward(expected.detach())
    assert np.allclose(out.numpy(), expected.detach().numpy(), atol=2e-5)
    assert np.allclose(mine.grad.numpy(), theirs.grad.numpy(), atol=1e-4)
    gradients = {name: p.grad.numpy() for name, p in module.named_parameters()}
    assert all(np.allclose(p.grad.numpy(), gradients[name], atol=2e-4) for name, p in layer.named_parameters())


def test_dropout_in_place():
    x, layer = tg.ones(100), nn.Dropout(0.5, True)
    assert layer(x) is x and set(x.tolist()) == {0.0, 2.0} and repr(layer) == "Dropout(p=0.5, inplace=True)"
    assert nn.Dropout(inplace=True).eval()(x) is x and not nn.Dropout().inplace
    assert repr(nn.LayerNorm(4, elementwise_affine=False)) == repr(torch.nn.LayerNorm(4, elementwise_affine=False))


def test_rms_norm():
    layer = nn.RMSNorm(5, eps=1e-3)
    x = np.random.default_rng(0).normal(size=(2, 3, 5)).astype("f")
    assert np.allclose(layer(Tensor(x)).numpy(), x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-3), atol=1e-6)
    assert list(layer.state_dict()) == ["weight"] and layer.weight.shape == (5,)


def test_parameters():
    net = Net()
    parameters = net.parameters()
    assert isinstance(parameters, nn.Parameters)
    assert [n for n, _ in net.named_parameters()] == [n for n, t in parameters.state if t.requires_grad]
    (net(tg.ones(2, 1, 8, 8)) * 1.0).sum().backward()
    assert all(p.grad is not None for p in parameters)
    net.zero_grad()
    assert all(p.grad is None for p in parameters)


@pytest.mark.parametrize("make", [
    Net, lambda: nn.Linear(2, 3, bias=False, dtype="float64"), lambda: nn.Embedding(4, 3, padding_idx=1), lambda: nn.Dropout(0.3),
    lambda: nn.Sequential(nn.LayerNorm(3), nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5))).eval(),
    lambda: nn.TransformerEncoderLayer(8, 2, 12)])
def test_modules_are_copied_and_pickled(make):
    net = make()
    for _, tensor in list(net.state())[:1]:
        tensor.requires_grad_(False)
    tg.manual_seed(1)
    before = tg.rand(2).tolist()
    tg.manual_seed(1)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert repr(other) == repr(net) and [m.training for m in other.modules()] == [m.training for m in net.modules()]
        for (name, x), (other_name, y) in zip(net.state(), other.state(), strict=True):
            assert name == other_name and x.dtype == y.dtype and x.tolist() == y.tolist() and x.requires_grad == y.requires_grad
            y.assign(7)
            assert x.tolist() != y.tolist()
    assert tg.rand(2).tolist() == before  # nothing was drawn


def test_transformers_are_pickled_with_their_optimizer():
    net = nn.TransformerDecoderLayer(4, 2, 6, dropout=0.0)
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    other, moved = pickle.loads(pickle.dumps((optimizer, net)))
    x = tg.linspace(-1, 1, 8).reshape(2, 1, 4)
    for network, steps in ((net, optimizer), (moved, other)):
        network(x, x).square().sum().backward()
        steps.step()
    for (_, a), (_, b) in zip(net.state(), moved.state(), strict=True):
        assert a.tolist() == b.tolist()


def test_parameters_and_what_modules_hold():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(tg.ones(2, 2))
            self.register_buffer("b", tg.zeros(2))
            self.register_parameter("p", nn.Parameter([1.0]))
            self.layers = nn.ModuleList([nn.Linear(2, 2)])
            self.layers.append(nn.Linear(2, 2, bias=False))
            self.more = nn.ModuleDict({"last": nn.Linear(2, 1)})
            self.add_module("norm", nn.BatchNorm1d(2))

    net = Own()
    assert isinstance(net.w, nn.Parameter) and not isinstance(net.b, nn.Parameter) and isinstance(net.layers[0].weight, nn.Parameter)
    assert [n for n, _ in net.named_parameters()] == ["w", "p", "layers.0.weight", "layers.0.bias", "layers.1.weight", "more.last.weight",
                                                      "more.last.bias", "norm.weight", "norm.bias"]
    assert [n for n, _ in net.named_buffers()] == ["b", "norm.running_mean", "norm.running_var"] and len(list(net.buffers())) == 3
    assert [n for n, _ in net.named_modules()] == ["", "layers", "layers.0", "layers.1", "more", "more.last", "norm"]
    assert len(list(net.children())) == 3 and nn.Parameter(tg.ones(2), requires_grad=False).requires_grad is False
    net.apply(lambda m: nn.init.constant_(m.weight, 3) if isinstance(m, nn.Linear) else None)
    assert net.more["last"].weight.tolist() == [[3, 3]]
    before = len(net.parameters())
    assert len(net.requires_grad_(False).parameters()) == before and not any(p.requires_grad for p in net.parameters())
    assert all(p.requires_grad for p in net.requires_grad_().parameters()) and len(net.parameters()) == before
    assert not net.norm.running_mean.requires_grad
    assert net.double().w.dtype == net.norm.running_var.dtype == "float64" and net.half().float().w.dtype == "float32"
    assert len(net.parameters()) == before and net.to("cpu") is net


def test_a_frozen_parameter_stays_one():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    net[0].weight.requires_grad = False
    net.scale = nn.Parameter(tg.ones(1))
    net.scale.requires_grad_(False)
    net.other = tg.ones(1)
    for same in (net, copy.deepcopy(net), pickle.loads(pickle.dumps(net)), copy.deepcopy(net).double()):
        assert [n for n, _ in same.named_parameters()] == ["scale", "0.weight", "0.bias", "1.weight", "1.bias"]
        assert [n for n, _ in same.named_buffers()] == ["other", "1.running_mean", "1.running_var"]
        assert list(same.state_dict())[:2] == ["scale", "other"] and not same.scale.requires_grad
    net.scale = tg.zeros(1)
    assert "scale" not in dict(net.named_parameters())


def test_a_tied_weight_has_two_names_and_is_one_parameter():
    """As PyTorch has it; so of a module that is held twice. It stays tied in copies, in pickles and in another dtype."""
    def tied(nn):
        class Tied(nn.Module):
            def __init__(self):
                super().__init__()
                self.tokens, self.out = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
                self.out.weight = self.tokens.weight
                self.norm = self.again = nn.BatchNorm1d(5)
                self.register_buffer("count", self.norm.running_var)
        return Tied()

    mine, theirs = tied(nn), tied(torch.nn)
    theirs.norm.register_buffer("num_batches_tracked", None)
    pickled = pickle.loads(pickle.dumps([mine.tokens, mine.out]))
    assert tg._tg._identity(pickled[0].weight) == tg._tg._identity(pickled[1].weight)
    for net in (mine, copy.deepcopy(mine), copy.deepcopy(mine).double(), copy.deepcopy(mine).double().to(tg.float32)):
        for names in ("named_parameters", "named_buffers", "named_modules"):
            assert [n for n, _ in getattr(net, names)()] == [n for n, _ in getattr(theirs, names)()], names
        assert len(net.parameters()) == 3 == len(list(theirs.parameters())) and len(list(net.children())) == 3
        assert len(list(net.named_modules(remove_duplicate=False))) == 5
        assert sorted(net.state_dict()) == sorted(theirs.state_dict())
        optimizer = optim.SGD(net.parameters(), lr=1.0, momentum=0.5)
        assert list(optimizer.state_dict()["state"]) == ["momentum.tokens.weight", "momentum.norm.weight", "momentum.norm.bias"]
        assert len(optimizer.param_groups[0]["params"]) == 3
        net.load_state_dict({name: tg.ones(*t.shape) for name, t in net.state()})
        (net.tokens.weight + net.out.weight).sum().backward()
        optimizer.step()
        assert net.tokens.weight.tolist() == net.out.weight.tolist() == [[-1] * 3] * 5


def test_a_class_may_derive_from_a_layer():
    class LowRank(nn.Linear):
        def __init__(self, width, rank):
            super().__init__(width, width)
            self.a, self.b = nn.Parameter(tg.ones(width, rank)), nn.Parameter(tg.zeros(rank, width))

        def forward(self, x):
            return super().forward(x) + x @ self.a @ self.b

    net = LowRank(3, 2)
    assert list(net.state_dict()) == ["weight", "bias", "a", "b"] == [n for n, _ in net.named_parameters()]
    assert net.in_features == 3 and repr(net) == "LowRank(in_features=3, out_features=3, bias=True)"
    net.b.data.fill_(1)
    for same in (copy.deepcopy(net), copy.deepcopy(net).double().float()):
        assert same(tg.ones(1, 3)).tolist() == net(tg.ones(1, 3)).tolist() and same.b is not net.b


def test_stacks_of_transformer_layers():
    encoder, decoder = (getattr(torch.nn, f"Transformer{k}Layer")(8, 2, 16, 0.0, batch_first=True) for k in ("Encoder", "Decoder"))
    theirs = torch.nn.TransformerEncoder(encoder, 2, torch.nn.LayerNorm(8)), torch.nn.TransformerDecoder(decoder, 2)
    mine = (nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True), 2, nn.LayerNorm(8)),
            nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16, 0.0, batch_first=True), 2))
    assert len({n for n, _ in mine[0].named_parameters()}) == len(mine[0].parameters()) and mine[0].layers[0] is not mine[0].layers[1]
    for m, t in zip(mine, theirs):
        assert m.load_state_dict(t.state_dict()) == ([], [])
    x, memory = (np.random.default_rng(0).normal(size=(2, n, 8)).astype("f") for n in (4, 5))
    hidden, causal = np.array([[False] * 4, [False, False, True, True]]), np.triu(np.ones((4, 4), bool), 1)
    encoded = [f(library(x), library(causal), library(hidden)) for f, library in zip((mine[0], theirs[0]), (Tensor, torch.tensor))]
    assert np.allclose(encoded[0].numpy()[~hidden], encoded[1].detach().numpy()[~hidden], atol=2e-5)
    decoded = [f(library(x), library(memory), tgt_mask=library(causal))
               for f, library in zip((mine[1], theirs[1]), (Tensor, torch.tensor))]
    assert np.allclose(decoded[0].numpy(), decoded[1].detach().numpy(), atol=2e-5)


@pytest.mark.parametrize("name, given", [
    ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "relu"}), ("kaiming_uniform_", {"a": 5**0.5}),
    ("kaiming_uniform_", {"nonlinearity": "linear"})])
def test_first_weights_spread_as_pytorchs(name, given):
    mine, theirs = tg.zeros(60, 20, 3), torch.zeros(60, 20, 3)
    assert getattr(nn.init, name)(mine, **given) is mine
    getattr(torch.nn.init, name)(theirs, **given)
    assert np.isclose(mine.std().item(), theirs.std().item(), rtol=0.1)
    with pytest.raises(ValueError, match="mode"):
        getattr(nn.init, name)(mine, mode="fan")
    with pytest.raises(ValueError, match="nonlinearity"):
        getattr(nn.init, name)(mine, nonlinearity="tanh")
    assert nn.init.eye_(tg.ones(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]


def test_a_function_as_a_module_knows_its_arguments():
    pool = nn.MaxPool2d(3, padding=1)
    assert (pool.kernel_size, pool.stride, pool.padding, pool.ceil_mode) == (3, 3, 1, False) and isinstance(pool, nn.MaxPool2d)
    assert not isinstance(nn.Tanh(), nn.ReLU) and repr(pickle.loads(pickle.dumps(nn.LeakyReLU(0.2)))) == "LeakyReLU(negative_slope=0.2)"
    for call, said in ((lambda: nn.ReLU(slope=1), "ReLU has no argument 'slope'; it has none"), (lambda: nn.MaxPool2d(), "kernel_size"),
                       (lambda: nn.ELU(1.0, True, 2.0), "ELU has no argument True; it has alpha")):
        with pytest.raises(TypeError, match=said):
            call()
    prelu, theirs = nn.PReLU(3), torch.nn.PReLU(3)
    x = np.random.default_rng(0).normal(size=(2, 3)).astype("f")
    assert np.allclose(prelu(Tensor(x)).numpy(), theirs(torch.tensor(x)).detach().numpy()) and repr(prelu) == repr(theirs)
    listed = nn.Sequential()
    listed.add_module("scales", nn.ParameterList([nn.Parameter(tg.ones(1)), nn.Parameter(tg.ones(2))]))
    assert [n for n, _ in listed.named_parameters()] == ["scales.0", "scales.1"] and len(listed.scales) == 2
    assert listed.get_submodule("scales") is listed.scales and listed.get_parameter("scales.1").shape == (2,)
    with pytest.raises(AttributeError, match="'scales.2'"):
        listed.get_parameter("scales.2")


def test_sequences_of_layers():
    net = nn.Sequential({"a": nn.Linear(3, 4), "act": nn.ReLU()})
    assert list(net.state_dict()) == ["a.weight", "a.bias"] and net.a is net[0] and len(net[:1]) == 1 and len(net.append(tg.relu)) == 3
    assert [type(m).__name__ for m in net][0] == "Linear" and net(tg.ones(2, 3)).shape == (2, 4)
    found = net.load_state_dict({"a.weight": tg.ones(4, 3), "other": tg.ones(1)}, strict=False)
    assert isinstance(found, nn.Loaded) and found.missing_keys == ["a.bias"] and found.unexpected_keys == ["other"]
    assert net.a.weight.tolist() == [[1] * 3] * 4
    with pytest.raises(AttributeError):
        net.nothing


def test_a_function_as_a_layer():
    layer = nn.Apply(tg.clamp, min=0, max=1)
    assert layer(Tensor([-1.0, 0.5, 2.0])).tolist() == [0, 0.5, 1] and repr(layer) == "clamp(min=0, max=1)"
    assert nn.Sequential(nn.Linear(2, 2), nn.ReLU(), layer)(tg.ones(2)).shape == (2,)


def test_the_digits():
    (images, labels), (test_images, test_labels) = tg.mnist(f"{SOURCE}/data/mnist")
    assert images.shape == (len(labels), 28, 28) and images.dtype == labels.dtype == tg.uint8 and len(test_images) == len(test_labels) > 0


def test_embedding():
    e = nn.Embedding(10, 4)
    assert e(Tensor([[1, 2], [9, 0]])).shape == (2, 2, 4)
    with pytest.raises(IndexError):
        e(Tensor([10])).realize()


def test_attention_and_decoder_are_pytorchs():
    rng = np.random.default_rng(1)
    mine, theirs = nn.MultiheadAttention(8, 2, batch_first=True), torch.nn.MultiheadAttention(8, 2, batch_first=True)
    copied(theirs, mine)
    q, k, v = (rng.normal(size=(2, n, 8)).astype("f") for n in (3, 5, 5))
    padding, mask = np.array([[False] * 5, [False, True, False, False, True]]), rng.normal(size=(3, 5)).astype("f")
    for keywords in ({}, {"key_padding_mask": padding}, {"attn_mask": mask}, {"attn_mask": mask > 1, "key_padding_mask": padding}):
        out, weights = mine(*map(Tensor, (q, k, v)), **{n: Tensor(a) for n, a in keywords.items()})
        expected = theirs(*map(torch.tensor, (q, k, v)), **{n: torch.tensor(a) for n, a in keywords.items()})
        assert np.allclose(out.numpy(), expected[0].detach().numpy(), atol=1e-5)
        assert np.allclose(weights.numpy(), expected[1].detach().numpy(), atol=1e-5)
    assert mine(*map(Tensor, (q, k, v)), need_weights=False)[1] is None
    decoder = nn.TransformerDecoderLayer(8, 2, 12, 0.0, batch_first=True)
    module = copied(torch.nn.TransformerDecoderLayer(8, 2, 12, 0.0, batch_first=True), decoder)
    assert list(decoder.state_dict()) == list(module.state_dict())
    causal = np.triu(np.ones((3, 3), bool), 1)
    expected = module(torch.tensor(q), torch.tensor(k), tgt_mask=torch.tensor(causal)).detach().numpy()
    assert np.allclose(decoder(Tensor(q), Tensor(k), tgt_mask=Tensor(causal)).numpy(), expected, atol=1e-5)
    assert np.allclose(decoder(Tensor(q), Tensor(k), tgt_is_causal=True).numpy(), expected, atol=1e-5)


def test_files(tmp_path):
    net, other = Net(), Net()
    path = tmp_path / "net.safetensors"
    tg.save(net, path, {"step": "7"})
    loaded = tg.load(path)
    assert loaded.keys() == net.state_dict().keys() and all(np.array_equal(loaded[n].numpy(), t.numpy()) for n, t in net.state())
    assert tg.load_into(other, path) == {"step": "7"}
    assert all(np.array_equal(b.numpy(), t.numpy()) for (_, b), (_, t) in zip(other.state(), net.state()))
    fresh = Net()
    fresh.load_state_dict(loaded)
    assert np.array_equal(fresh.out.weight.numpy(), net.out.weight.numpy()) and fresh.out.weight.requires_grad
    with pytest.raises(ValueError):
        fresh.load_state_dict({"a": loaded["out.bias"]})
    with pytest.raises(OSError):
        tg.load(tmp_path / "none")
    tg.save({"a": tg.arange(3)}, path)
    assert tg.load(path)["a"].tolist() == [0, 1, 2]


def test_the_mnist_example():
    example = f"{SOURCE}/examples/mnist.py"
    assert sum(1 for _ in open(example)) <= 60
    out = subprocess.run([sys.executable, example, "--steps", "21", "--batch", "32", "--test", "300"], check=True,
                         capture_output=True, text=True, env={**os.environ, "TG_DATA": f"{SOURCE}/data"}).stdout.splitlines()
    first, last = (float(line.split()[3]) for line in out[:2])
    assert last < 0.7 * first and out[-1].startswith("accuracy ")


def test_parameters_as_a_vector():
    net, other = nn.Linear(2, 3), nn.Linear(2, 3)
    vector = nn.utils.parameters_to_vector(net.parameters())
    assert vector.shape == (9,) and vector.requires_grad and vector[:6].tolist() == net.weight.flatten().tolist()
    nn.utils.vector_to_parameters(vector * 2, other.parameters())
    assert other.weight.tolist() == (net.weight * 2).tolist() and other.bias.requires_grad
