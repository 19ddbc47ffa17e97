"""Quantization by the range that the data turns out to have: the range first, then each number."""

from dataclasses import dataclass, replace
from typing import ClassVar

from suanzi.graph.quantized import Quantize
from suanzi.kernels import elementwise
from suanzi.kernels._kernel import Call, Choice, Input, Kernel, Output, Site
from suanzi.kernels._rows import fold_row
from suanzi.lang import Lanes, Trace
from suanzi.lang.mathematics import VectorMathematics


@dataclass(frozen=True)
class DynamicRange(Kernel):
    """DynamicQuantizeLinear's scale and zero point; one chunk. The sizes: x's whole vectors, and
    the elements after them."""

    tail: bool
    pointers: ClassVar[int] = 3
    sizes: ClassVar[int] = 2

    def chunk(self, k: Trace) -> None:
        vectors, over = k.sizes
        x, rest = k.tensor(0, 1), over if self.tail else None
        start = k.constant(0)
        high = fold_row(k, "max", x, start, vectors, rest)
        low = fold_row(k, "min", x, start, vectors, rest)
        scale, zero_point = scale_of(k, low, high)
        k.tensor(1, 1).put_lane(scale, 0, 0)
        k.tensor(2, 1, element="uint8").put_lane(zero_point, 0, 0)


def scale_of(k: Trace, low: Lanes, high: Lanes) -> tuple[Lanes, Lanes]:
    """The scale and zero point, in every lane, of what lies within these lanes' limits and 0."""
    m = VectorMathematics(k)
    low, high = m.minimum(k.reduce("min", low), 0), m.maximum(k.reduce("max", high), 0)
    scale = (high - low) / 255
    scale = m.where(scale == 0, 1, scale)
    return scale, Quantize("uint8").formula(m, -low, scale, k.zero())


def choose(site: Site) -> Choice:
    x = site.inputs[0]
    assert x is not None
    if x.lanes or x.type.size == 0 or site.skipped:
        return None
    vectors, rest = divmod(x.type.size, site.target.lanes)
    made = (Output(1), Output(2))
    found = Call(DynamicRange(rest > 0), (Input(0), *made), 1, "the range", (vectors, rest))
    inputs = (x, *site.outputs[1:])
    each = replace(site, operator=Quantize("uint8"), inputs=inputs, outputs=site.outputs[:1])
    choice = elementwise.choose(each)
    assert choice is not None
    (call,) = choice
    return found, replace(call, arguments=(Output(0), Input(0), *made))
