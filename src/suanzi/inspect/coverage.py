"""Which kernels serve an operator: its examples, put through the passes as a model's nodes are."""

from collections.abc import Iterable, Iterator

import numpy as np

from suanzi.compiler import Compiler, prepare, site_of
from suanzi.errors import SuanziError
from suanzi.graph import Graph, Node
from suanzi.graph.fused import Reorder
from suanzi.graph.infer import infer
from suanzi.kernels import CHOOSERS, choose, choosers
from suanzi.kernels._kernel import Chooser
from suanzi.lang import Target
from suanzi.operators._operator import Example, Operator, TensorType
from suanzi.operators.cast import Identity


def algorithms(cls: type[Operator], target: Target) -> tuple[str, ...]:
    """The modules of `suanzi.kernels` that may run the operator on a target; which of them a node
    gets depends on its sizes. What has none of its own may become others' that have, in the passes.

    >>> from suanzi.lang.target import AVX2
    >>> from suanzi.operators import BatchNormalization, Gemm
    >>> algorithms(Gemm, AVX2), algorithms(BatchNormalization, AVX2)
    (('matmul',), ('elementwise', 'reduce'))
    """
    if cls in CHOOSERS:
        return _modules(CHOOSERS[cls])
    graphs = filter(None, map(_graph, cls.examples()))
    return tuple(dict.fromkeys(name for graph in graphs for name in _of_graph(graph, target)))


def _modules(choosers: Iterable[Chooser]) -> tuple[str, ...]:
    return tuple(chooser.__module__.rpartition(".")[2] for chooser in choosers)


def _of_graph(graph: Graph, target: Target) -> Iterator[str]:
    """Of the nodes that the passes leave of a graph."""
    compiler = Compiler(target, threads=1)
    try:
        prepared = prepare(graph, compiler)
    except SuanziError:  # its sizes depend on the contents of an input that isn't a constant
        return
    for node in prepared.nodes:
        site = site_of(prepared, node, compiler)
        # An Identity is what is left where nothing is to be done; a Reorder is for the others.
        if not isinstance(site.operator, Identity | Reorder) and choose(site) is not None:
            yield from _modules(choosers(site.operator))


def _graph(example: Example) -> Graph | None:
    """The example as a model's only node, all but its first input constant, and its first output
    wanted; None where it has other values than tensors, of which there are no kernels."""
    if any(isinstance(x, list | dict) for x in example.inputs):
        return None
    arrays = {f"x{i}": np.asarray(x) for i, x in enumerate(example.inputs) if x is not None}
    if any(array.dtype == object for array in arrays.values()):
        return None
    names = tuple("" if x is None else f"x{i}" for i, x in enumerate(example.inputs))
    given = tuple(arrays)[:1]
    types = {name: TensorType(arrays[name].dtype, arrays[name].shape) for name in given}
    constants = {name: array for name, array in arrays.items() if name not in given}
    node = Node(example.operator, names, ("y",))
    return infer(Graph(given, ("y",), (node,), constants, types))
