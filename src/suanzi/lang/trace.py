"""Tracing: a Python function called once, its machine operations recorded as LLVM IR.

Python's `range` unrolls; `Trace.range` is a machine loop, whose body is traced once:

    for i in k.range(n):
        y.put(x.vec(i * lanes) * 2, i * lanes)
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from llvmlite import ir

from suanzi.lang.target import Target
from suanzi.lang.tensor import VOID, Tensor
from suanzi.lang.values import F32, I1, I32, I64, Condition, Index, Lanes, Mask, Var


class Trace:
    """A kernel being traced, and the language's verbs.

    The machine function is `name(args, begin, end, thread)`: `args` points to a table of int64,
    the pointers first, then the sizes; it does the chunks begin..end-1. Each chunk is one call of
    the traced body's code, and no two chunks write the same place.
    """

    def __init__(self, name: str, target: Target, pointers: int, sizes: int) -> None:
        self.target, self.lanes = target, target.lanes
        self.module = ir.Module(name=name)
        self.module.triple = target.triple
        self.pointer = ir.PointerType()
        # The body is a function of its own, since only parameters can be declared not to alias.
        kinds = [self.pointer] * pointers + [I64] * (sizes + 2)
        self.function = ir.Function(self.module, ir.FunctionType(VOID, kinds), name + "_chunk")
        self.function.linkage = "internal"
        self.function.attributes.add("noinline")  # inlined, it would lose what noalias says
        for argument in self.function.args[:pointers]:
            argument.add_attribute("noalias")
        self.entry = self.function.append_basic_block("entry")
        self.b = ir.IRBuilder(self.function.append_basic_block("body"))
        self.pointers = list(self.function.args[:pointers])
        self.sizes = [Index(self, a) for a in self.function.args[pointers : pointers + sizes]]
        self.chunk, self.thread = (Index(self, a) for a in self.function.args[-2:])
        self._name, self._first_body = name, self.b.block

    # --- values

    def number(self, x: Index | int) -> Any:
        return x.value if isinstance(x, Index) else ir.Constant(I64, x)

    def constant(self, x: int) -> Index:
        return Index(self, ir.Constant(I64, x))

    def fill(self, x: float) -> Lanes:
        """The number in every lane."""
        return Lanes(self, ir.Constant(ir.VectorType(F32, self.lanes), [float(x)] * self.lanes))

    def zero(self) -> Lanes:
        return self.fill(0)

    def var(self, start: Lanes | Index) -> Var:
        return Var(self, start)

    def put_down(self, rows: Sequence[Sequence[Lanes]]) -> Tensor:
        """Vectors of int32 as a tensor [rows][columns][lanes] on the stack, for a machine loop."""
        shape = len(rows), len(rows[0]), self.lanes
        with self.b.goto_block(self.entry):
            memory = self.b.alloca(rows[0][0].value.type, shape[0] * shape[1])
            memory = self.b.bitcast(memory, self.pointer)
        kept = Tensor(self, memory, shape, element="int32")
        for i, row in enumerate(rows):
            for j, x in enumerate(row):
                kept.put(x, i, j, 0)
        return kept

    def tensor(
        self,
        pointer: int,
        *shape: int | Index,
        strides: Sequence[int | Index] | None = None,
        element: str = "float32",
    ) -> Tensor:
        """The tensor behind the pointer argument with that number."""
        return Tensor(self, self.pointers[pointer], shape, strides, element)

    def splat(self, scalar: Any) -> Lanes:
        """A machine scalar in every lane."""
        nothing = ir.Constant(ir.VectorType(scalar.type, self.lanes), ir.Undefined)
        one = self.b.insert_element(nothing, scalar, ir.Constant(I32, 0))
        zeros = ir.Constant(ir.VectorType(I32, self.lanes), None)
        return Lanes(self, self.b.shuffle_vector(one, nothing, zeros))

    def fill_int(self, x: int, *, wide: bool = False) -> Lanes:
        """The int32, or int64, in every lane."""
        kind = ir.VectorType(I64 if wide else I32, self.lanes)
        return Lanes(self, ir.Constant(kind, [x] * self.lanes))

    def floats(self, x: Index) -> Lanes:
        """The number, below 2^31, as float32 in every lane."""
        narrow: Lanes = self.splat(self.b.trunc(x.value, I32))
        return narrow.to_float()

    def first(self, count: Index | int) -> Mask:
        """The mask of lanes 0..count-1."""
        if isinstance(count, int):
            bits = [1 if lane < count else 0 for lane in range(self.lanes)]
            return Mask(self, ir.Constant(ir.VectorType(I1, self.lanes), bits))
        places = ir.Constant(ir.VectorType(I32, self.lanes), list(range(self.lanes)))
        bound = self.splat(self.b.trunc(count.value, I32))
        return Mask(self, self.b.icmp_signed("<", places, bound.value))

    def fma(self, a: Lanes, b: Lanes, c: Lanes) -> Lanes:
        """a · b + c, rounded once where the processor has it."""
        kind = c.value.type
        call = self.intrinsic("llvm.fmuladd", kind, [kind] * 3)
        return Lanes(self, self.b.call(call, [a.value, b.value, c.value]))

    def dot4(self, c: Lanes, a: Lanes, b: Lanes) -> Lanes:
        """c + Σ a[i] · b[i], each int32 lane of a being four uint8, of b four int8; exact, modulo
        2³² as sums in int32 are."""
        if self.target.vnni:
            kind = c.value.type
            name = f"llvm.x86.avx512.vpdpbusd.{32 * c.lanes}"
            call = self.module.globals.get(name) or ir.Function(
                self.module, ir.FunctionType(kind, [kind] * 3), name
            )
            return Lanes(self, self.b.call(call, [c.value, a.value, b.value]))
        # In pairs of 16 bits, whose products' sum LLVM knows as one instruction (pmaddwd). Bytes 0
        # and 2, then 1 and 3; each is moved to the top of its 16 bits and back.
        halves = ir.VectorType(ir.IntType(16), 2 * c.lanes)
        eight = ir.Constant(halves, [8] * halves.count)
        a16, b16 = self.b.bitcast(a.value, halves), self.b.bitcast(b.value, halves)
        low_a = self.b.lshr(self.b.shl(a16, eight), eight)
        low_b = self.b.ashr(self.b.shl(b16, eight), eight)
        c = self._dot2(c, low_a, low_b)
        return self._dot2(c, self.b.lshr(a16, eight), self.b.ashr(b16, eight))

    def _dot2(self, c: Lanes, a: Any, b: Any) -> Lanes:
        """c + the sum of products of two int16, of which a lane has so many."""
        wide = ir.VectorType(I32, 2 * c.lanes)
        products = Lanes(self, self.b.mul(self.b.sext(a, wide), self.b.sext(b, wide)))
        evens, odds = list(range(0, 2 * c.lanes, 2)), list(range(1, 2 * c.lanes, 2))
        return c + (products.shuffle(products, evens) + products.shuffle(products, odds))

    @property
    def scales(self) -> bool:
        """Whether the processor has `scale`."""
        return self.target.name == "avx512"

    def scale(self, x: Lanes, n: Lanes) -> Lanes:
        """x · 2^n for whole n, rounded once, subnormal results too."""
        kind, mask = x.value.type, ir.IntType(16)
        name = "llvm.x86.avx512.mask.scalef.ps.512"
        call = self.module.globals.get(name) or ir.Function(
            self.module, ir.FunctionType(kind, [kind, kind, kind, mask, I32]), name
        )
        everywhere, as_set = ir.Constant(mask, -1), ir.Constant(I32, 4)  # lanes, rounding
        return Lanes(self, self.b.call(call, [x.value, n.value, x.value, everywhere, as_set]))

    def select(self, condition: Condition | Mask, a: Any, b: Any) -> Any:
        """a where the condition or the mask's lane is true, else b."""
        return type(a)(self, self.b.select(condition.value, a.value, b.value))

    def intrinsic(self, name: str, result: Any, arguments: Sequence[Any]) -> Any:
        """LLVM's function of that name for these types, declared once."""
        overloads = [t for t in (result, *arguments) if isinstance(t, ir.VectorType)]
        suffix = f".v{overloads[0].count}{_short(overloads[0].element)}" if overloads else ""
        if name.startswith("llvm.masked") or name == "llvm.prefetch":
            suffix += ".p0"
        full = name + suffix
        if full in self.module.globals:
            return self.module.globals[full]
        return ir.Function(self.module, ir.FunctionType(result, arguments), full)

    def unary(self, name: str, x: Lanes) -> Lanes:
        """An intrinsic of one vector: llvm.sqrt, llvm.fabs, llvm.floor, ..."""
        call = self.intrinsic(name, x.value.type, [x.value.type])
        return Lanes(self, self.b.call(call, [x.value]))

    def reduce(self, how: str, x: Lanes) -> Lanes:
        """The sum ("add"), minimum or maximum over the lanes, in every lane, as a tree."""
        step = x.lanes // 2
        while step:
            places = [(lane ^ step) for lane in range(x.lanes)]
            x = self.combine(how, x, x.shuffle(x, places))
            step //= 2
        return x

    def combine(self, how: str, a: Lanes, b: Lanes) -> Lanes:
        """a + b, or the smaller or larger lane by lane (NaN wins, as in NumPy); "top" is the larger
        too, in fewer instructions, where a NaN in b loses."""
        if how == "add":
            return a + b
        if how == "top":
            return self.select(b > a, b, a)  # type: ignore[no-any-return]
        if not a.is_float:
            return self.select(a < b if how == "min" else a > b, a, b)  # type: ignore[no-any-return]
        kind = a.value.type
        call = self.intrinsic(f"llvm.{how}imum", kind, [kind] * 2)
        # Which of 0 and -0 is the larger doesn't matter, and would cost instructions.
        return Lanes(self, self.b.call(call, [a.value, b.value], fastmath=("nsz",)))

    def transpose(self, rows: Sequence[Lanes]) -> list[Lanes]:
        """n vectors of n lanes, n a power of two: row i's lane j becomes row j's lane i."""
        rows, n = list(rows), len(rows)
        step = 1
        while step < n:
            out = list(rows)
            for i in range(n):
                if i & step:
                    continue
                a, b = rows[i], rows[i + step]
                low = [j if not j & step else n + j - step for j in range(n)]
                high = [j + step if not j & step else n + j for j in range(n)]
                out[i], out[i + step] = a.shuffle(b, low), a.shuffle(b, high)
            rows, step = out, step * 2
        return rows

    # --- control

    def range(
        self, start: Index | int, stop: Index | int | None = None, step: int = 1
    ) -> Iterator[Index]:
        """A machine loop. Yields its counter once; what is traced meanwhile is the body."""
        if stop is None:
            start, stop = 0, start
        if isinstance(start, int) and isinstance(stop, int):
            if stop <= start:
                return
            if stop - start <= step:
                yield self.constant(start)
                return
        b = self.b
        first, last = self.number(start), self.number(stop)
        body = self.function.append_basic_block("loop")
        done = self.function.append_basic_block("done")
        before = b.block
        if isinstance(start, int) and isinstance(stop, int):
            b.branch(body)  # at least one turn, seen above
        else:
            b.cbranch(b.icmp_signed("<", first, last), body, done)
        b.position_at_end(body)
        counter = b.phi(I64)
        counter.add_incoming(first, before)
        yield Index(self, counter)
        following = b.add(counter, ir.Constant(I64, step), flags=["nsw"])
        counter.add_incoming(following, b.block)
        b.cbranch(b.icmp_signed("<", following, last), body, done)
        b.position_at_end(done)

    @contextlib.contextmanager
    def when(self, condition: Condition) -> Iterator[None]:
        """What is traced inside runs only if the condition holds."""
        inside = self.function.append_basic_block("when")
        after = self.function.append_basic_block("after")
        self.b.cbranch(condition.value, inside, after)
        self.b.position_at_end(inside)
        yield
        self.b.branch(after)
        self.b.position_at_end(after)

    def fence(self) -> None:
        """What was written past the caches is seen before what is written from here on."""
        if self.target.triple.startswith("x86"):  # others keep the order by themselves
            self.b.call(self.intrinsic("llvm.x86.sse.sfence", VOID, []), [])

    def unravel(self, index: Index, *shape: int | Index) -> tuple[Index, ...]:
        """The places along each axis of a row-major index; the last axis runs fastest."""
        places: list[Index] = []
        for size in reversed(shape[1:]):
            if isinstance(size, int) and size == 1:
                places.append(self.constant(0))
                continue
            places.append(index % size)
            index = index // size
        return (index, *places[::-1])

    # --- the end

    def finish(self) -> str:
        """The module's text: the chunk's function and the entry that loops over chunks."""
        self.b.ret_void()
        with self.b.goto_block(self.entry):
            self.b.position_at_end(self.entry)
            self.b.branch(self._first_body)
        kinds = [self.pointer, I64, I64, I64]
        entry = ir.Function(self.module, ir.FunctionType(VOID, kinds), self._name)
        table, begin, end, thread = entry.args
        b = ir.IRBuilder(entry.append_basic_block("entry"))
        loop, done = entry.append_basic_block("loop"), entry.append_basic_block("done")
        count = len(self.pointers) + len(self.sizes)
        words = []
        for i in range(count):
            place = b.gep(table, [ir.Constant(I64, i)], inbounds=True, source_etype=I64)
            kind = self.pointer if i < len(self.pointers) else I64
            words.append(b.load(place, align=8, typ=kind))
        b.cbranch(b.icmp_signed("<", begin, end), loop, done)
        b.position_at_end(loop)
        chunk = b.phi(I64)
        chunk.add_incoming(begin, entry.blocks[0])
        b.call(self.function, [*words, chunk, thread])
        following = b.add(chunk, ir.Constant(I64, 1), flags=["nsw"])
        chunk.add_incoming(following, loop)
        b.cbranch(b.icmp_signed("<", following, end), loop, done)
        ir.IRBuilder(done).ret_void()
        return str(self.module)


def trace(
    name: str, target: Target, pointers: int, sizes: int, body: Callable[[Trace], None]
) -> str:
    """LLVM IR of a kernel whose chunk is what `body` does."""
    k = Trace(name, target, pointers, sizes)
    body(k)
    return k.finish()


def _short(element: Any) -> str:
    return "f32" if element == F32 else f"i{element.width}"


def ceil_div(a: int, b: int) -> int:
    """
    >>> ceil_div(7, 2)
    4
    """
    return -(-a // b)
