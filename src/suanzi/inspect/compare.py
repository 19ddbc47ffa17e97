"""Two ways of computing a model, value by value: where they part, and by how much."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from suanzi.graph import Node
from suanzi.inspect.peers import Source
from suanzi.inspect.sides import side
from suanzi.inspect.values import Values
from suanzi.operators._operator import Array

if TYPE_CHECKING:
    from suanzi.onnx.cut import Original

Progress = Callable[[str, float | None], None]

TOLERANCE = 1e-3
ROUNDING = 8 * float(np.finfo(np.float32).eps)
TINY = 1e-30


@dataclass(frozen=True)
class ValueDifference:
    """One value on both sides. `scale` is the largest magnitude of theirs, `max_rel` the largest
    difference over it; both differences are None where shapes differ, or NaN or infinity is on one
    side alone, which `note` tells. `at`, `ours` and `theirs` are of the largest difference, and so
    is `ulps`: in units of the last place that theirs has in our type."""

    value: str
    node: str | None
    operator: str
    max_abs: float | None
    max_rel: float | None
    mean_abs: float | None
    scale: float
    at: tuple[int, ...] | None
    ours: float | None
    theirs: float | None
    ulps: float | None
    apart: bool
    note: str


@dataclass(frozen=True)
class ValueComparison:
    """All values, in the graph's order. `first` is the first node whose inputs agree and whose
    results don't, by its number; `worst` that with the largest relative difference. `missing` are
    the values that the other side doesn't have."""

    ours: str
    against: str
    tolerance: float
    values: tuple[ValueDifference, ...]
    first: str | None
    worst: str | None
    missing: tuple[str, ...]


def compare(
    model: Source, input_feed: Mapping[str, Any], against: str, tolerance: float = TOLERANCE
) -> ValueComparison:
    """Where a model, a path or a file's bytes, parts from another runtime on some inputs.

    >>> from suanzi.data import digits, digits_model
    >>> compare(digits_model(), {"Input3": digits()["7.png"]}, "definitions").first is None
    True
    """
    from suanzi.onnx.cut import Original
    from suanzi.session import InferenceSession

    values = Values(InferenceSession(model), input_feed)
    return compare_values(values, Original(model), against, tolerance)


def compare_values(
    values: Values,
    original: Original,
    against: str,
    tolerance: float = TOLERANCE,
    progress: Progress = lambda note, share: None,
) -> ValueComparison:
    """A run of ours held to another: onnxruntime, openvino, 'definitions' (NumPy in float64),
    'strict' (ours in that precision), 'target:avx2' and the like, saved tensors (a folder of .npy
    files or an .npz), or a program that PyTorch exported (.pt2). Apart is what differs by more than
    `tolerance` of the value's scale.
    """
    theirs = side(values, original, against)
    graph = values.graph
    makers = {name: i for i, node in enumerate(graph.nodes) for name in node.outputs if name}
    found: dict[str, ValueDifference] = {}
    missing: list[str] = []
    for number, names in enumerate(values.chunks):
        progress(f"{against}: computing every value", number / len(values.chunks))
        given = theirs(names)
        for name in names:
            if name not in given:
                missing.append(name)
                continue
            node = graph.nodes[makers[name]]
            # What cancels out leaves the rounding of what it was made of.
            scale = max((found[n].scale for n in node.inputs if n in found), default=0.0)
            pair = values.get(name), given[name]
            found[name] = _difference(
                name, str(makers[name]), node, *pair, tolerance, ROUNDING * scale
            )
    parted = {name for name, d in found.items() if d.apart}
    first = next((str(i) for i, node in enumerate(graph.nodes) if _parts_here(node, parted)), None)
    measured = [d for d in found.values() if d.max_rel is not None]
    worst = max(measured, key=lambda d: d.max_rel or 0.0, default=None)
    compiler = values.session.compiler
    return ValueComparison(
        f"suanzi ({compiler.target.name}, {compiler.precision})",
        against,
        tolerance,
        tuple(found.values()),
        first,
        worst.node if worst and worst.max_rel else None,
        tuple(missing),
    )


def _parts_here(node: Node, parted: set[str]) -> bool:
    return not parted.isdisjoint(node.outputs) and parted.isdisjoint(node.inputs)


def _difference(
    name: str, number: str, node: Node, ours: Any, theirs: Any, tolerance: float, noise: float
) -> ValueDifference:
    """`noise`: a difference that tells nothing."""

    def told(
        note: str, apart: bool, measured: tuple[float, float, float] | None = None,
        scale: float = 0.0, at: tuple[int, ...] | None = None,
        pair: tuple[float | None, float | None] = (None, None), ulps: float | None = None,
    ) -> ValueDifference:  # fmt: skip
        most, relative, mean = measured or (None, None, None)
        title = node.operator.title
        return ValueDifference(
            name, number, title, most, relative, mean, scale, at, *pair, ulps, apart, note
        )

    if not isinstance(ours, np.ndarray) or not isinstance(theirs, np.ndarray):
        same = type(ours) is type(theirs) and len(ours or ()) == len(theirs or ())
        return told("not a tensor", not same)
    if ours.shape != theirs.shape:
        return told(f"shapes: {ours.shape} and {theirs.shape}", True)
    if ours.dtype == object or theirs.dtype.kind in "OSU":
        same = ours.astype(str).tolist() == theirs.astype(str).tolist()
        return told("texts", not same)
    a, b = _real(ours), _real(theirs)
    finite = np.isfinite(b)
    scale = float(np.abs(b[finite]).max(initial=0.0))
    other = ~(finite & np.isfinite(a)) & ~((a == b) | (np.isnan(a) & np.isnan(b)))
    if other.any():
        at = tuple(int(i) for i in np.argwhere(other)[0])
        note = f"NaN or infinity on one side alone: {a[at]} and {b[at]}"
        return told(note, True, None, scale, at)
    apart = np.where(finite, np.abs(np.where(finite, a, 0) - np.where(finite, b, 0)), 0)
    if not apart.size:
        return told("empty", False, (0.0, 0.0, 0.0))
    at = tuple(int(i) for i in np.unravel_index(int(apart.argmax()), apart.shape))
    most = float(apart[at])
    measured = (most, most / max(scale, TINY), float(apart.mean()))
    return told(
        "",
        most > max(tolerance * scale, noise, TINY),
        measured,
        scale,
        at,
        (float(a[at]), float(b[at])),
        ulps(most, float(b[at]), ours.dtype),
    )


def ulps(difference: float, beside: float, dtype: np.dtype[Any]) -> float | None:
    """A difference in units of the last place of the number that it is beside; None for integers.

    >>> ulps(2.4e-7, 1.0, np.dtype(np.float32))
    2.0
    """
    if dtype not in (np.float16, np.float32, np.float64):
        return None
    with np.errstate(over="ignore"):
        unit = float(np.spacing(np.abs(dtype.type(beside))))
    return round(difference / unit, 1) if np.isfinite(unit) else None


def _real(x: Array) -> Array:
    return np.abs(x).astype(np.float64) if x.dtype.kind == "c" else x.astype(np.float64)
