"""PyTorch's names for derivatives of what has been computed, and functions with gradients of their own.

    class Cube(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x ** 3

        @staticmethod
        def backward(ctx, gradient):
            x, = ctx.saved_tensors
            return gradient * 3 * x ** 2

    y = Cube.apply(x)
    slope, = tg.autograd.grad(y.sum(), x)
"""
from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any, Optional

from tg import _tg, transform
from tg._tg import Tensor
from tg.grad_mode import enable_grad as enable_grad, no_grad as no_grad, set_grad_enabled as set_grad_enabled
from tg.transform import _unseen, gradcheck as gradcheck, gradgradcheck as gradgradcheck


def _listed(tensors: Any) -> list[Any]:
    return [tensors] if tensors is None or isinstance(tensors, Tensor) else list(tensors)


@_unseen
def grad(outputs: Tensor | Sequence[Tensor], inputs: Tensor | Sequence[Tensor],
         grad_outputs: Optional[Tensor | Sequence[Optional[Tensor]]] = None, retain_graph: Optional[builtins.bool] = None,
         create_graph: builtins.bool = False, only_inputs: builtins.bool = True,
         allow_unused: builtins.bool = True) -> tuple[Tensor, ...]:
    """The sum over outputs of grad_outputs times d(output)/d(each of inputs), without touching any grad. Outputs of one element need no
    grad_outputs. Zeros where nothing depends on an input, or GradientError where allow_unused is False."""
    ys, seeds = _listed(outputs), _listed(grad_outputs)
    if len(seeds) < len(ys):
        seeds = [None for _ in ys]
    if len(ys) == 1:
        y, seed = ys[0], seeds[0]
    else:
        seeds = [_tg.ones_like(y) if seed is None and y.numel() == 1 else seed for y, seed in zip(ys, seeds)]
        if None in [s if s is None else 0 for s in seeds]:
            raise _tg.GradientError("grad: an output of more elements than one needs its grad_outputs, of its shape")
        y, seed = _tg.cat([y.reshape(-1) for y in ys]), _tg.cat([seed.reshape(-1) for seed in seeds])
    return tuple(_tg.gradient(y, _listed(inputs), seed, create_graph if retain_graph is None else retain_graph, create_graph))


@_unseen
def backward(tensors: Tensor | Sequence[Tensor], grad_tensors: Optional[Tensor | Sequence[Optional[Tensor]]] = None,
             retain_graph: Optional[builtins.bool] = None, create_graph: builtins.bool = False) -> None:
    """tensor.backward(gradient) of each."""
    ys, seeds = _listed(tensors), _listed(grad_tensors)
    for i, y in enumerate(ys):
        keep = i < len(ys) - 1 or (create_graph if retain_graph is None else retain_graph)
        y.backward(seeds[i] if i < len(seeds) else None, keep, create_graph)


class FunctionCtx:
    """What forward hands to backward: tensors that it saves, and attributes that it sets."""

    needs_input_grad: tuple[builtins.bool, ...]
    saved_tensors: tuple[Tensor, ...] = ()

    def save_for_backward(self, *tensors: Tensor) -> None:
        """They are ctx.saved_tensors in backward."""
        self.saved_tensors = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Of integers, say: nothing to be done."""


class Function:
    """A function of tensors and other things to one tensor, with a gradient of its own: forward(ctx, ...) and backward(ctx, gradient),
    which gives a gradient for each argument of forward, or None. Called as apply(...)."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Any:
        """What it computes; for subclasses to write."""
        raise NotImplementedError("a Function has a static method forward(ctx, ...)")

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """The gradients of forward's arguments, of that of its result; for subclasses to write."""
        raise NotImplementedError("a Function has a static method backward(ctx, gradient)")

    @classmethod
    def apply(cls, *arguments: Any) -> Tensor:
        """forward(ctx, ...), whose gradient is backward's. ValueError where forward gives anything else than one tensor."""
        ctx, places = FunctionCtx(), [i for i, a in enumerate(arguments) if isinstance(a, Tensor)]
        ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a.requires_grad for a in arguments)
        known: dict[int, int] = {}  # by identity: which argument it is, or (-1) the result

        def forward(*tensors: Tensor) -> Tensor:
            given = dict(zip(places, tensors))
            result = cls.forward(ctx, *(given.get(i, a) for i, a in enumerate(arguments)))
            if not isinstance(result, Tensor):
                raise _tg.ValueError(f"{cls.__name__}: forward must give one tensor; join several, or write a Function for each")
            known[_tg._identity(result)] = -1
            known.update((_tg._identity(t), i) for i, t in enumerate(tensors))
            return result

        def backward(gradient: Tensor, result: Tensor, *tensors: Tensor) -> list[Tensor]:
            now = FunctionCtx()
            vars(now).update(vars(ctx))
            places_of = [known.get(_tg._identity(t)) for t in ctx.saved_tensors]
            now.saved_tensors = tuple(t if i is None else [*tensors, result][i] for i, t in zip(places_of, ctx.saved_tensors))
            given: Any = cls.backward(now, gradient)
            given = list(given) if isinstance(given, (tuple, list)) else [given]
            if len(given) != len(arguments):
                raise _tg.GradientError(f"{cls.__name__}: backward gave {len(given)} gradients for {len(arguments)} arguments")
            return [_tg.zeros_like(t) if given[i] is None else given[i] for i, t in zip(places, tensors)]

        if not places:
            return forward()
        return transform.custom_gradient(forward, backward)(*[arguments[i] for i in places])  # type: ignore[no-any-return]


class functional:
    """Derivatives of functions at a place: tg.jacobian, hessian, vjp, jvp and hvp with PyTorch's arguments, of one tensor."""

    @staticmethod
    def jacobian(func: Any, inputs: Tensor) -> Tensor:
        """tg.jacobian(func)(inputs)."""
        return transform.jacobian(func)(inputs)  # type: ignore[no-any-return]

    @staticmethod
    def hessian(func: Any, inputs: Tensor) -> Tensor:
        """tg.hessian(func)(inputs)."""
        return transform.hessian(func)(inputs)  # type: ignore[no-any-return]

    @staticmethod
    def vjp(func: Any, inputs: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """(func(inputs), the sum of v times its derivatives)."""
        value, pull = transform.vjp(func, inputs)
        return value, pull(v)[0]

    @staticmethod
    def jvp(func: Any, inputs: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """(func(inputs), its derivative along v)."""
        return transform.jvp(func, (inputs,), (v,))

    @staticmethod
    def hvp(func: Any, inputs: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """(func(inputs), its second derivatives times v)."""
        return func(inputs), transform.hvp(func, inputs, v)
