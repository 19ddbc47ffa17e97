"""Back from windows to the picture: MaxUnpool undoes MaxPool, Col2Im the cutting into blocks."""

import math
from typing import Any

import numpy as np

from suanzi.operators._axes import ints, length
from suanzi.operators._checks import agree, require_shape
from suanzi.operators._gradients import reshape
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
from suanzi.operators._windows import Windowed, overlap_add
from suanzi.operators.indexing import Gather
from suanzi.operators.joining import Slice


@operator(family="pooling", torch="nn.MaxUnpool{n}d")
class MaxUnpool(Operator):
    """Y = 0 but where MaxPool found its largest elements: Y[I] = X, Y counted flat.

    X and I [N, C, *places], Y [N, C, *sizes] with size = (places - 1) · stride + kernel - pads.
    output_shape, Y's whole shape, adds zeros after each axis; I counts without them. Of elements
    at one place the last stays.
    Source: https://onnx.ai/onnx/operators/onnx__MaxUnpool.html (opset 22, as 9)
    """

    kernel_shape: Ints
    pads: Ints | None = None
    strides: Ints | None = None

    def _sizes(self, places: tuple[Dim, ...]) -> tuple[Dim, ...]:
        """Those of the picture that was pooled."""
        window = Windowed(kernel_shape=self.kernel_shape, strides=self.strides, pads=self.pads)
        return tuple(
            (place - 1) * axis.stride + axis.kernel - axis.begin - axis.end
            if isinstance(place, int)
            else None
            for place, axis in zip(places, window.axes(len(places)), strict=True)
        )

    def infer(
        self,
        X: TensorType,
        I: TensorType,  # noqa: E741 - as ONNX calls it
        output_shape: TensorType | None = None,
    ) -> TensorType:
        require(X.rank is None or X.rank > 2, "wrong rank", "X", "at least 3 axes", X)
        if X.shape is None:
            return X
        require_shape(I, X.shape, "I")
        least = (*X.shape[:2], *self._sizes(X.shape[2:]))
        if output_shape is None:
            return TensorType(X.dtype, least)
        require(
            length(output_shape, "output_shape") in (len(least), None),
            "wrong length",
            "output_shape",
            len(least),
            output_shape,
        )
        if output_shape.value is None:
            return TensorType(X.dtype, (None,) * len(least))
        given = ints(output_shape.value)
        fits = all(not isinstance(a, int) or a <= b for a, b in zip(least, given, strict=True))
        require(fits, "too small", "output_shape", f"at least {list(least)}", list(given))
        return TensorType(X.dtype, given)

    def numpy(self, X: Array, I: Array, output_shape: Array | None = None) -> Array:  # noqa: E741
        sizes = tuple(d for d in self._sizes(X.shape[2:]) if isinstance(d, int))
        Y = np.zeros((*X.shape[:2], *sizes), X.dtype)
        inside = (I >= 0) & (Y.size > I)
        require(inside.all(), "no such place", "I", f"from 0 to {Y.size - 1}", I[~inside][:1])
        Y.reshape(-1)[I.reshape(-1)] = X.reshape(-1)
        if output_shape is None:
            return Y
        return np.pad(Y, [(0, o - d) for o, d in zip(ints(output_shape), Y.shape, strict=True)])

    def grad(
        self,
        dY: Any,
        _Y: Any,
        _X: Any,
        I: Any,  # noqa: E741
        _output_shape: Any = None,
    ) -> tuple[Any, ...]:
        sizes = (*_X.shape[:2], *self._sizes(_X.shape[2:]))
        if tuple(dY.shape) != sizes:
            dY = Slice()(dY, np.zeros(len(sizes), np.int64), np.array(sizes))
        return Gather()(reshape(dY, (-1,)), I), None

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.array([[[[1, 2], [3, 4]]]], np.float32)
        places = np.array([[[[5, 7], [13, 15]]]])
        unpool = cls(kernel_shape=(2, 2), strides=(2, 2))
        return [
            Example(unpool, (X, places)),
            Example(unpool, (X, places, np.array([1, 1, 5, 6]))),
            Example(cls(kernel_shape=(2,)), (X[:, :, 0], places[:, :, 0] - 5)),
        ]


@operator(family="convolution", torch="nn.Fold")
class Col2Im(Operator):
    """The picture that the blocks in the columns make when each is laid down at its place;
    overlaps add up.

    input [N, C · Π block_shape, L], image_shape (H, W, ...), block_shape (h, w, ...), Y [N, C,
    *image_shape]; L counts the places of a window of block_shape, as a convolution's, by rows.
    New in opset 18.
    Source: https://onnx.ai/onnx/operators/onnx__Col2Im.html (opset 18)
    """

    dilations: Ints | None = None
    pads: Ints | None = None
    strides: Ints | None = None

    def infer(
        self, input: TensorType, image_shape: TensorType, block_shape: TensorType
    ) -> TensorType:
        require_shape(input, (None,) * 3, "input")
        n = length(image_shape, "image_shape")
        require_shape(block_shape, (n,), "block_shape")
        N, rows, L = (None,) * 3 if input.shape is None else input.shape
        if n is None:
            return TensorType(input.dtype, None)
        C: Dim = None
        if block_shape.value is not None:
            block = ints(block_shape.value)
            require(min(block, default=0) > 0, "empty", "block_shape", "1 or more", block)
            if isinstance(rows, int):
                fits = rows % math.prod(block) == 0
                require(fits, "not a number of blocks", "input", math.prod(block), input)
                C = rows // math.prod(block)
        if image_shape.value is None:
            return TensorType(input.dtype, (N, C, *(None,) * n))
        image = ints(image_shape.value)
        if block_shape.value is not None:
            places = math.prod(self._window(block).places(image))
            require(agree(L, places), "wrong number of blocks", "input", places, L)
        return TensorType(input.dtype, (N, C, *image))

    def _window(self, block: Ints) -> Windowed:
        return Windowed(
            kernel_shape=block, strides=self.strides, pads=self.pads, dilations=self.dilations
        )

    def numpy(self, input: Array, image_shape: Array, block_shape: Array) -> Array:
        image, block = ints(image_shape), ints(block_shape)
        window = self._window(block)
        C = input.shape[1] // math.prod(block)
        stamps = input.reshape(len(input), C, *block, *window.places(image))
        return overlap_add(stamps, window.axes(len(block)), image)

    def grad(
        self, dY: Any, _Y: Any, _input: Any, _image_shape: Any, block_shape: Any
    ) -> tuple[Any, ...]:
        from suanzi.operators.unfold import Unfold

        return Unfold(**vars(self), kernel_shape=ints(np.asarray(block_shape)))(dY), None, None

    @classmethod
    def examples(cls) -> list[Example]:
        input = np.arange(36, dtype=np.float32).reshape(1, 4, 9)
        image, block = np.array([4, 4]), np.array([2, 2])
        return [
            Example(cls(), (input, image, block)),
            Example(cls(strides=(2, 3), pads=(1, 0, 1, 1)), (input[:, :, :6], image, block)),
            Example(cls(dilations=(3,)), (input[:, :, :1], image[:1], block[:1])),
        ]
