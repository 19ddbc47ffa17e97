"""Spectra: the discrete Fourier transform, of a whole signal and of the frames of one."""

from typing import Any

import numpy as np

from suanzi.operators._axes import axis_of
from suanzi.operators._checks import require_dtype, require_shape, widen
from suanzi.operators._compose import part
from suanzi.operators._operator import (
    Array,
    Dim,
    Example,
    Operator,
    TensorType,
    operator,
    require,
)
from suanzi.operators.joining import Pad

WAVE = np.sin(np.arange(16, dtype=np.float32)).reshape(2, 8, 1)


def as_complex(X: Array) -> Array:
    """The numbers whose parts, one or two, lie along the last axis."""
    x = widen(X)
    return np.asarray(x[..., 0] if x.shape[-1] == 1 else x[..., 0] + 1j * x[..., 1])


def as_parts(z: Array, like: Array) -> Array:
    """Real and imaginary parts along a new last axis, in the type of `like`."""
    return np.stack([z.real, z.imag], -1).astype(like.dtype)


def require_parts(t: TensorType, input: str) -> None:
    """The last axis holds a real number, or a real and an imaginary part."""
    if t.shape is not None:
        fits = len(t.shape) > 1 and (not isinstance(t.shape[-1], int) or t.shape[-1] in (1, 2))
        require(fits, "wrong shape", input, "1 or 2 parts along the last axis", t)


def number(t: TensorType | None, input: str) -> int | None:
    """What an input of one element says, if that is known."""
    if t is None or t.value is None:
        return None
    require(t.value.size == 1, "wrong shape", input, "one number", t)
    return int(t.value.item())


def scalar(x: Array | None) -> int | None:
    return None if x is None else int(x.item())


def _filled(x: Any, axis: int, size: int) -> Any:
    """x with zeros behind along the axis, up to the size."""
    missing = size - x.shape[axis]
    return Pad()(x, np.array([0, missing]), None, np.array([axis])) if missing > 0 else x


@operator(family="signal", torch="torch.fft.fft")
class DFT(Operator):
    """y[k] = Σ_n exp(-2πi·kn/N) · x[n] along `axis`, N = dft_length (absent: x's length);
    if inverse, y[k] = 1/N · Σ_n exp(2πi·kn/N) · x[n].

    Input and output [..., 1 or 2], real and imaginary part last. x is cut or filled with zeros to
    length N. If onesided, a real x gives its spectrum for k = 0 to ⌊N/2⌋ alone; and the inverse
    makes real numbers of such a one, N then being 2 · (length - 1) by default. Before opset 20 the
    axis was an attribute, 1 by default (now -2), and there was no onesided inverse.
    Source: https://onnx.ai/onnx/operators/onnx__DFT.html (opset 20)
    """

    inverse: int = 0
    onesided: int = 0

    def infer(
        self,
        input: TensorType,
        dft_length: TensorType | None = None,
        axis: TensorType | None = None,
    ) -> TensorType:
        require_parts(input, "input")
        if input.shape is None:
            return TensorType(input.dtype, None)
        if self.onesided:
            parts = 2 if self.inverse else 1
            fits = input.shape[-1] in (parts, None) or isinstance(input.shape[-1], str)
            expected = "complex numbers" if self.inverse else "real numbers"
            require(fits, "a onesided transform", "input", expected, input)
        real = self.onesided and self.inverse
        parts = 1 if real else 2
        place = -2 if axis is None else number(axis, "axis")
        if place is None:
            return TensorType(input.dtype, (*(None,) * (len(input.shape) - 1), parts))
        place = axis_of(place, len(input.shape))
        require(place < len(input.shape) - 1, "the last axis holds the parts", "axis", -2, place)
        shape: list[Dim] = [*input.shape[:-1], parts]
        length = number(dft_length, "dft_length") if dft_length is not None else shape[place]
        if dft_length is None and real:
            length = 2 * (length - 1) if isinstance(length, int) else None
        above = not isinstance(length, int) or length > 0
        require(above, "wrong length", "dft_length", "above 0", length)
        if self.onesided and not self.inverse:
            length = length // 2 + 1 if isinstance(length, int) else None
        shape[place] = length
        return TensorType(input.dtype, tuple(shape))

    def numpy(
        self, input: Array, dft_length: Array | None = None, axis: Array | None = None
    ) -> Array:
        place = axis_of(-2 if axis is None else int(axis.item()), input.ndim)
        x, N = as_complex(input), scalar(dft_length)
        if not self.onesided:
            return as_parts((np.fft.ifft if self.inverse else np.fft.fft)(x, N, place), input)
        if self.inverse:
            return np.asarray(np.fft.irfft(x, N, place)[..., None]).astype(input.dtype)
        return as_parts(np.fft.rfft(x, N, place), input)

    def grad(
        self,
        dY: Any,
        _Y: Any,
        _input: Any,
        dft_length: Any = None,
        axis: Any = None,
    ) -> tuple[Any, ...]:
        place = -2 if axis is None else int(np.asarray(axis).item())
        place, shape = axis_of(place, len(_input.shape)), _input.shape
        at, bins = np.array(place), dY.shape[place]
        if self.onesided and self.inverse:  # each bin but the first and middle stands for two
            made = part(DFT(onesided=1)(dY, None, at), place, 0, shape[place])
            kept = made.shape[place]
            double = np.full(kept, 2 / bins)
            double[[0, *([bins // 2] if bins % 2 == 0 and bins // 2 < kept else [])]] = 1 / bins
            along = (-1, *(1,) * (len(shape) - place - 1))
            made = made * double.reshape(along).astype(np.dtype(dY.dtype))
        else:
            N = shape[place] if dft_length is None else int(np.asarray(dft_length).item())
            if self.onesided:  # what isn't there has no gradient
                dY = _filled(dY, place, N)
            # The transform's adjoint: its inverse, but for the factor 1/N.
            made = DFT(inverse=1 - self.inverse)(dY, None, at) * (1 / N if self.inverse else N)
            made = part(made, place, 0, shape[place])
        made = _filled(made, place, shape[place])
        return made if shape[-1] == 2 else part(made, len(shape) - 1, 0, 1), None, None

    @classmethod
    def examples(cls) -> list[Example]:
        spectrum = as_parts(np.fft.rfft(WAVE[..., 0]), WAVE)
        return [
            Example(cls(), (WAVE,)),
            Example(cls(onesided=1), (WAVE, np.array(6), np.array(1))),
            Example(cls(inverse=1), (spectrum, None, np.array(0))),
            Example(cls(inverse=1, onesided=1), (spectrum,)),
        ]


@operator(family="signal", torch="torch.stft")
class STFT(Operator):
    """Y[b, m, k] = Σ_n exp(-2πi·kn/N) · window[n] · signal[b, m · frame_step + n]: the DFT of
    each frame of N = frame_length elements.

    signal [B, L, 1 or 2], window [N] (absent: ones), Y [B, ⌊(L - N) / frame_step⌋ + 1, bins, 2],
    where bins is N, or ⌊N/2⌋ + 1 if onesided, which is for real signals alone. frame_length is by
    default the window's, or else the signal's.
    Source: https://onnx.ai/onnx/operators/onnx__STFT.html (opset 17)
    """

    onesided: int = 1

    def infer(
        self,
        signal: TensorType,
        frame_step: TensorType,
        window: TensorType | None = None,
        frame_length: TensorType | None = None,
    ) -> TensorType:
        require_parts(signal, "signal")
        require_shape(signal, (None,) * 3, "signal")
        require_dtype(window, signal.dtype, "window")
        B, L, parts = signal.shape or (None,) * 3
        require(
            not (self.onesided and parts == 2),
            "a onesided transform",
            "signal",
            "real numbers",
            signal,
        )
        N, step = number(frame_length, "frame_length"), number(frame_step, "frame_step")
        require(step is None or step > 0, "wrong step", "frame_step", "above 0", step)
        if frame_length is None:
            size = L if window is None else window.shape and window.shape[0]
            N = size if isinstance(size, int) else None
        require_shape(window, (N,), "window")
        if N is None:
            return TensorType(signal.dtype, (B, None, None, 2))
        fits = N > 0 and (not isinstance(L, int) or N <= L)
        require(fits, "wrong length", "frame_length", f"from 1 to {L}", N)
        frames = (L - N) // step + 1 if isinstance(L, int) and step is not None else None
        return TensorType(signal.dtype, (B, frames, N // 2 + 1 if self.onesided else N, 2))

    def numpy(
        self,
        signal: Array,
        frame_step: Array,
        window: Array | None = None,
        frame_length: Array | None = None,
    ) -> Array:
        x, step, N = as_complex(signal), scalar(frame_step), scalar(frame_length)
        if N is None:
            N = x.shape[1] if window is None else len(window)
        frames = np.lib.stride_tricks.sliding_window_view(x, N, 1)[:, ::step]
        if window is not None:
            frames = frames * widen(window)
        return as_parts((np.fft.rfft if self.onesided else np.fft.fft)(frames), signal)

    @classmethod
    def examples(cls) -> list[Example]:
        window = np.array([0, 0.5, 1, 0.5], np.float32)
        pairs = WAVE.reshape(1, 8, 2)
        return [
            Example(cls(), (WAVE, np.array(2), window)),
            Example(cls(), (WAVE, np.array(3), None, np.array(5))),
            Example(cls(onesided=0), (pairs, np.array(1), window, np.array(4))),
        ]
