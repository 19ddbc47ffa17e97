"""Puts activations into blocks of channels, [N][C/lanes][H][W][lanes], where kernels gain by it."""

from collections.abc import Callable

import numpy as np

from suanzi.graph.fused import Chain, Folded, Fused, Reorder
from suanzi.graph.graph import Graph, Node
from suanzi.graph.passes.dead_code import dead_code
from suanzi.operators._operator import Operator
from suanzi.operators.channel_shuffle import ChannelShuffle
from suanzi.operators.convolution import Conv, Convolution, ConvTranspose, ConvWeightGradient
from suanzi.operators.joining import Concat
from suanzi.operators.normalization import LRN
from suanzi.operators.pooling import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool
from suanzi.operators.pooling_gradient import AveragePoolGradient, MaxPoolGradient
from suanzi.operators.reduction import Reduction
from suanzi.operators.resize import Resize

LEADERS: tuple[type[Convolution], ...] = (Conv, ConvTranspose)
"""Want blocks, whatever came before."""
FOLLOWERS: tuple[type[Operator], ...] = (
    MaxPool,
    AveragePool,
    GlobalAveragePool,
    GlobalMaxPool,
    LRN,
    Resize,
    ChannelShuffle,
    MaxPoolGradient,
    AveragePoolGradient,
)
"""Take blocks where their first input has them."""
READERS: tuple[type[Operator], ...] = (ConvWeightGradient, Reduction, Folded)
"""Read blocks, but write plain: their outputs have no channels, or not where blocks have them."""


def blocked_layout(graph: Graph, lanes: int, accepts: Callable[[Node, Graph], bool]) -> Graph:
    """The graph with `lanes` set for the values in blocks, and a Reorder wherever layouts meet.

    Inputs, outputs and constants of the graph stay plain. `accepts` is asked of each node that
    could run on blocks, in a graph that knows the layouts it would have: whether a kernel does it.
    """
    layout = _Layout(graph, lanes)
    for node in graph.nodes:
        wish = layout.wish(node)
        if wish is None or not (
            layout.add_unblocking(node, wish, accepts) or layout.add_blocked(node, wish, accepts)
        ):
            layout.add_plain(node)
    return dead_code(layout.finish())


class _Layout:
    """Walks the graph once. Each value has the form that its node makes and, once asked for, the
    other: plain or in blocks."""

    def __init__(self, graph: Graph, lanes: int) -> None:
        self.graph, self.lanes, self.outputs = graph, lanes, set(graph.outputs)
        self.nodes: list[Node] = []
        self.types = dict(graph.types)
        self.blocked: dict[str, int] = {}
        self.made_blocked: dict[str, str] = {}  # the value's name -> that of its blocks
        self.other: dict[str, str] = {}  # the value's name -> that of its other form
        self.there: set[str] = set()  # the other forms that have been made

    def wish(self, node: Node) -> tuple[bool, ...] | None:
        """Which inputs the node wants in blocks, for an output in blocks; None: all plain."""
        operator, output = node.operator, node.outputs[0]
        if len(node.outputs) > 1:
            return None
        if isinstance(operator, READERS):
            return self.wish_to_read(node)
        if not self._has_channels(output):
            return None
        if isinstance(operator, Chain):
            follows = tuple(self._follows(name, output) for name in node.inputs)
            shape = self.types[output].shape
            full = [name for name in node.inputs if self.types[name].shape == shape]
            return None if self.made_blocked.keys().isdisjoint(full) else follows
        if not self._has_channels(node.inputs[0]):
            return None
        arity = operator.arity if isinstance(operator, Fused) else len(node.inputs)
        rest = (False,) * (arity - 1)
        extras = tuple(self._follows(name, output) for name in node.inputs[arity:])
        first = node.inputs[0] in self.made_blocked
        body = operator.body if isinstance(operator, Fused) else operator
        if isinstance(body, LEADERS):
            # Fewer channels than lanes, a network's first layer mostly, are best read plain, but
            # in blocks where there are groups, or phases of a transposed convolution.
            few = self._channels(node.inputs[0]) < self.lanes and body.group == 1
            blocks = first or not few or isinstance(body, ConvTranspose)
            return (blocks, *rest, *extras)
        if isinstance(operator, Concat):
            whole = all(
                self._has_channels(name) and self._channels(name) % self.lanes == 0
                for name in node.inputs
            )
            some = not self.made_blocked.keys().isdisjoint(node.inputs)
            return (True,) * arity if operator.axis in (1, -3) and whole and some else None
        if isinstance(operator, FOLLOWERS) and first:
            same = self._channels(node.inputs[0]) == self._channels(output)
            if isinstance(operator, MaxPoolGradient):
                rest = (True,)
            return (True, *rest) if same else None  # Resize may change them
        return None

    def wish_to_read(self, node: Node) -> tuple[bool, ...] | None:
        """Which inputs the node wants in blocks, for an output that is plain."""
        operator = node.operator
        if isinstance(operator, ConvWeightGradient):
            X = node.inputs[0]
            if not self._has_channels(X):
                return None
            return (X in self.made_blocked or self._channels(X) >= self.lanes, True)
        if isinstance(operator, Folded):
            arity = operator.chain.arity
            shape = operator.chain.infer(*(self.types[name] for name in node.inputs[:arity])).shape
        else:
            arity, shape = 1, self.types[node.inputs[0]].shape
        names = node.inputs[:arity]
        full = [name for name in names if self.types[name].shape == shape]
        if self.made_blocked.keys().isdisjoint(full):
            return None
        rest = (False,) * (len(node.inputs) - arity)
        return (*(self._follows(name, full[0]) for name in names), *rest)

    def add_blocked(
        self, node: Node, wish: tuple[bool, ...], accepts: Callable[[Node, Graph], bool]
    ) -> bool:
        """Adds the node with an output in blocks, if there is a kernel for it."""
        (output,) = node.outputs
        if isinstance(node.operator, READERS):
            return False
        name = self._fresh(output) if output in self.outputs else output
        inputs = tuple(map(self._form, node.inputs, wish))
        made = Node(node.operator, inputs, (name,), node.name)
        self.types[name] = self.types[output]
        self.blocked[name] = self.lanes
        if not accepts(made, self.graph.replace(types=self.types, lanes=self.blocked)):
            del self.blocked[name]
            return False
        for source, blocks in zip(node.inputs, wish, strict=True):
            self._supply(source, blocks)
        self.nodes.append(made)
        self.made_blocked[output] = name
        if name != output:
            self.other[output] = output
            self._supply(output, False)
        return True

    def add_unblocking(
        self, node: Node, wish: tuple[bool, ...], accepts: Callable[[Node, Graph], bool]
    ) -> bool:
        """Adds a node that reads blocks and writes plain, if there is a kernel for it: a reader, or
        a transposed convolution, with few output channels better than one that writes blocks."""
        operator = node.operator
        body = operator.body if isinstance(operator, Fused) else operator
        transposed = isinstance(body, ConvTranspose) and not any(wish[1:])
        if not transposed and not isinstance(operator, READERS):
            return False
        inputs = tuple(map(self._form, node.inputs, wish))
        made = Node(node.operator, inputs, node.outputs, node.name)
        if not accepts(made, self.graph.replace(types=self.types, lanes=self.blocked)):
            return False
        for source, blocks in zip(node.inputs, wish, strict=True):
            self._supply(source, blocks)
        self.nodes.append(made)
        return True

    def add_plain(self, node: Node) -> None:
        """Adds the node as it was, on plain inputs."""
        for source in node.inputs:
            self._supply(source, False)
        inputs = tuple(self._form(name, False) for name in node.inputs)
        self.nodes.append(Node(node.operator, inputs, node.outputs, node.name))

    def finish(self) -> Graph:
        """The graph, with what was asked for in vain left over."""
        return self.graph.replace(nodes=tuple(self.nodes), types=self.types, lanes=self.blocked)

    def _form(self, name: str, blocks: bool) -> str:
        """The name of the value plain or in blocks, whether that form is there yet or not."""
        if not name or blocks == (name in self.made_blocked):
            return self.made_blocked.get(name, name)
        if name not in self.other:
            self.other[name] = form = self._fresh(name)
            self.types[form] = self.types[name]
            if blocks:
                self.blocked[form] = self.lanes
        return self.other[name]

    def _supply(self, name: str, blocks: bool) -> None:
        """Makes that form of the value, unless it is there."""
        form = self._form(name, blocks)
        if form in self.there or form == self.made_blocked.get(name, name):
            return
        self.there.add(form)
        source = self.made_blocked.get(name, name)
        self.nodes.append(Node(Reorder(self.lanes if blocks else 0), (source,), (form,)))

    def _fresh(self, name: str) -> str:
        """A new name for the other form of a value."""
        made = f"{name}:{self.lanes}" if name not in self.made_blocked else f"{name}:0"
        while made in self.types:
            made += "'"
        return made

    def _has_channels(self, name: str) -> bool:
        """Whether the value is an image of one or two axes: float32, the channels counted."""
        type = self.types[name]
        shape = type.shape or ()
        return type.dtype == np.float32 and len(shape) in (3, 4) and isinstance(shape[1], int)

    def _channels(self, name: str) -> int:
        return int((self.types[name].shape or ())[1] or 0)

    def _follows(self, name: str, output: str) -> bool:
        """Whether a chain reads this input in blocks if it writes blocks.

        Full images are, and images of one point. Numbers for each channel, whether constant or
        not, are read plain unless they were made in blocks.
        """
        if not self._has_channels(name):
            return False
        shape, full = self.types[name].shape, self.types[output].shape
        point = (*(full or ())[:2], *(1,) * (len(full or ()) - 2))
        once = name in self.graph.constants or (shape or ())[:1] == (1,)
        return shape == full or (shape == point and (name in self.made_blocked or not once))
