"""What each sample of a batch has along its time axis, reversed or written over.

Source, of all here: https://onnx.ai/onnx/operators/
"""

from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._axes import axis_of
from suanzi.operators._checks import require_dtype, require_shape
from suanzi.operators._gradients import expand, reshape, zeros
from suanzi.operators._operator import Array, Example, Ints, Operator, TensorType, operator, require
from suanzi.operators.arithmetic import Mod
from suanzi.operators.indexing import GatherElements


@operator(family="indexing")
class ReverseSequence(Operator):
    """Y[t, n] = X[len[n] - 1 - t, n] where t < len[n], X[t, n] from there on.

    time_axis and batch_axis are 0 and 1, in this order or the other; sequence_lens int64 [N].
    """

    batch_axis: int = 1
    time_axis: int = 0

    def infer(self, input: TensorType, sequence_lens: TensorType) -> TensorType:
        if {self.batch_axis, self.time_axis} != {0, 1}:
            raise SuanziError("wrong axes", expected="0 and 1", found=self)
        require(
            input.rank is None or input.rank > 1, "wrong rank", "input", "2 axes or more", input
        )
        if input.shape is not None:
            require_shape(sequence_lens, (input.shape[self.batch_axis],), "sequence_lens")
        return TensorType(input.dtype, input.shape)

    def numpy(self, input: Array, sequence_lens: Array) -> Array:
        steps = input.shape[self.time_axis]
        valid = bool(np.all((sequence_lens >= 0) & (sequence_lens <= steps)))
        require(valid, "wrong lengths", "sequence_lens", f"from 0 to {steps}", sequence_lens)
        t = np.expand_dims(np.arange(steps), self.batch_axis)
        lengths = np.expand_dims(sequence_lens, self.time_axis)
        places = np.where(t < lengths, lengths - 1 - t, t)
        places = places.reshape(places.shape + (1,) * (input.ndim - 2))
        return np.take_along_axis(input, places, self.time_axis)

    def grad(self, dY: Any, _Y: Any, _input: Any, sequence_lens: Any) -> tuple[Any, ...]:
        return self(dY, sequence_lens), None

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.arange(12, dtype=np.float32).reshape(4, 3)
        return [
            Example(cls(), (X, np.array([4, 2, 0]))),
            Example(cls(batch_axis=0, time_axis=1), (X, np.array([1, 2, 3, 3]))),
        ]


@operator(family="indexing")
class TensorScatter(Operator):
    """The cache, written over along `axis` with the update: Y[n, ..., write_indices[n] + s, ...] =
    update[n, ..., s, ...]; in mode circular the place is taken modulo the cache's length.

    past_cache [N, ..., length, ...], update [N, ..., steps, ...], write_indices int64 [N] (absent:
    0). axis isn't that of the batch, 0. New in opset 24.
    """

    axis: int = -2
    mode: str = "linear"

    def infer(
        self, past_cache: TensorType, update: TensorType, write_indices: TensorType | None = None
    ) -> TensorType:
        if self.mode not in ("linear", "circular"):
            raise SuanziError("wrong mode", expected="linear or circular", found=self.mode)
        require_dtype(update, past_cache.dtype, "update")
        if past_cache.shape is not None:
            axis = axis_of(self.axis, len(past_cache.shape))
            require(axis > 0, "the axis is the batch's", "past_cache", "another axis", self.axis)
            wanted = (*past_cache.shape[:axis], None, *past_cache.shape[axis + 1 :])
            require_shape(update, wanted, "update")
            require_shape(write_indices, past_cache.shape[:1], "write_indices")
        return TensorType(past_cache.dtype, past_cache.shape)

    def numpy(self, past_cache: Array, update: Array, write_indices: Array | None = None) -> Array:
        length, steps = past_cache.shape[self.axis], update.shape[self.axis]
        require(steps <= length, "longer than the cache", "update", f"at most {length}", steps)
        N = len(past_cache)
        first = np.zeros(N, np.int64) if write_indices is None else write_indices
        places = first[:, None] + np.arange(steps)
        if self.mode == "circular":
            places %= length
        inside = bool(np.all((places >= 0) & (places < length)))
        require(inside, "outside the cache", "write_indices", f"from 0 to {length - steps}", first)
        present = past_cache.copy()
        by_time = np.moveaxis(present, self.axis, 1)  # a view: what is written there is in present
        by_time[np.arange(N)[:, None], places] = np.moveaxis(update, self.axis, 1)
        return present

    def grad(
        self, dY: Any, _Y: Any, _past_cache: Any, _update: Any, write_indices: Any = None
    ) -> tuple[Any, ...]:
        return (
            lambda: self(dY, zeros(_update.shape, dY), write_indices),
            lambda: self._taken(dY, _update.shape, write_indices),
        )

    def _taken(self, dY: Any, shape: Ints, write_indices: Any) -> Any:
        """What dY has at the places that the update was written to."""
        rank, axis = len(dY.shape), axis_of(self.axis, len(dY.shape))
        places = np.arange(shape[axis]).reshape(-1, *(1,) * (rank - 1 - axis))
        if write_indices is not None:
            places = reshape(write_indices, (-1, *(1,) * (rank - 1))) + places
        if self.mode == "circular":
            places = Mod()(places, np.array(dY.shape[axis]))
        return GatherElements(axis=axis)(dY, expand(places, shape))

    @classmethod
    def examples(cls) -> list[Example]:
        cache = np.arange(16, dtype=np.float32).reshape(2, 4, 2)
        update = -np.ones((2, 2, 2), np.float32)
        return [
            Example(cls(), (cache, update)),
            Example(cls(), (cache, update, np.array([1, 2]))),
            Example(cls(mode="circular"), (cache, update, np.array([1, 3]))),
        ]
