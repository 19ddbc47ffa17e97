"""The graph while it is being read."""

from collections.abc import Iterable

from suanzi.graph import Node
from suanzi.graph.infer import infer_node
from suanzi.operators._operator import Array, TensorType


class Builder:
    """Collects nodes and constants; tells adapters the types of the values made so far."""

    def __init__(
        self, inputs: dict[str, TensorType], constants: dict[str, Array], names: Iterable[str]
    ) -> None:
        self.constants = constants
        self.nodes: list[Node] = []
        self._types = inputs | {name: TensorType.of(array) for name, array in constants.items()}
        self._names = set(names)
        self._inferred = 0

    def fresh(self, stem: str) -> str:
        """A name that no value has: the stem, or the stem with a number."""
        name, count = stem, 0
        while name in self._names:
            count += 1
            name = f"{stem}_{count}"
        self._names.add(name)
        return name

    def constant(self, stem: str, array: Array) -> str:
        """The name of a new constant."""
        name = self.fresh(stem)
        self.constants[name] = array
        self._types[name] = TensorType.of(array)
        return name

    def type(self, name: str) -> TensorType:
        """The type of a value; inferred when first asked for, since few adapters need one."""
        for node in self.nodes[self._inferred :]:
            self._types.update(zip(node.outputs, infer_node(node, self._types), strict=False))
        self._inferred = len(self.nodes)
        return self._types[name]
