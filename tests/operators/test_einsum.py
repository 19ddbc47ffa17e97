"""Einstein's summation: ONNX's cases, sizes from the equation alone, and what is refused."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import Einsum, TensorType
from support import check, node_cases, onnxruntime_outputs


@pytest.mark.parametrize("case", [*node_cases("Einsum")], ids=lambda c: c.id)
def test_backend_case(case):
    case.check()


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
        ("b...d,...de", [(2, 3, 4), (3, 4, 5)]),
        ("i,j,k->kji", [(2,), (3,), (4,)]),
        ("bhqd,bhkd->bhqk", [(2, 3, 4, 5), (2, 3, 6, 5)]),
        ("iij->j", [(3, 3, 4)]),
        ("ij->", [(3, 4)]),
        ("ba,cb", [(3, 4), (5, 3)]),
    ],
)
def test_as_onnxruntime(equation, shapes):
    rng = np.random.default_rng(0)
    inputs = [np.asarray(rng.standard_normal(shape), np.float32) for shape in shapes]
    einsum = Einsum(equation=equation)
    check(einsum, inputs, onnxruntime_outputs(einsum, inputs), rtol=1e-4, atol=1e-5)


def test_half_precision_sums_in_float32():
    A = np.full(4096, 0.1, np.float16)
    exact = (A.astype(np.float64) ** 2).sum()
    assert Einsum(equation="i,i").numpy(A, A) == exact.astype(np.float16)


def test_symbols_stay():
    A, B = TensorType(np.float32, ("N", "T", 8)), TensorType(np.float32, ("N", 8, "D"))
    assert Einsum(equation="bij,bjk->bkj").infer(A, B).shape == ("N", "D", 8)
    unknown = TensorType(np.float32, None)
    assert Einsum(equation="...j->j...").infer(unknown).shape is None
    assert Einsum(equation="ij->j").infer(unknown).shape == (None,)


def test_every_product_counts():
    A, B = TensorType(np.float32, (2, 3, 4)), TensorType(np.float32, (2, 4, 5))
    assert Einsum(equation="bij,bjk->bik").cost(A, B).macs == 2 * 3 * 4 * 5


@pytest.mark.parametrize(
    ("equation", "input"),
    [("ij,jk->ik", None), ("ij->ijx", None), ("i2->i", None), ("ijk->i", "Inputs_0")],
)
def test_what_does_not_fit_is_named(equation, input):
    with pytest.raises(SuanziError) as error:
        Einsum(equation=equation).infer(TensorType(np.float32, (3, 4)))
    assert error.value.input == input
