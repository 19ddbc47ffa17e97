"""onnxruntime's own operators (com.microsoft), written out in ONNX's: one small function each.
And Gradient, of ONNX's own training domain, which is written out in the same way.

Source, of all here: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from collections.abc import Callable

from suanzi.errors import SuanziError
from suanzi.onnx.build import Builder
from suanzi.onnx.contrib_attention import attention, group_rotary, multi_head_attention
from suanzi.onnx.contrib_quantized import (
    dynamic_quantize_matmul,
    matmul_integer_16,
    matmul_integer_to_float,
    matmul_n_bits,
    q_linear,
    q_linear_concat,
    q_linear_conv,
    q_linear_softmax,
    qgemm,
)
from suanzi.onnx.contrib_steps import Steps, activated, channels_first, joined_softmax
from suanzi.onnx.gradient import gradient
from suanzi.onnx.nodes import CONTRIBUTED, Call
from suanzi.operators._operator import qualified

Expansion = Callable[[Steps], tuple[str, ...] | str]
"""Writes the calls; gives the names of what stands for the outputs."""


def expand(call: Call, graph: Builder) -> list[Call]:
    """The calls with ONNX's meaning that together mean what this one does."""
    steps = Steps(call, graph)
    try:
        made = EXPANSIONS[qualified(call.domain, call.op_type)](steps)
    except (LookupError, TypeError, ValueError) as error:
        raise SuanziError(f"wrong inputs or attributes: {error}") from error
    names = (made,) if isinstance(made, str) else made
    if any(call.outputs[len(names) :]):
        found = len(call.outputs)
        raise SuanziError("an output that we don't make", expected=len(names), found=found)
    wanted = {ours: out for ours, out in zip(names, call.outputs, strict=False) if out}
    renamed = {ours: out for ours, out in wanted.items() if ours in steps.made}
    calls = [
        step.but(
            inputs=tuple(renamed.get(name, name) for name in step.inputs),
            outputs=tuple(renamed.get(name, name) for name in step.outputs),
        )
        for step in steps.calls
    ]
    given = [(ours, out) for ours, out in wanted.items() if ours not in steps.made]
    return calls + [Call("Identity", (ours,), (out,)) for ours, out in given]


def same(name: str) -> Expansion:
    """ONNX has the same operator."""
    return lambda s: s.same(name)


def fused_matmul(s: Steps) -> str:
    """alpha · op(A) @ op(B), op a transposition of the last two axes, and of the first into the
    last but one."""
    A, B = s.inputs(2)
    for name in ("A", "B"):
        batch, last = s.attribute(f"transBatch{name}", 0), s.attribute(f"trans{name}", 0)
        value = A if name == "A" else B
        axes = list(range(s.rank(value)))
        if last:
            axes[-2:] = axes[:-3:-1]
        if batch:
            axes = [*axes[1:-1], axes[0], axes[-1]]
            if last:
                axes = [*range(1, s.rank(value) - 1), s.rank(value) - 1, 0]
        if axes != sorted(axes):
            value = s("Transpose", value, perm=tuple(axes))
        A, B = (value, B) if name == "A" else (A, value)
    alpha = s.attribute("alpha", 1.0)
    made = s("MatMul", A, B)
    return made if alpha == 1 else s("Mul", made, s.like(alpha, A))


def fused_conv(s: Steps) -> str:
    """activation(Conv(X, W, B) + Z)."""
    X, W, B, Z = s.inputs(4)
    made = s("Conv", X, W, B, **s.but("activation", "activation_params"))
    return activated(s, s("Add", made, Z) if Z else made, s.attribute("activation_params", ()))


def fused_gemm(s: Steps) -> str:
    """activation(Gemm(A, B, C))."""
    ours = [f"activation_{name}" for name in ("alpha", "beta", "gamma")]
    made = s("Gemm", *s.inputs(3), **s.but("activation", *ours))
    return activated(s, made, [s.attribute(name) for name in ours if s.attribute(name) is not None])


def bias_gelu(s: Steps) -> str:
    """Gelu(A + B)."""
    return s("Gelu", s("Add", *s.inputs(2)))


def fast_gelu(s: Steps) -> str:
    """Gelu of X + bias, by tanh."""
    X, bias = s.inputs(2)
    return s("Gelu", s("Add", X, bias) if bias else X, approximate="tanh")


def quick_gelu(s: Steps) -> str:
    """X · sigmoid(alpha · X)."""
    return s("Swish", *s.inputs(1), alpha=s.attribute("alpha", 1.702))


def bias_split_gelu(s: Steps) -> str:
    """left · Gelu(right), the halves of X + bias along the last axis."""
    left, right = s.several(2, "Split", s("Add", *s.inputs(2)), axis=-1, num_outputs=2)
    return s("Mul", left, s("Gelu", right))


def bias_softmax(s: Steps) -> str:
    """The softmax of data + bias, the axes from `axis` on taken together."""
    return joined_softmax(s, s("Add", *s.inputs(2)), s.attribute("axis", 1))


def layer_normalization(s: Steps) -> tuple[str, ...]:
    """ONNX's, before it was ONNX's."""
    return s.several(3, "LayerNormalization", *s.inputs(3), **s.call.attributes)


def simplified_layer_normalization(s: Steps) -> str:
    """RMSNormalization under its first name."""
    return s("RMSNormalization", *s.inputs(2), **s.call.attributes)


def skip_layer_normalization(s: Steps) -> tuple[str, ...]:
    """LayerNormalization of input + skip + bias; the fourth output is that sum."""
    X, skip, gamma, beta, bias = s.inputs(5)
    total = s.sum(X, skip, bias)
    epsilon = s.attribute("epsilon", 1e-12)
    made = s.several(3, "LayerNormalization", total, gamma, beta, axis=-1, epsilon=epsilon)
    return *made, total


def skip_simplified_layer_normalization(s: Steps) -> tuple[str, ...]:
    """RMSNormalization of input + skip + bias; the fourth output is that sum."""
    X, skip, gamma, bias = s.inputs(4)
    total = s.sum(X, skip, bias)
    epsilon = s.attribute("epsilon", 1e-12)
    if any(s.call.outputs[1:3]):
        raise SuanziError("an output of training", expected="output and input_skip_bias_sum")
    return s("RMSNormalization", total, gamma, axis=-1, epsilon=epsilon), "", "", total


def embed_layer_normalization(s: Steps) -> tuple[str, ...]:
    """LayerNormalization of the word's, the place's and the segment's embeddings' sum; and how
    many of each row's mask are 1; and the sum."""
    ids, segments, words, places, kinds, gamma, beta, mask, place = s.inputs(9)
    if place:
        where = s("Gather", places, place)
    else:
        length = s("Shape", ids, start=1, end=2)
        where = s("Slice", places, s.constant([0]), length, s.constant([0]))
    kind = s("Gather", kinds, segments) if segments else ""
    total = s.sum(s("Gather", words, ids), where, kind)
    epsilon = s.attribute("epsilon", 1e-12)
    Y = s("LayerNormalization", total, gamma, beta, axis=-1, epsilon=epsilon)
    # Without a mask onnxruntime counts none.
    counted = mask or s("Sub", ids, ids)
    count = s("ReduceSum", s("Cast", counted, to=6), s.constant([1]), keepdims=0)
    return Y, count, total


def group_norm(s: Steps) -> str:
    """GroupNormalization, of channels that may be last, and maybe Swish after it."""
    X, gamma, beta = s.inputs(3)
    settings = {"num_groups": s.required("groups"), "epsilon": s.attribute("epsilon", 1e-5)}

    def normalize(X: str) -> str:
        made = s("GroupNormalization", X, gamma, beta, **settings)
        return s("Swish", made) if s.attribute("activation", 0) else made

    return channels_first(s, X, normalize) if s.attribute("channels_last", 1) else normalize(X)


def nhwc(operator: str) -> Expansion:
    """The operator of ONNX, X and Y with their channels last."""

    def write(s: Steps) -> str:
        X, *others = s.inputs(len(s.call.inputs))
        return channels_first(s, X, lambda X: s(operator, X, *others, **s.call.attributes))

    return write


def nhwc_fused_conv(s: Steps) -> str:
    """activation(Conv(X, W, B) + Z), with channels last."""
    X, W, B, Z = s.inputs(4)
    settings = s.but("activation", "activation_params")
    made = channels_first(s, X, lambda X: s("Conv", X, W, B, **settings))
    return activated(s, s("Add", made, Z) if Z else made, s.attribute("activation_params", ()))


def expand_dims(s: Steps) -> str:
    """Unsqueeze with one axis."""
    X, axis = s.inputs(2)
    return s("Unsqueeze", X, s("Reshape", axis, s.constant([1])))


QUANTIZED: dict[str, Expansion] = {
    "QLinearAdd": q_linear("Add", 2),
    "QLinearMul": q_linear("Mul", 2),
    "QLinearSigmoid": q_linear("Sigmoid"),
    "QLinearLeakyRelu": q_linear("LeakyRelu"),
    "QLinearSoftmax": q_linear_softmax,
    "QLinearAveragePool": q_linear("AveragePool"),
    "QLinearGlobalAveragePool": q_linear("GlobalAveragePool"),
    "QLinearConcat": q_linear_concat,
    "QLinearConv": q_linear_conv,
    "QGemm": qgemm,
    "MatMulInteger16": matmul_integer_16,
    "MatMulIntegerToFloat": matmul_integer_to_float,
    "DynamicQuantizeMatMul": dynamic_quantize_matmul,
    "MatMulNBits": matmul_n_bits,
}

PLAIN: dict[str, Expansion] = {
    "Attention": attention,
    "BiasGelu": bias_gelu,
    "BiasSoftmax": bias_softmax,
    "BiasSplitGelu": bias_split_gelu,
    "EmbedLayerNormalization": embed_layer_normalization,
    "ExpandDims": expand_dims,
    "FastGelu": fast_gelu,
    "FusedConv": fused_conv,
    "FusedGemm": fused_gemm,
    "FusedMatMul": fused_matmul,
    "GroupNorm": group_norm,
    "LayerNormalization": layer_normalization,
    "MultiHeadAttention": multi_head_attention,
    "NhwcConv": nhwc("Conv"),
    "NhwcFusedConv": nhwc_fused_conv,
    "NhwcMaxPool": nhwc("MaxPool"),
    "QuickGelu": quick_gelu,
    "RotaryEmbedding": group_rotary,
    "SimplifiedLayerNormalization": simplified_layer_normalization,
    "SkipLayerNormalization": skip_layer_normalization,
    "SkipSimplifiedLayerNormalization": skip_simplified_layer_normalization,
    "TransposeMatMul": fused_matmul,
    **{name: same(name) for name in ("DequantizeLinear", "GatherND", "Gelu", "Pad")},
    **{name: same(name) for name in ("QuantizeLinear", "Range", "Trilu")},
}

EXPANSIONS: dict[str, Expansion] = {
    f"{CONTRIBUTED}.{name}": write for name, write in (PLAIN | QUANTIZED).items()
} | {"ai.onnx.preview.training.Gradient": gradient}
"""By domain and operator, what writes it out."""
