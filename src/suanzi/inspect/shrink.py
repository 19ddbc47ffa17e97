"""The smallest part of a model on which two ways of computing still differ: for a bug report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suanzi.inspect.compare import Progress, ValueComparison, ValueDifference, compare_values
from suanzi.inspect.extract import borders
from suanzi.inspect.saved import keep
from suanzi.inspect.sides import recorded, side
from suanzi.inspect.values import Values
from suanzi.operators._operator import Array

if TYPE_CHECKING:
    from suanzi.onnx.cut import Original


@dataclass(frozen=True)
class Shrunk:
    """A model of its own with its inputs, and the two results that differ. `nodes` are the numbers
    of the whole model's nodes that are in it."""

    nodes: tuple[int, ...]
    model: bytes
    inputs: Mapping[str, Array]
    ours: Mapping[str, Array]
    theirs: Mapping[str, Array]
    worst: ValueDifference

    def save(self, folder: Path, found: ValueComparison) -> None:
        """Writes model.onnx, a folder each of inputs, ours and theirs, and what to do with them."""
        for name in ("inputs", "ours", "theirs"):
            keep(getattr(self, name), folder / name)
        (folder / "model.onnx").write_bytes(self.model)
        (folder / "README.md").write_text(self._report(found))

    def _report(self, found: ValueComparison) -> str:
        d = self.worst
        return (
            f"# {d.operator}: {found.ours} and {found.against} differ\n\n"
            f"`model.onnx` has {len(self.nodes)} nodes. On `inputs/` one gives `ours/`, the other "
            f"`theirs/` (a .npy for each value).\n\n"
            f"Largest difference of `{d.value}`: {d.max_abs} ({d.max_rel} of its largest "
            f"magnitude, {d.ulps} ulps) at {d.at}: {d.ours} and {d.theirs}. {d.note}\n"
        )


def shrink(
    values: Values,
    original: Original,
    found: ValueComparison,
    progress: Progress = lambda note, share: None,
) -> Shrunk | None:
    """Of a comparison in which values are apart: the least number of nodes up to the first that
    parts which, cut out and given the values of our run, still differ. None where they agree.

    Where the other side is values alone (saved tensors, PyTorch's program) it is that node, given
    what was saved.
    """
    if found.first is None:
        return None
    last = int(found.first)
    if recorded(found.against):
        return _alone(values, original, found, last)
    cone = _before(values, last)

    def tried(count: int) -> Shrunk | None:
        progress(f"trying {count} of {len(cone)} nodes", None)
        return _part(values, original, found, cone[-count:], last)

    agree, differ = 0, 1  # with so many of the last nodes
    best = tried(1)
    while best is None and differ < len(cone):
        agree, differ = differ, min(2 * differ, len(cone))
        best = tried(differ)
    while best is not None and differ - agree > 1:
        middle = (agree + differ) // 2
        part = tried(middle)
        if part is None:
            agree = middle
        else:
            differ, best = middle, part
    return best


def _before(values: Values, last: int) -> list[int]:
    """The nodes that one depends on, and it, in order."""
    nodes = values.graph.nodes
    makers = {name: i for i, node in enumerate(nodes) for name in node.outputs if name}
    seen, todo = {last}, [last]
    while todo:
        for name in nodes[todo.pop()].inputs:
            i = makers.get(name)
            if i is not None and i not in seen:
                seen.add(i)
                todo.append(i)
    return sorted(seen)


def _part(
    values: Values, original: Original, found: ValueComparison, nodes: Sequence[int], last: int
) -> Shrunk | None:
    """These nodes as a model, where the two still differ on it."""
    from suanzi.onnx.cut import Original

    session = values.session
    inputs, _ = borders(values.graph, nodes)
    outputs = [name for name in values.graph.nodes[last].outputs if name in values.graph.types]
    model = original.cut(inputs, [n for n in outputs if n], values.graph.types)
    compiler = session.compiler
    made = type(session)(
        model, threads=compiler.threads, target=compiler.target, precision=compiler.precision
    )
    run = Values(made, {name: values.get(name) for name in made.graph.inputs})
    whole = Original(model)
    compared = compare_values(run, whole, found.against, found.tolerance)
    ends = [d for d in compared.values if d.apart and d.value in run.outputs]
    if not ends:
        return None
    theirs = side(run, whole, found.against)(list(run.outputs))
    return _shrunk(nodes, model, run.feeds, run.outputs, theirs, ends)


def _alone(values: Values, original: Original, found: ValueComparison, last: int) -> Shrunk:
    inputs, outputs = borders(values.graph, [last])
    theirs = side(values, original, found.against)([*inputs, *outputs])
    model = original.cut(inputs, outputs, values.graph.types)
    feeds = {name: theirs.get(name, values.get(name)) for name in inputs}
    ours = {name: values.get(name) for name in outputs}
    ends = [d for d in found.values if d.apart and d.node == found.first]
    return _shrunk([last], model, feeds, ours, theirs, ends)


def _shrunk(
    nodes: Sequence[int], model: bytes, feeds: Mapping[str, Any], ours: Mapping[str, Any],
    theirs: Mapping[str, Any], ends: Sequence[ValueDifference],
) -> Shrunk:  # fmt: skip
    arrays = [
        {name: np.asarray(x) for name, x in part.items() if isinstance(x, np.ndarray)}
        for part in (feeds, ours, {n: x for n, x in theirs.items() if n in ours})
    ]
    worst = max(ends, key=lambda d: np.inf if d.max_rel is None else d.max_rel)
    return Shrunk(tuple(nodes), model, arrays[0], arrays[1], arrays[2], worst)
