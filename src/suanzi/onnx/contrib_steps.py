"""How onnxruntime's operators are written out: calls, one after another, by short names."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from suanzi.errors import SuanziError
from suanzi.graph.infer import infer_node
from suanzi.onnx.build import Builder
from suanzi.onnx.nodes import Call, to_node
from suanzi.operators._operator import TensorType


class Steps:
    """The calls written so far for one call. `steps("Add", a, b)` adds one and names its output."""

    def __init__(self, call: Call, graph: Builder) -> None:
        self.call = call
        self.graph = graph
        self.calls: list[Call] = []
        self.made: set[str] = set()
        self._types: dict[str, TensorType] = {}

    def __call__(self, op_type: str, *inputs: str, **settings: Any) -> str:
        return self._add(1, op_type, inputs, settings)[0]

    def several(self, count: int, op_type: str, *inputs: str, **settings: Any) -> tuple[str, ...]:
        """A call with so many outputs."""
        return self._add(count, op_type, inputs, settings)

    def _add(
        self, count: int, op_type: str, inputs: Sequence[str], settings: dict[str, Any]
    ) -> tuple[str, ...]:
        given = list(inputs)
        while given and not given[-1]:
            given.pop()
        stem = next(filter(None, self.call.outputs), op_type)
        outputs = tuple(self.graph.fresh(f"{stem}_{op_type}") for _ in range(count))
        made = Call(op_type, tuple(given), outputs, settings, name=self.call.name)
        self.calls.append(made)
        self.made.update(outputs)
        return outputs

    def same(self, op_type: str) -> tuple[str, ...]:
        """The call itself, as ONNX's operator of that name."""
        inputs, settings = self.call.inputs, self.call.attributes
        return self._add(len(self.call.outputs), op_type, inputs, settings)

    def inputs(self, count: int) -> tuple[str, ...]:
        """So many inputs, those left out as empty names."""
        given = self.call.inputs
        if len(given) > count or not given:
            raise SuanziError("wrong number of inputs", expected=count, found=len(given))
        return given + ("",) * (count - len(given))

    def attribute(self, name: str, default: Any = None) -> Any:
        return self.call.attributes.get(name, default)

    def required(self, name: str) -> Any:
        if name not in self.call.attributes:
            raise SuanziError(f"attribute {name} is missing")
        return self.call.attributes[name]

    def but(self, *names: str) -> dict[str, Any]:
        """The attributes without these."""
        return {k: v for k, v in self.call.attributes.items() if k not in names}

    def constant(self, value: Any, dtype: DTypeLike = np.int64) -> str:
        stem = next(filter(None, self.call.outputs), "")
        return self.graph.constant(f"{stem}_constant", np.array(value, dtype))

    def like(self, value: float, name: str) -> str:
        """A number of the type that an input has."""
        return self.constant(value, self.type(name).dtype)

    def known(self, name: str) -> Any:
        """The contents of an input that must be a constant."""
        if name not in self.graph.constants:
            raise SuanziError("must be a constant here", input=name)
        return self.graph.constants[name]

    def type(self, name: str) -> TensorType:
        """The type of an input, or of what was made so far."""
        if name not in self.made:
            return self.graph.type(name)
        if name not in self._types:
            (maker,) = (call for call in self.calls if name in call.outputs)
            known = {given: self.type(given) for given in maker.inputs if given}
            made = infer_node(to_node(maker), known)
            self._types.update(zip(maker.outputs, made, strict=False))
        return self._types[name]

    def rank(self, name: str) -> int:
        rank = self.type(name).rank
        if rank is None:
            raise SuanziError("the number of axes must be known here", input=name)
        return rank

    def sum(self, *names: str) -> str:
        """Their sum; those left out don't count."""
        first, *others = filter(None, names)
        for name in others:
            first = self("Add", first, name)
        return first


def channels_first(s: Steps, X: str, write: Callable[[str], str]) -> str:
    """What `write` makes of X, whose channels are last, as are the result's."""
    rank = s.rank(X)
    first, last = (0, rank - 1, *range(1, rank - 1)), (0, *range(2, rank), 1)
    return s("Transpose", write(s("Transpose", X, perm=first)), perm=last)


def joined_softmax(s: Steps, X: str, axis: int) -> str:
    """The softmax with the axes from `axis` on taken together, as it was before opset 13."""
    made = s("Softmax", s("Flatten", X, axis=axis), axis=-1)
    return s("Reshape", made, s("Shape", X))


ACTIVATIONS: dict[str, tuple[str, ...]] = {
    "Relu": (),
    "Tanh": (),
    "Sigmoid": (),
    "Gelu": (),
    "Softplus": (),
    "LeakyRelu": ("alpha",),
    "Elu": ("alpha",),
    "ThresholdedRelu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
}
"""What fused operators may do at last, and its parameters in order."""


def activated(s: Steps, X: str, parameters: Sequence[float]) -> str:
    """The activation that the call names, of X."""
    name = s.attribute("activation", "")
    if not name:
        return X
    if name == "Clip":
        return s("Clip", X, *(s.constant(p, np.float32) for p in parameters))
    if name == "HardSwish":
        return s("HardSwish", X)
    if name not in ACTIVATIONS:
        raise SuanziError("no such activation", expected=[*ACTIVATIONS, "Clip"], found=name)
    return s(name, X, **dict(zip(ACTIVATIONS[name], parameters, strict=False)))
