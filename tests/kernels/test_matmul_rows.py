import numpy as np
import pytest

from kernel_support import RUNNABLE, check, make_site, run_site
from suanzi.graph.fused import TransposedMatMul
from suanzi.kernels.matmul_rows import choose
from suanzi.operators import MatMul

targets = pytest.mark.parametrize("target", RUNNABLE, ids=lambda t: t.name)


def random(*shape):
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


@targets
@pytest.mark.parametrize("shape", [(70, 7, 7), (2, 35, 5, 8), (64, 3, 1), (100, 8, 4)])
def test_small_products(target, shape):
    check(choose, MatMul(), [random(5, shape[-2]), random(*shape)], constants=(0,), target=target)


def test_transposed_and_in_chunks():
    order = (0, 1, 2, 3)
    operator = TransposedMatMul(a=(1, 0), b=order, y=order)
    arrays = [random(7, 5), random(20, 200, 7, 7)]
    site = check(choose, operator, arrays, constants=(0,), threads=2)
    assert choose(site)[0].chunks > 1


def test_infinity_meets_every_factor():
    A, B = np.eye(3, dtype=np.float32), random(64, 3, 4)
    B[1, 2, 3] = np.inf
    with np.errstate(invalid="ignore"):  # 0 · ∞ isn't a number
        (Y,) = run_site(choose, make_site(MatMul(), [A, B], constants=(0,)), [A, B])
        np.testing.assert_array_equal(Y, A @ B)


def test_what_is_declined():
    def made(A, B, constants=(0,), operator=MatMul()):  # noqa: B008
        return choose(make_site(operator, [A, B], constants=constants))

    B = random(64, 7, 7)
    assert made(random(5, 7), B) is not None
    assert made(random(5, 7), B, constants=()) is None
    assert made(random(50, 7), B) is None  # better by tiles
    assert made(random(5, 7), random(3, 7, 7)) is None
    assert made(random(5, 7), random(64, 7, 80)) is None
    turned = TransposedMatMul(a=(0, 1), b=(0, 2, 1), y=(0, 1, 2))
    assert made(random(5, 7), B, operator=turned) is None
