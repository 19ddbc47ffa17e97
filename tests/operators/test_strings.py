"""Strings, and n-grams of them."""

import re

import numpy as np
import pytest

from suanzi.errors import SuanziError
from suanzi.operators import (
    Cast,
    RegexFullMatch,
    StringNormalizer,
    StringSplit,
    TensorType,
    TfIdfVectorizer,
)
from support import check, node_cases, onnxruntime_outputs

NAMES = ["StringConcat", "StringSplit", "StringNormalizer", "RegexFullMatch", "TfIdfVectorizer"]


def strings(*texts):
    return np.array(texts, object)


@pytest.mark.parametrize(
    "case", [c for name in NAMES for c in node_cases(name, 1)], ids=lambda c: c.id
)
def test_backend_case(case):
    case.check()


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        (r"\d+", ["12", "١٢", "1a"]),
        (r"(?i)[[:alpha:]_]+\z", ["aB_", "1"]),
        (r"[[:^digit:]x]", ["a", "1", "é", "\0"]),
        (r"\Qa.b\E+", ["a.bb", "axb"]),
        (r"\x{61}b?|ab", ["a", "ab", "b"]),
        (r"(?s:.).", ["\nx", "x\n", "😀é"]),
        (r"a$", ["a", "a\n"]),
        (r"(?<n>a)(?P<m>b)", ["ab"]),
        (r"\[:alpha:]\\z", ["[:alpha:]\\z"]),
        (r"www\.[\w.-]+\.\bcom\b", ["www.google.com", "www.bbc.co.uk", ""]),
    ],
)
def test_matches_as_re2(pattern, texts):
    match = RegexFullMatch(pattern=pattern)
    check(match, [strings(*texts)], onnxruntime_outputs(match, [strings(*texts)]))


@pytest.mark.parametrize(
    "pattern",
    [r"(a)\1", r"a++", r"a{2}+", r"(?=a)a", r"(?<!a)b", r"(?>a)", r"\pL", r"\C", r"(", r"a\Z"],
)
def test_refuses_what_only_one_of_the_two_has(pattern):
    with pytest.raises(SuanziError, match=re.escape("pattern")):
        RegexFullMatch(pattern=pattern).infer(TensorType(object, (1,)))


def test_splits():
    x = strings("a b  c ", "", "--a-", " x z")
    Y, Z = StringSplit(delimiter="-").numpy(x)
    assert Y.tolist()[2] == ["", "", "a", ""]
    assert Z.tolist() == [1, 1, 4, 1]
    Y, Z = StringSplit(maxsplit=1).numpy(x.reshape(2, 2))
    assert Y.tolist() == [[["a", "b  c "], ["", ""]], [["--a-", ""], ["x", "z"]]]
    assert Z.tolist() == [[2, 0], [1, 2]]


def test_stopwords_in_any_case():
    x = strings("Monday", "monday", "", "É")
    assert StringNormalizer(stopwords=("MONDAY", "é")).numpy(x).tolist() == [""]
    kept = StringNormalizer(stopwords=("monday",), is_case_sensitive=1, case_change_action="LOWER")
    assert kept.numpy(x).tolist() == ["monday", "", "é"]
    with pytest.raises(SuanziError):
        kept.infer(TensorType(object, (2, 2)))


@pytest.mark.parametrize("mode", ["TF", "IDF", "TFIDF"])
@pytest.mark.parametrize("skips", [0, 2])
def test_counts_n_grams_as_onnxruntime(mode, skips):
    vectorizer = TfIdfVectorizer(
        mode=mode,
        ngram_counts=(0, 2, 6),
        ngram_indexes=(4, 0, 1, 3, 2),
        min_gram_length=1,
        max_gram_length=3,
        max_skip_count=skips,
        pool_int64s=(1, 2, 1, 2, 2, 2, 1, 2, 1),
        weights=(0.5, 2.0, 3.0, 4.0, 5.0),
    )
    X = np.random.default_rng(0).integers(0, 3, (3, 20))
    check(vectorizer, [X], onnxruntime_outputs(vectorizer, [X]))
    check(vectorizer, [X[0]], onnxruntime_outputs(vectorizer, [X[0]]))


def test_tfidf_refuses():
    def vectorizer(**changes):
        fields = {
            "mode": "TF",
            "ngram_counts": (0,),
            "ngram_indexes": (0, 1),
            "min_gram_length": 1,
            "max_gram_length": 1,
            "max_skip_count": 0,
            "pool_int64s": (5, 6),
        }
        return TfIdfVectorizer(**fields | changes)

    numbers, texts = TensorType(np.int64, (3,)), TensorType(object, (3,))
    vectorizer().infer(numbers)
    for wrong, X in [
        (vectorizer(), texts),
        (vectorizer(pool_int64s=None, pool_strings=("a", "b")), numbers),
        (vectorizer(mode="X"), numbers),
        (vectorizer(ngram_indexes=(0,)), numbers),
        (vectorizer(ngram_indexes=(0, -1)), numbers),
        (vectorizer(weights=(1.0,)), numbers),
        (vectorizer(), TensorType(np.int64, (1, 2, 3))),
    ]:
        with pytest.raises(SuanziError):
            wrong.infer_all([X])


def test_numbers_to_texts_and_back():
    x = np.array([1, 0.1, 3.1415927, -1e-10, 1e20, np.nan, np.inf, -np.inf], np.float32)
    texts = Cast(to=8).numpy(x)
    assert texts.tolist()[:4] == ["1", "0.1", "3.1415927", "-0.0000000001"]
    assert texts.tolist()[5:] == ["NaN", "INF", "-INF"]
    np.testing.assert_array_equal(Cast(to=1).numpy(texts), x)
    big = np.array([2**63 - 1, -5])
    np.testing.assert_array_equal(Cast(to=7).numpy(Cast(to=8).numpy(big)), big)
    assert Cast(to=8).numpy(np.array([True, False])).tolist() == ["1", "0"]
    assert Cast(to=6).numpy(strings("100.5", " 7 ", "1e3")).tolist() == [100, 7, 1000]
    assert Cast(to=1).numpy(strings("+inf", "nAn")).astype(str).tolist() == ["inf", "nan"]
    with pytest.raises(SuanziError):
        Cast(to=1).infer_all([TensorType.of(strings("Hello World!"))])
