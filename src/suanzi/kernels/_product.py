"""What a product of matrices computes, brought to one form."""

import math
from dataclasses import dataclass

from suanzi.kernels._kernel import Operand, Site
from suanzi.operators._operator import Ints, broadcast_shapes
from suanzi.operators.linear import Gemm, MatMul

Batch = tuple[tuple[int, int, int], ...]
"""For each batch axis its size, and how many matrices of A and of B one step along it passes."""


@dataclass(frozen=True)
class Product:
    """What a site computes: Y[batch] = alpha · A[batch]·B[batch] + beta · C."""

    M: int
    N: int
    K: int
    batch: Batch = ()
    a_transposed: bool = False
    b_transposed: bool = False
    alpha: float = 1.0
    beta: float = 1.0
    c: int | None = None
    c_steps: tuple[int, int] | None = None

    @property
    def matrices(self) -> int:
        return math.prod(size for size, _, _ in self.batch)


def product_of(site: Site) -> Product:
    """The product that a MatMul or Gemm computes."""
    A, B = site.inputs[0], site.inputs[1]
    assert A is not None
    assert B is not None
    if isinstance(site.operator, Gemm):
        return gemm_product(site.operator, site.inputs)
    assert isinstance(site.operator, MatMul)
    return matmul_product(A.shape, B.shape)


def matmul_product(a: Ints, b: Ints) -> Product:
    """The product of shapes under NumPy's rules: vectors become matrices, the rest is broadcast."""
    a = (1, *a) if len(a) == 1 else a
    b = (*b, 1) if len(b) == 1 else b
    (M, K), N = a[-2:], b[-1]
    if math.prod(b[:-2]) == 1:  # one B: A's matrices are one tall one
        return Product(M * math.prod(a[:-2]), N, K)
    sizes = broadcast_shapes(a[:-2], b[:-2])
    assert sizes is not None
    axes: list[tuple[int, int, int]] = []
    a_step = b_step = 1
    for i in range(1, len(sizes) + 1):
        size = sizes[-i]
        assert isinstance(size, int)
        a_size = a[-2 - i] if i <= len(a) - 2 else 1
        b_size = b[-2 - i] if i <= len(b) - 2 else 1
        axis = (size, a_step if a_size > 1 else 0, b_step if b_size > 1 else 0)
        a_step, b_step = a_step * a_size, b_step * b_size
        if axes and axis[1:] == (axes[-1][0] * axes[-1][1], axes[-1][0] * axes[-1][2]):
            axes[-1] = (axes[-1][0] * size, *axes[-1][1:])
        elif size > 1:
            axes.append(axis)
    return Product(M, N, K, tuple(axes[::-1]))


def gemm_product(gemm: Gemm, inputs: tuple[Operand | None, ...]) -> Product:
    A, B = inputs[0], inputs[1]
    assert A is not None
    assert B is not None
    M, K = A.shape[::-1] if gemm.transA else A.shape
    N = B.shape[0] if gemm.transB else B.shape[1]
    C = inputs[2] if len(inputs) > 2 and gemm.beta else None
    steps = None
    if C is not None:
        rows, columns = (1, 1, *C.shape)[-2:]
        steps = (columns if rows > 1 else 0, 1 if columns > 1 else 0)
    return Product(
        M, N, K, (), bool(gemm.transA), bool(gemm.transB), gemm.alpha, gemm.beta,
        None if C is None else 2, steps,
    )  # fmt: skip
