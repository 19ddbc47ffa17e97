"""Sequences: lists of tensors of one element type, made, changed, split from and joined to tensors.

Source, of all here: https://onnx.ai/onnx/operators/
"""

from typing import Any, ClassVar

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._operator import (
    Array,
    Dim,
    Example,
    Operator,
    SequenceType,
    TensorType,
    join_types,
    operator,
    require,
)
from suanzi.operators._types import element_type

Sequence = list[Any]

ONE, TWO = np.array([1, 2], np.float32), np.array([3, 4], np.float32)


def _element(t: TensorType, input: str = "input_sequence") -> TensorType:
    """The type of a sequence's elements."""
    if not isinstance(t, SequenceType):
        raise SuanziError("not a sequence", input=input, expected="a sequence", found=t)
    return t.element


def _joined(a: TensorType, b: TensorType, input: str) -> TensorType:
    t = join_types(a, b)
    if t is None:
        raise SuanziError("a sequence has one element type", input=input, expected=a, found=b)
    return t


def _place(position: Array | None, length: int, last: int) -> int:
    """A position from 0 on; negative ones count from the end, and None is `last`."""
    if position is None:
        return last
    place = int(position.item())
    if not -length <= place <= last:
        expected = f"{-length} to {last}" if last >= 0 else "none: the sequence is empty"
        raise SuanziError("no such position", input="position", expected=expected, found=place)
    return place % length if place < 0 else place


@operator(family="sequence")
class SequenceConstruct(Operator):
    """Y = [X₁, X₂, ...]."""

    def infer(self, *inputs: TensorType) -> SequenceType:
        require(inputs, "no inputs", "inputs", "at least one", "none")
        first, *others = (TensorType(t.dtype, t.shape) for t in inputs)
        for t in others:
            first = _joined(first, t, "inputs")
        return SequenceType(first)

    def numpy(self, *inputs: Array) -> Sequence:
        return list(inputs)

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (ONE, TWO))]


@operator(family="sequence")
class SequenceEmpty(Operator):
    """Y = [], a sequence of tensors of the element type `dtype` (ONNX's number for it)."""

    dtype: int = 1

    def infer(self) -> SequenceType:
        return SequenceType(TensorType(element_type(self.dtype), None))

    def numpy(self) -> Sequence:
        return []

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(dtype=7), ())]


@operator(family="sequence")
class SequenceAt(Operator):
    """Y = S[position]; negative positions count from the end."""

    holders: ClassVar[bool] = True

    def infer(self, input_sequence: TensorType, position: TensorType) -> TensorType:
        return _element(input_sequence)

    def numpy(self, input_sequence: Sequence, position: Array) -> Array:
        length = len(input_sequence)
        element: Array = input_sequence[_place(position, length, length - 1)]
        return element

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), ([ONE, TWO], np.array(-1)))]


@operator(family="sequence")
class SequenceInsert(Operator):
    """S with the tensor before `position`: from -n to n, where n, the end, is the default."""

    holders: ClassVar[bool] = True

    def infer(
        self, input_sequence: TensorType, tensor: TensorType, position: TensorType | None = None
    ) -> SequenceType:
        given = TensorType(tensor.dtype, tensor.shape)
        return SequenceType(_joined(_element(input_sequence), given, "tensor"))

    def numpy(
        self, input_sequence: Sequence, tensor: Array, position: Array | None = None
    ) -> Sequence:
        length = len(input_sequence)
        place = _place(position, length, length)
        return [*input_sequence[:place], tensor, *input_sequence[place:]]

    @classmethod
    def examples(cls) -> list[Example]:
        return [
            Example(cls(), ([ONE], TWO)),
            Example(cls(), ([ONE, ONE], TWO, np.array(-1))),
        ]


@operator(family="sequence")
class SequenceErase(Operator):
    """S without the element at `position`, the last one by default."""

    holders: ClassVar[bool] = True

    def infer(self, input_sequence: TensorType, position: TensorType | None = None) -> SequenceType:
        return SequenceType(_element(input_sequence))

    def numpy(self, input_sequence: Sequence, position: Array | None = None) -> Sequence:
        length = len(input_sequence)
        require(length, "nothing to erase", "input_sequence", "an element", "none")
        place = _place(position, length, length - 1)
        return [*input_sequence[:place], *input_sequence[place + 1 :]]

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), ([ONE, TWO], np.array(0)))]


@operator(family="sequence")
class SequenceLength(Operator):
    """How many elements there are, int64."""

    holders: ClassVar[bool] = True

    def infer(self, input_sequence: TensorType) -> TensorType:
        _element(input_sequence)
        return TensorType(np.dtype(np.int64), ())

    def numpy(self, input_sequence: Sequence) -> Array:
        return np.array(len(input_sequence), np.int64)

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), ([ONE, TWO],))]


@operator(family="sequence", torch="torch.cat")
class ConcatFromSequence(Operator):
    """The elements joined along `axis`, or stacked along a new one if new_axis."""

    holders: ClassVar[bool] = True

    axis: int
    new_axis: int = 0

    def infer(self, input_sequence: TensorType) -> TensorType:
        t = _element(input_sequence)
        if t.shape is None:
            return TensorType(t.dtype, None)
        rank = len(t.shape) + self.new_axis
        fits = -rank <= self.axis < rank
        require(fits, "no such axis", "axis", f"{-rank} to {rank - 1}", self.axis)
        axis = self.axis % rank
        shape = (*t.shape[:axis], None, *t.shape[axis + 1 - self.new_axis :])
        return TensorType(t.dtype, shape)

    def numpy(self, input_sequence: Sequence) -> Array:
        require(input_sequence, "nothing to join", "input_sequence", "an element", "none")
        join = np.stack if self.new_axis else np.concatenate
        return join(input_sequence, axis=self.axis)

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(axis=0, new_axis=new), ([ONE, TWO],)) for new in (0, 1)]


@operator(family="sequence", torch="torch.split")
class SplitToSequence(Operator):
    """The pieces of X along `axis`: of `split` elements each (the last may have fewer), or of
    split[0], split[1], ... Without `split` single ones, which lose the axis unless keepdims.
    """

    axis: int = 0
    keepdims: int = 1

    def infer(self, input: TensorType, split: TensorType | None = None) -> SequenceType:
        if input.shape is None:
            return SequenceType(TensorType(input.dtype, None))
        rank = len(input.shape)
        fits = -rank <= self.axis < rank
        require(fits, "no such axis", "axis", f"{-rank} to {rank - 1}", self.axis)
        axis = self.axis % rank
        size: tuple[Dim, ...] = (None,) if split is not None else (1,) * self.keepdims
        return SequenceType(
            TensorType(input.dtype, (*input.shape[:axis], *size, *input.shape[axis + 1 :]))
        )

    def numpy(self, input: Array, split: Array | None = None) -> Sequence:
        length = input.shape[self.axis]
        if split is None:
            pieces = np.split(input, range(1, length), self.axis) if length else []
            return pieces if self.keepdims else [piece.squeeze(self.axis) for piece in pieces]
        if split.ndim == 0:
            require(split > 0, "wrong size of a piece", "split", "at least 1", split)
            return np.split(input, range(int(split), length, int(split)), self.axis)
        fits = (split >= 0).all() and split.sum() == length
        require(fits, "the sizes don't add up", "split", length, split.tolist())
        return np.split(input, np.cumsum(split)[:-1], self.axis)

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.arange(10, dtype=np.float32).reshape(2, 5)
        return [
            Example(cls(axis=0, keepdims=0), (X,)),
            Example(cls(axis=1), (X, np.array(2))),
            Example(cls(axis=-1), (X, np.array([1, 4]))),
        ]
