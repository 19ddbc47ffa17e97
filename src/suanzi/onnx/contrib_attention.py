"""onnxruntime's attention operators, written out in ONNX's Attention and RotaryEmbedding."""

from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.onnx.contrib_steps import Steps

FLOAT, INT64 = 1, 7
"""ONNX's numbers for the types."""


def attention(s: Steps) -> tuple[str, ...]:
    """Attention of Q, K and V = split(input @ weights + bias); present is K and V in one."""
    X, weights, bias, mask, past, added, share = s.inputs(7)
    if share or s.attribute("do_rotary", 0) or s.attribute("past_present_share_buffer", 0):
        raise SuanziError("Attention that shares a buffer or rotates isn't supported")
    heads = s.required("num_heads")
    sizes = s.attribute("qkv_hidden_sizes")
    if sizes is None:
        sizes = (s.type(weights).sizes[1] // 3,) * 3
    joined = s.sum(s("MatMul", X, weights), bias)
    Q, K, V = s.several(3, "Split", joined, s.constant(sizes), axis=-1)
    past_key = past_value = ""
    if past:
        past_key = s("Gather", past, s.constant(0), axis=0)
        past_value = s("Gather", past, s.constant(1), axis=0)
    Y, key, value = _attend(s, Q, K, V, heads, mask, added, past_key, past_value)
    if not any(s.call.outputs[1:]):
        return (Y,)
    axis = s.constant([0])
    return Y, s("Concat", s("Unsqueeze", key, axis), s("Unsqueeze", value, axis), axis=0)


def multi_head_attention(s: Steps) -> tuple[str, ...]:
    """Attention, of Q, K and V that may be packed into one, or K and V into one."""
    Q, K, V, bias, mask, added, past_key, past_value, share, indirect = s.inputs(10)
    if share or indirect:
        raise SuanziError("MultiHeadAttention that shares a buffer isn't supported")
    heads = s.required("num_heads")
    flat = s.constant([0, 0, -1])
    if not K:
        parts = s.several(3, "Split", Q, axis=3, num_outputs=3)
        Q, K, V = (s("Reshape", part, flat) for part in parts)
    elif not V:
        parts = s.several(2, "Split", K, axis=3, num_outputs=2)
        K, V = (s("Reshape", part, flat) for part in parts)
    if bias:
        width = s.type(Q).shape
        hidden = width[-1] if width else None
        if not isinstance(hidden, int):
            raise SuanziError("the hidden size must be known here", input=Q)
        rest = s.type(bias).size - 2 * hidden
        bq, bk, bv = s.several(3, "Split", bias, s.constant([hidden, hidden, rest]), axis=0)
        Q = s("Add", Q, bq)
        # K and V with axes for heads are another layer's, whose bias they have.
        if s.rank(K) == 3:
            K, V = s("Add", K, bk), s("Add", V, bv)
    return _attend(s, Q, K, V, heads, mask, added, past_key, past_value)


def _attend(
    s: Steps,
    Q: str,
    K: str,
    V: str,
    heads: int,
    mask: str,
    added: str,
    past_key: str,
    past_value: str,
) -> tuple[str, str, str]:
    """ONNX's Attention, its mask the sum of what is given as numbers and what as a mask."""
    if s.rank(K) == 4:
        Q = s("Transpose", s("Reshape", Q, s.constant([0, 0, heads, -1])), perm=(0, 2, 1, 3))
    settings: dict[str, Any] = {"is_causal": s.attribute("unidirectional", 0)}
    if s.rank(K) == 3:
        settings |= {"q_num_heads": heads, "kv_num_heads": heads}
    if s.attribute("scale"):
        settings["scale"] = s.attribute("scale")
    bias = s.sum(*filter(None, (_mask(s, mask, K, past_key), added))) if mask or added else ""
    made = s.several(3, "Attention", Q, K, V, bias, past_key, past_value, **settings)
    Y, key, value = made
    if s.rank(K) == 4:
        Y = s("Reshape", s("Transpose", Y, perm=(0, 2, 1, 3)), s.constant([0, 0, -1]))
    return Y, key, value


def _mask(s: Steps, mask: str, K: str, past: str) -> str:
    """What is added to the scores: mask_filter_value where no one is to look. The mask is 1 where
    one may, [N, keys] or [N, queries, keys] or [N, 1, queries, keys]; or tells how many keys there
    are, [N], or where they end and, after that, begin, [2·N]."""
    if not mask:
        return ""
    rank, floats = s.rank(mask), {"to": FLOAT}
    if rank == 1:
        axis = 1 if s.rank(K) == 3 else 2
        length = s("Shape", K, start=axis, end=axis + 1)
        if past:
            length = s("Add", length, s("Shape", past, start=2, end=3))
        one = s.constant(1)
        keys = s("Range", s.constant(0), s("Squeeze", length), one)
        N, count = s.type(K).shape, s.type(mask).shape
        if not (N and count) or N[0] is None or count[0] is None:
            raise SuanziError("how many sequences there are must be known here", input=mask)
        ends = s("Cast", mask, to=INT64)
        column = s.constant([1])
        if count[0] == N[0]:
            inside = s("Less", keys, s("Unsqueeze", ends, column))
        else:
            end, start = s.several(2, "Split", ends, axis=0, num_outputs=2)
            below = s("Less", keys, s("Unsqueeze", end, column))
            above = s("GreaterOrEqual", keys, s("Unsqueeze", start, column))
            inside = s("And", below, above)
        mask, rank = inside, 2
    some = s("Cast", s("Cast", mask, to=9), **floats)
    value = s.constant(s.attribute("mask_filter_value", -10000.0), np.float32)
    hidden = s("Mul", s("Sub", s.constant(1, np.float32), some), value)
    axes = {2: [1, 2], 3: [1]}.get(rank)
    return s("Unsqueeze", hidden, s.constant(axes)) if axes else hidden


def group_rotary(s: Steps) -> str:
    """ONNX's RotaryEmbedding; one position alone is the first token's."""
    X, positions, cos, sin = s.inputs(4)
    if s.attribute("scale", 1.0) != 1 or s.attribute("is_packed_batching", 0):
        raise SuanziError("RotaryEmbedding with a scale, or packed, isn't supported")
    settings = {k: s.attribute(k, 0) for k in ("interleaved", "rotary_embedding_dim")}
    if s.rank(X) == 3:
        heads = s.attribute("num_heads", 0)
        if not heads:
            size = 2 * s.type(cos).sizes[1]
            hidden = s.type(X).shape
            if hidden is None or not isinstance(hidden[2], int):
                raise SuanziError("the hidden size must be known here", input=X)
            heads = hidden[2] // size
        settings["num_heads"] = heads
    if s.rank(positions) == 1:
        axis = 1 if s.rank(X) == 3 else 2
        N, T = s("Shape", X, start=0, end=1), s("Shape", X, start=axis, end=axis + 1)
        steps = s("Range", s.constant(0), s("Squeeze", T), s.constant(1))
        positions = s("Expand", s("Add", positions, steps), s("Concat", N, T, axis=0))
    return s("RotaryEmbedding", X, cos, sin, positions, **settings)
