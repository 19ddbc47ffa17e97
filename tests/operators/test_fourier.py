"""Spectra: ONNX's cases, the sums by themselves, and what infer refuses."""

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import DFT, STFT, TensorType
from support import check, node_cases


@pytest.mark.parametrize("case", [*node_cases("DFT"), *node_cases("STFT")], ids=lambda c: c.id)
def test_backend_case(case):
    case.check()


def complex_data(*shape):
    return np.random.default_rng(0).standard_normal((*shape, 2)).astype(np.float32)


def transform(x, N, axis, inverse=False):
    """The sum, in float64."""
    x = np.moveaxis(x[..., 0] + 1j * x[..., 1], axis, -1)[..., :N]
    kn = np.outer(np.arange(x.shape[-1]), np.arange(N))
    y = x @ np.exp((2j if inverse else -2j) * np.pi * kn / N) / (N if inverse else 1)
    y = np.moveaxis(y, -1, axis)
    return np.stack([y.real, y.imag], -1).astype(np.float32)


@pytest.mark.parametrize("inverse", [0, 1])
@pytest.mark.parametrize("axis", [0, 1, -2])
@pytest.mark.parametrize("N", [None, 3, 7, 12])
def test_dft_is_the_sum(inverse, axis, N):
    x = complex_data(5, 7, 6)
    front = axis % 4
    expected = transform(x, N or x.shape[front], front, inverse)
    inputs = [x, None if N is None else np.array(N), np.array(axis)]
    check(DFT(inverse=inverse), inputs, [expected], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("N", [8, 9])
def test_onesided_there_and_back(N):
    x = complex_data(2, N)[..., :1]
    spectrum = DFT(onesided=1).numpy(x)
    whole = DFT().numpy(x)
    np.testing.assert_allclose(spectrum, whole[:, : N // 2 + 1], rtol=1e-4, atol=1e-5)
    check(DFT(onesided=1, inverse=1), [spectrum, np.array(N)], [x], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("onesided", [0, 1])
def test_stft_is_the_dft_of_each_frame(onesided):
    signal = complex_data(2, 20)
    signal = signal[..., :1] if onesided else signal
    window = np.hanning(6).astype(np.float32)
    frames = np.stack([signal[:, i : i + 6] for i in range(0, 15, 3)], 1) * window[:, None]
    expected = DFT(onesided=onesided).numpy(frames)
    inputs = [signal, np.array(3), window]
    check(STFT(onesided=onesided), inputs, [expected], rtol=1e-4, atol=1e-5)


def test_symbols_stay():
    x = TensorType(np.float32, ("N", "T", 16, 1))
    assert DFT(onesided=1).infer(x).shape == ("N", "T", 9, 2)
    axis = TensorType.of(np.array(1))
    assert DFT().infer(x, None, axis).shape == ("N", "T", 16, 2)
    assert DFT().infer(x, None, TensorType(np.int64, ())).shape == (None, None, None, 2)
    signal, window = TensorType(np.float32, ("N", "T", 1)), TensorType(np.float32, (16,))
    step = TensorType.of(np.array(4))
    assert STFT().infer(signal, step, window).shape == ("N", None, 9, 2)


@pytest.mark.parametrize(
    ("operator", "shape", "more", "input"),
    [
        (DFT(), (3, 4, 3), [], "input"),
        (DFT(onesided=1), (3, 4, 2), [], "input"),
        (DFT(onesided=1, inverse=1), (3, 4, 1), [], "input"),
        (DFT(), (3, 4, 2), [np.array(0)], "dft_length"),
        (DFT(), (3, 4, 2), [None, np.array(2)], "axis"),
        (STFT(), (3, 8, 2), [np.array(1)], "signal"),
        (STFT(), (3, 8, 1), [np.array(0)], "frame_step"),
        (STFT(), (3, 8, 1), [np.array(1), None, np.array(9)], "frame_length"),
    ],
)
def test_what_does_not_fit_is_named(operator, shape, more, input):
    types = [None if x is None else TensorType.of(x) for x in more]
    with pytest.raises(SuanziError) as error:
        operator.infer(TensorType(np.float32, shape), *types)
    assert error.value.input == input
