"""Every element type that ONNX's schemas admit: the definitions take it and give the right one."""

import itertools

import ml_dtypes
import numpy as np
import onnx.defs
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import (
    OPERATORS,
    BitCast,
    Cast,
    CastLike,
    ConstantOfShape,
    EyeLike,
    Gather,
    GatherND,
    TensorType,
)
from suanzi.operators._checks import STRING
from suanzi.operators._types import ELEMENT_TYPES, bits

SPELT = {
    "float": "float32",
    "double": "float64",
    "string": "object",
    "float8e4m3fn": "float8_e4m3fn",
    "float8e4m3fnuz": "float8_e4m3fnuz",
    "float8e5m2": "float8_e5m2",
    "float8e5m2fnuz": "float8_e5m2fnuz",
    "float8e8m0": "float8_e8m0fnu",
    "float4e2m1": "float4_e2m1fn",
    "float6e2m3": "float6_e2m3fn",
    "float6e3m2": "float6_e3m2fn",
}
"""Where a schema names a type otherwise than NumPy and ml_dtypes do."""

BY_NAME = {dtype.name: dtype for dtype in ELEMENT_TYPES.values()}


def dtype_of(tensor: str) -> np.dtype:
    name = tensor.removeprefix("tensor(").removesuffix(")")
    return BY_NAME[SPELT.get(name, name)]


OF_OTHERS = ("sequence", "optional", "control flow")
"""Families that take what they are given and pass it on."""


def cases():
    """(operator, type variable, type) as the schemas have them."""
    for name, cls in sorted(OPERATORS.items()):
        if cls.domain or cls.family in OF_OTHERS or not onnx.defs.has(name):
            continue
        schema = onnx.defs.get_schema(name, 28)
        variables = {parameter.type_str for parameter in schema.inputs}
        for constraint in schema.type_constraints:
            variable = constraint.type_param_str
            if variable in variables:
                for tensor in constraint.allowed_type_strs:
                    if tensor.startswith("tensor(") and not EXCEPTIONS.keys() & {
                        (name, variable),
                        (name, variable, tensor),
                    }:
                        yield pytest.param(name, variable, tensor, id=f"{name}-{variable}-{tensor}")


EXCEPTIONS = {
    ("Attention", "U"): "a mask that isn't bool is added to the scores, whose type it has",
    ("Col2Im", "T", "tensor(string)"): "strings have no sum",
    ("GridSample", "T1", "tensor(string)"): "strings have no mean",
    ("BitCast", "T1"): "types go in pairs of as many bits: see test_bit_cast",
    ("Resize", "T1", "tensor(string)"): "the mode nearest alone can: see test_nearest_string",
    ("TfIdfVectorizer", "T"): "the attributes say whether it takes strings",
}
"""What isn't simply cast, and why."""


@pytest.mark.filterwarnings("ignore")
def test_casts_between_all_types():
    numbers = np.array([0, 1, 2, 4], np.float32)
    for source, (number, target) in itertools.product(
        ELEMENT_TYPES.values(), ELEMENT_TYPES.items()
    ):
        x = numbers.astype(int).astype(str).astype(STRING)
        x = x if source == STRING else numbers.astype(source)
        y, like = Cast(to=number).numpy(x), CastLike().numpy(x, np.zeros(1, target))
        assert y.dtype == like.dtype == target
        told = slice(1, 2 if "bool" in (source.name, target.name) else 3)
        if {"int2", "float8_e8m0fnu"}.isdisjoint((source.name, target.name)):
            back = Cast(to=1).numpy(y[told])
            np.testing.assert_array_equal(back, numbers[told])


def test_whole_numbers_saturate_as_others_do():
    most = float(ml_dtypes.finfo(ml_dtypes.float8_e4m3fn).max)
    for x in (np.array([-1000, 1000]), np.array([-1000, 1000], ml_dtypes.bfloat16)):
        assert Cast(to=17).numpy(x).astype(float).tolist() == [-most, most]
        assert np.isnan(Cast(to=17, saturate=0).numpy(x).astype(float)).all()


def test_makes_every_type():
    for number, dtype in ELEMENT_TYPES.items():
        value = np.array(["1"], STRING) if dtype == STRING else np.ones(1, dtype)
        y = ConstantOfShape(value=value).numpy(np.array([2]))
        assert y.dtype == dtype
        assert (y == value).all()
        if dtype not in (STRING, BY_NAME["float8_e8m0fnu"]):  # which have no 0
            y = EyeLike(dtype=number).numpy(np.zeros((2, 3)))
            np.testing.assert_array_equal(y, np.eye(2, 3).astype(dtype))


def test_one_string_alone_stays_one():
    x = np.array(["a", "b"], STRING)
    for y in (Gather().numpy(x, np.array(1)), GatherND().numpy(x, np.array([1]))):
        assert (y.dtype, y.shape, y.item()) == (STRING, (), "b")


def test_bit_cast():
    for a, b in itertools.product(ELEMENT_TYPES, repeat=2):
        source, target = ELEMENT_TYPES[a], ELEMENT_TYPES[b]
        x = np.arange(4, dtype=np.float32).astype(source)
        if bits(source) != bits(target) or STRING in (source, target):
            with pytest.raises(SuanziError, match="not as many bits"):
                BitCast(to=b).infer(TensorType.of(x))
            continue
        y = BitCast(to=b).numpy(x)
        assert y.dtype == BitCast(to=b).infer(TensorType.of(x)).dtype == target
        if target != np.bool_:
            np.testing.assert_array_equal(y.view(np.uint8), x.view(np.uint8))


def test_nearest_string():
    X = np.array([["a", "b"]], STRING)
    Y = OPERATORS["Resize"]().numpy(X, None, np.array([2, 2], np.float32))
    np.testing.assert_array_equal(Y, np.array([["a", "a", "b", "b"]] * 2, STRING))


def formal(parameters, count):
    """The type variable of each of an operator's inputs or outputs; the last may repeat."""
    return [parameters[min(i, len(parameters) - 1)].type_str for i in range(count)]


def recast(x, dtype):
    """x in another type, as nearly as that has its numbers."""
    if dtype == x.dtype:
        return x
    if dtype.kind == "O":
        return np.asarray(x.astype(str), object)
    if x.dtype.kind == "O":
        return np.arange(x.size).reshape(x.shape).astype(dtype)
    x = x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)
    if dtype.name.startswith("uint") or dtype.name == "float8_e8m0fnu":
        x = np.abs(x)
    if dtype.name.lstrip("u").startswith("int") and bits(dtype) < 8:
        x = x.clip(ml_dtypes.iinfo(dtype).min, ml_dtypes.iinfo(dtype).max).astype(np.int8)
    return x.astype(dtype)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "variable", "tensor"), [*cases()])
def test_takes_every_type(name, variable, tensor):
    schema, dtype = onnx.defs.get_schema(name, 28), dtype_of(tensor)
    for example in OPERATORS[name].examples():
        variables = formal(schema.inputs, len(example.inputs))
        inputs = [
            recast(x, dtype) if v == variable and x is not None else x
            for x, v in zip(example.inputs, variables, strict=True)
        ]
        given = any(x is not None and v == variable for x, v in zip(inputs, variables, strict=True))
        types = [None if x is None else TensorType.of(x) for x in inputs]
        inferred = example.operator.infer(*types)
        inferred = inferred if isinstance(inferred, tuple) else (inferred,)
        computed = example.operator.numpy_all(inputs)
        for y, t, v in zip(computed, inferred, formal(schema.outputs, len(computed)), strict=True):
            assert y.dtype == t.dtype
            if v == variable and given:
                assert y.dtype == dtype
        if is_floating(dtype) and OPERATORS[name].family != "random":
            close_to_float64(example.operator, inputs, computed, dtype)


def is_floating(dtype):
    return "float" in dtype.name and dtype.name != "float8_e8m0fnu"  # which has powers of 2 alone


def close_to_float64(operator, inputs, computed, dtype):
    """The same on the same numbers in float64 gives the same, but for rounding to the type."""
    info = ml_dtypes.finfo(dtype)
    rtol, atol = max(2 * float(info.eps), 1e-4), max(2 * float(info.tiny), 1e-6)
    if type(operator).__name__ == "Attention":  # it rounds at each of its steps
        rtol *= 5
    wide = [x.astype(np.float64) if x is not None and is_floating(x.dtype) else x for x in inputs]
    for y, expected in zip(computed, operator.numpy_all(wide), strict=True):
        if expected.dtype == np.float64 and y.dtype == dtype:
            told = np.abs(expected) < float(info.max) / 2
            found, expected = y.astype(np.float64)[told], expected[told]
            np.testing.assert_allclose(found, expected, rtol, atol)
