"""Matrices put into the order in which products read them."""

from dataclasses import dataclass, replace

import numpy as np

from suanzi.graph.fused import TransposedMatMul
from suanzi.kernels._kernel import Call, Choice, Input, Operand, Scratch, Site
from suanzi.kernels.copy import copy
from suanzi.lang import ceil_div
from suanzi.operators._operator import Array, TensorType
from suanzi.operators.linear import Gemm


@dataclass(frozen=True)
class PackPanels:
    """B [K, N] (or its transpose) times `scale` to [ceil(N/width)][K][width], padded with zeros."""

    width: int
    transposed: bool = False
    scale: float = 1.0

    def __call__(self, B: Array) -> Array:
        B = np.atleast_2d(B.T).T if B.ndim == 1 else B.reshape(B.shape[-2:])
        B = B.T if self.transposed else B
        K, N = B.shape
        panels = np.zeros((ceil_div(N, self.width), K, self.width), np.float32)
        whole = N // self.width
        panels[:whole] = B[:, : whole * self.width].reshape(K, whole, self.width).transpose(1, 0, 2)
        panels[whole:, :, : N % self.width] = B[:, whole * self.width :]
        if self.scale != 1:
            panels *= np.float32(self.scale)
        return panels


def in_panels(site: Site, width: int) -> tuple[tuple[Call, ...], Scratch] | None:
    """The calls that put a B that arrives at run time into panels as PackPanels does, but for what
    is beyond its columns, which may be anything; and where the panels are then.
    """
    matrices = _in_order(site, 1)
    *batch, K, N = matrices.shape
    panels = np.empty((*batch, ceil_div(N, width), K, width), np.float32)
    whole, rest = divmod(N, width)
    cut = matrices[..., : whole * width].reshape(*batch, K, whole, width)
    scratch = Scratch("panels", panels.nbytes)
    calls = _copied(site, 1, scratch, panels[..., :whole, :, :], cut.swapaxes(-3, -2))
    over = _copied(site, 1, scratch, panels[..., -1, :, :rest], matrices[..., whole * width :])
    return None if calls is None or over is None else ((*calls, *over), scratch)


def in_rows(site: Site) -> tuple[Site, tuple[Call, ...], Scratch] | None:
    """The site with an A whose rows lie one after another, the calls that copy it so, and where
    it is then."""
    A, operator, rows = site.inputs[0], site.operator, _in_order(site, 0)
    assert A is not None
    scratch = Scratch("rows", rows.nbytes)
    calls = _copied(site, 0, scratch, np.empty(rows.shape, np.float32), rows)
    if calls is None:
        return None
    if isinstance(operator, TransposedMatMul):
        operator = replace(operator, a=tuple(range(rows.ndim)))
    elif isinstance(operator, Gemm):
        operator = replace(operator, transA=0)
    a = Operand(TensorType(A.type.dtype, rows.shape))
    return replace(site, operator=operator, inputs=(a, *site.inputs[1:])), calls, scratch


def _in_order(site: Site, number: int) -> Array:
    """A view of an operand's memory as the matrices that are multiplied."""
    operator, operand = site.operator, site.inputs[number]
    assert operand is not None
    memory = np.empty(operand.shape, np.float32)
    if isinstance(operator, TransposedMatMul):
        return memory.transpose((operator.a, operator.b)[number])
    if isinstance(operator, Gemm) and (operator.transA, operator.transB)[number]:
        return memory.T
    return memory


def _copied(site: Site, number: int, to: Scratch, result: Array, source: Array) -> Choice:
    return copy(result, source, to, Input(number), site.target, site.threads)
