"""Operators that change shapes or types, or make tensors of sizes."""

import ml_dtypes
import numpy as np
import onnx.defs
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import OPERATORS, TensorType
from suanzi.operators.cast import Cast
from suanzi.operators.filling import ConstantOfShape, Range, Shape, Size
from suanzi.operators.shape import (
    DepthToSpace,
    Expand,
    Flatten,
    Reshape,
    SpaceToDepth,
    Squeeze,
    Transpose,
    Unsqueeze,
)
from support import check, node_cases

FLOAT32 = np.dtype(np.float32)
SINCE = {"Cast": 25, "CastLike": 25}
"""Cases whose opset is older than the newest, but means the same."""


def ints(*values):
    return TensorType.of(np.array(values, np.int64))


def names(*families):
    found = (name for name, cls in OPERATORS.items() if cls.family in families)
    return sorted(name for name in found if onnx.defs.has(name))


@pytest.mark.parametrize("name", names("shape", "filling", "cast"))
def test_agrees_with_onnx(name):
    cases = node_cases(name, SINCE.get(name))
    assert cases
    for case in cases:
        case.check()


@pytest.mark.parametrize(
    ("data", "shape", "expected"),
    [
        (("N", 3, 4), (0, -1), ("N", 12)),
        (("N", 3, 4), (-1, 12), ("N", 12)),
        (("N", 3, 4), (-1, 6), (None, 6)),
        (("N", "H", 4), (0, 0, 2, -1), ("N", "H", 2, 2)),
        (("N", None, 4), (0, -1), ("N", None)),
        ((2, 3), (3, -1), (3, 2)),
        (None, (0, 2, -1), (None, 2, None)),
        ((0, 3), (-1, 3), (0, 3)),
    ],
)
def test_reshape_keeps_symbols(data, shape, expected):
    assert Reshape().infer(TensorType(FLOAT32, data), ints(*shape)).shape == expected


@pytest.mark.parametrize("shape", [(4,), (-1, 4), (-1, -1), (-2, 3), (1, 1, 0), (0, 0, 0), (5, 0)])
def test_reshape_refuses(shape):
    with pytest.raises(SuanziError) as caught:
        Reshape().infer(TensorType(FLOAT32, (2, 3)), ints(*shape))
    assert caught.value.input == "shape"


def test_symbols_survive():
    x = TensorType(FLOAT32, ("N", 1, "H", 4))
    assert Transpose(perm=(2, 0, 3, 1)).infer(x).shape == ("H", "N", 4, 1)
    assert Squeeze().infer(x, ints(1)).shape == ("N", "H", 4)
    assert Squeeze().infer(x).shape is None
    assert Unsqueeze().infer(x, ints(0, -1)).shape == (1, "N", 1, "H", 4, 1)
    assert Flatten(axis=2).infer(x).shape == ("N", None)
    assert Flatten(axis=3).infer(x).shape == (None, 4)
    assert Expand().infer(x, ints(5, 1, 1)).shape == ("N", 5, "H", 4)
    image = TensorType(FLOAT32, ("N", 8, "H", 6))
    assert DepthToSpace(blocksize=2).infer(image).shape == ("N", 2, None, 12)
    assert SpaceToDepth(blocksize=2).infer(image).shape == ("N", 32, None, 3)


def test_sizes_become_contents():
    x = TensorType(FLOAT32, ("N", 3, 4))
    assert Shape().infer(x).value is None
    np.testing.assert_array_equal(Shape(start=1).infer(x).value, [3, 4])
    assert Size().infer(x).value is None
    assert Size().infer(TensorType(FLOAT32, (3, 4))).value == 12


@pytest.mark.parametrize(
    ("operator", "types"),
    [
        (Transpose(perm=(0, 0)), [TensorType(FLOAT32, (2, 3))]),
        (Squeeze(), [TensorType(FLOAT32, (2, 3)), ints(0)]),
        (Unsqueeze(), [TensorType(FLOAT32, (2, 3)), ints(0, 0)]),
        (Flatten(axis=3), [TensorType(FLOAT32, (2, 3))]),
        (Expand(), [TensorType(FLOAT32, (2, 3)), ints(2, 2)]),
        (Expand(), [TensorType(FLOAT32, (2, 3)), ints(-1, 3)]),
        (DepthToSpace(blocksize=2), [TensorType(FLOAT32, (1, 6, 2, 2))]),
        (DepthToSpace(blocksize=0), [TensorType(FLOAT32, (1, 4, 2, 2))]),
        (SpaceToDepth(blocksize=2, mode="X"), [TensorType(FLOAT32, (1, 4, 2, 2))]),
        (ConstantOfShape(), [ints(2, -1)]),
        (Range(), [ints(1), ints(2), ints(0)]),
        (Range(), [TensorType.of(np.array(x, np.float32)) for x in (0, np.inf, 1)]),
        (Range(), [ints(1, 2), ints(2), ints(1)]),
        (Cast(to=99), [TensorType(FLOAT32, ())]),
    ],
)
def test_refuses(operator, types):
    with pytest.raises(SuanziError):
        operator.infer_all(types)


def test_range_counts():
    for start, limit, delta in [(0, 10, 3), (10, 0, -3), (0, -1, 1), (5, 5, 1), (0, 9, 3)]:
        inputs = [np.array(x) for x in (start, limit, delta)]
        check(Range(), inputs, [np.arange(start, limit, delta)])


@pytest.mark.parametrize(
    ("round_mode", "expected"), [("up", [2, 4, 4]), ("down", [2, 2, 2]), ("nearest", [2, 2, 4])]
)
def test_cast_to_powers_of_two(round_mode, expected):
    number = 24  # float8e8m0
    x = np.array([2, 2.5, 3], np.float32)
    expected = np.array(expected, np.float32).astype(ml_dtypes.float8_e8m0fnu)
    check(Cast(to=number, round_mode=round_mode), [x], [expected])
