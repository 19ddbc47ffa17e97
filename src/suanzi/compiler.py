"""From a graph whose sizes are known to a Program: kernels chosen, memory placed, code loaded."""

import gc
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from suanzi.errors import SuanziError
from suanzi.graph import Graph, Node
from suanzi.graph.fused import Fused
from suanzi.graph.memory import require_memory
from suanzi.graph.passes.layout import blocked_layout
from suanzi.graph.passes.unfuse import unfuse
from suanzi.graph.pipeline import optimize
from suanzi.kernels import accepts_blocks, choose, wants_blocks
from suanzi.kernels._kernel import (
    Argument,
    Call,
    Choice,
    Fault,
    Input,
    Kernel,
    Operand,
    Output,
    Packed,
    Precision,
    Scratch,
    Site,
)
from suanzi.lang import Target
from suanzi.operators._operator import Cost
from suanzi.packing import Constants, Packings
from suanzi.placement import Arena, place
from suanzi.program import Check, Program, Step
from suanzi.runtime.cache import ObjectCache, cache_key
from suanzi.runtime.machine import Code, compile_object, load
from suanzi.runtime.memory import Slot


@dataclass(frozen=True)
class Compiler:
    """What programs are made for and with."""

    target: Target
    threads: int
    cache: ObjectCache | None = None
    packings: Packings = field(default_factory=Packings)
    precision: Precision = "fast"

    def compile(self, graph: Graph) -> Program:
        """The program of a graph's outputs. Every size must follow from the inputs' sizes."""
        return assemble(prepare(graph, self), self)


def prepare(graph: Graph, compiler: Compiler) -> Graph:
    """The graph after all passes, with each value's layout settled."""
    optimized = optimize(graph)
    _require_static(optimized)

    readers = optimized.consumers()

    def accepts(node: Node, laid: Graph) -> bool:
        wanted = any(
            wants_blocks(site_of(optimized, reader, compiler))
            for reader in readers.get(node.outputs[0], ())
        )
        # What a plain node would move: its input, where that was made in blocks (what a Reorder
        # gives is no value of the graph), and its output.
        source = node.inputs[0]
        moved = [source] if source in laid.lanes and source in optimized.types else []
        moved += [node.outputs[0]] if wanted else []
        # What a node in blocks would move: its input where that was made plain, and its output
        # where the graph gives it.
        ends = (source, node.outputs[0])
        kept = [name for name in ends if name in laid.lanes and name not in optimized.types]
        elements = (sum(laid.types[name].size for name in names) for names in (moved, kept))
        return accepts_blocks(site_of(laid, node, compiler), *elements)

    def runs(node: Node, laid: Graph) -> bool:
        return choose(site_of(laid, node, compiler)) is not None

    return unfuse(blocked_layout(optimized, compiler.target.lanes, accepts), runs)


def _require_static(graph: Graph) -> None:
    total = 0
    for node in graph.nodes:
        for name in node.outputs:
            if name and not graph.types[name].static:
                raise SuanziError(
                    "the shape depends on data that only the run will show",
                    node=node.label,
                    expected="a shape that follows from the inputs' shapes",
                    found=graph.types[name],
                )
            total = max(total, graph.types[name].nbytes if name else 0)
    require_memory(total, "the largest tensor of the model")


def site_of(graph: Graph, node: Node, compiler: Compiler) -> Site:
    """The node as the kernels see it."""

    def operand(name: str) -> Operand | None:
        if not name:
            return None
        return Operand(graph.types[name], graph.lanes.get(name, 0), graph.constants.get(name))

    inputs = tuple(operand(name) for name in node.inputs)
    outputs = tuple(o for name in node.outputs if (o := operand(name)))
    if isinstance(node.operator, Fused):
        arity = node.operator.arity
        extras = tuple(o for o in inputs[arity:] if o)
        return Site(
            node.operator.body,
            inputs[:arity],
            outputs,
            compiler.target,
            compiler.threads,
            node.operator.chain,
            extras,
            precision=compiler.precision,
        )
    return Site(
        node.operator,
        inputs,
        outputs,
        compiler.target,
        compiler.threads,
        skipped=tuple(i for i, name in enumerate(node.outputs) if not name),
        precision=compiler.precision,
    )


@dataclass
class _Chosen:
    """A node with the calls that do its work (none: by definition), and its step's number."""

    node: Node
    calls: tuple[Call, ...]
    first: int

    def scratch(self, threads: int) -> dict[str, int]:
        """The bytes of each scratch memory that the calls share."""
        found = [a for call in self.calls for a in call.arguments if isinstance(a, Scratch)]
        return {self.scratch_name(s): s.bytes * (threads if s.per_thread else 1) for s in found}

    def scratch_name(self, scratch: Scratch) -> str:
        return f"\0{self.first} {scratch.name}"  # no value of a model has such a name

    def faults(self) -> dict[str, Fault]:
        found = [a for call in self.calls for a in call.arguments if isinstance(a, Fault)]
        return {self.fault_name(f): f for f in found}

    def fault_name(self, fault: Fault) -> str:
        return f"\0{self.first} fault {fault.number}"


def assemble(graph: Graph, compiler: Compiler) -> Program:
    """The program of a graph whose layouts are settled."""
    target, threads = compiler.target, compiler.threads
    placement = place(graph)
    chosen: list[_Chosen] = []
    count = 0
    starts: dict[int, tuple[int, int]] = {}
    for number, node in enumerate(graph.nodes):
        if number in placement.free:
            continue
        calls = _calls(graph, node, compiler)
        chosen.append(_Chosen(node, calls, count))
        starts[number] = (count, count + max(1, len(calls)) - 1)
        count += max(1, len(calls))
    arena = Arena(graph, placement, starts)
    for item in chosen:
        for name, size in item.scratch(threads).items():
            arena.add(name, size, item.first, item.first + len(item.calls) - 1)
        for name in item.faults():
            arena.add(name, 8, 0, count - 1)
    arena.settle()
    constants = Constants(graph, compiler.packings)
    compiler.packings.make(
        constants.packing(argument, item.node)
        for item in chosen
        for call in item.calls
        for argument in call.arguments
        if isinstance(argument, Packed)
    )
    kernels = {call.kernel.symbol: call.kernel for item in chosen for call in item.calls}
    code = machine_code(kernels, target, compiler.cache)
    steps: list[Step] = []
    for item in chosen:
        steps.extend(_steps(graph, item, arena, constants, code))
    touched = {name for item in chosen if not item.calls for name in _values(item.node)}
    for name in sorted((touched | set(graph.outputs)) & graph.constants.keys()):
        constants.keep(name)
    return Program(
        inputs={name: graph.types[name] for name in graph.inputs},
        outputs={name: graph.types[name] for name in graph.outputs},
        steps=tuple(steps),
        slots={name: arena.slot(name) for name in touched},
        types=graph.types,
        constants=constants.arrays,
        arena_bytes=arena.bytes,
        threads=threads,
        checks=tuple(_checks(graph, chosen, arena)),
        storages=arena.storages(),
        code=code,
    )


def _checks(graph: Graph, chosen: list[_Chosen], arena: Arena) -> Iterator[Check]:
    for item in chosen:
        for name, fault in item.faults().items():
            indices = item.node.inputs[fault.number]
            source = arena.slot(indices).storage
            source = source if source in graph.inputs else ""
            yield Check(arena.slot(name).offset, source, item.node, indices, fault.size)


def _values(node: Node) -> tuple[str, ...]:
    return tuple(name for name in (*node.inputs, *node.outputs) if name)


def _calls(graph: Graph, node: Node, compiler: Compiler) -> tuple[Call, ...]:
    choice: Choice = choose(site_of(graph, node, compiler))
    if choice is None and any(graph.lanes.get(name) for name in _values(node)):
        raise RuntimeError(f"{node.label} is in a blocked layout that no kernel of it reads")
    return choice or ()


def _steps(
    graph: Graph, item: _Chosen, arena: Arena, constants: Constants, code: Mapping[str, int]
) -> list[Step]:
    node = item.node
    types = graph.input_types(node)
    cost = node.operator.cost(*types)
    shape = graph.types[next(filter(None, node.outputs))].sizes
    if not item.calls:
        why = f"no kernel for {type(node.operator).__name__} here: by its definition in NumPy"
        return [Step(node, types, "NumPy", why, cost=cost, shape=shape)]

    def slot(argument: Argument) -> Slot:
        match argument:
            case Input(number):
                name = node.inputs[number]
                if name in graph.constants:
                    constants.keep(name)
                return arena.slot(name)
            case Output(number):
                return arena.slot([n for n in node.outputs if n][number])
            case Packed():
                return Slot(constants.keep_packed(argument, node), 0)
            case Scratch():
                return arena.slot(item.scratch_name(argument))
            case Fault():
                return arena.slot(item.fault_name(argument))

    steps = []
    for number, call in enumerate(item.calls):
        steps.append(
            Step(
                node,
                types,
                type(call.kernel).__name__,
                call.why,
                symbol=call.kernel.symbol,
                address=code[call.kernel.symbol],
                slots=tuple(slot(argument) for argument in call.arguments),
                sizes=call.sizes,
                chunks=call.chunks,
                plan=repr(call.kernel),
                # the node's cost is told once, at its last step, which does the main work
                cost=cost if number == len(item.calls) - 1 else Cost(),
                shape=shape,
            )
        )
    return steps


def machine_code(kernels: Mapping[str, Kernel], target: Target, cache: ObjectCache | None) -> Code:
    """The kernels' code, loaded: from the cache, or traced and compiled on all cores."""

    def build(kernel: Kernel) -> bytes:
        def make() -> bytes:
            return compile_object(kernel.ir(target), target)

        return cache.get_or_make(cache_key(repr(kernel), target), make) if cache else make()

    collecting = gc.isenabled()
    gc.disable()  # a trace makes many objects that soon die anyway: collections only slow it
    try:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = dict(zip(kernels, pool.map(build, kernels.values()), strict=True))
    finally:
        if collecting:
            gc.enable()
    return load(objects)
