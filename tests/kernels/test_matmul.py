from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_support import RUNNABLE, check, make_site, run_site
from suanzi.graph.fused import Chain, Link, TransposedMatMul
from suanzi.kernels._kernel import Scratch
from suanzi.kernels._product import matmul_product
from suanzi.kernels.matmul import choose
from suanzi.lang.target import AVX2, PORTABLE, host_target
from suanzi.operators.activation import Relu
from suanzi.operators.arithmetic import Add, Mul
from suanzi.operators.linear import Gemm, MatMul

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.standard_normal(shape, dtype=np.float32)


sizes = st.integers(1, 40)


@settings(max_examples=20, deadline=None)
@given(sizes, sizes, st.integers(1, 70), st.booleans(), st.integers(1, 2))
def test_any_sizes(M, K, N, constant, threads):
    constants = (1,) if constant else ()
    check(choose, MatMul(), [normal(M, K), normal(K, N)], constants=constants, threads=threads)


@pytest.mark.parametrize("target", [host_target(), AVX2, PORTABLE], ids=lambda t: t.name)
@pytest.mark.parametrize(
    ("M", "K", "N"), [(1, 33, 300), (3, 8, 16), (20, 5, 63), (64, 16, 64), (13, 100, 1)]
)
@pytest.mark.parametrize("constant", [True, False])
def test_every_target(target, M, K, N, constant):
    chain = Chain(3, (Link(Add(), (0, 1)), Link(Mul(), (3, 2)), Link(Relu(), (4,))))
    check(
        choose,
        MatMul(),
        [normal(M, K), normal(K, N)],
        constants=(1,) if constant else (),
        chain=chain,
        extras=[normal(N), normal(M, N)],
        target=replace(target, triple=host_target().triple),
    )


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((2, 3, 5, 7), (2, 3, 7, 20)),
        ((2, 3, 5, 7), (3, 7, 20)),
        ((5, 7), (2, 3, 7, 20)),
        ((2, 1, 5, 7), (1, 3, 7, 20)),
        ((2, 1, 3, 5, 7), (4, 1, 7, 20)),
        ((2, 3, 5, 7), (7, 20)),
        ((7,), (7, 20)),
        ((7,), (3, 7, 20)),
        ((5, 7), (7,)),
        ((2, 5, 7), (7,)),
        ((7,), (7,)),
        ((1, 5, 7), (1, 7, 4)),
    ],
)
@pytest.mark.parametrize("constant", [True, False])
def test_broadcasting(a, b, constant):
    check(choose, MatMul(), [normal(*a), normal(*b)], constants=(1,) if constant else ())


def test_chain_after_a_product_with_a_vector():
    chain = Chain(2, (Link(Add(), (0, 1)),))
    check(choose, MatMul(), [normal(5, 7), normal(7)], chain=chain, extras=[normal(5)])
    arrays, extra = [normal(2, 5, 7), normal(7)], normal(5)
    check(choose, MatMul(), arrays, chain=chain, extras=[extra], must=False)
    check(choose, MatMul(), [normal(7), normal(7, 5)], chain=chain, extras=[normal(5)])


def test_batch_axes_merge():
    assert matmul_product((2, 3, 5, 7), (2, 3, 7, 4)).batch == ((6, 1, 1, 1),)
    assert matmul_product((2, 1, 5, 7), (1, 3, 7, 4)).batch == ((2, 1, 0, 3), (3, 0, 1, 1))
    assert matmul_product((2, 3, 5, 7), (1, 7, 4)).M == 30


@pytest.mark.parametrize("b", [(3, 150, 130), (1, 150, 130)])
def test_large_right_side_that_arrives_is_packed_first(b):
    site = check(choose, MatMul(), [normal(3, 200, 150), normal(*b)], threads=2)
    assert 2 <= len(choose(site)) <= 3
    site = check(choose, MatMul(), [normal(1, 200, 150), normal(3, 150, 130)])
    assert 2 <= len(choose(site)) <= 3


@settings(max_examples=15, deadline=None)
@given(
    st.tuples(sizes, sizes, sizes),
    st.booleans(),
    st.booleans(),
    st.sampled_from([1.0, 0.5]),
    st.sampled_from([1.0, -2.0, 0.0]),
    st.sampled_from(["none", "scalar", "N", "1N", "M1", "MN"]),
)
def test_gemm(shape, a_transposed, b_transposed, alpha, beta, c):
    M, K, N = shape
    A = normal(K, M) if a_transposed else normal(M, K)
    B = normal(N, K) if b_transposed else normal(K, N)
    C = {"scalar": (1,), "N": (N,), "1N": (1, N), "M1": (M, 1), "MN": (M, N)}.get(c)
    gemm = Gemm(alpha=alpha, beta=beta, transA=int(a_transposed), transB=int(b_transposed))
    check(choose, gemm, [A, B, normal(*C) if C else None], constants=(1,))


def test_gemm_whose_right_side_arrives():
    A, B, C = normal(9, 20), normal(20, 37), normal(37)
    check(choose, Gemm(alpha=0.5, beta=2.0), [A, B, C])
    check(choose, Gemm(transB=1), [A, normal(37, 20), C])
    check(choose, Gemm(transA=1, transB=1), [normal(20, 9), normal(37, 20), C], threads=2)


def test_declines_what_it_does_not_do():
    wide = make_site(MatMul(), [np.ones((2, 3)), np.ones((3, 4))])
    assert run_site(choose, wide, [np.ones((2, 3)), np.ones((3, 4))]) is None
    empty = make_site(MatMul(), [np.ones((2, 0), np.float32), np.ones((0, 4), np.float32)])
    assert choose(empty) is None
    chain = Chain(2, (Link(Add(), (0, 1)),))
    arrays, extra = [normal(2, 3), normal(3, 4)], normal(5, 2, 4)
    assert choose(make_site(MatMul(), arrays, chain=chain, extras=[extra])) is None


@pytest.mark.parametrize("target", RUNNABLE, ids=lambda t: t.name)
@pytest.mark.parametrize(
    ("a", "b", "perms"),
    [
        ((20, 9), (20, 37), ((1, 0), (0, 1), (0, 1))),
        ((9, 20), (37, 20), ((0, 1), (1, 0), (0, 1))),
        ((20, 9), (37, 20), ((1, 0), (1, 0), (0, 1))),
        ((2, 5, 3, 8), (2, 6, 3, 8), ((0, 2, 1, 3), (0, 2, 3, 1), (0, 1, 2, 3))),
        ((2, 3, 5, 6), (2, 6, 3, 19), ((0, 1, 2, 3), (0, 2, 1, 3), (0, 2, 1, 3))),
        ((5, 2, 3, 6), (3, 6, 19), ((1, 2, 0, 3), (0, 1, 2), (2, 0, 1, 3))),
        ((5, 2, 6), (19, 6), ((1, 0, 2), (1, 0), (1, 0, 2))),
        ((5, 6), (2, 19, 6), ((0, 1), (0, 2, 1), (1, 0, 2))),
        ((5, 6), (6, 2, 1), ((0, 1), (1, 0, 2), (0, 1, 2))),
        ((6, 5), (6, 1), ((1, 0), (0, 1), (0, 1))),
        ((6, 5), (1, 6), ((1, 0), (1, 0), (0, 1))),
    ],
)
def test_transposed(target, a, b, perms):
    operator, chain = TransposedMatMul(*perms), Chain(2, (Link(Add(), (0, 1)),))
    x, y = normal(*a), normal(*b)
    right = operator.numpy(x, y)
    options = {"target": target, "threads": 2}
    check(choose, operator, [x, y], **options)
    check(choose, operator, [x, y], constants=(1,), **options)
    extra = normal(*right.shape)
    check(choose, operator, [x, y], chain=chain, extras=[extra], **options)


def test_large_transposed():
    swapped = ((0, 2, 1), (0, 2, 1), (0, 1, 2))
    check(choose, TransposedMatMul(*swapped), [normal(2, 150, 200), normal(2, 333, 150)], threads=2)
    merged = ((0, 1, 2), (1, 0), (0, 1, 2))
    site = check(choose, TransposedMatMul(*merged), [normal(2, 100, 150), normal(130, 150)])
    assert choose(site)[-1].kernel.batch == ()
    x, y = normal(300, 700), normal(300, 40)
    site = check(choose, TransposedMatMul((1, 0), (0, 1), (0, 1)), [x, y], threads=2)
    assert isinstance(choose(site)[-1].arguments[0], Scratch)
    site = check(choose, Gemm(transA=1), [x, y], threads=2)
    assert isinstance(choose(site)[-1].arguments[0], Scratch)
