"""If, Loop, Scan and SequenceMap: operators with graphs as attributes.

A body is closed, a function of its inputs: what it captures from outside are further inputs, the
last ones, of the node and of the body alike.

Source, of all here: https://onnx.ai/onnx/operators/
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.graph.bodies import (
    ControlFlow,
    Runner,
    axis_of,
    empty,
    infer_body,
    join,
    settle,
    stacked,
    stacks,
    truth,
    type_of,
    unknown,
)
from suanzi.graph.graph import Graph, Node
from suanzi.operators._operator import (
    Array,
    Dim,
    Example,
    Ints,
    Operator,
    SequenceType,
    TensorType,
    Value,
    operator,
    require,
)
from suanzi.operators.arithmetic import Add, Mul
from suanzi.operators.cast import Identity


@operator(family="control flow", torch="torch.cond")
class If(ControlFlow):
    """The outputs of then_branch if cond, else those of else_branch.

    Both branches are given the captures. Sizes in which they differ aren't known before the run.
    """

    then_branch: Graph
    else_branch: Graph

    def taken(self, cond: Array) -> Graph:
        """The branch that runs."""
        return self.then_branch if truth(cond) else self.else_branch

    def infer(self, cond: TensorType, *captures: TensorType) -> tuple[TensorType, ...]:
        if cond.value is not None:
            return tuple(infer_body(self.taken(cond.value), captures))
        found: list[list[TensorType]] = []
        wrong: list[SuanziError] = []
        for branch in (self.then_branch, self.else_branch):
            try:
                found.append([*map(unknown, infer_body(branch, captures))])
            except SuanziError as error:  # mostly it is there for other inputs than these
                wrong.append(error)
        if not found:
            raise wrong[0]
        return tuple(join(found[0], found[-1]))

    def run(self, runner: Runner, cond: Array, *captures: Value) -> tuple[Any, ...]:
        return tuple(runner(self.taken(cond), captures))

    @classmethod
    def examples(cls) -> list[Example]:
        op = cls(then_branch=_body(Add()), else_branch=_body(Mul()), captures=1)
        x = np.array([1, 2, 3], np.float32)
        return [Example(op, (np.array(truth), x)) for truth in (True, False)]


def _body(operator: Operator) -> Graph:
    return Graph(("x",), ("y",), (Node(operator, ("x", "x"), ("y",)),))


@operator(family="control flow")
class Loop(ControlFlow):
    """body(i, cond, *state, *captures) → (cond, *state, *scans), for i = 0, 1, ... while cond is
    true and i < M; both may be left out. The outputs are the last state, and the scans of all
    iterations along a new first axis.
    """

    body: Graph

    def infer(
        self,
        M: TensorType | None = None,
        cond: TensorType | None = None,
        *rest: TensorType | None,
    ) -> tuple[TensorType, ...]:
        state, captures = self._split(rest)
        # An iteration runs where cond is true alone.
        shape = () if cond is None or not cond.static else cond.sizes
        before = (TensorType(np.dtype(np.int64), ()), TensorType.of(np.full(shape, True)))
        state, (again, *made) = settle(self.body, before, state, captures, leading=1)
        trips: Dim = None
        endless = again.value is not None and truth(again.value)
        if cond is not None and cond.value is not None and not truth(cond.value):
            trips = 0
        elif endless and (cond is None or cond.value is not None) and M is not None:
            trips = None if M.value is None else max(0, int(M.value.item()))
        return (*state, *(stacked(t, 0, trips) for t in made[len(state) :]))

    def _split(self, rest: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
        count = len(rest) - self.captures
        return rest[:count], rest[count:]

    def run(
        self, runner: Runner, M: Array | None = None, cond: Array | None = None, *rest: Value
    ) -> tuple[Any, ...]:
        state, captures = self._split(rest)
        scans: list[list[Array]] = [[] for _ in self.body.outputs[1 + len(state) :]]
        true = np.full(() if cond is None else cond.shape, True)
        going = cond is None or truth(cond)
        i, most = 0, None if M is None else int(M.item())
        while going and (most is None or i < most):
            again, *made = runner(self.body, (np.array(i), true, *state, *captures))
            state, going, i = made[: len(state)], truth(again), i + 1
            for scan, value in zip(scans, made[len(state) :], strict=True):
                scan.append(value)
        if scans and not i:
            types = self.infer(*[type_of(x) for x in (M, cond, *rest)])
            return (*state, *map(empty, types[len(state) :]))
        return (*state, *stacks(scans, (0,) * len(scans)))

    @classmethod
    def examples(cls) -> list[Example]:
        nodes = (
            Node(Identity(), ("go",), ("again",)),
            Node(Add(), ("sum", "x"), ("next",)),
            Node(Mul(), ("sum", "sum"), ("square",)),
        )
        body = Graph(("i", "go", "sum", "x"), ("again", "next", "square"), nodes)
        x = np.array([1, 2], np.float32)
        return [Example(cls(body=body, captures=1), (np.array(3), None, x, x))]


@operator(family="control flow")
class Scan(ControlFlow):
    """body(*state, *slices, *captures) → (*state, *scans) for every slice of the last
    num_scan_inputs inputs along their axes. The outputs are the last state, and the scans of all
    iterations along a new axis. A direction of 1 takes, or puts, the slices from the end.

    Before opset 9 all inputs had a first axis more, over which everything was repeated.
    """

    body: Graph
    num_scan_inputs: int
    scan_input_axes: Ints | None = None
    scan_input_directions: Ints | None = None
    scan_output_axes: Ints | None = None
    scan_output_directions: Ints | None = None

    def infer(self, *inputs: Any) -> tuple[TensorType, ...]:
        state, scanned, captures = self._split(inputs)
        length: Dim = None
        slices = []
        for x, axis in zip(scanned, self._each(self.scan_input_axes, scanned), strict=True):
            if x.shape is None:
                slices.append(TensorType(x.dtype, None))
                continue
            axis = axis_of(axis, len(x.shape))
            size = x.shape[axis]
            if isinstance(size, int) and isinstance(length, int) and size != length:
                raise SuanziError("inputs of other lengths", expected=length, found=size)
            length = length if isinstance(length, int) else size
            slices.append(TensorType(x.dtype, (*x.shape[:axis], *x.shape[axis + 1 :])))
        state, made = settle(self.body, (), state, (*slices, *captures))
        scans = made[len(state) :]
        axes = self._each(self.scan_output_axes, scans)
        placed = (stacked(t, axis, length) for t, axis in zip(scans, axes, strict=True))
        return (*state, *placed)

    def _split(self, inputs: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
        end = len(inputs) - self.captures
        begin = end - self.num_scan_inputs
        require(0 <= begin < end, "too few inputs", "", self.num_scan_inputs, len(inputs))
        return inputs[:begin], inputs[begin:end], inputs[end:]

    @staticmethod
    def _each(given: Ints | None, values: Sequence[Any]) -> Ints:
        """An attribute's numbers, one for each value; 0 where it is left out."""
        numbers = given or (0,) * len(values)
        require(len(numbers) == len(values), "wrong number of axes", "", len(values), len(numbers))
        return numbers

    def run(self, runner: Runner, *inputs: Any) -> tuple[Any, ...]:
        state, scanned, captures = self._split(inputs)
        axes = self._each(self.scan_input_axes, scanned)
        backwards = self._each(self.scan_input_directions, scanned)
        fronted = [np.moveaxis(x, axis, 0) for x, axis in zip(scanned, axes, strict=True)]
        length = len(fronted[0])
        fronted = [x[::-1] if b else x for x, b in zip(fronted, backwards, strict=True)]
        scans: list[list[Array]] = [[] for _ in self.body.outputs[len(state) :]]
        for i in range(length):
            made = runner(self.body, (*state, *(np.asarray(x[i]) for x in fronted), *captures))
            state = made[: len(state)]
            for scan, value in zip(scans, made[len(state) :], strict=True):
                scan.append(value)
        axes = self._each(self.scan_output_axes, scans)
        backwards = self._each(self.scan_output_directions, scans)
        if not length:
            return (*state, *map(empty, self.infer(*map(type_of, inputs))[len(state) :]))
        turned = [scan[::-1] if b else scan for scan, b in zip(scans, backwards, strict=True)]
        return (*state, *stacks(turned, axes))

    @classmethod
    def examples(cls) -> list[Example]:
        nodes = (
            Node(Add(), ("sum", "x"), ("next",)),
            Node(Mul(), ("next", "scale"), ("scaled",)),
        )
        body = Graph(("sum", "x", "scale"), ("next", "scaled"), nodes)
        x = np.arange(6, dtype=np.float32).reshape(3, 2)
        start, scale = np.zeros(2, np.float32), np.array([1, 10], np.float32)
        return [
            Example(cls(body=body, num_scan_inputs=1, captures=1), (start, x, scale)),
            Example(
                cls(
                    body=body,
                    num_scan_inputs=1,
                    captures=1,
                    scan_input_axes=(1,),
                    scan_input_directions=(1,),
                    scan_output_axes=(-1,),
                    scan_output_directions=(1,),
                ),
                (start, x.T, scale),
            ),
        ]


@operator(family="control flow")
class SequenceMap(ControlFlow):
    """body(element, *elements or values, *captures) → values, for every element of the first
    input. Further sequences give their elements at the same place, further tensors themselves.
    The outputs are sequences.
    """

    body: Graph

    def infer(self, *inputs: TensorType) -> tuple[TensorType, ...]:
        count = len(inputs) - self.captures
        each = [x.element if isinstance(x, SequenceType) else x for x in inputs[:count]]
        made = infer_body(self.body, (*each, *inputs[count:]))
        return tuple(SequenceType(unknown(t)) for t in made)

    def run(self, runner: Runner, *inputs: Any) -> tuple[Any, ...]:
        count = len(inputs) - self.captures
        made: list[list[Array]] = [[] for _ in self.body.outputs]
        for i in range(len(inputs[0])):
            each = [x[i] if isinstance(x, list) else x for x in inputs[:count]]
            for values, y in zip(made, runner(self.body, (*each, *inputs[count:])), strict=True):
                values.append(y)
        return tuple(made)

    @classmethod
    def examples(cls) -> list[Example]:
        body = Graph(("a", "b"), ("c",), (Node(Add(), ("a", "b"), ("c",)),))
        x = [np.array([1, 2], np.float32), np.array([3], np.float32)]
        return [Example(cls(body=body), (x, x)), Example(cls(body=body, captures=1), (x, x[1]))]
