"""Pictures on their way into a model: decoded, cut to size."""

import io
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._axes import axes_of, ints, length
from suanzi.operators._checks import require_shape
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

PIXEL_FORMATS = {"RGB": 3, "BGR": 3, "Grayscale": 1}
"""How many channels each has."""


@operator(family="vision", torch="torchvision.io.decode_image")
class ImageDecoder(Operator):
    """The picture [H, W, channels] (uint8) that a file of these bytes holds: BMP, JPEG, JPEG 2000,
    PNG, PNM, TIFF or WebP. What cannot be decoded gives a picture of no size.

    Source: https://onnx.ai/onnx/operators/onnx__ImageDecoder.html (opset 20)
    """

    pixel_format: str = "RGB"

    def infer(self, encoded_stream: TensorType) -> TensorType:
        if self.pixel_format not in PIXEL_FORMATS:
            expected = ", ".join(PIXEL_FORMATS)
            raise SuanziError("no such pixel_format", expected=expected, found=self.pixel_format)
        require_shape(encoded_stream, (None,), "encoded_stream")
        found = encoded_stream.dtype
        require(found == np.uint8, "wrong element type", "encoded_stream", "uint8", found)
        return TensorType(found, (None, None, PIXEL_FORMATS[self.pixel_format]))

    def numpy(self, encoded_stream: Array) -> Array:
        from PIL import Image  # the one operator that needs it

        channels = PIXEL_FORMATS[self.pixel_format]
        try:
            with Image.open(io.BytesIO(encoded_stream.tobytes())) as file:
                picture = np.array(file.convert("RGB" if channels == 3 else "L"))
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            return np.zeros((0, 0, channels), np.uint8)
        if self.pixel_format == "BGR":
            return np.ascontiguousarray(picture[:, :, ::-1])
        return picture.reshape(*picture.shape[:2], channels)

    @classmethod
    def examples(cls) -> list[Example]:
        pixels = bytes([255, 0, 0, 0, 128, 64])
        file = np.frombuffer(b"P6 2 1 255\n" + pixels, np.uint8)
        broken = file[:9]
        return [
            *(Example(cls(pixel_format=format), (file,)) for format in PIXEL_FORMATS),
            Example(cls(), (broken,)),
        ]


@operator(family="vision", torch="torchvision.transforms.CenterCrop")
class CenterCropPad(Operator):
    """The middle of the input, in the shape given for `axes` (absent: all); where the input is
    smaller, zeros about it. Of an odd difference the larger part lies at the end.

    Source: https://onnx.ai/onnx/operators/onnx__CenterCropPad.html (opset 18)
    """

    axes: Ints | None = None

    def infer(self, input_data: TensorType, shape: TensorType) -> TensorType:
        count = length(shape, "shape")
        if input_data.shape is None:
            return TensorType(input_data.dtype, None)
        axes, output = self._axes(len(input_data.shape)), list(input_data.shape)
        require(count in (len(axes), None), "wrong length", "shape", len(axes), count)
        wanted: list[Dim] = [None] * len(axes)
        if shape.value is not None:
            wanted = list(ints(shape.value))
            require(np.all(shape.value >= 0), "wrong sizes", "shape", "0 or more", wanted)
        for axis, size in zip(axes, wanted, strict=True):
            output[axis] = size
        return TensorType(input_data.dtype, tuple(output))

    def _axes(self, rank: int) -> Ints:
        return tuple(range(rank)) if self.axes is None else axes_of(self.axes, rank)

    def numpy(self, input_data: Array, shape: Array) -> Array:
        output = list(input_data.shape)
        for axis, size in zip(self._axes(input_data.ndim), ints(shape), strict=True):
            output[axis] = size
        extra = [o - d for o, d in zip(output, input_data.shape, strict=True)]
        starts = [max(-e, 0) // 2 for e in extra]
        cut = [slice(start, start + o) for start, o in zip(starts, output, strict=True)]
        return np.pad(input_data[tuple(cut)], [(max(e, 0) // 2, -(-max(e, 0) // 2)) for e in extra])

    def grad(self, dY: Any, _Y: Any, _input_data: Any, _shape: Any) -> tuple[Any, ...]:
        sizes = [_input_data.shape[axis] for axis in self._axes(len(dY.shape))]
        return self(dY, np.array(sizes)), None

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.arange(12, dtype=np.float32).reshape(3, 4)
        return [
            Example(cls(), (X, np.array([2, 7]))),
            Example(cls(axes=(-1,)), (X, np.array([1]))),
        ]
