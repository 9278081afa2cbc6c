"""Transformations of Python functions: against torch.autograd.functional, functorch, a loop over examples, and each other."""
import re

import functorch
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


FUNCTIONS = {  # a number of a vector of 4
    "products": lambda t, x: (x * x * x).prod(), "tanh": scalar, "logsumexp": lambda t, x: t.logsumexp(x, 0),
    "softmax": lambda t, x: (t.softmax(x, 0) * x).sum(), "sums": lambda t, x: (t.cumsum(x, 0) ** 3).sum(),
    "order": lambda t, x: (t.sort(x, 0)[0] * t.tensor(A[0])).sum(), "largest": lambda t, x: t.amax(x * x, 0) * t.sin(x).sum(),
    "parts": lambda t, x: (x[1:] * x[:-1]).sum() * x[0], "places": lambda t, x: (x[t.tensor([3, 0, 3])] ** 2).sum(),
    "matrices": lambda t, x: (t.outer(x, x) @ t.tensor(A.T)).exp().sum(), "joined": lambda t, x: (t.cat([x, x * x]) ** 2).sum(),
    "deviation": lambda t, x: t.exp(x).var(0), "normed": lambda t, x: ((x - x.mean()) / (x * x).sum().sqrt()).sigmoid().sum(),
}
# T is tg or functorch, g the number of a vector, x (3, 4).
COMPOSITIONS = {
    "grad": lambda T, g, x: T.grad(g)(x[0]),
    "grad grad": lambda T, g, x: T.grad(lambda v: T.grad(g)(v)[1])(x[0]),
    "grad grad grad": lambda T, g, x: T.grad(lambda v: T.grad(lambda u: T.grad(g)(u)[1])(v)[2])(x[0]),
    "hessian": lambda T, g, x: T.hessian(g)(x[0]),
    "jacfwd jacfwd": lambda T, g, x: T.jacfwd(T.jacfwd(g))(x[0]),
    "jacrev jacrev": lambda T, g, x: T.jacrev(T.jacrev(g))(x[0]),
    "jacrev jacfwd": lambda T, g, x: T.jacrev(T.jacfwd(g))(x[0]),
    "jvp vjp": lambda T, g, x: T.jvp(T.grad(g), (x[0],), (x[1],))[1],
    "jvp jvp": lambda T, g, x: T.jvp(lambda v: T.jvp(g, (v,), (x[1],))[1], (x[0],), (x[2],))[1],
    "vmap": lambda T, g, x: T.vmap(g)(x),
    "vmap grad": lambda T, g, x: T.vmap(T.grad(g))(x),
    "vmap hessian": lambda T, g, x: T.vmap(T.hessian(g))(x),
    "grad vmap": lambda T, g, x: T.grad(lambda v: (T.vmap(g)(v) ** 2).sum())(x),
    "jacfwd vmap": lambda T, g, x: T.jacfwd(T.vmap(g))(x),
    "jacrev vmap": lambda T, g, x: T.jacrev(T.vmap(g))(x),
    "vmap vmap": lambda T, g, x: T.vmap(T.vmap(lambda a, b: g(a + b), in_dims=(0, None)), in_dims=(None, 0))(x, x),
    "vmap grad vmap": lambda T, g, x: T.vmap(T.grad(lambda a, v: T.vmap(lambda b: g(a * b))(v).sum()), in_dims=(0, None))(x, x),
    "vmap of columns": lambda T, g, x: T.vmap(T.grad(g), in_dims=1, out_dims=1)(x.T),
    "vmap jvp": lambda T, g, x: T.vmap(lambda a, b: T.jvp(g, (a,), (b,))[1])(x, x * x),
    "vmap vjp": lambda T, g, x: T.vmap(lambda a, b: T.vjp(g, a)[1](b)[0])(x, x[:, 0]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_compositions_are_functorchs(name):
    x = array(3, 4)
    g = FUNCTIONS[name]
    pairs = []
    for composition, apply in COMPOSITIONS.items():
        try:
            theirs = apply(functorch, of(g, torch), torch.tensor(x))
        except RuntimeError:  # PyTorch has no such rule: then what its plain gradients say of the hessian is the measure of the others
            continue
        pairs.append((composition, apply(tg, of(g, tg), tg.tensor(x)), theirs.detach()))
    tg.realize(*(mine for _, mine, _ in pairs))
    for composition, mine, theirs in pairs:
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=1e-8, atol=1e-9, err_msg=composition)
    assert len(pairs) > len(COMPOSITIONS) // 2, [c for c, _, _ in pairs]


def kernels(y):
    return len(re.findall(r"^\w+\(b\d", tg.explain(y, "schedule"), re.M))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_number_of_kernels_does_not_depend_on_the_batch(name):
    """The graph never does. Of a hessian of very many examples the scheduler stores values that it computes again for few."""
    def of_batch(f, *sizes):
        return f(tg.ones(*sizes, 4, dtype="float64").realize())
    g = of(FUNCTIONS[name], tg)
    once, twice, bent = (tg.vmap(h) for h in (tg.grad(g), tg.vmap(tg.grad(g)), tg.hessian(g)))
    few = [(2,), (7,), (300,)]
    for f, batches in ((tg.vmap(g), few), (once, few), (twice, [(2, 3), (50, 4), (3, 70)]), (bent, [(2,), (30,)])):
        counts = {kernels(of_batch(f, *batch)) for batch in batches}
        assert len(counts) == 1 and counts.pop() > 0
    assert len({tg.explain(of_batch(bent, n), "graph").count("\n") for n in (2, 3000)}) == 1 and kernels(of_batch(bent, 3000)) < 10


def test_axes_of_nested_arguments():
    """in_dims as one axis, a tuple, and in the arguments' own form; in_axes is the same."""
    rng_x = {"a": tg.tensor(array(5, 3)), "b": [tg.tensor(array(3, 5))]}
    y = tg.tensor(array(5))

    def g(d, s):
        return {"out": (d["a"] * d["b"][0]).sum() * s, "twice": (d["a"] * 2,)}
    got = tg.vmap(g, in_dims=({"a": 0, "b": [1]}, 0))(rng_x, y)
    a, b = rng_x["a"].numpy(), rng_x["b"][0].numpy()
    near(got["out"], (a * b.T).sum(1) * y.numpy())
    near(got["twice"][0], a * 2)
    near(tg.vmap(g, in_axes=({"a": 0, "b": [1]}, None))(rng_x, y[0])["out"], (a * b.T).sum(1) * y[0].numpy())
    matrix = tg.tensor(array(2, 3, 4))
    near(tg.vmap(lambda m: m.sum(0), in_dims=2, out_dims=1)(matrix), matrix.numpy().sum(0).reshape(3, 4))
    near(tg.vmap(lambda m: m.sum(0), in_dims=-1, out_dims=-1)(matrix), matrix.numpy().sum(0))


def test_what_is_inside_a_transformation():
    x = tg.tensor(array(3, 4))
    block = tg.checkpoint(lambda a: (a @ tg.tensor(A.T)).tanh())
    plain = lambda a: (a @ tg.tensor(A.T)).tanh()  # noqa: E731
    for outer in (lambda g: tg.vmap(lambda a: g(a).sum()), lambda g: tg.vmap(tg.grad(lambda a: (g(a) ** 2).sum())),
                  lambda g: tg.grad(lambda a: (tg.vmap(g)(a) ** 2).sum()), lambda g: tg.jacrev(lambda a: g(a).sum(0)),
                  lambda g: tg.jacfwd(lambda a: g(a).sum(0)), lambda g: tg.vmap(tg.hessian(lambda a: (g(a) ** 2).sum()))):
        near(outer(block)(x), outer(plain)(x))
    tripled = tg.custom_gradient(lambda a: a * a, lambda g, y, a: g * a * 3)
    near(tg.vmap(tg.grad(lambda a: tripled(a).sum()))(x), x * 3)
    near(tg.grad(lambda a: tg.vmap(lambda r: tripled(r).sum())(a).sum())(x), x * 3)
    near(tg.vmap(tg.grad(lambda a: (tg.stop_gradient(a) * a * a).sum()))(x), 2 * x * x)
    near(tg.jacrev(lambda a: tg.stop_gradient(a) * a)(x[0]), np.diag(x[0].numpy()))


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


@pytest.mark.parametrize("call", [
    lambda: tg.grad(lambda a: a * 2)(tg.ones(2)), lambda: tg.value_and_grad(lambda a: a, argnums=3)(tg.ones(2)),
    lambda: tg.vmap(lambda a, b: a)(tg.ones(2), tg.ones(3)), lambda: tg.jvp(lambda a: a, (tg.ones(2),), (tg.ones(3),)),
    lambda: tg.vjp(lambda a: a, tg.ones(2))[1](tg.ones(3)), lambda: tg.hvp(lambda a: a, tg.ones(2), tg.ones(2)),
    lambda: tg.jacrev(lambda a: (a, a))(tg.ones(2)), lambda: tg.hessian(lambda a: a)(tg.ones(2)),
    lambda: tg.gradcheck(tg.custom_gradient(lambda a: a, lambda g, y, a: g * 2), tg.ones(2, dtype="float64")),
    lambda: tg.checkpoint(lambda a: a + tg.ones(3))(tg.ones(2)), lambda: tg.grad(tg.vmap(lambda a: a.view(7)))(tg.ones(2, 2))])
def test_the_line_that_was_wrong_is_the_last_of_the_traceback(call):
    """A transformation's own error, or one in the user's function: nothing of the package stands below the user's line."""
    with pytest.raises(tg.Error) as info:
        call()
    assert {str(entry.path) for entry in info.traceback} == {__file__}


def test_transformed_functions_keep_their_names():
    def square(a):
        """a a."""
        return a * a
    assert tg.vmap(square).__name__ == "square" and tg.vmap(square).__doc__ == "a a." and tg.vjp.__doc__.startswith("(f(*args), pullback)")
