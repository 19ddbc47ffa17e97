"""Every function on a few shapes, its result and its gradients, held to PyTorch's."""

import warnings

import numpy as np
import pytest

import suanzi

torch = pytest.importorskip("torch")
RANDOM = np.random.default_rng(0)
INF = "float('inf')"


def R(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def P(*shape):
    return np.abs(R(*shape)) + np.float32(0.5)


def I(size, *shape):  # noqa: E743
    return RANDOM.integers(0, size, shape)


X, A, B, J = R(3, 4), R(3, 4), R(4, 2), I(3, 2, 6)
HOLES = np.where(np.eye(3, 4, 1) > 0, np.float32(np.nan), X)
ZEROS = np.where(X > 0, 1, 0).astype(np.float32)
ROW = np.sort(R(6))
SQUARE = (lambda m: m @ m.T + 3 * np.eye(3, dtype=np.float32))(R(3, 3))

GATHERING = [
    ("T.gather(a, 1, b)", X, I(4, 3, 2)),
    ("a.gather(0, b)", X, I(3, 2, 4)),
    ("a.scatter(1, b, c)", X, RANDOM.permutation(4)[None, :2].repeat(3, 0), R(3, 2)),
    ("a.scatter(1, b, 2.0)", X, I(4, 3, 2)),
    ("a.scatter_add(0, b, c)", X, I(3, 2, 4), R(2, 4)),
    *[
        (f"a.scatter_reduce(0, b, c, '{how}', include_self={own})", X, I(3, 5, 4), R(5, 4))
        for how in ("sum", "prod", "mean", "amax", "amin")
        for own in (True, False)
    ],
    ("a.index_select(1, b)", X, I(4, 5)),
    ("a.index_add(0, b, c, alpha=2)", X, I(3, 4), R(4, 4)),
    ("a.index_copy(0, b, c)", X, np.array([2, 0]), R(2, 4)),
    ("a.index_fill(1, b, -1)", X, np.array([0, 3])),
    ("a.index_reduce(0, b, c, 'prod')", X, I(3, 4), R(4, 4)),
    ("a.index_put((b,), c)", X, np.array([0, 2]), R(2, 4)),
    ("a.index_put((b, c), T.tensor(2.), accumulate=True)", X, I(3, 5), I(4, 5)),
    ("a.masked_select(b)", X, X > 0),
    ("a.masked_fill(b, 3.)", X, X > 0),
    ("a.masked_scatter(b, c)", X, X > 0, R(12)),
    ("T.take(a, b)", X, I(12, 2, 2)),
    ("T.take_along_dim(a, b, 1)", X, I(4, 1, 2)),
    ("a.put(b, c)", X, np.array([3, 5]), R(2)),
    ("T.nonzero(a)", ZEROS),
    ("T.nonzero(a, as_tuple=True)", ZEROS),
    ("T.argwhere(a)", ZEROS),
    ("a.unfold(1, 2, 1)", X),
    ("T.repeat_interleave(a, 2)", X),
    ("T.repeat_interleave(a, b, dim=0)", X, np.array([1, 0, 2])),
    ("T.flip(a, (0, -1))", X),
    ("T.roll(a, 1)", X),
    ("T.roll(a, (1, -2), (0, 1))", X),
    *[(f"T.rot90(a, {k}, (0, 1))", X) for k in range(-1, 4)],
]
SORTING = [
    ("T.sort(a)", X),
    ("T.sort(a, 0, descending=True)", X),
    ("a.argsort(1)", X),
    ("T.topk(a, 2)", X),
    ("T.topk(a, 2, 0, largest=False)", X),
    ("T.kthvalue(a, 2, 0, True)", X),
    ("T.median(a)", X),
    ("T.median(a, 1)", X),
    ("T.nanmedian(a, 1)", HOLES),
    ("T.median(a, 1).values", HOLES),
    ("T.quantile(a, 0.3)", X),
    ("T.quantile(a, T.tensor([.1, .6]), dim=1, keepdim=True)", X),
    ("T.nanquantile(a, .4, dim=1)", HOLES),
    *[
        (f"T.quantile(a, 0.3, interpolation='{how}')", X)
        for how in ("lower", "higher", "midpoint", "nearest")
    ],
    ("T.mode(a, 1).values", J),
    ("T.unique(a, return_inverse=True, return_counts=True)", J),
    ("T.unique(a, dim=1)", J),
    ("T.unique_consecutive(a, return_inverse=True, return_counts=True)", J),
    ("T.unique_consecutive(a, dim=1)", J),
    ("T.bincount(a, minlength=8)", I(5, 9)),
    ("T.histc(a.detach(), 4, -1, 1)", X),
    ("T.searchsorted(a, b)", ROW, X),
    ("T.searchsorted(a, b, right=True)", np.sort(X, 1), R(3, 2)),
    ("T.bucketize(b, a)", ROW, X),
    ("T.isin(a, b)", J, np.array([1])),
    ("T.count_nonzero(a, 1)", ZEROS),
]
DIAGONALS = [
    (form.format(k), x)
    for k in (-2, 0, 1)
    for form, x in (
        ("T.triu(a, {})", X), ("T.tril(a, {})", X), ("T.diagonal(a, {})", X),
        ("T.diag(a, {})", X), ("T.diag(a, {})", R(3)), ("T.diag_embed(a, {})", X),
        ("T.diagonal(a, {}, 0, 2)", R(3, 2, 4)), ("T.diag_embed(a, {}, 0, 2)", R(3, 2)),
        ("T.diagflat(a, {})", R(2, 2)), ("T.tril_indices(3, 4, {})", X),
    )
] + [
    ("T.trace(a)", X),
    ("T.diagonal_scatter(a, b)", X, R(3)),
    ("a.clone().fill_diagonal_(5)", X),
]  # fmt: skip
PRODUCTS = [
    ("T.mm(a, b)", A, B),
    ("T.bmm(a, b)", R(2, 3, 4), R(2, 4, 2)),
    ("T.mv(a, b)", A, R(4)),
    ("T.dot(a, b)", R(4), R(4)),
    ("T.inner(a, b)", A, R(2, 4)),
    ("T.outer(a, b)", R(3), R(2)),
    ("T.addmm(c, a, b, beta=.5, alpha=2)", A, B, R(2)),
    ("T.addmv(c, a, b)", A, R(4), R(3)),
    ("T.addr(c, a, b)", R(3), R(2), R(3, 2)),
    ("T.baddbmm(c, a, b)", R(2, 3, 4), R(2, 4, 2), R(2, 3, 2)),
    ("T.addbmm(c, a, b)", R(2, 3, 4), R(2, 4, 2), R(3, 2)),
    ("T.addcmul(a, b, c, value=2)", X, R(3, 4), R(4)),
    ("T.addcdiv(a, b, c, value=2)", X, R(3, 4), P(4)),
    ("T.lerp(a, b, c)", X, R(3, 4), R(4)),
    ("T.einsum('bij,bjk->bi', a, b)", R(2, 3, 4), R(2, 4, 2)),
    ("T.einsum('ii->i', a)", R(3, 3)),
    ("T.einsum(a, [0, 1], b, [1, 2], [0, 2])", A, B),
    ("T.tensordot(a, b, ([0, 2], [1, 0]))", R(2, 3, 4), R(4, 2, 5)),
    ("T.kron(a, b)", R(3), B),
    ("T.cross(a, b, dim=1)", R(2, 3), R(2, 3)),
    ("T.matrix_power(a, -2)", R(3, 3)),
    ("T.block_diag(a, b)", R(2, 3), R(2)),
]
NORMS = [
    *[
        (form.format(p), X)
        for p in (0.5, 1, 2, 3, INF, f"-{INF}")
        for form in ("T.norm(a, {}, dim=1)", "L.vector_norm(a, {}, dim=0, keepdim=True)")
    ],
    ("T.norm(a)", X * 0),
    *[(f"T.cdist(a, b, {p})", R(2, 3, 4), R(2, 5, 4)) for p in (1, 2, 3, INF)],
    ("T.pdist(a)", X),
    ("T.dist(a, b)", X, R(3, 4)),
    ("T.renorm(a, 2, 0, 1.)", X * 3),
    *[
        (f"L.matrix_norm(a, {o}, keepdim={keep})", R(2, 3, 4))
        for o in ("'fro'", "'nuc'", 1, -1, 2, -2, INF, f"-{INF}")
        for keep in (True, False)
    ],
]
MATRICES = [
    ("L.inv(a)", SQUARE),
    ("L.det(a)", R(2, 3, 3)),
    ("L.slogdet(a)[1]", R(2, 3, 3)),
    ("T.logdet(a)", SQUARE),
    ("L.solve(a, b)", R(2, 3, 3), R(3, 2)),
    ("L.solve(a, b)", R(3, 3), R(3)),
    ("L.solve(a, b, left=False)", SQUARE, R(2, 3)),
    ("L.solve_triangular(a, b, upper=True)", SQUARE, R(3, 2)),
    ("L.cholesky((a + a.mT) * .5, upper=True)", SQUARE),
    ("L.eigh(a)[0]", SQUARE),
    ("L.eigh(a)[1].abs()", SQUARE),
    ("L.svdvals(a)", X),
    ("L.svd(a, full_matrices=False)[0].abs()", X),
    ("L.svd(a, full_matrices=False)[2].abs()", X),
    ("L.qr(a)", R(4, 3)),
    ("L.pinv(a)", X),
    ("L.matrix_rank(a)", X),
    ("L.matrix_exp(a)", R(3, 3)),
    ("L.cond(a)", SQUARE),
    ("L.lstsq(a, b)[0]", R(4, 2), R(4, 1)),
    ("L.vander(a)", R(3)),
]
REDUCTIONS = [
    ("T.var_mean(a, 1)", X),
    ("T.std_mean(a, 1)", X),
    ("T.cummax(a, 1)", X),
    ("T.cummin(a, 0)", X),
    ("T.cummax(a, 0)", np.array([1, 3, 3, 2, 3], np.float32)),
    ("T.logcumsumexp(a, 1)", X),
    ("T.logaddexp(a, b)", X, R(4)),
    ("T.aminmax(a, dim=1)", X),
    ("T.nansum(a, 1)", HOLES),
    ("T.nanmean(a, 1)", HOLES),
    ("T.diff(a, 2, 0)", X),
    ("T.trapezoid(a, b)", X, R(4)),
    ("a.cumsum(0)", X),
    ("a.cumprod(1)", X),
    ("T.prod(a, 1)", X),
    ("T.logsumexp(a, 1)", X),
    ("a.std()", X),
    ("a.var(0, unbiased=False)", X),
    ("a.max(1)", X),
    ("a.min(0)", X),
    ("a.amax((0, 1))", X),
    ("a.argmax()", X),
    ("a.all(1)", X > 0),
    ("a.any(0)", X),
    ("T.mean(a, ())", X),
    ("T.sum(a, (0, -1))", X),
    ("a.sum()", I(5, 3)),
    ("a.sum(0, dtype=T.float64)", X),
]
JOINING = [
    *[
        (f"T.{name}((a, b))", x, y)
        for name in ("hstack", "vstack", "dstack", "column_stack")
        for x, y in ((X, A), (R(3), R(3)))
    ],
    ("T.cat((a, b), -1)", X, R(3, 2)),
    ("T.cat((a, b))", X, I(3, 1, 4)),
    ("T.stack((a, b), 1)", X, A),
    ("T.tensor_split(a, 3, 1)", X),
    ("T.tensor_split(a, [1, 3], 1)", X),
    ("T.hsplit(a, 2)", X),
    ("T.vsplit(a, 3)", X),
    ("T.dsplit(a, 2)", R(2, 3, 4)),
    ("T.broadcast_tensors(a, b)", X, R(4)),
    ("T.meshgrid(a, b, indexing='ij')", R(2), R(3)),
    ("T.meshgrid(a, b, indexing='xy')", R(2), R(3)),
    ("T.cartesian_prod(a, b)", R(2), R(3)),
    ("T.combinations(a, 2, True)", R(4)),
    ("T.atleast_3d(a)", X),
    ("T.atleast_2d(a)", R(3)),
]
UNARY = [
    "abs", "asin", "asinh", "atan", "ceil", "cos", "cosh", "deg2rad", "erf", "erfc", "erfinv",
    "exp", "exp2", "expm1", "floor", "frac", "isneginf", "isposinf", "log1p", "nan_to_num", "neg",
    "positive", "rad2deg", "relu", "round", "sgn", "sigmoid", "sign", "signbit", "sin", "sinc",
    "sinh", "square", "tan", "tanh", "trunc",
]  # fmt: skip
BINARY = [
    "atan2", "copysign", "float_power", "fmax", "fmin", "hypot", "ldexp", "logaddexp", "logaddexp2",
    "maximum", "minimum", "xlogy",
]  # fmt: skip
POINTWISE = [
    *[(f"T.{name}(a)", X / 4) for name in UNARY],
    *[(f"T.{name}(a)", P(3)) for name in ("log", "log2", "log10", "sqrt", "rsqrt", "reciprocal")],
    *[(f"T.{name}(a)", I(4, 3)) for name in ("exp", "sqrt", "abs", "square", "sigmoid", "floor")],
    *[(f"T.{name}(a, b)", P(3, 4), P(4)) for name in BINARY],
    ("T.atan2(a, b)", X, A),
    ("T.copysign(a, b)", X, A),
    ("T.acosh(a + 1)", P(3)),
    ("T.logit(a)", P(3) / 8),
    ("T.heaviside(a.detach(), b.detach())", ZEROS, A),
    ("a.clamp(-.5, .5)", X),
    ("a.clamp(min=b)", X, R(4)),
    ("T.where(b, a, 0.)", X, X > 0),
    ("T.where(b, a, c)", X, X > 0, R(4)),
    ("a.softmax(1)", X),
    ("T.log_softmax(a, 0)", X),
    ("T.softmax(a, 0, dtype=T.float64)", X),
    ("T.prelu(a, b)", X, P(4)),
    ("T.isclose(a, b)", X, X + np.float32(1e-7)),
    ("T.allclose(a, b)", X, X + np.float32(1e-7)),
    ("T.equal(a, b)", X, A),
    ("T.gcd(a, b)", I(9, 4) + 1, I(9, 4) + 1),
    ("a << b", I(9, 4), I(3, 4)),
    ("T.special.entr(a)", P(3)),
    ("T.special.xlog1py(a, b)", P(3), P(3)),
    ("T.special.ndtr(a)", X),
    ("T.layer_norm(a, (4,))", X),
]
EDGES = np.array([1, -1, 0, 0, 2, -2, 0, -0.0, np.inf], np.float32)
AT_EDGES = [
    ("T.atan2(a, b)", EDGES, np.array([1, -1, 2, -2, 0, 0, 0, -1, np.inf], np.float32)),
    ("T.hypot(a, b)", EDGES, np.zeros(9, np.float32)),
    ("T.xlogy(a, b)", np.array([0, 1, 2.0]), np.array([0, 2, np.nan])),
    ("a.nan_to_num(0, 1, 2)", np.array([np.nan, np.inf, -np.inf])),
    ("T.logaddexp(a, b)", np.array([-np.inf, np.inf, 1e30]), np.array([-np.inf, 1, 1e30])),
    ("T.sigmoid(a)", np.array([-1e4, -100, 0, 100, np.nan], np.float32)),
    ("T.relu(a)", np.array([np.nan, -np.inf, np.inf], np.float32)),
    ("T.max(a)", np.array([1, np.nan])),
    ("T.sort(a, descending=True).values", np.array([1, np.nan, 2])),
]
VIEWS = [
    ("T.as_strided(a, (2, 3), (1, 1), 2)", X),
    ("a.clone().squeeze_(0)", R(1, 3)),
    ("a.clone().unsqueeze_(0)", R(3)),
    ("a.clone().t_().mul_(2)", X),
    ("a.detach().view(T.int32)", X),
    ("a.unflatten(1, (2, -1)).flatten(0, 1)", X),
    ("a.movedim(0, -1)", R(2, 3, 4)),
    ("a.T @ a", X),
    ("a.expand(2, -1, 4)", R(3, 1)),
    ("a.repeat(2, 1, 3)", X),
    ("a.narrow(1, 1, 2) * a.select(0, 1)[:2]", X),
]
DERIVATIVES = [
    (f"T.autograd.functional.{call}", R(3), R(3))
    for call in (
        "jacobian(lambda x: x.exp() * x.sum(), a)",
        "jacobian(lambda x, y: (x * y, x + y), (a, b))",
        "hessian(lambda x: (x**3).sum() * x[0], a)",
        "vjp(lambda x: x.exp() * x.sum(), a, b)",
        "jvp(lambda x: x.exp() * x.sum(), a, b)",
        "vhp(lambda x: (x**3).sum() * x[0], a, b)",
    )
]
# What has no elements, or no axes.
SMALL = [
    (form, x)
    for form in (
        "a.sum()", "a.sum(-1)", "a.exp()", "a * 2", "a + a", "a.cumsum(0)", "T.sort(a)[0]",
        "T.cat((a.reshape(-1), a.reshape(-1)))", "a.reshape(-1)", "T.flip(a, (0,))", "a.all()",
        "a.prod()", "T.roll(a, 1)", "a.unsqueeze(0)", "a.softmax(0)", "a.norm()", "a.T",
    )
    for x in (np.float32(2.5).reshape(()), np.zeros((0, 3), np.float32))
]  # fmt: skip
ALL = (
    GATHERING + SORTING + DIAGONALS + PRODUCTS + NORMS + MATRICES + REDUCTIONS + JOINING
    + POINTWISE + AT_EDGES + VIEWS + DERIVATIVES + SMALL
)  # fmt: skip


def parts(found):
    return [y for x in found for y in parts(x)] if isinstance(found, tuple | list) else [found]


def run(T, text, given, gradients=True):
    """The results, and the gradients of the inputs of a sum that all results are in."""
    made = [T.tensor(x) for x in given]
    for x in made:
        if gradients and x.is_floating_point():
            x.requires_grad_()
    names = dict(zip("abcd", made, strict=False))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's about what it will no longer have
        results = parts(eval(text, {"T": T, "L": T.linalg, **names}))
    total = [(y * y * 0.5 + y).sum() for y in results if getattr(y, "requires_grad", False)]
    if total:
        sum(total).backward()
    zeros = [np.zeros(x.shape) if x.grad is None else x.grad.numpy(force=True) for x in made]
    return results, zeros


@pytest.mark.parametrize("case", ALL, ids=[c[0] for c in ALL])
def test_function(case):
    text, *given = case
    smooth = not any(case is other for other in AT_EDGES)
    wanted, wanted_gradients = run(torch, text, given, smooth)
    found, gradients = run(suanzi, text, given, smooth)
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted, strict=True):
        if not isinstance(b, torch.Tensor):
            assert a == b
            continue
        b = b.detach().numpy()
        assert a.detach().numpy().dtype == b.dtype
        assert tuple(a.shape) == b.shape
        np.testing.assert_allclose(a.detach().numpy(), b, 1e-4, 1e-5)
    if np.isnan(np.concatenate([np.ravel(x) for x in given])).any():
        return  # PyTorch's gradients of what isn't there vary
    for a, b in zip(gradients, wanted_gradients, strict=True):
        np.testing.assert_allclose(a, b, 1e-3, 1e-4)


COMPILED = PRODUCTS + DIAGONALS + POINTWISE + REDUCTIONS + JOINING + GATHERING[:16]


@pytest.mark.parametrize("case", COMPILED[::7], ids=[c[0] for c in COMPILED[::7]])
def test_compiled(case):
    """While it is traced a function gives what it gives at once."""
    text, *given = case
    tensors = [suanzi.tensor(x) for x in given]

    def call(*made):
        names = dict(zip("abcd", made, strict=False))
        return tuple(parts(eval(text, {"T": suanzi, "L": suanzi.linalg, **names})))

    for a, b in zip(suanzi.compile(call)(*tensors), call(*tensors), strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), 1e-5, 1e-6)


def test_out():
    out = suanzi.empty(3)
    made = suanzi.exp(suanzi.zeros(3), out=out)
    assert made is out
    assert out.tolist() == [1, 1, 1]
    with pytest.raises(suanzi.SuanziError, match="out="):
        suanzi.addmm(
            suanzi.zeros(2), suanzi.ones(2, 2, requires_grad=True), suanzi.ones(2, 2), out=out
        )
