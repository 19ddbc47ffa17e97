"""How operators run: one module an algorithm, and the table of which serves which operator."""

from suanzi.graph.fused import Reorder
from suanzi.kernels import (
    conv_depthwise,
    conv_direct,
    conv_rows,
    conv_transpose,
    conv_winograd,
    elementwise,
    lrn,
    matmul,
    move,
    normalize,
    pool,
    reduce,
    reorder,
    resize,
    shuffle,
    softmax,
)
from suanzi.kernels._kernel import Choice, Chooser, Site
from suanzi.kernels._tiles import shape_of
from suanzi.operators._elementwise import Elementwise
from suanzi.operators._operator import Operator
from suanzi.operators.channel_shuffle import ChannelShuffle
from suanzi.operators.convolution import Conv, ConvTranspose
from suanzi.operators.linear import Gemm, MatMul
from suanzi.operators.normalization import (
    LRN,
    GroupNormalization,
    InstanceNormalization,
    LayerNormalization,
    RMSNormalization,
)
from suanzi.operators.pooling import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool
from suanzi.operators.resize import Resize
from suanzi.operators.softmax import LogSoftmax, Softmax

CHOOSERS: dict[type[Operator], tuple[Chooser, ...]] = {
    AveragePool: (pool.choose,),
    Conv: (conv_depthwise.choose, conv_winograd.choose, conv_direct.choose, conv_rows.choose),
    ConvTranspose: (conv_transpose.choose,),
    Elementwise: (elementwise.choose,),
    Gemm: (matmul.choose,),
    GlobalAveragePool: (pool.choose_global,),
    GlobalMaxPool: (pool.choose_global,),
    GroupNormalization: (normalize.choose,),
    InstanceNormalization: (normalize.choose,),
    LRN: (lrn.choose,),
    LayerNormalization: (normalize.choose,),
    LogSoftmax: (softmax.choose,),
    MatMul: (matmul.choose,),
    MaxPool: (pool.choose,),
    RMSNormalization: (normalize.choose,),
    Reorder: (reorder.choose,),
    Softmax: (softmax.choose,),
    Resize: (resize.choose,),
    **dict.fromkeys(move.MOVES, (move.choose,)),
    **dict.fromkeys(reduce.FORMS, (reduce.choose,)),
    ChannelShuffle: (shuffle.choose, move.choose),
}
"""For each operator its algorithms, the best first; each declines where it doesn't apply."""


def choose(site: Site) -> Choice:
    """The calls that do a site's work; None where only the definition can."""
    kind = Elementwise if isinstance(site.operator, Elementwise) else type(site.operator)
    for chooser in CHOOSERS.get(kind, ()):
        choice = chooser(site)
        if choice is not None:
            return choice
    return None


def accepts_blocks(site: Site, wanted: bool) -> bool:
    """Whether a site in blocks of channels has a kernel, and wouldn't be better off plain; the
    latter isn't asked where blocks are `wanted` anyway."""
    if isinstance(site.operator, Conv) and not wanted:
        shape = shape_of(site)
        if shape is not None and conv_rows.prefers_plain(shape, site.target):
            return False
    return choose(site) is not None


__all__ = ["CHOOSERS", "accepts_blocks", "choose"]
