"""How operators run: one module an algorithm, and the table of which serves which operator."""

from dataclasses import replace

from suanzi.graph.fused import Folded, Reorder, TransposedMatMul
from suanzi.graph.quantized import QuantizedConv, QuantizedMatMul
from suanzi.kernels import (
    conv_depthwise,
    conv_direct,
    conv_flat,
    conv_rows,
    conv_samples,
    conv_transpose,
    conv_weight_gradient,
    conv_winograd,
    dynamic_quantize,
    elementwise,
    indexing,
    lrn,
    matmul,
    matmul_rows,
    move,
    normalize,
    pool,
    pool_gradient,
    quantized_conv,
    quantized_matmul,
    quantized_recurrent,
    recurrent,
    reduce,
    reorder,
    resize,
    shuffle,
    softmax,
)
from suanzi.kernels._flat_plan import plan_of
from suanzi.kernels._folding import FORMS
from suanzi.kernels._kernel import Choice, Chooser, Precision, Site
from suanzi.kernels._tiles import shape_of
from suanzi.operators._elementwise import Elementwise
from suanzi.operators._operator import Operator
from suanzi.operators.channel_shuffle import ChannelShuffle
from suanzi.operators.contributed import DynamicQuantizeLSTM
from suanzi.operators.convolution import Conv, ConvTranspose, ConvWeightGradient
from suanzi.operators.indexing import (
    Gather,
    GatherElements,
    GatherND,
    ScatterElements,
    ScatterND,
)
from suanzi.operators.integer_convolution import ConvInteger
from suanzi.operators.linear import Gemm, MatMul
from suanzi.operators.normalization import (
    LRN,
    GroupNormalization,
    InstanceNormalization,
    LayerNormalization,
    RMSNormalization,
)
from suanzi.operators.pooling import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool
from suanzi.operators.pooling_gradient import AveragePoolGradient, MaxPoolGradient
from suanzi.operators.quantization import DynamicQuantizeLinear, MatMulInteger
from suanzi.operators.recurrent import GRU, LSTM, RNN
from suanzi.operators.resize import Resize
from suanzi.operators.softmax import LogSoftmax, Softmax

CHOOSERS: dict[type[Operator], tuple[Chooser, ...]] = {
    AveragePool: (pool.choose,),
    AveragePoolGradient: (pool_gradient.choose,),
    ConvInteger: (quantized_conv.choose,),
    Conv: (
        conv_depthwise.choose,
        conv_winograd.choose,
        conv_samples.choose,
        conv_direct.choose,
        conv_flat.choose,
        conv_rows.choose,
    ),
    ConvTranspose: (conv_transpose.choose,),
    ConvWeightGradient: (conv_weight_gradient.choose,),
    DynamicQuantizeLinear: (dynamic_quantize.choose,),
    DynamicQuantizeLSTM: (quantized_recurrent.choose,),
    Elementwise: (elementwise.choose,),
    Folded: (reduce.choose,),
    Gemm: (matmul.choose,),
    GRU: (recurrent.choose,),
    GlobalAveragePool: (pool.choose_global,),
    GlobalMaxPool: (pool.choose_global,),
    GroupNormalization: (normalize.choose,),
    InstanceNormalization: (normalize.choose,),
    LRN: (lrn.choose,),
    LSTM: (recurrent.choose,),
    LayerNormalization: (normalize.choose,),
    LogSoftmax: (softmax.choose,),
    MatMul: (matmul_rows.choose, matmul.choose),
    MatMulInteger: (quantized_matmul.choose,),
    MaxPool: (pool.choose,),
    MaxPoolGradient: (pool_gradient.choose,),
    QuantizedConv: (quantized_conv.choose,),
    QuantizedMatMul: (quantized_matmul.choose,),
    RMSNormalization: (normalize.choose,),
    RNN: (recurrent.choose,),
    Reorder: (reorder.choose,),
    Softmax: (softmax.choose,),
    Resize: (resize.choose,),
    TransposedMatMul: (matmul_rows.choose, matmul.choose),
    **dict.fromkeys(move.MOVES, (move.choose,)),
    **dict.fromkeys(FORMS, (reduce.choose,)),
    ChannelShuffle: (shuffle.choose, move.choose),
    Gather: (move.choose, indexing.choose),
    GatherElements: (indexing.choose,),
    GatherND: (indexing.choose,),
    ScatterElements: (indexing.choose_scatter,),
    ScatterND: (indexing.choose_scatter,),
}
"""For each operator its algorithms, the best first; each declines where it doesn't apply."""


def choosers(operator: Operator) -> tuple[Chooser, ...]:
    """The algorithms that may do an operator's work."""
    kind = Elementwise if isinstance(operator, Elementwise) else type(operator)
    return CHOOSERS.get(kind, ())


def choose(site: Site) -> Choice:
    """The calls that do a site's work; None where only the definition can."""
    for chooser in choosers(site.operator):
        choice = chooser(site)
        if choice is not None:
            return choice
    return None


def accepts_blocks(site: Site, moved: int, kept: int = 0) -> bool:
    """Whether a site in blocks of channels has a kernel, and wouldn't be better off plain, where
    so many elements would have to be `moved` to and from blocks around it; with the site in blocks
    so many that are `kept` plain."""
    calls = choose(site)
    if calls is None or not isinstance(site.operator, Conv | ConvTranspose):
        return calls is not None
    if any(isinstance(call.kernel, conv_winograd.WinogradProduct) for call in calls):
        return True
    if isinstance(site.operator, ConvTranspose):
        plan = conv_transpose.flat_plan(site)
        return plan is None or not conv_flat.prefers_plain(plan, site.target, moved, kept)
    s, target = shape_of(site), site.target
    if s is None:
        return True
    plan = plan_of(s)
    return not (
        conv_rows.prefers_plain(s, target, moved)
        or conv_flat.prefers_plain(plan, target, moved, kept)
    )


def wants_blocks(site: Site) -> bool:
    """Whether a site's first input is better in blocks: pools' kernels are, and convolutions'
    mostly."""
    if isinstance(site.operator, AveragePool | MaxPool):
        return True
    X, V = site.inputs[0], site.target.lanes
    if not isinstance(site.operator, Conv) or X is None or X.shape[1] < V:
        return False
    inputs = (replace(X, lanes=V), *site.inputs[1:])
    outputs = (replace(site.output, lanes=V),)
    alone = replace(site, inputs=inputs, outputs=outputs, chain=None, extras=())
    return accepts_blocks(alone, 0)


__all__ = ["CHOOSERS", "Precision", "accepts_blocks", "choose", "choosers", "wants_blocks"]
