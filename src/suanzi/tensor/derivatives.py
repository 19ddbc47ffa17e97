"""Whole derivatives of functions, row by row: autograd.functional's functions.

`functional` gathers them under that name.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.tensor.autograd import grad
from suanzi.tensor.core import Tensor, leaf
from suanzi.tensor.joining import stack
from suanzi.tensor.modes import enable_grad


def _given(inputs: Any, create_graph: bool) -> list[Tensor]:
    many = inputs if isinstance(inputs, tuple) else (inputs,)
    if create_graph:
        return [x.view_as(x) if x.requires_grad else x.detach().requires_grad_() for x in many]
    return [x.detach().requires_grad_() for x in many]


def _like(value: tuple[Any, ...], example: Any) -> Any:
    return value if isinstance(example, tuple) else value[0]


def _slopes(y: Tensor, xs: list[Tensor], start: Any, create_graph: bool) -> list[Tensor]:
    if not y.requires_grad:
        return [leaf(np.zeros(x._value.shape, x._value.dtype)) for x in xs]
    made = grad(y, xs, start, retain_graph=True, create_graph=create_graph, materialize_grads=True)
    return [*made]


def _rows(y: Tensor, xs: list[Tensor], create_graph: bool) -> tuple[Tensor, ...]:
    """The derivative of a tensor: for each input [*shape of y, *shape of the input]."""
    flat = y.reshape(-1)
    found = [_slopes(flat[i], xs, None, create_graph) for i in range(y.numel())]
    made = []
    for k, x in enumerate(xs):
        shape = (*y.shape, *x.shape)
        rows = [row[k] for row in found]
        made.append(stack(rows).reshape(shape) if rows else x.new_zeros(shape))
    return tuple(made)


@enable_grad()
def jacobian(
    func: Callable[..., Any], inputs: Any, create_graph: bool = False, strict: bool = False,
    vectorize: bool = False, strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """How each element of the outputs changes with each of the inputs.

    >>> import suanzi
    >>> jacobian(lambda x: x * x, suanzi.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    xs = _given(inputs, create_graph)
    out = func(*xs)
    many = out if isinstance(out, tuple) else (out,)
    found = tuple(_like(_rows(y, xs, create_graph), inputs) for y in many)
    return _like(found, out)


def hessian(
    func: Callable[..., Any], inputs: Any, create_graph: bool = False, strict: bool = False,
    vectorize: bool = False, outer_jacobian_strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """The second derivatives of a function of one number."""

    def slopes(*xs: Tensor) -> Any:
        made = jacobian(func, xs, create_graph=True)
        return tuple(g.reshape(x.shape) for g, x in zip(made, xs, strict=True))

    many = inputs if isinstance(inputs, tuple) else (inputs,)
    found = jacobian(slopes, many, create_graph=create_graph)
    return _like(tuple(_like(row, inputs) for row in found), inputs)


@enable_grad()
def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> Any:  # fmt: skip
    """The outputs, and a vector times their derivative."""
    xs = _given(inputs, create_graph)
    out = func(*xs)
    many = out if isinstance(out, tuple) else (out,)
    if v is None and (len(many) != 1 or many[0].numel() != 1):
        raise SuanziError("the vector can be left out for a single number alone", input="v")
    made = grad(
        list(many), xs, None if v is None else list(v) if isinstance(v, tuple) else [v],
        create_graph=create_graph, materialize_grads=True,
    )  # fmt: skip
    outputs = tuple(y if create_graph else y.detach() for y in many)
    return _like(outputs, out), _like(tuple(made), inputs)


@enable_grad()
def jvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> Any:  # fmt: skip
    """The outputs, and their derivative times a vector: the derivative of vjp, which is linear
    in its vector."""
    xs = _given(inputs, create_graph)
    out = func(*xs)
    many = out if isinstance(out, tuple) else (out,)
    starts = [leaf(np.zeros(y._value.shape, y._value.dtype), requires_grad=True) for y in many]
    back = grad(list(many), xs, starts, create_graph=True, materialize_grads=True)
    given = [None] if v is None else list(v) if isinstance(v, tuple) else [v]
    if v is None:
        given = [leaf(np.ones(x._value.shape, x._value.dtype)) for x in xs]
    pairs = [(b, g) for b, g in zip(back, given, strict=True) if b.requires_grad]
    made: Any = [leaf(np.zeros(y._value.shape, y._value.dtype)) for y in many]
    if pairs:
        made = grad([b for b, _ in pairs], starts, [g for _, g in pairs],
                    create_graph=create_graph, materialize_grads=True)  # fmt: skip
    outputs = tuple(y if create_graph else y.detach() for y in many)
    return _like(outputs, out), _like(tuple(made), out)


@enable_grad()
def vhp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> Any:  # fmt: skip
    """The output, and a vector times the second derivatives."""
    xs = _given(inputs, create_graph)
    out = func(*xs)
    slopes = grad(out, xs, create_graph=True, materialize_grads=True)
    given = [leaf(np.ones_like(x._value)) for x in xs] if v is None else [
        *(v if isinstance(v, tuple) else (v,))]  # fmt: skip
    made = grad(
        [s for s in slopes if s.requires_grad],
        xs, [g for s, g in zip(slopes, given, strict=True) if s.requires_grad],
        create_graph=create_graph, materialize_grads=True,
    )  # fmt: skip
    return (out if create_graph else out.detach()), _like(tuple(made), inputs)


functional = SimpleNamespace(jacobian=jacobian, hessian=hessian, vjp=vjp, jvp=jvp, vhp=vhp, hvp=vhp)
