"""Tensors behind a kernel's pointers: how their elements are read and written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llvmlite import ir

from suanzi.lang.values import F32, I8, I32, I64, Condition, Index, Lanes, Mask

if TYPE_CHECKING:
    from suanzi.lang.trace import Trace

VOID = ir.VoidType()
ELEMENTS = {"float32": F32, "int64": I64, "int32": I32, "int8": I8, "uint8": I8, "bool": I8}
SIGNLESS = ("uint8", "bool")


class Tensor:
    """A row-major tensor in memory. Sizes and strides are numbers, or Indices known when it runs.

    Elements of 8 bits become int32 when they are read; what is written to them must be whole
    numbers that fit, in int32 or float32.

    Nothing is checked when it runs: a kernel's plan sees to it that it stays inside.
    """

    def __init__(
        self,
        k: Trace,
        pointer: Any,
        shape: Sequence[int | Index],
        strides: Sequence[int | Index] | None = None,
        element: str = "float32",
    ) -> None:
        self.k, self.pointer, self.element = k, pointer, ELEMENTS[element]
        self.kind, self.align = element, 1 if self.element == I8 else 4
        self.shape = tuple(shape)
        if strides is None:
            made: list[int | Index] = []
            step: int | Index = 1
            for size in reversed(self.shape):
                made.append(step)
                step = step * size
            strides = made[::-1]
        self.strides = tuple(strides)

    def view(
        self, shape: Sequence[int | Index], strides: Sequence[int | Index] | None = None
    ) -> Tensor:
        """The same memory under another shape."""
        return Tensor(self.k, self.pointer, shape, strides, self.kind)

    def at(self, *index: Index | int) -> Any:
        """The address of an element."""
        offset: Index | int = 0
        for i, stride in zip(index, self.strides, strict=True):
            step = i * stride
            offset = step if isinstance(offset, int) and offset == 0 else offset + step
        return self.k.b.gep(
            self.pointer, [self.k.number(offset)], inbounds=True, source_etype=self.element
        )

    def vec(self, *index: Index | int, lanes: int | None = None) -> Lanes:
        """`lanes` elements in a row, as many as the target's vector has unless told."""
        kind = ir.VectorType(self.element, lanes or self.k.lanes)
        return self._widened(self.k.b.load(self.at(*index), align=self.align, typ=kind))

    def put(self, x: Lanes, *index: Index | int) -> None:
        self.k.b.store(self._narrowed(x), self.at(*index), align=self.align)

    def put_past(self, x: Lanes, *index: Index | int) -> None:
        """Writes a vector of 32-bit elements past the caches, where it isn't read soon. Its address
        must be a multiple of its size; `Trace.fence` follows at the end of the chunk."""
        b = self.k.b
        size = 4 * x.lanes
        store = b.store(x.value, self.at(*index), align=size)
        store.set_metadata("nontemporal", self.k.module.add_metadata([ir.Constant(I32, 1)]))

    @property
    def aligned(self) -> Condition:
        """Whether the memory begins at a multiple of a vector's size."""
        b = self.k.b
        rest = b.and_(b.ptrtoint(self.pointer, I64), ir.Constant(I64, 4 * self.k.lanes - 1))
        return Condition(self.k, b.icmp_signed("==", rest, ir.Constant(I64, 0)))

    def _widened(self, value: Any) -> Lanes:
        if self.element != I8:
            return Lanes(self.k, value)
        extend = self.k.b.zext if self.kind in SIGNLESS else self.k.b.sext
        return Lanes(self.k, extend(value, ir.VectorType(I32, value.type.count)))

    def _narrowed(self, x: Lanes) -> Any:
        if self.element != I8:
            return x.value
        whole = x.to_int() if x.is_float else x
        return self.k.b.trunc(whole.value, ir.VectorType(I8, x.lanes))

    def vec_part(self, count: Index | int, *index: Index | int) -> Lanes:
        """The first `count` elements of a vector, the other lanes 0; nothing beyond is read."""
        if isinstance(count, int) and count == self.k.lanes:
            return self.vec(*index)
        return self.vec_where(self.k.first(count), *index)

    def vec_where(self, mask: Mask, *index: Index | int) -> Lanes:
        """The elements of a vector in the mask's lanes, the other lanes 0 and not read."""
        kind = ir.VectorType(self.element, self.k.lanes)
        zero = ir.Constant(kind, None)
        load = self.k.intrinsic("llvm.masked.load", kind, [self.k.pointer, mask.value.type, kind])
        return self._widened(self.k.b.call(load, [self.at(*index), mask.value, zero]))

    def put_part(self, count: Index | int, x: Lanes, *index: Index | int) -> None:
        """Writes the first `count` lanes and nothing beyond."""
        if isinstance(count, int) and count == self.k.lanes:
            self.put(x, *index)
            return
        if self.element == I8:
            # LLVM 22 writes four bytes for one lane of a mask that it knows and int32 made 8 bits
            # (X86's reduceMaskedStoreToScalarStore), so it mustn't know: thread numbers are ≥ 0.
            sign = self.k.b.lshr(self.k.thread.value, ir.Constant(I64, 63))
            count = Index(self.k, sign) + count
        self.put_where(self.k.first(count), x, *index)

    def put_where(self, mask: Mask, x: Lanes, *index: Index | int) -> None:
        """Writes the mask's lanes and nothing else; of 8 bits, the mask must not be known."""
        value = self._narrowed(x)
        kinds = [value.type, self.k.pointer, mask.value.type]
        store = self.k.intrinsic("llvm.masked.store", VOID, kinds)
        self.k.b.call(store, [value, self.at(*index), mask.value])

    def bcast(self, *index: Index | int) -> Lanes:
        """One element in every lane."""
        one = self.k.b.load(self.at(*index), align=self.align, typ=self.element)
        return self._widened(self.k.splat(one).value)

    def bcast_four(self, *index: Index | int, count: int = 4) -> Lanes:
        """Four elements of 8 bits in a row as the bytes of one int32, in every lane; of which the
        first `count` are read, the others 0."""
        assert self.element == I8
        b, place = self.k.b, self.at(*index)
        if count == 4:
            return self.k.splat(b.load(place, align=1, typ=I32))
        word = ir.Constant(I32, 0)
        for i in range(count):
            here = b.gep(place, [ir.Constant(I64, i)], inbounds=True, source_etype=I8)
            byte = b.zext(b.load(here, align=1, typ=I8), I32)
            word = b.or_(word, b.shl(byte, ir.Constant(I32, 8 * i)))
        return self.k.splat(word)

    def index(self, *index: Index | int) -> Index:
        """An element of a table of int64 or int32."""
        one = self.k.b.load(self.at(*index), align=self.align, typ=self.element)
        return Index(self.k, one if self.element == I64 else self.k.b.sext(one, I64))

    def put_index(self, x: Index, *index: Index | int) -> None:
        """Writes an element of a table of int64."""
        self.k.b.store(x.value, self.at(*index), align=self.align)

    def gather(self, places: Sequence[Sequence[Index | int]]) -> Lanes:
        """Lane i is the element at places[i]; one load a lane."""
        vector = ir.Constant(ir.VectorType(self.element, len(places)), ir.Undefined)
        for lane, place in enumerate(places):
            one = self.k.b.load(self.at(*place), align=self.align, typ=self.element)
            vector = self.k.b.insert_element(vector, one, ir.Constant(I32, lane))
        return self._widened(vector)

    def put_lane(self, x: Lanes, lane: int, *index: Index | int) -> None:
        """Writes one lane of a vector to one element."""
        one = self.k.b.extract_element(self._narrowed(x), ir.Constant(I32, lane))
        self.k.b.store(one, self.at(*index), align=self.align)

    def prefetch(self, *index: Index | int) -> None:
        """Asks for the element's cache line, to be read soon."""
        call = self.k.intrinsic("llvm.prefetch", VOID, [self.k.pointer, I32, I32, I32])
        flags = [ir.Constant(I32, n) for n in (0, 3, 1)]  # a read, to be kept, of data
        self.k.b.call(call, [self.at(*index), *flags])
