"""Deformable convolution: ONNX's cases, onnxruntime's results, and Conv's where nothing moves."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import Conv, DeformConv, TensorType
from support import check, node_cases, onnxruntime_outputs


@pytest.mark.parametrize("case", [*node_cases("DeformConv")], ids=lambda c: c.id)
def test_backend_case(case):
    case.check()


def data(*shapes):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize(
    ("operator", "shapes"),
    [
        (DeformConv(), [(2, 4, 6, 7), (3, 4, 3, 2), (2, 12, 4, 6), (3,), (2, 6, 4, 6)]),
        (
            DeformConv(group=2, offset_group=2, strides=(2, 1), pads=(1, 0, 1, 2)),
            [(2, 4, 6, 7), (4, 2, 3, 2), (2, 24, 3, 8), (4,), (2, 12, 3, 8)],
        ),
        (
            DeformConv(offset_group=4, dilations=(2, 3)),
            [(1, 4, 6, 7), (2, 4, 2, 2), (1, 32, 4, 4), (2,), (1, 16, 4, 4)],
        ),
    ],
)
def test_as_onnxruntime(operator, shapes):
    inputs = data(*shapes)
    expected = onnxruntime_outputs(operator, inputs, opset=19)
    check(operator, inputs, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_without_offsets_it_is_a_convolution(n):
    attributes = {"strides": (2,) * n, "pads": (1,) * (2 * n), "group": 2}
    X, W, B = data((2, 4, *(5, 6, 7)[:n]), (6, 2, *(3,) * n), (6,))
    Y = Conv(**attributes).numpy(X, W, B)
    offset = np.zeros((2, n * 3**n, *Y.shape[2:]), np.float32)
    check(DeformConv(**attributes), [X, W, offset, B], [Y], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("index", "shape", "input"),
    [(2, (1, 7, 4, 4), "offset"), (2, (1, 8, 4, 3), "offset"), (4, (1, 8, 4, 4), "mask")],
)
def test_what_does_not_fit_is_named(index, shape, input):
    shapes = [(1, 2, 5, 5), (3, 2, 2, 2), (1, 8, 4, 4), (3,), (1, 4, 4, 4)]
    shapes[index] = shape
    with pytest.raises(SuanziError) as error:
        DeformConv().infer(*(TensorType(np.float32, s) for s in shapes))
    assert error.value.input == input
