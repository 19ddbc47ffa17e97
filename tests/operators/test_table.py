"""What holds for every operator: its facets exist and agree on its own examples."""

import importlib
import pkgutil

import numpy as np
import pytest

from suanzi import operators
from suanzi.operators import OPERATORS, TensorType
from suanzi.operators._table import FACETS, facets, holes

EXAMPLES = [
    pytest.param(example, id=f"{name}-{i}")
    for name, cls in sorted(OPERATORS.items())
    for i, example in enumerate(cls.examples())
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_infer_agrees_with_numpy(example):
    types = [None if x is None else TensorType.of(x) for x in example.inputs]
    inferred = example.operator.infer_all(types)
    computed = example.operator.numpy_all(example.inputs)
    assert len(inferred) == len(computed)
    for t, y in zip(inferred, computed, strict=True):
        assert isinstance(y, np.ndarray)
        assert t.dtype == y.dtype
        assert t.rank == y.ndim
        assert all(d in (None, n) for d, n in zip(t.shape, y.shape, strict=True))
        if t.value is not None:
            np.testing.assert_array_equal(t.value, y)


@pytest.mark.parametrize("example", EXAMPLES)
def test_infer_by_shapes_alone_says_less_but_nothing_else(example):
    types = [None if x is None else TensorType(x.dtype, x.shape) for x in example.inputs]
    for t, y in zip(
        example.operator.infer_all(types), example.operator.numpy_all(example.inputs), strict=True
    ):
        assert t.dtype == y.dtype
        if t.shape is not None:
            assert len(t.shape) == y.ndim
            assert all(d in (None, n) for d, n in zip(t.shape, y.shape, strict=True))


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_inputs_stay_as_they_were(example):
    before = [None if x is None else x.copy() for x in example.inputs]
    example.operator.numpy_all(example.inputs)
    for x, was in zip(example.inputs, before, strict=True):
        if x is not None:
            np.testing.assert_array_equal(x, was)


@pytest.mark.parametrize("example", EXAMPLES)
def test_cost(example):
    types = [None if x is None else TensorType.of(x) for x in example.inputs]
    if not all(t.static for t in example.operator.infer_all(types)):
        return  # NonZero: only the data decides
    cost = example.operator.cost(*types)
    assert cost.macs >= 0
    assert cost.read == sum(x.nbytes for x in example.inputs if x is not None)
    assert cost.written == sum(y.nbytes for y in example.operator.numpy_all(example.inputs))


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_is_explained(name):
    assert OPERATORS[name].__doc__
    assert not OPERATORS[name].__doc__.startswith(f"{name}(")  # what @dataclass writes
    assert OPERATORS[name].family


def test_the_package_exports_every_operator():
    for module in pkgutil.iter_modules(operators.__path__, "suanzi.operators."):
        importlib.import_module(module.name)
    assert set(OPERATORS) <= set(operators.__all__)
    assert all(getattr(operators, name) is cls for name, cls in OPERATORS.items())


def test_the_table_has_no_hole_where_none_may_be():
    assert set(facets()) == set(OPERATORS)
    assert all(tuple(row) == FACETS for row in facets().values())
    for facet in ("infer", "numpy", "examples"):
        assert holes(facet) == []


def test_what_multiplies_matrices_counts_it():
    counting = {name for name, row in facets().items() if row["macs"]}
    assert {"Conv", "ConvTranspose", "Gemm", "MatMul"} <= counting
