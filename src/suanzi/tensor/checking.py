"""Gradients held to differences of values: autograd.gradcheck."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.tensor.autograd import grad
from suanzi.tensor.core import Tensor, leaf, wrap
from suanzi.tensor.random import randn_like


class GradcheckError(SuanziError, RuntimeError):
    """A gradient differs from the differences of values."""


def _listed(x: Any) -> list[Any]:
    return [*x] if isinstance(x, tuple | list) else [x]


def _differences(
    function: Callable[..., Any], inputs: list[Any], i: int, number: int, eps: float
) -> Any:
    """How an output changes with each element of an input: [elements of it, of the output]."""
    x = inputs[i].numpy(force=True)
    rows = []
    for place in np.ndindex(x.shape):
        sides = []
        for step in (eps, -eps):
            moved = x.copy()
            moved[place] += step
            given = [*inputs]
            given[i] = leaf(moved, requires_grad=True)
            sides.append(_listed(function(*given))[number].numpy(force=True).astype(np.float64))
        rows.append(((sides[0] - sides[1]) / (2 * eps)).reshape(-1))
    return np.array(rows)


def _along(
    function: Callable[..., Any], inputs: list[Any], outputs: list[Any], i: int, eps: float
) -> list[tuple[int, float, float]]:
    """How each output changes along a random direction of an input, weighted by random numbers:
    its number, by the differences of values, by the gradient.
    """
    x = inputs[i].numpy(force=True)
    direction = randn_like(inputs[i].detach()).numpy()
    sides = []
    for step in (eps, -eps):
        given = [*inputs]
        given[i] = leaf(np.asarray(x + step * direction), requires_grad=True)
        sides.append(_listed(function(*given)))
    made = []
    for number, y in enumerate(outputs):
        if isinstance(y, Tensor) and y.requires_grad:
            weights = randn_like(y.detach())
            (part,) = grad(y, inputs[i], weights, retain_graph=True, allow_unused=True)
            found = 0.0 if part is None else float((part.numpy(force=True) * direction).sum())
            a, b = (side[number].numpy(force=True).astype(np.float64) for side in sides)
            made.append((number, float(((a - b) * weights.numpy()).sum() / (2 * eps)), found))
    return made


def gradcheck(
    func: Callable[..., Any], inputs: Any, *, eps: float = 1e-6, atol: float = 1e-5,
    rtol: float = 1e-3, raise_exception: bool = True, fast_mode: bool = False, **_options: Any,
) -> bool:  # fmt: skip
    """Holds a function's gradients to differences of its values; the inputs that require gradients
    are best of float64. In fast_mode along one random direction of each.

    >>> import suanzi
    >>> x = suanzi.tensor([1.0, 2.0], dtype=suanzi.float64, requires_grad=True)
    >>> gradcheck(lambda x: x.exp() * x, (x,))
    True
    """
    given = _listed(inputs)
    outputs = _listed(func(*given))
    if fast_mode:
        for i, x in enumerate(given):
            if not isinstance(x, Tensor) or not x.requires_grad:
                continue
            for number, expected, value in _along(func, given, outputs, i, eps):
                if abs(value - expected) > atol + rtol * abs(expected):
                    if not raise_exception:
                        return False
                    raise GradcheckError(
                        f"the gradient of output {number} differs from the differences of values",
                        input=str(i), expected=expected, found=value,
                    )  # fmt: skip
        return True
    for number, y in enumerate(outputs):
        if not isinstance(y, Tensor) or not y.requires_grad:
            continue
        for i, x in enumerate(given):
            if not isinstance(x, Tensor) or not x.requires_grad:
                continue
            wanted = _differences(func, given, i, number, eps)
            columns = []
            for place in range(y.numel()):
                one = np.zeros(y.numel(), y._value.dtype)
                one[place] = 1
                start = wrap(one.reshape(y._value.shape))
                (part,) = grad(y, x, start, retain_graph=True, allow_unused=True)
                part = np.zeros(x._value.shape) if part is None else part.numpy(force=True)
                columns.append(part.reshape(-1))
            found = np.array(columns).reshape(y.numel(), x.numel()).T
            wanted = wanted.reshape(found.shape)
            if not np.allclose(found, wanted, rtol, atol):
                if not raise_exception:
                    return False
                raise GradcheckError(
                    f"the gradient of output {number} differs from the differences of values",
                    input=str(i), expected=wanted, found=found,
                )  # fmt: skip
    return True


def gradgradcheck(
    func: Callable[..., Any], inputs: Any, grad_outputs: Any = None, *, eps: float = 1e-6,
    atol: float = 1e-5, rtol: float = 1e-3, raise_exception: bool = True,
    fast_mode: bool = False, **_options: Any,
) -> bool:  # fmt: skip
    """As `gradcheck`, of the gradients themselves."""
    given = _listed(inputs)
    outputs = [y for y in _listed(func(*given)) if isinstance(y, Tensor) and y.requires_grad]
    if grad_outputs is None:
        starts: Sequence[Any] = [randn_like(y.detach()).requires_grad_() for y in outputs]
    else:
        starts = _listed(grad_outputs)

    def gradients(*both: Any) -> Any:
        inner, given_starts = both[: len(given)], both[len(given) :]
        wanted = [x for x in inner if isinstance(x, Tensor) and x.requires_grad]
        ys = [y for y in _listed(func(*inner)) if isinstance(y, Tensor) and y.requires_grad]
        made = grad(ys, wanted, given_starts, create_graph=True, allow_unused=True)
        return tuple(g for g in made if g is not None)

    return gradcheck(
        gradients, [*given, *starts], eps=eps, atol=atol, rtol=rtol,
        raise_exception=raise_exception, fast_mode=fast_mode,
    )  # fmt: skip
