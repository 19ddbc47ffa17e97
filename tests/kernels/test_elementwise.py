"""Elementwise kernels: every operator with a formula, broadcasting, blocks, chains."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_support import check, make_site, run_site
from suanzi.graph.fused import Chain, Link, in_registers
from suanzi.kernels.elementwise import choose, collapse, traceable
from suanzi.lang import host_target
from suanzi.lang.target import AVX2, PORTABLE
from suanzi.operators import OPERATORS
from suanzi.operators._elementwise import Elementwise
from suanzi.operators._operator import TensorType
from suanzi.operators.activation import Clip, Gelu, HardSwish, Relu
from suanzi.operators.arithmetic import Abs, Add, Div, Exp, Max, Mul, Pow, Sub
from suanzi.operators.logic import And, Equal, Greater, GreaterOrEqual, Less, Not, Where
from suanzi.runtime.machine import compile_object, load
from suanzi.runtime.memory import allocate
from suanzi.runtime.pool import Job, Step

TARGETS = [host_target(), AVX2, PORTABLE]
RNG = np.random.default_rng(0)


def random(*shape: int) -> np.ndarray:
    return RNG.uniform(0.5, 2, shape).astype(np.float32) * RNG.choice([-1, 1], shape).astype(
        np.float32
    )


def chain(arity: int, *links: tuple) -> Chain:
    return Chain(arity, tuple(Link(op, tuple(sources)) for op, *sources in links))


FORMULAS = [c for c in OPERATORS.values() if issubclass(c, Elementwise)]
KNOWN = {np.dtype(t) for t in (np.float32, np.int32, np.int64, np.bool_)}


@pytest.mark.parametrize("operator", FORMULAS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
def test_every_formula_on_its_examples(operator, target):
    for example in operator.examples():
        if all(x is None or x.dtype in KNOWN for x in example.inputs):
            types = [None if x is None else TensorType(x.dtype, x.shape) for x in example.inputs]
            must = traceable(operator()) and in_registers(operator(), types)
            check(choose, example.operator, example.inputs, target=target, must=must)


def test_hardly_any_formula_is_not_traceable():
    assert traceable(Gelu())
    assert traceable(Clip())
    assert traceable(Max())
    assert len([c for c in FORMULAS if traceable(c())]) > 36


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_masks_and_whole_numbers(target, dtype):
    n = RNG.integers(-3, 3, (2, 5, 37), dtype)
    mask, rows, floats = n > 0, n[:, :, :1], random(5, 37)
    for operator in (Equal(), Less(), GreaterOrEqual(), Add(), Sub(), Mul()):
        check(choose, operator, [n, rows], target=target)
        check(choose, operator, [rows, n], target=target)
    check(choose, And(), [mask, mask[:, :1]], target=target)
    check(choose, Not(), [mask], target=target)
    check(choose, Where(), [mask, n, rows], target=target)
    check(choose, Where(), [mask[:, :, :1], floats, floats[:1]], target=target)
    wrapping = np.full(20, np.iinfo(dtype).max, dtype)
    assert run_site(choose, make_site(Add(), [wrapping] * 2), [wrapping] * 2)[0].max() == -2
    labels = chain(3, (Equal(), 0, 1), (Where(), 3, 2, 0))  # as where a label is to be ignored
    check(choose, labels, [n, *(np.array(x, dtype) for x in (-2, 0))], target=target)


def test_a_chain_from_masks_to_masks():
    softened = chain(4, (Where(), 0, 1, 2), (Relu(), 4), (Greater(), 5, 3), (And(), 6, 0))
    x = random(3, 50)
    check(choose, softened, [x > 1, x, x[:1], x[:, :1]])


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_broadcasting(data):
    shape = data.draw(st.lists(st.sampled_from([1, 2, 3, 5, 17, 40]), max_size=4))
    keep = st.lists(st.booleans(), min_size=len(shape), max_size=len(shape))
    masks = data.draw(st.lists(keep, min_size=2, max_size=2))
    a, b = (random(*(n if m else 1 for n, m in zip(shape, mask, strict=True))) for mask in masks)
    if data.draw(st.booleans()) and shape and b.shape[0] == 1:
        b = b[0]
    target = data.draw(st.sampled_from(TARGETS))
    check(choose, chain(2, (Mul(), 0, 1), (Sub(), 2, 0)), [a, b], target=target)


@pytest.mark.parametrize("shape", [(100003,), (3, 70001), (5000, 37), (40000, 3)])
@pytest.mark.parametrize("threads", [1, 3])
def test_big_ones_are_cut_into_chunks(shape, threads):
    site = check(choose, Add(), [random(*shape), random(*shape[-1:])], threads=threads)
    (call,) = choose(site)
    assert call.chunks > 2


def test_sizes_share_code():
    calls = [choose(make_site(Add(), [random(2, n, 8, 8), random(n, 1, 1)]))[0] for n in (3, 48)]
    assert calls[0].kernel == calls[1].kernel


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("batch", [1, 2])
def test_blocked(target, batch):
    V, (N, C, H, W) = target.lanes, (batch, 21, 3, 5)
    x, y = random(N, C, H, W), random(N, C, H, W)
    operands = {
        "full": (y, V),
        "gate": (random(N, C, 1, 1), V),
        "channel": (random(C, 1, 1), 0),
        "pixel": (random(1, H, W), 0),
        "pixels": (random(N, 1, H, W), 0),
        "scalar": (random(1), 0),
    }
    for kind, (other, lanes) in operands.items():
        check(
            choose,
            chain(2, (Mul(), 0, 1), (Relu(), 2), (Add(), 3, 1)),
            [x, other],
            input_lanes=[V, lanes],
            output_lanes=V,
            constants=(1,) if kind == "channel" else (),
            target=target,
        )


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("shape", [(21, 1, 1), (1, 21, 1, 1)])
def test_blocked_with_plain_channels_that_arrive(target, shape):
    V = target.lanes
    chain = Chain(3, (Link(Sub(), (1, 0)), Link(Mul(), (3, 2))))
    arrays = [random(*shape), random(2, 21, 3, 5), random(2, 21, 3, 5)]
    check(choose, chain, arrays, input_lanes=[0, V, V], output_lanes=V, target=target)


def test_a_chain_of_many():
    xs = [random(4, 50), *(random(*s) for s in [(50,), (4, 1), (1,), (4, 50), (50,), (4, 50)])]
    links = [(Add(), 0, 1), (Mul(), 7, 2), (HardSwish(), 8), (Div(), 9, 3), (Max(), 10, 4)]
    links += [(Sub(), 11, 5), (Gelu(), 12), (Add(), 13, 6)]
    for target in TARGETS:
        check(choose, chain(7, *links), xs, target=target)


@pytest.mark.parametrize("exponent", [2.0, 3.0, 0.5, -1.5, 0.0])
def test_known_exponents(exponent):
    x, y = np.abs(random(3, 33)), np.array(exponent, np.float32)
    check(choose, Pow(), [x, y], constants=(1,))
    check(choose, Pow(), [x, y])
    check(choose, chain(3, (Pow(), 0, 1), (Add(), 3, 2)), [x, y, x[:, :1]], constants=(1,))


def test_whole_exponents_of_another_type():
    check(choose, Pow(), [random(3, 33), np.array(2, np.int64)], constants=(1,))
    assert choose(make_site(Pow(), [random(3), np.array(2, np.int64)])) is None


def test_what_is_declined():
    floats, wide, n = random(3), np.ones(3), np.ones(3, np.int32)
    assert choose(make_site(Abs(), [n])) is None
    assert choose(make_site(Equal(), [n > 0, n > 0])) is None
    assert choose(make_site(Where(), [n > 0, n > 0, n > 0])) is None
    assert choose(make_site(Exp(), [wide])) is None
    assert choose(make_site(Exp(), [np.zeros((0, 3), np.float32)])) is None
    V = host_target().lanes
    assert choose(make_site(Add(), [random(1, V, 2, 2), floats[:2]], input_lanes=[V, 0])) is None
    site = make_site(Relu(), [floats])
    assert choose(replace(site, chain=chain(1, (Exp(), 0)))) is None


def test_special_values_pass():
    x = np.array([np.nan, np.inf, -np.inf, 0, 1], np.float32)
    (y,) = run_site(choose, make_site(Relu(), [x]), [x])
    np.testing.assert_array_equal(y, np.array([np.nan, np.inf, 0, 0, 1], np.float32))


def test_collapse_of_a_number():
    assert collapse((), [(), ()]) == ((1, 1), [(True, True), (True, True)])


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: t.name)
@pytest.mark.parametrize("shape", [(65, 48), (3, 1001)])
def test_large_results_are_written_past_the_caches(monkeypatch, target, shape):
    monkeypatch.setattr("suanzi.kernels._rows.PAST_CACHES", 1 << 12)
    x = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    (call,) = choose(make_site(Exp(), [x], target=target))
    assert call.kernel.large
    code = load({call.kernel.symbol: compile_object(call.kernel.ir(target), target)})
    memory = allocate(x.nbytes + 64, "the result").view(np.float32)
    for offset in (0, 3):  # where a vector begins, and elsewhere
        memory[:] = 77
        words = [memory.ctypes.data + 4 * offset, x.ctypes.data, *call.sizes]
        Job([Step(code[call.kernel.symbol], np.array(words, np.int64), call.chunks)], 2).run()
        np.testing.assert_allclose(memory[offset : offset + x.size], np.exp(x).ravel(), rtol=1e-6)
        assert (memory[:offset] == 77).all()
        assert (memory[offset + x.size :] == 77).all()


def test_rows_that_begin_within_vectors_are_not():
    X = np.empty((1 << 8, 1 << 14 | 1), np.float32)
    for row, large in ((np.empty((1, X.shape[1]), np.float32), False), (X, True)):
        (call,) = choose(make_site(Add(), [X, row]))
        assert call.kernel.large == large
