"""Pictures: ONNX's cases, and files that are none."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import CenterCropPad, ImageDecoder, TensorType
from support import check, node_cases


@pytest.mark.parametrize(
    "case", [*node_cases("ImageDecoder"), *node_cases("CenterCropPad")], ids=lambda c: c.id
)
def test_backend_case(case):
    case.check()


def test_what_cannot_be_decoded_is_empty():
    for file in (b"", b"no picture at all", b"\x89PNG\r\n\x1a\n", b"P6 9 9 255\n"):
        bytes_ = np.frombuffer(file, np.uint8)
        check(ImageDecoder(pixel_format="Grayscale"), [bytes_], [np.zeros((0, 0, 1), np.uint8)])


def test_gray_files_have_three_channels_where_colours_are_asked_for():
    file = np.frombuffer(b"P5 2 1 255\n\x07\x09", np.uint8)
    check(ImageDecoder(), [file], [np.array([[[7] * 3, [9] * 3]], np.uint8)])


def test_no_such_pixel_format():
    with pytest.raises(SuanziError, match="pixel_format"):
        ImageDecoder(pixel_format="CMYK").infer(TensorType(np.uint8, (None,)))


def test_symbols_stay_where_nothing_is_cut():
    X = TensorType(np.float32, ("N", 3, "H", "W"))
    sizes = TensorType.of(np.array([8, 8]))
    assert CenterCropPad(axes=(-2, -1)).infer(X, sizes).shape == ("N", 3, 8, 8)
    unknown = TensorType(np.int64, (2,))
    assert CenterCropPad(axes=(2, 3)).infer(X, unknown).shape == ("N", 3, None, None)
    with pytest.raises(SuanziError) as error:
        CenterCropPad().infer(X, sizes)
    assert error.value.input == "shape"
