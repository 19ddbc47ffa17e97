"""Runs the calls that a chooser makes, and holds them to the operator's definition."""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from suanzi.graph.fused import Chain, Fused
from suanzi.kernels._kernel import Chooser, Fault, Input, Operand, Output, Packed, Scratch, Site
from suanzi.lang import TARGETS, Target, ceil_div, host_target
from suanzi.operators._operator import Operator, TensorType
from suanzi.runtime.machine import compile_object, load

SMALLER = {"avx512": ("avx2", "portable"), "avx2": ("portable",)}
RUNNABLE = [host_target(), *(TARGETS[name] for name in SMALLER.get(host_target().name, ()))]
"""The targets whose code runs on this machine, to parametrize tests with."""

GUARD = 64  # elements before and after each buffer, which no kernel may write


def to_layout(x: np.ndarray, lanes: int) -> np.ndarray:
    """The tensor as it lies in memory; the lanes beyond the last channel are NaN, to be ignored."""
    if not lanes:
        return np.ascontiguousarray(x).ravel()
    N, C, *spatial = x.shape
    blocks = ceil_div(C, lanes)
    full = np.full((N, blocks * lanes, *spatial), np.nan, x.dtype)
    full[:, :C] = x
    return np.moveaxis(full.reshape(N, blocks, lanes, *spatial), 2, -1).ravel()


def from_layout(flat: np.ndarray, shape: Sequence[int], lanes: int) -> np.ndarray:
    if not lanes:
        return flat.reshape(shape)
    N, C, *spatial = shape
    blocked = flat.reshape(N, ceil_div(C, lanes), *spatial, lanes)
    return np.moveaxis(blocked, -1, 2).reshape(N, -1, *spatial)[:, :C]


def guarded(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A buffer between guards: (the whole, the part inside)."""
    whole = np.full(values.size + 2 * GUARD, 77, values.dtype)
    whole[GUARD : GUARD + values.size] = values
    return whole, whole[GUARD : GUARD + values.size]


def make_site(
    operator: Operator,
    inputs: Sequence[np.ndarray | None],
    *,
    input_lanes: Sequence[int] | int = 0,
    output_lanes: Sequence[int] | int = 0,
    constants: Sequence[int] = (),
    chain: Chain | None = None,
    extras: Sequence[np.ndarray] = (),
    extra_lanes: Sequence[int] | int = 0,
    constant_extras: Sequence[int] = (),
    outputs: int | None = None,
    target: Target | None = None,
    threads: int = 1,
) -> Site:
    """A site with these arrays: those numbered in `constants` are constant, the rest arrive."""
    target = target or host_target()

    def operands(arrays: Sequence[Any], lanes: Any, constant: Sequence[int]) -> tuple[Any, ...]:
        each = [lanes] * len(arrays) if isinstance(lanes, int) else lanes
        return tuple(
            None
            if a is None
            else Operand(TensorType(a.dtype, a.shape), each[i], a if i in constant else None)
            for i, a in enumerate(arrays)
        )

    types = [None if a is None else TensorType(a.dtype, a.shape, a) for a in inputs]
    made = operator.infer_all(types)[:outputs]
    if chain is not None:
        made = (chain.infer(made[0], *(TensorType(e.dtype, e.shape) for e in extras)),)
    each = [output_lanes] * len(made) if isinstance(output_lanes, int) else output_lanes
    return Site(
        operator,
        operands(inputs, input_lanes, constants),
        tuple(
            Operand(TensorType(t.dtype, t.shape), lanes)
            for t, lanes in zip(made, each, strict=False)
        ),
        target,
        threads,
        chain,
        operands(extras, extra_lanes, constant_extras),
    )


def run_site(
    choose: Chooser, site: Site, arrays: Sequence[np.ndarray | None]
) -> list[np.ndarray] | None:
    """What the chosen calls compute, each chunk called by itself and in reverse order, so that
    their order can't matter; None where the chooser declines. `arrays`: the inputs, then extras.
    """
    calls = choose(site)
    if calls is None:
        return None
    operands = [*site.inputs, *site.extras]
    buffers = [
        None if x is None or a is None else guarded(to_layout(a, x.lanes))
        for x, a in zip(operands, arrays, strict=True)
    ]
    outputs = [guarded(np.full(o.elements, 55, o.type.dtype)) for o in site.outputs]
    scratch: dict[str, Any] = {}
    keep: list[Any] = []
    faults: list[tuple[int, np.ndarray]] = []
    for call in calls:
        kernel = call.kernel
        code = load({kernel.symbol: compile_object(kernel.ir(site.target), site.target)})
        table = []
        for argument in call.arguments:
            match argument:
                case Input(number):
                    table.append(buffers[number][1].ctypes.data)
                case Output(number):
                    table.append(outputs[number][1].ctypes.data)
                case Packed(pack, sources):
                    constant = pack(*(operands[i].constant for i in sources))
                    whole, inside = guarded(np.ascontiguousarray(constant).ravel())
                    keep.append(whole)
                    table.append(inside.ctypes.data)
                case Scratch(name, nbytes):
                    if name not in scratch:
                        scratch[name] = guarded(np.full(ceil_div(nbytes, 4), np.nan, np.float32))
                    table.append(scratch[name][1].ctypes.data)
                case Fault(number):
                    faults.append((number, np.zeros(1, np.int64)))
                    table.append(faults[-1][1].ctypes.data)
        words = np.array([*table, *call.sizes], np.int64)
        assert len(table) == kernel.pointer_count()
        assert len(call.sizes) == kernel.sizes
        kinds = [ctypes.c_void_p, *[ctypes.c_int64] * 3]
        function = ctypes.CFUNCTYPE(None, *kinds)(code[kernel.symbol])
        for chunk in reversed(range(call.chunks)):
            function(words.ctypes.data, chunk, chunk + 1, 0)
        del code
    for number, word in faults:
        assert not word[0], f"input {number} has an index out of range: {word[0]}"
    for whole, _ in [*outputs, *(b for b in buffers if b), *scratch.values()]:
        guard = np.asarray(77, whole.dtype)
        assert (whole[:GUARD] == guard).all(), "written before a buffer"
        assert (whole[-GUARD:] == guard).all(), "written beyond a buffer"
    return [
        from_layout(inside, o.shape, o.lanes)
        for (_, inside), o in zip(outputs, site.outputs, strict=True)
    ]


def check(
    choose: Chooser,
    operator: Operator,
    inputs: Sequence[np.ndarray | None],
    *,
    extras: Sequence[np.ndarray] = (),
    chain: Chain | None = None,
    tolerance: float = 1e-5,
    must: bool = True,
    **layout: Any,
) -> Site:
    """The kernel agrees with the definition (computed in float64) relative to the largest value."""
    site = make_site(operator, inputs, extras=extras, chain=chain, **layout)
    got = run_site(choose, site, [*inputs, *extras])
    if got is None:
        assert not must, f"no kernel for {operator}"
        return site
    meaning = operator if chain is None else Fused(operator, len(inputs), chain)
    wide = [
        a.astype(np.float64) if a is not None and a.dtype == np.float32 else a
        for a in [*inputs, *extras]
    ]
    with np.errstate(all="ignore"):
        expected = meaning.numpy_all(wide)
    for mine, right in zip(got, expected, strict=False):
        scale = np.abs(right[np.isfinite(right)]).max(initial=1e-30)
        np.testing.assert_allclose(mine, right, rtol=tolerance, atol=tolerance * scale)
    return site
