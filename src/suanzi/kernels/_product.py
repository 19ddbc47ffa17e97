"""What a product of matrices computes, brought to one form."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from suanzi.graph.fused import TransposedMatMul
from suanzi.kernels._kernel import Operand, Site
from suanzi.operators._operator import Ints, broadcast_shapes
from suanzi.operators.linear import Gemm, MatMul

Batch = tuple[tuple[int, int, int, int], ...]
"""For each batch axis its size, and how many matrices of A, of B and of Y (or Strides' units) one
step along it passes."""


class Strides(NamedTuple):
    """How many elements lie between matrices, rows and columns; Y's columns are next to another."""

    a: tuple[int, int, int]
    b: tuple[int, int, int]
    y: tuple[int, int]


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
    strides: Strides | None = None
    """Where they aren't those of matrices that lie one after another."""

    @property
    def matrices(self) -> int:
        return math.prod(size for size, *_ in self.batch)


def product_of(site: Site, packed: bool = False) -> Product:
    """The product that a MatMul or Gemm computes; where B is `packed`, each of its matrices by
    itself, one of a TransposedMatMul."""
    A, B = site.inputs[0], site.inputs[1]
    assert A is not None
    assert B is not None
    if isinstance(site.operator, TransposedMatMul):
        return transposed_product(site.operator, A.shape, B.shape, packed)
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
    axes: list[tuple[int, int, int, int]] = []
    a_step = b_step = y_step = 1
    for i in range(1, len(sizes) + 1):
        size = sizes[-i]
        assert isinstance(size, int)
        a_size = a[-2 - i] if i <= len(a) - 2 else 1
        b_size = b[-2 - i] if i <= len(b) - 2 else 1
        axes.append((size, a_step if a_size > 1 else 0, b_step if b_size > 1 else 0, y_step))
        a_step, b_step, y_step = a_step * a_size, b_step * b_size, y_step * size
    return Product(M, N, K, merged(axes[::-1]))


def merged(axes: Sequence[tuple[int, int, int, int]]) -> Batch:
    """The fewest axes that go over the same matrices."""
    made: list[tuple[int, int, int, int]] = []
    for axis in axes:
        size, *steps = axis
        if made and made[-1][1:] == tuple(size * step for step in steps):
            made[-1] = (made[-1][0] * size, *axis[1:])
        elif size > 1:
            made.append(axis)
    return tuple(made)


def row_major(shape: Ints) -> Ints:
    """How many elements one step along each axis passes."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def transposed_product(operator: TransposedMatMul, a: Ints, b: Ints, packed: bool) -> Product:
    a_shape, b_shape = (tuple(s[i] for i in perm) for s, perm in ((a, operator.a), (b, operator.b)))
    a_steps, b_steps = (
        tuple(row_major(s)[i] for i in perm) for s, perm in ((a, operator.a), (b, operator.b))
    )
    (M, K), N = a_shape[-2:], b_shape[-1]
    sizes = broadcast_shapes(a_shape[:-2], b_shape[:-2])
    assert sizes is not None
    shape = (*sizes, M, N)
    written = row_major(tuple(int(shape[i] or 0) for i in operator.y))
    y_steps = tuple(written[operator.y.index(i)] for i in range(len(shape)))
    strides = Strides((1, *a_steps[-2:]), (1, *b_steps[-2:]), (1, y_steps[-2]))  # type: ignore[arg-type]
    own = row_major(b_shape[:-2]) if packed else b_steps

    def steps(shape: Ints, steps: Ints) -> list[int]:
        """Along each batch axis; 0 where it is repeated."""
        given = [0 if size == 1 else step for size, step in zip(shape[:-2], steps, strict=False)]
        return [0] * (len(sizes) - len(given)) + given

    of_a, of_b = steps(a_shape, a_steps), steps(b_shape, own)
    axes = zip(sizes, of_a, of_b, y_steps[:-2], strict=True)
    batch = merged([(int(size or 0), *each) for size, *each in axes])  # type: ignore[misc]
    if len(batch) == 1 and batch[0][1:] == (M * a_steps[-2], 0, M * y_steps[-2]):
        M, batch = M * batch[0][0], ()  # one B: A's matrices are one tall one
    return Product(M, N, K, batch, strides=strides)


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
