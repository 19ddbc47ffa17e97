"""Graphs made by running: operators applied to symbols become nodes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.graph.graph import Graph, Node
from suanzi.graph.infer import infer_node
from suanzi.operators._operator import SMALL, Array, Ints, Operator, TensorType
from suanzi.operators._values import Arithmetic


class Symbol(Arithmetic):
    """A value of a graph that is being traced: its name and type. Operators add nodes to the trace.

    >>> trace = Trace()
    >>> x = trace.input(TensorType(np.float32, (2, 3)), "x")
    >>> y = x * 2 + np.ones(3, np.float32)
    >>> y.name, y.shape, [type(node.operator).__name__ for node in trace.graph([y]).nodes]
    ('add', (2, 3), ['Mul', 'Add'])
    """

    def __init__(self, trace: "Trace", name: str, type: TensorType) -> None:
        self.trace = trace
        self.name = name
        self.type = type

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.type.dtype

    @property
    def shape(self) -> Ints:
        """Its sizes, all of which must be known."""
        return self.type.sizes

    def __operate__(self, operator: Operator, values: Sequence[Any]) -> Any:
        return self.trace.apply(operator, values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Its contents, where they are known while the graph is made: axes, shapes."""
        if self.type.value is None:
            raise SuanziError("the contents must be known here", input=self.name, found=self.type)
        return np.array(self.type.value, dtype, copy=copy)

    def __repr__(self) -> str:
        return f"<{self.name}: {self.type}>"


class Trace:
    """Collects the nodes, the constants and the types of a graph."""

    def __init__(self) -> None:
        self.inputs: list[str] = []
        self.nodes: list[Node] = []
        self.constants: dict[str, Array] = {}
        self.types: dict[str, TensorType] = {}
        self._known: dict[Any, Symbol] = {}
        self._counts: dict[str, int] = {}

    def input(self, type: TensorType, name: str) -> Symbol:
        """A new input of the graph; no other value may have its name."""
        if name in self.types:
            raise SuanziError("two values of one name", input=name)
        self.inputs.append(name)
        return self._symbol(name, type)

    def constant(self, array: Array | np.generic, name: str = "constant") -> Symbol:
        """The array as a constant of that name, or one like it; known arrays are shared.

        A small array is known by its contents, a large one is known as the object that it is:
        its contents may not change while the graph lives.
        """
        array = np.asarray(array)
        small = array.size <= SMALL
        key = (str(array.dtype), array.shape, array.tobytes()) if small else id(array)
        if key not in self._known:
            fresh = self.fresh(name)
            self.constants[fresh] = array.copy() if small else array
            self._known[key] = self._symbol(fresh, TensorType.of(self.constants[fresh]))
        return self._known[key]

    def apply(self, operator: Operator, values: Sequence[Any]) -> Any:
        """The operator's result for symbols, arrays, numbers of Python, and None for an input
        left out: one symbol, or a tuple of them where there are several outputs.
        """
        given = [None if v is None else self.symbol(v) for v in values]
        while given and given[-1] is None:
            given.pop()
        inputs = tuple("" if v is None else v.name for v in given)
        stem = operator.title.lower()
        node = Node(operator, inputs, (stem,))  # for messages, until the outputs are known
        types = infer_node(node, self.types)
        made = tuple(self._symbol(self.fresh(stem), t) for t in types)
        self.nodes.append(Node(operator, inputs, tuple(symbol.name for symbol in made)))
        return made[0] if len(made) == 1 else made

    def symbol(self, value: Any) -> Symbol:
        """The value itself if it is a symbol of this trace; a constant otherwise."""
        if not isinstance(value, Symbol):
            return self.constant(np.asarray(value))
        if value.trace is not self:
            raise SuanziError("a symbol of another trace", input=value.name)
        return value

    def graph(self, outputs: Sequence[Symbol], name: str = "") -> Graph:
        """What was traced so far, with these outputs."""
        return Graph(
            inputs=tuple(self.inputs),
            outputs=tuple(symbol.name for symbol in outputs),
            nodes=tuple(self.nodes),
            constants=dict(self.constants),
            types=dict(self.types),
            name=name,
        )

    def fresh(self, stem: str) -> str:
        """A name that no value has: the stem, or the stem with a number."""
        name = stem
        while name in self.types:
            self._counts[stem] = self._counts.get(stem, 0) + 1
            name = f"{stem}_{self._counts[stem]}"
        return name

    def _symbol(self, name: str, type: TensorType) -> Symbol:
        self.types[name] = type
        return Symbol(self, name, type)
