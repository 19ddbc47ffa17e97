"""Resize: one tensor at other sizes, each axis by itself."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._axes import axes_of, length
from suanzi.operators._checks import widen
from suanzi.operators._interpolation import cubic, triangle
from suanzi.operators._operator import (
    Array,
    Dim,
    Example,
    Ints,
    Operator,
    TensorType,
    operator,
    require,
)

CHOICES = {
    "mode": ("nearest", "linear", "cubic"),
    "nearest_mode": ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"),
    "keep_aspect_ratio_policy": ("stretch", "not_larger", "not_smaller"),
    "coordinate_transformation_mode": (
        "half_pixel",
        "half_pixel_symmetric",
        "pytorch_half_pixel",
        "align_corners",
        "asymmetric",
        "tf_crop_and_resize",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Interpolation(Operator):
    """The attributes of Resize, and of its gradient."""

    antialias: int = 0
    axes: Ints | None = None
    coordinate_transformation_mode: str = "half_pixel"
    cubic_coeff_a: float = -0.75
    exclude_outside: int = 0
    extrapolation_value: float = 0.0
    keep_aspect_ratio_policy: str = "stretch"
    mode: str = "nearest"
    nearest_mode: str = "round_prefer_floor"


@operator(family="resize", torch="nn.Upsample")
class Resize(Interpolation):
    """Y[..., i, ...] = Σ_k w(i, k) · X[..., k, ...], along each axis in turn.

    Output place i lies at x(i) in the input, as coordinate_transformation_mode says. nearest
    takes the element that nearest_mode rounds x to; linear weighs the two about x by their
    distance, cubic the four by Keys's polynomial (https://ieeexplore.ieee.org/document/1163711).
    Beyond the edge the last element goes on, or weighs nothing if exclude_outside. antialias
    stretches the filter where the axis shrinks. tf_crop_and_resize looks at the part `roi` alone.

    `scales` or `sizes`, and `roi`, give numbers for `axes`, or for all axes. Before opset 19
    half_pixel_symmetric was missing, before 18 axes, antialias and keep_aspect_ratio_policy;
    opset 10 had `scales` alone, and asymmetric coordinates.
    Source: https://onnx.ai/onnx/operators/onnx__Resize.html (opset 19)
    """

    def infer(
        self,
        X: TensorType,
        roi: TensorType | None = None,
        scales: TensorType | None = None,
        sizes: TensorType | None = None,
    ) -> TensorType:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise SuanziError(f"no such {name}", expected=choices, found=getattr(self, name))
        scales, sizes = _present(scales), _present(sizes)
        alone = (scales is None) != (sizes is None)
        require(alone, "wrong sizes", "scales", "scales or sizes, not both", "both or neither")
        if X.shape is None:
            return X
        axes, output = self._axes(len(X.shape)), list(X.shape)
        given = {"scales": scales, "sizes": sizes, "roi": roi if self.crops else None}
        require(roi is not None or not self.crops, "missing", "roi", "what to crop", "nothing")
        for name, t in given.items():
            count = len(axes) * (2 if name == "roi" else 1)
            elements = None if t is None else length(t, name)
            require(elements in (count, None), "wrong length", name, count, elements)
        values = {name: t.value for name, t in given.items() if t is not None}
        for name in ("scales", "sizes"):
            found = values.get(name)
            low = found is None or np.all(found > 0)
            require(low, "must be positive", name, "more than 0", found)
        if any(value is None for value in values.values()):
            made: list[Dim] = [None] * len(axes)
        else:
            made = [size for size, _ in self._targets([output[a] for a in axes], **values)]
        for axis, size in zip(axes, made, strict=True):
            output[axis] = size
        return TensorType(X.dtype, tuple(output))

    @property
    def crops(self) -> bool:
        return self.coordinate_transformation_mode == "tf_crop_and_resize"

    def _axes(self, rank: int) -> Ints:
        return tuple(range(rank)) if self.axes is None else axes_of(self.axes, rank)

    def _targets(
        self,
        shape: Sequence[Dim],
        scales: Array | None = None,
        sizes: Array | None = None,
        roi: Array | None = None,
    ) -> list[tuple[Dim, float]]:
        """The output's size and the scale along each axis; of what isn't known, None and 0."""
        if scales is not None:
            parts = np.ones(len(shape)) if roi is None else np.diff(roi.reshape(2, -1), axis=0)[0]
            return [
                (
                    int(np.float32(d) * np.float32(part) * s) if isinstance(d, int) else None,
                    float(s),
                )
                if s != 1 or roi is not None
                else (d, 1.0)
                for d, part, s in zip(shape, parts, scales.astype(np.float32), strict=True)
            ]
        assert sizes is not None
        known = [d for d in shape if isinstance(d, int)]
        wanted = [int(size) for size in sizes]
        if self.keep_aspect_ratio_policy == "stretch":
            pairs = zip(wanted, shape, strict=True)
            return [(w, w / max(d, 1) if isinstance(d, int) else 0.0) for w, d in pairs]
        if len(known) < len(shape):
            return [(None, 0.0)] * len(shape)
        choose = min if self.keep_aspect_ratio_policy == "not_larger" else max
        scale = choose(w / max(d, 1) for w, d in zip(wanted, known, strict=True))
        return [(math.floor(scale * d + 0.5), scale) for d in known]

    def numpy(
        self,
        X: Array,
        roi: Array | None = None,
        scales: Array | None = None,
        sizes: Array | None = None,
    ) -> Array:
        Y = X if self.mode == "nearest" else X.astype(np.result_type(widen(X), np.float32))
        for axis, x, scale in self.places(X.shape, roi, scales, sizes):
            last = X.shape[axis] - 1
            outside = (x < 0) | (x > last)
            if self.crops:
                x = np.clip(x, 0, last)
            Y = self._sample(Y, axis, x, scale)
            if self.crops:
                Y[(slice(None),) * axis + (outside,)] = self.extrapolation_value
        if X.dtype.kind in "iu":
            Y = Y.clip(np.iinfo(X.dtype).min, np.iinfo(X.dtype).max)
        return Y.astype(X.dtype)

    def grad(
        self,
        dY: Any,
        _Y: Any,
        _X: Any,
        roi: Any = None,
        scales: Any = None,
        sizes: Any = None,
    ) -> tuple[Any, ...]:
        from suanzi.operators.resize_gradient import ResizeGradient

        back = ResizeGradient(**vars(self), shape=tuple(_X.shape))
        return lambda: back(dY, roi, scales, sizes), None, None, None

    def places(
        self, shape: Ints, roi: Array | None, scales: Array | None, sizes: Array | None
    ) -> Iterator[tuple[int, Array, float]]:
        """Each axis that changes, where its output places lie in the input, and its scale."""
        axes = self._axes(len(shape))
        roi = roi if self.crops else None
        targets = self._targets([shape[a] for a in axes], _present(scales), _present(sizes), roi)
        parts = np.array([[0], [1]]).repeat(len(axes), 1) if roi is None else roi.reshape(2, -1)
        for axis, (output, scale), part in zip(axes, targets, parts.T, strict=True):
            assert isinstance(output, int)
            if output != shape[axis] or self.crops:
                yield axis, self._coordinates(shape[axis], output, scale, part), scale

    def _coordinates(self, size: int, output: int, scale: float, part: Array) -> Array:
        """Where each output place lies in the input: x(i) for i = 0, 1, ..., output - 1."""
        i = np.arange(output, dtype=np.float32)
        start, end = (float(p) for p in part)
        half_pixel = (i + np.float32(0.5)) / np.float32(scale) - np.float32(0.5)
        match self.coordinate_transformation_mode:
            case "half_pixel":
                return half_pixel
            case "half_pixel_symmetric":
                return half_pixel + size / 2 * (1 - output / (scale * size))
            case "pytorch_half_pixel":
                return half_pixel if output > 1 else np.zeros_like(i)
            case "align_corners":
                # ONNX's cases count the length before it is cut to a whole number; its text,
                # onnxruntime and PyTorch count it after. It matters for scales that don't fit.
                last = max(scale * size, output) - 1
                return i * ((size - 1) / last if last > 0 else 0)
            case "asymmetric":
                return i / np.float32(scale)
            case _:  # tf_crop_and_resize
                if output == 1:
                    return i + 0.5 * (start + end) * (size - 1)
                return start * (size - 1) + i * (end - start) * (size - 1) / (output - 1)

    def _sample(self, X: Array, axis: int, x: Array, scale: float) -> Array:
        """X at the places x along the axis."""
        elements, w = self.taps(x, X.shape[axis], scale)
        if self.mode == "nearest":
            return np.asarray(X.take(elements[0], axis))
        w = w.astype(X.dtype).reshape(*w.shape, *(1,) * (X.ndim - axis - 1))
        taps = zip(elements, w, strict=True)
        return np.asarray(sum(X.take(element, axis) * weight for element, weight in taps))

    def taps(self, x: Array, size: int, scale: float) -> tuple[Array, Array]:
        """The elements that make up what lies at the places x of an axis, and how much each
        weighs: two arrays [taps, places].
        """
        last = size - 1
        if self.mode == "nearest":
            nearest = {
                "round_prefer_floor": np.ceil(x - 0.5),
                "round_prefer_ceil": np.floor(x + 0.5),
                "floor": np.floor(x),
                "ceil": np.ceil(x),
            }[self.nearest_mode]
            return nearest.clip(0, last).astype(int)[None], np.ones((1, x.size), x.dtype)
        reach, kernel = (1, triangle) if self.mode == "linear" else (2, self._cubic)
        # No filter need reach further than the whole axis, however small a model makes its scale.
        shrink = min(max(scale, 1 / max(size, 1)), 1.0) if self.antialias else 1.0
        first = math.floor(-reach / shrink) + 1
        k = np.floor(x) + np.arange(first, 2 - first)[:, None]  # from here on in float64
        w = kernel(np.abs(k - x) * shrink)
        if self.exclude_outside:
            w[(k < 0) | (k > last)] = 0
        if self.antialias or self.exclude_outside:  # else they sum to 1 already
            w = w / w.sum(0)
        return k.clip(0, last).astype(int), w

    def _cubic(self, d: Array) -> Array:
        return cubic(d, self.cubic_coeff_a)

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
        half, double = (np.array([1, 1, s, s], np.float32) for s in (0.5, 2))
        roi = np.array([0.25, 0.25, 0.75, 1.25], np.float32)
        crop = cls(
            mode="linear",
            coordinate_transformation_mode="tf_crop_and_resize",
            axes=(2, 3),
            extrapolation_value=-1.0,
        )
        return [
            Example(cls(), (X, None, double)),
            Example(cls(mode="linear", antialias=1), (X, None, half)),
            Example(cls(mode="cubic", axes=(3,)), (X, None, None, np.array([7]))),
            Example(crop, (X, roi, None, np.array([3, 3]))),
        ]


T = TypeVar("T", TensorType, Array)


def _present(t: T | None) -> T | None:
    """The input; None where it's empty, as some exporters leave it out."""
    return None if t is None or t.shape == (0,) else t
