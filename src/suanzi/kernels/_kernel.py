"""What a kernel is, what it is chosen for, and how a step calls it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from suanzi.graph.fused import Chain
from suanzi.lang import Target, Trace, ceil_div, trace
from suanzi.operators._operator import Array, Ints, Operator, TensorType

Precision = Literal["fast", "strict"]
"""Which algorithms may be chosen: for "fast" the fastest; for "strict" those whose error is no
worse than that of the sum that defines the operator, computed in float32 from left to right.

What "fast" adds is Winograd's convolution F(4x4, 3x3): of random data, up to 512 channels, its
error is at most 1e-4 of the largest output, and in the root mean square at most 8 times the direct
sum's (measured: 1.5e-5, and 4 to 6 times). All else is the same in both: sums in other orders,
whose error has the direct sum's bound; constant factors folded into weights, which are rounded
once; functions of single elements, within a few units in the last place as
`suanzi.lang.mathematics` states for each, a division by a constant as multiplication within 1.5.
"""


@dataclass(frozen=True)
class Operand:
    """A value as it lies in memory: its type (sizes known), its layout, its contents if constant.

    `lanes` 0 is plain row-major; else channels are in blocks: [N][ceil(C/lanes)][...][lanes].
    The lanes beyond the last channel hold anything, even NaN: a kernel never lets them matter.
    """

    type: TensorType
    lanes: int = 0
    constant: Array | None = None

    @property
    def shape(self) -> Ints:
        return self.type.sizes

    @property
    def elements(self) -> int:
        """How many elements it takes in memory."""
        if not self.lanes:
            return self.type.size
        N, C, *spatial = self.shape
        count = N * ceil_div(C, self.lanes) * self.lanes
        for size in spatial:
            count *= size
        return count

    @property
    def is_float32(self) -> bool:
        return self.type.dtype == "float32"


@dataclass(frozen=True)
class Site:
    """One node to find a kernel for: `operator`, then `chain` on its output (or None).

    The chain's input 0 is the operator's output, its others are `extras`.
    """

    operator: Operator
    inputs: tuple[Operand | None, ...]
    outputs: tuple[Operand, ...]
    target: Target
    threads: int = 1
    chain: Chain | None = None
    extras: tuple[Operand, ...] = ()
    skipped: Ints = ()
    """The numbers of the operator's outputs that nobody wants, which `outputs` leaves out."""
    precision: Precision = "fast"

    @property
    def output(self) -> Operand:
        return self.outputs[0]


@dataclass(frozen=True)
class Input:
    """The site's input with that number; the extras count after the inputs."""

    number: int


@dataclass(frozen=True)
class Output:
    number: int = 0


@dataclass(frozen=True)
class Scratch:
    """Memory of the step's own, for each thread; the same name in one site is the same memory."""

    name: str
    bytes: int
    per_thread: bool = False


@dataclass(frozen=True)
class Packed:
    """A constant made once, when the model loads. Equal packings of one array are kept once.

    `pack` is a module's function (or a frozen dataclass with __call__), applied to the contents of
    the inputs numbered `sources`.
    """

    pack: Callable[..., Array]
    sources: tuple[int, ...]


@dataclass(frozen=True)
class Fault:
    """A word of int64, 0 before each run, in which a kernel leaves an index that it won't follow,
    since it is outside an axis of `size`; the run then fails. 0 is never outside.
    """

    number: int
    """The input that has the indices."""
    size: int


Argument = Input | Output | Scratch | Packed | Fault


class Kernel:
    """An algorithm with its plan: a frozen dataclass whose fields decide the machine code.

    Equal kernels share their code, in a program and in the cache, so a field that doesn't change
    the code doesn't belong here: sizes that only bound outer loops are better `sizes` of the call.
    A subclass gives `pointers`, `sizes` (how many arguments of each kind), and `chunk`.
    """

    pointers: ClassVar[int]
    sizes: ClassVar[int] = 0

    def pointer_count(self) -> int:
        return self.pointers

    def chunk(self, k: Trace) -> None:
        """Traces the work of one chunk: k.chunk is its number, k.tensor(i, ...) its memory."""
        raise NotImplementedError

    def ir(self, target: Target) -> str:
        """The kernel in LLVM IR."""
        return trace(self.symbol, target, self.pointer_count(), self.sizes, self.chunk)

    @property
    def symbol(self) -> str:
        """The machine function's name: the algorithm, and a digest of the plan."""
        digest = hashlib.sha256(repr(self).encode()).hexdigest()[:16]
        return f"suanzi_{type(self).__name__}_{digest}"


@dataclass(frozen=True)
class Call:
    """One step of a program: a kernel, its arguments in its order, how many chunks there are."""

    kernel: Kernel
    arguments: tuple[Argument, ...]
    chunks: int
    why: str
    """Why this algorithm and plan, for people to read."""
    sizes: Ints = ()


Choice = tuple[Call, ...] | None
"""The calls that do a site's work, one after another; None where the algorithm doesn't apply."""
Chooser = Callable[[Site], Choice]


def chunks_for(work: int, units: int, threads: int, smallest: int = 1 << 19) -> int:
    """How many units of work a chunk should have: enough chunks to balance, none too small.

    `work` is one unit's cost in multiply-adds or in elements moved.
    """
    if threads == 1:
        return max(1, min(units, max(1, (smallest * 8) // max(1, work))))
    enough = max(1, smallest // max(1, work))
    return max(1, min(enough, ceil_div(units, threads * 2), units))


def attributes(kernel: Any) -> str:
    """A kernel's plan in a line."""
    return ", ".join(f"{name}={value}" for name, value in vars(kernel).items())
