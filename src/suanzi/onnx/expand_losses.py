"""The CTC loss, written out in ONNX's operators: its steps are a Scan's."""

from typing import Any

import numpy as np

from suanzi.graph import Graph
from suanzi.graph.control_flow import Scan
from suanzi.graph.trace import Trace
from suanzi.operators import (
    Clip,
    Concat,
    CTCLoss,
    CumSum,
    Equal,
    Exp,
    Gather,
    GatherElements,
    IsInf,
    Log,
    Pad,
    ReduceMax,
    ReduceSum,
    Where,
)
from suanzi.operators._compose import part
from suanzi.operators._gradients import expand, like, reshape
from suanzi.operators._operator import TensorType
from suanzi.operators.cast import cast


def ctc_loss(op: CTCLoss, log_probs: Any, targets: Any, steps: Any, letters: Any) -> Any:
    """-log of the sum over the paths; see operators/ctc_loss.py."""
    T, N, _ = log_probs.shape
    whole = np.dtype(np.int64)
    targets, steps, letters = (cast(x, whole) for x in (targets, steps, letters))
    rows = _rows(targets, letters, N)
    S = rows.shape[1]
    place, blank, low = np.arange(2 * S + 1), np.array(op.blank), like(-np.inf, log_probs)
    # A blank, a letter, a blank, ..., a blank; what lies beyond a target's end leads nowhere.
    pairs = Concat(axis=2)(expand(blank, (N, S, 1)), reshape(rows, (N, S, 1)))
    classes = Concat(axis=1)(reshape(pairs, (N, 2 * S)), expand(blank, (N, 1)))
    before = Pad()(part(classes, 1, 0, 2 * S - 1), np.array([0, 2, 0, 0]), np.array(-1))
    skips = ~(Equal()(classes, blank) | Equal()(classes, before)) & (place > 1)
    each = expand(reshape(classes, (1, N, 2 * S + 1)), (T, N, 2 * S + 1))
    emissions = GatherElements(axis=2)(log_probs, each)
    start = expand(np.where(place == 0, like(0, log_probs), low), (N, 2 * S + 1))
    going = np.arange(T).reshape(T, 1, 1) < reshape(steps, (1, N, 1))
    scan = Scan(body=_step((N, 2 * S + 1), emissions.dtype), num_scan_inputs=2, captures=1)
    last = scan(start, emissions, going, skips)
    ends = reshape(letters, (N, 1)) * 2
    final = Equal()(place[None], ends) | Equal()(place[None], ends - 1)
    loss = -_log_sum(Where()(final, last, low), 1)
    return Where()(IsInf()(loss), like(0, log_probs), loss) if op.zero_infinity else loss


def _rows(targets: Any, lengths: Any, N: int) -> Any:
    """The targets as rows, which are as long as the longest could be."""
    if len(targets.shape) == 2:
        return targets
    S = targets.shape[0]
    starts = CumSum()(lengths, np.array(0)) - lengths
    places = Clip()(reshape(starts, (N, 1)) + np.arange(S), np.array(0), np.array(S - 1))
    return Gather()(targets, places)


def _step(shape: tuple[int, int], dtype: np.dtype[Any]) -> Graph:
    """One step: what all ways to each place have written, from what they had, what is written now,
    whether the sequence still goes on, and which places may be skipped."""
    trace = Trace()
    truth = np.dtype(np.bool_)
    sums = trace.input(TensorType(dtype, shape), "sums")
    emitted = trace.input(TensorType(dtype, shape), "emitted")
    going = trace.input(TensorType(truth, (shape[0], 1)), "going")
    skips = trace.input(TensorType(truth, shape), "skips")
    low = like(-np.inf, sums)
    size = shape[1]
    one = Pad()(part(sums, 1, 0, size - 1), np.array([0, 1, 0, 0]), low)
    two = Pad()(part(sums, 1, 0, size - 2), np.array([0, 2, 0, 0]), low) if size > 2 else one
    ways = Concat(axis=0)(*(reshape(x, (1, *shape)) for x in (sums, one, Where()(skips, two, low))))
    return trace.graph([Where()(going, _log_sum(ways, 0) + emitted, sums)], "step")


def _log_sum(x: Any, axis: int) -> Any:
    """log Σ exp(x) along the axis; of nothing but -∞ it is -∞."""
    axes = np.array([axis])
    most = ReduceMax(keepdims=1)(x, axes)
    base = Where()(IsInf()(most), like(0, x), most)
    total = Log()(ReduceSum(keepdims=1)(Exp()(x - base), axes)) + base
    shape = tuple(d for i, d in enumerate(x.shape) if i != axis)
    return reshape(total, shape)
