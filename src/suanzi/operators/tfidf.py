"""Counts of n-grams: TfIdfVectorizer."""

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._checks import STRING
from suanzi.operators._operator import (
    Array,
    Example,
    Floats,
    Ints,
    Operator,
    TensorType,
    operator,
    require,
)


@operator(family="strings")
class TfIdfVectorizer(Operator):
    """Y[ngram_indexes[i]] = how often the i-th n-gram of the pool occurs in X, times a weight.

    X int32, int64 or string [C] or [N, C]; Y float32 [max(ngram_indexes) + 1] or [N, ...]. The pool
    lists the n-grams one after another, first those of length 1, then of 2, ...; those of length n
    begin at ngram_counts[n - 1]. Lengths from min_gram_length to max_gram_length count; an n-gram's
    elements stand in X one after another, or each 1, 2, ... max_skip_count further on.
    mode: TF counts; IDF takes weights[i] where there is one or more; TFIDF multiplies the count.
    Source: https://onnx.ai/onnx/operators/onnx__TfIdfVectorizer.html (opset 9)
    """

    mode: str
    ngram_counts: Ints
    ngram_indexes: Ints
    max_gram_length: int
    max_skip_count: int
    min_gram_length: int
    pool_int64s: Ints | None = None
    pool_strings: tuple[str, ...] | None = None
    weights: Floats | None = None

    def infer(self, X: TensorType) -> TensorType:
        if self.mode not in ("TF", "IDF", "TFIDF"):
            raise SuanziError("wrong mode", expected="TF, IDF or TFIDF", found=self.mode)
        indexes = self.ngram_indexes
        known = len(indexes) == sum(len(grams) for grams in self._grams())
        require(
            known and min(indexes, default=-1) >= 0,
            "wrong ngram_indexes",
            "X",
            "one from 0 on for each n-gram of the pool",
            indexes,
        )
        weighted = self.weights is None or len(self.weights) == len(indexes)
        require(weighted, "wrong weights", "X", f"{len(indexes)} numbers", self.weights)
        texts = self.pool_int64s is None
        require(
            (X.dtype == STRING) == texts,
            "not of the pool's kind",
            "X",
            "strings" if texts else "integers",
            X,
        )
        fits = X.rank in (None, 1, 2)
        require(fits, "wrong rank", "X", "[C] or [N, C]", X)
        shape = None if X.shape is None else (*X.shape[:-1], max(indexes) + 1)
        return TensorType(np.dtype(np.float32), shape)

    def _grams(self) -> list[Array]:
        """The pool's n-grams of each length n, [how many, n]."""
        strings = self.pool_int64s is None
        pool = np.array(
            self.pool_strings or () if strings else self.pool_int64s,
            object if strings else np.int64,
        )
        ends = (*self.ngram_counts[1:], len(pool))
        return [
            pool[start:end][: max(end - start, 0) // n * n].reshape(-1, n)
            for n, (start, end) in enumerate(zip(self.ngram_counts, ends, strict=True), 1)
        ]

    def numpy(self, X: Array) -> Array:
        self.infer(TensorType.of(X))
        rows = np.atleast_2d(X)
        counts = []
        for n, grams in enumerate(self._grams(), 1):
            found = np.zeros((len(rows), len(grams)), np.float32)
            if self.min_gram_length <= n <= self.max_gram_length:
                # A lone element is the same however far the next one would be.
                for step in range(1, 2 + (self.max_skip_count if n > 1 else 0)):
                    starts = np.arange(max(rows.shape[1] - step * (n - 1), 0))
                    count(rows[:, starts[:, None] + step * np.arange(n)], grams, found)
            counts.append(found)
        frequency = np.concatenate(counts, 1)
        if self.mode == "IDF":
            frequency = np.minimum(frequency, 1)
        if self.mode != "TF" and self.weights is not None:
            frequency *= np.array(self.weights, np.float32)
        Y = np.zeros((len(rows), max(self.ngram_indexes) + 1), np.float32)
        np.add.at(Y.T, np.array(self.ngram_indexes), frequency.T)
        return Y.reshape(*X.shape[:-1], -1)

    @classmethod
    def examples(cls) -> list[Example]:
        numbers = cls(
            mode="TF",
            ngram_counts=(0, 4),
            ngram_indexes=(0, 1, 2, 3, 4, 5, 6),
            min_gram_length=1,
            max_gram_length=2,
            max_skip_count=5,
            pool_int64s=(2, 3, 5, 4, 5, 6, 7, 8, 6, 7),
        )
        words = cls(
            mode="TFIDF",
            ngram_counts=(0, 1),
            ngram_indexes=(1, 0),
            min_gram_length=1,
            max_gram_length=2,
            max_skip_count=0,
            pool_strings=("a", "b", "a"),
            weights=(0.5, 2.0),
        )
        X = np.array([[1, 1, 3, 3, 3, 7], [8, 6, 7, 5, 6, 8]], np.int32)
        return [
            Example(numbers, (X,)),
            Example(words, (np.array(["a", "b", "a", "b"], object),)),
        ]


def count(windows: Array, grams: Array, found: Array) -> None:
    """Adds to found[row, gram] how many of the row's windows [rows, windows, n] are that gram."""
    # Elements as numbers, then n-grams as numbers: equal ones get the same.
    n = grams.shape[1]
    elements = np.concatenate([grams.reshape(-1), windows.reshape(-1)])
    numbers = np.unique(elements, return_inverse=True)[1].reshape(-1, n)
    names = np.unique(numbers, axis=0, return_inverse=True)[1].reshape(-1)
    gram_of = np.full(len(numbers), -1)
    gram_of[names[: len(grams)]] = np.arange(len(grams))
    gram = gram_of[names[len(grams) :]].reshape(windows.shape[:2])
    row, place = np.nonzero(gram >= 0)
    np.add.at(found, (row, gram[row, place]), 1)
