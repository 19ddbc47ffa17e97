"""Gathers elementwise operators into chains, whose values between stay in registers."""

import heapq

import numpy as np

from suanzi.graph.fused import Chain, Link, in_registers
from suanzi.graph.graph import Graph, Node
from suanzi.graph.quantized import reads_bytes, writes_bytes
from suanzi.operators._elementwise import Elementwise

MAX_INPUTS = 9
"""Of a chain: one, and eight beside it. Each takes a pointer, and a register or two."""
MAX_LINKS = 32
"""Of a chain: machine code grows with them, and a model may have any number."""


def fuse_chains(graph: Graph) -> Graph:
    """Every elementwise operator on float32 becomes part of a Chain, and some on whole numbers and
    bool; so do Quantize and Dequantize, whose 8 bits are float32 inside it.

    A chain is the largest set of such operators with one shape, all of whose values but the last
    are read inside it alone. An operator by itself makes a chain of one.
    """
    chains = _Chains(graph)
    made: dict[int, Node] = {}
    inside: set[int] = set()
    for root in reversed(range(len(graph.nodes))):
        if root not in inside and chains.fits(root):
            members, inputs = chains.grow(root)
            inside |= members
            made[root] = chains.node(sorted(members), inputs)
    kept = [made.get(i, node) for i, node in enumerate(graph.nodes) if i in made or i not in inside]
    return graph.replace(nodes=tuple(kept))


class _Chains:
    def __init__(self, graph: Graph) -> None:
        self.graph, self.outputs = graph, set(graph.outputs)
        self.made_at = {name: i for i, node in enumerate(graph.nodes) for name in node.outputs}
        self.read_at: dict[str, list[int]] = {}
        for i, node in enumerate(graph.nodes):
            for name in node.inputs:
                self.read_at.setdefault(name, []).append(i)

    def fits(self, position: int) -> bool:
        """Whether the node may be in a chain: elementwise, of types that kernels know or what
        Quantize and Dequantize make and read, its shape known."""
        node, types = self.graph.nodes[position], self.graph.types
        operator = node.operator
        if not isinstance(operator, Elementwise) or isinstance(operator, Chain):
            return False
        output = types[node.outputs[0]]
        inputs = self.graph.input_types(node)
        quantizing = (output.dtype == np.float32 or writes_bytes(operator)) and all(
            t is None or t.dtype == np.float32 or reads_bytes(operator, i)
            for i, t in enumerate(inputs)
        )
        return (
            output.static
            and len(set(filter(None, node.inputs))) <= MAX_INPUTS
            and (quantizing or in_registers(operator, inputs))
        )

    def grow(self, root: int) -> tuple[set[int], list[str]]:
        """The nodes of the chain that ends in the root, and what it reads from outside."""
        nodes, types = self.graph.nodes, self.graph.types
        shape = types[nodes[root].outputs[0]].shape
        members, inputs = {root}, set(filter(None, nodes[root].inputs))
        # The latest first, so that all readers of a node are decided before the node is.
        heap = [-self.made_at[name] for name in inputs if name in self.made_at]
        heapq.heapify(heap)
        seen = set(heap)
        while heap:
            position = -heapq.heappop(heap)
            node = nodes[position]
            output = node.outputs[0]
            if (
                not self.fits(position)
                or types[output].shape != shape
                or output in self.outputs
                or not members.issuperset(self.read_at[output])
            ):
                continue
            grown = inputs - {output} | set(filter(None, node.inputs))
            if len(grown) > MAX_INPUTS or len(members) == MAX_LINKS:
                continue
            inputs = grown
            members.add(position)
            for name in node.inputs:
                if name in self.made_at and -self.made_at[name] not in seen:
                    seen.add(-self.made_at[name])
                    heapq.heappush(heap, -self.made_at[name])
        # In the order in which they are read, so that chains alike share their code.
        read = [name for position in sorted(members) for name in nodes[position].inputs]
        order = [name for name in dict.fromkeys(read) if name in inputs]
        full = [name for name in order if types[name].shape == shape]
        return members, full + [name for name in order if types[name].shape != shape]

    def node(self, members: list[int], inputs: list[str]) -> Node:
        source: dict[str, int | None] = {"": None}
        source |= {name: i for i, name in enumerate(inputs)}
        links: list[Link] = []
        for position in members:
            node = self.graph.nodes[position]
            assert isinstance(node.operator, Elementwise)
            links.append(Link(node.operator, tuple(source[name] for name in node.inputs)))
            source[node.outputs[0]] = len(inputs) + len(links) - 1
        root = self.graph.nodes[members[-1]]
        return Node(Chain(len(inputs), tuple(links)), tuple(inputs), root.outputs, root.name)
