"""RNN, LSTM, GRU and RNNCell, LSTMCell, GRUCell against PyTorch's: values, states, gradients, names, copies, and what they refuse."""
import copy
import pickle

import numpy as np
import pytest
import torch

import tg
from nn_test import copied
from tg import Tensor, nn

KINDS = {"RNN": 1, "LSTM": 2, "GRU": 1}  # how many states each has


def flat(results):
    return [t for r in results for t in (flat(r) if isinstance(r, tuple) else [r])]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("options, given", [({"bias": False}, False),
                                            ({"num_layers": 2, "batch_first": True, "bidirectional": True}, True)])
def test_layers_are_pytorchs(name, options, given):
    rng = np.random.default_rng(0)
    mine = getattr(nn, name)(3, 4, **options)
    theirs = copied(getattr(torch.nn, name)(3, 4, **options), mine)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    count = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
    arrays = [rng.normal(size=(2, 2, 3)).astype("f")]
    arrays += [rng.normal(size=(count, 2, 4)).astype("f") for _ in range(KINDS[name] if given else 0)]
    results = []
    for layer, make in ((mine, Tensor), (theirs, torch.tensor)):
        x, *states = (make(a, requires_grad=True) for a in arrays)
        out = flat(layer(x, *([tuple(states) if len(states) > 1 else states[0]] if given else [])))
        sum((t * t).sum() for t in out).backward()
        results.append([*out, *(t.grad for t in (x, *states)), *(p.grad for p in layer.parameters())])
    for a, b in zip(*results, strict=True):
        assert a.shape == tuple(b.shape) and np.allclose(a.numpy(), b.detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", KINDS)
def test_cells_are_pytorchs(name):
    rng = np.random.default_rng(1)
    mine = getattr(nn, f"{name}Cell")(3, 4)
    theirs = copied(getattr(torch.nn, f"{name}Cell")(3, 4), mine)
    for shape in ((2,), ()):
        x, *states = (rng.normal(size=(*shape, n)).astype("f") for n in (3, *[4] * KINDS[name]))
        for before in ((), states):
            got, expected = (flat((layer(make(x), *([tuple(map(make, before))] if len(before) > 1 else map(make, before))),))
                             for layer, make in ((mine, Tensor), (theirs, torch.tensor)))
            assert all(np.allclose(a.numpy(), b.detach().numpy(), atol=1e-5) for a, b in zip(got, expected, strict=True))


def test_without_a_batch_and_with_relu():
    x = np.random.default_rng(2).normal(size=(5, 3)).astype("f")
    mine = nn.RNN(3, 4, nonlinearity="relu")
    theirs = copied(torch.nn.RNN(3, 4, nonlinearity="relu"), mine)
    (y, h), (z, k) = mine(Tensor(x)), theirs(torch.tensor(x))
    assert y.shape == (5, 4) and h.shape == (1, 4)
    assert np.allclose(y.numpy(), z.detach().numpy(), atol=1e-6) and np.allclose(h.numpy(), k.detach().numpy(), atol=1e-6)


def test_what_layers_know_and_keep():
    lstm = nn.LSTM(3, 4, num_layers=2, batch_first=True, bidirectional=True)
    assert (lstm.input_size, lstm.hidden_size, lstm.num_layers, lstm.batch_first, lstm.bidirectional) == (3, 4, 2, True, True)
    assert repr(lstm) == repr(torch.nn.LSTM(3, 4, num_layers=2, batch_first=True, bidirectional=True))
    assert lstm.weight_ih_l1_reverse.shape == (16, 8) and nn.GRUCell(3, 4).weight_hh.shape == (12, 4)
    with pytest.raises(AttributeError):
        lstm.weight_ih_l2
    x = tg.ones(2, 1, 3)
    for again in (copy.deepcopy(lstm), pickle.loads(pickle.dumps(lstm))):
        assert again(x)[0].tolist() == lstm(x)[0].tolist()
    bound = max(abs(t.numpy()).max() for t in lstm.parameters())
    assert 0.4 < bound < 0.5


def test_dropout_is_between_layers_in_training():
    tg.manual_seed(0)
    gru, x = nn.GRU(3, 4, num_layers=2, dropout=0.5), tg.ones(2, 2, 3)
    assert gru(x)[0].tolist() != gru(x)[0].tolist()
    gru.eval()
    assert gru(x)[0].tolist() == gru(x)[0].tolist()


@pytest.mark.parametrize("call, message", [
    (lambda: nn.LSTM(3, 4)(tg.ones(2, 5, 4)), "LSTM: an input of shape \\(2, 5, 4\\); its last axis has 3 elements"),
    (lambda: nn.LSTM(3, 4)(tg.ones(3)), "LSTM: an input of shape \\(3,\\); it takes \\(time, n, in\\), or without n"),
    (lambda: nn.GRU(3, 4)(tg.ones(2, 5, 3), tg.ones(1, 2, 4)), "GRU: a state of shape \\(1, 2, 4\\); it takes \\(1, 5, 4\\)"),
    (lambda: nn.GRUCell(3, 4)(tg.ones(1, 2, 3)), "GRUCell: an input of shape \\(1, 2, 3\\); it takes \\(n, 3\\) or \\(3\\)"),
    (lambda: nn.RNN(3, 4, nonlinearity="gelu"), "nonlinearity is 'tanh' or 'relu'"),
    (lambda: nn.RNN(0, 4), "RNN: in is 0; it takes 1 or more"),
    (lambda: nn.GRU(3, 4, num_layers=0), "GRU: 0 layers"), (lambda: nn.GRU(3, 4, dropout=1.5), "dropout is 1.5")])
def test_mistakes(call, message):
    with pytest.raises(ValueError, match=message):
        call()
