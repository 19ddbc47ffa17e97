"""suanzi.export: a module, or a function, as an ONNX file.

It is traced as `compile` traces it. What it captures (parameters, buffers) are the file's
initializers under the names of its state_dict; what it changes in place (running statistics in
training) are further outputs. Sizes that are to be dynamic are traced several times, and the
traces made one (graph/unify.py).
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.graph import Graph
from suanzi.graph.rewrite import renamed
from suanzi.graph.trace import Symbol
from suanzi.operators._operator import Array, TensorType
from suanzi.tensor import structure
from suanzi.tensor.autograd import root
from suanzi.tensor.core import Tensor, wrap
from suanzi.tensor.tracing import Tracing

DynamicAxes = Mapping[str, Mapping[int, str] | Sequence[int]]
Sizes = Mapping[str, int]


def export(
    module: Callable[..., Any], args: Any = (), path: Any = None, *,
    kwargs: Mapping[str, Any] | None = None, input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None, dynamic_axes: DynamicAxes | None = None,
    opset_version: int | None = None, training: bool = False,
) -> Any:  # fmt: skip
    """The ONNX model (an onnx.ModelProto) of a module, or function, called with these arguments;
    with a path it is written there.

    A module is called in evaluation, or with `training` in training: then batch normalization
    uses the batch's statistics, dropout draws, and each buffer that is updated is an output of
    its name and "_updated". `input_names` and `output_names` name tensors in order, nested ones
    taken apart; else inputs are called after the function's parameters. `dynamic_axes` says
    which sizes may be others at each run: {"input": {0: "batch"}}, or {"input": [0]}. The opset
    is `opset_version`, or the lowest from 18 on that has every operator.

    >>> import suanzi
    >>> model = suanzi.export(lambda x: x.relu(), suanzi.ones(2, 3), dynamic_axes={"x": {0: "n"}})
    >>> [node.op_type for node in model.graph.node], model.graph.input[0].name
    (['Relu'], 'x')
    """
    from suanzi.graph.unify import unify
    from suanzi.onnx.expand import expand  # the onnx library takes time to import
    from suanzi.onnx.write import write

    positional = tuple(args) if isinstance(args, tuple | list) else (args,)
    last = args[-1] if isinstance(args, tuple) and args else None
    if kwargs is None and isinstance(last, dict):  # PyTorch's way of naming arguments
        positional, kwargs = positional[:-1], positional[-1]
    tensors, shape = structure.flatten((positional, dict(kwargs or {})))
    inputs = _input_names(module, positional, kwargs or {}, input_names, len(tensors))
    call = _Call(module, tensors, shape, inputs, list(output_names or ()))
    with _mode(module, training):
        symbols = _symbols(dynamic_axes or {}, inputs, tensors, output_names or ())
        if symbols:
            traced, sizes = _several(call, symbols)
            graph = unify([expand(graph, opset_version) for graph in traced], sizes)
            graph = _named_sizes(graph, dynamic_axes or {})
        else:
            graph = call.trace({})
    return write(graph, opset_version, path=path)


@contextmanager
def _mode(module: Any, training: bool) -> Iterator[None]:
    """In evaluation or in training; each module afterwards as it was."""
    modules = list(module.modules()) if hasattr(module, "modules") else []
    before = [(m, m.training) for m in modules]
    try:
        for m in modules:
            m.training = training
        yield
    finally:
        for m, mode in before:
            m.training = mode


def _input_names(
    module: Any, args: Sequence[Any], kwargs: Mapping[str, Any], given: Sequence[str] | None,
    count: int,
) -> list[str]:  # fmt: skip
    """A name for each tensor among the arguments."""
    names: list[str] = []
    try:
        known = list(inspect.signature(getattr(module, "forward", module)).parameters.values())
    except (TypeError, ValueError):
        known = []
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = [p.name for p in known if p.kind in kinds]
    for number, argument in enumerate(args):
        stem = parameters[number] if number < len(parameters) else f"input_{number}"
        names += _stems(stem, argument)
    for key, argument in kwargs.items():
        names += _stems(key, argument)
    given = given or ()
    names[: len(given)] = given
    if len(given) > count or len(set(names)) < len(names):
        raise SuanziError("one name for each tensor, no two the same", input="input_names",
                          expected=f"{count} names", found=names)  # fmt: skip
    return names


def _stems(stem: str, argument: Any) -> list[str]:
    count = len(structure.flatten(argument)[0])
    return [stem] if isinstance(argument, Tensor) else [f"{stem}_{i}" for i in range(count)]


# --- one trace


class _Exporting(Tracing):
    """A trace that is to leave Python: what is new at each run is drawn by the graph itself."""

    exporting = True

    def __init__(self) -> None:
        super().__init__()
        self.modules: list[Any] = []

    def each_run(
        self, kind: TensorType, make: Callable[[], Array], name: str,
        nodes: Callable[[], Tensor] | None = None,
    ) -> Tensor:  # fmt: skip
        if nodes is None:
            raise SuanziError(
                "ONNX has no operator that draws such numbers", found=kind,
                hint="Draw them outside, and give them as an input.",
            )  # fmt: skip
        return nodes()

    def visit(self, module: Any) -> None:
        super().visit(module)
        self.modules.append(module)

    def state_names(self, module: Any) -> dict[int, str]:
        """What the tensors of the modules are called, by id; the outermost module's name counts."""
        names: dict[int, str] = {}
        for m in dict.fromkeys([module, *self.modules]):
            if hasattr(m, "named_parameters"):
                for named in (m.named_parameters, m.named_buffers):
                    for name, tensor in named():
                        names.setdefault(id(root(tensor)), name)
        return names


@dataclass
class _Call:
    """A function with its arguments, whose tensors may have other sizes."""

    function: Callable[..., Any]
    tensors: Sequence[Tensor]
    shape: Any
    inputs: list[str]
    outputs: list[str]

    def trace(self, sizes: Mapping[tuple[int, int], int]) -> Graph:
        """The graph for tensors with these sizes, by tensor and axis, in place of their own."""
        with _Exporting() as tracing:
            stand_ins = []
            for number, (tensor, name) in enumerate(zip(self.tensors, self.inputs, strict=True)):
                dims = tuple(sizes.get((number, a), d) for a, d in enumerate(tensor.shape))
                stand_in = tracing.input(TensorType(tensor._value.dtype, dims), name)
                stand_in._requires_grad = tensor.requires_grad
                stand_ins.append(stand_in)
            inputs = [t._value.name for t in stand_ins]
            args, kwargs = structure.unflatten(stand_ins, self.shape)
            results, _ = structure.flatten(self.function(*args, **kwargs))
            states = tracing.state_names(self.function)
            ends = self._ends(tracing, results, states)
        names = dict(zip(inputs, self.inputs, strict=True))
        arrays = {}
        for key, (tensor, symbol) in tracing.captured.items():
            names[symbol.name] = states.get(key, "state")
            arrays[symbol.name] = np.asarray(tensor._value, order="C")
        names.update((symbol.name, name) for name, symbol in ends)
        graph = tracing.graph.graph([symbol for _, symbol in ends], type(self.function).__name__)
        graph = graph.replace(
            inputs=tuple(inputs),
            constants=graph.constants | arrays,
            types=graph.types | {name: TensorType.of(array) for name, array in arrays.items()},
        )
        return renamed(graph, names)

    def _ends(
        self, tracing: _Exporting, results: Sequence[Tensor], states: Mapping[int, str]
    ) -> list[tuple[str, Symbol]]:
        """The outputs and their names: the results, what was changed in place, and gradients."""
        if len(self.outputs) > len(results):
            raise SuanziError("more names than outputs", input="output_names",
                              expected=f"{len(results)} at most", found=self.outputs)  # fmt: skip
        usual = ["output"] if len(results) == 1 else [f"output_{i}" for i in range(len(results))]
        wanted = [*self.outputs, *usual[len(self.outputs) :]]
        ends = [(name, tracing.symbol(t)) for name, t in zip(wanted, results, strict=True)]
        for key, symbol in tracing.current.items():
            ends.append((f"{states.get(key, 'state')}_updated", symbol))
        for leaf in tracing.leaves.values():
            if leaf._grad is not None and isinstance(leaf._grad._value, Symbol):
                name = states.get(id(root(leaf)), "state")
                ends.append((f"{name}_gradient", leaf._grad._value))
        taken = {*tracing.graph.inputs, *tracing.graph.constants}
        made = []
        for name, symbol in ends:  # each output is a value of its own, that a node makes
            if symbol.name in taken:
                symbol = tracing.output(wrap(symbol))
            taken.add(symbol.name)
            made.append((name, symbol))
        return made


# --- several traces


def _symbols(
    dynamic_axes: DynamicAxes, inputs: Sequence[str], tensors: Sequence[Tensor],
    outputs: Sequence[str],
) -> dict[str, list[tuple[int, int]]]:  # fmt: skip
    """Where each symbol stands: the numbers of the tensors, and their axes."""
    found: dict[str, list[tuple[int, int]]] = {}
    for name, axes in dynamic_axes.items():
        if name not in inputs:
            if name in outputs or name.startswith("output"):
                continue  # an output's sizes follow from the inputs'
            raise SuanziError("no such input", input="dynamic_axes",
                              expected=", ".join([*inputs, *outputs]), found=name)  # fmt: skip
        number = inputs.index(name)
        rank = tensors[number].ndim
        for axis, symbol in _named_axes(name, axes).items():
            if not -rank <= axis < rank:
                raise SuanziError(f"{name} has no such axis", input="dynamic_axes",
                                  expected=f"{-rank} to {rank - 1}", found=axis)  # fmt: skip
            found.setdefault(symbol, []).append((number, axis % rank))
    for symbol, places in found.items():
        sizes = {tensors[number].shape[axis] for number, axis in places}
        if len(sizes) > 1:
            raise SuanziError("a dynamic size is one everywhere", input="dynamic_axes",
                              expected=f"one size for {symbol}", found=sorted(sizes))  # fmt: skip
    return found


def _named_axes(name: str, axes: Mapping[int, str] | Sequence[int]) -> dict[int, str]:
    """The symbol of each axis."""
    return dict(axes) if isinstance(axes, Mapping) else {a: f"{name}_{a}" for a in axes}


def _several(
    call: _Call, symbols: Mapping[str, list[tuple[int, int]]]
) -> tuple[list[Graph], dict[str, tuple[int, ...]]]:
    """Traces at several sizes, and the sizes that each symbol had in them."""
    base = {
        symbol: max(2, call.tensors[places[0][0]].shape[places[0][1]])
        for symbol, places in symbols.items()
    }
    graphs: list[Graph] = []
    sizes: list[Sizes] = []

    def attempt(chosen: Sizes) -> Exception | None:
        places = {place: chosen[symbol] for symbol in symbols for place in symbols[symbol]}
        try:
            graphs.append(call.trace(places))
        except Exception as error:  # whatever the function raises where a size doesn't suit it
            return error
        sizes.append(chosen)
        return None

    others: dict[str, int] = {}
    error = attempt(base)
    if error is not None:
        raise error
    for symbol, size in base.items():
        for other in (2 * size, size + 1, 3 * size, size - 1, size // 2):
            wrong = attempt(base | {symbol: other}) if other > 1 else None
            error = error or wrong
            if wrong is None and other > 1:
                others.setdefault(symbol, other)
            if sum(chosen[symbol] != size for chosen in sizes) == 3:
                break
        if symbol not in others:
            assert error is not None
            raise SuanziError(f"{symbol} can be no other size than {size}", input="dynamic_axes",
                              found=str(error)) from error  # fmt: skip
    if len(symbols) > 1:
        attempt(others)
    return graphs, {symbol: tuple(chosen[symbol] for chosen in sizes) for symbol in symbols}


def _named_sizes(graph: Graph, dynamic_axes: DynamicAxes) -> Graph:
    """The graph with the names that the caller has for its outputs' sizes."""
    types = dict(graph.types)
    for name in graph.outputs:
        dims = list(types[name].sizes if types[name].static else types[name].shape or ())
        for axis, symbol in _named_axes(name, dynamic_axes.get(name, ())).items():
            if -len(dims) <= axis < len(dims) and not isinstance(dims[axis], int):
                dims[axis] = symbol
        types[name] = TensorType(types[name].dtype, tuple(dims))
    return graph.replace(types=types)
