"""Pictures at other sizes, and read at the places of a grid."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.nn.functional._arguments import require_tensor
from suanzi.nn.functional.pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
)  # fmt: skip
from suanzi.operators import AffineGrid, Gather, GridSample, Resize
from suanzi.tensor import Tensor, apply

RANKS = {
    "nearest": (3, 4, 5), "nearest-exact": (3, 4, 5), "area": (3, 4, 5), "linear": (3,),
    "bilinear": (4,), "bicubic": (4,), "trilinear": (5,),
}  # fmt: skip
SMOOTH = ("linear", "bilinear", "bicubic", "trilinear")
AREA = {3: adaptive_avg_pool1d, 4: adaptive_avg_pool2d, 5: adaptive_avg_pool3d}


@functools.lru_cache(256)
def _resize(mode: str, axes: int, align_corners: bool, antialias: bool) -> Resize:
    over = tuple(range(2, 2 + axes))
    if mode == "nearest":
        return Resize(mode="nearest", nearest_mode="floor", axes=over,
                      coordinate_transformation_mode="asymmetric")  # fmt: skip
    if mode == "nearest-exact":
        return Resize(mode="nearest", nearest_mode="round_prefer_ceil", axes=over)
    return Resize(
        mode="cubic" if mode == "bicubic" else "linear",
        axes=over,
        antialias=int(antialias),
        exclude_outside=int(antialias),
        cubic_coeff_a=-0.5 if antialias else -0.75,
        coordinate_transformation_mode="align_corners" if align_corners else "half_pixel",
    )


def _rounded_apart(
    operator: Resize,
    shape: tuple[int, ...],
    sizes: tuple[int, ...],
    scales: tuple[float, ...] | None,
) -> list[np.ndarray[Any, Any]] | None:
    """Which elements PyTorch takes, where those of the operator are others: it divides by the scale
    where PyTorch multiplies, and in float32 that may round across an element's edge."""
    given = None if scales is None else np.array(scales, np.float32)
    found = {
        axis: operator.taps(x, shape[axis], scale)[0][0]
        for axis, x, scale in operator.places(
            shape, None, given, None if scales is not None else np.array(sizes)
        )
    }
    half = np.float32(0 if operator.nearest_mode == "floor" else 0.5)
    wanted = []
    for i, (size, output) in enumerate(zip(shape[2:], sizes, strict=True)):
        step = (
            np.float32(size) / np.float32(output) if scales is None else np.float32(1 / scales[i])
        )
        i32 = np.arange(output, dtype=np.float32)
        place = np.floor(np.maximum(step * (i32 + half) - half, 0) + half)
        wanted.append(place.astype(np.int64).clip(0, size - 1))
    same = all(
        np.array_equal(found.get(axis, np.arange(shape[axis])), places)
        for axis, places in enumerate(wanted, 2)
    )
    return None if same else wanted


def _each(value: Any, axes: int, name: str) -> list[Any]:
    many = list(value) if isinstance(value, tuple) else [value] * axes
    if len(many) != axes:
        raise SuanziError(f"wrong {name}", input=name, expected=f"one number, or {axes}",
                          found=value)  # fmt: skip
    return many


def interpolate(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
    align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:  # fmt: skip
    """The input (N, C, *sizes) at another size, or at its sizes times scale_factor.

    Modes: nearest, nearest-exact, linear, bilinear, bicubic, trilinear, area. With align_corners
    the middles of the outermost elements stay where they are, else their outer edges.

    >>> import suanzi
    >>> interpolate(suanzi.tensor([[[0.0, 4.0]]]), scale_factor=2, mode="linear").tolist()
    [[[0.0, 1.0, 3.0, 4.0]]]
    """
    require_tensor(input)
    plan = _plan(
        tuple(input._value.shape), _plain(size, int), _plain(scale_factor, float), mode,
        align_corners, recompute_scale_factor, antialias,
    )  # fmt: skip
    return plan(input)


def _plain(given: Any, kind: type) -> Any:
    """Python's own number, or a tuple of them."""
    if isinstance(given, list | tuple):
        return tuple(map(kind, given))
    return None if given is None else kind(given)


@functools.lru_cache(256)
def _plan(
    shape: tuple[int, ...], size: Any, scale_factor: Any, mode: str, align_corners: bool | None,
    recompute: bool | None, antialias: bool,
) -> Callable[[Tensor], Tensor]:  # fmt: skip
    """What `interpolate` does to an input of a shape, after all checks."""
    if mode not in RANKS:
        raise SuanziError("wrong mode", input="mode", expected=", ".join(RANKS), found=mode)
    if len(shape) not in RANKS[mode]:
        raise SuanziError(f"wrong rank for mode {mode}", input="input", found=shape,
                          expected=" or ".join(f"{r} axes" for r in RANKS[mode]))  # fmt: skip
    if align_corners is not None and mode not in SMOOTH:
        raise SuanziError("align_corners doesn't go with the mode", input="align_corners",
                          expected=f"None, or one of {', '.join(SMOOTH)}", found=mode)  # fmt: skip
    if antialias and (mode not in ("bilinear", "bicubic") or align_corners):
        raise SuanziError("antialias doesn't go with the mode", input="antialias", found=mode,
                          expected="bilinear or bicubic, without align_corners")  # fmt: skip
    sizes, scales = _outputs(shape[2:], size, scale_factor, recompute)
    if 0 in shape[1:] or min(sizes) < 1:
        raise SuanziError("a size of 0", input="input" if 0 in shape[1:] else "size",
                          expected="sizes above 0", found=(shape, sizes))  # fmt: skip
    if mode == "area":
        return lambda x: AREA[len(shape)](x, sizes)
    operator = _resize(mode, len(sizes), bool(align_corners), antialias)
    if mode in ("nearest", "nearest-exact"):
        apart = _rounded_apart(operator, shape, sizes, None if scales is None else tuple(scales))
        if apart is not None:
            return lambda x: _taken(x, apart)
    if scales is not None and not align_corners:
        given = np.array(scales, np.float32)
        if tuple((np.array(shape[2:], np.float32) * given).astype(int)) == sizes:
            return lambda x: apply(operator, x, None, given)
    wanted = np.array(sizes)
    return lambda x: apply(operator, x, None, None, wanted)


def _taken(x: Tensor, places: list[np.ndarray[Any, Any]]) -> Tensor:
    """The elements at some places along each spatial axis."""
    for axis, along in enumerate(places, 2):
        x = apply(Gather(axis=axis), x, along)
    return x


def _outputs(
    sizes: tuple[int, ...], size: Any, scale_factor: Any, recompute: bool | None
) -> tuple[tuple[int, ...], list[float] | None]:
    """The output's sizes; and the scales, where they aren't those of the sizes."""
    axes = len(sizes)
    if (size is None) == (scale_factor is None):
        raise SuanziError("either size or scale_factor", input="size", expected="one of the two",
                          found="both" if size is not None else "neither")  # fmt: skip
    if size is not None:
        if recompute:
            raise SuanziError("with a size there are no scales", input="recompute_scale_factor",
                              expected="None", found=recompute)  # fmt: skip
        return tuple(int(s) for s in _each(size, axes, "size")), None
    factors = [float(f) for f in _each(scale_factor, axes, "scale_factor")]
    outputs = tuple(math.floor(s * f) for s, f in zip(sizes, factors, strict=True))
    fitting = all(o == s * f for o, s, f in zip(outputs, sizes, factors, strict=True))
    return outputs, None if recompute or fitting else factors


def upsample(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:  # fmt: skip
    """`interpolate` by its older name."""
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` to the nearest element."""
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` linearly over two axes, the corners aligned."""
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)


@functools.lru_cache(64)
def _sample(mode: str, padding_mode: str, align_corners: bool) -> GridSample:
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise SuanziError("wrong mode", input="mode", expected="bilinear, nearest or bicubic",
                          found=mode)  # fmt: skip
    if padding_mode not in ("zeros", "border", "reflection"):
        raise SuanziError("wrong padding_mode", input="padding_mode",
                          expected="zeros, border or reflection", found=padding_mode)  # fmt: skip
    name = {"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode)
    return GridSample(mode=name, padding_mode=padding_mode, align_corners=int(align_corners))


def grid_sample(
    input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:  # fmt: skip
    """The input (N, C, H, W) at the places (x, y), from -1 to 1, of the grid (N, H', W', 2).

    In space (N, C, D, H, W) and (x, y, z) of (N, D', H', W', 3). Beyond it lie zeros, its border,
    or its reflection.
    """
    require_tensor(input)
    require_tensor(grid, "grid")
    operator = _sample(mode, padding_mode, bool(align_corners))
    if input._value.dtype != grid._value.dtype:
        raise SuanziError("input and grid differ in type", input="grid", expected=input.dtype,
                          found=grid.dtype)  # fmt: skip
    r = input.ndim - 2
    if r not in (2, 3) or (mode == "bicubic" and r == 3):
        raise SuanziError("wrong rank", input="input", found=tuple(input.shape),
                          expected="4 axes, or 5 unless bicubic")  # fmt: skip
    if grid.ndim != r + 2 or grid.shape[0] != input.shape[0] or grid.shape[-1] != r:
        raise SuanziError("wrong grid", input="grid", found=tuple(grid.shape),
                          expected=f"({input.shape[0]}, {'..., ' * r}{r})")  # fmt: skip
    if 0 in input.shape[2:]:
        raise SuanziError("nothing to sample", input="input", expected="sizes above 0",
                          found=tuple(input.shape))  # fmt: skip
    return apply(operator, input, grid)  # type: ignore[no-any-return]


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The grid (N, H, W, 2) onto which the matrices theta (N, 2, 3) map the places of a picture.

    `size` is the picture's (N, C, H, W); in space (N, C, D, H, W) with theta (N, 3, 4).
    """
    require_tensor(theta, "theta")
    if not theta.dtype.is_floating_point:
        raise SuanziError("wrong type", input="theta", expected="a floating-point type",
                          found=theta.dtype)  # fmt: skip
    sizes = tuple(int(s) for s in size)
    r = len(sizes) - 2
    if r not in (2, 3):
        raise SuanziError("wrong size", input="size", expected="4 or 5 sizes", found=sizes)
    if min(sizes) < 1:
        raise SuanziError("wrong size", input="size", expected="sizes above 0", found=sizes)
    if tuple(theta.shape) != (sizes[0], r, r + 1):
        raise SuanziError("wrong theta", input="theta", expected=(sizes[0], r, r + 1),
                          found=tuple(theta.shape))  # fmt: skip
    operator = AffineGrid(align_corners=int(bool(align_corners)))
    return apply(operator, theta, np.array(sizes))  # type: ignore[no-any-return]
