"""ai.onnx.ml's operators, held to ONNX's cases and to onnxruntime on random models."""

import itertools

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import (
    ArrayFeatureExtractor,
    Binarizer,
    CastMap,
    CategoryMapper,
    DictVectorizer,
    FeatureVectorizer,
    Imputer,
    LabelEncoder,
    LinearClassifier,
    LinearRegressor,
    Normalizer,
    OneHotEncoder,
    Scaler,
    SVMClassifier,
    SVMRegressor,
    TreeEnsemble,
    TreeEnsembleClassifier,
    TreeEnsembleRegressor,
    ZipMap,
)
from suanzi.operators.ml_trees import STUMPS
from support import check, node_cases, onnxruntime_outputs

TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
COMPARISONS = ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ")
CASES = [
    pytest.param(case, id=case.id)
    for name in ("ArrayFeatureExtractor", "Binarizer", "LabelEncoder", "TreeEnsemble")
    for case in node_cases(f"ai.onnx.ml.{name}")
]


def numbers(rng, *shape):
    return tuple(rng.normal(size=shape).astype(np.float32).reshape(-1).tolist())


def agrees(operator, *inputs, outputs=1, opset=3):
    expected = onnxruntime_outputs(operator, inputs, outputs, opset)
    check(operator, inputs, expected, 1e-4, 1e-5)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def X(rng):
    return rng.normal(size=(6, 4)).astype(np.float32)


@pytest.mark.parametrize("case", CASES)
def test_backend_cases(case):
    case.check()


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_linear_models(rng, X, transform):
    three = {"coefficients": numbers(rng, 3, 4), "intercepts": numbers(rng, 3)}
    agrees(LinearRegressor(**three, targets=3, post_transform=transform), X)
    names = {"classlabels_strings": ("a", "b", "c"), "post_transform": transform}
    agrees(LinearClassifier(**three, **names), X, outputs=2)
    if transform != "PROBIT":  # onnxruntime leaves the second score as it was
        one = {"coefficients": numbers(rng, 4), "intercepts": (0.1,), "classlabels_ints": (5, 7)}
        agrees(LinearClassifier(**one, post_transform=transform), X, outputs=2)


@pytest.mark.parametrize("kind", ["LINEAR", "POLY", "RBF", "SIGMOID"])
@pytest.mark.parametrize("one_class", [0, 1])
def test_svm_regressor(rng, X, kind, one_class):
    machine = {"coefficients": numbers(rng, 5), "support_vectors": numbers(rng, 5, 4)}
    shared = {"kernel_type": kind, "kernel_params": (0.3, 0.7, 3.0), "rho": (0.2,)}
    agrees(SVMRegressor(**machine, **shared, n_supports=5, one_class=one_class), X)
    agrees(SVMRegressor(coefficients=numbers(rng, 4), **shared, one_class=one_class), X)


@pytest.mark.parametrize("kind", ["LINEAR", "POLY", "RBF", "SIGMOID"])
@pytest.mark.parametrize("transform", TRANSFORMS[:4])
@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("chances", [False, True])
def test_svm_classifier(rng, X, kind, transform, classes, chances):
    pairs, vectors = classes * (classes - 1) // 2, 2 * classes + 1
    machine = SVMClassifier(
        classlabels_ints=tuple(range(10, 10 + classes)),
        coefficients=numbers(rng, classes - 1, vectors),
        support_vectors=numbers(rng, vectors, 4),
        vectors_per_class=(3, *(2,) * (classes - 1)),
        rho=numbers(rng, pairs),
        prob_a=numbers(rng, pairs) if chances else None,
        prob_b=numbers(rng, pairs) if chances else None,
        kernel_type=kind,
        kernel_params=(0.3, 0.7, 3.0),
        post_transform=transform,
    )
    agrees(machine, X, outputs=2)


def grow(rng, trees, columns, comparisons):
    """Random trees in the classical form, and the names of their leaves."""
    nodes, leaves = [], []

    def add(tree, depth):
        name, row = sum(node[0] == tree for node in nodes), len(nodes)
        leaf = depth == 0 or (depth < 3 and rng.random() < 0.2)
        mode = "LEAF" if leaf else f"BRANCH_{rng.choice(comparisons)}"
        column, split = (0, 0.0) if leaf else (rng.integers(columns), rng.integers(-2, 3) / 2)
        nodes.append([tree, name, int(column), mode, float(split), 0, 0, int(rng.integers(2))])
        if leaf:
            leaves.append((tree, name))
        else:
            nodes[row][5:7] = add(tree, depth - 1), add(tree, depth - 1)
        return name

    for tree in range(trees):
        add(tree, 3)
    names = "treeids nodeids featureids modes values truenodeids falsenodeids"
    names = [*names.split(), "missing_value_tracks_true"]
    columns = zip(*nodes, strict=True)
    return {f"nodes_{n}": c for n, c in zip(names, columns, strict=True)}, leaves


@pytest.fixture(params=[(1, 2, ("LEQ",)), (5, 3, COMPARISONS), (40, 4, COMPARISONS)])
def forest(rng, request):
    """Trees, their leaves, and samples that often lie on a split, or are no number."""
    trees, columns, comparisons = request.param
    X = (rng.integers(-3, 4, size=(50, columns)) / 2).astype(np.float32)
    X[rng.random(X.shape) < 0.1] = np.nan
    return *grow(rng, trees, columns, comparisons), X


@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE", "MIN", "MAX"])
@pytest.mark.parametrize("targets", [2, 3])
def test_tree_regressor(rng, forest, aggregate, targets):
    trees, leaves, X = forest
    entries = [(*leaf, target) for leaf in leaves for target in range(targets)]
    owners, names, ids = zip(*entries, strict=True)
    operator = TreeEnsembleRegressor(
        **trees,
        target_treeids=owners,
        target_nodeids=names,
        target_ids=ids,
        target_weights=numbers(rng, len(ids)),
        n_targets=targets,
        base_values=numbers(rng, targets),
        aggregate_function=aggregate,
    )
    agrees(operator, X)


@pytest.mark.parametrize("transform", TRANSFORMS[:4])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize(("classes", "ids"), [(2, (0,)), (2, (1,)), (3, (0, 1, 2))])
def test_tree_classifier(rng, forest, transform, positive, classes, ids):
    trees, leaves, X = forest
    entries = [(*leaf, c) for leaf in leaves for c in ids]
    owners, names, class_ids = zip(*entries, strict=True)
    weights = numbers(rng, len(class_ids))
    operator = TreeEnsembleClassifier(
        **trees,
        class_treeids=owners,
        class_nodeids=names,
        class_ids=class_ids,
        class_weights=tuple(map(abs, weights)) if positive else weights,
        classlabels_int64s=tuple(range(5, 5 + classes)),
        base_values=numbers(rng, classes) if classes > 2 else None,
        post_transform=transform,
    )
    agrees(operator, X, outputs=2)


def test_two_classes_with_weights_for_both():
    leaves = {"class_treeids": (0, 0), "class_nodeids": (1, 1), "class_weights": (2.0, 3.0)}
    operator = TreeEnsembleClassifier(
        **STUMPS, **leaves, class_ids=(0, 1), classlabels_strings=("a", "b"), base_values=(4.0, 1.0)
    )
    Y, Z = operator.numpy(np.array([[0, 0], [1, 0]], np.float32))
    assert Y.tolist() == ["a", "a"]
    assert Z.tolist() == [[6, 4], [4, 1]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nodes_truenodeids": (9, 0, 0, 1, 0, 0)}, "hasn't"),
        ({"nodes_featureids": (2, 0, 0, 1, 0, 0)}, "column"),
        ({"target_ids": (1,)}, "target"),
        ({"nodes_modes": ("BRANCH_ODD",) * 6}, "nodes_modes"),
        ({"aggregate_function": "MEDIAN"}, "aggregate_function"),
    ],
)
def test_wrong_trees(change, message):
    leaves = {"target_treeids": (0,), "target_nodeids": (1,), "target_ids": (0,)}
    operator = TreeEnsembleRegressor(**(STUMPS | leaves | {"target_weights": (1.0,)} | change))
    with pytest.raises(SuanziError, match=message):
        operator.numpy(np.zeros((2, 2), np.float32))


def test_a_tree_that_is_none():
    operator = TreeEnsemble(
        **dict.fromkeys(("nodes_falseleafs", "nodes_trueleafs", "nodes_featureids"), (0, 0)),
        **dict.fromkeys(("nodes_falsenodeids", "nodes_truenodeids"), (1, 0)),
        nodes_modes=np.zeros(2, np.uint8),
        nodes_splits=np.zeros(2, np.float32),
        tree_roots=(0,),
        leaf_targetids=(0,),
        leaf_weights=np.ones(1, np.float32),
    )
    with pytest.raises(SuanziError, match="cycle"):
        operator.numpy(np.zeros((2, 2), np.float32))


def test_features(rng, X):
    agrees(ArrayFeatureExtractor(), X, np.array([2, 0]))
    agrees(ArrayFeatureExtractor(), X[0], np.array([[2, 0]]))
    agrees(Binarizer(threshold=0.2), X)
    agrees(FeatureVectorizer(inputdimensions=(4, 1, 3)), X, X[:, :1].copy(), X[:, :2].copy())
    agrees(FeatureVectorizer(inputdimensions=(4,)), X[0])
    holes = np.where(X > 1, np.float32(np.nan), X)
    for values in (numbers(rng, 4), (2.0,)):
        agrees(Imputer(imputed_value_floats=values, replaced_value_float=np.nan), holes)
    agrees(Imputer(imputed_value_int64s=(1,), replaced_value_int64=2), np.array([[1, 2, 3]]))
    for norm in ("MAX", "L1", "L2"):
        rows = np.vstack([X, 0 * X, -np.abs(X)])
        agrees(Normalizer(norm=norm), rows)
        agrees(Normalizer(norm=norm), (4 * rows).astype(np.int64))
    agrees(Scaler(offset=numbers(rng, 4), scale=numbers(rng, 4)), X)
    agrees(Scaler(offset=(2.0,), scale=(3.0,)), X.astype(np.int64))
    with pytest.raises(SuanziError, match="no such column"):
        ArrayFeatureExtractor().numpy(X, np.array([4]))


TEXT = np.array([["b", "z", "a"]], object)
KEYS = {"keys_strings": ("a", "b")}
FLOATS = np.array([1.5, np.nan, 3], np.float32)


@pytest.mark.parametrize(
    ("operator", "x"),
    [
        (CategoryMapper(cats_int64s=(3, 4), cats_strings=("a", "b")), TEXT),
        (CategoryMapper(cats_int64s=(3, 4), cats_strings=("a", "b")), np.array([4, 7, 3])),
        (OneHotEncoder(cats_int64s=(3, 4)), np.array([[4, 7, 3]], np.float32)),
        (OneHotEncoder(cats_strings=("a", "b")), TEXT),
        (LabelEncoder(**KEYS, values_int64s=(3, 4)), TEXT),
        (LabelEncoder(**KEYS, values_floats=(3.0, 4.0), default_float=9.0), TEXT),
        (LabelEncoder(**KEYS, values_strings=("q", "r")), TEXT),
        (LabelEncoder(keys_floats=(1.5, np.nan), values_strings=("q", "r")), FLOATS),
        (LabelEncoder(keys_int64s=(1, 1, 2), values_int64s=(5, 6, 7)), np.array([1, 2, 3])),
    ],
)
def test_encoders(operator, x):
    agrees(operator, x, opset=4 if isinstance(operator, LabelEncoder) else 1)


def test_maps(X):
    for labels in ({"classlabels_int64s": (4, 5, 6, 7)}, {"classlabels_strings": tuple("abcd")}):
        operator = ZipMap(**labels)
        assert operator.numpy(X) == onnxruntime_outputs(operator, [X], opset=1)[0]
    found = DictVectorizer(string_vocabulary=("a", "b", "c")).numpy({"c": 2.5, "a": 1.0})
    np.testing.assert_array_equal(found, [[1, 0, 2.5]])
    given = {3: np.float32(1.5), 1: np.float32(2)}
    for (cast, dtype), form in itertools.product(
        (("TO_FLOAT", np.float32), ("TO_INT64", np.int64)), ("DENSE", "SPARSE")
    ):
        found = CastMap(cast_to=cast, map_form=form, max_map=4).numpy(given)
        dense = [[2, 1.5]] if form == "DENSE" else [[0, 2, 0, 1.5]]
        np.testing.assert_array_equal(found, np.array(dense).astype(dtype))
    with pytest.raises(SuanziError, match="beyond"):
        CastMap(map_form="SPARSE", max_map=3).numpy(given)
    with pytest.raises(SuanziError, match="no category"):
        OneHotEncoder(cats_int64s=(1,), zeros=0).numpy(np.array([2]))
