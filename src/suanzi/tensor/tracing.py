"""A function's operations as a graph: it runs once on symbols, and each operation adds a node.

What the function finds from before is captured as an input of the graph: parameters, buffers, the
optimizer's state. What it changes in place is an output, to be put back. What is new at each run
(random numbers, a learning rate) is an input that is made at each run.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from suanzi.errors import SuanziError
from suanzi.graph.trace import Symbol, Trace
from suanzi.operators import Identity
from suanzi.operators._operator import Array, Operator, TensorType
from suanzi.tensor import dtypes
from suanzi.tensor.autograd import edge_of, numbers, root
from suanzi.tensor.core import Tensor, arrays, leaf, positions, spliced, wrap
from suanzi.tensor.modes import modes


def _parts(attributes: dict[str, Any]) -> Any:
    """What a module consists of: whose tensors and modules, and which options."""
    own = [
        id(part)
        for kind in ("_parameters", "_buffers", "_modules")
        for part in attributes[kind].values()
    ]
    options = [v for k, v in attributes.items() if k[0] != "_" and type(v) in OPTIONS]
    return own, options


OPTIONS = {bool, float, str, type(None)}


def is_none(value: Any) -> bool:
    return value is None


@dataclass(frozen=True, slots=True)
class Guard:
    """Something outside of the function that the trace took as it was."""

    owner: Any
    attribute: str
    expected: Any
    view: Callable[[Any], Any] | None = None

    def holds(self) -> bool:
        found = getattr(self.owner, self.attribute)
        return bool((self.view(found) if self.view else found) == self.expected)


@dataclass(frozen=True, slots=True)
class GradientOf:
    """The tensor that is a leaf's gradient, whichever that is."""

    leaf: Tensor


class Tracing:
    """What is known while a function is traced."""

    exporting = False
    """Whether the graph is for a file, for sizes and runtimes that aren't known here."""

    def __init__(self) -> None:
        self.graph = Trace()
        self.captured: dict[int, tuple[Tensor, Symbol]] = {}
        """Tensors from before, by id: each with its input."""
        self.current: dict[int, Symbol] = {}
        """What captured tensors that were written to hold now, by id."""
        self.fresh: list[tuple[Symbol, Callable[[], Array]]] = []
        """Inputs that are made anew for each run."""
        self.guards: list[Guard] = []
        """What was as it is by chance, and must be so again for the graph to serve."""
        self.assigned: dict[int, tuple[Tensor, Tensor | None]] = {}
        """Tensors whose `.grad` was set, and what it was before."""
        self.leaves: dict[int, Tensor] = {}
        """Those to which gradients came."""
        self.crossing = False
        """Whether gradients may pass to what was recorded before."""
        self.began = next(numbers)
        """Nodes with lower numbers were made before."""
        self._owners: dict[int, GradientOf] = {}
        """Whose gradients captured tensors are, by id."""
        self._edges: dict[int, Any] = {}
        """Where the gradients of captured tensors go, by id."""
        self._histories: dict[int, tuple[Tensor, Any, int, int]] = {}
        """Tensors from before whose histories change, and what they were, by id."""

    def __enter__(self) -> Self:
        if modes.trace is not None:
            raise SuanziError("a function is being traced already", hint="Compile the outer one.")
        modes.trace = self
        return self

    def __exit__(self, *_: object) -> None:
        modes.trace = None
        for tensor, gradient in self.assigned.values():
            tensor._grad = gradient
        for tensor, *history in self._histories.values():
            tensor._node, tensor._slot, tensor._generation = history

    def assign(self, tensor: Tensor) -> None:
        """A tensor's `.grad` is about to be set."""
        self.assigned.setdefault(id(tensor), (tensor, tensor._grad))

    def reach(self, leaf: Tensor) -> None:
        """A gradient comes to a leaf; if it had one before decides what happens to it."""
        if id(leaf) not in self.assigned and id(leaf) not in self.leaves:
            self.guards.append(Guard(leaf, "_grad", leaf._grad is None, is_none))
        self.leaves[id(leaf)] = leaf

    def remember(self, x: Tensor) -> None:
        """The history of a tensor is about to change."""
        if type(x._value) is np.ndarray:
            self._histories.setdefault(id(x), (x, x._node, x._slot, x._generation))

    def has_new_history(self, x: Tensor) -> bool:
        """Whether what was written to a captured tensor has gradients."""
        before = self._histories.get(id(x))
        return before is not None and x._node is not None and x._node is not before[1]

    def gradient_of(self, leaf: Tensor) -> None:
        """A tensor's `.grad` is read."""
        made = leaf._grad
        if made is None or isinstance(made._value, Symbol) or id(leaf) in self.assigned:
            return
        if id(made) not in self._owners:
            self._owners[id(made)] = GradientOf(leaf)
            self.guards.append(Guard(leaf, "_grad", False, is_none))

    def place(self, x: Tensor) -> Any:
        """How a captured tensor is found again."""
        return self._owners.get(id(x), x)

    def sources(self) -> list[tuple[Tensor, Any]]:
        """Captured tensors with where their gradients go."""
        return [(t, self._edges[key]) for key, (t, _) in self.captured.items()]

    def visit(self, module: Any) -> None:
        """A module is called: how it works depends on its parts and options."""
        self.guards.append(Guard(module, "__dict__", _parts(vars(module)), _parts))

    def input(self, kind: TensorType, name: str) -> Tensor:
        """A traced tensor that stands for an argument."""
        return wrap(self.graph.input(kind, self.graph.fresh(name)))

    def each_run(
        self, kind: TensorType, make: Callable[[], Array], name: str,
        nodes: Callable[[], Tensor] | None = None,
    ) -> Tensor:  # fmt: skip
        """A traced tensor whose value `make` gives at each run. `nodes` makes one in the graph
        itself, for those that leave Python."""
        symbol = self.graph.input(kind, self.graph.fresh(name))
        self.fresh.append((symbol, make))
        return wrap(symbol)

    def constant(self, array: Array) -> Symbol:
        return self.graph.constant(array)

    def apply(self, operator: Operator, inputs: Sequence[Any]) -> tuple[Symbol, ...]:
        values = [self.symbol(x) if isinstance(x, Tensor) else x for x in inputs]
        made = self.graph.apply(operator, values)
        return made if isinstance(made, tuple) else (made,)

    def symbol(self, x: Tensor) -> Symbol:
        """What stands for the tensor's value now."""
        if x._base is not None:
            x._refresh()
        if isinstance(x._value, Symbol):
            return x._value
        base = root(x)
        symbol = self.current.get(id(base)) or self._capture(base)
        for operator, constants in x._chain:
            symbol = self.graph.apply(operator, [symbol, *arrays(constants)])
        return symbol

    def _capture(self, x: Tensor) -> Symbol:
        known = self.captured.get(id(x))
        if known is None:
            kind = TensorType(x._value.dtype, x._value.shape)
            symbol = self.graph.input(kind, self.graph.fresh("state"))
            self.guards.append(Guard(x, "_requires_grad", x._requires_grad))
            self.guards.append(Guard(x, "_node", x._node is None, is_none))
            self._edges[id(x)] = edge_of(x)
            known = self.captured[id(x)] = (x, symbol)
        return known[1]

    def write(self, x: Tensor, base: Tensor, new: Tensor, recorded: bool) -> None:
        """Puts a result in the place of a tensor's value."""
        traced = isinstance(base._value, Symbol)
        if x is base:
            whole = new
        else:
            places = positions(base.shape, x._chain)
            if np.unique(places).size != places.size:
                raise SuanziError(
                    "a tensor whose elements share memory can't be written to",
                    hint="Clone it first.",
                )
            before = wrap(base._value if traced else self._now(base))
            if x._follows:
                before._node, before._slot = base._node, base._slot
            whole = spliced(before, x._chain, new)
        symbol = self.symbol(whole)
        self.remember(base)
        if traced:
            base._value = symbol
        else:
            self._capture(base)
            self.current[id(base)] = symbol
        if recorded and x._follows:
            base._node, base._slot = whole._node, whole._slot
        elif recorded:
            self.remember(x)
            x._node, x._slot = new._node, new._slot
        base._generation += 1
        if x is not base and isinstance(x._value, Symbol):
            x._refresh()

    def _now(self, base: Tensor) -> Symbol:
        return self.current.get(id(base)) or self._capture(base)

    def require_unchanged(self, x: Tensor) -> None:
        """That the memory of a tensor from before holds what the function would find there."""
        base = root(x)
        if id(base) in self.current:
            raise SuanziError(
                "the value isn't known while a function is traced: it was changed before",
                hint="Leave out .item(), .numpy() and branches on values, or use suanzi.where.",
            )

    def output(self, x: Tensor) -> Symbol:
        """The symbol under which a result leaves the graph: one that no other result has."""
        return self.apply(Identity(), [x])[0]


@contextmanager
def eagerly() -> Iterator[None]:
    """Leaves the trace for a moment: what is made inside is as real as if it had been before."""
    before, modes.trace = modes.trace, None
    try:
        yield
    finally:
        modes.trace = before


def scalar(read: Callable[[], float]) -> Any:
    """A number that may be another at the next run: while a function is traced, a tensor without
    axes that is read again at each run; else the number."""
    if modes.trace is None:
        return read()
    kind = dtypes.get_default_dtype().dtype
    made: Tensor = modes.trace.each_run(
        TensorType(kind, ()), lambda: np.asarray(read(), kind), "number",
        lambda: leaf(np.asarray(read(), kind)),
    )  # fmt: skip
    return made
