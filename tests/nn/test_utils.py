"""nn.utils, held to PyTorch's: one script run on both."""

import copy
import math

import numpy as np
import pytest

import suanzi
from nn_support import fails, linear, same
from suanzi import nn
from suanzi.nn import utils
from suanzi.nn.utils import parametrizations, parametrize, rnn


def with_gradients(T):
    m = T.nn.Sequential(linear(T), linear(T, 2, 2, 1), linear(T, 2, 2, 3))
    (m[:2](T.ones(4, 3)) ** 2).sum().backward()
    return m


@same
def test_clipping(T):
    clip = T.nn.utils
    told = []
    for order in (2, 1.0, math.inf, 3):
        m = with_gradients(T)
        told.append(clip.clip_grad_norm_(m.parameters(), 0.5, norm_type=order))
        told.append([p.grad for p in m.parameters() if p.grad is not None])
    m = with_gradients(T)
    gradients = [p.grad for p in m.parameters() if p.grad is not None]
    told += [clip.get_total_norm(gradients), clip.get_total_norm(gradients[0])]
    told.append(clip.clip_grad_norm_(m.parameters(), 1e6))
    told.append(clip.clip_grad_norm_([], 1.0))
    clip.clip_grad_value_(m.parameters(), 0.3)
    told.append(gradients)
    gradients[0].fill_(math.nan)
    told.append(fails(clip.clip_grad_norm_, m.parameters(), 1.0, error_if_nonfinite=True))
    return told


@same
def test_vectors(T):
    m = linear(T)
    vector = T.nn.utils.parameters_to_vector(m.parameters())
    T.nn.utils.vector_to_parameters(vector.detach() * 2, m.parameters())
    failed = fails(T.nn.utils.vector_to_parameters, 3, m.parameters())
    return [vector, m.weight, m.bias, m.weight.requires_grad, failed]


@same
def test_functional_call(T):
    call = T.func.functional_call
    m = T.nn.Sequential(linear(T), linear(T, 2, 3, 1))
    m.append(linear(T))
    m[2].weight = m[0].weight
    other = T.ones(2, 3, requires_grad=True)
    x = T.ones(1, 3)
    y = call(m, {"0.weight": other}, x)
    y.sum().backward()
    told = [y, other.grad, m[0].weight.grad is None, m(x), m[0].weight.is_leaf]
    told.append(call(m, ({"0.weight": other}, {"0.bias": T.ones(2)}), (x,)))
    told.append(call(m[0], {"weight": other}, x, {"scale": 2.0}))
    told.append(call(m, {"0.weight": other}, x, tie_weights=False))
    told.append(fails(call, m, {"9.weight": other}, x))
    told.append(fails(call, m, {"0.weight": other}, x, strict=True))
    return told


@same
def test_weight_norm(T):
    for dim in (0, 1, None):
        m = T.nn.utils.weight_norm(linear(T), dim=dim)
        before = m(T.ones(1, 3))
        before.sum().backward()
        told = [before, list(m.state_dict()), m.weight_g, m.weight_g.grad, m.weight_v.grad]
        with T.no_grad():
            m.weight_g.mul_(2)
        told += [m(T.ones(1, 3)), fails(T.nn.utils.weight_norm, m)]
        T.nn.utils.remove_weight_norm(m)
        told += [list(m.state_dict()), m(T.ones(1, 3)), fails(T.nn.utils.remove_weight_norm, m)]
    return told


@same
def test_weight_norm_of_today(T):
    m = T.nn.utils.parametrizations.weight_norm(linear(T))
    g, v = m.parametrizations.weight.original0, m.parametrizations.weight.original1
    m(T.ones(1, 3)).sum().backward()
    state = {"bias": T.zeros(2), "weight_g": T.ones(2, 1), "weight_v": T.ones(2, 3)}
    told = [repr(m), list(m.state_dict()), g.grad, v.grad, str(m.load_state_dict(state)), m.weight]
    with T.no_grad():
        m.weight = T.ones(2, 3) * 2
    told += [m.parametrizations.weight.original0, m.weight]
    T.nn.utils.parametrize.remove_parametrizations(m, "weight")
    return [*told, list(m.state_dict()), m.weight, type(m).__name__, type(m.weight).__name__]


@same
def test_parametrize(T):
    parametrize = T.nn.utils.parametrize

    class Symmetric(T.nn.Module):
        def forward(self, X):
            return X.triu() + X.triu(1).t()

        def right_inverse(self, A):
            return A.triu()

    class Doubled(T.nn.Module):
        def forward(self, X):
            return X * 2

    class Halves(T.nn.Module):
        def forward(self, X):
            return X[..., :1]

        def right_inverse(self, X):
            return X.double()

    m = linear(T, 3, 3)
    weight = m.weight
    told = [parametrize.is_parametrized(m)]
    parametrize.register_parametrization(m, "weight", Symmetric())
    told += [repr(m), m.weight, list(m.state_dict()), m.parametrizations.weight.original is weight]
    parametrize.register_parametrization(m, "weight", Doubled())
    parametrize.register_parametrization(m, "bias", Doubled())
    told += [m.weight, m.bias, parametrize.is_parametrized(m, "bias")]
    told.append(parametrize.type_before_parametrizations(m).__name__)
    told.append(fails(setattr, m, "weight", T.ones(3, 3)))
    with parametrize.cached():
        told += [m.weight is m.weight]
    told.append(m.weight is m.weight)
    m(T.ones(1, 3)).sum().backward()
    told += [weight.grad, [n for n, _ in m.named_parameters()]]
    twin = copy.deepcopy(m)
    parametrize.remove_parametrizations(twin, "weight", leave_parametrized=False)
    told += [twin.weight, list(twin.state_dict()), type(twin).__name__]
    parametrize.remove_parametrizations(twin, "bias")
    told += [list(twin.state_dict()), twin.bias, type(twin).__name__, hasattr(twin, "weight")]
    told += [
        fails(parametrize.remove_parametrizations, twin, "bias"),
        fails(parametrize.register_parametrization, twin, "nothing", Doubled()),
        fails(parametrize.register_parametrization, twin, "weight", Halves()),
        fails(parametrize.register_parametrization, m, "weight", Halves()),
    ]
    return told


@same
def test_parametrized_buffers(T):
    class Plus(T.nn.Module):
        def forward(self, X):
            return X + 1

    m = T.nn.Module()
    m.register_buffer("count", T.zeros(2))
    T.nn.utils.parametrize.register_parametrization(m, "count", Plus())
    told = [m.count, list(m.state_dict()), len(list(m.parameters()))]
    T.nn.utils.parametrize.remove_parametrizations(m, "count")
    return [*told, list(m.state_dict()), m.count]


def test_a_copy_is_parametrized_on_its_own():
    m = parametrizations.weight_norm(linear(suanzi))
    before, twin = m.weight, copy.deepcopy(m)
    parametrize.remove_parametrizations(twin, "weight")
    assert m.weight.tolist() == before.tolist() == twin.weight.tolist()
    assert not parametrize.is_parametrized(twin)


def test_a_parametrization_tells_its_own_attribute_error():
    class Broken(nn.Module):
        def forward(self, X):
            return X.no_such_method()

    m = linear(suanzi)
    with pytest.raises(AttributeError, match="no_such_method"):
        parametrize.register_parametrization(m, "weight", Broken())
    parametrize.register_parametrization(m, "weight", Broken(), unsafe=True)
    with pytest.raises(AttributeError, match="no_such_method"):
        m(suanzi.ones(1, 3))


def test_transfer():
    a, b = linear(suanzi), linear(suanzi, seed=5)
    parametrizations.weight_norm(a)
    parametrize.transfer_parametrizations_and_params(a, b)
    assert b.weight.tolist() == a.weight.tolist()
    assert parametrize.transfer_parametrizations_and_params(linear(suanzi), b) is b


@pytest.mark.parametrize("apply", [utils.spectral_norm, parametrizations.spectral_norm])
def test_spectral_norm(apply):
    m = apply(linear(suanzi, 6, 4), n_power_iterations=20)
    for _ in range(3):
        m(suanzi.ones(1, 6)).sum().backward()
    assert abs(np.linalg.norm(m.weight.detach().numpy(), 2) - 1) < 1e-4
    before = m.eval()(suanzi.ones(1, 6))
    assert m(suanzi.ones(1, 6)).tolist() == before.tolist()
    assert [p.grad is not None for p in m.parameters()] == [True, True]


@same
def test_spectral_norm_by_its_state(T):
    """Its directions are drawn; once they are loaded, all else is PyTorch's."""
    u, v = T.ones(2) / 2**0.5, T.ones(3) / 3**0.5
    old = T.nn.utils.spectral_norm(linear(T))
    new = T.nn.utils.parametrizations.spectral_norm(linear(T))
    told = [repr(new), list(old.state_dict()), list(new.state_dict())]
    for m, names in (
        (old, ("weight_u", "weight_v")),
        (
            new,
            ("parametrizations.weight.0._u", "parametrizations.weight.0._v"),
        ),
    ):
        m.load_state_dict({**m.state_dict(), **dict(zip(names, (u, v), strict=True))})
        m(T.ones(1, 3)).sum().backward()
        told += [[p.grad for p in m.parameters()], {k: m.state_dict()[k] for k in names}]
        told.append(m.eval()(T.ones(1, 3)))
    T.nn.utils.remove_spectral_norm(old)
    T.nn.utils.parametrize.remove_parametrizations(new, "weight")
    told += [old.weight, new.weight, list(old.state_dict())]
    told += [fails(T.nn.utils.remove_spectral_norm, old)]
    told += [fails(T.nn.utils.spectral_norm, old, "weight", 0)]
    return [*told, fails(T.nn.utils.parametrizations.spectral_norm, old, dim=5)]


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5)])
@pytest.mark.parametrize("kind", ["matrix_exp", "cayley", "householder"])
def test_orthogonal_matches_pytorch(shape, kind):
    torch = pytest.importorskip("torch")
    found = []
    start = np.random.default_rng(0).normal(size=shape)
    for T in (suanzi, torch):
        m = T.nn.Module()
        m.weight = T.nn.Parameter(T.from_numpy(start.copy()))
        T.nn.utils.parametrizations.orthogonal(m, "weight", kind, use_trivialization=False)
        (m.weight * T.from_numpy(start)).sum().backward()
        original = m.parametrizations.weight.original
        found.append([x.detach().numpy() for x in (m.weight, original.grad, original)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-8)


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (2, 4, 3)])
@pytest.mark.parametrize("kind", [None, "matrix_exp", "cayley", "householder"])
def test_orthogonal(shape, kind):
    m = nn.Module()
    m.weight = nn.Parameter(suanzi.randn(shape))
    parametrizations.orthogonal(m, "weight", kind)
    value = m.weight.detach().numpy()
    tall = value if shape[-2] >= shape[-1] else np.swapaxes(value, -2, -1)
    gram = np.swapaxes(tall, -2, -1) @ tall
    np.testing.assert_allclose(gram, np.broadcast_to(np.eye(gram.shape[-1]), gram.shape), atol=1e-5)
    with suanzi.no_grad():
        m.weight = suanzi.from_numpy(-value)
    np.testing.assert_allclose(m.weight.detach().numpy(), -value, atol=1e-5)


def test_orthogonal_errors():
    m = linear(suanzi)
    for name, kind in (("weight", "other"), ("bias", None), ("nothing", None)):
        with pytest.raises(suanzi.SuanziError):
            parametrizations.orthogonal(m, name, kind)
    parametrizations.orthogonal(m, orthogonal_map="cayley", use_trivialization=False)
    with pytest.raises(NotImplementedError):
        m.weight = suanzi.ones(2, 3)


@same
def test_packing(T):
    R = T.nn.utils.rnn
    told = []
    x = T.from_numpy(np.arange(24, dtype=np.float32).reshape(4, 3, 2))
    for batch_first, lengths in (False, [4, 2, 1]), (True, [3, 3, 2, 1]):
        x.grad = None
        x.requires_grad_()
        packed = R.pack_padded_sequence(x, lengths, batch_first)
        padded, sizes = R.pad_packed_sequence(packed, batch_first, -1.0, 5)
        (padded * 2).sum().backward()
        told += [
            packed.data,
            packed.batch_sizes,
            packed.sorted_indices is None,
            padded,
            sizes,
            x.grad,
        ]
    lengths = T.tensor([2, 4, 1])
    packed = R.pack_padded_sequence(x, lengths, enforce_sorted=False)
    told += [packed.data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices]
    told += [*R.pad_packed_sequence(packed), str(packed.double().data.dtype), len(packed)]
    told += [
        R.unpack_sequence(packed),
        str(packed.to(T.float64).data.dtype),
        packed.cpu() is packed,
    ]
    told += [
        fails(R.pack_padded_sequence, x, [1, 2, 3]),
        fails(R.pack_padded_sequence, x, [3, 2, 0]),
        fails(R.pack_padded_sequence, x, [3, 2]),
        fails(R.pad_packed_sequence, packed, total_length=1),
    ]
    return told


@same
def test_padding(T):
    R = T.nn.utils.rnn
    parts = [T.ones(2, 3), T.ones(4, 3) * 2, T.zeros(1, 3)]
    told = [R.pad_sequence(parts), R.pad_sequence(parts, True, -1.0, "left")]
    told.append(R.unpad_sequence(R.pad_sequence(parts), T.tensor([2, 4, 1])))
    packed = R.pack_sequence(parts, enforce_sorted=False)
    told += [packed.data, R.unpack_sequence(packed), R.invert_permutation(packed.sorted_indices)]
    told += [R.invert_permutation(None) is None, list(packed._fields)]
    failed = [fails(R.pad_sequence, parts, padding_side="up"), fails(R.pad_sequence, 3)]
    return [*told, *failed, fails(R.pad_sequence, []), fails(R.pack_sequence, parts)]


def test_skip_init():
    class Drawn(nn.Module):
        def __init__(self, size):
            super().__init__()
            self.weight = nn.Parameter(suanzi.zeros(size))
            nn.init.ones_(self.weight)

    assert utils.skip_init(Drawn, 3).weight.tolist() == [0, 0, 0]
    assert Drawn(2).weight.tolist() == [1, 1]
    with pytest.raises(suanzi.SuanziError):
        utils.skip_init(int)


@same
def test_fused_weights(T):
    U = T.nn.utils.fusion if T.__name__ == "torch" else T.nn.utils
    mean, variance, gamma, beta = (T.ones(2) * k for k in (1, 3, 0.5, 2))
    weight = T.from_numpy(np.arange(12, dtype=np.float32).reshape(2, 2, 3))
    return [
        U.fuse_conv_bn_weights(weight, None, mean, variance, 1e-5, gamma, beta),
        U.fuse_conv_bn_weights(weight, beta, mean, variance, 1e-5, None, None, transpose=True),
        U.fuse_linear_bn_weights(weight[0], beta, mean, variance, 1e-5, gamma, beta),
    ]


def test_lengths_beyond_the_input():
    with pytest.raises(suanzi.SuanziError, match="lengths"):
        rnn.pack_padded_sequence(suanzi.ones(4, 3), [9, 2, 1])


def test_packed_sequences_are_named_tuples():
    packed = rnn.PackedSequence(suanzi.ones(2), suanzi.tensor([2]))
    data, sizes, *_ = packed
    assert data is packed.data
    assert sizes is packed.batch_sizes
