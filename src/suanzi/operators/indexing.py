"""Elements taken from, and put at, places that an input names.

An index below zero counts from the end; one outside its axis is an error.
Source, of all here: https://onnx.ai/onnx/operators/
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._axes import axis_of
from suanzi.operators._gradients import transpose, zeros
from suanzi.operators._operator import Array, Example, Operator, TensorType, operator, require
from suanzi.operators.shape import Unsqueeze

X23 = np.arange(6, dtype=np.float32).reshape(2, 3)


def _require_integers(indices: TensorType) -> None:
    whole = indices.dtype.kind in "iu"
    require(whole, "wrong type", "indices", "int32 or int64", indices.dtype)


@operator(family="indexing", torch="torch.index_select")
class Gather(Operator):
    """Y = data[..., indices, ...]: the axis `axis` is replaced by the indices' axes.

    Before opset 11 indices weren't negative.
    """

    axis: int = 0

    def infer(self, data: TensorType, indices: TensorType) -> TensorType:
        _require_integers(indices)
        if data.shape is None or indices.shape is None:
            return TensorType(data.dtype, None)
        axis = axis_of(self.axis, len(data.shape))
        shape = (*data.shape[:axis], *indices.shape, *data.shape[axis + 1 :])
        return TensorType(data.dtype, shape)

    def numpy(self, data: Array, indices: Array) -> Array:
        return np.asarray(np.take(data, indices, self.axis), data.dtype)

    def grad(self, dY: Any, _Y: Any, _data: Any, indices: Any) -> tuple[Any, ...]:
        axis = axis_of(self.axis, len(_data.shape))
        return put_back(dY, axis, indices, _data.shape[axis]), None

    @classmethod
    def examples(cls) -> list[Example]:
        return [
            Example(cls(), (X23, np.array([[0, 1], [-1, 0]]))),
            Example(cls(axis=1), (X23, np.array(2))),
        ]


def put_back(dY: Any, axis: int, indices: Any, size: int) -> Any:
    """The gradient of data of which Gather took indices: what went to several places adds up."""
    rank, count = len(dY.shape), len(indices.shape)
    first = [*range(axis, axis + count)]
    rest = [a for a in range(rank) if a not in first]
    rows = transpose(dY, *first, *rest)
    nothing = zeros((size, *rows.shape[count:]), dY)
    made = ScatterND(reduction="add")(nothing, Unsqueeze()(indices, np.array([-1])), rows)
    return transpose(made, *range(1, axis + 1), 0, *range(axis + 1, rank - count + 1))


def with_batch(indices: Any, batch_dims: int) -> Any:
    """GatherND's indices with those of the batch before them: for batch_dims 0."""
    from suanzi.operators.joining import Concat

    if batch_dims == 0:
        return indices
    outer = tuple(indices.shape[:-1])
    grid = np.moveaxis(np.indices(outer)[:batch_dims], 0, -1).astype(np.dtype(indices.dtype))
    return Concat(axis=-1)(grid, indices)


def _grid(indices: Array, axis: int) -> tuple[Array, ...]:
    """Every element's own place, its index put in at the axis."""
    places: list[Array] = list(np.ogrid[tuple(slice(n) for n in indices.shape)])
    places[axis_of(axis, indices.ndim)] = indices
    return tuple(places)


@operator(family="indexing", torch="torch.gather")
class GatherElements(Operator):
    """Y[i, j, ...] = data[i, indices[i, j, ...], ...], the index standing at `axis`."""

    axis: int = 0

    def infer(self, data: TensorType, indices: TensorType) -> TensorType:
        _require_integers(indices)
        if data.shape is not None and indices.shape is not None:
            axis_of(self.axis, len(data.shape))
            same = len(indices.shape) == len(data.shape)
            require(same, "wrong rank", "indices", f"{len(data.shape)} axes", indices)
        return TensorType(data.dtype, indices.shape)

    def numpy(self, data: Array, indices: Array) -> Array:
        return np.asarray(data[_grid(indices, self.axis)])

    def grad(self, dY: Any, _Y: Any, _data: Any, indices: Any) -> tuple[Any, ...]:
        add = ScatterElements(axis=self.axis, reduction="add")
        return add(zeros(_data.shape, dY), indices, dY), None

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(axis=1), (X23, np.array([[0, -1], [2, 1]])))]


@operator(family="indexing", torch="torch.Tensor.__getitem__")
class GatherND(Operator):
    """Y[b, i, ...] = data[b, *indices[b, i]]: the last axis of the indices names leading axes of
    data, after `batch_dims` axes that both share.

    Before opset 12 without batch_dims.
    """

    batch_dims: int = 0

    def infer(self, data: TensorType, indices: TensorType) -> TensorType:
        _require_integers(indices)
        if data.shape is None or indices.shape is None or not indices.shape:
            return TensorType(data.dtype, None)
        depth, shared = indices.shape[-1], self.batch_dims
        inside = 0 <= shared < min(len(data.shape), len(indices.shape))
        require(inside, "wrong batch_dims", "indices", "less than both ranks", shared)
        if not isinstance(depth, int):
            return TensorType(data.dtype, None)
        most = len(data.shape) - shared
        require(1 <= depth <= most, "wrong last size", "indices", f"from 1 to {most}", depth)
        return TensorType(data.dtype, (*indices.shape[:-1], *data.shape[shared + depth :]))

    def numpy(self, data: Array, indices: Array) -> Array:
        outer = indices.shape[:-1]
        batch = np.ogrid[tuple(slice(n) for n in outer)][: self.batch_dims]
        return np.asarray(data[(*batch, *np.moveaxis(indices, -1, 0))], data.dtype)

    def grad(self, dY: Any, _Y: Any, _data: Any, indices: Any) -> tuple[Any, ...]:
        places = with_batch(indices, self.batch_dims)
        return ScatterND(reduction="add")(zeros(_data.shape, dY), places, dY), None

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.arange(8).reshape(2, 2, 2)
        return [
            Example(cls(), (X23, np.array([[0, 0], [1, -1]]))),
            Example(cls(), (X, np.array([[1], [0]]))),
            Example(cls(batch_dims=1), (X, np.array([[1], [0]]))),
        ]


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "add": np.add.at,
    "mul": np.multiply.at,
    "max": np.maximum.at,
    "min": np.minimum.at,
}
"""How an update joins what is there, once for each time that its place is named."""


@dataclass(frozen=True, kw_only=True)
class Scatter(Operator):
    """The data with updates put at places: in its stead, or joined to it by `reduction`
    (add, mul, max, min).

    Before opset 18 without max and min, before 16 without reduction.
    """

    reduction: str = "none"

    def infer(self, data: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
        _require_integers(indices)
        known = self.reduction == "none" or self.reduction in REDUCTIONS
        require(known, "no such reduction", "updates", ["none", *REDUCTIONS], self.reduction)
        require(updates.dtype == data.dtype, "wrong type", "updates", data.dtype, updates.dtype)
        return TensorType(data.dtype, data.shape)

    def put(self, data: Array, places: tuple[Array, ...], updates: Array) -> Array:
        """A copy of the data with the updates at the places."""
        y = data.copy()
        if self.reduction == "none":
            y[places] = updates
        else:
            REDUCTIONS[self.reduction](y, places, updates)
        return y

    def taken(self, value: Any, indices: Any) -> Any:
        """What a value of the data's shape has at the places that the updates are put."""
        raise NotImplementedError

    def grad(self, dY: Any, _Y: Any, _data: Any, indices: Any, _updates: Any) -> tuple[Any, ...]:
        """Of joining by add alone: by the others it takes the data, which needn't be kept here."""
        if self.reduction not in ("none", "add"):
            raise SuanziError("no gradient", expected="reduction none or add", found=self.reduction)
        of_updates = functools.partial(self.taken, dY, indices)
        if self.reduction == "add":
            return dY, None, of_updates
        return lambda: self(dY, indices, zeros(_updates.shape, dY)), None, of_updates


@operator(family="indexing", torch="torch.scatter")
class ScatterElements(Scatter):
    """Y = data, but Y[i, indices[i, j, ...], ...] = updates[i, j, ...], the index at `axis`."""

    axis: int = 0

    def infer(self, data: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
        if data.rank is not None:
            axis_of(self.axis, data.rank)
        if indices.static and updates.static:
            same = indices.shape == updates.shape
            require(same, "wrong shape", "updates", indices.shape, updates.shape)
        return super().infer(data, indices, updates)

    def numpy(self, data: Array, indices: Array, updates: Array) -> Array:
        return self.put(data, _grid(indices, self.axis), updates)

    def taken(self, value: Any, indices: Any) -> Any:
        return GatherElements(axis=self.axis)(value, indices)

    @classmethod
    def examples(cls) -> list[Example]:
        indices = np.array([[0, 2], [1, -1]])
        updates = np.array([[10, 20], [30, 40]], np.float32)
        return [
            Example(cls(axis=1), (X23, indices, updates)),
            Example(cls(reduction="add"), (X23, indices % 2, updates)),
        ]


@operator(family="indexing", torch="torch.Tensor.index_put")
class ScatterND(Scatter):
    """Y = data, but Y[*indices[i]] = updates[i]; the indices' last axis names data's first."""

    def infer(self, data: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
        if data.static and indices.static and updates.static:
            depth = indices.sizes[-1] if indices.rank else 0
            inside = 1 <= depth <= len(data.sizes)
            require(inside, "wrong last size", "indices", f"from 1 to {data.rank}", depth)
            wanted = (*indices.sizes[:-1], *data.sizes[depth:])
            require(updates.shape == wanted, "wrong shape", "updates", wanted, updates.shape)
        return super().infer(data, indices, updates)

    def numpy(self, data: Array, indices: Array, updates: Array) -> Array:
        return self.put(data, tuple(np.moveaxis(indices, -1, 0)), updates)

    def taken(self, value: Any, indices: Any) -> Any:
        return GatherND()(value, indices)

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.arange(4, dtype=np.float32)
        twice, updates = np.array([[1], [1]]), np.array([10, 20], np.float32)
        return [
            Example(cls(), (X, np.array([[-1], [1]]), updates)),
            Example(cls(reduction="max"), (X, twice, updates)),
        ]


@operator(family="indexing", torch="torch.nonzero")
class NonZero(Operator):
    """The places of the elements that aren't 0, as int64 [rank, how many], in row-major order."""

    def infer(self, X: TensorType) -> TensorType:
        return TensorType(np.dtype(np.int64), (X.rank, None))

    def numpy(self, X: Array) -> Array:
        return np.argwhere(X).T

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (np.array([[1, 0], [2, 3]], np.float32),))]


@operator(family="indexing", torch="torch.topk")
class TopK(Operator):
    """The K largest (or smallest) elements along `axis` in order, and their indices (int64);
    of equal elements the one of the lower index comes first.

    Before opset 10 K was an attribute; before 11 always the largest.
    """

    axis: int = -1
    largest: int = 1
    sorted: int = 1

    def infer(self, X: TensorType, K: TensorType) -> tuple[TensorType, TensorType]:
        if X.shape is None:
            return TensorType(X.dtype, None), TensorType(np.dtype(np.int64), None)
        axis, k = axis_of(self.axis, len(X.shape)), None
        if K.value is not None:
            require(K.value.size == 1, "wrong shape", "K", "one number", K)
            k, size = int(K.value.item()), X.shape[axis]
            inside = k >= 0 and (not isinstance(size, int) or k <= size)
            require(inside, "wrong K", "K", f"from 0 to {size}", k)
        shape = (*X.shape[:axis], k, *X.shape[axis + 1 :])
        return TensorType(X.dtype, shape), TensorType(np.dtype(np.int64), shape)

    def numpy(self, X: Array, K: Array) -> tuple[Array, Array]:
        k, size = int(K.item()), X.shape[self.axis]
        require(0 <= k <= size, "wrong K", "K", f"from 0 to {size}", k)
        if self.largest:  # sorted backwards from the end, equal elements stay in order
            backwards = np.argsort(np.flip(X, self.axis), self.axis, kind="stable")
            order = size - 1 - np.flip(backwards, self.axis)
        else:
            order = np.argsort(X, self.axis, kind="stable")
        first = np.take(order, np.arange(k), self.axis)
        return np.take_along_axis(X, first, self.axis), first

    def grad(self, dY: tuple[Any, Any], Y: tuple[Any, Any], _X: Any, _K: Any) -> tuple[Any, ...]:
        return ScatterElements(axis=self.axis)(zeros(_X.shape, dY[0]), Y[1], dY[0]), None

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.array([[1, 4, 4, 2], [0, -1, 3, 3]], np.float32)
        return [
            Example(cls(), (X, np.array([2]))),
            Example(cls(largest=0, axis=0), (X, np.array([1]))),
        ]


@operator(family="indexing", torch="torch.triu")
class Trilu(Operator):
    """The last two axes' upper triangle (or lower), from diagonal k on; 0 elsewhere."""

    upper: int = 1

    def infer(self, input: TensorType, k: TensorType | None = None) -> TensorType:
        matrix = input.rank is None or input.rank >= 2
        require(matrix, "wrong rank", "input", "2 axes or more", input)
        return TensorType(input.dtype, input.shape)

    def numpy(self, input: Array, k: Array | None = None) -> Array:
        diagonal = 0 if k is None else int(k.item())
        return np.triu(input, diagonal) if self.upper else np.tril(input, diagonal)

    def grad(self, dY: Any, _Y: Any, _input: Any, k: Any = None) -> tuple[Any, ...]:
        return (self(dY, k),)

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (X23,)), Example(cls(upper=0), (X23, np.array(1)))]
