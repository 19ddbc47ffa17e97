"""The figure of a node in a model: its own window, groups and padding, on a few small channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from suanzi.atlas.figures import figure, names
from suanzi.atlas.scene import Scene
from suanzi.errors import SuanziError
from suanzi.operators._operator import Operator

MOST = {1: 24, 2: 12, 3: 5}
"""Elements along each axis that a figure has room for."""


def node_figure(
    operator: Operator,
    weights: Sequence[int] | None = None,
    kind: str | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Scene:
    """Its first figure, or the one named; `weights` is the shape of a convolution's filters.

    >>> from suanzi.operators import Conv
    >>> scene = node_figure(Conv(strides=(2, 2), pads=(1, 1, 1, 1), group=32), (32, 1, 3, 3))
    >>> [(c.name, c.value) for c in scene.controls if c.name in ("kernel", "stride", "group")]
    [('kernel', (3, 3)), ('stride', (2, 2)), ('group', 2)]
    """
    name = type(operator).__name__
    chosen = kind or next((id for id, _ in names(name)), None)
    own = _window(operator, weights) if chosen in ("window", "scatter") else {}
    try:
        return figure(name, {**own, **(parameters or {})}, figure=chosen)
    except SuanziError:
        if parameters or not own:
            raise
        return figure(name, figure=chosen)  # a window too large to draw: the operator as such


def _window(operator: Any, weights: Sequence[int] | None) -> dict[str, Any]:
    """Its attributes by the names of the figure's controls."""
    kernel = tuple(getattr(operator, "kernel_shape", None) or (weights or ())[2:])
    n = len(kernel)
    if n not in MOST:
        return {}
    strides = tuple(getattr(operator, "strides", ()) or (1,) * n)
    dilations = tuple(getattr(operator, "dilations", ()) or (1,) * n)
    pads = tuple(getattr(operator, "pads", ()) or (0,) * 2 * n)[:n]
    if str(getattr(operator, "auto_pad", "")).startswith("SAME"):  # about as many on either side
        pads = tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilations, strict=True))
    extent = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]
    size = tuple(
        min(MOST[n], max(2 if n == 3 else 5, e - 2 * p + s))
        for e, p, s in zip(extent, pads, strides, strict=True)
    )
    made = {"dimensions": n, "size": size, "kernel": kernel, "stride": strides, "pad": pads,
            "dilation": dilations}  # fmt: skip
    groups = getattr(operator, "group", 1)
    return {**made, "group": 2} if groups > 1 else made
