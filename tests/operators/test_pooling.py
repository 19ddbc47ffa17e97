"""Pooling: ONNX's cases, onnxruntime's results, and what infer refuses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suanzi.errors import SuanziError
from suanzi.operators._operator import TensorType
from suanzi.operators.pooling import (
    AveragePool,
    GlobalAveragePool,
    GlobalLpPool,
    GlobalMaxPool,
    LpPool,
    MaxPool,
)
from support import check, node_cases, onnxruntime_outputs

NAMES = ("MaxPool", "AveragePool", "LpPool", "GlobalMaxPool", "GlobalAveragePool")


@pytest.mark.parametrize("case", [c for n in NAMES for c in node_cases(n)], ids=lambda c: c.id)
def test_backend_case(case):
    case.check()


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 3), st.sampled_from([MaxPool, AveragePool, LpPool]))
def test_as_onnxruntime(draw, n, kind):
    def numbers(low, high, count=n):
        return draw.draw(st.tuples(*[st.integers(low, high)] * count))

    kernel, sizes = numbers(1, 3), numbers(5, 9)
    auto_pad = draw.draw(st.sampled_from(["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    made = {"kernel_shape": kernel, "strides": numbers(1, 3), "auto_pad": auto_pad}
    made["ceil_mode"] = draw.draw(st.integers(0, 1))
    if auto_pad.startswith("SAME"):  # where the stride is larger onnxruntime pads less than nothing
        made["strides"] = tuple(map(min, made["strides"], kernel))
    else:
        made["dilations"] = numbers(1, 2)
    if auto_pad == "NOTSET":
        made["pads"] = tuple(
            min(p, k - 1) for p, k in zip(numbers(0, 2, 2 * n), kernel * 2, strict=True)
        )
    if kind is MaxPool:
        made["storage_order"] = draw.draw(st.integers(0, 1))
    if kind is AveragePool:
        made["count_include_pad"] = draw.draw(st.integers(0, 1))
    if kind is LpPool:
        made["p"] = draw.draw(st.integers(1, 3))
    pool = kind(**made)
    X = np.random.default_rng(0).standard_normal((2, 3, *sizes)).astype(np.float32)
    expected = onnxruntime_outputs(pool, [X], outputs=2 if kind is MaxPool else 1)
    check(pool, [X], expected, 1e-4, 1e-5)
    check(pool.explicit(sizes), [X], expected, 1e-4, 1e-5)


@pytest.mark.parametrize("pool", [GlobalMaxPool(), GlobalAveragePool(), GlobalLpPool(p=3)])
def test_global_as_onnxruntime(pool):
    X = np.random.default_rng(0).standard_normal((2, 3, 4, 5, 6)).astype(np.float32)
    check(pool, [X], onnxruntime_outputs(pool, [X], opset=21))


def test_symbols_stay_where_sizes_do():
    X = TensorType(np.float32, ("N", 3, "H", 20))
    pool = AveragePool(kernel_shape=(3, 3), pads=(1, 1, 1, 1))
    assert pool.infer(X).shape == ("N", 3, "H", 20)
    assert MaxPool(kernel_shape=(2, 2), strides=(2, 2)).infer(X)[0].shape == ("N", 3, None, 10)
    assert GlobalMaxPool().infer(X).shape == ("N", 3, 1, 1)
    assert GlobalMaxPool().infer(TensorType(np.float32, None)).shape is None


@pytest.mark.parametrize(
    ("pool", "shape", "input"),
    [
        (MaxPool(kernel_shape=(3, 3)), (1, 3, 8), None),
        (MaxPool(kernel_shape=(3, 3)), (1, 3, 2, 8), "X"),
        (MaxPool(kernel_shape=()), (1, 3), "X"),
        (LpPool(kernel_shape=(3,), pads=(-1, 0)), (1, 3, 8), None),
        (GlobalMaxPool(), (3,), "X"),
    ],
)
def test_what_does_not_fit_is_named(pool, shape, input):
    with pytest.raises(SuanziError) as error:
        pool.infer(TensorType(np.float32, shape))
    assert error.value.input == input
