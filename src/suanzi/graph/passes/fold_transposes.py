"""Lets matrix products read and write transposed tensors, so that no transposed copy is made."""

import numpy as np

from suanzi.graph.fused import TransposedMatMul
from suanzi.graph.graph import Graph, Node
from suanzi.graph.rewrite import Draft
from suanzi.operators._operator import Ints
from suanzi.operators.linear import MatMul
from suanzi.operators.shape import Transpose


def fold_transposes(graph: Graph) -> Graph:
    """A Transpose that only MatMuls read goes into them, as does one that alone reads a MatMul.

    What is written last must be a row or a column of the product: of a column the product's own
    transpose is computed, (A·B)ᵀ = Bᵀ·Aᵀ.
    """
    readers, outputs = graph.consumers(), set(graph.outputs)
    draft = Draft(graph)
    for node in graph.nodes:
        made: Node | None = None
        if isinstance(node.operator, MatMul):
            made = _reading(draft, node, readers, outputs)
        elif isinstance(node.operator, Transpose):
            source = node.inputs[0]
            if source not in outputs and len(readers[source]) == 1:
                made = _written(draft, node)
        draft.add(made or node)
    return draft.finish()


def _reading(
    draft: Draft, node: Node, readers: dict[str, list[Node]], outputs: set[str]
) -> Node | None:
    """The product with the Transposes before it."""
    perms: list[Ints] = []
    sources: list[str] = []
    for name in node.inputs:
        type, before = draft.types[name], draft.producer(name)
        if not type.static or len(type.sizes) < 2 or type.dtype != np.float32:
            return None
        perm, source = tuple(range(len(type.sizes))), name
        if (
            before is not None
            and isinstance(before.operator, Transpose)
            and name not in outputs
            and all(isinstance(reader.operator, MatMul) for reader in readers[name])
        ):
            perm = before.operator.perm or perm[::-1]
            source = before.inputs[0]
        perms.append(perm)
        sources.append(source)
    if tuple(sources) == node.inputs:
        return None
    rank = len(draft.types[node.outputs[0]].sizes)
    operator = TransposedMatMul(perms[0], perms[1], tuple(range(rank)))
    return Node(operator, tuple(sources), node.outputs, node.name)


def _written(draft: Draft, node: Node) -> Node | None:
    """The product before a Transpose, written as that would write it."""
    before = draft.producer(node.inputs[0])
    if before is None or not isinstance(before.operator, MatMul | TransposedMatMul):
        return None
    types = [draft.types[name] for name in (*before.inputs, node.inputs[0])]
    if any(not t.static or len(t.sizes) < 2 or t.dtype != np.float32 for t in types):
        return None
    product, (A, B) = before.operator, before.inputs
    a, b, y = (tuple(range(len(t.sizes))) for t in types)
    if isinstance(product, TransposedMatMul):
        a, b, y = product.a, product.b, product.y
    assert isinstance(node.operator, Transpose)
    y = tuple(y[axis] for axis in node.operator.perm or range(len(y))[::-1])
    rows, columns = len(y) - 2, len(y) - 1
    if y[-1] == rows:
        A, B, a, b = B, A, _turned(b), _turned(a)
        other = {rows: columns, columns: rows}
        y = tuple(other.get(axis, axis) for axis in y)
    if y[-1] != columns:
        return None
    return Node(TransposedMatMul(a, b, y), (A, B), node.outputs, node.name or before.name)


def _turned(perm: Ints) -> Ints:
    return (*perm[:-2], perm[-1], perm[-2])
