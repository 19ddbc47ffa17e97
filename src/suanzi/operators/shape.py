"""The same elements in another shape or order. Source, of all here: https://onnx.ai/onnx/operators/"""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._axes import axes_of, ints, length, product
from suanzi.operators._gradients import reshape, sum_to, transpose
from suanzi.operators._operator import (
    Array,
    Dim,
    Example,
    Ints,
    Operator,
    TensorType,
    broadcast_shapes,
    operator,
    require,
)

Shape = tuple[Dim, ...]
X23 = np.arange(6, dtype=np.float32).reshape(2, 3)


@operator(family="shape", torch="torch.reshape")
class Reshape(Operator):
    """The elements in row-major order, in a new shape.

    A size of 0 copies the data's at that axis (with allowzero it is 0); one size may be -1, and
    follows from the others. Before opset 5 shape was an attribute.
    """

    allowzero: int = 0

    def infer(self, data: TensorType, shape: TensorType) -> TensorType:
        rank = length(shape, "shape")
        if shape.value is None:
            return TensorType(data.dtype, None if rank is None else (None,) * rank)
        return TensorType(data.dtype, self._sizes(data.shape, ints(shape.value)))

    def _sizes(self, data: Shape | None, shape: Ints) -> Shape:
        copies = [i for i, d in enumerate(shape) if d == 0 and not self.allowzero]
        valid = all(d >= -1 for d in shape) and shape.count(-1) <= 1
        require(valid, "wrong sizes", "shape", "sizes, of which one may be -1", shape)
        undefined = self.allowzero and -1 in shape and 0 in shape
        require(not undefined, "-1 beside 0 with allowzero", "shape", "one of the two", shape)
        if data is None:
            return tuple(None if d == -1 or i in copies else d for i, d in enumerate(shape))
        inside = not copies or copies[-1] < len(data)
        require(inside, "0 at an axis that the data hasn't", "shape", f"{len(data)} axes", shape)
        sizes: list[Dim] = [data[i] if i in copies else d for i, d in enumerate(shape)]
        if -1 in sizes:
            place = sizes.index(-1)
            sizes[place] = _quotient(data, sizes[:place] + sizes[place + 1 :])
        elif all(isinstance(d, int) for d in (*data, *sizes)):
            same = product(data) == product(sizes)
            require(same, "wrong number of elements", "shape", list(data), sizes)
        return tuple(sizes)

    def numpy(self, data: Array, shape: Array) -> Array:
        return data.reshape(self._sizes(data.shape, ints(shape)))  # type: ignore[arg-type]

    def grad(self, dY: Any, _Y: Any, _data: Any, _shape: Any) -> tuple[Any, ...]:
        return reshape(dY, _data.shape), None

    @classmethod
    def examples(cls) -> list[Example]:
        return [
            Example(cls(), (X23, np.array([3, 2]))),
            Example(cls(), (X23, np.array([0, 1, -1]))),
            Example(cls(allowzero=1), (X23[:, :0], np.array([0, 7]))),
        ]


def _quotient(data: Shape, others: list[Dim]) -> Dim:
    """The size that makes `others` hold as many elements as `data`; what is in both cancels."""
    above = list((Counter(data) - Counter(others)).elements())
    below = list((Counter(others) - Counter(data)).elements())
    whole = math.prod(d for d in above if isinstance(d, int))
    divisor = math.prod(d for d in below if isinstance(d, int))
    symbols = [d for d in above if not isinstance(d, int)]
    countable = all(isinstance(d, int) for d in below)
    if symbols or not countable:
        lone = len(symbols) == 1 and countable and whole == divisor != 0
        return symbols[0] if lone else None
    if divisor == 0 or whole % divisor:
        raise SuanziError("no size fits -1", input="shape", expected=list(data), found=others)
    return whole // divisor


@operator(family="shape", torch="torch.permute")
class Transpose(Operator):
    """Y[i_perm[0], i_perm[1], ...] = X[i_0, i_1, ...]: axis k of Y is axis perm[k] of X.

    Without perm the axes are reversed.
    """

    perm: Ints | None = None

    def _perm(self, rank: int) -> Ints:
        perm = tuple(reversed(range(rank))) if self.perm is None else self.perm
        whole = sorted(perm) == list(range(rank))
        require(whole, "perm isn't an order of the axes", "data", f"{len(perm)} axes", rank)
        return perm

    def infer(self, data: TensorType) -> TensorType:
        if data.shape is None:
            return TensorType(data.dtype, None)
        return TensorType(data.dtype, tuple(data.shape[a] for a in self._perm(len(data.shape))))

    def numpy(self, data: Array) -> Array:
        return data.transpose(self._perm(data.ndim))

    def grad(self, dY: Any, _Y: Any, _data: Any) -> tuple[Any, ...]:
        perm = self._perm(len(_data.shape))
        return (transpose(dY, *map(perm.index, range(len(perm)))),)

    @classmethod
    def examples(cls) -> list[Example]:
        X = X23.reshape(1, 2, 3)
        return [Example(cls(), (X,)), Example(cls(perm=(0, 2, 1)), (X,))]


@operator(family="shape", torch="torch.squeeze")
class Squeeze(Operator):
    """The data without the axes named, which have size 1; without `axes` all such.

    Before opset 13 axes was an attribute.
    """

    def infer(self, data: TensorType, axes: TensorType | None = None) -> TensorType:
        if data.shape is None or (axes is not None and axes.value is None):
            return TensorType(data.dtype, None)
        if axes is not None and axes.value is not None:
            over = axes_of(ints(axes.value), len(data.shape))
            ones = all(data.shape[a] == 1 or not isinstance(data.shape[a], int) for a in over)
            require(ones, "an axis of another size", "axes", "axes of size 1", f"{over} of {data}")
        elif all(isinstance(d, int) for d in data.shape):
            over = tuple(i for i, d in enumerate(data.shape) if d == 1)
        else:
            return TensorType(data.dtype, None)
        return TensorType(data.dtype, tuple(d for i, d in enumerate(data.shape) if i not in over))

    def numpy(self, data: Array, axes: Array | None = None) -> Array:
        return np.squeeze(data, None if axes is None else axes_of(ints(axes), data.ndim))

    def grad(self, dY: Any, _Y: Any, _data: Any, _axes: Any = None) -> tuple[Any, ...]:
        return (reshape(dY, _data.shape),)

    @classmethod
    def examples(cls) -> list[Example]:
        X = X23.reshape(1, 2, 1, 3)
        return [Example(cls(), (X,)), Example(cls(), (X, np.array([-2])))]


@operator(family="shape", torch="torch.unsqueeze")
class Unsqueeze(Operator):
    """The data with axes of size 1 put in; `axes` counts the output's axes.

    Before opset 13 axes was an attribute.
    """

    def infer(self, data: TensorType, axes: TensorType) -> TensorType:
        more = length(axes, "axes") if axes.rank else 1  # a lone number is taken as well
        if data.shape is None or more is None:
            return TensorType(data.dtype, None)
        rank = len(data.shape) + more
        if axes.value is None:
            return TensorType(data.dtype, (None,) * rank)
        new, old = axes_of(ints(axes.value), rank), iter(data.shape)
        return TensorType(data.dtype, tuple(1 if i in new else next(old) for i in range(rank)))

    def numpy(self, data: Array, axes: Array) -> Array:
        return np.expand_dims(data, axes_of(ints(axes), data.ndim + axes.size))

    def grad(self, dY: Any, _Y: Any, _data: Any, _axes: Any) -> tuple[Any, ...]:
        return reshape(dY, _data.shape), None

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (X23, np.array([0, -1])))]


@operator(family="shape", torch="torch.flatten")
class Flatten(Operator):
    """Two axes: those before `axis` taken as one, and those from it on.

    Before opset 11 axis could not be negative.
    """

    axis: int = 1

    def _split(self, rank: int) -> int:
        inside = -rank <= self.axis <= rank
        require(inside, "no such axis", "axis", f"from {-rank} to {rank}", self.axis)
        return self.axis % rank if self.axis < 0 else self.axis

    def infer(self, input: TensorType) -> TensorType:
        if input.shape is None:
            return TensorType(input.dtype, (None, None))
        axis = self._split(len(input.shape))
        sizes = product(input.shape[:axis]), product(input.shape[axis:])
        return TensorType(input.dtype, sizes)

    def numpy(self, input: Array) -> Array:
        axis = self._split(input.ndim)
        return input.reshape(math.prod(input.shape[:axis]), math.prod(input.shape[axis:]))

    def grad(self, dY: Any, _Y: Any, _data: Any) -> tuple[Any, ...]:
        return (reshape(dY, _data.shape),)

    @classmethod
    def examples(cls) -> list[Example]:
        X = X23.reshape(2, 1, 3)
        return [Example(cls(), (X,)), Example(cls(axis=-1), (X,)), Example(cls(axis=0), (X,))]


@operator(family="shape", torch="torch.Tensor.expand")
class Expand(Operator):
    """The data repeated along axes of size 1, to the shape that it and `shape` broadcast to."""

    def infer(self, input: TensorType, shape: TensorType) -> TensorType:
        rank = length(shape, "shape")
        if shape.value is not None:
            sizes = ints(shape.value)
            require(min(sizes, default=0) >= 0, "wrong sizes", "shape", "0 or more", sizes)
            return TensorType(input.dtype, broadcast_shapes(input.shape, sizes))
        if rank is None or input.rank is None:
            return TensorType(input.dtype, None)
        return TensorType(input.dtype, (None,) * max(rank, input.rank))

    def numpy(self, input: Array, shape: Array) -> Array:
        return np.broadcast_to(input, np.broadcast_shapes(input.shape, ints(shape))).copy()

    def grad(self, dY: Any, _Y: Any, _input: Any, _shape: Any) -> tuple[Any, ...]:
        return sum_to(dY, _input.shape), None

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.array([[1], [2]], np.float32)
        return [Example(cls(), (X, np.array([3]))), Example(cls(), (X, np.array([2, 1, 1])))]


@dataclass(frozen=True, kw_only=True)
class Blocks(Operator):
    """Moves between channels and blocks of blocksize·blocksize places; X is [N, C, H, W].

    mode DCR: channels count the place in the block first, then the depth; CRD: the other way.
    """

    blocksize: int
    mode: str = "DCR"

    def _image(self, input: TensorType) -> Shape:
        known = self.mode in ("DCR", "CRD") and self.blocksize > 0
        require(known, "wrong attributes", "input", "DCR or CRD, blocksize from 1 on", self)
        four = input.rank in (None, 4)
        require(four, "wrong rank", "input", "4 axes: N, C, H, W", input)
        return input.shape or (None,) * 4


def _ratio(a: Dim, times: int, divided: int, message: str) -> Dim:
    if not isinstance(a, int):
        return a if times == divided else None
    require(a * times % divided == 0, message, "input", f"a multiple of {divided}", a)
    return a * times // divided


@operator(family="shape", torch="nn.PixelShuffle")
class DepthToSpace(Blocks):
    """[N, C·b², H, W] to [N, C, H·b, W·b]; PyTorch's has mode CRD.

    Before opset 11 DCR only.
    """

    def infer(self, input: TensorType) -> TensorType:
        (N, C, H, W), b = self._image(input), self.blocksize
        channels = _ratio(C, 1, b * b, "wrong channels")
        sizes = (N, channels, _ratio(H, b, 1, ""), _ratio(W, b, 1, ""))
        return TensorType(input.dtype, sizes)

    def numpy(self, input: Array) -> Array:
        (N, C, H, W), b = input.shape, self.blocksize
        if self.mode == "DCR":
            y = input.reshape(N, b, b, C // b**2, H, W).transpose(0, 3, 4, 1, 5, 2)
        else:
            y = input.reshape(N, C // b**2, b, b, H, W).transpose(0, 1, 4, 2, 5, 3)
        return y.reshape(N, C // b**2, H * b, W * b)

    def grad(self, dY: Any, _Y: Any, _input: Any) -> tuple[Any, ...]:
        return (SpaceToDepth(blocksize=self.blocksize, mode=self.mode)(dY),)

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.arange(16, dtype=np.float32).reshape(1, 8, 1, 2)
        return [Example(cls(blocksize=2), (X,)), Example(cls(blocksize=2, mode="CRD"), (X,))]


@operator(family="shape", torch="nn.PixelUnshuffle")
class SpaceToDepth(Blocks):
    """[N, C, H·b, W·b] to [N, C·b², H, W]; PyTorch's has mode CRD.

    Before opset 28 DCR only.
    """

    def infer(self, input: TensorType) -> TensorType:
        (N, C, H, W), b = self._image(input), self.blocksize
        rows, columns = _ratio(H, 1, b, "wrong height"), _ratio(W, 1, b, "wrong width")
        return TensorType(input.dtype, (N, _ratio(C, b * b, 1, ""), rows, columns))

    def numpy(self, input: Array) -> Array:
        (N, C, H, W), b = input.shape, self.blocksize
        order = (0, 3, 5, 1, 2, 4) if self.mode == "DCR" else (0, 1, 3, 5, 2, 4)
        y = input.reshape(N, C, H // b, b, W // b, b).transpose(order)
        return y.reshape(N, C * b**2, H // b, W // b)

    def grad(self, dY: Any, _Y: Any, _input: Any) -> tuple[Any, ...]:
        return (DepthToSpace(blocksize=self.blocksize, mode=self.mode)(dY),)

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.arange(16, dtype=np.float32).reshape(1, 2, 2, 4)
        return [Example(cls(blocksize=2), (X,)), Example(cls(blocksize=2, mode="CRD"), (X,))]
