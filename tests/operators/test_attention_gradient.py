"""Gradients of attention and of rotary embedding, held to PyTorch's."""

import math

import numpy as np
import pytest

from suanzi.operators import Attention, RotaryEmbedding
from torch_gradients import check_against_torch

torch = pytest.importorskip("torch")
F = torch.nn.functional
RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.standard_normal(shape)


def reference(op, offset=0):
    """Attention with a mask, softcap and groups of heads in PyTorch's functions."""

    def attention(q, k, v, mask=None, past_k=None, past_v=None, lens=None):
        k = k if past_k is None else torch.cat([past_k, k], 2)
        v = v if past_v is None else torch.cat([past_v, v], 2)
        group = q.shape[1] // k.shape[1]
        scale = op.scale or 1 / math.sqrt(q.shape[-1])
        stages = [q @ k.repeat_interleave(group, 1).mT * scale]
        stages.append(op.softcap * torch.tanh(stages[0] / op.softcap) if op.softcap else stages[0])
        T, S = stages[0].shape[-2:]
        near = torch.ones(T, S, dtype=torch.bool)
        p, j = torch.arange(T)[:, None] + offset, torch.arange(S)
        if lens is not None:
            p = p + (lens - T).reshape(-1, 1, 1, 1)
            near = near & (j < lens.reshape(-1, 1, 1, 1))
        if op.is_causal:
            near = near & (j <= p)
        if op.left_window_size >= 0:
            near = near & (j >= p - op.left_window_size)
        bias = torch.zeros(near.shape, dtype=q.dtype).masked_fill(~near, -math.inf)
        if mask is not None and mask.dtype == torch.bool:
            bias = bias.masked_fill(~mask, -math.inf)
        elif mask is not None:
            bias = bias + mask
        stages.append(stages[1] + bias)
        alone = stages[2].isneginf().all(-1, keepdim=True)
        stages.append(stages[2].masked_fill(alone, 0).softmax(-1).masked_fill(alone, 0))
        return stages[3] @ v.repeat_interleave(group, 1), k, v, stages[op.qk_matmul_output_mode]

    return attention


@pytest.mark.parametrize("mode", [0, 1, 2, 3])
@pytest.mark.parametrize("softcap", [0.0, 1.5])
@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_scores(mode, softcap, kv_heads):
    op = Attention(qk_matmul_output_mode=mode, softcap=softcap, scale=0.4)
    inputs = [normal(2, 4, 3, 5), normal(2, kv_heads, 6, 5), normal(2, kv_heads, 6, 7)]
    check_against_torch(op, inputs, reference(op))
    check_against_torch(op, [*inputs, normal(3, 6)], reference(op))
    check_against_torch(op, [*inputs, normal(2, 1, 3, 6)], reference(op))


@pytest.mark.parametrize(
    "options", [{"is_causal": 1}, {"left_window_size": 1}, {"is_causal": 1, "left_window_size": 2}]
)
def test_what_is_out_of_reach(options):
    op = Attention(qk_matmul_output_mode=3, **options)
    q, k, v = normal(2, 2, 4, 3), normal(2, 2, 4, 3), normal(2, 2, 4, 3)
    mask = RNG.random((2, 1, 4, 4)) > 0.4
    mask[0, 0, 2] = False  # a query without any key
    check_against_torch(op, [q, k, v], reference(op))
    check_against_torch(op, [q, k, v, mask], reference(op))
    past = [normal(2, 2, 3, 3), normal(2, 2, 3, 3)]
    check_against_torch(op, [q, k, v, None, *past], reference(op, offset=3))
    lens = [None, None, None, np.array([4, 2])]
    check_against_torch(op, [q, k, v, *lens], reference(op))


def test_against_scaled_dot_product_attention():
    op = Attention(is_causal=1)

    def attention(q, k, v):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    check_against_torch(op, [normal(2, 3, 5, 4) for _ in range(3)], attention)


def test_heads_side_by_side():
    op = Attention(q_num_heads=4, kv_num_heads=2)
    inner = reference(op)

    def attention(q, k, v):
        parts = (x.unflatten(2, (n, -1)).transpose(1, 2) for x, n in ((q, 4), (k, 2), (v, 2)))
        y, k, v, scores = inner(*parts)
        return y.transpose(1, 2).flatten(2), k, v, scores

    check_against_torch(op, [normal(2, 3, 8), normal(2, 5, 4), normal(2, 5, 6)], attention)


@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("by_place", [False, True])
def test_rotary(interleaved, by_place):
    op = RotaryEmbedding(interleaved=interleaved, rotary_embedding_dim=4)
    places = np.array([[0, 2, 2], [5, 1, 0]])
    cache = normal(2, 6, 2) if by_place else normal(2, 2, 3, 2)

    def rotary(x, cos, sin, ids=None):
        cos, sin = ((t if ids is None else t[ids])[:, None] for t in (cos, sin))
        head = x[..., :4]
        a, b = (head[..., ::2], head[..., 1::2]) if interleaved else head.chunk(2, -1)
        turned = a * cos - b * sin, a * sin + b * cos
        made = torch.stack(turned, -1).flatten(-2) if interleaved else torch.cat(turned, -1)
        return torch.cat([made, x[..., 4:]], -1)

    check_against_torch(op, [normal(2, 2, 3, 6), *cache, *([places] if by_place else [])], rotary)
