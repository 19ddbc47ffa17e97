"""What spectra are weighed with: windows over a frame, and the bands of the mel scale."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from suanzi.operators._operator import (
    Array,
    Dim,
    Example,
    Floats,
    Operator,
    TensorType,
    operator,
    require,
)
from suanzi.operators._types import element_type
from suanzi.operators.fourier import number


@dataclass(frozen=True, kw_only=True)
class Window(Operator):
    """Y[n] = a₀ - a₁·cos(2πn/N) + a₂·cos(4πn/N) for n = 0 to size - 1, with N = size if periodic
    (for the frames of a signal), else size - 1 (both ends alike).

    size is a scalar, Y [size] in the type output_datatype.
    Source, of all: https://ieeexplore.ieee.org/document/1455106 (opset 17)
    """

    coefficients: ClassVar[Floats]

    output_datatype: int = 1
    periodic: int = 1

    def infer(self, size: TensorType) -> TensorType:
        count = number(size, "size")
        require(count is None or count >= 0, "wrong size", "size", "0 or more", count)
        return TensorType(element_type(self.output_datatype), (count,))

    def numpy(self, size: Array) -> Array:
        count = int(size.item())
        angle = 2 * np.pi * np.arange(count) / max(count if self.periodic else count - 1, 1)
        waves = ((-1) ** i * a * np.cos(i * angle) for i, a in enumerate(self.coefficients))
        return np.asarray(sum(waves)).astype(element_type(self.output_datatype))

    @classmethod
    def examples(cls) -> list[Example]:
        size = np.array(8)
        return [Example(cls(), (size,)), Example(cls(periodic=0, output_datatype=11), (size,))]


@operator(family="signal", torch="torch.hann_window")
class HannWindow(Window):
    """Y[n] = 1/2 - 1/2 · cos(2πn/N)."""

    coefficients = (0.5, 0.5)


@operator(family="signal", torch="torch.hamming_window")
class HammingWindow(Window):
    """Y[n] = 25/46 - 21/46 · cos(2πn/N)."""

    coefficients = (25 / 46, 21 / 46)


@operator(family="signal", torch="torch.blackman_window")
class BlackmanWindow(Window):
    """Y[n] = 0.42 - 0.5 · cos(2πn/N) + 0.08 · cos(4πn/N)."""

    coefficients = (0.42, 0.5, 0.08)


@operator(family="signal", torch="torchaudio.functional.melscale_fbanks")
class MelWeightMatrix(Operator):
    """W[k, m]: how much frequency k of a spectrum counts in band m: 1 in the band's middle, and
    less in equal steps down to 0 in the middles of its neighbours.

    The middles are evenly spaced on the scale mel(f) = 2595 · log₁₀(1 + f/700): the m-th lies at
    mel(lower) + (m + 1) · (mel(upper) - mel(lower)) / (num_mel_bins + 2), and counts as frequency
    k = ⌊(dft_length + 1) · f / sample_rate⌋. All inputs are scalars; W [⌊dft_length/2⌋ + 1,
    num_mel_bins] in the type output_datatype.
    Source: https://onnx.ai/onnx/operators/onnx__MelWeightMatrix.html (opset 17)
    """

    output_datatype: int = 1

    def infer(
        self,
        num_mel_bins: TensorType,
        dft_length: TensorType,
        sample_rate: TensorType,
        lower_edge_hertz: TensorType,
        upper_edge_hertz: TensorType,
    ) -> TensorType:
        bands, length = number(num_mel_bins, "num_mel_bins"), number(dft_length, "dft_length")
        rate = number(sample_rate, "sample_rate")
        for name, found in (("num_mel_bins", bands), ("dft_length", length), ("sample_rate", rate)):
            require(found is None or found > 0, "must be positive", name, "more than 0", found)
        bins: Dim = None if length is None else length // 2 + 1
        return TensorType(element_type(self.output_datatype), (bins, bands))

    def numpy(
        self,
        num_mel_bins: Array,
        dft_length: Array,
        sample_rate: Array,
        lower_edge_hertz: Array,
        upper_edge_hertz: Array,
    ) -> Array:
        bands, length, rate = (int(x.item()) for x in (num_mel_bins, dft_length, sample_rate))
        low, high = (_mel(float(x.item())) for x in (lower_edge_hertz, upper_edge_hertz))
        mels = low + np.arange(bands + 2) * (high - low) / (bands + 2)
        hertz = 700 * (10 ** (mels / 2595) - 1)
        below, middle, above = np.lib.stride_tricks.sliding_window_view(
            (length + 1) * hertz // rate, bands
        )
        k = np.arange(length // 2 + 1)[:, None]
        # A band no wider than one frequency has no slope: there it counts as a whole.
        rising = np.where(middle > below, (k - below) / np.maximum(middle - below, 1), k == middle)
        falling = (above - k) / np.maximum(above - middle, 1)
        rising, falling = rising * (k <= middle), falling * (k > middle)
        return np.asarray(np.maximum(rising + falling, 0)).astype(
            element_type(self.output_datatype)
        )

    @classmethod
    def examples(cls) -> list[Example]:
        def inputs(bands: int, length: int) -> tuple[Any, ...]:
            edges = np.array(0, np.float32), np.array(8000, np.float32)
            return np.array(bands), np.array(length), np.array(16000), *edges

        return [Example(cls(), inputs(4, 16)), Example(cls(output_datatype=11), inputs(6, 9))]


def _mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)
