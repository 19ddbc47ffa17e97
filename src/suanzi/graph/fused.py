"""Operators that passes make: chains of elementwise ones, and an operator with a chain after it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from suanzi.operators._elementwise import Elementwise, Mathematics
from suanzi.operators._operator import Array, Ints, Operator, TensorType
from suanzi.operators.arithmetic import Add, Mul, Sub
from suanzi.operators.linear import MatMul
from suanzi.operators.logic import Comparison, Logic, Where
from suanzi.operators.reduction import Reduction
from suanzi.operators.shape import Transpose


@dataclass(frozen=True)
class Link:
    """One operator of a chain. Sources count the chain's inputs first, then the links before."""

    operator: Elementwise
    sources: tuple[int | None, ...]


@dataclass(frozen=True)
class Chain(Elementwise):
    """Elementwise operators applied one after another in registers; the last one's result."""

    arity: int
    links: tuple[Link, ...]
    family = "fused"

    def formula(self, m: Mathematics, *x: Any) -> Any:
        values = list(x)
        for link in self.links:
            arguments = [None if s is None else values[s] for s in link.sources]
            values.append(link.operator.formula(m, *arguments))
        return values[-1]

    def infer(self, *inputs: TensorType | None) -> TensorType:
        types = list(inputs)
        for link in self.links:
            types.append(
                link.operator.infer(*(types[s] if s is not None else None for s in link.sources))
            )
        last = types[-1]
        assert last is not None
        return last

    @property
    def title(self) -> str:
        return "+".join(link.operator.title for link in self.links)


WHOLE = ("int32", "int64")


def in_registers(operator: Elementwise, types: Sequence[TensorType | None]) -> bool:
    """Whether kernels compute the operator on inputs of these types: any on float32, some on int32,
    int64 and bool."""
    names = [t.dtype.name for t in types if t is not None]
    if isinstance(operator, Where):
        return names[0] == "bool" and names[1] in ("float32", *WHOLE)
    if isinstance(operator, Logic):
        return True
    (name, *others) = set(names)
    whole = name in WHOLE and isinstance(operator, (Add, Comparison, Mul, Sub))
    return not others and (name == "float32" or whole)


@dataclass(frozen=True)
class Fused(Operator):
    """`body`, then a chain whose input 0 is the body's output: Y = chain(body(inputs), extras).

    The inputs are the body's (`arity` of them, absent ones included), then the chain's others.
    """

    body: Operator
    arity: int
    chain: Chain
    family = "fused"

    @property
    def title(self) -> str:
        return f"{self.body.title}+{self.chain.title}"

    def infer(self, *types: TensorType | None) -> TensorType:
        (made,) = self.body.infer_all(types[: self.arity])
        return self.chain.infer(made, *types[self.arity :])

    def numpy(self, *arrays: Array | None) -> Array:
        (made,) = self.body.numpy_all(arrays[: self.arity])
        return self.chain.numpy(made, *arrays[self.arity :])

    def macs(self, inputs: Any, outputs: Any) -> int:
        return self.body.macs(inputs[: self.arity], self.body.infer_all(inputs[: self.arity]))


@dataclass(frozen=True)
class Folded(Operator):
    """A chain, then a reduction of what it makes, which is never written: Y = body(chain(X), axes).

    The inputs are the chain's, then the body's others.
    """

    chain: Chain
    body: Reduction
    family = "fused"

    @property
    def title(self) -> str:
        return f"{self.chain.title}+{self.body.title}"

    def infer(self, *types: TensorType | None) -> TensorType:
        made = self.chain.infer(*types[: self.chain.arity])
        (result,) = self.body.infer_all((made, *types[self.chain.arity :]))
        return result

    def numpy(self, *arrays: Array | None) -> Array:
        made = self.chain.numpy(*arrays[: self.chain.arity])
        (result,) = self.body.numpy_all((made, *arrays[self.chain.arity :]))
        return np.asarray(result)


@dataclass(frozen=True)
class TransposedMatMul(Operator):
    """MatMul that reads and writes its axes in other orders, each a Transpose's perm:
    Y = Transpose(MatMul(Transpose(A, a), Transpose(B, b)), y).
    """

    a: Ints
    b: Ints
    y: Ints
    family = "fused"

    @property
    def title(self) -> str:
        return "MatMul"

    def infer(self, A: TensorType, B: TensorType) -> TensorType:
        made = MatMul().infer(Transpose(perm=self.a).infer(A), Transpose(perm=self.b).infer(B))
        return Transpose(perm=self.y).infer(made)

    def numpy(self, A: Array, B: Array) -> Array:
        return np.transpose(MatMul().numpy(A.transpose(self.a), B.transpose(self.b)), self.y)

    def macs(self, inputs: Any, outputs: Any) -> int:
        return int(outputs[0].size * inputs[0].sizes[self.a[-1]])


@dataclass(frozen=True)
class Reorder(Operator):
    """The same tensor in another layout: blocks of `lanes` channels, or plain where 0.

    A layout is a matter of memory, so the meaning is the identity.
    """

    lanes: int
    family = "fused"

    def infer(self, X: TensorType) -> TensorType:
        return TensorType(X.dtype, X.shape)

    def numpy(self, X: Array) -> Array:
        return X
