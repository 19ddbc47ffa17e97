"""Bitwise logic and shifts."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import BitShift, TensorType
from support import check, node_cases

NAMES = ["BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot", "BitShift"]


@pytest.mark.parametrize(
    "case", [c for name in NAMES for c in node_cases(name, 1)], ids=lambda c: c.id
)
def test_backend_case(case):
    case.check()


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint64])
@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
def test_shifts_as_whole_numbers_of_any_size_do(dtype, direction):
    info = np.iinfo(dtype)
    values = [info.min, info.min // 2, 0, 1, 5, info.max]
    places = [p for p in (-3, 0, 1, info.bits - 1, info.bits, 100) if p >= info.min]
    X, Y = np.array(values, dtype)[:, None], np.array(places, dtype)

    def shifted(x, y):
        if not 0 <= y < info.bits:
            return -1 if x < 0 and direction == "RIGHT" else 0
        whole = x << y if direction == "LEFT" else x >> y
        return (whole - info.min) % 2**info.bits + info.min

    expected = np.array([[shifted(x, y) for y in places] for x in values], dtype)
    check(BitShift(direction=direction), [X, Y], [expected])


def test_refuses_other_directions():
    with pytest.raises(SuanziError, match="LEFT or RIGHT"):
        BitShift(direction="UP").infer(*[TensorType(np.int8, (1,))] * 2)
