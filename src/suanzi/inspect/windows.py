"""What a part of the result of windows depends on: convolutions, pooling, resizing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from suanzi.inspect.part import MOST_MOVED, Call, Masks, Needed, Unknown
from suanzi.operators._operator import Array
from suanzi.operators._windows import Windowed


def _windows(op: Windowed, sizes: Sequence[int], kernel: Any, outputs: Masks) -> list[Array]:
    """Along each spatial axis the places that windows at the outputs' places cover."""
    explicit = op.explicit(tuple(sizes), kernel)
    found = []
    for axis, size, out in zip(explicit.axes(len(sizes), kernel), sizes, outputs, strict=True):
        mask = np.zeros(size, bool)
        starts = np.flatnonzero(out) * axis.stride - axis.begin
        for u in range(axis.kernel):
            at = starts + u * axis.dilation
            mask[at[(at >= 0) & (at < size)]] = True
        found.append(mask)
    return found


def convolution_rule(call: Call) -> list[Needed]:
    X, W = call.input(0).sizes, call.input(1).sizes
    batch, channels, *places = call.masks
    spatial = _windows(call.operator, X[2:], W[2:], tuple(places))
    groups = groups_of(channels, call.operator.group, X[1])
    found: list[Needed] = [((batch.copy(), groups, *spatial), True)]
    kept = (channels.copy(), *(np.ones(n, bool) for n in W[1:]))
    found.append((kept, True))
    return [*found, *(((channels.copy(),), True) for _ in call.types[2:])]


def groups_of(outputs: Array, group: int, inputs: int) -> Array:
    """The input channels of the groups that the output channels are in."""
    used = outputs.reshape(group, -1).any(axis=1)
    return np.repeat(used, inputs // group)


def transposed_rule(call: Call) -> list[Needed]:
    X, W = call.input(0).sizes, call.input(1).sizes
    op = call.operator
    batch, channels, *places = call.masks
    made = tuple(len(m) for m in places)
    spatial = []
    for number, (axis, size, out) in enumerate(
        zip(op.axes(len(places), W[2:]), X[2:], places, strict=True)
    ):
        begin = axis.begin
        if op.output_shape or op.auto_pad != "NOTSET":
            whole = (size - 1) * axis.stride + axis.extent
            excess = max(
                0, whole + (op.output_padding or (0,) * len(places))[number] - made[number]
            )
            begin = excess - excess // 2 if op.auto_pad == "SAME_LOWER" else excess // 2
        mask = np.zeros(size, bool)
        for u in range(axis.kernel):
            at, left = np.divmod(np.flatnonzero(out) + begin - u * axis.dilation, axis.stride)
            mask[at[(left == 0) & (at >= 0) & (at < size)]] = True
        spatial.append(mask)
    groups = groups_of(channels, op.group, X[1])
    return call.first((batch.copy(), groups, *spatial))


def pool_rule(call: Call) -> list[Needed]:
    batch, channels, *places = call.masks
    op = call.operator
    spatial = _windows(op, call.input(0).sizes[2:], op.kernel_shape, tuple(places))
    return [((batch.copy(), channels.copy(), *spatial), True)]


def resize_rule(call: Call) -> list[Needed]:
    """Each axis by itself: which places weigh in shows the identity, resized."""
    op = call.operator
    sizes, made = call.input(0).sizes, tuple(len(m) for m in call.masks)
    if op.coordinate_transformation_mode == "tf_crop_and_resize":
        raise Unknown
    scales = call.value(2)
    axes = [a % len(sizes) for a in op.axes] if op.axes else [*range(len(sizes))]
    given = (
        dict(zip(axes, scales.tolist(), strict=True)) if scales is not None and scales.size else {}
    )
    masks = []
    for axis, (n, m, mask) in enumerate(zip(sizes, made, call.masks, strict=True)):
        if n == m and given.get(axis, 1.0) == 1.0:
            masks.append(mask.copy())
            continue
        if n * n > MOST_MOVED or n * m > MOST_MOVED:
            raise Unknown
        alone = type(op)(**{**vars(op), "axes": (1,), "keep_aspect_ratio_policy": "stretch"})
        wanted: list[Array | None] = [None, None, np.array([m], np.int64)]
        if axis in given:
            wanted = [None, np.array([given[axis]], np.float32), None]
        (weights,) = alone.numpy_all([np.eye(n, dtype=np.float32), *wanted])
        masks.append((weights[:, mask] != 0).any(axis=1))
    return call.first(tuple(masks))
