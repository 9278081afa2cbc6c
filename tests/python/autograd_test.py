"""PyTorch's ways to gradients: modes, autograd.grad, functions with gradients of their own, recomputation."""
import threading

import numpy as np
import pytest
import torch
import torch.utils.checkpoint

import tg

X = np.random.default_rng(0).normal(size=(3, 4)).astype("f")


def test_modes():
    """Whether history is recorded, inside each of PyTorch's forms."""
    def modes(library):
        x, seen = library.ones(1, requires_grad=True), []

        def see():
            seen.append((library.is_grad_enabled(), (x * 2).requires_grad))

        see()
        with library.no_grad():
            see()
            with library.enable_grad():
                see()
            library.enable_grad()(see)()
            see()
        library.no_grad()(see)()
        with library.inference_mode():
            seen.append(library.is_grad_enabled())
        with library.set_grad_enabled(False):
            see()
        see()
        library.set_grad_enabled(False)
        see()
        library.set_grad_enabled(True)
        with pytest.raises(KeyError), library.no_grad():
            raise KeyError
        see()
        return seen

    assert modes(tg) == modes(torch)


def test_modes_are_of_a_thread():
    seen, inside = [], threading.Event()

    @tg.no_grad()
    def f():
        inside.wait(5)
        seen.append(tg.is_grad_enabled())

    thread = threading.Thread(target=f)
    thread.start()
    seen.append(tg.is_grad_enabled())
    with tg.enable_grad():
        inside.set()
        thread.join()
        seen.append(tg.is_grad_enabled())
    assert seen == [True, False, True] and f.__name__ == "f"


def test_grad_of_several():
    def gradients(library):
        x, y = (library.tensor(a, requires_grad=True) for a in (X, X[0]))
        outputs, seeds = [(x * y).sum(), x.sin() * 2], [None, library.tensor(X)]
        first = library.autograd.grad(outputs, [x, y], seeds, create_graph=True)
        second = library.autograd.grad(first[0].sum(), y, retain_graph=True)
        return [*first, *second, *library.autograd.grad(outputs[0] * outputs[0], (y,))]

    for mine, theirs in zip(gradients(tg), gradients(torch), strict=True):
        assert np.allclose(mine.numpy(), theirs.detach().numpy(), atol=1e-6)
    x = tg.ones(2, requires_grad=True)
    with pytest.raises(tg.GradientError, match="its grad_outputs"):
        tg.autograd.grad([x.sum(), x * 2], x)
    with pytest.raises(tg.GradientError, match="2 elements"):
        tg.autograd.grad(x * 2, x)
    tg.autograd.backward([x.sum(), x * 3], [None, tg.Tensor([1.0, 2.0])])
    assert x.grad.tolist() == [4, 7]


def scaled(library):
    """x y scale, with a gradient that is too large by one, so that it can be told from the true one."""
    class Scaled(library.autograd.Function):
        @staticmethod
        def forward(ctx, x, scale, y):
            out = x * y * scale
            ctx.save_for_backward(x, y, out)
            ctx.scale = scale
            return out

        @staticmethod
        def backward(ctx, gradient):
            x, y, out = ctx.saved_tensors
            return gradient * (ctx.scale * y + 1), None, gradient * out / y if ctx.needs_input_grad[2] else None

    return Scaled


def test_functions_with_gradients_of_their_own():
    def gradients(library):
        x, y = library.tensor(X, requires_grad=True), library.tensor(X[:1] + 3)
        out = scaled(library).apply(x, 2.0, y.expand(3, 4))
        first, = library.autograd.grad((out * out).sum(), x, create_graph=True)
        second, = library.autograd.grad(first.sum(), x)
        return out, first, second

    for mine, theirs in zip(gradients(tg), gradients(torch)):
        assert np.allclose(mine.numpy(), theirs.detach().numpy(), rtol=1e-5)


def test_functions_are_transformed():
    f = lambda x, y: scaled(tg).apply(x, 2.0, y).sum()
    x, y = tg.Tensor(X), tg.Tensor(X + 3)
    assert np.allclose(tg.vmap(tg.grad(f))(x, y).numpy(), 2 * (X + 3) + 1)
    assert np.allclose(tg.vmap(tg.grad(f, 1))(x, y).numpy(), 2 * X, atol=1e-6)
    x.requires_grad = True
    out = scaled(tg).apply(x, 1.0, y)
    with tg.no_grad():
        x += 100  # later than forward: what was saved is what it was
    z = tg.Tensor(X, requires_grad=True)
    assert np.allclose(tg.autograd.grad(scaled(tg).apply(z, 1.0, y).sum(), z)[0].numpy(), X + 4) and np.allclose(out.numpy(), X * (X + 3))


def test_mistakes_in_functions():
    class Wrong(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, gradient):
            return gradient

    x = tg.ones(2, requires_grad=True)
    with pytest.raises(tg.GradientError, match="Wrong: backward gave 1 gradients for 2 arguments"):
        tg.autograd.grad(Wrong.apply(x, 2.0).sum(), x)
    with pytest.raises(NotImplementedError, match="forward"):
        tg.autograd.Function.apply(x)
    ctx = tg.autograd.FunctionCtx()
    assert ctx.mark_non_differentiable(x) is None and ctx.saved_tensors == ()


def test_functional():
    x, v = X[0], X[1]
    f, g = (lambda x: x**2 * x.sum()), (lambda x: (x**3).sum())
    for name, function, more in (("jacobian", f, ()), ("hessian", g, ()), ("vjp", f, (v,)), ("jvp", f, (v,)), ("hvp", g, (v,))):
        mine, theirs = (getattr(library.autograd.functional, name)(function, *map(make, (x, *more)))
                        for library, make in ((tg, tg.Tensor), (torch, torch.tensor)))
        for a, b in zip(mine, theirs) if isinstance(mine, tuple) else [(mine, theirs)]:
            assert np.allclose(a.numpy(), b.numpy(), atol=1e-5)


def test_checkpoint_of_a_module():
    net = tg.nn.Sequential(tg.nn.Linear(4, 4), tg.nn.Tanh())
    grads = []
    for call in (net, lambda x: tg.utils.checkpoint.checkpoint(net, x, use_reentrant=False)):
        x = tg.Tensor(X, requires_grad=True)
        call(x).sum().backward()
        grads.append([x.grad.tolist(), net[0].weight.grad.tolist()])
        net.zero_grad(set_to_none=True)
    assert grads[0] == grads[1] and tg.func.grad is tg.grad
