"""The table of operator by facet: what each operator has, and what it lacks."""

from suanzi.operators._elementwise import Elementwise
from suanzi.operators._operator import OPERATORS, Operator

FACETS = ("infer", "numpy", "examples", "macs", "formula", "torch")


def facets() -> dict[str, dict[str, bool]]:
    """Which facets each operator has, by its name.

    >>> from suanzi import operators
    >>> facets()["Relu"]["formula"]
    True
    """
    return {name: _facets(cls) for name, cls in sorted(OPERATORS.items())}


def _facets(cls: type[Operator]) -> dict[str, bool]:
    own = {facet: _definer(cls, facet) is not Operator for facet in FACETS[:4]}
    return own | {"formula": issubclass(cls, Elementwise), "torch": cls.torch is not None}


def _definer(cls: type[Operator], facet: str) -> type:
    return next(base for base in cls.__mro__ if facet in vars(base))


def holes(facet: str) -> list[str]:
    """The operators that lack a facet, by name."""
    return [name for name, row in facets().items() if not row[facet]]
