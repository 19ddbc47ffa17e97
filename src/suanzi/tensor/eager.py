"""One operator on arrays, at once: by its definition, or by a program of one node.

To compile takes tens of milliseconds. So an operator is compiled for some shapes once its
definition has taken a part of that, or at once where the work is plainly more.
"""

import threading
import time
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._operator import UNFORESEEN, Array, Operator, TensorType

ENOUGH = 5_000_000  # nanoseconds that an operator's definition takes before it is compiled
MUCH = 10_000_000  # multiply-adds, or bytes, of a node that is compiled when it is first met
LITTLE = 8_000  # nanoseconds of a definition that a program's own overhead would exceed
MOST = 4_096  # plans kept

Results = tuple[Array, ...]


class _Plan:
    """How an operator runs for inputs of certain types."""

    __slots__ = ("calls", "checked", "operator", "places", "program", "spent")

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        self.spent = self.calls = 0
        self.checked = False
        """Whether `infer` has found nothing wrong with such inputs."""
        self.program: Any = None
        """None: not compiled yet; False: no kernel does it faster, the definition stays."""
        self.places: list[int] = []
        """Which inputs the program takes."""


_plans: dict[Any, _Plan] = {}
_lock = threading.Lock()


def execute(
    operator: Operator, inputs: tuple[Any, ...], constant: tuple[bool, ...], first: bool = False
) -> Results:
    """The operator's outputs, or the first alone. `constant` tells which inputs' contents its types
    depend on."""
    key = (
        operator,
        first,
        *[
            None if x is None else (x.shape, x.dtype.num) if not fixed else (x.shape, x.tobytes())
            for x, fixed in zip(inputs, constant, strict=True)
        ],
    )
    try:
        plan = _plans.get(key)
    except TypeError:  # an attribute that is an array: such operators are rare, and do little
        return define(operator, inputs)
    if plan is None:
        plan = _plan(operator, inputs)
        if len(_plans) >= MOST:
            _plans.clear()
        _plans[key] = plan
    program = plan.program
    if program is None and plan.spent > ENOUGH:
        with _lock:
            quick = plan.spent < LITTLE * plan.calls
            program = plan.program = False if quick else _compiled(plan, inputs, constant, first)
    if program:
        return program(
            [
                x if (x := inputs[i]).flags.c_contiguous else np.ascontiguousarray(x)
                for i in plan.places
            ]
        )
    start = time.perf_counter_ns()
    results = _defined(operator, inputs) if plan.checked else define(operator, inputs)
    plan.checked = True
    plan.calls += 1
    plan.spent += time.perf_counter_ns() - start
    return results


def define(operator: Operator, inputs: tuple[Any, ...]) -> Results:
    """The outputs by definition, after `infer` has checked the inputs."""
    operator.infer_all([None if x is None else TensorType(x.dtype, x.shape, x) for x in inputs])
    return _defined(operator, inputs)


def _defined(operator: Operator, inputs: tuple[Any, ...]) -> Results:
    try:
        return operator.numpy_all(inputs)
    except UNFORESEEN as error:
        raise SuanziError(f"cannot be computed: {error}") from error


def _plan(operator: Operator, inputs: tuple[Any, ...]) -> _Plan:
    plan = _Plan(operator)
    present = [x for x in inputs if x is not None]
    if (
        not operator.deterministic
        or not any(x.dtype == np.float32 for x in present)
        or any(x.dtype.kind == "f" and x.dtype != np.float32 for x in present)
    ):
        plan.program = False  # kernels are float32's
        return plan
    types = [None if x is None else TensorType(x.dtype, x.shape, x) for x in inputs]
    try:
        outputs = operator.infer_all(types)
        if not all(t.static for t in outputs):
            plan.program = False
            return plan
        cost = operator.cost(*types)
        if cost.macs > MUCH or cost.read + cost.written > MUCH:
            plan.spent = ENOUGH + 1
    except (NotImplementedError, AssertionError):
        plan.program = False
    return plan


def _compiled(plan: _Plan, inputs: tuple[Any, ...], constant: tuple[bool, ...], first: bool) -> Any:
    """The program of one node, or False where it would run by definition anyway."""
    from suanzi.compiler import Compiler
    from suanzi.graph import Graph, Node
    from suanzi.graph.infer import infer
    from suanzi.lang import host_target
    from suanzi.runtime.cache import ObjectCache
    from suanzi.tensor.threads import get_num_threads

    names = tuple("" if x is None else f"x{i}" for i, x in enumerate(inputs))
    fixed = {n: x for n, x, c in zip(names, inputs, constant, strict=True) if c and n}
    given = [(i, n) for i, n in enumerate(names) if n and n not in fixed]
    types = [None if x is None else TensorType(x.dtype, x.shape, x) for x in inputs]
    count = len(plan.operator.infer_all(types))
    outputs = tuple("" if first and i else f"y{i}" for i in range(count))
    graph = Graph(
        inputs=tuple(n for _, n in given),
        outputs=outputs[:1] if first else outputs,
        nodes=(Node(plan.operator, names, outputs),),
        constants=fixed,
        types={n: TensorType(inputs[i].dtype, inputs[i].shape) for i, n in given},
    )
    plan.places = [i for i, _ in given]
    try:
        program = Compiler(host_target(), get_num_threads(), ObjectCache()).compile(infer(graph))
    except SuanziError:
        return False
    return program.quick() or _by_name(program) or False


def _by_name(program: Any) -> Any:
    """A program of native steps that isn't quick: it checks indices, or an output is an input."""
    if program.native_steps < len(program.steps):
        return None
    names = (*program.inputs,)
    return lambda inputs: tuple(program.run(dict(zip(names, inputs, strict=True))).values())
