"""`torch.compile(model, backend="suanzi")`: PyTorch's graphs on our operators.

Dynamo hands over a graph of PyTorch's functions. Ours have the same names, so each is called by
its name on our tensors, under `suanzi.compile`, which makes a program of it for each set of shapes.
What we lack runs in PyTorch: the graph is cut there, with a warning that says what and why.

Tensors share their memory both ways; parameters are read where PyTorch has them, so that weights
loaded or changed later count.
"""

from __future__ import annotations

import functools
import operator
import warnings
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch.fx import GraphModule, Node, map_arg
from torch.fx.passes.split_module import split_module

import suanzi
from suanzi.errors import SuanziError
from suanzi.interop.torch_layers import multi_head_attention, transformer_encoder_layer
from suanzi.nn import functional
from suanzi.tensor import Tensor, leaf

PLACES = (
    (torch, (suanzi, functional)),
    (torch.nn.functional, (functional, suanzi)),
    (torch._C._nn, (functional, suanzi)),
    (torch.special, (suanzi.special,)),
    (torch.linalg, (suanzi.linalg,)),
)
"""Where PyTorch has a function, and where ours of that name may be."""

LAYERS: dict[Any, Callable[..., Any]] = {
    torch._transformer_encoder_layer_fwd: transformer_encoder_layer,
    torch._native_multi_head_attention: multi_head_attention,
}
"""Ours of another name."""

UNLIKE = {"dropout", "rand", "randn", "randint", "bernoulli", "multinomial", "normal", "randperm"}
"""Those that draw numbers: ours would be others than PyTorch's generator gives."""

DTYPES = {
    torch.float64, torch.float32, torch.float16, torch.int64, torch.int32, torch.int16, torch.int8,
    torch.uint8, torch.bool,
}  # fmt: skip


MOST_CHANGES = 3
"""How often parameters may change before they are taken as inputs."""


class UnsupportedWarning(UserWarning):
    """Something runs in PyTorch, since we lack it."""


def backend(graph: GraphModule, example_inputs: Sequence[Any], **_options: Any) -> Any:
    """Dynamo's backend: what runs in place of the graph.

    A graph whose gradients are wanted runs in PyTorch: train by `suanzi.compile` instead.
    """
    if torch.is_grad_enabled() and any(_trains(x) for x in example_inputs):
        return _in_pytorch(graph, "gradients are wanted: call it under torch.no_grad()")
    why = _whole(graph, example_inputs)
    if why:
        return _in_pytorch(graph, why)
    lacking = {n: why for n in graph.graph.nodes if (why := _lacks(n))}
    if not lacking:
        return _Compiled(graph)
    told = ", ".join(sorted({f"{_title(n)} ({why})" for n, why in lacking.items()}))
    work = [n for n in graph.graph.nodes if n.op not in ("placeholder", "output", "get_attr")]
    if all(n in lacking for n in work):
        return _in_pytorch(graph, told)
    _warn(f"runs in PyTorch: {told}")
    return _split(graph, set(lacking))


def _stays(value: torch.Tensor) -> bool:
    """Whether it is a module's parameter or buffer; Dynamo marks those."""
    marked = getattr(value, "_dynamo_static_input_type", None) is not None
    return marked or isinstance(value, torch.nn.Parameter)


def _trains(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.requires_grad


def _in_pytorch(graph: GraphModule, why: str) -> Callable[..., Any]:
    _warn(f"a graph of {len(graph.graph.nodes)} nodes runs in PyTorch: {why}")
    forward: Callable[..., Any] = graph.forward
    return forward


def _warn(text: str) -> None:
    warnings.warn(f"suanzi: {text}", UnsupportedWarning, stacklevel=3)


def _whole(graph: GraphModule, inputs: Sequence[Any]) -> str:
    """Why nothing of a graph can be ours; empty where it can."""
    for x in inputs:
        if not isinstance(x, torch.Tensor):
            continue
        if x.device.type != "cpu":
            return f"a tensor is on {x.device}"
        if x.dtype not in DTYPES:
            return f"a tensor is of {x.dtype}"
        if x.layout != torch.strided or x.is_quantized:
            return "a tensor is sparse or quantized"
    if _aliases(graph):
        return "it returns a view of what it is given"
    return ""


def _aliases(graph: GraphModule) -> bool:
    """Whether an output shares an input's memory, as far as Dynamo has told what each is like."""
    nodes = graph.graph.nodes
    given = {_storage(n) for n in nodes if n.op in ("placeholder", "get_attr")} - {None}
    (output,) = (n for n in nodes if n.op == "output")
    return any(_storage(n) in given for n in output.all_input_nodes)


def _storage(node: Node) -> int | None:
    value = node.meta.get("example_value")
    return value.untyped_storage()._cdata if isinstance(value, torch.Tensor) else None


def _lacks(node: Node) -> str:
    """Why a node can't be ours; empty where it can."""
    for other in (node, *node.all_input_nodes):
        value = other.meta.get("example_value")
        if isinstance(value, torch.Tensor) and value.dtype not in DTYPES:
            return f"{'makes' if other is node else 'reads'} {value.dtype}"
    match node.op:
        case "call_function":
            try:
                ours(node.target)
            except SuanziError as error:
                return str(error)
            if _title(node) in UNLIKE and not _idle(node):
                return "draws random numbers"
            return ""
        case "call_method":
            return "" if hasattr(Tensor, str(node.target)) else "is no method of ours"
        case "call_module":
            return "is a module that Dynamo left whole"
    return ""


def _idle(node: Node) -> bool:
    """Whether a dropout does nothing, being in evaluation."""
    args = dict(zip(("input", "p", "training"), node.args, strict=False)) | node.kwargs
    return "dropout" in str(node.target) and args.get("training") is False


def _title(node: Node) -> str:
    return getattr(node.target, "__name__", str(node.target))


@functools.cache
def ours(target: Any) -> Callable[..., Any]:
    """Our function in the place of PyTorch's.

    >>> ours(torch.relu).__module__
    'suanzi.tensor.mathematics'
    """
    if target in LAYERS:
        return LAYERS[target]
    name = getattr(target, "__name__", str(target))
    if getattr(operator, name, None) is target or target is getattr:
        return cast(Callable[..., Any], target)
    for theirs, places in PLACES:
        if getattr(theirs, name, None) is target:
            for place in places:
                found: Any = getattr(place, name, None)
                if found is not None:
                    return cast(Callable[..., Any], found)
    raise SuanziError("is no function of ours")


def _split(graph: GraphModule, lacking: set[Node]) -> Callable[..., Any]:
    """The graph cut where something is lacking: the parts between are compiled."""
    parts: dict[Node, int] = {}
    part, before = 0, False
    for node in graph.graph.nodes:
        if node.op in ("placeholder", "output", "get_attr"):
            continue
        if (node in lacking) != before:
            part, before = part + 1, node in lacking
        parts[node] = part
    made = split_module(graph, graph, lambda node: parts.get(node, 0), keep_original_order=True)
    theirs = {f"submod_{parts[node]}" for node in lacking}
    for name, child in made.named_children():
        if isinstance(child, GraphModule) and name not in theirs:
            setattr(made, name, _Part(child))
    forward: Callable[..., Any] = made.forward
    return forward


class _Part(torch.nn.Module):  # type: ignore[misc]  # PyTorch's types are Any here
    """A compiled part, as a module of the graph that was cut."""

    def __init__(self, graph: GraphModule) -> None:
        super().__init__()
        self.run = _Compiled(graph)

    def forward(self, *inputs: Any) -> Any:
        return self.run(*inputs)


class _Compiled:
    """A graph as programs of ours, one for each set of shapes and numbers.

    Parameters and buffers are constants of the programs, which are packed once, until they change;
    where they do again and again they become inputs like any.
    """

    def __init__(self, graph: GraphModule) -> None:
        self.graph = graph
        self.failed = False
        self.programs: dict[tuple[Any, ...], Callable[..., Any]] = {}
        self.constants: dict[str, Any] = {}
        self.fixed: dict[int, tuple[Tensor, int, int]] | None = None
        """Of inputs that are constants: ours, and where and at which version PyTorch's is."""
        self.changes = 0

    def __call__(self, *inputs: Any) -> Any:
        if self.failed:
            return self.graph(*inputs)
        if self.fixed is None or self._changed(inputs, self.fixed):
            self._fix(inputs)
        fixed = self.fixed or {}
        numbers = tuple([None if isinstance(x, torch.Tensor) else x for x in inputs])
        program = self.programs.get(numbers)
        if program is None:
            program = self.programs[numbers] = suanzi.compile(self._function(numbers))
        tensors = [
            to_suanzi(x)
            for i, x in enumerate(inputs)
            if i not in fixed and isinstance(x, torch.Tensor)
        ]
        try:
            with suanzi.no_grad():
                made = program(*tensors)
        except (SuanziError, TypeError, AttributeError, NotImplementedError) as error:
            self.failed = True  # what it lacks shows when it is first traced, before anything ran
            _warn(f"a graph of {len(self.graph.graph.nodes)} nodes runs in PyTorch: {error}")
            return self.graph(*inputs)
        return _to_torch(made)

    def _fix(self, inputs: Sequence[Any]) -> None:
        self.changes += self.fixed is not None
        self.programs.clear()
        self.fixed = {
            i: (to_suanzi(x), x.data_ptr(), x._version)
            for i, x in enumerate(inputs)
            if self.changes < MOST_CHANGES and isinstance(x, torch.Tensor) and _stays(x)
        }

    @staticmethod
    def _changed(inputs: Sequence[Any], fixed: dict[int, tuple[Tensor, int, int]]) -> bool:
        for i, (_, place, version) in fixed.items():
            x = inputs[i]
            if x._version != version or x.data_ptr() != place:
                return True
        return False

    def _function(self, numbers: tuple[Any, ...]) -> Callable[..., Any]:
        """The graph as a function of our tensors, its numbers fixed."""

        def run(*tensors: Tensor) -> Any:
            given, values = iter(tensors), iter(enumerate(numbers))
            fixed = self.fixed or {}
            known: dict[Node, Any] = {}
            for node in self.graph.graph.nodes:
                if node.op == "placeholder":
                    i, number = next(values)
                    if i in fixed:
                        known[node] = fixed[i][0]
                    else:
                        known[node] = next(given) if number is None else number
                elif node.op == "output":
                    return self._arguments(node.args[0], known)
                else:
                    known[node] = self._do(node, known)
            raise AssertionError("a graph has an output")

        return run

    def _do(self, node: Node, known: dict[Node, Any]) -> Any:
        if node.op == "get_attr":
            return self._constant(str(node.target))
        args = self._arguments(node.args, known)
        kwargs = self._arguments(node.kwargs, known)
        if node.op == "call_method" and node.target == "item":
            return args[0]  # a number that Dynamo has made a tensor: as one it broadcasts
        if node.op == "call_method":
            return getattr(args[0], str(node.target))(*args[1:], **kwargs)
        return ours(node.target)(*args, **kwargs)

    def _constant(self, name: str) -> Any:
        if name not in self.constants:
            value = operator.attrgetter(name)(self.graph)
            self.constants[name] = to_suanzi(value)
        return self.constants[name]

    def _arguments(self, given: Any, known: dict[Node, Any]) -> Any:
        """Arguments with the nodes' values, and PyTorch's types and devices as ours."""
        hold: Callable[[Node], Any] = lambda node: _Held(known[node])  # noqa: E731
        return _translated(map_arg(given, hold))


class _Held:
    """A value in an argument's place; `map_arg` would take tuples apart."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _translated(given: Any) -> Any:
    match given:
        case _Held():
            return given.value
        case torch.dtype():
            return getattr(suanzi, str(given).removeprefix("torch."))
        case torch.device():
            return suanzi.device(given.type)
        case torch.Size():
            return tuple(given)
        case slice():
            return slice(*(_translated(x) for x in (given.start, given.stop, given.step)))
        case tuple() | list():
            return type(given)(_translated(x) for x in given)
        case dict():
            return {k: _translated(v) for k, v in given.items() if k != "memory_format"}
    return given


def to_suanzi(tensor: torch.Tensor) -> Tensor:
    """On the same memory."""
    return leaf(tensor.detach().numpy())


def _to_torch(value: Any) -> Any:
    match value:
        case Tensor():
            array = value.numpy_()
            return torch.from_numpy(array if array.flags.writeable else np.array(array))
        case tuple() | list():
            return type(value)(_to_torch(x) for x in value)
    return value
