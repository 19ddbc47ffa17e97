"""Attention and transformers beside PyTorch, where its databases have nothing."""

import numpy as np
import pytest

import suanzi
from torch_support import compare, ours, tensors

torch = pytest.importorskip("torch")
F, TF = suanzi.nn.functional, torch.nn.functional

pytestmark = pytest.mark.filterwarnings("ignore")


def drawn(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


MASKS = {
    "none": None,
    "bools": torch.tensor([[True, False, True], [False, False, False], [True, True, True]]),
    "numbers": torch.tensor([[0.0, -1.0, 2.0], [-torch.inf] * 3, [0.5, -torch.inf, 0.0]]).double(),
    "of one row": torch.tensor([[True, False, True]]),
}


@pytest.mark.parametrize("mask", MASKS)
def test_masks(mask):
    inputs = [drawn(2, 4, 3, 5), drawn(2, 4, 3, 5), drawn(2, 4, 3, 6)]
    mine = ours(inputs)
    made = F.scaled_dot_product_attention(*mine, attn_mask=ours(MASKS[mask]))
    expected = TF.scaled_dot_product_attention(*inputs, attn_mask=MASKS[mask])
    compare(made, expected, list(zip("qkv", mine, inputs, strict=True)), 1e-9, 1e-9)


@pytest.mark.parametrize("options", [{"is_causal": True}, {"scale": 0.3}, {}])
def test_groups_of_heads(options):
    inputs = [drawn(2, 6, 4, 5), drawn(2, 2, 3, 5), drawn(2, 2, 3, 4)]
    mine = ours(inputs)
    made = F.scaled_dot_product_attention(*mine, enable_gqa=True, **options)
    expected = TF.scaled_dot_product_attention(*inputs, enable_gqa=True, **options)
    compare(made, expected, list(zip("qkv", mine, inputs, strict=True)), 1e-9, 1e-9)


def test_dropout_is_of_the_shares():
    x = suanzi.ones(1, 1, 200, 4)
    made = F.scaled_dot_product_attention(x, x, x, dropout_p=0.5).numpy()
    assert 0.8 < made.mean() < 1.2
    assert made.std() > 0


@pytest.mark.parametrize(
    "options",
    [
        {"batch_first": True},
        {"kdim": 3, "vdim": 5},
        {"kdim": 3, "vdim": 5, "batch_first": True, "bias": False},
        {"add_bias_kv": True, "add_zero_attn": True},
        {"add_bias_kv": True, "add_zero_attn": True, "batch_first": True},
    ],
)
@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("batched", [True, False])
def test_heads(options, need_weights, batched):
    theirs = torch.nn.MultiheadAttention(8, 2, **options, dtype=torch.float64)
    mine = suanzi.nn.MultiheadAttention(8, 2, **options, dtype=suanzi.float64)
    mine.load_state_dict(ours(dict(theirs.state_dict())))
    assert repr(mine) == repr(theirs)

    def shape(length, width):
        if not batched:
            return length, width
        return (3, length, width) if options.get("batch_first") else (length, 3, width)

    inputs = [drawn(*shape(4, 8)), *(drawn(*shape(6, options.get(k, 8))) for k in ("kdim", "vdim"))]
    masks = {
        "key_padding_mask": torch.tensor([False, True, False, False, True, False]).expand(3, 6),
        "attn_mask": torch.ones(4, 6, dtype=torch.bool).triu(3),
    }
    if not batched:
        masks["key_padding_mask"] = masks["key_padding_mask"][0]
    mine_inputs = ours(inputs)
    how = {"need_weights": need_weights, "average_attn_weights": batched}
    made = mine(*mine_inputs, **ours(masks), **how)
    expected = theirs(*inputs, **masks, **how)
    named = dict(mine.named_parameters())
    pairs = [(n, named[n], p) for n, p in theirs.named_parameters()]
    compare(made, expected, pairs + list(zip("qkv", mine_inputs, inputs, strict=True)), 1e-9, 1e-8)


@pytest.mark.parametrize("options", [{}, {"norm_first": True, "activation": "gelu"}])
def test_transformer(options):
    sizes = (8, 2, 1, 2, 16, 0.0)
    theirs = torch.nn.Transformer(*sizes, **options, dtype=torch.float64)
    mine = suanzi.nn.Transformer(*sizes, **options, dtype=suanzi.float64)
    mine.load_state_dict(ours(dict(theirs.state_dict())))
    assert repr(mine) == repr(theirs)
    causal = torch.nn.Transformer.generate_square_subsequent_mask(3, dtype=torch.float64)
    inputs = [drawn(4, 2, 8), drawn(3, 2, 8)]
    my_inputs = ours(inputs)
    named = dict(mine.named_parameters())
    pairs = [(n, named[n], p) for n, p in theirs.named_parameters()]
    expected = theirs(*inputs, tgt_mask=causal, tgt_is_causal=True)
    made = mine(*my_inputs, tgt_mask=ours(causal), tgt_is_causal=True)
    compare(made, expected, pairs + list(zip("st", my_inputs, inputs, strict=True)), 1e-9, 1e-8)


def test_compiled():
    layer = suanzi.nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True)
    x, causal = suanzi.randn(2, 4, 8), suanzi.nn.Transformer.generate_square_subsequent_mask(4)

    def step(x, mask):
        made = layer(x, src_mask=mask)
        return made.detach(), suanzi.autograd.grad((made * made).sum(), [*layer.parameters()])

    eager, compiled = tensors(step(x, causal)), tensors(suanzi.compile(step)(x, causal))
    for a, b in zip(compiled, eager, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-3, atol=1e-4)


def test_arguments():
    x = suanzi.zeros(2, 3, 4)
    with pytest.raises(suanzi.SuanziError, match="key"):
        F.scaled_dot_product_attention(x, suanzi.zeros(2, 3, 5), x)
    mask = suanzi.zeros(3, 3)
    with pytest.raises(suanzi.SuanziError, match="attn_mask"):
        F.scaled_dot_product_attention(x, x, x, attn_mask=mask, is_causal=True)
    with pytest.raises(suanzi.SuanziError, match="num_heads"):
        suanzi.nn.MultiheadAttention(5, 2)
    with pytest.raises(suanzi.SuanziError, match="activation"):
        suanzi.nn.TransformerEncoderLayer(4, 2, activation="tanh")
    layer = suanzi.nn.MultiheadAttention(4, 2)
    with pytest.raises(suanzi.SuanziError, match="attn_mask"):
        layer(x, x, x, attn_mask=suanzi.zeros(2, 2, 2))
    with pytest.raises(suanzi.SuanziError, match="key_padding_mask"):
        layer(x, x, x, key_padding_mask=suanzi.zeros(3, dtype=suanzi.bool))
