"""What holds for every operator: its facets exist and agree on its own examples."""

import copy
import importlib
import pkgutil

import numpy as np
import pytest

from suanzi import operators
from suanzi.operators import OPERATORS, Operator, TensorType
from suanzi.operators._operator import MapType, OptionalType, SequenceType

EXAMPLES = [
    pytest.param(example, id=f"{name}-{i}")
    for name, cls in sorted(OPERATORS.items())
    for i, example in enumerate(cls.examples())
]


def type_of(x):
    """The type of a value, the contents of tensors known."""
    if isinstance(x, list):
        return SequenceType(TensorType(x[0].dtype, None))
    if isinstance(x, dict):
        key, value = next(iter(x.items()))
        return MapType(TensorType(np.asarray(value).dtype, ()), np.asarray(key).dtype)
    return None if x is None else TensorType.of(x)


def fits(t, y, ranked=True):
    """Whether a value is of a type; `ranked`: the type must know how many axes."""
    if isinstance(t, OptionalType):
        return y is None or fits(t.element, y, ranked)
    if isinstance(t, SequenceType):
        return isinstance(y, list) and all(fits(t.element, item, False) for item in y)
    if isinstance(t, MapType):
        return isinstance(y, dict) and all(fits(t.element, np.asarray(v)) for v in y.values())
    if not isinstance(y, np.ndarray) or t.dtype != y.dtype:
        return False
    if t.shape is None:
        return not ranked
    return t.rank == y.ndim and all(d in (None, n) for d, n in zip(t.shape, y.shape, strict=True))


@pytest.mark.parametrize("example", EXAMPLES)
def test_infer_agrees_with_numpy(example):
    types = [type_of(x) for x in example.inputs]
    inferred = example.operator.infer_all(types)
    computed = example.operator.numpy_all(example.inputs)
    assert len(inferred) == len(computed)
    for t, y in zip(inferred, computed, strict=True):
        assert fits(t, y, ranked=not any(isinstance(x, list) for x in example.inputs))
        if t.value is not None:
            np.testing.assert_array_equal(t.value, y)


@pytest.mark.parametrize("example", EXAMPLES)
def test_infer_by_shapes_alone_says_less_but_nothing_else(example):
    types = [
        TensorType(x.dtype, x.shape) if isinstance(x, np.ndarray) else type_of(x)
        for x in example.inputs
    ]
    for t, y in zip(
        example.operator.infer_all(types), example.operator.numpy_all(example.inputs), strict=True
    ):
        assert fits(t, y, ranked=False)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_inputs_stay_as_they_were(example):
    before = copy.deepcopy(example.inputs)
    example.operator.numpy_all(example.inputs)
    for x, was in zip(example.inputs, before, strict=True):
        np.testing.assert_equal(x, was)


@pytest.mark.parametrize("example", EXAMPLES)
def test_cost(example):
    types = [type_of(x) for x in example.inputs]
    if not all(t.static for t in (*filter(None, types), *example.operator.infer_all(types))):
        return  # NonZero, sequences: only the data decides
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
    for cls in OPERATORS.values():
        if not cls.__module__.startswith("suanzi.operators."):
            continue  # control flow, whose bodies are graphs
        assert cls.__name__ in operators.__all__
        assert getattr(operators, cls.__name__) is cls


def test_what_multiplies_matrices_counts_it():
    counting = {name for name, cls in OPERATORS.items() if cls.macs is not Operator.macs}
    assert {"Conv", "ConvTranspose", "Gemm", "MatMul"} <= counting
