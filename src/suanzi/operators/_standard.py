"""What normalizations' gradients share: how a quotient by the deviation passes gradients on."""

from typing import Any

from suanzi.operators._compose import mean
from suanzi.operators._gradients import like
from suanzi.operators._operator import Ints
from suanzi.operators.arithmetic import Reciprocal, Sqrt


def standard(x: Any, axes: Ints, epsilon: float) -> tuple[Any, Any]:
    """(x - mean) / √(variance + ε) over the axes, and 1 / √(variance + ε)."""
    centred = x - mean(x, axes)
    inverse = inverse_root(mean(centred * centred, axes), epsilon)
    return centred * inverse, inverse


def inverse_root(square: Any, epsilon: float) -> Any:
    """1 / √(square + ε)."""
    return Reciprocal()(Sqrt()(square + like(epsilon, square)))


def through_scale(g: Any, normal: Any, inverse: Any, axes: Ints) -> Any:
    """The gradient of x where normal = x · inverse, inverse = 1 / √(mean(x²) + ε) over the axes,
    from that of normal: inverse · (g - normal · mean(g · normal)).
    """
    return inverse * (g - normal * mean(g * normal, axes))


def through_standard(g: Any, normal: Any, inverse: Any, axes: Ints) -> Any:
    """`through_scale` where x's mean was taken away before: g then is g - mean(g)."""
    return through_scale(g - mean(g, axes), normal, inverse, axes)
