"""PyTorch's layers that are one function of its own, in ours: what `nn.TransformerEncoder` and
`nn.MultiheadAttention` call in evaluation."""

from __future__ import annotations

from typing import Any

from suanzi.errors import SuanziError
from suanzi.nn.functional import gelu, layer_norm, linear, relu, scaled_dot_product_attention
from suanzi.tensor import Tensor

SQUARE, PADDING = 0, 1
"""Kinds of masks: of queries by keys, and of keys to leave out by sample. Others are by head."""


def transformer_encoder_layer(
    src: Tensor, embed_dim: int, num_heads: int, qkv_weight: Tensor, qkv_bias: Tensor,
    proj_weight: Tensor, proj_bias: Tensor, use_gelu: bool, norm_first: bool, eps: float,
    norm_weight_1: Tensor, norm_bias_1: Tensor, norm_weight_2: Tensor, norm_bias_2: Tensor,
    ffn_weight_1: Tensor, ffn_bias_1: Tensor, ffn_weight_2: Tensor, ffn_bias_2: Tensor,
    mask: Tensor | None = None, mask_type: int | None = None,
) -> Tensor:  # fmt: skip
    """torch._transformer_encoder_layer_fwd: attention, then two linear layers, each with a
    normalization and what it was given added."""

    def attend(x: Tensor) -> Tensor:
        made, _ = multi_head_attention(
            x, x, x, embed_dim, num_heads, qkv_weight, qkv_bias, proj_weight, proj_bias, mask,
            False, mask_type=mask_type,
        )  # fmt: skip
        return made

    def feed(x: Tensor) -> Tensor:
        hidden = linear(x, ffn_weight_1, ffn_bias_1)
        return linear(gelu(hidden) if use_gelu else relu(hidden), ffn_weight_2, ffn_bias_2)

    def first(x: Tensor) -> Tensor:
        return layer_norm(x, (embed_dim,), norm_weight_1, norm_bias_1, eps)

    def second(x: Tensor) -> Tensor:
        return layer_norm(x, (embed_dim,), norm_weight_2, norm_bias_2, eps)

    if norm_first:
        src = src + attend(first(src))
        return src + feed(second(src))
    src = first(src + attend(src))
    return second(src + feed(src))


def multi_head_attention(
    query: Tensor, key: Tensor, value: Tensor, embed_dim: int, num_head: int, qkv_weight: Tensor,
    qkv_bias: Tensor, proj_weight: Tensor, proj_bias: Tensor, mask: Tensor | None = None,
    need_weights: bool = True, average_attn_weights: bool = True, mask_type: int | None = None,
) -> tuple[Tensor, None]:  # fmt: skip
    """torch._native_multi_head_attention without its weights: query, key and value are one."""
    if need_weights or query is not key or query is not value:
        raise SuanziError("gives the weights of an attention, or is of several inputs")
    N, L, _ = query.shape
    parts = linear(query, qkv_weight, qkv_bias).reshape(N, L, 3, num_head, -1)
    q, k, v = (parts[:, :, i].transpose(1, 2) for i in range(3))
    made = scaled_dot_product_attention(q, k, v, _seen(mask, mask_type))
    return linear(made.transpose(1, 2).reshape(N, L, embed_dim), proj_weight, proj_bias), None


def _seen(mask: Tensor | None, kind: int | None) -> Any:
    """The mask as attention takes it: true where a key is seen."""
    if mask is None:
        return None
    if kind == PADDING:
        mask = mask[:, None, None, :]
    return ~mask if not mask.is_floating_point() else mask
