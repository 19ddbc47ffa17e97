"""Random numbers. With a seed an operator gives the same numbers each time that it is computed."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._checks import require_shape, widen
from suanzi.operators._operator import Array, Dim, Example, Ints, Operator, TensorType, operator
from suanzi.operators._types import element_type

X23 = np.zeros((2, 3), np.float32)


@dataclass(frozen=True, kw_only=True)
class Random(Operator):
    """The numbers are NumPy's: ONNX leaves open which a seed stands for. Without a seed they
    differ each time.

    Source, of all: https://onnx.ai/onnx/operators/ (opset 22)
    """

    deterministic: ClassVar[bool] = False

    seed: float | None = None

    def generator(self) -> np.random.Generator:
        bits = None if self.seed is None else int(np.float32(self.seed).view(np.uint32))
        return np.random.default_rng(bits)

    def draw(self, shape: Ints) -> Array:
        """Numbers of the distribution."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Normal(Random):
    """Numbers whose mean is `mean`, and whose standard deviation is `scale`."""

    mean: float = 0.0
    scale: float = 1.0

    def draw(self, shape: Ints) -> Array:
        return self.generator().normal(self.mean, self.scale, shape)


@dataclass(frozen=True, kw_only=True)
class Uniform(Random):
    """Numbers from `low` up to, not including, `high`, each as likely."""

    high: float = 1.0
    low: float = 0.0

    def draw(self, shape: Ints) -> Array:
        return self.generator().uniform(self.low, self.high, shape)


@dataclass(frozen=True, kw_only=True)
class Shaped(Random):
    """The output has the sizes and the type that the attributes give."""

    shape: Ints
    dtype: int = 1

    def infer(self) -> TensorType:
        if min(self.shape, default=0) < 0:
            raise SuanziError("wrong shape", expected="0 or more", found=list(self.shape))
        return TensorType(element_type(self.dtype), self.shape)

    def numpy(self) -> Array:
        return np.asarray(self.draw(self.shape)).astype(element_type(self.dtype))

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(shape=(2, 3), seed=1.0), ()), Example(cls(shape=(), dtype=11), ())]


@dataclass(frozen=True, kw_only=True)
class Like(Random):
    """The output has the input's sizes, and its type unless the attribute gives one."""

    dtype: int | None = None

    def _dtype(self, input: np.dtype[Any]) -> np.dtype[Any]:
        return input if self.dtype is None else element_type(self.dtype)

    def infer(self, input: TensorType) -> TensorType:
        return TensorType(self._dtype(input.dtype), input.shape)

    def numpy(self, input: Array) -> Array:
        return np.asarray(self.draw(input.shape)).astype(self._dtype(input.dtype))

    def grad(self, _dY: Any, _Y: Any, _input: Any) -> tuple[Any, ...]:
        return (None,)

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(seed=1.0), (X23,)), Example(cls(dtype=11), (X23,))]


@operator(family="random", torch="torch.randn")
@dataclass(frozen=True, kw_only=True)
class RandomNormal(Shaped, Normal):
    """Numbers of the normal distribution with this mean and standard deviation `scale`."""


@operator(family="random", torch="torch.randn_like")
@dataclass(frozen=True, kw_only=True)
class RandomNormalLike(Like, Normal):
    """Numbers of the normal distribution with this mean and standard deviation `scale`, as many
    as the input has.
    """


@operator(family="random", torch="torch.rand")
@dataclass(frozen=True, kw_only=True)
class RandomUniform(Shaped, Uniform):
    """Numbers from `low` up to, not including, `high`, each as likely."""


@operator(family="random", torch="torch.rand_like")
@dataclass(frozen=True, kw_only=True)
class RandomUniformLike(Like, Uniform):
    """Numbers from `low` up to, not including, `high`, each as likely, as many as the input has."""


@operator(family="random", torch="torch.bernoulli")
@dataclass(frozen=True, kw_only=True)
class Bernoulli(Like):
    """Y = 1 with the probability that the input says, else 0.

    Y has the input's shape, and its type unless `dtype` gives one.
    """

    def numpy(self, input: Array) -> Array:
        drawn = self.generator().random(input.shape) < widen(input)
        return np.asarray(drawn).astype(self._dtype(input.dtype))

    @classmethod
    def examples(cls) -> list[Example]:
        p = np.array([0, 0.25, 0.5, 1], np.float32)
        return [Example(cls(seed=1.0), (p,)), Example(cls(dtype=9), (p,))]


@operator(family="random", torch="torch.multinomial")
class Multinomial(Random):
    """Y[n, s] = i with probability softmax(input[n])[i]: sample_size draws for each row.

    input [N, classes], logarithms of probabilities that needn't sum to 1; Y [N, sample_size] in
    the type `dtype`, int32 or int64.
    """

    dtype: int = 6
    sample_size: int = 1

    def infer(self, input: TensorType) -> TensorType:
        require_shape(input, (None, None), "input")
        if self.sample_size < 0:
            raise SuanziError("wrong sample_size", expected="0 or more", found=self.sample_size)
        N: Dim = None if input.shape is None else input.shape[0]
        return TensorType(element_type(self.dtype), (N, self.sample_size))

    def numpy(self, input: Array) -> Array:
        x = widen(input)
        chances = np.exp(x - x.max(-1, keepdims=True)).cumsum(-1)
        drawn = self.generator().random((len(x), self.sample_size)) * chances[:, -1:]
        # As many classes lie before the drawn one as end at or below the number drawn.
        found = (chances[:, None, :-1] <= drawn[:, :, None]).sum(-1)
        return np.asarray(found).astype(element_type(self.dtype))

    @classmethod
    def examples(cls) -> list[Example]:
        x = np.log(np.array([[0.25, 0.5, 0.25], [0.1, 0.1, 0.8]], np.float32))
        return [Example(cls(seed=1.0, sample_size=4), (x,)), Example(cls(dtype=7), (x,))]
