"""How numbers follow from sizes: what differs between graphs of one function at several sizes."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from suanzi.operators import Div, Pow, Sqrt
from suanzi.operators._operator import Array, Operator

Numbers = tuple[int, ...]
"""A size, or another number, in each of the graphs."""


@dataclass(frozen=True)
class Term:
    """The product of a value's sizes along some axes."""

    name: str
    axes: tuple[int, ...]


@dataclass(frozen=True)
class Fit:
    """(factor · term + shift) // divisor"""

    term: Any
    factor: int
    shift: int = 0
    divisor: int = 1

    def __str__(self) -> str:
        text = str(self.term) if self.factor == 1 else f"{self.factor}*{self.term}"
        text += f"{self.shift:+d}" if self.shift else ""
        if self.divisor == 1:
            return text
        return f"({text})//{self.divisor}" if self.shift else f"{text}//{self.divisor}"


@dataclass(frozen=True)
class Form:
    """A function of a size n, and the operators that compute it; `less`: over n - 1 at last."""

    value: Callable[[Any], Any]
    steps: tuple[tuple[Operator, float | None], ...] = ()
    less: bool = False


FORMS = (
    Form(lambda n: n),
    Form(lambda n: 1 / n, ((Div(), 1),)),
    Form(np.sqrt, ((Sqrt(), None),)),
    Form(lambda n: 1 / np.sqrt(n), ((Sqrt(), None), (Div(), 1))),
    Form(lambda n: n / (n - 1), (), less=True),
    Form(lambda n: 1 / (n - 1), ((Pow(), 0),), less=True),
)
"""How numbers that aren't whole follow from sizes."""


def fit(numbers: Numbers, terms: Iterable[tuple[Numbers, Any]]) -> Fit | None:
    """How the numbers follow from one of the terms: equal, a multiple with a shift, or a part.

    >>> str(fit((5, 9, 13), [((2, 4, 6), "n")]))
    '2*n+1'
    """
    known = list(terms)
    for values, term in known:
        if values == numbers:
            return Fit(term, 1)
    for values, term in known:
        other = next((i for i, v in enumerate(values) if v != values[0]), 0)
        rise, run = numbers[other] - numbers[0], values[other] - values[0]
        if not rise or not run:
            continue
        divisor = run // math.gcd(rise, run)
        factor = rise // math.gcd(rise, run)
        if divisor < 0:
            divisor, factor = -divisor, -factor
        first = numbers[0] * divisor - factor * values[0]
        for shift in range(first, first + divisor):
            pairs = zip(numbers, values, strict=True)
            if all((factor * v + shift) // divisor == n for n, v in pairs):
                return Fit(term, factor, shift, divisor)
    return None


def products(
    name: str, shape: Sequence[Numbers], fixed: bool = False
) -> Iterator[tuple[Numbers, Term]]:
    """The products of a value's sizes that aren't the same in all graphs; if `fixed` those with
    sizes that are the same as well."""
    axes = [axis for axis, sizes in enumerate(shape) if fixed or len(set(sizes)) > 1]
    for count in range(1, len(axes) + 1):
        for some in itertools.combinations(axes, count):
            columns = zip(*(shape[axis] for axis in some), strict=True)
            product = tuple(math.prod(sizes) for sizes in columns)
            if len(set(product)) > 1:
                yield product, Term(name, some)


def alike(a: Array, b: Array) -> bool:
    """Whether two constants are the same to the last bit."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
