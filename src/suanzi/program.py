"""A compiled graph: native steps and steps by definition, in order, with one arena of memory."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from suanzi.errors import SuanziError
from suanzi.graph import Node
from suanzi.graph.evaluate import evaluate_node
from suanzi.operators._operator import Array, Cost, Ints, TensorType
from suanzi.runtime.memory import Results, Slot, Stored, address, allocate
from suanzi.runtime.pool import Job, Times
from suanzi.runtime.pool import Step as NativeStep

NO_COST = Cost()


@dataclass(frozen=True)
class Step:
    """One step: a native kernel's call where `address` is set, else the node's definition."""

    node: Node
    types: tuple[TensorType | None, ...]
    """The types of the node's inputs."""
    kernel: str
    why: str
    symbol: str = ""
    address: int = 0
    slots: tuple[Slot, ...] = ()
    sizes: Ints = ()
    chunks: int = 1
    plan: str = ""
    cost: Cost = NO_COST
    shape: Ints = ()
    """The first output's."""


class Taken(NamedTuple):
    """When a step ran: the nanoseconds that it took, and for each thread that had a part its number
    and from when to when it was at it, by `time.perf_counter_ns`."""

    nanoseconds: int
    spans: tuple[tuple[int, int, int], ...]

    @staticmethod
    def alone(begin: int) -> "Taken":
        """On this thread, from `begin` to now."""
        end = time.perf_counter_ns()
        return Taken(end - begin, ((0, begin, end),))

    @staticmethod
    def by(times: Times) -> "list[Taken]":
        """The steps of a job."""
        return [
            Taken(
                taken,
                tuple((n, times.begin + a, times.begin + b) for n, (a, b) in enumerate(spans) if b),
            )
            for taken, spans in zip(times.taken.tolist(), times.threads.tolist(), strict=True)
        ]


@dataclass(frozen=True)
class Check:
    """Where native code leaves an index that is out of range, and what to tell of it then.

    Indices that are an input of the program are looked at before it runs, so that nothing has been
    written over when it fails.
    """

    offset: int
    source: str
    """The program's input whose elements the indices are; empty where they are made in the run."""
    node: Node
    input: str
    size: int

    def before(self, feeds: Mapping[str, Array]) -> None:
        if self.source:
            given = feeds[self.source]
            low, high = int(given.min()), int(given.max())
            if low < -self.size or high >= self.size:
                self.fail(low if low < -self.size else high)

    def after(self, arena: Array) -> None:
        found = int(arena[self.offset : self.offset + 8].view(np.int64)[0])
        if found:
            self.fail(found)

    def fail(self, found: int) -> None:
        raise SuanziError(
            "an index is out of range",
            node=self.node.label,
            input=self.input,
            expected=f"from {-self.size} to {self.size - 1}",
            found=found,
        )


@dataclass(frozen=True)
class Program:
    """What runs for inputs of certain shapes. Any number of threads may run it at once."""

    inputs: Mapping[str, TensorType]
    outputs: Mapping[str, TensorType]
    steps: tuple[Step, ...]
    slots: Mapping[str, Slot]
    """Where each value that a definition touches lies."""
    types: Mapping[str, TensorType]
    constants: Mapping[str, Array]
    arena_bytes: int
    threads: int
    checks: tuple[Check, ...] = ()
    storages: Mapping[str, Stored] = field(default_factory=dict)
    """What lies in the arena: values and scratch memory."""
    code: Any = None
    """Keeps the machine code loaded."""
    _idle: list["Run"] = field(default_factory=list)

    def run(
        self, feeds: Mapping[str, Array], into: Mapping[str, Array] | None = None
    ) -> dict[str, Array]:
        """The outputs by name; the feeds have the types that the program was made for.

        Outputs named in `into` are written to those arrays, which are of their types.
        """
        return self._run(feeds, None, into)

    def may_share(self, input: str, output: str) -> bool:
        """Whether an output may be written over an input's memory: no step reads the input after
        one has written to the output, but one that reads each element before it writes it."""
        steps = self.steps
        names = (input, output)
        if output in self.inputs or self.inputs[input] != self.outputs[output]:
            return False
        if any(
            name in s.node.inputs + s.node.outputs for s in steps if not s.address for name in names
        ):
            return False
        reads = [i for i, s in enumerate(steps) if any(slot.storage == input for slot in s.slots)]
        writes = [i for i, s in enumerate(steps) if any(slot.storage == output for slot in s.slots)]
        if not reads or not writes:
            return not reads
        return reads[-1] < writes[0] or (
            reads[-1] == writes[0] and steps[writes[0]].kernel == "Apply"
        )

    def run_timed(self, feeds: Mapping[str, Array]) -> tuple[dict[str, Array], list[Taken]]:
        """The outputs, and when each step ran."""
        times: list[Taken] = []
        return self._run(feeds, times, None), times

    def _run(
        self,
        feeds: Mapping[str, Array],
        times: list[Taken] | None,
        into: Mapping[str, Array] | None,
    ) -> dict[str, Array]:
        try:
            state = self._idle.pop()  # as `append`, whole whatever other threads do
        except IndexError:
            state = Run(self)
        try:
            return state.run(feeds, times, into)
        finally:
            self._idle.append(state)

    @property
    def native_steps(self) -> int:
        return sum(1 for step in self.steps if step.address)

    def quick(self) -> "Quick | None":
        """The program for calls of microseconds; None where not all of it is one native job."""
        whole = self.steps and self.native_steps == len(self.steps) and not self.checks
        return Quick(self) if whole and not Run(self).copied else None


class Run:
    """The memory and argument tables of one run at a time; kept and used again."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.arena = allocate(program.arena_bytes, "the program's arena")
        base = self.arena.ctypes.data
        starts = {name: array.ctypes.data for name, array in program.constants.items()}
        patched: dict[str, int] = {}
        patches: list[tuple[int, int, int]] = []
        words: list[int] = []
        begins: list[int] = []
        for step in program.steps:
            begins.append(len(words))
            if not step.address:
                continue
            for slot in step.slots:
                if slot.storage and slot.storage not in starts:
                    number = patched.setdefault(slot.storage, len(patched))
                    patches.append((len(words), number, slot.offset))
                    words.append(0)
                else:
                    words.append((starts[slot.storage] if slot.storage else base) + slot.offset)
            words.extend(step.sizes)
        self.table = np.array(words, np.int64)
        self.words = self.table.data
        """The table as Python writes it: a few words cost less so than in one NumPy assignment."""
        self.patched = tuple(patched)
        """Inputs and outputs that native steps touch: each run has new arrays of them."""
        self.patches = tuple(patches)
        """Their words of the table: the place, the number in `patched`, the offset."""
        self.outputs = [
            (name, Results(t.sizes, t.dtype, f"output {name}"))
            for name, t in program.outputs.items()
        ]
        self.copied = [
            name for name in program.outputs if name in program.inputs or name in program.constants
        ]
        self.parts = self._parts(begins)
        self.constants = {n: program.constants[n] for n in program.slots if n in program.constants}

    def _parts(self, begins: list[int]) -> list[tuple[int, Job | None]]:
        """The steps cut into stretches of native ones, each a job, and single definitions."""
        parts: list[tuple[int, Job | None]] = []
        steps, i = self.program.steps, 0
        while i < len(steps):
            end = i + 1
            job = None
            if steps[i].address:
                while end < len(steps) and steps[end].address:
                    end += 1
                native = [
                    NativeStep(steps[n].address, self.table[begins[n] :], steps[n].chunks)
                    for n in range(i, end)
                ]
                job = Job(native, self.program.threads)
            parts.append((i, job))
            i = end
        return parts

    def run(
        self,
        feeds: Mapping[str, Array],
        times: list[Taken] | None,
        into: Mapping[str, Array] | None = None,
    ) -> dict[str, Array]:
        for check in self.program.checks:
            check.before(feeds)
        given = into or {}
        outputs = {
            name: given[name] if name in given else results.take() for name, results in self.outputs
        }
        for name in self.copied:
            outputs[name] = np.array(feeds.get(name, self.program.constants.get(name)))
        starts = [address(outputs[n] if n in outputs else feeds[n]) for n in self.patched]
        for place, number, offset in self.patches:
            self.words[place] = starts[number] + offset
        for check in self.program.checks:
            self.arena[check.offset : check.offset + 8] = 0
        for begin, job in self.parts:
            if job is None:
                start = time.perf_counter_ns()
                self._define(self.program.steps[begin], feeds, outputs)
                if times is not None:
                    times.append(Taken.alone(start))
            elif times is None:
                job.run()
            else:
                times += Taken.by(job.run_timed())
        for check in self.program.checks:
            check.after(self.arena)
        return outputs

    def _define(self, step: Step, feeds: Mapping[str, Array], outputs: Mapping[str, Array]) -> None:
        """Runs a node by its definition, and copies the results to where they belong."""
        arrays = [self._view(n, feeds, outputs) if n else None for n in step.node.inputs]
        results = evaluate_node(step.node, arrays)
        for name, result in zip(step.node.outputs, results, strict=False):
            if not name:
                continue
            kind = self.program.types[name]
            if result.shape != kind.sizes or result.dtype != kind.dtype:
                raise SuanziError(
                    "the result's type depends on the data in a way not foreseen",
                    node=step.node.label,
                    expected=kind,
                    found=TensorType(result.dtype, result.shape),
                )
            self._view(name, feeds, outputs)[...] = result

    def _view(self, name: str, feeds: Mapping[str, Array], outputs: Mapping[str, Array]) -> Array:
        """The value as an array over its own memory."""
        slot, kind = self.program.slots[name], self.program.types[name]
        if slot.storage:
            sources: Sequence[Mapping[str, Array]] = (feeds, outputs, self.constants)
            whole = next(s[slot.storage] for s in sources if slot.storage in s)
            if slot.storage == name:
                return whole
            whole = whole.reshape(-1).view(np.uint8)
        else:
            whole = self.arena
        return whole[slot.offset : slot.offset + kind.nbytes].view(kind.dtype).reshape(kind.sizes)


class Quick:
    """A program that is one native job, with its inputs and outputs in order: nothing is looked up
    by name, which for a small operator takes as long as the operator itself."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.makes = [(t.sizes, t.dtype) for t in program.outputs.values()]
        order = {name: i for i, name in enumerate((*program.inputs, *program.outputs))}
        run = Run(program)
        self.patches = tuple((at, order[run.patched[n]], offset) for at, n, offset in run.patches)
        self._idle = [run]

    def __call__(self, inputs: list[Array]) -> tuple[Array, ...]:
        """The outputs; the inputs are in one piece each."""
        try:
            run = self._idle.pop()
        except IndexError:
            run = Run(self.program)
        outputs = tuple([np.empty(sizes, dtype) for sizes, dtype in self.makes])
        starts = [address(a) for a in (*inputs, *outputs)]
        words = run.words
        for place, number, offset in self.patches:
            words[place] = starts[number] + offset
        job = run.parts[0][1]
        assert job is not None
        job.run()
        self._idle.append(run)
        return outputs
