import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from kernel_support import RUNNABLE, check, make_site
from suanzi.kernels.pool import choose, choose_global
from suanzi.operators.pooling import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool

targets = pytest.mark.parametrize("target", RUNNABLE, ids=lambda t: t.name)


def random(*shape):
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def blocked(operator, X, target=RUNNABLE[0], threads=1):
    lanes = target.lanes
    chooser = choose_global if isinstance(operator, GlobalMaxPool | GlobalAveragePool) else choose
    return check(
        chooser,
        operator,
        [X],
        input_lanes=lanes,
        output_lanes=lanes,
        outputs=1,
        target=target,
        threads=threads,
    )


@targets
@pytest.mark.parametrize("pool", [MaxPool, AveragePool])
def test_what_networks_use(pool, target):
    X = random(2, 20, 15, 33)
    blocked(pool(kernel_shape=(3, 3), strides=(2, 2), pads=(1, 1, 1, 1)), X, target)
    blocked(pool(kernel_shape=(2, 2), strides=(2, 2)), X, target)
    blocked(pool(kernel_shape=(15, 33)), X, target)


@pytest.mark.parametrize("pool", [MaxPool, AveragePool])
@pytest.mark.parametrize(
    "attributes",
    [
        {"kernel_shape": (3, 3), "strides": (2, 2), "ceil_mode": 1},
        {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (0, 0, 1, 1), "ceil_mode": 1},
        {"kernel_shape": (3, 2), "dilations": (2, 3), "pads": (1, 0, 2, 1)},
        {"kernel_shape": (5, 5), "strides": (1, 1), "auto_pad": "SAME_UPPER"},
        {"kernel_shape": (4, 3), "strides": (3, 2), "auto_pad": "SAME_LOWER"},
        {"kernel_shape": (9, 9), "pads": (4, 4, 4, 4)},
        {"kernel_shape": (13, 1), "strides": (14, 1)},
    ],
    ids=str,
)
def test_windows_of_all_kinds(pool, attributes):
    blocked(pool(**attributes), random(1, 5, 13, 17))
    if pool is AveragePool:
        blocked(pool(**attributes, count_include_pad=1), random(1, 5, 13, 17))


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_any_window(data):
    rank = data.draw(st.sampled_from((1, 2, 3)))

    def each(low, high):
        return tuple(data.draw(st.integers(low, high)) for _ in range(rank))

    kernel, dilations = each(1, 5), each(1, 2)
    pads = tuple(data.draw(st.integers(0, (n - 1) // 2)) for n in kernel * 2)
    pool = data.draw(st.sampled_from((MaxPool, AveragePool)))(
        kernel_shape=kernel,
        dilations=dilations,
        strides=each(1, 3),
        pads=pads,
        ceil_mode=data.draw(st.sampled_from((0, 1))),
    )
    most = 30 if rank < 3 else 8
    sizes = [(n - 1) * d + data.draw(st.integers(1, most)) for n, d in zip(kernel, dilations)]  # noqa: B905
    blocked(pool, random(data.draw(st.integers(1, 2)), 18, *sizes), threads=2)


@targets
@pytest.mark.parametrize("pool", [GlobalMaxPool, GlobalAveragePool])
def test_global(pool, target):
    blocked(pool(), random(2, 35, 7, 7), target)
    blocked(pool(), random(1, 16, 1, 3), target, threads=2)
    blocked(pool(), random(3, 5, 65), target)


@pytest.mark.parametrize("pool", [MaxPool(kernel_shape=(3, 3)), GlobalMaxPool()])
def test_a_maximum_over_nan_is_nan(pool):
    X = random(1, 4, 9, 9)
    X[0, 1, 4, 4] = np.nan
    X[0, 2, 0, 0] = X[0, 2, 8, 8] = np.nan
    X[0, 3] = -np.inf
    blocked(pool, X)


@pytest.mark.parametrize("pool", [MaxPool, AveragePool])
def test_plain_data(pool):
    for shape, kernel in (
        ((2, 20, 9, 8), (3, 2)), ((1, 3, 30), (4,)), ((2, 3, 5, 6, 7), (3, 2, 4)),
    ):  # fmt: skip
        check(choose, pool(kernel_shape=kernel), [random(*shape)], outputs=1, threads=2)


@pytest.mark.parametrize("pool", [GlobalMaxPool(), GlobalAveragePool()])
def test_plain_data_whole(pool):
    check(choose_global, pool, [random(2, 20, 9, 8)])
    check(choose_global, pool, [random(2, 5, 33)])


def test_what_is_left_to_numpy():
    X = random(1, 4, 9, 9)
    pool, V = MaxPool(kernel_shape=(3, 3)), RUNNABLE[0].lanes
    assert choose(make_site(pool, [X])) is None  # with Indices
    assert choose(make_site(pool, [X], input_lanes=V, output_lanes=V)) is None
    assert choose(make_site(pool, [X.astype(np.float64)], outputs=1)) is None
    X = random(1, 4, 5, 5, 5, 2)
    pool = AveragePool(kernel_shape=(2, 2, 2, 1))
    assert choose(make_site(pool, [X], input_lanes=V, output_lanes=V)) is None
    assert choose(make_site(pool, [X])) is None


def plain(operator, X, target=RUNNABLE[0], threads=1):
    chosen = choose(make_site(operator, [X], outputs=1, target=target, threads=threads))
    check(choose, operator, [X], outputs=1, target=target, threads=threads)
    return [type(call.kernel).__name__ for call in chosen or ()]


@targets
@pytest.mark.parametrize("pool", [MaxPool, AveragePool])
@pytest.mark.parametrize(
    "attributes",
    [
        {"kernel_shape": (3, 3), "strides": (2, 2)},
        {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (1, 1, 1, 1)},
        {"kernel_shape": (3, 3), "strides": (2, 2), "ceil_mode": 1},
        {"kernel_shape": (2, 4), "dilations": (3, 3), "strides": (3, 1), "pads": (0, 2, 1, 1)},
        {"kernel_shape": (2, 2), "dilations": (1, 3), "strides": (1, 2)},
        {"kernel_shape": (5, 1), "auto_pad": "SAME_UPPER"},
    ],
    ids=str,
)
def test_along_the_rows_of_plain_data(pool, attributes, target):
    for width in (33, 47, 80):
        assert plain(pool(**attributes), random(2, 3, 13, width), target) == ["PoolRows"]


def test_plain_data_whose_rows_are_short_goes_through_blocks():
    assert "PoolKernel" in plain(MaxPool(kernel_shape=(3, 3)), random(1, 20, 7, 4))
    assert "PoolKernel" in plain(AveragePool(kernel_shape=(2, 40)), random(1, 20, 7, 90), threads=2)
    assert "PoolKernel" in plain(MaxPool(kernel_shape=(3, 3), strides=(1, 3)), random(1, 3, 9, 99))


def test_not_a_number_wins():
    X = random(1, 2, 8, 40)
    X[0, 0, 3, 5] = np.nan
    assert plain(MaxPool(kernel_shape=(3, 3), strides=(2, 2)), X) == ["PoolRows"]
