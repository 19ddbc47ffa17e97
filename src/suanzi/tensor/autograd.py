"""Gradients: what was done is recorded, and walked backwards by the operators' own rules.

Each operation whose result can need gradients makes a `Node`: the operator, the values that its
rule reads, and where its inputs came from. `backward` walks the nodes from the last made to the
first; a node's memory is freed as soon as it is passed, unless the graph is retained. The rules are
made of operators, applied to tensors, so that with `create_graph` they are recorded themselves.
"""

import functools
import heapq
import inspect
import itertools
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators import Mul
from suanzi.operators._operator import Operator, TensorType
from suanzi.tensor import core
from suanzi.tensor.modes import modes

if TYPE_CHECKING:
    from suanzi.tensor.core import Tensor

Hook = Callable[..., Any]
numbers = itertools.count()


@dataclass(frozen=True)
class Rule:
    """What an operator's `grad` reads: its outputs, and which of its inputs."""

    outputs: bool
    inputs: tuple[bool, ...]
    rest: bool
    """Of a variadic operator's further inputs."""


@functools.cache
def rule_of(cls: type[Operator]) -> Rule:
    """The rule by its parameters' names: an underscore says that the contents aren't read."""
    assert cls.grad is not None
    parameters = [*inspect.signature(cls.grad).parameters.values()][1:]
    _, output, *inputs = [not p.name.startswith("_") for p in parameters]
    rest = bool(inputs) and parameters[-1].kind is parameters[-1].VAR_POSITIONAL
    return Rule(output, tuple(inputs[:-1] if rest else inputs), rest and inputs[-1])


_typed = functools.lru_cache(4096)(TensorType)


def _kind(value: Any) -> TensorType:
    """The type of a value; those that were met are kept, as to make one takes long."""
    return _typed(value.dtype, value.shape)


class Saved:
    """A value kept for a rule, at the version of its contents that the rule must see."""

    __slots__ = ("tensor", "version")

    def __init__(self, tensor: "Tensor") -> None:
        if modes.trace is not None:
            tensor = tensor._frozen()
        base = tensor._base  # `root`, without a call
        self.tensor, self.version = tensor, (tensor if base is None else base)._version

    def unpack(self, node: "Node") -> "Tensor":
        now = root(self.tensor)._version
        if now == self.version:
            return self.tensor
        return core.Stale(_kind(self.tensor._value), node.operator.title, self.version, now)


class SavedOutput:
    """An output kept for the rule; the tensor itself holds the node, so it isn't held back."""

    __slots__ = ("slot", "tensor", "value", "version")

    def __init__(self, tensor: "Tensor", slot: int) -> None:
        self.tensor, self.slot = weakref.ref(tensor), slot
        self.value, self.version = tensor._value, root(tensor)._version

    def unpack(self, node: "Node") -> "Tensor":
        alive = self.tensor()
        if alive is not None and type(self.value) is np.ndarray:
            now = root(alive)._version
            if now != self.version:
                kind = _kind(self.value)
                return core.Stale(kind, node.operator.title, self.version, now)
        made = core.wrap(self.value)
        made._node, made._slot = node, self.slot
        return made


class Node:
    """One recorded operation; what PyTorch calls grad_fn."""

    __slots__ = (
        "__weakref__", "edges", "hooks", "input_types", "inputs", "kept", "number", "operator",
        "output_types", "outputs",
    )  # fmt: skip

    def __init__(
        self, operator: Operator, inputs: Sequence[Any], outputs: Sequence["Tensor | None"]
    ) -> None:  # None: outputs that weren't made
        self.operator = operator
        self.number = next(numbers)
        self.hooks: dict[int, dict[int, Hook]] | None = None
        """On the gradients of outputs, by output."""
        self.kept: dict[int, weakref.ref[core.Tensor]] | None = None
        """Outputs that keep their gradients (`retain_grad`)."""
        rule = rule_of(type(operator))  # type: ignore[arg-type]
        edges: list[Any] = []
        saved: list[Any] = []
        read, count = rule.inputs, len(rule.inputs)
        for number, x in enumerate(inputs):  # each operation comes here: no call that can be saved
            if isinstance(x, core.Tensor):
                edges.append(edge_of(x))
                reads = read[number] if number < count else rule.rest
                saved.append(Saved(x) if reads else _kind(x._value))
            else:
                edges.append(None)
                saved.append(x)
        self.edges = edges
        """For each input: None, the leaf that it is, or the node and the number of its output."""
        self.inputs: list[Any] | None = saved
        self.output_types = [None if y is None else _kind(y._value) for y in outputs]
        self.outputs: list[Any] = self.output_types
        if rule.outputs:
            wanted = operator.grad_outputs
            self.outputs = [
                SavedOutput(y, slot)
                if y is not None and (wanted is None or slot in wanted)
                else known
                for slot, (y, known) in enumerate(zip(outputs, self.output_types, strict=True))
            ]
        for slot, y in enumerate(outputs):
            if y is not None and y._value.dtype.kind not in "iub":
                y._node, y._slot = self, slot

    def name(self) -> str:
        """What it did.

        >>> import suanzi
        >>> suanzi.ones(2, requires_grad=True).exp().grad_fn.name()
        'ExpBackward0'
        """
        return f"{self.operator.title}Backward0"

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        return tuple(e if isinstance(e, tuple) else (e, 0) for e in self.edges)

    def __repr__(self) -> str:
        return f"<{self.name()}>"

    def apply(self, gradients: list[Any], wanted: Sequence[bool]) -> list[Any]:
        """The gradients of the inputs that are wanted, from the outputs'."""
        if self.inputs is None:
            raise SuanziError(
                "a second backward through a graph whose memory was freed by the first",
                node=self.name(),
                hint="Pass retain_graph=True to the first.",
            )
        inputs = [x.unpack(self) if isinstance(x, Saved) else x for x in self.inputs]
        outputs = [y.unpack(self) if isinstance(y, SavedOutput) else y for y in self.outputs]
        assert self.operator.grad is not None
        if len(self.output_types) == 1:
            made = self.operator.grad(gradients[0], outputs[0], *inputs)
        else:
            made = self.operator.grad(tuple(gradients), tuple(outputs), *inputs)
        made = [*made, *[None] * (len(inputs) - len(made))][: len(inputs)][: len(inputs)]
        return [
            (part() if callable(part) else part) if want else None
            for part, want in zip(made, wanted, strict=True)
        ]

    @property
    def keeps_values(self) -> bool:
        """Whether its rule reads values, which may have been freed."""
        return self.inputs is None or any(
            isinstance(x, Saved | SavedOutput) for x in (*self.inputs, *self.outputs)
        )

    def keep(self, tensor: "Tensor", slot: int) -> None:
        """The tensor, this node's output, gets its gradient as a leaf does."""
        self.kept = self.kept or {}
        self.kept[slot] = weakref.ref(tensor)

    def free(self) -> None:
        self.inputs, self.outputs = None, []


class Handle:
    """Takes a hook away again; what PyTorch calls RemovableHandle."""

    _ids = itertools.count()

    def __init__(self, hooks: dict[int, Hook], hook: Hook) -> None:
        self.id, self._held = next(self._ids), hooks
        hooks[self.id] = hook

    def remove(self) -> None:
        self._held.pop(self.id, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def root(x: "Tensor") -> "Tensor":
    """The tensor whose memory it is: a view's base, else itself."""
    return x if x._base is None else x._base


def edge_of(x: "Tensor") -> Any:
    """Where a tensor's gradient goes."""
    if x._base is not None:
        x._refresh()
    if x._node is not None:
        return (x._node, x._slot)
    return (x if x._origin is None else x._origin) if x._requires_grad else None


def let_go(node: Node, changed: "Tensor") -> None:
    """A tensor is about to be changed in place to what the node made, and will hold the node. So
    the nodes get what they kept of the tensor as a copy, where its contents can be read again.
    """
    stack = [node]
    for _ in range(8):  # few operators make up one function
        if not stack:
            break
        node = stack.pop()
        for i, x in enumerate(node.inputs or ()):
            if isinstance(x, Saved) and x.tensor is changed:
                assert node.inputs is not None
                version, kind = root(changed)._version, _kind(changed._value)
                others = any(edge is not None for j, edge in enumerate(node.edges) if j != i)
                if version == x.version and (others or type(node.operator) is not Mul):
                    kept = core.wrap(changed._value.copy())
                    kept._node, kept._slot = changed._node, changed._slot
                    node.inputs[i] = Saved(kept)
                else:
                    node.inputs[i] = core.Stale(kind, node.operator.title, x.version, version + 1)
        stack.extend(e[0] for e in node.edges if isinstance(e, tuple))


class _Pass:
    """One walk backwards."""

    def __init__(self, create_graph: bool, retain_graph: bool, targets: Sequence[Any]) -> None:
        self.create_graph, self.retain_graph = create_graph, retain_graph
        self.targets = targets
        """Edges whose gradients are asked for, where not all leaves' are."""
        self.found: dict[Any, Any] = {}
        self.pending: dict[Node, list[Any]] = {}
        self.heap: list[tuple[int, Node]] = []
        self.given: set[int] = set()
        """Arrays that some leaf has as its own gradient now."""
        self.reaches: dict[Node, bool] = {}
        self.wanted = {self._key(t) for t in targets}

    @staticmethod
    def _key(edge: Any) -> Any:
        return (edge[0], edge[1]) if isinstance(edge, tuple) else id(edge)

    def run(self, roots: Sequence[Any], gradients: Sequence["Tensor"]) -> None:
        for edge, gradient in zip(roots, gradients, strict=True):
            self.given.add(id(gradient._value))
            self.send(edge, gradient)
        while self.heap:
            node = heapq.heappop(self.heap)[1]
            self.visit(node, self.pending.pop(node))

    def send(self, edge: Any, gradient: "Tensor") -> None:
        """Adds to the gradient of a node's output, or of a leaf."""
        if not isinstance(edge, tuple):
            self._reach_leaf(edge, gradient)
            return
        node, slot = edge
        slots = self.pending.get(node)
        if slots is None:
            slots = self.pending[node] = [None] * len(node.output_types)
            heapq.heappush(self.heap, (-node.number, node))
        slots[slot] = gradient if slots[slot] is None else slots[slot] + gradient

    def visit(self, node: Node, gradients: list[Any]) -> None:
        if node.hooks or node.kept or self.wanted:
            self._tell(node, gradients)
        before = modes.trace is not None and node.number < modes.trace.began
        if before and modes.trace.crossing and any((node, s) in self.wanted for s in
                                                   range(len(gradients))):  # fmt: skip
            return  # the rest is for the backward that will run what is traced now
        if before and not modes.trace.crossing and node.keeps_values:
            raise SuanziError(
                "a gradient would pass from inside of a compiled function to what was before it",
                node=node.name(),
                hint="Call backward outside of it, or compile the whole.",
            )
        if self.targets:
            wanted = [edge is not None and self.leads(edge) for edge in node.edges]
        else:
            wanted = [edge is not None for edge in node.edges]
        if True in wanted:
            made = node.apply(gradients, wanted)
            for edge, part in zip(node.edges, made, strict=True):
                if part is not None:
                    self.send(edge, part)
        if not self.retain_graph and not before:
            node.free()

    def _tell(self, node: Node, gradients: list[Any]) -> None:
        """Gives hooks, and those who keep or ask for them, the gradients of a node's outputs."""
        for slot, gradient in enumerate(gradients):
            if gradient is None:
                continue
            for hook in [*(node.hooks or {}).get(slot, {}).values()] if not _later(node) else ():
                changed = hook(gradient)
                gradient = gradients[slot] = gradient if changed is None else changed
            kept = (node.kept or {}).get(slot, lambda: None)()
            if kept is not None:
                kept.grad = gradient if kept.grad is None else kept.grad + gradient
            if (node, slot) in self.wanted:
                self.found[(node, slot)] = gradient

    def leads(self, edge: Any) -> bool:
        """Whether a gradient sent there is asked for, or what it leads to."""
        if not self.targets:
            return True
        if self._key(edge) in self.wanted:
            return True
        if not isinstance(edge, tuple):
            return False
        stack = [edge[0]]
        while stack:
            node = stack[-1]
            if node in self.reaches:
                stack.pop()
                continue
            ends = [e for e in node.edges if e is not None]
            open_ = [e[0] for e in ends if isinstance(e, tuple) and e[0] not in self.reaches]
            if open_ and not any(self._key(e) in self.wanted for e in ends):
                stack.extend(open_)
                continue
            self.reaches[node] = any(
                self._key(e) in self.wanted or (isinstance(e, tuple) and self.reaches.get(e[0]))
                for e in ends
            )
            stack.pop()
        return self.reaches[edge[0]]

    def _reach_leaf(self, leaf: "Tensor", gradient: "Tensor") -> None:
        for hook in [*(leaf._hooks or {}).values()] if not _later(None) else ():
            changed = hook(gradient)
            gradient = gradient if changed is None else changed
            self.given.add(id(gradient._value))
        if self.targets:
            key = id(leaf)
            if key in self.wanted:
                known = self.found.get(key)
                self.found[key] = gradient if known is None else known + gradient
            return
        if modes.trace is not None:
            modes.trace.reach(leaf)
        if leaf.grad is None:
            leaf.grad = gradient if self.create_graph else self._owned(gradient)
        elif self.create_graph:
            leaf.grad = leaf.grad + gradient
        else:
            leaf.grad += gradient
        for hook in [*(leaf._after_hooks or {}).values()]:
            hook(leaf)

    def _owned(self, gradient: "Tensor") -> "Tensor":
        """The gradient in memory that nothing else sees, so that it can be changed in place."""
        value = gradient._value
        if type(value) is np.ndarray:
            if id(value) in self.given or value.base is not None or not value.flags.writeable:
                value = value.copy()
            self.given.add(id(value))
        return core.wrap(value)


def _later(node: Node | None) -> bool:
    """Whether the hooks of a leaf, or of a node, are left to the backward that will run what is
    traced now."""
    trace = modes.trace
    return trace is not None and trace.crossing and (node is None or node.number < trace.began)


def _roots(
    tensors: Sequence["Tensor"], gradients: Sequence[Any] | None
) -> tuple[list[Any], list["Tensor"]]:
    if gradients is None:
        gradients = [None] * len(tensors)
    if len(gradients) != len(tensors):
        raise SuanziError(
            "wrong number of gradients", input="grad_tensors", expected=len(tensors),
            found=len(gradients),
        )  # fmt: skip
    edges, starts = [], []
    for tensor, gradient in zip(tensors, gradients, strict=True):
        edge = edge_of(tensor)
        if edge is None:
            raise SuanziError(
                "nothing here requires a gradient",
                input="tensors",
                expected="a tensor that depends on one with requires_grad=True",
                found=f"requires_grad={tensor.requires_grad}",
            )
        if gradient is None:
            if tensor.numel() != 1:
                raise SuanziError(
                    "a gradient can be left out for a single number alone",
                    input="grad_tensors",
                    expected=f"a tensor of shape {tuple(tensor.shape)}",
                    found="None",
                )
            gradient = core.leaf(np.ones(tensor._value.shape, tensor._value.dtype))
        elif not isinstance(gradient, core.Tensor):
            gradient = core.leaf(np.asarray(gradient, tensor._value.dtype))
        if gradient._value.shape != tensor._value.shape:
            raise SuanziError(
                "wrong shape", input="grad_tensors", expected=tuple(tensor.shape),
                found=tuple(gradient.shape),
            )  # fmt: skip
        edges.append(edge)
        starts.append(gradient)
    return edges, starts


def _listed(tensors: Any) -> list[Any]:
    return [*tensors] if isinstance(tensors, list | tuple) else [tensors]


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Adds to `.grad` of each leaf what the tensors, times `grad_tensors`, gain with it.

    As torch.autograd.backward; `inputs` restricts it to those leaves.
    """
    given = None if grad_tensors is None else _listed(grad_tensors)
    if inputs is not None:
        chosen = _listed(inputs)
        keep = create_graph if retain_graph is None else retain_graph
        parts = grad(tensors, chosen, given, keep, create_graph, allow_unused=True)
        for leaf, gradient in zip(chosen, parts, strict=True):
            if gradient is not None:
                leaf.grad = gradient if leaf.grad is None else leaf.grad + gradient
        return
    roots, starts = _roots(_listed(tensors), given)
    keep = create_graph if retain_graph is None else retain_graph
    before, modes.grad = modes.grad, create_graph
    try:
        _Pass(create_graph, keep, ()).run(roots, starts)
    finally:
        modes.grad = before


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The gradients of the inputs: what the outputs, times `grad_outputs`, gain with each.

    As torch.autograd.grad.

    >>> import suanzi
    >>> x = suanzi.tensor(3.0, requires_grad=True)
    >>> (slope,) = grad(x**3, x, create_graph=True)
    >>> slope.item(), grad(slope, x)[0].item()
    (27.0, 18.0)
    """
    if is_grads_batched:
        raise SuanziError("batched gradients aren't supported", input="is_grads_batched")
    chosen = _listed(inputs)
    targets = [edge_of(x) for x in chosen]
    for x, target in zip(chosen, targets, strict=True):
        if target is None:
            raise SuanziError(
                "one of the inputs doesn't require a gradient", input="inputs",
                expected="requires_grad=True", found=f"a tensor of shape {tuple(x.shape)}",
            )  # fmt: skip
    given = None if grad_outputs is None else _listed(grad_outputs)
    roots, starts = _roots(_listed(outputs), given)
    keep = create_graph if retain_graph is None else retain_graph
    walk = _Pass(create_graph, keep, targets)
    before, modes.grad = modes.grad, create_graph
    try:
        walk.run(roots, starts)
    finally:
        modes.grad = before
    found = [walk.found.get(walk._key(target)) for target in targets]
    if any(g is None for g in found) and not (allow_unused or materialize_grads):
        raise SuanziError(
            "one of the inputs wasn't used to compute the outputs",
            input="inputs",
            hint="Pass allow_unused=True if that is meant; its gradient is None.",
        )
    if materialize_grads:
        found = [
            core.leaf(np.zeros(x._value.shape, x._value.dtype)) if g is None else g
            for x, g in zip(chosen, found, strict=True)
        ]
    return tuple(found)
