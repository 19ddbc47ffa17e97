"""Ensembles of decision trees of ai.onnx.ml."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._forest import AGGREGATES, MODES, Forest
from suanzi.operators._ml import (
    DOMAIN,
    FLOAT32,
    TRANSFORMS,
    Strings,
    class_labels,
    features,
    matrix_shape,
    post_transform,
    two_sided,
)
from suanzi.operators._operator import Array, Example, Floats, Ints, Operator, TensorType, operator

POINTS = np.array([[1, 2], [-3, 0.5], [0, np.nan]], np.float32)


def either(floats: Floats | None, tensor: Array | None) -> Array:
    """An attribute's numbers, which may be given as a tensor."""
    return np.array(floats or (), FLOAT32) if tensor is None else tensor.reshape(-1)


@operator(family="trees", domain=DOMAIN)
class TreeEnsemble(Operator):
    """Y[n, t] = the aggregate of the weights for target t of the leaves that sample n ends in.

    A node compares the sample's feature with its split, as its mode says (0 ≤, 1 <, 2 ≥, 3 >,
    4 =, 5 ≠, 6 in a set), and goes on at its true node or its false one, which lie among the
    leaves where nodes_trueleafs or nodes_falseleafs says so; a feature that isn't a number makes
    it true where nodes_missing_value_tracks_true says so. The sets stand one after another in
    membership_values, a NaN after each. aggregate_function: 0 average over the trees, 1 sum,
    2 least, 3 largest; post_transform: 0 none, 1 softmax, 2 logistic, 3 softmax_zero, 4 probit.

    X [N, F], Y [N, n_targets] of its type.
    Source: https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html (version 5)
    """

    aggregate_function: int = 1
    leaf_targetids: Ints
    leaf_weights: np.ndarray
    membership_values: np.ndarray | None = None
    n_targets: int = 1
    nodes_falseleafs: Ints
    nodes_falsenodeids: Ints
    nodes_featureids: Ints
    nodes_hitrates: np.ndarray | None = None
    nodes_missing_value_tracks_true: Ints | None = None
    nodes_modes: np.ndarray
    nodes_splits: np.ndarray
    nodes_trueleafs: Ints
    nodes_truenodeids: Ints
    post_transform: int = 0
    tree_roots: Ints

    def infer(self, X: TensorType) -> TensorType:
        return TensorType(X.dtype, (matrix_shape(X)[0], self.n_targets))

    def _forest(self) -> Forest:
        """The branches, and the leaves after them."""
        branches, leaves = len(self.nodes_featureids), len(self.leaf_targetids)
        own = np.arange(branches, branches + leaves)

        def below(ids: Ints, to_leaf: Ints) -> Array:
            return np.concatenate([np.array(ids) + branches * np.array(to_leaf), own])

        def padded(values: Any, dtype: Any) -> Array:
            return np.concatenate([np.asarray(values, dtype), np.zeros(leaves, dtype)])

        true = below(self.nodes_truenodeids, self.nodes_trueleafs)
        false = below(self.nodes_falsenodeids, self.nodes_falseleafs)
        missing = self.nodes_missing_value_tracks_true or (0,) * branches
        return Forest(
            roots=np.array(self.tree_roots),
            feature=padded(self.nodes_featureids, np.int64),
            mode=padded(self.nodes_modes, np.int64),
            split=padded(self.nodes_splits, self.nodes_splits.dtype),
            missing_true=padded(missing, np.bool_),
            true=true,
            false=false,
            leaf_start=np.arange(branches + leaves + 1).clip(branches) - branches,
            target=np.array(self.leaf_targetids),
            weight=self.leaf_weights,
            members=self._members(branches + leaves),
        )

    def _members(self, count: int) -> Array | None:
        if self.membership_values is None:
            return None
        values = self.membership_values.reshape(-1)
        ends = np.flatnonzero(np.isnan(values))
        nodes = np.flatnonzero(self.nodes_modes == MODES.index("MEMBER"))
        if ends.size != nodes.size:
            raise SuanziError("as many sets as nodes", expected=nodes.size, found=ends.size)
        starts = np.concatenate([[0], ends[:-1] + 1])
        table = np.full((count, int((ends - starts).max(initial=0))), np.nan, values.dtype)
        for node, start, end in zip(nodes, starts, ends, strict=True):
            table[node, : end - start] = values[start:end]
        return table

    def numpy(self, X: Array) -> Array:
        aggregate = [*AGGREGATES][self.aggregate_function]
        Y, _ = self._forest().scores(features(X), self.n_targets, aggregate)
        return post_transform(Y, [*TRANSFORMS][self.post_transform]).astype(X.dtype)

    @classmethod
    def examples(cls) -> list[Example]:
        tree: dict[str, Any] = {
            "leaf_targetids": (0, 1, 0),
            "leaf_weights": np.array([1, 2, 4], np.float32),
            "n_targets": 2,
            "nodes_featureids": (0, 1),
            "nodes_splits": np.array([0.5, 1], np.float32),
            "nodes_truenodeids": (1, 0),
            "nodes_trueleafs": (0, 1),
            "nodes_falsenodeids": (2, 1),
            "nodes_falseleafs": (1, 1),
            "tree_roots": (0,),
        }
        member: dict[str, Any] = {"membership_values": np.array([0.5, 7, np.nan], np.float32)}
        return [
            Example(cls(**tree, nodes_modes=np.array([0, 1], np.uint8)), (POINTS,)),
            Example(cls(**tree, **member, nodes_modes=np.array([0, 6], np.uint8)), (POINTS,)),
        ]


@dataclass(frozen=True, kw_only=True)
class _Classical(Operator):
    """The form in which trees and nodes have names, and leaves are nodes of mode LEAF."""

    base_values: Floats | None = None
    base_values_as_tensor: np.ndarray | None = None
    nodes_falsenodeids: Ints | None = None
    nodes_featureids: Ints | None = None
    nodes_hitrates: Floats | None = None
    nodes_hitrates_as_tensor: np.ndarray | None = None
    nodes_missing_value_tracks_true: Ints | None = None
    nodes_modes: tuple[str, ...] | None = None
    nodes_nodeids: Ints | None = None
    nodes_treeids: Ints | None = None
    nodes_truenodeids: Ints | None = None
    nodes_values: Floats | None = None
    nodes_values_as_tensor: np.ndarray | None = None
    post_transform: str = "NONE"

    def _forest(self, trees: Ints, nodes: Ints, targets: Ints, weights: Array) -> Forest:
        """`trees` and `nodes` name the leaf that each of the targets and weights belongs to."""
        treeids, modes = np.array(self.nodes_treeids), np.array(self.nodes_modes)
        names = _names(treeids, np.array(self.nodes_nodeids))
        order = np.argsort(names, kind="stable")
        count = names.size

        def places(tree: Array, node: Array, wanted: Array) -> Array:
            keys = _names(tree, node)
            among = np.searchsorted(names, keys, sorter=order).clip(max=count - 1)
            found: Array = order[among]
            if (names[found] != keys)[wanted].any():
                raise SuanziError("a tree names a node that it hasn't")
            return found

        leaf = modes == "LEAF"
        kinds = {f"BRANCH_{mode}": i for i, mode in enumerate(MODES[:-1])} | {"LEAF": 0}
        if set(modes) - set(kinds):
            raise SuanziError("wrong nodes_modes", expected=[*kinds], found=set(modes) - set(kinds))
        own = np.arange(count)
        true, false = (
            np.where(leaf, own, places(treeids, np.array(ids), ~leaf))
            for ids in (self.nodes_truenodeids, self.nodes_falsenodeids)
        )
        # A root is what no branch leads to.
        inner = np.zeros(count, np.bool_)
        inner[true[~leaf]] = inner[false[~leaf]] = True
        owner = places(np.array(trees), np.array(nodes), np.ones(len(trees), np.bool_))
        by_leaf = np.argsort(owner, kind="stable")
        missing = self.nodes_missing_value_tracks_true or (0,) * count
        return Forest(
            roots=np.flatnonzero(~inner),
            feature=np.where(leaf, 0, np.array(self.nodes_featureids)),
            mode=np.array([kinds[mode] for mode in modes]),
            split=either(self.nodes_values, self.nodes_values_as_tensor),
            missing_true=np.array(missing, np.bool_),
            true=true,
            false=false,
            leaf_start=np.concatenate([[0], np.bincount(owner, minlength=count).cumsum()]),
            target=np.array(targets)[by_leaf],
            weight=weights[by_leaf],
        )

    @property
    def _base(self) -> Array:
        return either(self.base_values, self.base_values_as_tensor)


def _names(trees: Array, nodes: Array) -> Array:
    """Tree and node as one number."""
    return trees.astype(np.int64) << 32 | nodes.astype(np.int64)


STUMPS: dict[str, Any] = {
    "nodes_treeids": (0, 0, 0, 1, 1, 1),
    "nodes_nodeids": (0, 1, 2, 0, 1, 2),
    "nodes_featureids": (0, 0, 0, 1, 0, 0),
    "nodes_modes": ("BRANCH_LEQ", "LEAF", "LEAF", "BRANCH_GT", "LEAF", "LEAF"),
    "nodes_values": (0.5, 0.0, 0.0, 1.0, 0.0, 0.0),
    "nodes_truenodeids": (1, 0, 0, 1, 0, 0),
    "nodes_falsenodeids": (2, 0, 0, 2, 0, 0),
    "nodes_missing_value_tracks_true": (0, 0, 0, 1, 0, 0),
}
"""Two trees of one branch each, for the examples."""


@operator(family="trees", domain=DOMAIN)
class TreeEnsembleRegressor(_Classical):
    """Y[n, t] = base_values[t] + the aggregate of the weights for target t of the leaves that
    sample n ends in; then post_transform.

    A node compares the feature with nodes_values as its mode says (BRANCH_LEQ: ≤, ...) and goes on
    at its true or its false node; a leaf's weights are those whose target_treeids and
    target_nodeids name it. X [N, F], Y float32 [N, n_targets]. Before version 3 there were no
    tensors as attributes; from 5 on TreeEnsemble takes its place.
    Source: https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleRegressor.html (version 3)
    """

    aggregate_function: str = "SUM"
    n_targets: int = 1
    target_ids: Ints | None = None
    target_nodeids: Ints | None = None
    target_treeids: Ints | None = None
    target_weights: Floats | None = None
    target_weights_as_tensor: np.ndarray | None = None

    def infer(self, X: TensorType) -> TensorType:
        return TensorType(FLOAT32, (matrix_shape(X)[0], self.n_targets))

    def numpy(self, X: Array) -> Array:
        weights = either(self.target_weights, self.target_weights_as_tensor)
        forest = self._forest(
            self.target_treeids or (), self.target_nodeids or (), self.target_ids or (), weights
        )
        Y, _ = forest.scores(features(X), self.n_targets, self.aggregate_function)
        base = self._base
        return post_transform(Y + base if base.size else Y, self.post_transform)

    @classmethod
    def examples(cls) -> list[Example]:
        leaves: dict[str, Any] = {
            "target_treeids": (0, 0, 1, 1, 1),
            "target_nodeids": (1, 2, 1, 2, 2),
            "target_ids": (0, 1, 0, 0, 1),
            "target_weights": (1.0, 2.0, 4.0, 8.0, 16.0),
            "n_targets": 2,
        }
        return [
            Example(cls(**STUMPS, **leaves), (POINTS,)),
            Example(cls(**STUMPS, **leaves, aggregate_function="MAX"), (POINTS,)),
        ]


@operator(family="trees", domain=DOMAIN)
class TreeEnsembleClassifier(_Classical):
    """Z[n, c] = post_transform(base_values[c] + Σ of the weights for class c of the leaves that
    sample n ends in); Y = the label of the largest.

    The trees are as TreeEnsembleRegressor's. Of two classes, weights may be given for one alone:
    then the second is chosen where their sum is positive, or above 1/2 where all weights are; if
    class_ids say that it is the first's, the sum still is the second's, and the first's score is 1
    minus it, or minus it. X [N, F]; Y [N], int64 or text as the labels are; Z float32 [N, classes].
    Source: https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsembleClassifier.html (version 3)
    """

    class_ids: Ints | None = None
    class_nodeids: Ints | None = None
    class_treeids: Ints | None = None
    class_weights: Floats | None = None
    class_weights_as_tensor: np.ndarray | None = None
    classlabels_int64s: Ints | None = None
    classlabels_strings: Strings | None = None

    @property
    def _labels(self) -> Array:
        return class_labels(self.classlabels_int64s, self.classlabels_strings)

    def infer(self, X: TensorType) -> tuple[TensorType, TensorType]:
        N, labels = matrix_shape(X)[0], self._labels
        return TensorType(labels.dtype, (N,)), TensorType(FLOAT32, (N, labels.size))

    def numpy(self, X: Array) -> tuple[Array, Array]:
        labels, base = self._labels, self._base
        weights = either(self.class_weights, self.class_weights_as_tensor)
        ids = self.class_ids or ()
        forest = self._forest(self.class_treeids or (), self.class_nodeids or (), ids, weights)
        scores, _ = forest.scores(features(X), labels.size, "SUM")
        if labels.size == 2 and len(set(ids)) == 1:
            score = scores[:, [ids[0]]] + (base[:1] if base.size else 0)
            chance = bool((weights >= 0).all())
            Y = labels.take((score[:, 0] > (0.5 if chance else 0)).astype(np.int64))
            if ids[0] == 0:
                return Y, two_sided(score, chance, self.post_transform)
            scores[:, [ids[0]]] = score
            return Y, post_transform(scores, self.post_transform)
        scores = scores + base if base.size else scores
        return labels.take(scores.argmax(1)), post_transform(scores, self.post_transform)

    @classmethod
    def examples(cls) -> list[Example]:
        leaves: dict[str, Any] = {
            "class_treeids": (0, 0, 1, 1),
            "class_nodeids": (1, 2, 1, 2),
            "class_weights": (0.5, 0.25, 0.125, 0.5),
        }
        names = ("a", "b", "c")
        return [
            Example(
                cls(**STUMPS, **leaves, class_ids=(0, 1, 2, 1), classlabels_strings=names),
                (POINTS,),
            ),
            Example(
                cls(**STUMPS, **leaves, class_ids=(0,) * 4, classlabels_int64s=(5, 7)), (POINTS,)
            ),
        ]
