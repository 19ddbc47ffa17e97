"""suanzi.compile: a function, a module or a whole training step as one program.

The function is run once on symbols (tracing.py); the graph that this gives goes through the same
passes and kernels as an ONNX model's. What it read from before (parameters) are inputs; what it
changed in place (parameters again, running statistics, the optimizer's state) and the gradients
that it left are outputs, written back into the same memory.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from suanzi.compiler import Compiler
from suanzi.errors import SuanziError
from suanzi.graph import Graph
from suanzi.graph.infer import infer
from suanzi.graph.trace import Symbol
from suanzi.lang import host_target
from suanzi.operators._operator import Array, Operator, TensorType
from suanzi.program import Program
from suanzi.runtime.cache import ObjectCache
from suanzi.tensor import structure
from suanzi.tensor.autograd import Node, edge_of, grad, root
from suanzi.tensor.core import Tensor, wrap
from suanzi.tensor.modes import modes
from suanzi.tensor.threads import get_num_threads
from suanzi.tensor.tracing import Guard, Tracing


def compile(
    model: Callable[..., Any] | None = None, *, threads: int | None = None, **_options: Any
) -> Any:
    """The function, or module, as one that runs as a compiled program.

    It is traced, and compiled, at the first call with tensors of new shapes and types, other
    values for its further arguments, or when a module that it calls has changed between training
    and evaluation. While it is traced the values of tensors aren't known: .item() and branches on
    them are errors. Without gradients (`no_grad`) the tensors that it reads but for its arguments,
    such as weights, are taken as constants, until one of them is written to. PyTorch's options (mode, dynamic, fullgraph, backend) are taken and mean
    nothing here.

    >>> import suanzi
    >>> @suanzi.compile
    ... def step(x, y):
    ...     return (x * y).sum()
    >>> step(suanzi.ones(3), suanzi.tensor([1.0, 2.0, 3.0]))
    tensor(6.)
    """
    if model is None:
        return functools.partial(compile, threads=threads)
    return Compiled(model, threads)


MOST_THAWED = 3
"""How often constants may change before they are taken as inputs."""


class Compiled:
    """A function, or a module, with the programs made of it so far."""

    def __init__(self, function: Callable[..., Any], threads: int | None = None) -> None:
        self._function, self._threads = function, threads
        self._plans: dict[Any, list[Plan]] = {}
        self._thawed: dict[Any, int] = {}
        """How often what was taken as constant has changed, by the same keys as the plans."""
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if modes.trace is not None:  # part of a larger function that is being traced
            return self._function(*args, **kwargs)
        tensors, shape = structure.flatten((args, kwargs))
        key = (
            shape,
            modes.grad,
            tuple([(t._value.shape, t._value.dtype.num, t.requires_grad) for t in tensors]),
        )
        plans = self._plans.setdefault(key, [])
        for plan in plans:
            if plan.holds():
                if plan.frozen.holds():
                    return plan.run(tensors)
                plans.remove(plan)  # its constants aren't any more
                self._thawed[key] = self._thawed.get(key, 0) + 1
                break
        freeze = not modes.grad and self._thawed.get(key, 0) < MOST_THAWED
        threads = self._threads or get_num_threads()
        plan = trace(self._function, tensors, shape, threads, freeze)
        plans.append(plan)
        return plan.run(tensors)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._function, name)

    def __repr__(self) -> str:
        return f"compiled {self._function!r}"


class Frozen:
    """Tensors that a program has as constants, which they are as long as nobody writes to them."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._known = [(t, t._value, t._version) for t in tensors]

    def holds(self) -> bool:
        return all(
            [
                t._version == version and t._value is value and not t._shared
                for t, value, version in self._known
            ]
        )


@dataclass
class Plan:
    """What a traced call became."""

    program: Program
    arguments: list[str]
    """The program's inputs for the call's tensors; empty where one isn't read."""
    captured: list[tuple[str, Tensor]]
    fresh: list[tuple[str, Callable[[], Array]]]
    results: list[str]
    shape: Any
    """How the results are put together."""
    written: list[tuple[str, Tensor | int]]
    """What is written back, and where; a number is an argument's."""
    gradients: list[tuple[str, Tensor | int]]
    """What becomes whose gradient; a number is that of an argument."""
    cleared: list[Tensor]
    """Leaves whose gradient is None after the call."""
    guards: Sequence[Guard]
    frozen: "Frozen"
    backward: "Backward | None" = None
    _buffers: dict[str, Array] = field(default_factory=dict)
    _donated: frozenset[str] | None = None

    def holds(self) -> bool:
        return all(guard.holds() for guard in self.guards)

    def run(self, tensors: Sequence[Tensor]) -> Any:
        feeds = {}
        for name, tensor in zip(self.arguments, tensors, strict=True):
            if name:
                feeds[name] = _contiguous(tensor._value)
        for name, tensor in self.captured:
            feeds[name] = _contiguous(tensor._value)
        for name, make in self.fresh:
            feeds[name] = make()
        made = self.program.run(feeds, self._into())
        for name, target in self.written:
            tensor = tensors[target] if isinstance(target, int) else target
            if made[name] is not tensor._value:
                np.copyto(tensor._value, made[name])
            root(tensor)._version += 1
        for name, leaf in self.gradients:
            if isinstance(leaf, int):
                leaf = tensors[leaf]
                known = leaf._grad
                leaf._grad = wrap(made[name]) if known is None else known + wrap(made[name])
            else:
                leaf._grad = wrap(made[name])
        for leaf in self.cleared:
            leaf._grad = None
        out = [wrap(made[name]) for name in self.results]
        if self.backward is not None:
            self.backward.record(tensors, out, feeds, made)
        return structure.unflatten(out, self.shape)

    def _into(self) -> dict[str, Array]:
        """Memory for what is written back: its own where no step reads that afterwards. Gradients
        have memory that is used again at each call."""
        if self._donated is None:
            inputs = {id(t): name for name, t in self.captured}
            self._donated = frozenset(
                name
                for name, t in self.written
                if isinstance(t, Tensor)
                and id(t) in inputs
                and self.program.may_share(inputs[id(t)], name)
            )
        into = {}
        for name, tensor in self.written:
            if isinstance(tensor, int):
                continue
            if name in self._donated and tensor._value.flags.c_contiguous:
                into[name] = tensor._value
            else:
                into[name] = self._buffer(name, tensor)
        for name, leaf in self.gradients:
            if isinstance(leaf, Tensor):
                into[name] = self._buffer(name, leaf)
        return into

    def _buffer(self, name: str, tensor: Tensor) -> Array:
        if name not in self._buffers:
            self._buffers[name] = np.empty(tensor._value.shape, tensor._value.dtype)
        return self._buffers[name]


def _contiguous(value: Array) -> Array:
    return value if value.flags.c_contiguous else np.ascontiguousarray(value)


@dataclass
class Backward:
    """The program of a compiled function's gradients."""

    program: Program
    kept: list[str]
    """What it reads of the forward's inputs and outputs."""
    gradients: list[str]
    """Its inputs: the gradients of the results that have any."""
    results: list[int]
    """Which results those are."""
    sources: list[Tensor | int]
    """Whose gradients it makes; a number is that of an argument."""
    outputs: list[str]
    """Their names; empty where nothing depends on one."""

    def record(
        self, tensors: Sequence[Tensor], out: Sequence[Tensor], feeds: Any, made: Any
    ) -> None:
        """Makes the results part of the gradients' graph."""
        kept = {name: feeds[name] if name in feeds else made[name] for name in self.kept}
        inputs = [tensors[s] if isinstance(s, int) else s for s in self.sources]
        Node(CompiledGradient(self, kept), inputs, [out[i] for i in self.results])


class CompiledGradient(Operator):
    """Stands in the gradients' graph for a whole compiled function."""

    def __init__(self, plan: Backward, kept: dict[str, Array]) -> None:
        object.__setattr__(self, "plan", plan)
        object.__setattr__(self, "kept", kept)

    def grad(self, dY: Any, _Y: Any, *_inputs: Any) -> list[Any]:
        if modes.grad:
            raise SuanziError(
                "a compiled function's gradient has no gradient of its own",
                hint="Compile the whole step, in which both are taken, or don't compile.",
            )
        plan: Backward = self.__dict__["plan"]
        feeds = dict(self.__dict__["kept"])
        many = dY if isinstance(dY, tuple) else (dY,)
        for name, gradient in zip(plan.gradients, many, strict=True):
            kind = plan.program.inputs.get(name)
            if kind is None:
                continue
            value = np.zeros(kind.sizes, kind.dtype) if gradient is None else gradient._value
            feeds[name] = _contiguous(value)
        made = plan.program.run({name: feeds[name] for name in plan.program.inputs})
        return [wrap(made[name]) if name else None for name in plan.outputs]


def trace(
    function: Callable[..., Any],
    tensors: Sequence[Tensor],
    shape: Any,
    threads: int,
    freeze: bool = False,
) -> Plan:
    """Runs the function on symbols, and compiles the graph; with `freeze` what it captured and
    doesn't write to becomes constants."""
    with Tracing() as tracing:
        stand_ins = []
        for number, t in enumerate(tensors):
            stand_in = tracing.input(TensorType(t._value.dtype, t._value.shape), f"input{number}")
            stand_in._requires_grad = t.requires_grad
            stand_ins.append(stand_in)
        symbols = [t._value for t in stand_ins]
        inputs = [symbol.name for symbol in symbols]
        args, kwargs = structure.unflatten(stand_ins, shape)
        outs, out_shape = structure.flatten(function(*args, **kwargs))
        results = [tracing.output(t) for t in outs]
        numbers = {id(t): i for i, t in enumerate(stand_ins)}
        gradients = [
            (tracing.output(leaf._grad).name, numbers.get(id(leaf), leaf))
            for leaf in tracing.leaves.values()
            if leaf._grad is not None and isinstance(leaf._grad._value, Symbol)
        ]
        captured = {key: t for key, (t, _) in tracing.captured.items()}
        written: list[tuple[str, Tensor | int]] = [
            (tracing.output(wrap(symbol)).name, captured[key])
            for key, symbol in tracing.current.items()
        ]
        written += [
            (tracing.output(t).name, number)
            for number, (t, symbol) in enumerate(zip(stand_ins, symbols, strict=True))
            if t._value is not symbol
        ]
        cleared = [t for t, _ in tracing.assigned.values() if t._grad is None]
        joint = None
        if modes.grad and not tracing.leaves:
            joint = _differentiated(tracing, stand_ins, outs)
    names = [s.name for s in results]
    wanted = [*names, *(n for n, _ in written), *(n for n, _ in gradients)]
    whole = tracing.graph.graph([])
    taken: dict[str, Tensor] = {}
    if freeze:
        taken = {
            s.name: t
            for t, s in tracing.captured.values()
            if id(t) not in tracing.current and not t._shared
        }
        whole = whole.replace(
            inputs=tuple(name for name in whole.inputs if name not in taken),
            constants={**whole.constants, **{name: t._value for name, t in taken.items()}},
        )
    kept = _boundary(whole, joint) if joint else []
    inside = [name for name in kept if name not in whole.inputs]
    forward = _pruned(whole.replace(outputs=tuple(dict.fromkeys([*wanted, *inside]))))
    used = set(forward.inputs)
    backward = None
    if joint:
        edge = [*kept, *joint.gradients]
        ends = tuple(dict.fromkeys(filter(None, joint.outputs)))
        graph = _pruned(whole.replace(inputs=tuple(edge), outputs=ends))
        backward = Backward(
            _compiled(graph, threads), kept, joint.gradients, joint.results,
            [numbers.get(id(t), t) for t in joint.sources], joint.outputs,
        )  # fmt: skip
        used.update(name for name in kept if name in whole.inputs)
    return Plan(
        program=_compiled(forward.replace(inputs=tuple(n for n in whole.inputs if n in used)),
                          threads),
        arguments=[name if name in used else "" for name in inputs],
        captured=[(s.name, t) for t, s in tracing.captured.values() if s.name in used],
        fresh=[(s.name, make) for s, make in tracing.fresh if s.name in used],
        results=names,
        shape=out_shape,
        written=written,
        gradients=gradients,
        cleared=cleared,
        guards=tracing.guards,
        frozen=Frozen([*taken.values()]),
        backward=backward,
    )  # fmt: skip


@dataclass
class _Joint:
    """The gradients, in the same graph as what they are gradients of."""

    gradients: list[str]
    results: list[int]
    sources: list[Tensor]
    outputs: list[str]


def _differentiated(
    tracing: Tracing, stand_ins: Sequence[Tensor], outs: Sequence[Tensor]
) -> _Joint | None:
    """Adds the gradients of the results to the trace; None where there are none."""
    results = [i for i, t in enumerate(outs) if edge_of(t) is not None]
    candidates = [*stand_ins, *(t for t, _ in tracing.captured.values())]
    sources = [t for t in candidates if t._requires_grad]
    if not results or not sources:
        return None
    starts = [
        tracing.input(TensorType(outs[i]._value.dtype, outs[i]._value.shape), "gradient")
        for i in results
    ]
    made = grad([outs[i] for i in results], sources, starts, allow_unused=True)
    return _Joint(
        gradients=[t._value.name for t in starts],
        results=results,
        sources=sources,
        outputs=["" if g is None else tracing.output(g).name for g in made],
    )


def _boundary(graph: Graph, joint: _Joint) -> list[str]:
    """What the gradients read of the rest: values that don't depend on the results' gradients."""
    later = set(joint.gradients)
    reads: dict[str, None] = {}
    wanted = {name for name in joint.outputs if name}
    for node in graph.nodes:
        if later.intersection(node.inputs):
            later.update(node.outputs)
    for node in reversed(graph.nodes):
        if wanted.intersection(node.outputs) and later.intersection(node.outputs):
            wanted.update(name for name in node.inputs if name)
    for node in graph.nodes:
        if wanted.intersection(node.outputs) and later.intersection(node.outputs):
            reads.update(dict.fromkeys(name for name in node.inputs if name))
    reads.update(dict.fromkeys(name for name in joint.outputs if name))
    return [name for name in reads if name not in later and name not in graph.constants]


def _pruned(graph: Graph) -> Graph:
    """Without the nodes, the constants and the inputs that the outputs don't depend on; what is an
    input isn't computed."""
    given = set(graph.inputs)
    wanted = set(graph.outputs) - given
    nodes = []
    for node in reversed(graph.nodes):
        if wanted.intersection(node.outputs) and not given.issuperset(filter(None, node.outputs)):
            nodes.append(node)
            wanted.update(name for name in node.inputs if name and name not in given)
    read = {name for node in nodes for name in node.inputs} | set(graph.outputs)
    constants = {n: c for n, c in graph.constants.items() if n in read and n not in given}
    inputs = tuple(name for name in graph.inputs if name in read)
    made = {name for node in nodes for name in node.outputs if name}
    known = made | set(inputs) | set(constants)
    return graph.replace(
        inputs=inputs,
        nodes=tuple(reversed(nodes)),
        constants=constants,
        types={name: t for name, t in graph.types.items() if name in known},
    )


def _compiled(graph: Graph, threads: int) -> Program:
    typed = {n: TensorType(t.dtype, t.shape) for n, t in graph.types.items() if n in graph.inputs}
    whole = infer(graph.replace(types=typed))
    return Compiler(host_target(), threads, ObjectCache()).compile(whole)
