"""The passes that every graph goes through before it is compiled, in order."""

from collections.abc import Callable

from suanzi.graph.graph import Graph
from suanzi.graph.passes.broadcasts import broadcasts
from suanzi.graph.passes.channel_shuffle import channel_shuffle
from suanzi.graph.passes.common import common
from suanzi.graph.passes.control_flow import control_flow
from suanzi.graph.passes.dead_code import dead_code
from suanzi.graph.passes.explicit_windows import explicit_windows
from suanzi.graph.passes.fewer_axes import fewer_axes
from suanzi.graph.passes.fold_batch_norm import fold_batch_norm
from suanzi.graph.passes.fold_constants import fold_constants
from suanzi.graph.passes.fold_scale import fold_scale
from suanzi.graph.passes.fold_transposes import fold_transposes
from suanzi.graph.passes.fuse_chains import fuse_chains
from suanzi.graph.passes.fuse_epilogues import fuse_epilogues
from suanzi.graph.passes.fuse_reductions import fuse_reductions
from suanzi.graph.passes.quantize import quantize
from suanzi.graph.passes.recompute import recompute
from suanzi.graph.passes.reshapes import reshapes
from suanzi.graph.passes.simplify import simplify
from suanzi.graph.passes.split_adaptive_pool import split_adaptive_pool
from suanzi.graph.passes.split_batch_norm import split_batch_norm
from suanzi.graph.passes.split_loss import split_loss
from suanzi.graph.verify import verify

PASSES: tuple[Callable[[Graph], Graph], ...] = (
    dead_code,
    control_flow,
    quantize,
    split_batch_norm,
    split_adaptive_pool,
    split_loss,
    fold_constants,
    simplify,
    reshapes,
    channel_shuffle,
    explicit_windows,
    fold_batch_norm,
    fold_scale,
    fewer_axes,
    broadcasts,
    common,
    fold_transposes,
    recompute,
    fuse_chains,
    fuse_epilogues,
    fuse_reductions,
)
"""`dead_code` and `verify` follow each of these; `layout` comes last, by the compiler."""


def optimize(graph: Graph, keep: frozenset[str] | None = None) -> Graph:
    """The same function in fewer and faster nodes; the graph's types must be there (`infer`).

    The values in `keep` become outputs, beside the graph's own, so that they stay. What waits for
    sizes that aren't known is left as it is, and can be optimized again once they are.
    """
    outputs = tuple(dict.fromkeys((*graph.outputs, *sorted(keep or ()))))
    graph = graph.replace(outputs=outputs)
    verify(graph)
    for apply in PASSES:
        before, graph = graph, dead_code(apply(graph))
        verify(graph, before)
    return graph
