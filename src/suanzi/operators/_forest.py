"""Decision trees as arrays: all samples go down all trees at once, one level a step."""

from dataclasses import dataclass

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._operator import Array

MODES = ("LEQ", "LT", "GTE", "GT", "EQ", "NEQ", "MEMBER")
"""How a node compares x with its split, in the order of TreeEnsemble's numbers."""

HOLDS = np.array(
    [
        # x < split, x = split, x > split, one of them is no number
        [1, 1, 0, 0],
        [1, 0, 0, 0],
        [0, 1, 1, 0],
        [0, 0, 1, 0],
        [0, 1, 0, 0],
        [1, 0, 1, 1],
        [0, 0, 0, 0],
    ],
    np.bool_,
)
"""By mode, whether the comparison holds."""

AGGREGATES = {"AVERAGE": np.add, "SUM": np.add, "MIN": np.minimum, "MAX": np.maximum}
"""How the leaves' weights become one number, in the order of TreeEnsemble's numbers."""


@dataclass(frozen=True)
class Forest:
    """Trees whose nodes lie in one array. A branch's `true` and `false` are places in it; a leaf's
    are its own. `leaf_start` [nodes + 1] says whose the weights, and their targets, are."""

    roots: Array
    feature: Array
    mode: Array
    split: Array
    missing_true: Array
    true: Array
    false: Array
    leaf_start: Array
    target: Array
    weight: Array
    members: Array | None = None
    """For MEMBER nodes, by node: the set's numbers, and NaN after them."""

    def __post_init__(self) -> None:
        count = len(self.feature)
        places = (self.roots, self.true, self.false)
        if not count or any(((a < 0) | (a >= count)).any() for a in places if a.size):
            raise SuanziError("a tree's node isn't there", expected=f"0 to {count - 1}")

    def leaves(self, X: Array) -> Array:
        """Where each row of X ends in each tree, [N, trees]."""
        if self.feature.min() < 0 or self.feature.max() >= X.shape[1]:
            found = int(self.feature.max())
            raise SuanziError("a tree asks for a column that X hasn't", input="X", found=found)
        rows = np.arange(len(X))[:, None]
        at = np.tile(self.roots, (len(X), 1))
        for _ in range(len(self.feature) + 1):
            below = np.where(
                self._holds(X[rows, self.feature[at]], at), self.true[at], self.false[at]
            )
            if (below == at).all():
                return at
            at = below
        raise SuanziError("the nodes of a tree form a cycle")

    def _holds(self, x: Array, at: Array) -> Array:
        split = self.split[at]
        order = np.where(x < split, 0, np.where(x == split, 1, np.where(x > split, 2, 3)))
        holds = HOLDS[self.mode[at], order] | (self.missing_true[at] & np.isnan(x))
        if self.members is not None:
            asked = self.mode[at] == MODES.index("MEMBER")
            holds[asked] |= (self.members[at[asked]] == x[asked][:, None]).any(1)
        return holds

    def scores(self, X: Array, targets: int, aggregate: str) -> tuple[Array, Array]:
        """For each row and target the weights of the leaves it ends in, aggregated; and whether
        there was any."""
        if aggregate not in AGGREGATES:
            raise SuanziError("wrong aggregate_function", expected=[*AGGREGATES], found=aggregate)
        if self.target.size and not 0 <= self.target.min() <= self.target.max() < targets:
            raise SuanziError("no such target", expected=f"0 to {targets - 1}")
        at = self.leaves(X)
        counts = (self.leaf_start[1:] - self.leaf_start[:-1])[at].reshape(-1)
        first = np.repeat(self.leaf_start[at].reshape(-1), counts)
        within = np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)
        entry = first + within
        row = np.repeat(np.arange(at.size) // max(at.shape[1], 1), counts)
        start = {"MIN": np.inf, "MAX": -np.inf}.get(aggregate, 0.0)
        Y, some = np.full((len(X), targets), start), np.zeros((len(X), targets), np.bool_)
        AGGREGATES[aggregate].at(Y, (row, self.target[entry]), self.weight[entry])
        some[row, self.target[entry]] = True
        if aggregate == "AVERAGE":
            Y /= len(self.roots)
        return np.where(some, Y, 0), some
