"""suanzi.compile: a function, a module or a whole training step as one program.

The function is run once on symbols (tracing.py); the graph that this gives goes through the same
passes and kernels as an ONNX model's. What it read from before (parameters) are inputs; what it
changed in place (parameters again, running statistics, the optimizer's state) and the gradients
that it left are outputs, written back into the same memory.
"""

import functools
import sys
import threading
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
from suanzi.operators import Identity
from suanzi.operators._operator import Array, Operator, TensorType
from suanzi.program import Program
from suanzi.runtime.cache import ObjectCache
from suanzi.tensor import dtypes, structure
from suanzi.tensor.autograd import Node, edge_of, grad, root
from suanzi.tensor.core import Chain, Tensor, derived, wrap
from suanzi.tensor.modes import modes
from suanzi.tensor.threads import get_num_threads
from suanzi.tensor.tracing import GradientOf, Guard, Tracing


def compile(
    model: Callable[..., Any] | None = None, *, threads: int | None = None, **_options: Any
) -> Any:
    """The function, or module, as one that runs as a compiled program.

    It is traced, and compiled, at the first call with tensors of new shapes and types, other
    values for its further arguments, or when a module that it calls has changed between training
    and evaluation. While it is traced the values of tensors aren't known: .item() and branches on
    them are errors. Without gradients (`no_grad`) the tensors that it reads but for its arguments,
    such as weights, are taken as constants, until one of them is written to. PyTorch's options
    (mode, dynamic, fullgraph, backend) are taken and mean nothing here.

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


Place = Tensor | int | GradientOf
"""Where a tensor is at a call: itself, an argument by its number, somebody's gradient."""


MOST_PLANS = 16
"""Plans for one kind of arguments, which differ in what is found outside of the function."""


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
            dtypes.get_default_dtype(),
            tuple(
                [
                    (t._value.shape, t._value.dtype.num, t.requires_grad, t._node is None,
                     t._grad is None)
                    for t in tensors
                ]
            ),
        )  # fmt: skip
        tensors += [t._grad for t in tensors if t._grad is not None]
        plans = self._plans.setdefault(key, [])
        for plan in plans:
            if plan.holds():
                if plan.frozen.holds():
                    return self._run(plan, tensors, args, kwargs)
                plans.remove(plan)  # its constants aren't any more
                self._thawed[key] = self._thawed.get(key, 0) + 1
                break
        freeze = not modes.grad and self._thawed.get(key, 0) < MOST_THAWED
        threads = self._threads or get_num_threads()
        plan = trace(self._function, tensors, shape, threads, freeze)
        plans.append(plan)
        del plans[:-MOST_PLANS]
        return self._run(plan, tensors, args, kwargs)

    def _run(self, plan: "Plan", tensors: Sequence[Tensor], args: Any, kwargs: Any) -> Any:
        if plan.separate(tensors):
            return plan.run(tensors)
        return self._function(*args, **kwargs)  # it writes to memory that it knows by two names

    def __getattr__(self, name: str) -> Any:
        if name == "_function":  # of a copy that is being made
            raise AttributeError(name)
        return getattr(self._function, name)

    def __repr__(self) -> str:
        return f"compiled {self._function!r}"


class Frozen:
    """Tensors that a program has as constants, which they are as long as nobody writes to them."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._known = [(t, t._value, t._version) for t in tensors]

    def holds(self) -> bool:
        for t, value, version in self._known:  # at each call: a generator takes longer
            if t._version != version or t._value is not value or t._shared:
                return False
        return True


@dataclass
class Plan:
    """What a traced call became."""

    program: Program
    arguments: list[str]
    """The program's inputs for the call's tensors; empty where one isn't read."""
    captured: list[tuple[str, Place]]
    fresh: list[tuple[str, Callable[[], Array]]]
    memories: list[str | Place]
    """The memory of the results: new, by name, or what was there before."""
    results: list["Result"]
    shape: Any
    """How the results are put together."""
    written: list[tuple[str, Place]]
    """What is written back, and where."""
    gradients: list[tuple[str, Tensor | int]]
    """What becomes whose gradient; a number is that of an argument."""
    cleared: list[Tensor | int]
    """Leaves whose gradient is None after the call."""
    guards: Sequence[Guard]
    frozen: "Frozen"
    backward: "Backward | None" = None
    spent: list[str] = field(default_factory=list)
    """Results whose gradients the function has taken itself."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _buffers: dict[str, Array] = field(default_factory=dict)
    _donated: frozenset[str] | None = None

    def holds(self) -> bool:
        return all(guard.holds() for guard in self.guards)

    def separate(self, tensors: Sequence[Tensor]) -> bool:
        """Whether what is written to is known by one name each, and laid out in order."""
        if not (self.written or self.gradients):
            return True
        places = [root(t) for t in tensors]
        known = {id(root(_find(place, tensors))) for _, place in self.captured}
        if known.intersection(map(id, places)):
            return False
        into = [t for _, t in self.written if isinstance(t, int)]
        return all(
            sum(p is places[i] for p in places) == 1 and tensors[i]._value.flags.c_contiguous
            for i in into
        ) and (len({*map(id, places)}) == len(places) or not self.gradients)

    def run(self, tensors: Sequence[Tensor]) -> Any:
        if not (self.written or self.gradients):
            return self._run(tensors)
        with self._lock:  # threads would share what is written to
            return self._run(tensors)

    def _run(self, tensors: Sequence[Tensor]) -> Any:
        feeds = {}
        for name, tensor in zip(self.arguments, tensors, strict=True):
            if name:
                feeds[name] = _contiguous(tensor._value)
        for name, place in self.captured:
            feeds[name] = _contiguous(_find(place, tensors)._value)
        for name, make in self.fresh:
            feeds[name] = make()
        kept: dict[str, Any] = {}
        if self.backward is not None:
            kept = self.backward.inputs(self, tensors, feeds)
        made = self.program.run(feeds, self._into(tensors))
        histories = self.backward.written if self.backward is not None else {}
        renewed = {}
        for name, place in self.written:
            tensor = _find(place, tensors)
            if name in histories:
                renewed[name] = wrap(made[name])
                continue
            if made[name] is not tensor._value:
                np.copyto(tensor._value, made[name])
            root(tensor)._version += 1
        new = {name: wrap(made[name]) for name in self.memories if isinstance(name, str)}
        if self.backward is not None:
            self.backward.record(tensors, {**new, **renewed}, kept, made)
            for name, place in self.written:
                if name in histories:
                    _find(place, tensors)._write(renewed[name])
        for name, leaf in self.gradients:
            (tensors[leaf] if isinstance(leaf, int) else leaf)._grad = wrap(made[name])
        for leaf in self.cleared:
            (tensors[leaf] if isinstance(leaf, int) else leaf)._grad = None
        places = dict(self.written)
        for name in self.spent:
            _spend(new[name] if name in new else _find(places[name], tensors))
        memories = [new[m] if isinstance(m, str) else _find(m, tensors) for m in self.memories]
        out = [result.of(memories) for result in self.results]
        return structure.unflatten(out, self.shape)

    def _into(self, tensors: Sequence[Tensor]) -> dict[str, Array]:
        """Memory for what is written back: its own where no step reads that afterwards. Gradients
        have memory that is used again at each call, unless somebody holds it."""
        if self._donated is None:
            inputs = {id(place): name for name, place in self.captured}
            histories = self.backward.written if self.backward is not None else {}
            self._donated = frozenset(
                name
                for name, place in self.written
                if not isinstance(place, int)
                and name not in histories
                and id(place) in inputs
                and self.program.may_share(inputs[id(place)], name)
            )
        into = {}
        for name, place in self.written:
            if isinstance(place, int) or (self.backward and name in self.backward.written):
                continue
            tensor = _find(place, tensors)
            if name in self._donated and tensor._value.flags.c_contiguous:
                into[name] = tensor._value
            else:
                into[name] = self._buffer(name, tensor)
        for name, leaf in self.gradients:
            if isinstance(leaf, Tensor):
                buffer = self._buffers.get(name)
                held = leaf._grad is not None and leaf._grad._value is buffer
                # Counted are the dictionary, the name here and the call's argument.
                if sys.getrefcount(buffer) > 3 + held or (held and sys.getrefcount(leaf._grad) > 2):
                    self._buffers.pop(name, None)
                into[name] = self._buffer(name, leaf)
        return into

    def _buffer(self, name: str, tensor: Tensor) -> Array:
        if name not in self._buffers:
            self._buffers[name] = np.empty(tensor._value.shape, tensor._value.dtype)
        return self._buffers[name]


@dataclass(frozen=True)
class Result:
    """A result: its memory's number, and the view of it."""

    memory: int
    chain: Chain
    follows: bool
    requires_grad: bool

    def of(self, memories: Sequence[Tensor]) -> Tensor:
        made = memories[self.memory]
        if not self.follows:
            made = made.detach()
        made = derived(made, self.chain)
        if self.requires_grad and not made.requires_grad:
            made.requires_grad_()
        return made


def _find(place: Place, tensors: Sequence[Tensor]) -> Tensor:
    if isinstance(place, int):
        return tensors[place]
    if isinstance(place, GradientOf):
        return place.leaf._grad  # type: ignore[return-value]
    return place


def _contiguous(value: Array) -> Array:
    return value if value.flags.c_contiguous else np.ascontiguousarray(value)


class Beyond(Operator):
    """Stands in a trace for what an argument was made by."""

    grad = Identity.grad


def _stop(_gradient: Any) -> None:
    raise SuanziError(
        "a gradient would pass from inside of a compiled function to what was before it",
        hint="Call backward outside of it, or compile the whole.",
    )


def _spend(result: Tensor) -> None:
    """Its gradient was taken already, and what that needs is gone."""
    end = wrap(np.zeros((), result._value.dtype))
    end._requires_grad = True
    Node(Beyond(), [end], [result])
    assert result._node is not None
    result._node.free()
    root(result)._generation += 1


@dataclass
class Backward:
    """The program of a compiled function's gradients."""

    program: Program
    kept: list[str]
    """What it reads of the forward's inputs and outputs."""
    gradients: list[str]
    """Its inputs: the gradients of the results that have any."""
    results: list[str]
    """Which results those are, and what is written back."""
    sources: list[Tensor | int]
    """Whose gradients it makes; a number is that of an argument."""
    outputs: list[str]
    """Their names; empty where nothing depends on one."""
    written: frozenset[str]
    """Those of the results that are written back."""

    def inputs(self, plan: Plan, tensors: Sequence[Tensor], feeds: dict[str, Array]) -> Any:
        """What is kept of the inputs, before the program writes to any: arrays, and of those
        that others may write to whose memory they are."""
        places: dict[str, Place] = {name: i for i, name in enumerate(plan.arguments) if name}
        places.update(plan.captured)
        into = {id(root(_find(place, tensors))) for _, place in plan.written}
        kept: dict[str, Any] = {}
        for name in self.kept:
            if name in places:
                owner = root(_find(places[name], tensors))
                if id(owner) in into:
                    kept[name] = (feeds[name].copy(), None)
                else:
                    kept[name] = (feeds[name], owner)
            elif name in feeds:
                kept[name] = (feeds[name], None)
        return kept

    def record(
        self, tensors: Sequence[Tensor], made_tensors: Any, kept: dict[str, Any], made: Any
    ) -> None:
        """Makes the results part of the gradients' graph."""
        values = {
            name: (array, owner, 0 if owner is None else owner._version)
            for name, (array, owner) in kept.items()
        }
        values.update({name: (made[name], None, 0) for name in self.kept if name not in values})
        inputs = [tensors[s] if isinstance(s, int) else s for s in self.sources]
        outputs = [made_tensors[name] for name in self.results]
        Node(CompiledGradient(self), [*inputs, values], outputs)


class CompiledGradient(Operator):
    """Stands in the gradients' graph for a whole compiled function."""

    def __init__(self, plan: Backward) -> None:
        object.__setattr__(self, "plan", plan)

    def grad(self, dY: Any, _Y: Any, *_inputs: Any) -> list[Any]:
        if modes.grad:
            raise SuanziError(
                "a compiled function's gradient has no gradient of its own",
                hint="Compile the whole step, in which both are taken, or don't compile.",
            )
        plan: Backward = self.__dict__["plan"]
        feeds = {}
        for name, (array, owner, version) in _inputs[-1].items():
            if owner is not None and owner._version != version:
                raise SuanziError(
                    "a value that the gradient of a compiled function needs has been modified by "
                    "an in-place operation",
                    expected=f"version {version}",
                    found=f"version {owner._version}",
                    hint="Clone the tensor before it is changed, or change it out of place.",
                )
            feeds[name] = array
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
            if t.requires_grad and t._node is not None:
                Node(Beyond(), (), (stand_in,))
                stand_in.register_hook(_stop)
            else:
                stand_in._requires_grad = t.requires_grad
            stand_ins.append(stand_in)
        with_gradients = [i for i, t in enumerate(tensors) if t._grad is not None]
        first = len(tensors) - len(with_gradients)
        for number, i in enumerate(with_gradients):
            stand_ins[i]._grad = stand_ins[first + number]
        symbols = [t._value for t in stand_ins]
        edges = [edge_of(t) for t in stand_ins]
        inputs = [symbol.name for symbol in symbols]
        args, kwargs = structure.unflatten(stand_ins, shape)
        outs, out_shape = structure.flatten(function(*args, **kwargs))
        now, now_shape = structure.flatten((args, kwargs))
        if now_shape != shape or any(a is not b for a, b in zip(now, stand_ins, strict=False)):
            raise SuanziError(
                "a compiled function can't change a list or a dictionary that it is given",
                hint="Return what it makes.",
            )
        numbers = {id(t): i for i, t in enumerate(stand_ins)}
        roots, results = _results(outs)
        memories: list[str | Place] = [
            numbers[id(t)] if id(t) in numbers
            else tracing.output(t).name if isinstance(t._value, Symbol)
            else tracing.place(t)
            for t in roots
        ]  # fmt: skip
        ours = {id(g) for g in stand_ins}
        held = {**tracing.leaves, **{key: t for key, (t, _) in tracing.assigned.items()}}
        gradients = [
            (tracing.output(leaf._grad).name, numbers.get(id(leaf), leaf))
            for leaf in held.values()
            if leaf._grad is not None
            and id(leaf._grad) not in ours
            and (id(leaf) in tracing.assigned or isinstance(leaf._grad._value, Symbol))
            and (id(leaf) in numbers or not isinstance(leaf._value, Symbol))
        ]
        changed: dict[str, Tensor] = {}
        written: list[tuple[str, Place]] = []
        for key, symbol in tracing.current.items():
            t = tracing.captured[key][0]
            written.append((tracing.output(wrap(symbol)).name, tracing.place(t)))
            if tracing.has_new_history(t):
                changed[written[-1][0]] = t
        for number, (t, symbol) in enumerate(zip(stand_ins, symbols, strict=True)):
            if t._value is not symbol:
                written.append((tracing.output(t).name, number))
                if t._node is not None and edge_of(t) != edges[number]:
                    changed[written[-1][0]] = t
        cleared = [numbers.get(id(t), t) for t, _ in tracing.assigned.values() if t._grad is None]
        joint, spent = None, []
        if modes.grad:
            new = {m: t for m, t in zip(memories, roots, strict=True) if isinstance(m, str)}
            ends = {n: t for n, t in (new | changed).items() if isinstance(edge_of(t), tuple)}
            spent = [name for name, t in ends.items() if _is_spent(t._node)]
            ends = {name: t for name, t in ends.items() if name not in spent}
            joint = _differentiated(tracing, stand_ins, edges, ends)
    names = [m for m in memories if isinstance(m, str)]
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
        last = tuple(dict.fromkeys(filter(None, joint.outputs)))
        graph = _pruned(whole.replace(inputs=tuple(edge), outputs=last))
        backward = Backward(
            _compiled(graph, threads), kept, joint.gradients, joint.results,
            [numbers.get(id(t), t) for t in joint.sources], joint.outputs,
            frozenset(changed).difference(spent),
        )  # fmt: skip
        used.update(name for name in kept if name in whole.inputs)
    return Plan(
        program=_compiled(forward.replace(inputs=tuple(n for n in whole.inputs if n in used)),
                          threads),
        arguments=[name if name in used else "" for name in inputs],
        captured=[
            (s.name, tracing.place(t)) for t, s in tracing.captured.values() if s.name in used
        ],
        fresh=[(s.name, make) for s, make in tracing.fresh if s.name in used],
        memories=memories,
        results=results,
        shape=out_shape,
        written=written,
        gradients=gradients,
        cleared=cleared,
        guards=tracing.guards,
        frozen=Frozen([*taken.values()]),
        backward=backward,
        spent=spent,
    )  # fmt: skip


def _results(outs: Sequence[Tensor]) -> tuple[list[Tensor], list[Result]]:
    """The memories that the results are of, and how each is a view of its own."""
    roots: list[Tensor] = []
    results = []
    for t in outs:
        alone = not t._follows and t._node is not None  # a detached one with a history again
        base, chain = (t, ()) if alone else (root(t), t._chain)
        known = [i for i, r in enumerate(roots) if r is base]
        if not known:
            roots.append(base)
        wants = t._requires_grad and t._node is None
        place = known[0] if known else len(roots) - 1
        results.append(Result(place, chain, t._follows or alone, wants))
    return roots, results


def _is_spent(node: Any) -> bool:
    """Whether a gradient can't pass here again, as what it needs was freed."""
    stack, seen = [node], {id(node)}
    while stack:
        node = stack.pop()
        if node.inputs is None:
            return True
        for edge in node.edges:
            if isinstance(edge, tuple) and id(edge[0]) not in seen:
                seen.add(id(edge[0]))
                stack.append(edge[0])
    return False


@dataclass
class _Joint:
    """The gradients, in the same graph as what they are gradients of."""

    gradients: list[str]
    results: list[str]
    sources: list[Tensor]
    outputs: list[str]


def _differentiated(
    tracing: Tracing, stand_ins: Sequence[Tensor], edges: Sequence[Any], ends: dict[str, Tensor]
) -> _Joint | None:
    """Adds the gradients of the results to the trace; None where there are none."""
    pairs = [*zip(stand_ins, edges, strict=True), *tracing.sources()]
    pairs = [(t, edge) for t, edge in pairs if edge is not None]
    if not ends or not pairs:
        return None
    starts = [
        tracing.input(TensorType(t._value.dtype, t._value.shape), "gradient") for t in ends.values()
    ]
    for edge in edges:
        if isinstance(edge, tuple):
            edge[0].hooks = None
    tracing.crossing = True
    at = [_at(edge, t) for t, edge in pairs]
    made = grad([*ends.values()], at, starts, allow_unused=True)
    return _Joint(
        gradients=[t._value.name for t in starts],
        results=[*ends],
        sources=[t for t, _ in pairs],
        outputs=["" if g is None else tracing.output(g).name for g in made],
    )


def _at(edge: Any, t: Tensor) -> Tensor:
    """A tensor whose gradient goes where that of `t` went before the function changed it."""
    if not isinstance(edge, tuple):
        return t if t._node is None else edge
    made = wrap(t._value)
    made._node, made._slot = edge
    return made


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
