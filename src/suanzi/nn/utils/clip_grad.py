"""Gradients held to a norm or to a range, in place."""

import math
from collections.abc import Iterable

from suanzi.errors import SuanziError
from suanzi.tensor import Tensor, no_grad, stack, tensor

Tensors = Tensor | Iterable[Tensor]


def _listed(tensors: Tensors) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _gradients(parameters: Tensors) -> list[Tensor]:
    return [p.grad for p in _listed(parameters) if p.grad is not None]


@no_grad()
def get_total_norm(
    tensors: Tensors,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all tensors as if they were one vector."""
    parts = [t.norm(float(norm_type)) for t in _listed(tensors)]
    if not parts:
        return tensor(0.0)
    total: Tensor = stack([part.to(parts[0].dtype) for part in parts]).norm(float(norm_type))
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise SuanziError(
            f"the total norm of order {norm_type} for gradients is non-finite, so it can't be "
            "clipped",
            found=total.item(),
            hint="Scale the gradients anyway with error_if_nonfinite=False",
        )
    return total


@no_grad()
def clip_grads_with_norm_(
    parameters: Tensors, max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scales the gradients by max_norm / (total_norm + 1e-6), where that is below 1."""
    # Clamped rather than asked for, so that a compiled step has no branch on a value.
    factor = (max_norm / (total_norm + 1e-6)).clamp(max=1.0)
    for gradient in _gradients(parameters):
        gradient.mul_(factor.to(gradient.dtype))


def clip_grad_norm_(
    parameters: Tensors,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scales the gradients so that the norm of all together is at most `max_norm`.

    Returns what it was before.

    >>> import suanzi
    >>> weight = suanzi.nn.Parameter(suanzi.zeros(2))
    >>> weight.grad = suanzi.tensor([3.0, 4.0])
    >>> clip_grad_norm_(weight, 1.0).item(), weight.grad.norm().item() <= 1
    (5.0, True)
    """
    parameters = _listed(parameters)
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, float(max_norm), total)
    return total


@no_grad()
def clip_grad_value_(parameters: Tensors, clip_value: float, foreach: bool | None = None) -> None:
    """Clamps each element of the gradients to [-clip_value, clip_value]."""
    for gradient in _gradients(parameters):
        gradient.clamp_(-float(clip_value), float(clip_value))
