"""The common ground of passes that walk a graph and replace its nodes one by one."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from suanzi.graph.graph import Graph, Node
from suanzi.graph.infer import infer_node
from suanzi.operators._operator import Array, Operator, TensorType
from suanzi.operators.cast import Identity


class Draft:
    """A graph in the making. Nodes are added in order; a value may be declared another one.

    The old graph's constants and types are there from the start; `dead_code` drops the rest.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[Node] = []
        self.constants = dict(graph.constants)
        self.types = dict(graph.types)
        self._same: dict[str, str] = {}
        self._position: dict[str, int] = {}
        self._taken = {"", *self.types}

    def resolve(self, node: Node) -> Node:
        """The node with each input by the name under which the draft knows it."""
        if self._same.keys().isdisjoint(node.inputs):
            return node
        inputs = tuple(self._same.get(name, name) for name in node.inputs)
        return Node(node.operator, inputs, node.outputs, node.name)

    def producer(self, name: str) -> Node | None:
        """The node that makes the value; None for inputs and constants."""
        position = self._position.get(name)
        return None if position is None else self.nodes[position]

    def fresh(self, stem: str) -> str:
        """A name that no value has yet: stem, stem_1, stem_2, ..."""
        name, count = stem, 0
        while name in self._taken:
            count += 1
            name = f"{stem}_{count}"
        self._taken.add(name)
        return name

    def constant(self, stem: str, array: Array) -> str:
        """A new constant's name."""
        name = self.fresh(stem)
        self.constants[name], self.types[name] = array, TensorType.of(array)
        return name

    def add(self, node: Node) -> None:
        """Puts a node at the end. Types that aren't known yet are inferred."""
        if not all(name in self.types for name in node.outputs if name):
            self.types.update(zip(node.outputs, infer_node(node, self.types), strict=False))
        for name in node.outputs:
            self._position[name] = len(self.nodes)
        self.nodes.append(node)

    def emit(self, operator: Operator, inputs: Sequence[str], stem: str) -> str:
        """Adds a node with one output, whose name it returns."""
        output = self.fresh(stem)
        self.add(Node(operator, tuple(inputs), (output,)))
        return output

    def amend(self, node: Node, operator: Operator, inputs: Sequence[str]) -> None:
        """Changes a node that was added before, outputs unchanged."""
        position = self._position[node.outputs[0]]
        self.nodes[position] = Node(operator, tuple(inputs), node.outputs, node.name)

    def same(self, name: str, target: str) -> None:
        """Declares that the value is the target, which stands for it from here on."""
        self._same[name] = self._same.get(target, target)

    def finish(self) -> Graph:
        """The new graph. A graph output that is the same as another value takes it over by name."""
        names: dict[str, str] = {}
        outputs = set(self.graph.outputs)
        for output in self.graph.outputs:
            target = self._same.get(output, output)
            if target == output:
                continue
            if target in self._position and target not in outputs and target not in names:
                names[target] = output
            else:
                self.add(Node(Identity(), (target,), (output,)))
        if names:
            self.nodes = [_renamed(node, names) for node in self.nodes]
        return self.graph.replace(
            nodes=tuple(self.nodes), constants=self.constants, types=self.types
        )


def _renamed(node: Node, names: Mapping[str, str]) -> Node:
    inputs = tuple(names.get(name, name) for name in node.inputs)
    outputs = tuple(names.get(name, name) for name in node.outputs)
    return Node(node.operator, inputs, outputs, node.name)


Rule: TypeAlias = Callable[[Draft, Node], Node | str | None]
"""What becomes of a node: another with the same outputs, a value that it equals, or no change."""


def rewrite(graph: Graph, rules: Mapping[type[Operator], Rule]) -> Graph:
    """Applies to each node the rule for its operator, until that rule has nothing more to say."""
    draft = Draft(graph)
    for original in graph.nodes:
        node = draft.resolve(original)
        while True:
            rule = rules.get(type(node.operator))
            made = rule(draft, node) if rule else None
            if isinstance(made, str):
                draft.same(node.outputs[0], made)
                break
            if made is None:
                draft.add(node)
                break
            node = made
    return draft.finish()


def renamed(graph: Graph, names: Mapping[str, str]) -> Graph:
    """The graph with other names for some values. Where two would have one name, those to which
    it is given keep it, the first without a number; what else had it gets a number."""
    order = [*names, *(name for name in graph.types if name not in names)]
    taken: set[str] = set()
    new = {"": ""}
    for name in order:
        stem = names.get(name, name)
        chosen, count = stem, 0
        while chosen in taken:
            count += 1
            chosen = f"{stem}_{count}"
        taken.add(chosen)
        new[name] = chosen
    return graph.replace(
        inputs=tuple(new[name] for name in graph.inputs),
        outputs=tuple(new[name] for name in graph.outputs),
        nodes=tuple(_renamed(node, new) for node in graph.nodes),
        constants={new[name]: array for name, array in graph.constants.items()},
        types={new[name]: t for name, t in graph.types.items()},
    )
