"""Random programs of tensor operations do the same in PyTorch, in Suanzi, and compiled.

A program is a function's source, made line by line: each line is tried in PyTorch as it is made,
so that most of what is made makes sense. The function takes arguments, finds tensors outside of
itself, changes some of both in place, takes gradients, and returns every tensor that it made. It
is called twice, as what it changed is there at the second call.
"""

import random
import textwrap

import numpy as np
import pytest

import suanzi

torch = pytest.importorskip("torch")

PROGRAMS = 300
LINES = 14
BEGIN = {
    "a": ((3, 4), "float32", False),
    "b": ((4,), "float32", False),
    "c": ((3, 4), "int64", False),
    "m": ((3, 4), "bool", False),
    "x": ((3, 4), "float32", True),
    "s": ((3, 4), "float32", False),
    "w": ((4, 3), "float32", True),
    "u": ((4,), "float32", True),
}
"""The tensors at the beginning: shape, type, whether they require gradients."""
ARGUMENTS = ("a", "b", "c", "m", "x")
FREER = (
    "modified by an inplace operation", "second time", "single memory location",
    "is not implemented", "ZeroDivisionError", "derivative for", "multiple views",
    "another view of its base has been modified",
)  # fmt: skip
"""Errors of PyTorch's where an answer is right as well."""
STRICTER = (
    "modified by", "freed by the first", "read-only", "share memory", "view of a detached",
    "from inside of a compiled",
)  # fmt: skip
"""Errors of ours where PyTorch has an answer, but never another than what is right."""


def gradients(T, y, leaves):
    """Gradients that can be differentiated again; zeros where there is none."""
    made = T.autograd.grad((y * y).sum(), leaves, create_graph=True, allow_unused=True)
    return [T.zeros_like(x) if g is None else g for x, g in zip(leaves, made, strict=True)]


class Maker:
    """Makes a program, running it in PyTorch line by line."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.names = dict.fromkeys(BEGIN)
        self.scope = {"T": torch, "gradients": gradients, **beginning(torch, seed)}
        self.lines = []
        self.error = None
        self.backwards = 0
        while len(self.lines) < LINES and self.error is None:
            self.add(self.random.choice(KINDS)(self))

    def add(self, line):
        if line is None:
            return
        first = line.split(" = ")[0]
        try:
            exec(line, self.scope)
        except (RuntimeError, IndexError, TypeError, ValueError) as error:
            if self.random.random() < 0.7:
                return
            self.error = str(error)
        else:
            if " = " in line and first.replace(", ", "").strip(",").isalnum():
                self.names.update(dict.fromkeys(first.strip(",").split(", ")))
        self.lines.append(line)

    # --- what lines are made of

    def new(self):
        return f"v{len(self.names)}"

    def pick(self, fits=lambda t: True, last=3):
        """A name of a tensor that fits; those made last rather than others."""
        names = [n for n in self.names if fits(self.scope[n])]
        if not names:
            return None
        return self.random.choice(names[-4:] if self.random.random() < 0.5 else names)

    def float(self):
        return self.pick(lambda t: t.is_floating_point())

    def axis(self, name):
        rank = self.scope[name].ndim
        return self.random.randrange(-rank, rank) if rank else 0

    def number(self):
        return self.random.choice(["2", "-1", "0.5", "3", "1.5", "True"])

    def other(self, name):
        """A tensor that goes with another, by the same shape or by broadcasting; or a number."""
        shape = self.scope[name].shape
        if self.random.random() < 0.25:
            return self.number()

        def fits(t):
            try:
                return torch.broadcast_shapes(t.shape, shape) == shape
            except RuntimeError:
                return False

        found = self.pick(fits if self.random.random() < 0.97 else lambda t: True)
        return found or self.number()

    def index(self, name):
        """A basic index."""
        shape = self.scope[name].shape
        parts = []
        for size in shape[: self.random.randint(0, len(shape))]:
            kind = self.random.randrange(5)
            if kind == 0 and size:
                parts.append(str(self.random.randrange(-size, size)))
            elif kind == 1:
                parts.append(f"{self.random.randint(0, size)}:")
            elif kind == 2:
                parts.append(f"::{self.random.randint(1, 3)}")
            elif kind == 3:
                parts.append(f":{self.random.randint(-1, size)}")
            else:
                parts.append(":")
        if self.random.random() < 0.15:
            parts.insert(self.random.randint(0, len(parts)), "None")
        if self.random.random() < 0.15:
            parts.insert(self.random.randint(0, len(parts)), "...")
        return ", ".join(parts) or "..."

    def places(self, name, longest=3):
        """Indices along one axis, as a list, each once."""
        size = self.scope[name].shape[0]
        count = self.random.randint(0 if self.random.random() < 0.1 else 1, min(size, longest))
        return [i - size * self.random.randrange(2)
                for i in self.random.sample(range(size), count)]  # fmt: skip

    def advanced(self, name):
        """An index with a list, a tensor or a mask; None where there is none."""
        t = self.scope[name]
        if not t.ndim or not t.shape[0]:
            return None
        kind = self.random.randrange(5)
        if kind == 0:
            return f"T.tensor({self.places(name)}, dtype=T.int64)"
        if kind == 1:
            return str(self.places(name) or [0])
        if kind == 2 and t.ndim > 1 and t.shape[1]:
            first = [i % t.shape[0] for i in self.places(name)] or [0]
            second = [self.random.randrange(t.shape[1]) for _ in first]
            return f"{first}, {second}"
        if kind == 3 and t.ndim > 1 and t.shape[1]:
            return f":, [{self.random.randrange(t.shape[1])}]"
        return self.pick(lambda m: m.dtype == torch.bool and m.shape == t.shape)


def creation(make):
    shape = make.random.choice(["2, 3", "4", "3, 4", "1, 4", "", "0, 3", "4, 2"])
    of = make.pick()
    return f"{make.new()} = " + make.random.choice([
        f"T.zeros(({shape}{',' if shape and ',' not in shape else ''}))",
        f"T.full(({shape}{',' if shape and ',' not in shape else ''}), 1.5)",
        "T.arange(12.0).reshape(3, 4)",
        "T.arange(4)",
        "T.tensor([[1, -2, 3, 0]])",
        "T.tensor([0.5, -1.5, 2.0, 1.0], requires_grad=True)",
        "T.eye(3, 4)",
        f"T.ones_like({of})",
        f"T.full_like({of}, 2)",
        f"{of}.new_ones(2, 3)",
        "T.tensor(2.5)",
        "T.tensor(3)",
    ])  # fmt: skip


def view(make):
    v = make.pick()
    shape = make.scope[v].shape
    new = make.new()
    axis, other = make.axis(v), make.axis(v)
    size = shape[axis] if shape else 0
    kind = make.random.randrange(16)
    if kind < 4:
        return f"{new} = {v}[{make.index(v)}]"
    if kind in (9, 10) and shape and 0 < size < 5:
        parts = range(size) if kind == 9 else range(len(make.scope[v].chunk(2, axis)))
        names = [f"v{len(make.names) + i}" for i in parts]
        if len(names) > 1:
            call = f"unbind({axis})" if kind == 9 else f"chunk(2, {axis})"
            return f"{', '.join(names)} = {v}.{call}"
    sizes = [make.random.choice([s, -1]) if s != 1 else make.random.choice([1, 2, 3])
             for s in shape]  # fmt: skip
    if make.random.random() < 0.4:
        sizes = [2, *sizes]
    order = make.random.sample(range(len(shape)), len(shape))
    return f"{new} = " + make.random.choice([
        f"{v}.select({axis}, {make.random.randrange(-size, size) if size else 0})",
        f"{v}.transpose({axis}, {other})",
        f"{v}.permute({order})",
        f"{v}.reshape(-1)",
        f"{v}.reshape({[*reversed(shape)]})",
        f"{v}.view(-1)",
        f"{v}.flatten()",
        f"{v}.expand({sizes})",
        f"{v}.unsqueeze({axis})",
        f"{v}.squeeze()",
        f"{v}.narrow({axis}, 0, {max(size - 1, 0)})",
        f"{v}.T" if len(shape) == 2 else f"{v}.movedim({axis}, {other})",
        f"{v}.diagonal()" if len(shape) == 2 else f"{v}.view_as({v})",
        f"{v}.unfold({axis}, {max(size - 1, 1)}, 1)",
        f"{v}.detach()",
        f"{v}.contiguous()",
    ])  # fmt: skip


def changed(make):
    """A change in place."""
    v = make.pick()
    o = make.other(v)
    kind = make.random.randrange(8)
    advanced = make.advanced(v) if kind in (5, 6) else None
    index = advanced or make.index(v)
    value = make.number()
    if make.random.random() < 0.5:
        try:
            shape = eval(f"{v}[{index}].shape", make.scope)
        except (IndexError, RuntimeError):
            shape = None
        value = (shape and make.pick(lambda t: t.shape == shape)) or value
    line = make.random.choice([
        f"{v}.add_({o})",
        f"{v}.mul_({o})",
        f"{v}.sub_({o}, alpha=2)",
        f"{v}.copy_({o})" if not o[0].isdigit() and o[0] not in "-T" else f"{v}.fill_({o})",
        f"{v}.zero_()",
        f"{v}.clamp_(-1, 2)",
        f"{v}.tanh_()",
        f"{v}.masked_fill_({v} > 1, -1)",
    ]) if kind < 4 else f"{v}[{index}] = {value}"  # fmt: skip
    if kind == 7:
        line = f"{v}[{index}] {make.random.choice(['+=', '*=', '-='])} {value}"
    if make.random.random() < 0.25:
        line = f"with T.no_grad(): {line}"
    return line


def arithmetic(make):
    v = make.pick()
    o = make.other(v)
    sign = make.random.choice(["+", "-", "*", "/", "*", "+", "//", "%", ">", "<=", "==", "!="])
    f = make.float()
    other = make.other(f)
    return f"{make.new()} = " + make.random.choice([
        f"{v} {sign} {o}",
        f"{o} {sign} {v}",
        f"{f}.tanh()",
        f"{f} * {f}.sigmoid()",
        f"{f}.relu()",
        f"{f} ** 2",
        f"{f}.sin() * {other}",
        f"T.where({v} > 0, {v}, {o})",
        f"T.where({f} < 1, {f}.exp(), {f})",
        f"T.maximum({f}, {f} * 0.5)",
        f"{v}.clamp(min=-1)",
        f"-{f}",
        f"{f}.abs() + 0.5",
        f"({f}.abs() + 1).log()",
        f"{v}.{make.random.choice(['double', 'long', 'float', 'bool', 'int'])}()",
    ])  # fmt: skip


def reduction(make):
    v = make.pick()
    f = make.float()
    axis, of_float = make.axis(v), make.axis(f)
    keep = make.random.choice(["", ", keepdim=True"])
    return f"{make.new()} = " + make.random.choice([
        f"{v}.sum()",
        f"{v}.sum({axis}{keep})",
        f"{f}.mean({of_float}{keep})",
        f"{f}.mean()",
        f"{f}.amax({of_float})",
        f"{f}.softmax({of_float})",
        f"{f}.logsumexp({of_float}{keep})",
        f"{f}.var({of_float})",
        f"{f}.norm()",
        f"{v}.cumsum({axis})",
        f"{v}.prod({axis})",
        f"({v} > 0).any({axis})",
        f"({v} > 0).all()",
        f"{v}.max()",
    ])  # fmt: skip


def joined(make):
    v = make.pick()
    t = make.scope[v]
    new = make.new()
    axis = make.axis(v)
    same = make.pick(lambda o: o.shape == t.shape)
    kind = make.random.randrange(8)
    if kind == 0:
        return f"{new} = T.cat([{v}, {same}], {axis})"
    if kind == 1:
        return f"{new} = T.stack([{same}, {v}], {axis})"
    if kind in (2, 3):
        f = make.pick(lambda o: o.is_floating_point() and o.ndim > 0)
        mate = make.pick(lambda o: o.dtype == make.scope[f].dtype and o.ndim > 0
                         and o.shape[max(o.ndim - 2, 0)] == make.scope[f].shape[-1])  # fmt: skip
        return mate and f"{new} = {f} @ {mate}"
    if kind == 4 and t.ndim and t.shape[axis]:
        return f"{new} = {v}.gather({axis}, T.zeros({[*t.shape]}, dtype=T.int64))"
    if kind == 5 and t.ndim and t.shape[axis]:
        return f"{new} = {v}.index_select({axis}, T.tensor([0, {t.shape[axis] - 1}, 0]))"
    if kind == 6:
        return f"{new} = {v}.clone()"
    index = make.advanced(v)
    return index and f"{new} = {v}[{index}]"


def backward(make):
    make.backwards += 1
    y = make.pick(lambda t: t.is_floating_point() and t.requires_grad)
    if y is None or make.backwards > 4:
        return None
    kind = make.random.randrange(7)
    keep = make.random.choice(["retain_graph=True", "retain_graph=True", ""])
    leaves = [n for n in ("w", "u", "x") if make.scope[n].requires_grad and make.scope[n].is_leaf]
    if kind < 3:
        return f"({y} * {y}).sum().backward({keep})"
    if kind == 3:
        return f"{y}.backward(T.full_like({y}, 0.5), {keep})"
    if kind == 4:
        return f"{make.random.choice(leaves)}.grad = None"
    if kind == 5:
        name = make.random.choice(leaves)
        if make.scope[name].grad is None:
            return None
        return f"{make.new()} = {name}.grad.clone()"
    names = ", ".join(f"v{len(make.names) + i}" for i in range(len(leaves)))
    return f"{names}, = gradients(T, {y}, [{', '.join(leaves)}])"


KINDS = [creation, view, view, view, changed, changed, arithmetic, arithmetic, arithmetic,
         reduction, joined, joined, backward]  # fmt: skip


def beginning(T, seed):
    generator = np.random.default_rng(seed)
    made = {}
    for name, (shape, kind, requires_grad) in BEGIN.items():
        array = (generator.integers(-8, 9, shape) / 4).astype(kind)
        if kind == "float32":
            array += generator.normal(size=shape).astype(kind) / 64  # no ties
        made[name] = T.tensor(array)
        made[name].requires_grad_(requires_grad)
    return made


def source(lines, names):
    made = ", ".join(n for n in names if n not in BEGIN)
    body = "\n".join([*lines, f"return [{made}]"])
    return f"def program({', '.join(ARGUMENTS)}):\n" + textwrap.indent(body, "    ")


def results(T, code, seed, compiled=False):
    """What two calls leave: all tensors made and changed, gradients, or the error."""
    scope = {"T": T, "gradients": gradients, **beginning(T, seed)}
    exec(code, scope)
    program = T.compile(scope["program"]) if compiled else scope["program"]
    found = []
    for _ in range(2):
        try:
            made = program(*(scope[n] for n in ARGUMENTS))
        except (RuntimeError, IndexError, TypeError, ValueError, suanzi.SuanziError) as error:
            return found, error
        tensors = [*made, *(scope[n] for n in BEGIN), *(scope[n].grad for n in "xwu")]
        found.append([
            None if t is None else (np.array(t.detach().tolist(), as_numpy(t)), t.requires_grad)
            for t in tensors
        ])  # fmt: skip
        for n in BEGIN:  # what was changed with a history doesn't take it to the second call
            if not scope[n].is_leaf:
                scope[n].detach_()
    return found, None


def as_numpy(t):
    return str(t.dtype).split(".")[1]


def check(found, wanted, what):
    for call, (ours, theirs) in enumerate(zip(found, wanted, strict=True)):
        for number, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            where = f"{what}, call {call}, result {number}"
            assert (a is None) == (b is None), where
            if a is None:
                continue
            assert (a[0].shape, a[0].dtype) == (b[0].shape, b[0].dtype), where
            scale = max(1, np.abs(b[0][np.isfinite(b[0])]).max(initial=0))
            np.testing.assert_allclose(a[0] / scale, b[0] / scale, 2e-4, 1e-5, err_msg=where)
            same = a[1] == b[1] or not b[0].any()  # of zeros, a history says nothing
            assert same, f"requires_grad of {where}"


def hold(seed):
    """Makes the program of a seed and holds Suanzi to PyTorch."""
    program = Maker(seed)
    code = source(program.lines, program.names)
    wanted, error = results(torch, code, seed)
    for compiled in (False, True):
        what = "compiled" if compiled else "eager"
        found, raised = results(suanzi, code, seed, compiled)
        if error is not None and not any(text in str(error) for text in FREER):
            assert raised is not None, f"{what}: PyTorch raises {error}\n{code}"
        if raised is not None:
            assert isinstance(raised, suanzi.SuanziError), f"{what}: {raised!r}\n{code}"
            unknown = compiled and "traced" in str(raised)
            freer = any(text in str(raised) for text in STRICTER)
            assert error is not None or unknown or freer, f"{what}: {raised}\n{code}"
            continue
        if error is None:
            try:
                check(found, wanted, what)
            except AssertionError as difference:
                raise AssertionError(f"{difference}\n{code}") from None


@pytest.mark.filterwarnings("ignore::UserWarning")  # PyTorch's, of writes to overlapping views
@pytest.mark.filterwarnings("ignore:Mean of empty slice")
@pytest.mark.parametrize("part", range(12))
def test_random_programs(part):
    for seed in range(part, PROGRAMS, 12):
        hold(seed)
