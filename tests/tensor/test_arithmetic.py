"""Which types meet in which, and what arithmetic makes of them, as in PyTorch."""

import itertools

import numpy as np
import pytest

import suanzi

torch = pytest.importorskip("torch")
TYPES = [
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64",
]  # fmt: skip
OPERANDS = [
    *[(name, shape) for name in TYPES for shape in ((2,), ())],
    *[(number, None) for number in (True, 2, 2.5)],
]
FUNCTIONS = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "floor_divide": lambda a, b: a // b,
    "remainder": lambda a, b: a % b,
    "pow": lambda a, b: a**b,
    "less": lambda a, b: a < b,
    "equal": lambda a, b: a == b,
}


def operand(T, kind, shape):
    if shape is None:
        return kind
    return T.ones(shape, dtype=getattr(T, kind)) + T.ones(shape, dtype=getattr(T, kind))


def outcome(T, function, a, b):
    """The type's name and the numbers; or None for an error."""
    try:
        made = function(operand(T, *a), operand(T, *b))
    except Exception:
        return None
    return str(made.dtype).rpartition(".")[2], made.to(T.float64).tolist()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_types(name):
    for a, b in itertools.product(OPERANDS, OPERANDS):
        if a[1] is None and b[1] is None:
            continue
        wanted = outcome(torch, FUNCTIONS[name], a, b)
        if wanted is not None:  # what PyTorch has no kernel for may work here
            found = outcome(suanzi, FUNCTIONS[name], a, b)
            assert found is not None, (a, b)
            assert found[0] == wanted[0], (a, b)
            np.testing.assert_allclose(found[1], wanted[1], 1e-2, err_msg=str((a, b)))


@pytest.mark.parametrize("mode", [None, "trunc", "floor"])
@pytest.mark.parametrize("kind", ["int32", "float32"])
def test_division(mode, kind):
    values = np.array([-7, -6, -1, 1, 6, 7])

    def made(T):
        a, b = (T.tensor(x, dtype=getattr(T, kind)) for x in np.meshgrid(values, values))
        return [T.div(a, b, rounding_mode=mode), a % b, T.fmod(a, b), a // b]

    for a, b in zip(made(suanzi), made(torch), strict=True):
        assert str(a.dtype)[7:] == str(b.dtype)[6:]
        np.testing.assert_allclose(a.numpy(), b.numpy(), 1e-6)


def test_mistakes():
    with pytest.raises(suanzi.SuanziError, match="broadcast"):
        suanzi.ones(2) + suanzi.ones(3)
    with pytest.raises(suanzi.SuanziError):
        suanzi.ones(2, 3) @ suanzi.ones(2, 3)
    with pytest.raises(suanzi.SuanziError, match="bools"):
        suanzi.ones(2).bool() - suanzi.ones(2).bool()
    with pytest.raises(TypeError):
        suanzi.ones(2) + "x"
    whole = suanzi.ones(2, dtype=suanzi.int64)
    with pytest.raises(suanzi.SuanziError, match="fit"):
        whole += 0.5


def test_infinities_are_answers():
    x = suanzi.tensor([0.0, -1.0, float("inf")])
    assert (1 / x)[0].item() == float("inf")
    assert suanzi.log(x)[1].isnan().item()
    assert (x - x)[2].isnan().item()
