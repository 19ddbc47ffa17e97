import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from kernel_support import RUNNABLE, check, make_site
from suanzi.graph.fused import Chain, Link
from suanzi.kernels import conv_flat, conv_transpose
from suanzi.kernels._flat_plan import plan_of
from suanzi.kernels._kernel import Choice, Site
from suanzi.kernels._tiles import shape_of
from suanzi.lang.target import AVX512
from suanzi.operators import Add, Conv, ConvTranspose, Relu

targets = pytest.mark.parametrize("target", RUNNABLE, ids=lambda t: t.name)


def random(*shape):
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def flat(site: Site) -> Choice:
    return conv_flat.flat(site, plan_of(shape_of(site)))


def run(operator, X, W, *more, target=RUNNABLE[0], threads=2, constants=(1, 2), **options):
    chooser = flat if isinstance(operator, Conv) else conv_transpose.choose
    inputs = [X, W, *more]
    given_constants = tuple(i for i in constants if i < len(inputs))
    check(
        chooser, operator, inputs, constants=given_constants, target=target, threads=threads,
        **options,
    )  # fmt: skip


@targets
@pytest.mark.parametrize(
    ("attributes", "kernel"),
    [
        ({"strides": (2, 2)}, (3, 3)),
        ({"strides": (2, 1), "pads": (4, 2, 4, 2)}, (3, 5)),
        ({"strides": (2, 1), "pads": (4, 2, 4, 2), "dilations": (3, 1)}, (3, 5)),
        ({"strides": (3, 2), "pads": (1, 3, 2, 3)}, (2, 4)),
        ({"strides": (1, 2), "dilations": (2, 3)}, (3, 3)),
        ({}, (1, 1)),
    ],
    ids=str,
)
def test_strides_padding_and_dilations(target, attributes, kernel):
    run(Conv(**attributes), random(2, 5, 20, 41), random(11, 5, *kernel), random(11), target=target)


@targets
@pytest.mark.parametrize(
    ("attributes", "kernel"),
    [
        ({"strides": (2, 2)}, (3, 3)),
        ({"strides": (2, 1), "pads": (4, 2, 4, 2)}, (3, 5)),
        ({"strides": (3, 2), "pads": (1, 3, 2, 1), "output_padding": (1, 1)}, (4, 5)),
        ({"pads": (1, 1, 1, 1)}, (3, 3)),
        ({"dilations": (1, 2)}, (2, 3)),
        ({"strides": (2, 2)}, (2, 2)),
        ({"strides": (3, 2)}, (1, 1)),  # phases without any tap
    ],
    ids=str,
)
def test_transposed(target, attributes, kernel):
    W, B = random(5, 6, *kernel), random(6)
    run(ConvTranspose(**attributes), random(2, 5, 20, 41), W, B, target=target)


def test_without_bias_and_weights_that_arrive():
    X = random(1, 3, 9, 30)
    run(Conv(), X, random(4, 3, 3, 3))
    run(Conv(), X, random(4, 3, 3, 3), random(4), constants=())
    run(ConvTranspose(strides=(2, 2)), X, random(3, 4, 3, 3), random(4), constants=())


def test_what_follows_is_done_before_writing():
    chain = Chain(2, (Link(Add(), (0, 1)), Link(Relu(), (2,))))
    X, W = random(2, 3, 9, 30), random(6, 3, 3, 3)
    run(Conv(), X, W, random(6), chain=chain, extras=[random(6, 1, 1)])
    run(Conv(), X, W, random(6), chain=chain, extras=[random(2, 6, 1, 1)])


def test_declines_what_it_cannot_do():
    W = random(6, 3, 3, 3)

    def made(operator, X):
        return flat(make_site(operator, [X, W], constants=(1,), target=AVX512))

    assert made(Conv(), random(1, 3, 9, 30)) is not None
    assert made(Conv(strides=(1, 3)), random(1, 3, 9, 90)) is None
    assert made(Conv(), random(1, 3, 9, 12)) is None  # rows shorter than a vector


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_any_sizes(data):
    def number(low, high):
        return data.draw(st.integers(low, high))

    kernel = number(1, 4), number(1, 5)
    dilations = number(1, 3), number(1, 2)
    reach = [(n - 1) * d + 1 for n, d in zip(kernel, dilations, strict=True)]
    pads = tuple(number(0, n) for n in (*reach, *reach))
    strides = number(1, 3), number(1, 2)
    X = random(number(1, 2), number(1, 3), reach[0] + number(0, 30), reach[1] + 40 + number(0, 40))
    conv = Conv(strides=strides, pads=pads, dilations=dilations)
    run(conv, X, random(number(1, 7), X.shape[1], *kernel), threads=number(1, 3))


def test_blocks_of_channels_are_better_where_they_are_full():
    def prefers(K, kept):
        X, W = random(1, 64, 60, 100), random(K, 64, 3, 3)
        shape = shape_of(make_site(Conv(strides=(2, 2)), [X, W], target=AVX512))
        return conv_flat.prefers_plain(plan_of(shape), AVX512, 0, kept)

    assert not prefers(64, 0)
    assert prefers(33, 64 * 60 * 100)
