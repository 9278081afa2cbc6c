"""Optimizers and schedules: PyTorch's numbers, and what of them is kept, copied and refused."""
import copy
import pickle

import numpy as np
import pytest
import torch

import tg
from tg import Tensor, nn, optim


def trained(net, optimizer, steps):
    x, y = tg.linspace(-1, 1, 12).reshape(4, 3), tg.arange(4) % 2
    losses = []
    for _ in range(steps):
        loss = net(x).cross_entropy(y)
        loss.backward()
        optimizer.step(loss)
        losses.append(loss.item())
    return losses


MAKE = [lambda p: optim.SGD(p, lr=0.1, momentum=0.9), lambda p: optim.Adam(p, 0.05, weight_decay=0.1), lambda p: optim.LAMB(p, lr=0.05),
        lambda p: optim.SGD(p, 0.1, 0.9, 0.5), lambda p: optim.Adam(p, 0.05, amsgrad=True), lambda p: optim.NAdam(p, 0.05),
        lambda p: optim.RMSprop(p, 0.05, momentum=0.5, centered=True), lambda p: optim.Adagrad(p, 0.1, 0.1),
        lambda p: optim.AdamW([{"params": list(p)[:1]}, {"params": list(p)[1:], "lr": 0.2, "betas": (0.5, 0.6)}], lr=0.05)]


@pytest.mark.parametrize("make", MAKE)
@pytest.mark.parametrize("again", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_training_goes_on_from_copies_and_pickles(make, again):
    """Of a network together with its optimizer, whichever comes first: losses are the same bits, and neither pair touches the other."""
    tg.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    optimizer = make(net.parameters())
    trained(net, optimizer, 3)
    optimizer.lr = 0.07
    optimizer2, net2 = again((optimizer, net))
    (net3, optimizer3), state = again((net, optimizer)), again(optimizer.state_dict())
    assert type(optimizer2) is type(optimizer) and optimizer2.steps == 3
    expected = trained(net, optimizer, 3)
    assert trained(net2, optimizer2, 3) == trained(net3, optimizer3, 3) == expected
    for (_, a), (_, b) in zip(net.state(), net2.state(), strict=True):
        assert a.tolist() == b.tolist()
    fourth = make(again(net3).parameters())  # other values, other moments
    fourth.load_state_dict(state)
    assert fourth.steps == 3 and [g["lr"] for g in fourth.param_groups] == [0.07] * len(fourth.param_groups)


def test_states_of_optimizers_are_refused_whole():
    w, v = tg.ones(2, requires_grad=True), tg.ones(3, requires_grad=True)
    one, other = optim.Adam([w], lr=0.1), optim.Adam([v], lr=0.2)
    with pytest.raises(tg.ShapeError, match="m.0 has shape"):
        other.load_state_dict(one.state_dict())
    with pytest.raises(ValueError, match="the state has 1 groups, the optimizer 2"):
        optim.Adam([{"params": [w]}, {"params": [v]}]).load_state_dict(one.state_dict())
    with pytest.raises(ValueError, match="missing"):
        optim.SGD([w], momentum=0.5).load_state_dict(one.state_dict())
    assert other.lr == 0.2
    group = optim.Adam([{"params": w, "betas": (0.5, 0.6)}], 0.3, weight_decay=0.1).param_groups[0]
    assert dict(group) == {"params": group["params"], "lr": 0.3, "weight_decay": 0.1, "betas": (0.5, 0.6), "eps": 1e-8,
                           "amsgrad": False, "maximize": False}
    assert group["params"][0].shape == (2,)


def test_a_step_takes_a_closure():
    w = tg.ones(2, requires_grad=True)
    optimizer = optim.SGD([w], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = w.square().sum()
        loss.backward()
        return loss
    assert optimizer.step(closure).item() == 2 and w.tolist() == [0, 0]


def test_schedules_have_a_state():
    made = lambda: optim.SGD([tg.ones(1, requires_grad=True)], lr=1.0)  # noqa: E731
    for schedule in (lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 10), lambda o: optim.lr_scheduler.LambdaLR(o, lambda t: 0.9**t),
                     lambda o: optim.lr_scheduler.SequentialLR(o, [optim.lr_scheduler.LinearLR(o), optim.lr_scheduler.StepLR(o, 1)], [3])):
        one, other = schedule(made()), schedule(made())
        for _ in range(4):
            one.step()
        other.load_state_dict(one.state_dict())
        assert other.last_epoch == 4 and other.get_last_lr() == one.get_last_lr() != [1.0]
        one.step(), other.step()
        assert other.get_last_lr() == one.get_last_lr()
    theirs = torch.optim.lr_scheduler.LambdaLR(torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=1.0), lambda t: 0.9**t)
    assert optim.lr_scheduler.LambdaLR(made(), lambda t: 0.9**t).get_last_lr() == theirs.get_last_lr()


def nadam(params, *arguments):
    """PyTorch's; before 2.0 it has two formulas, and that for one tensor at a time takes a momentum twice."""
    return torch.optim.NAdam(params, *arguments, foreach=True)


@pytest.mark.parametrize("mine, theirs, keywords", [
    (optim.SGD, torch.optim.SGD, {"lr": 0.1}),
    (optim.SGD, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1, "nesterov": True}),
    (optim.SGD, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.4}), (optim.SGD, torch.optim.SGD, (0.1, 0.9, 0.5, 0.1)),
    (optim.SGD, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1, "maximize": True}),
    (optim.Adam, torch.optim.Adam, {"lr": 0.1, "betas": (0.8, 0.99), "weight_decay": 0.1}), (optim.AdamW, torch.optim.AdamW, {"lr": 0.1}),
    (optim.Adam, torch.optim.Adam, (0.1, (0.8, 0.6), 1e-6, 0.1, True)), (optim.Adam, torch.optim.Adam, {"lr": 0.1, "maximize": True}),
    (optim.AdamW, torch.optim.AdamW, {"lr": 0.1, "betas": (0.8, 0.6), "amsgrad": True, "maximize": True}),
    (optim.RMSprop, torch.optim.RMSprop, {}), (optim.RMSprop, torch.optim.RMSprop, (0.05, 0.8, 1e-6, 0.1, 0.9, True)),
    (optim.RMSprop, torch.optim.RMSprop, {"lr": 0.05, "momentum": 0.9}), (optim.RMSprop, torch.optim.RMSprop, {"centered": True}),
    (optim.Adagrad, torch.optim.Adagrad, {}), (optim.Adagrad, torch.optim.Adagrad, (0.1, 0.2, 0.3, 0.4, 1e-3)),
    (optim.Adagrad, torch.optim.Adagrad, {"lr": 0.1, "maximize": True}),
    (optim.Adadelta, torch.optim.Adadelta, {}), (optim.Adadelta, torch.optim.Adadelta, (0.5, 0.8, 1e-3, 0.1)),
    (optim.Adamax, torch.optim.Adamax, {}), (optim.Adamax, torch.optim.Adamax, (0.1, (0.8, 0.6), 1e-3, 0.1)),
    (optim.NAdam, nadam, {}), (optim.NAdam, nadam, (0.1, (0.8, 0.9), 1e-3, 0.1, 0.05)),
    (optim.RAdam, torch.optim.RAdam, {}), (optim.RAdam, torch.optim.RAdam, (0.1, (0.8, 0.9), 1e-3, 0.1))])
def test_optimizers_are_pytorchs(mine, theirs, keywords):
    w = np.linspace(-1, 1, 6, dtype="f").reshape(2, 3)
    p, q = Tensor(w, requires_grad=True), torch.tensor(w, requires_grad=True)
    a, b = (make([x], **keywords) if isinstance(keywords, dict) else make([x], *keywords) for make, x in ((mine, p), (theirs, q)))
    for step in range(8):
        b.zero_grad()
        (p ** 3 * (3 - step)).sum().backward()
        (q ** 3 * (3 - step)).sum().backward()
        a.step()
        b.step()
    assert np.allclose(p.numpy(), q.detach().numpy(), atol=1e-5) and a.steps == 8 and p.grad is None
    a.lr = 0.5
    assert a.lr == 0.5


def test_groups_clipping_and_averages():
    rng = np.random.default_rng(2)
    a, b = (rng.normal(size=s).astype("f") for s in ((3, 2), (4,)))
    p, q = ([make(w, requires_grad=True) for w in (a, b)] for make in (Tensor, torch.tensor))
    mine = optim.AdamW([{"params": [p[0]], "lr": 0.2}, {"params": [p[1]], "weight_decay": 0.5}], lr=0.1)
    theirs = torch.optim.AdamW([{"params": [q[0]], "lr": 0.2}, {"params": [q[1]], "weight_decay": 0.5}], lr=0.1)
    average, expected = optim.ExponentialAverage({"a": p[0]}, decay=0.75), a
    for step in range(3):
        theirs.zero_grad()
        sum((x ** 3).sum() for x in p).backward()
        sum((x ** 3).sum() for x in q).backward()
        total, norm = nn.utils.clip_grad_norm_(p, 2.0), torch.nn.utils.clip_grad_norm_(q, 2.0)
        assert np.isclose(total.item(), norm.item(), rtol=1e-5)
        if step == 1:
            nn.utils.clip_grad_value_(p, 0.5)
            torch.nn.utils.clip_grad_value_(q, 0.5)
        mine.step()
        theirs.step()
        average.update()
        expected = 0.75 * expected + 0.25 * q[0].detach().numpy()
        assert all(np.allclose(x.numpy(), y.detach().numpy(), atol=1e-5) for x, y in zip(p, q))
    assert [g["lr"] for g in mine.param_groups] == [0.2, 0.1]
    mine.param_groups[1]["lr"] = 0.3
    assert mine.param_groups[1]["lr"] == 0.3 and mine.lr == 0.2
    last = p[0].numpy().copy()
    average.swap()
    assert np.allclose(p[0].numpy(), expected, atol=1e-5) and np.array_equal(dict(average.state())["a"].numpy(), last)
    with pytest.raises(ValueError):
        mine.add_param_group({"params": [p[0]]})


def test_lamb_and_muon_are_their_formulas():
    w = np.random.default_rng(3).normal(size=(4, 3))
    for make, formula in ((lambda p: optim.LAMB(p, lr=0.1, weight_decay=0.2), lamb), (lambda p: optim.Muon(p, lr=0.1), muon)):
        p = Tensor(w, dtype="float32", requires_grad=True)
        optimizer, x, state = make([p]), w, {}
        for t in range(1, 4):
            (p ** 3).sum().backward()
            optimizer.step()
            x = formula(x, 3 * x ** 2, state, t)
        assert np.allclose(p.numpy(), x, atol=2e-4)
    with pytest.raises(ValueError):
        optim.Muon([Tensor([0.0], requires_grad=True)])


def lamb(p, g, state, t):
    m = state["m"] = 0.9 * state.get("m", 0) + 0.1 * g
    v = state["v"] = 0.999 * state.get("v", 0) + 0.001 * g * g
    r = m / (1 - 0.9 ** t) / (np.sqrt(v / (1 - 0.999 ** t)) + 1e-6) + 0.2 * p
    return p - 0.1 * np.linalg.norm(p) / np.linalg.norm(r) * r


def muon(p, g, state, t):
    v = state["v"] = 0.95 * state.get("v", 0) + 0.05 * g
    x = (0.05 * g + 0.95 * v).T
    x = x / (np.linalg.norm(x) + 1e-7)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return p * (1 - 0.1 * 0.1) - 0.1 * np.sqrt(4 / 3) * x.T


@pytest.mark.parametrize("name, keywords", [
    ("StepLR", {"step_size": 3, "gamma": 0.5}), ("MultiStepLR", {"milestones": [2, 5]}), ("ExponentialLR", {"gamma": 0.9}),
    ("LinearLR", {"start_factor": 0.25, "total_iters": 4}), ("CosineAnnealingLR", {"T_max": 8, "eta_min": 0.01}),
    ("ConstantLR", {"factor": 0.25, "total_iters": 3}), ("PolynomialLR", {"total_iters": 5, "power": 2}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3, "eta_min": 0.01}), ("CosineAnnealingWarmRestarts", {"T_0": 2, "T_mult": 2}),
    ("CyclicLR", {"base_lr": 0.05, "max_lr": 0.5, "step_size_up": 3}),
    ("CyclicLR", {"base_lr": 0.05, "max_lr": 0.5, "step_size_up": 2, "step_size_down": 1, "mode": "triangular2"}),
    ("CyclicLR", {"base_lr": 0.05, "max_lr": 0.5, "step_size_up": 2, "mode": "exp_range", "gamma": 0.9}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 10}), ("OneCycleLR", {"max_lr": 0.5, "epochs": 5, "steps_per_epoch": 2}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 10, "anneal_strategy": "linear"})])
def test_schedules_are_pytorchs(name, keywords):
    p, q = Tensor([1.0], requires_grad=True), torch.tensor([1.0], requires_grad=True)
    mine, theirs = optim.SGD([p], lr=0.1), torch.optim.SGD([q], lr=0.1)
    more = {"cycle_momentum": False} if name in ("OneCycleLR", "CyclicLR") else {}
    a = getattr(optim.lr_scheduler, name)(mine, **keywords, **more)
    b = getattr(torch.optim.lr_scheduler, name)(theirs, **keywords, **more)
    for _ in range(9):
        assert np.isclose(mine.lr, b.get_last_lr()[0], rtol=1e-9) and a.get_last_lr() == [mine.lr]
        theirs.step()
        a.step()
        b.step()


def test_warmup_and_plateau():
    mine, theirs = optim.SGD([Tensor([1.0], requires_grad=True)], lr=0.1), torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    rates = {}
    for o, lib in ((mine, optim), (theirs, torch.optim)):
        s = lib.lr_scheduler
        schedule = s.SequentialLR(o, [s.LinearLR(o, 0.1, 1.0, 4), s.CosineAnnealingLR(o, 6)], milestones=[4])
        for _ in range(9):
            rates.setdefault(lib, []).append(o.param_groups[0]["lr"])
            if lib is torch.optim:
                o.step()
            schedule.step()
    assert np.allclose(rates[optim], rates[torch.optim], rtol=1e-6)
    a = optim.lr_scheduler.ReduceLROnPlateau(mine, patience=1, cooldown=1)
    b = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, patience=1, cooldown=1)
    mine.lr = theirs.param_groups[0]["lr"] = 0.1
    for metric in (3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1):
        copies = [again(a) for again in (copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s)))]
        other = optim.lr_scheduler.ReduceLROnPlateau(copy.deepcopy(mine), patience=1, cooldown=1)
        other.load_state_dict(a.state_dict())
        a.step(metric)
        b.step(metric)
        assert np.isclose(mine.lr, theirs.param_groups[0]["lr"]) and a.get_last_lr() == [mine.lr]
        assert {name: b.state_dict()[name] for name in a.state_dict()} == a.state_dict()
        for same in (*copies, other):
            same.step(metric)
            assert same.optimizer is not mine and same.get_last_lr() == [mine.lr] and same.state_dict() == a.state_dict()
    with pytest.raises(ValueError, match="factor is 1"):
        optim.lr_scheduler.ReduceLROnPlateau(mine, factor=1.0)
