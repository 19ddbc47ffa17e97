"""One script run on PyTorch and on Suanzi: what it returns must be the same."""

import re
import warnings
from collections.abc import Mapping

import numpy as np
import pytest

import suanzi

CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def same(script):
    """A test of a script: a function of the library that returns what is to be compared."""

    def test():
        torch = pytest.importorskip("torch")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's about what it will no longer have
            wanted = plain(script(torch))
        expect(plain(script(suanzi)), wanted)

    test.__name__, test.__doc__ = script.__name__, script.__doc__
    return test


def plain(found):
    """Tensors as arrays, and texts without the library's name."""
    if hasattr(found, "detach"):
        return np.asarray(found.detach().numpy())
    if isinstance(found, Mapping):
        return {key: plain(value) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [plain(value) for value in found]
    if isinstance(found, str):
        return re.sub(r"\b(torch|suanzi)\.", "", found)
    return found


def expect(found, wanted, where=""):
    if isinstance(wanted, dict):
        assert list(found) == list(wanted), where
        for key in wanted:
            expect(found[key], wanted[key], f"{where}[{key!r}]")
    elif isinstance(wanted, list):
        assert len(found) == len(wanted), (where, found, wanted)
        for number, (a, b) in enumerate(zip(found, wanted, strict=True)):
            expect(a, b, f"{where}[{number}]")
    elif isinstance(wanted, np.ndarray):
        assert found.dtype == wanted.dtype, where
        np.testing.assert_allclose(found, wanted, **CLOSE, err_msg=where)
    else:
        assert found == wanted, (where, found, wanted)


def fails(call, *args, **kwargs):
    """Whether a call raises an error."""
    try:
        call(*args, **kwargs)
    except Exception:
        return True
    return False


def linear(T, inputs=3, outputs=2, seed=0):
    """A linear layer with values of its own, for either library."""

    class Linear(T.nn.Module):
        def __init__(self):
            super().__init__()
            random = np.random.default_rng(seed)
            weight = random.normal(size=(outputs, inputs)).astype(np.float32)
            self.weight = T.nn.Parameter(T.from_numpy(weight))
            self.bias = T.nn.Parameter(T.zeros(outputs))

        def forward(self, input, scale=1.0):
            return (input @ self.weight.t() + self.bias) * scale

        def extra_repr(self):
            return f"in_features={inputs}, out_features={outputs}"

    return Linear()
