"""nn.Module, held to PyTorch's: one script run on both."""

import copy

import numpy as np
import pytest

import suanzi
from nn_support import fails, linear, same
from suanzi import nn


def net(T):
    """Shared parameters, a module twice, a hole, buffers of both kinds."""

    class Net(T.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = T.nn.Parameter(T.ones(1))
            self.first = linear(T)
            self.block = T.nn.Sequential(linear(T, 2, 2, 1), linear(T, 2, 3, 2))
            self.again = self.first
            self.tied = self.scale
            self.register_parameter("none", None)
            self.register_module("hole", None)
            self.register_buffer("steps", T.zeros(2))
            self.register_buffer("hidden", T.ones(1), persistent=False)
            self.held = T.nn.Buffer(T.ones(3))
            self.size = 3

        def forward(self, input):
            return self.again(self.block(self.first(input))) * self.scale

    return Net()


@same
def test_members(T):
    m = net(T)
    return [
        repr(m),
        [[n for n, _ in m.named_parameters(remove_duplicate=d)] for d in (True, False)],
        [n for n, _ in m.named_parameters(prefix="p", recurse=False)],
        [n for n, _ in m.named_buffers()],
        [[n for n, _ in m.named_modules(remove_duplicate=d)] for d in (True, False)],
        [n for n, _ in m.named_children()],
        [len(list(x)) for x in (m.parameters(), m.buffers(), m.children(), m.modules())],
        list(m.state_dict()),
        list(m.state_dict(prefix="a.")),
        m.block.get_submodule("1").extra_repr(),
        m.get_parameter("block.0.weight"),
        m.get_buffer("steps"),
        m(T.ones(2, 3)),
    ]


@same
def test_attributes(T):
    m = net(T)
    told = [hasattr(m, "none"), hasattr(m, "missing"), m.none is None, m.hole is None]
    m.first = linear(T, 1, 1)
    m.scale = None
    m.steps = T.ones(4)
    m.size = T.nn.Parameter(T.ones(1))
    m.held = None
    told += [list(m.state_dict()), [n for n, _ in m.named_modules()]]
    m.steps = T.nn.Buffer(T.ones(1), persistent=False)
    del m.tied, m.block, m.hidden
    told += [list(m.state_dict()), "size" in m.__dict__]

    class Early(T.nn.Module):
        def __init__(self):
            self.weight = T.nn.Parameter(T.ones(1))

    told += [
        fails(setattr, m, "first", 3),
        fails(setattr, m, "scale", T.ones(1)),
        fails(setattr, m, "steps", 3),
        fails(getattr, m, "missing"),
        fails(m.register_parameter, "size.x", None),
        fails(m.register_parameter, "", None),
        fails(m.register_parameter, "forward", None),
        fails(m.register_parameter, "p", T.ones(1)),
        fails(m.register_buffer, "b", 3),
        fails(m.register_buffer, "first", T.ones(1)),
        fails(m.add_module, "m", 3),
        fails(m.get_submodule, "first.weight"),
        fails(m.get_parameter, "first.nothing"),
        fails(m.get_buffer, "size"),
        fails(Early),
        fails(T.nn.Module, 3),
        fails(T.nn.Module()),
    ]
    m.set_submodule("first.inner", linear(T, 1, 1))
    return [*told, [n for n, _ in m.named_modules()]]


@same
def test_modes_and_types(T):
    m = net(T)
    m.first.register_buffer("count", T.zeros(1, dtype=T.int64))
    seen = []
    m.apply(lambda x: seen.append(type(x).__name__))
    told = [seen, m.training, [x.training for x in m.eval().modules()]]
    told.append([x.training for x in m.train().modules()])
    weight = m.scale
    m.requires_grad_(False)
    told += [any(p.requires_grad for p in m.parameters()), m.first.weight.requires_grad]
    m.requires_grad_().double()
    told += [str(m.scale.dtype), str(m.steps.dtype), str(m.first.count.dtype), m.scale is weight]
    for change in (
        lambda: m.half(),
        lambda: m.to(T.bfloat16),
        lambda: m.to("cpu", T.float64),
        lambda: m.to(T.ones(1)),
        lambda: m.to(device="cpu"),
        lambda: m.float().cpu().share_memory(),
        lambda: m.type(T.float64),
    ):
        assert change() is m
        told.append([str(m.scale.dtype), str(m.first.count.dtype)])
    told += [fails(m.to, T.int64), fails(m.to, "somewhere"), fails(m.train, 3)]
    return told


@same
def test_gradients(T):
    m = net(T)
    m(T.ones(2, 3)).sum().backward()
    told = [{n: p.grad for n, p in m.named_parameters()}]
    m.zero_grad(set_to_none=False)
    told.append([p.grad for p in m.parameters()])
    m.zero_grad()
    return [*told, all(p.grad is None for p in m.parameters())]


@same
def test_forward_hooks(T):
    m = linear(T)
    calls = []

    def note(name, result=None):
        def hook(module, *args):
            calls.append((name, len(args), module is m))
            return result

        return hook

    x = T.ones(1, 3)
    handles = [
        m.register_forward_pre_hook(note("pre")),
        m.register_forward_pre_hook(note("pre first"), prepend=True),
        m.register_forward_pre_hook(note("pre kwargs"), with_kwargs=True),
        m.register_forward_hook(note("after")),
        m.register_forward_hook(note("after first"), prepend=True),
        m.register_forward_hook(note("after kwargs"), with_kwargs=True),
        m.register_forward_hook(note("always"), always_call=True),
    ]
    told = [m(x, scale=2.0)]
    told.append(fails(m, T.ones(1, 5)))
    told.append(list(calls))
    for handle in handles:
        handle.remove()
    handles[0].remove()
    calls.clear()
    told += [m(x), list(calls)]
    with m.register_forward_pre_hook(lambda module, args: args[0] * 2):
        told.append(m(x))
    with m.register_forward_pre_hook(lambda module, args, kw: (args, {"scale": 3.0}),
                                     with_kwargs=True):  # fmt: skip
        told.append(m(x))
    with m.register_forward_hook(lambda module, args, out: (out, 1)):
        told.append(m(x))
    with m.register_forward_pre_hook(lambda module, args, kw: 3, with_kwargs=True):
        told.append(fails(m, x))
    return [*told, m(x)]


@same
def test_backward_hooks(T):
    m = linear(T)
    calls = []

    def before(module, grad_output):
        calls.append(["pre", *grad_output])

    def after(module, grad_input, grad_output):
        calls.append(["post", *grad_input, *grad_output])

    m.register_full_backward_hook(after)
    m.register_full_backward_pre_hook(before)
    x = T.ones(2, 3, requires_grad=True)
    (m(x) ** 2).sum().backward()
    told = [list(calls), x.grad, m.weight.grad]
    m.register_full_backward_hook(lambda module, grads, _: (grads[0] * 10,))
    m.register_full_backward_pre_hook(lambda module, grads: (grads[0] * 2,), prepend=True)
    calls.clear()
    x.grad = None
    m(x).sum().backward()
    told += [list(calls), x.grad]
    calls.clear()
    linear_of_data = m(T.ones(2, 3))  # no input needs a gradient
    told.append(len(calls))
    with T.no_grad():
        m(x)
    return [*told, linear_of_data]


@same
def test_backward_hooks_of_several(T):
    class Two(T.nn.Module):
        def forward(self, a, b, c):
            return a * b, b + c

    calls = []
    m = Two()
    m.register_full_backward_hook(
        lambda _, inputs, outputs: calls.append(
            [g if g is None else g.clone() for g in (*inputs, *outputs)]
        )
    )
    a = T.ones(2, requires_grad=True)
    c = T.ones(2, requires_grad=True)
    product, total = m(a, T.ones(2) * 3, c)
    product.sum().backward(retain_graph=True)
    total.sum().backward()
    return [calls, a.grad, c.grad]


@same
def test_state_hooks(T):
    m = net(T)
    calls = []
    m.register_state_dict_pre_hook(lambda module, prefix, keep: calls.append(["pre", prefix, keep]))
    m.first.register_state_dict_post_hook(
        lambda module, state, prefix, metadata: calls.append(["post", prefix, len(state)])
    )
    m.register_load_state_dict_pre_hook(
        lambda module, state, prefix, metadata, strict, missing, unexpected, errors: (
            state.pop("old", None) and None
        )
    )
    m.register_load_state_dict_post_hook(
        lambda module, keys: calls.append(["loaded", list(keys.missing_keys)])
    )
    state = m.state_dict()
    state["old"] = T.ones(1)
    told = [str(m.load_state_dict(state))]
    return [*told, calls]


@same
def test_loading(T):
    a, b = net(T), net(T)
    with T.no_grad():
        for p in a.parameters():
            p.copy_(p * 2 + 1)
    told = [repr(b.load_state_dict(a.state_dict())), b.first.weight, b.steps]
    state = a.state_dict()
    del state["scale"]
    state["block.9.weight"] = state["first.odd"] = T.ones(1)
    keys = b.load_state_dict(state, strict=False)
    told += [keys.missing_keys, keys.unexpected_keys, fails(b.load_state_dict, state)]
    state = {k: v.double() for k, v in a.state_dict().items()}
    b.load_state_dict(state)
    told.append(str(b.first.weight.dtype))
    before = b.first.weight
    b.load_state_dict(state, assign=True)
    told += [str(b.first.weight.dtype), b.first.weight is before, type(b.first.weight).__name__]
    state["scale"] = T.ones(5)
    return [*told, fails(b.load_state_dict, state, strict=False), fails(b.load_state_dict, [])]


@same
def test_extra_state(T):
    class Counted(T.nn.Module):
        count = 3

        def get_extra_state(self):
            return {"count": self.count}

        def set_extra_state(self, state):
            self.count = state["count"]

    m = T.nn.Sequential(Counted())
    state = m.state_dict()
    state["0._extra_state"] = {"count": 7}
    m.load_state_dict(state)
    return [list(state), m[0].count, fails(m.load_state_dict, {})]


@same
def test_copies(T):
    m = net(T)
    m.first.register_forward_hook(lambda module, args, out: out * 2)
    twin = copy.deepcopy(m)
    with T.no_grad():
        twin.scale.fill_(5.0)
    return [
        m.scale, twin.scale, twin.scale is twin.tied, twin.first is twin.again, list(
            twin.state_dict()
        ), m(T.ones(1, 3)), twin(T.ones(1, 3)), twin.scale.requires_grad,
    ]  # fmt: skip


@same
def test_parameter(T):
    data = T.ones(2)
    p = T.nn.Parameter(data, requires_grad=False)
    data.fill_(3.0)
    other = T.nn.Parameter(T.tensor([1.5]))
    twin = copy.deepcopy(other)
    return [
        p, p.requires_grad, repr(other), isinstance(other, T.Tensor), type(other * 2).__name__,
        type(twin).__name__, twin, twin is other, T.nn.Parameter().shape == (0,),
        fails(T.nn.Parameter, T.ones(1, dtype=T.int64)), other.is_leaf, str(T.nn.Buffer(data)),
    ]  # fmt: skip


@same
def test_lazy(T):
    class Scale(T.nn.Module):
        def __init__(self, size):
            super().__init__()
            self.weight = T.nn.Parameter(T.ones(size))

        def forward(self, input):
            return input * self.weight

    class LazyScale(T.nn.modules.lazy.LazyModuleMixin if T.__name__ == "torch"
                    else T.nn.LazyModuleMixin, Scale):  # fmt: skip
        cls_to_become = Scale

        def __init__(self):
            super().__init__(0)
            self.weight = T.nn.UninitializedParameter()

        def initialize_parameters(self, input):
            if self.has_uninitialized_params():
                with T.no_grad():
                    self.weight.materialize((input.shape[-1],))
                    self.weight.fill_(2.0)

    m = LazyScale()
    told = [repr(m), repr(m.weight), m.has_uninitialized_params(), list(m.state_dict())]
    told += [fails(lambda: m.weight.shape), fails(lambda: m.weight * 2), m.weight.requires_grad]
    copied, loaded = copy.deepcopy(m), LazyScale()
    weight = m.double().weight
    told += [m(T.ones(2, 3, dtype=T.float64)), type(m).__name__, m.weight is weight]
    told.append(type(weight).__name__)
    loaded.load_state_dict(m.state_dict())
    told += [loaded.weight, loaded(T.ones(1, 3)), type(loaded).__name__]
    told.append(copied.has_uninitialized_params())
    for p in m.state_dict(), LazyScale().state_dict():
        told.append(fails(LazyScale().load_state_dict, p))
    return told


def test_the_error_tells_all_that_does_not_fit():
    m = linear(suanzi)
    with pytest.raises(suanzi.SuanziError) as error:
        m.load_state_dict({"weight": suanzi.ones(5), "odd": suanzi.ones(1)})
    for part in ('Missing key(s) in state_dict: "bias"', 'Unexpected key(s) in state_dict: "odd"',
                 "size mismatch for weight", "[5]", "[2, 3]"):  # fmt: skip
        assert part in str(error.value)


def test_arrays_load():
    m = linear(suanzi)
    m.load_state_dict({"weight": np.full((2, 3), 2, np.float32), "bias": np.zeros(2)})
    assert m.weight.tolist() == [[2.0] * 3] * 2


def test_a_shallow_copy_has_members_of_its_own():
    m = linear(suanzi)
    twin = copy.copy(m)
    twin.bias = None
    assert twin.weight is m.weight
    assert m.bias is not None


def test_calls_are_plain_again_after_the_last_hook():
    m = linear(suanzi)
    m.register_forward_hook(lambda *_: None).remove()
    m(suanzi.ones(1, 3))
    assert m._hooks is None


def test_a_hook_that_must_always_be_called_may_fail():
    m = linear(suanzi)

    def broken(*_):
        raise ValueError("broken")

    m.register_forward_hook(broken, always_call=True)
    with pytest.warns(UserWarning, match="broken"), pytest.raises(suanzi.SuanziError):
        m(suanzi.ones(1, 5))


def test_wrong_results_of_hooks():
    m = nn.Sequential(linear(suanzi))
    m.register_full_backward_hook(lambda *_: (None, None))
    with pytest.raises(suanzi.SuanziError, match="number of gradients"):
        m(suanzi.ones(1, 3, requires_grad=True)).sum().backward()
    m.register_state_dict_post_hook(lambda *_: 3)
    with pytest.raises(suanzi.SuanziError, match="must return None"):
        m.state_dict()


def test_compiled_in_place():
    m = linear(suanzi)
    x, seen = suanzi.ones(1, 3), []
    before = m(x)
    m.register_forward_hook(lambda module, args, out: seen.append(1) or out * 2)
    m.compile()
    for _ in range(2):
        np.testing.assert_allclose(m(x).detach().numpy(), 2 * before.detach().numpy(), rtol=1e-6)
    assert seen == [1]  # traced once
    assert copy.deepcopy(m)._compiled is None


def test_a_compiled_module_follows_its_mode():
    class Halved(nn.Module):
        def forward(self, input):
            return input / 2 if self.training else input

    m = Halved()
    compiled = suanzi.compile(m)
    assert compiled(suanzi.ones(1)).item() == 0.5
    m.eval()
    assert compiled(suanzi.ones(1)).item() == 1.0
