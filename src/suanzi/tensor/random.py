"""Random numbers: generators, and tensors of them.

While a function is traced, such a tensor is an input that gets new numbers at each run.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators import RandomNormal, RandomUniform
from suanzi.operators._operator import Array, Operator, TensorType
from suanzi.operators._types import element_number
from suanzi.tensor import dtypes
from suanzi.tensor.core import Tensor, apply, leaf, method, wrap
from suanzi.tensor.device import CPU
from suanzi.tensor.device import device as place
from suanzi.tensor.modes import modes
from suanzi.tensor.views import sizes_of


class Generator:
    """A source of random numbers, which the same seed starts anew.

    >>> a, b = Generator().manual_seed(1), Generator().manual_seed(1)
    >>> bool((randn(3, generator=a) == randn(3, generator=b)).all())
    True
    """

    def __init__(self, device: Any = "cpu") -> None:
        place(device)
        self.seed()

    def manual_seed(self, seed: int) -> "Generator":
        """Starts anew from a seed."""
        self._seed = int(seed)
        self._source = np.random.Generator(np.random.SFC64(self._seed % 2**64))
        return self

    def seed(self) -> int:
        """Starts anew from a seed that nobody knows, and returns it."""
        self.manual_seed(int(np.random.SeedSequence().generate_state(1, np.uint64)[0] >> 1))
        return self._seed

    def initial_seed(self) -> int:
        """The seed that it was started from."""
        return self._seed

    def get_state(self) -> Any:
        """Where it is in its numbers."""
        return self._source.bit_generator.state

    def set_state(self, state: Any) -> "Generator":
        """Goes to where it was."""
        self._source.bit_generator.state = state
        return self

    @property
    def numpy(self) -> np.random.Generator:
        """NumPy's generator behind it."""
        return self._source


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Starts the numbers of all functions without a generator of their own from a seed."""
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Starts the numbers anew from a seed that nobody knows, and returns it."""
    return default_generator.seed()


def initial_seed() -> int:
    return default_generator.initial_seed()


def get_rng_state() -> Any:
    return default_generator.get_state()


def set_rng_state(state: Any) -> None:
    default_generator.set_state(state)


Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]
Made = Callable[[Callable[[type[Operator]], Tensor]], Tensor]
"""The same numbers from those of an operator that draws: RandomUniform or RandomNormal."""


def drawn(
    draw: Draw, sizes: tuple[int, ...], dtype: dtypes.dtype, generator: Generator | None = None,
    made: Made | None = None,
) -> Tensor:  # fmt: skip
    """A tensor of new numbers: of a traced function, new ones at each run; of one that is
    exported, those that `made` gives."""
    if min(sizes, default=0) < 0:
        raise SuanziError("a size below zero", input="size", expected="0 or more", found=sizes)

    def make() -> Array:
        source = (generator or default_generator).numpy
        return np.asarray(draw(source, sizes)).astype(dtype.dtype, copy=False)

    if modes.trace is None:
        return wrap(make())

    def numbers(kind: type[Operator]) -> Tensor:
        precise = np.dtype(np.float64 if dtype.dtype == np.float64 else np.float32)
        return apply(kind(shape=sizes, dtype=element_number(precise)))  # type: ignore[call-arg]

    traced: Tensor = modes.trace.each_run(
        TensorType(dtype.dtype, sizes), make, "random",
        None if made is None else lambda: made(numbers).to(dtype),
    )  # fmt: skip
    return traced


def _plainly(kind: type[Operator]) -> Made:
    return lambda numbers: numbers(kind)


def _uniform(dtype: dtypes.dtype) -> Draw:
    kind = np.float32 if dtype.itemsize <= 4 else np.float64
    return lambda source, sizes: source.random(sizes, kind)


def _normal(dtype: dtypes.dtype) -> Draw:
    kind = np.float32 if dtype.itemsize <= 4 else np.float64
    return lambda source, sizes: source.standard_normal(sizes, kind)


def _made(
    draw: Callable[[dtypes.dtype], Draw], by: type[Operator], size: Any, dtype: dtypes.dtype | None,
    generator: Generator | None, out: Tensor | None, requires_grad: bool, device: Any,
) -> Tensor:  # fmt: skip
    place(device or CPU)
    kind = dtype or dtypes.get_default_dtype()
    if not kind.is_floating_point:
        raise SuanziError("such numbers are floating-point", input="dtype", found=kind)
    made = drawn(draw(kind), sizes_of(size), kind, generator, _plainly(by))
    if out is not None:
        return out._write(made)
    return made.requires_grad_() if requires_grad else made


def rand(
    *size: Any, generator: Generator | None = None, out: Tensor | None = None,
    dtype: dtypes.dtype | None = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Numbers from 0 to 1, evenly spread, without 1."""
    return _made(_uniform, RandomUniform, size, dtype, generator, out, requires_grad, device)


def randn(
    *size: Any, generator: Generator | None = None, out: Tensor | None = None,
    dtype: dtypes.dtype | None = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """Numbers of the normal distribution of mean 0 and variance 1."""
    return _made(_normal, RandomNormal, size, dtype, generator, out, requires_grad, device)


def rand_like(input: Tensor, *, dtype: dtypes.dtype | None = None, **options: Any) -> Tensor:
    """As `rand`, of the input's shape and type."""
    return rand(input.shape, dtype=dtype or input.dtype, **_kept(options))


def randn_like(input: Tensor, *, dtype: dtypes.dtype | None = None, **options: Any) -> Tensor:
    """As `randn`, of the input's shape and type."""
    return randn(input.shape, dtype=dtype or input.dtype, **_kept(options))


def _kept(options: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in options.items() if k != "memory_format"}


def randint(
    low: int, high: Any = None, size: Any = None, *, generator: Generator | None = None,
    out: Tensor | None = None, dtype: dtypes.dtype | None = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Whole numbers from low to high, without high."""
    if size is None:
        low, high, size = 0, low, high
    if not low < high:
        raise SuanziError("no numbers between the bounds", input="high", expected=f"above {low}",
                          found=high)  # fmt: skip
    made = drawn(
        lambda source, sizes: source.integers(low, high, sizes), sizes_of((size,)),
        dtype or dtypes.int64, generator,
        lambda numbers: (numbers(RandomUniform) * (high - low) + low).floor(),
    )  # fmt: skip
    return made if out is None else out._write(made)


def randint_like(
    input: Tensor, low: int, high: int | None = None, *, dtype: dtypes.dtype | None = None
) -> Tensor:
    """As `randint`, of the input's shape and type."""
    bounds = (0, low) if high is None else (low, high)
    return randint(*bounds, input.shape, dtype=dtype or input.dtype)


def randperm(
    n: int, *, generator: Generator | None = None, out: Tensor | None = None,
    dtype: dtypes.dtype | None = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """The whole numbers below n in some order."""
    return drawn(
        lambda source, sizes: source.permutation(n), (n,), dtype or dtypes.int64, generator,
        lambda numbers: numbers(RandomUniform).argsort(),
    )  # fmt: skip


def normal(
    mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None,
    out: Tensor | None = None, dtype: dtypes.dtype | None = None,
) -> Tensor:  # fmt: skip
    """Numbers of the normal distribution of a mean and a standard deviation."""
    if size is None:
        size = (mean if isinstance(mean, Tensor) else std).shape
    made = randn(size, generator=generator, dtype=dtype) * std + mean
    return made if out is None else out._write(made)


def bernoulli(
    input: Tensor, p: float | None = None, *, generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """1 with the probability that each element gives (or p), else 0."""
    chance = input if p is None else leaf(np.full(input._value.shape, p, input._value.dtype))
    made = (rand(input.shape, generator=generator, dtype=input.dtype) < chance).to(input.dtype)
    return made if out is None else out._write(made)


def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Numbers of the Poisson distributions of these rates."""
    rates = input.numpy_()
    return drawn(lambda source, sizes: source.poisson(rates), tuple(input.shape), input.dtype,
                 generator)  # fmt: skip


def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *,
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """Places drawn with the weights of each row."""
    weights = np.atleast_2d(input.numpy_()).astype(np.float64)
    if not replacement and num_samples > (weights > 0).sum(1).min():
        raise SuanziError(
            "not so many places to draw", input="num_samples",
            expected=f"at most {(weights > 0).sum(1).min()}", found=num_samples,
        )  # fmt: skip
    if (weights < 0).any() or not np.isfinite(weights).all() or (weights.sum(1) <= 0).any():
        raise SuanziError("weights are 0 or more, and some above", input="input")

    def draw(source: np.random.Generator, sizes: tuple[int, ...]) -> Array:
        rows = [source.choice(len(w), num_samples, replacement, w / w.sum()) for w in weights]
        return np.stack(rows).reshape(sizes)

    return drawn(draw, (*input.shape[:-1], num_samples), dtypes.int64, generator)


def _in_place(name: str, text: str, draw: Callable[..., tuple[Draw, Made]]) -> None:
    def fill(self: Tensor, *args: Any, generator: Generator | None = None, **kwargs: Any) -> Tensor:
        how, made = draw(*args, **kwargs)
        return self._write(drawn(how, tuple(self.shape), self.dtype, generator, made))

    fill.__name__, fill.__doc__ = name, text
    method(fill)


def _between(from_: float = 0.0, to: float = 1.0, **named: float) -> tuple[Draw, Made]:
    low, high = named.get("from", from_), to
    return (
        lambda source, sizes: source.uniform(low, high, sizes),
        lambda numbers: numbers(RandomUniform) * (high - low) + low,
    )


def _around(mean: float = 0.0, std: float = 1.0) -> tuple[Draw, Made]:
    return (
        lambda source, sizes: source.standard_normal(sizes) * std + mean,
        lambda numbers: numbers(RandomNormal) * std + mean,
    )


def _rest(numbers: Callable[[type[Operator]], Tensor]) -> Tensor:
    """Numbers from 0, without it, to 1."""
    return 1 - numbers(RandomUniform)


_in_place("uniform_", "Evenly spread numbers between two.", _between)
_in_place("normal_", "Numbers of a normal distribution.", _around)
_in_place(
    "exponential_", "Numbers of an exponential distribution.",
    lambda lambd=1.0: (
        lambda source, sizes: source.exponential(1 / lambd, sizes),
        lambda numbers: _rest(numbers).log() * (-1 / lambd),
    ),
)  # fmt: skip
_in_place(
    "geometric_", "Numbers of a geometric distribution.",
    lambda p: (
        lambda source, sizes: source.geometric(p, sizes),
        lambda numbers: (_rest(numbers).log() * (1 / math.log1p(-p))).ceil().clamp_min(1),
    ),
)  # fmt: skip
_in_place(
    "log_normal_", "Numbers whose logarithms have a normal distribution.",
    lambda mean=1.0, std=2.0: (
        lambda source, sizes: source.lognormal(mean, std, sizes),
        lambda numbers: (numbers(RandomNormal) * std + mean).exp(),
    ),
)  # fmt: skip
_in_place(
    "cauchy_", "Numbers of a Cauchy distribution.",
    lambda median=0.0, sigma=1.0: (
        lambda source, sizes: median + sigma * np.tan(math.pi * (source.random(sizes) - 0.5)),
        lambda numbers: ((numbers(RandomUniform) - 0.5) * math.pi).tan() * sigma + median,
    ),
)  # fmt: skip


@method
def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability p, else 0."""
    chance = p._value if isinstance(p, Tensor) else p
    return self._write(
        drawn(lambda source, sizes: source.random(sizes) < chance, tuple(self.shape), self.dtype,
              generator, lambda numbers: numbers(RandomUniform) < p)
    )  # fmt: skip


@method
def random_(
    self: Tensor, from_: int = 0, to: int | None = None, *, generator: Generator | None = None
) -> Tensor:
    """Whole numbers of a range: [0, from_), or [from_, to)."""
    whole = self.dtype.category < 2
    most = int(np.iinfo(self._value.dtype).max) if whole and self.dtype.category else 2**24
    low, high = (0, most) if not from_ and to is None else (0, from_) if to is None else (from_, to)
    return self._write(
        drawn(lambda source, sizes: source.integers(low, high, sizes), tuple(self.shape),
              self.dtype, generator,
              lambda numbers: (numbers(RandomUniform) * (high - low) + low).floor())
    )  # fmt: skip


__all__ = [
    "Generator", "bernoulli", "default_generator", "get_rng_state", "initial_seed", "manual_seed",
    "multinomial", "normal", "poisson", "rand", "rand_like", "randint", "randint_like", "randn",
    "randn_like", "randperm", "seed", "set_rng_state",
]  # fmt: skip
