"""Transformations: a function of tensors becomes another function of tensors. Any may be applied to what another gave.

    tg.grad(f)(x)              d(f)/d(x) of f's one element
    tg.vmap(tg.grad(f))(xs)    of each row of xs, in as many kernels as of one
    tg.hessian(f)(x)           second derivatives

Arguments and results may be tensors or tuples, lists and dicts of them. tg/transform.hpp says what holds of all: f is called once;
what it uses besides its arguments is constant to it; under vmap a tensor has no value to look at.
"""
from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Optional, TypeVar, Union, cast

from tg import _tg
from tg._tg import Tensor

__all__ = ["checkpoint", "custom_gradient", "grad", "gradcheck", "gradgradcheck", "hessian", "hvp", "jacfwd", "jacobian", "jacrev", "jvp",
           "stop_gradient", "value_and_grad", "vjp", "vmap"]

Function = Callable[..., Any]
F = TypeVar("F", bound=Function)


def _unseen(f: F) -> F:
    """f, which does not stand in the traceback of an error: the user's own line is the last."""
    return cast(F, functools.update_wrapper(_tg._Unseen(f), f))


class _Constant:
    """What is no tensor, and passes as it is."""

    def __init__(self, value: Any):
        self.value = value


def _map(tree: Any, f: Function) -> Any:
    """The tree with f of each leaf."""
    if isinstance(tree, dict):
        return {key: _map(value, f) for key, value in tree.items()}
    if isinstance(tree, (tuple, list)):
        parts = [_map(value, f) for value in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return f(tree)


def _flatten(tree: Any, leaves: list[Any]) -> Any:
    """The tensors of a tree in order, put to `leaves`, and the tree with their numbers in their places."""

    def leaf(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return _Constant(value)
        leaves.append(value)
        return len(leaves) - 1

    return _map(tree, leaf)


def _unflatten(tree: Any, leaves: Sequence[Any]) -> Any:
    return _map(tree, lambda leaf: leaf.value if isinstance(leaf, _Constant) else leaves[leaf])


class _Call:
    """A call f(*args, **kwargs) as a function of a list of tensors; `result` is the shape of what f returned."""

    def __init__(self, f: Function, args: tuple[Any, ...], kwargs: dict[str, Any], has_aux: bool = False):
        self.f, self.has_aux = f, has_aux
        self.tensors: list[Tensor] = []
        self.tree = _flatten(args, self.tensors)
        self.kwargs = kwargs
        self.result: Any = None
        self.aux: Any = None

    def __call__(self, tensors: list[Tensor]) -> list[Tensor]:
        out = self.f(*_unflatten(self.tree, tensors), **self.kwargs)
        if self.has_aux:
            out, self.aux = out
        leaves: list[Tensor] = []
        self.result = _flatten(out, leaves)
        return leaves

    def numbers(self, argument: int, what: str) -> tuple[list[int], Any]:
        """Which tensors an argument holds, and the argument with numbers into these."""
        if not -len(self.tree) <= argument < len(self.tree):
            raise _tg.ValueError(f"{what}: there is no argument {argument}; the function was given {len(self.tree)}")
        found: list[int] = []

        def leaf(number: Any) -> Any:
            if isinstance(number, _Constant):
                return _Constant(None)
            found.append(number)
            return len(found) - 1

        return found, _map(self.tree[argument], leaf)


def value_and_grad(f: Function, argnums: Union[int, Sequence[int]] = 0, has_aux: bool = False) -> Function:
    """(f(x), grad(f)(x)), computed together. With has_aux f returns (value, more), and so does this: ((value, more), gradients)."""

    @_unseen
    @functools.wraps(f)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        call = _Call(f, args, kwargs, has_aux)
        which = [call.numbers(a, "grad") for a in ((argnums,) if isinstance(argnums, int) else argnums)]
        value, gradients = _tg._value_and_grad(call, call.tensors, [n for numbers, _ in which for n in numbers])
        trees, at = [], 0
        for numbers, tree in which:
            trees.append(_unflatten(tree, gradients[at:at + len(numbers)]))
            at += len(numbers)
        return (value, call.aux) if has_aux else value, trees[0] if isinstance(argnums, int) else tuple(trees)

    return transformed


def grad(f: Function, argnums: Union[int, Sequence[int]] = 0, has_aux: bool = False) -> Function:
    """The gradient of f's one element with respect to the argument of that number, in the argument's form; a tuple for several. With
    has_aux f returns (value, more), and this (gradients, more)."""
    both = value_and_grad(f, argnums, has_aux)

    @_unseen
    @functools.wraps(f)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        value, gradients = both(*args, **kwargs)
        return (gradients, value[1]) if has_aux else gradients

    return transformed


@_unseen
def vjp(f: Function, *args: Any) -> tuple[Any, Function]:
    """(f(*args), pullback): the pullback takes what f returned and gives, for each argument, the sum of it times d(f)/d(argument)."""
    call = _Call(f, args, {})
    values, pull = _tg._vjp(call, call.tensors)

    @_unseen
    def pullback(vector: Any) -> tuple[Any, ...]:
        leaves: list[Tensor] = []
        _flatten(vector, leaves)
        return tuple(_unflatten(call.tree, pull(leaves)))

    return _unflatten(call.result, values), pullback


@_unseen
def jvp(f: Function, args: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """(f(*args), its derivative along the tangents, which have the arguments' form)."""
    call = _Call(f, tuple(args), {})
    along: list[Tensor] = []
    _flatten(tuple(tangents), along)
    values, out = _tg._jvp(call, call.tensors, along)
    return _unflatten(call.result, values), _unflatten(call.result, out)


def _jacobian(f: Function, argnums: int, forward: bool) -> Function:
    @_unseen
    @functools.wraps(f)
    def transformed(*args: Any, **kwargs: Any) -> Tensor:
        call = _Call(f, args, kwargs)
        numbers, _ = call.numbers(argnums, "jacobian")
        if len(numbers) != 1:
            raise _tg.ValueError(f"jacobian: argument {argnums} holds {len(numbers)} tensors; it must be one")
        return _tg._jacobian(call, call.tensors, numbers[0], forward)

    return transformed


def jacrev(f: Function, argnums: int = 0) -> Function:
    """All of d(f)/d(argument), f's shape before the argument's, by reverse mode: for results smaller than the argument."""
    return _jacobian(f, argnums, False)


def jacfwd(f: Function, argnums: int = 0) -> Function:
    """The same by forward mode: for arguments smaller than the result."""
    return _jacobian(f, argnums, True)


def jacobian(f: Function, argnums: int = 0, mode: str = "reverse") -> Function:
    """jacrev, or jacfwd where mode is "forward"."""
    if mode not in ("reverse", "forward"):
        raise _tg.ValueError(f'jacobian: mode "{mode}" is neither "reverse" nor "forward"')
    return _jacobian(f, argnums, mode == "forward")


def hessian(f: Function, argnums: int = 0) -> Function:
    """The second derivatives of f's one element, the argument's shape twice."""
    return jacfwd(grad(f, argnums), argnums)


@_unseen
def hvp(f: Function, x: Tensor, v: Tensor) -> Tensor:
    """hessian(f)(x) times v, without the matrix."""
    product: Tensor = vjp(grad(f), x)[1](v)[0]
    return product


def vmap(f: Function, in_dims: Any = 0, out_dims: int = 0, *, in_axes: Any = 0, out_axes: int = 0) -> Function:
    """f of each example, as one computation, whose graph does not depend on how many there are, nor does the number of kernels (but that
    values may be stored, where there are very many, that else are computed twice). in_dims (JAX: in_axes) is the axis that counts
    examples: one for all arguments, or a tuple with one an argument, None for one that all share; nested arguments take one axis, or axes
    in their own form. out_dims is where that axis is in the results."""
    axes_of, out_axis = (in_dims if in_dims != 0 else in_axes), (out_dims if out_dims != 0 else out_axes)

    @_unseen
    @functools.wraps(f)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        call = _Call(f, args, kwargs)
        axes: list[Optional[int]] = []

        def visit(tree: Any, axis: Any) -> None:
            if isinstance(tree, _Constant):
                return
            if isinstance(tree, int):
                axes.append(axis)
                return
            spread = isinstance(axis, (tuple, list, dict))
            if spread and len(axis) != len(tree):
                raise _tg.ValueError(f"vmap: in_dims has {len(axis)} entries for {len(tree)} arguments")
            for key in tree if isinstance(tree, dict) else range(len(tree)):
                visit(tree[key], axis[key] if spread else axis)

        visit(call.tree, axes_of)
        results = _tg._vmap(call, call.tensors, axes, out_axis)
        return _unflatten(call.result, results)

    return transformed


def checkpoint(f: Function) -> Function:
    """f, whose intermediate values are not kept for the gradient but computed again from its arguments."""

    @_unseen
    @functools.wraps(f)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        call = _Call(f, args, kwargs)
        results = _tg._checkpoint(call, call.tensors)
        return _unflatten(call.result, results)

    return transformed


def custom_gradient(f: Function, backward: Function) -> Function:
    """f, of tensors to one tensor, with a gradient of its own: backward(gradient, result, *arguments) gives one gradient, or a tuple with
    one an argument."""

    @_unseen
    @functools.wraps(f)
    def transformed(*args: Tensor) -> Tensor:
        def pull(arguments: list[Tensor], result: Tensor, gradient: Tensor) -> list[Tensor]:
            out = backward(gradient, result, *arguments)
            return [out] if isinstance(out, Tensor) else list(out)

        return _tg._custom_gradient(lambda x: [f(*x)], pull, list(args))

    return transformed


def stop_gradient(x: Tensor) -> Tensor:
    """The same value, through which no gradient passes."""
    return x.detach()


@_unseen
def gradcheck(f: Function, inputs: Any, eps: float = 1e-6, atol: float = 1e-6, rtol: float = 1e-5) -> bool:
    """Whether f's gradients at inputs (float64) are what differences say: True, or GradientError with the first that is not."""
    call = _Call(f, tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,), {})
    return _tg._gradcheck(call, call.tensors, eps, atol, rtol)


@_unseen
def gradgradcheck(f: Function, inputs: Any, eps: float = 1e-6, atol: float = 1e-6, rtol: float = 1e-5) -> bool:
    """The same of the gradient itself."""
    call = _Call(f, tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,), {})
    return _tg._gradgradcheck(call, call.tensors, eps, atol, rtol)
