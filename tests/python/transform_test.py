"""Transformations of Python functions: against torch.autograd.functional, a loop over examples, and each other."""
import numpy as np
import pytest
import torch
from torch.autograd import functional

import tg

rng = np.random.default_rng(3)


def array(*shape):
    return rng.uniform(-1, 1, shape)


def near(x, expected):
    expected = expected.numpy() if isinstance(expected, (tg.Tensor, torch.Tensor)) else expected
    np.testing.assert_allclose(x.numpy(), expected, rtol=1e-9, atol=1e-12)


A = array(3, 4)


def f(t, x):
    """A vector of a vector."""
    m = t.tensor(A, dtype=t.float64)
    return t.tanh(m @ x) * x[:3]


def scalar(t, x):
    return (f(t, x) ** 2).sum()


def of(g, t):
    return lambda *x: g(t, *x)


def test_against_torch():
    x, v, u = array(4), array(4), array(3)
    tx, tv, tu = (torch.tensor(a) for a in (x, v, u))
    x, v, u = (tg.tensor(a) for a in (x, v, u))
    for jacobian in (tg.jacrev, tg.jacfwd, tg.jacobian, lambda g: tg.jacobian(g, mode="forward")):
        near(jacobian(of(f, tg))(x), functional.jacobian(of(f, torch), tx))
    near(tg.hessian(of(scalar, tg))(x), functional.hessian(of(scalar, torch), tx))
    near(tg.hvp(of(scalar, tg), x, v), functional.hvp(of(scalar, torch), tx, tv)[1])
    value, pullback = tg.vjp(of(f, tg), x)
    near(value, f(torch, tx))
    near(pullback(u)[0], functional.vjp(of(f, torch), tx, tu)[1])
    value, tangent = tg.jvp(of(f, tg), (x,), (v,))
    near(value, f(torch, tx))
    near(tangent, functional.jvp(of(f, torch), tx, tv)[1])


def test_arguments_may_be_trees():
    params = {"w": tg.tensor(array(3, 2)), "b": [tg.tensor(array(2))]}
    x = tg.tensor(array(5, 3))

    def loss(p, scale, batch):
        y = (batch @ p["w"] + p["b"][0]).tanh()
        return (y * y).sum() * scale, {"y": y}

    (value, more), gradients = tg.value_and_grad(loss, has_aux=True)(params, 2, x)
    y = more["y"].numpy()
    near(value, np.array(2 * (y * y).sum()))
    slope = 4 * y * (1 - y * y)
    near(gradients["w"], x.numpy().T @ slope)
    near(gradients["b"][0], slope.sum(0))
    one, two = tg.grad(lambda a, b: (a * b).sum(), argnums=(0, 1))(x, x * 2)
    near(one, x * 2)
    near(two, x)
    near(tg.grad(lambda a, b: (a * a * b).sum(), argnums=-1)(x, x), x * x)


@pytest.mark.parametrize("g", [
    lambda a, b: (a * b).sum(), lambda a, b: a.softmax(-1) * b, lambda a, b: a[b.argmax()] * b, lambda a, b: tg.stack([a, b], 1).sum(0),
    lambda a, b: a.sort().values + b.cumsum(0), lambda a, b: tg.outer(a, b) if hasattr(tg, "outer") else a * b,
])
def test_vmap_is_the_loop(g):
    a, b = tg.tensor(array(4, 3)), tg.tensor(array(4, 3))
    near(tg.vmap(g)(a, b), np.stack([g(a[i], b[i]).numpy() for i in range(4)]))
    near(tg.vmap(g, in_dims=(0, None))(a, b[0]), np.stack([g(a[i], b[0]).numpy() for i in range(4)]))
    near(tg.vmap(g, in_axes=(1, 1), out_axes=-1)(a.T, b.T), np.stack([g(a[i], b[i]).numpy() for i in range(4)], -1))


def test_compositions():
    x = tg.tensor(array(5, 4))
    rows = [torch.tensor(x[i].numpy()) for i in range(5)]
    near(tg.vmap(tg.hessian(of(scalar, tg)))(x), torch.stack([functional.hessian(of(scalar, torch), r) for r in rows]))
    near(tg.vmap(tg.jacfwd(of(f, tg)))(x), torch.stack([functional.jacobian(of(f, torch), r) for r in rows]))
    near(tg.grad(lambda a: tg.vmap(of(scalar, tg))(a).sum())(x), tg.vmap(tg.grad(of(scalar, tg)))(x))
    value, slope = tg.vmap(tg.value_and_grad(of(scalar, tg)))(x)
    near(value, torch.stack([scalar(torch, r) for r in rows]))
    near(slope, tg.vmap(tg.grad(of(scalar, tg)))(x))
    pair = tg.vmap(lambda d: {"twice": d["x"] * 2})({"x": x})
    near(pair["twice"], x * 2)


def test_checkpoint_and_own_gradients():
    w = tg.tensor(array(4, 4), requires_grad=True)
    x = tg.tensor(array(2, 4))

    @tg.checkpoint
    def block(a):
        return (a @ w).tanh()

    block(block(x)).sum().backward()
    kept = w.grad.numpy()
    w.grad = None
    (((x @ w).tanh()) @ w).tanh().sum().backward()
    near(w.grad, kept)
    doubled = tg.custom_gradient(lambda a, b: a * b, lambda g, y, a, b: (g * b * 2, g * a))
    one, two = tg.grad(lambda a, b: doubled(a, b).sum(), argnums=(0, 1))(x, x + 1)
    near(one, (x + 1) * 2)
    near(two, x)
    near(tg.grad(lambda a: (tg.stop_gradient(a) * a).sum())(x), x)


def test_checks():
    x = tg.tensor(array(2, 3))
    assert tg.gradcheck(lambda a: a.exp().softmax(-1), x)
    assert tg.gradgradcheck(lambda a, b: (a * b).tanh(), (x, x * 2))
    wrong = tg.custom_gradient(lambda a: a * a, lambda g, y, a: g * a)
    with pytest.raises(tg.GradientError, match="gradcheck: the gradient of argument 0 at element 0"):
        tg.gradcheck(wrong, x)


def test_errors_say_what_to_do():
    x = tg.ones(2, 3)
    with pytest.raises(RuntimeError, match="must return one element"):
        tg.grad(lambda a: a * 2)(x)
    with pytest.raises(ValueError, match="stands for a whole batch"):
        tg.vmap(lambda a: a * a.sum().item())(x)
    with pytest.raises(ValueError, match="has size 3, but those before have 2 examples"):
        tg.vmap(lambda a, b: a.sum() + b.sum())(x, x.T)
    with pytest.raises(KeyError):  # what the function raises comes through
        tg.grad(lambda a: {}["missing"])(x)
