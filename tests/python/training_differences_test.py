"""What docs/python.md says differs from PyTorch, of networks and training."""
import os
import threading

import numpy as np
import pytest
import torch

import tg
from differences import Rows
from tg import nn

F, G = torch.nn.functional, tg.nn.functional
ROWS = Rows("Of networks and training:")
row = ROWS.row


@row("`optimizer.step()`")
def _():
    w = tg.ones(1, requires_grad=True)
    optimizer = tg.optim.SGD([w], lr=0.5)
    loss = (w * w).sum()
    loss.backward()
    optimizer.step(loss)
    assert w.grad is None and w.item() == 0 and loss.item() == 1


@row("`optimizer.state_dict()`")
def _():
    optimizer = tg.optim.Adam({"w": tg.ones(1, requires_grad=True)}, lr=0.5)
    state = optimizer.state_dict()
    assert list(state["state"]) == ["m.w", "v.w"] and state["steps"] == 0 and state["lr"] == [0.5]
    optimizer.param_groups[0]["lr"] = 0.1
    with pytest.raises(KeyError):
        optimizer.param_groups[0]["eps"] = 0.1


@row("options and optimizers")
def _():
    w = tg.ones(1, requires_grad=True)
    for keyword in ("foreach", "capturable"):
        with pytest.raises(TypeError):
            tg.optim.Adam([w], **{keyword: True})
    assert not {"Rprop", "ASGD", "LBFGS", "SparseAdam"} & set(dir(tg.optim))
    late = []
    for library, made in ((tg, tg.Tensor), (torch, torch.tensor)):
        first, second = (made([1.0], requires_grad=True) for _ in range(2))
        optimizer = library.optim.SGD([first, second], lr=1.0, momentum=0.5, dampening=0.5)
        for used in (first, second):
            used.sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        late.append(second.item())
    assert late == [0.5, 0.0]


class Net(nn.Module):
    def __init__(self):
        self.layers = [nn.Linear(2, 2)]
        self.named = {"a": nn.Linear(2, 1)}
        self.scale = tg.ones(1, requires_grad=True)
        self.mean = tg.zeros(1)


@row("`nn.Module`")
def _():
    assert list(Net().state_dict()) == ["scale", "mean", "layers.0.weight", "layers.0.bias", "named.a.weight", "named.a.bias"]


@row("`nn.BatchNorm2d`")
def _():
    theirs, mine = torch.nn.BatchNorm2d(3).state_dict(), nn.BatchNorm2d(3)
    with pytest.raises(ValueError, match="unexpected .'num_batches_tracked'."):
        mine.load_state_dict(theirs)
    assert mine.load_state_dict(theirs, strict=False).unexpected_keys == ["num_batches_tracked"]
    x = tg.randn(4, 3, 5)
    assert nn.BatchNorm2d(3)(x).tolist() == nn.BatchNorm1d(3)(x).tolist()
    with pytest.raises(TypeError):
        nn.BatchNorm2d(3, affine=False)


@row("`nn.Parameter`, `register_buffer`")
def _():
    net = Net()
    assert len(net.parameters()) == 5 and "mean" not in dict(net.named_parameters())
    assert type(nn.Parameter(tg.ones(1))) is tg.Tensor and isinstance(net.scale, nn.Parameter) and not isinstance(net.mean, nn.Parameter)


@row("`requires_grad_(False)` before an optimizer is made")
def _():
    net, theirs = nn.Linear(1, 1), torch.nn.Linear(1, 1)
    for n, library in ((net, tg), (theirs, torch)):
        n.weight.requires_grad_(False)
        optimizer = library.optim.SGD(n.parameters(), lr=1.0)
        n.weight.requires_grad_(True)
        before = n.weight.item()
        n(library.ones(1, 1)).sum().backward()
        optimizer.step()
        assert round(before - n.weight.item(), 5) == (1 if library is torch else 0)
    net.zero_grad()
    optimizer = tg.optim.SGD([net.bias], lr=1.0)
    optimizer.add_param_group({"params": [net.weight]})
    net(tg.ones(1, 1)).sum().backward()
    before = net.weight.item()
    optimizer.step()
    assert round(before - net.weight.item(), 5) == 1


@row("`net.to(dtype)`, `half`, `double`")
def _():
    net, theirs = nn.Linear(2, 2), torch.nn.Linear(2, 2)
    before, their_before = net.weight, theirs.weight
    assert net.double().weight.dtype == tg.float64 and before.dtype == tg.float32
    assert theirs.double().weight is their_before


@row("`F.batch_norm(training=True)`")
def _():
    x = np.arange(6, dtype="f").reshape(2, 3)
    mean, var = np.ones(3, "f"), np.full(3, 2, "f")
    theirs = F.batch_norm(*map(torch.tensor, (x, mean, var)))
    assert np.allclose(G.batch_norm(*map(tg.tensor, (x, mean, var))).numpy(), theirs.numpy())
    with pytest.raises(ValueError, match="nn.BatchNorm"):
        G.batch_norm(*map(tg.tensor, (x, mean, var)), training=True)


@row("`max_pool2d(return_indices=True)`")
def _():
    x = tg.ones(1, 1, 2, 2, requires_grad=True)
    assert G.max_pool2d(x, 2, return_indices=True).indices.dtype == tg.int32
    G.max_pool2d(x, 2).sum().backward()
    assert x.grad.tolist() == [[[[0.25, 0.25], [0.25, 0.25]]]]


@row("`unique`")
def _():
    x = tg.tensor([[2, 1], [2, 2]])
    assert tg.unique(x, sorted=False).tolist() == [1, 2] and [t.tolist() for t in tg.unique(x, return_index=True)] == [[1, 2], [1, 0]]
    assert [t.tolist() for t in np.unique(x.numpy(), return_index=True)] == [[1, 2], [1, 0]]
    with pytest.raises(TypeError):
        tg.unique(x, dim=0)


@row("`RNN`, `LSTM`, `GRU`")
def _():
    with pytest.raises(TypeError):
        nn.LSTM(2, 3, proj_size=1)
    assert not hasattr(nn.utils, "rnn")


@row("`DataLoader(batch_sampler=)`")
def _():
    with pytest.raises(TypeError):
        tg.data.DataLoader([1, 2], batch_sampler=[[0], [1]])
    assert [b.tolist() for b in tg.data.DataLoader([1, 2], 1, sampler=[1, 0])] == [[2], [1]]


@row("`OneCycleLR`, `CyclicLR`")
def _():
    optimizer = tg.optim.SGD([tg.ones(1, requires_grad=True)], lr=0.1, momentum=0.5)
    tg.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    tg.optim.lr_scheduler.CyclicLR(optimizer, 0.1, 1.0, cycle_momentum=False)
    with pytest.raises(tg.ValueError, match="only rates"):
        tg.optim.lr_scheduler.CyclicLR(optimizer, 0.1, 1.0, cycle_momentum=True)
    assert optimizer.param_groups[0]["momentum"] == 0.5


@row("`DataLoader` workers")
def _():
    names = set()

    class Data:
        def __len__(self):
            return 4

        def __getitem__(self, i):
            names.add((os.getpid(), threading.get_ident()))
            return i
    loaders = [tg.data.DataLoader(Data(), 2, shuffle=True, num_workers=n, pin_memory=n > 1, persistent_workers=n > 1,
                                  generator=tg.Generator(1)) for n in (0, 1, 2)]
    batches = [[b.tolist() for b in loader] for loader in loaders]
    assert batches[0] == batches[1] == batches[2] and {pid for pid, _ in names} == {os.getpid()} and len(names) > 1


test_every_row_of_the_table_is_tried, test_differences = ROWS.tests()
