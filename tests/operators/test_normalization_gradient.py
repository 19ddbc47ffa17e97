"""Gradients of normalization, held to PyTorch's."""

import numpy as np
import pytest

from suanzi.operators import (
    LRN,
    BatchNormalization,
    GroupNormalization,
    InstanceNormalization,
    LayerNormalization,
    LpNormalization,
    RMSNormalization,
)
from torch_gradients import check_against_torch, gradients

torch = pytest.importorskip("torch")
F = torch.nn.functional
RNG = np.random.default_rng(0)
DOUBLE = 11
"""The stash_type that computes in float64."""
SHAPES = [(5, 3), (4, 3, 6), (2, 3, 4, 5)]


def channel(count=3):
    """Scale, bias, mean and variance."""
    return [*RNG.standard_normal((3, count)), RNG.random(count) + 0.5]


@pytest.mark.parametrize("shape", SHAPES)
def test_batch_normalization_in_evaluation(shape):
    def reference(x, *others):
        s, b, m, v = (t.reshape(-1, *(1,) * (len(shape) - 2)) for t in others)
        return (x - m) / (v + 1e-5).sqrt() * s + b

    check_against_torch(BatchNormalization(), [RNG.standard_normal(shape), *channel()], reference)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("momentum", [0.0, 0.75])
def test_batch_normalization_in_training(shape, momentum):
    axes = (0, *range(2, len(shape)))

    def reference(x, s, b, m, v):
        mean, var = x.mean(axes), x.var(axes, correction=0)
        running = (m * momentum + mean * (1 - momentum), v * momentum + var * (1 - momentum))
        return F.batch_norm(x, None, None, s, b, training=True), *running

    check_against_torch(
        BatchNormalization(training_mode=1, momentum=momentum),
        [RNG.standard_normal(shape), *channel()],
        reference,
    )


def test_layer_normalization():
    def reference(x, s, b):
        mean = x.mean((1, 2), keepdim=True)
        inverse = (x.var((1, 2), correction=0, keepdim=True) + 1e-5) ** -0.5
        return F.layer_norm(x, (4, 5), s, b), mean, inverse

    X, scale, B = RNG.standard_normal((3, 4, 5)), *RNG.standard_normal((2, 4, 5))
    op = LayerNormalization(axis=1, stash_type=DOUBLE)
    check_against_torch(op, [X, scale, B], reference)
    check_against_torch(op, [X, scale], lambda x, s: F.layer_norm(x, (4, 5), s))
    broadcast = [X, scale[:, :1], B[0]]
    check_against_torch(
        op, broadcast, lambda x, s, b: F.layer_norm(x, (4, 5), s.expand(4, 5), b.expand(4, 5))
    )


def test_the_gradients_of_half_precision_are_computed_in_single():
    X, scale = (RNG.standard_normal(s).astype(np.float16) for s in ((4, 64), (64,)))
    for op in (LayerNormalization(), RMSNormalization()):
        Y = op.numpy_all([X, scale])
        dY = tuple(np.ones_like(y) if i == 0 else None for i, y in enumerate(Y))
        found = gradients(op, dY if len(Y) > 1 else dY[0], X, scale)
        assert [g.dtype for g in found[:2]] == [np.float16] * 2
        wide = [x.astype(np.float32) for x in (X, scale)]
        dY = tuple(None if d is None else d.astype(np.float32) for d in dY)
        expected = gradients(op, dY if len(Y) > 1 else dY[0], *wide)
        for g, e in zip(found[:2], expected[:2], strict=True):
            np.testing.assert_allclose(g, e, 2e-2, 2e-2)


@pytest.mark.parametrize("shape", SHAPES[1:])
def test_the_others(shape):
    X, (scale, bias, *_) = RNG.standard_normal(shape), channel()
    check_against_torch(
        InstanceNormalization(),
        [X, scale, bias],
        lambda x, s, b: F.instance_norm(x, None, None, s, b),
    )
    six = np.concatenate([X, X[::-1]], 1)
    check_against_torch(
        GroupNormalization(num_groups=3, stash_type=DOUBLE),
        [six, *channel(6)[:2]],
        lambda x, s, b: F.group_norm(x, 3, s, b),
    )
    check_against_torch(
        RMSNormalization(axis=-1, stash_type=DOUBLE),
        [X, RNG.standard_normal(shape[-1:])],
        lambda x, s: F.rms_norm(x, shape[-1:], s, 1e-5),
    )
    for p in (1, 2):
        check_against_torch(LpNormalization(axis=1, p=p), [X], lambda x, p=p: F.normalize(x, p, 1))


@pytest.mark.parametrize("size", [1, 3, 4])
def test_local_response(size):
    # PyTorch has one more channel before than after where the size is even, ONNX one more after.
    X = RNG.standard_normal((2, 6, 4, 3))

    def reference(x):
        y = F.local_response_norm(x.flip(1), size, 0.5, 0.75, 2.0)
        return y.flip(1)

    check_against_torch(LRN(size=size, alpha=0.5, bias=2.0), [X], reference)
