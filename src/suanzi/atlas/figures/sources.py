"""Where each output element comes from: any operator whose reads are known, on small tensors."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from suanzi.atlas.figures._sheet import GAP, MOST_CELLS, MOST_STEPS, Sheet, index_of, number
from suanzi.atlas.figures._visitor import Visitor
from suanzi.atlas.scene import Scene, Step, Text
from suanzi.errors import SuanziError
from suanzi.graph import Graph, Node
from suanzi.graph.infer import infer
from suanzi.inspect.dependence import RULES, dependence
from suanzi.operators import OPERATORS
from suanzi.operators._operator import Array, Operator, TensorType

MOST_RANK = 5


def known(name: str) -> bool:
    """Whether what the operator reads is known, and its examples can be drawn."""
    gradient = name.endswith("Gradient")  # it has another's class, not its windows' inputs
    return issubclass(OPERATORS[name], tuple(RULES)) and not gradient and bool(drawable(name))


def drawable(name: str) -> list[tuple[Operator, list[Array | None]]]:
    """The operator's examples that are small tensors of numbers."""
    return [
        (e.operator, list(e.inputs))  # type: ignore[arg-type]
        for e in OPERATORS[name].examples()
        if all(x is None or _fits(x) for x in e.inputs)
    ]


def _fits(x: Any) -> bool:
    return (
        isinstance(x, np.ndarray)
        and x.dtype.kind in "fiub"
        and x.size <= MOST_CELLS
        and x.ndim <= MOST_RANK
    )


def reads(
    operator: Operator, inputs: Sequence[Array | None], index: Sequence[int], output: int = 0
) -> list[tuple[list[tuple[int, ...]], bool]]:
    """For each input, the elements that one element of an output depends on; and whether it is
    known that no others are among them.

    >>> from suanzi.operators import Transpose
    >>> reads(Transpose(), [np.zeros((2, 3))], (2, 1))
    [([(1, 2)], True)]
    """
    names = [f"x{i}" if x is not None else "" for i, x in enumerate(inputs)]
    arrays = {n: np.asarray(x) for n, x in zip(names, inputs, strict=True) if x is not None}
    outputs = operator.infer_all([None if x is None else TensorType.of(x) for x in inputs])
    made = tuple(f"y{i}" for i in range(len(outputs)))
    types = {n: TensorType.of(a) for n, a in arrays.items()}
    node = Node(operator, tuple(names), made)
    graph = infer(Graph(tuple(arrays), made, (node,), types=types))
    sizes = outputs[output].sizes
    masks = tuple(np.arange(n) == i for n, i in zip(sizes, index, strict=True))
    found: list[tuple[list[tuple[int, ...]], bool]] = []
    for needed in dependence(graph, node, output, masks, arrays):
        if needed is None:
            found.append(([], True))
        else:
            axes, exact = needed
            found.append(([*itertools.product(*(np.flatnonzero(m).tolist() for m in axes))], exact))
    return found


def draw_sources(operator: Operator, inputs: Sequence[Array | None], visitor: Visitor) -> Scene:
    """One step for each output element, its sources marked."""
    for x in inputs:
        if x is not None and not _fits(x):
            expected = f"tensors of numbers with at most {MOST_CELLS} elements"
            raise SuanziError("too large to draw", expected=expected, found=x.shape)
    outputs = operator.numpy_all(inputs)
    result = np.asarray(outputs[0])
    if not _fits(result):
        raise SuanziError(
            "too large to draw", expected=f"{MOST_CELLS} elements", found=result.shape
        )
    sheet, begin = Sheet(), 0.0
    placed: list[Any] = []
    names = _names(operator, len(inputs))
    for name, x in zip(names, inputs, strict=True):
        if x is None:
            placed.append(None)
            continue
        tensor = sheet.tensor(name, x, begin, 0, across=1 if x.ndim > 3 else 0)
        begin = tensor.right + GAP
        placed.append(tensor)
    begin = sheet.sign("→", begin, 1.2)
    y = sheet.tensor("Y", result, begin, 0, across=1 if result.ndim > 3 else 0)
    steps = []
    for index in itertools.islice(np.ndindex(*result.shape), MOST_STEPS):
        sources = reads(operator, inputs, index)
        marks, count, parts = y.marks([index], "write"), 0, []
        exact = all(e for _, e in sources)
        for tensor, name, x, (elements, _) in zip(placed, names, inputs, sources, strict=True):
            if tensor is None or x is None:
                continue
            marks = tensor.marks(elements, "read") + marks
            count += len(elements)
            spelt = rf"\text{{{name}}}"
            parts += [f"{index_of(spelt, e)} = {number(x[e])}" for e in elements[:3]]
        sure = ("", "") if exact else (" at most", "至多 ")
        text = Text(f"reads{sure[0]} {count} elements", f"读取{sure[1]} {count} 个元素")
        latex = f"{index_of('Y', index)} = {number(result[index])}"
        if 0 < count <= 3:
            latex += r",\ " + ",\\ ".join(parts)
        steps.append(Step(marks, text, latex))
    note = None
    if result.size > len(steps):
        note = Text(
            f"{len(steps)} of {result.size} elements",
            f"共 {result.size} 个元素，此处为前 {len(steps)} 个",
        )
    title = Text("Where each output element comes from", "每个输出元素从何而来")
    return Scene(
        operator.title, "sources", title, sheet.width, sheet.height, visitor.controls, sheet.blocks,
        steps=steps, note=note,
    )  # fmt: skip


def _names(operator: Operator, count: int) -> list[str]:
    """What the definition calls its inputs; of a variadic one, numbered."""
    import inspect

    named = []
    for p in inspect.signature(operator.numpy).parameters.values():
        if p.kind is p.VAR_POSITIONAL:
            break
        named.append(p.name)
    return named[:count] + [f"X{i}" for i in range(len(named), count)]


def draw_example(name: str, visitor: Visitor) -> Scene:
    """The figure of one of the operator's own examples."""
    examples = drawable(name)
    chosen = visitor.int("example", Text("example", "示例"), 0, 0, len(examples) - 1)
    return draw_sources(*examples[chosen], visitor)
