"""Strings: NumPy arrays of the type object, whose elements are str.

Source, of all here: https://onnx.ai/onnx/operators/
"""

import re
import sys
from collections.abc import Callable

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._checks import STRING, require_dtype, require_shape
from suanzi.operators._elementwise import Pointwise
from suanzi.operators._operator import Array, Example, Operator, TensorType, operator, require


@operator(family="strings")
class StringConcat(Pointwise):
    """Z = X followed by Y, element by element; the two broadcast. New in opset 20."""

    def infer(self, *inputs: TensorType | None) -> TensorType:
        require_dtype(inputs[0], STRING, "X")
        return super().infer(*inputs)

    def numpy(self, X: Array, Y: Array) -> Array:
        return np.asarray(X + Y, STRING)

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), (np.array([["a"], ["b"]], STRING), np.array([".com", ""], STRING)))]


@operator(family="strings")
class StringSplit(Operator):
    """Y = X cut wherever `delimiter` stands, on a further axis, filled up with ""; Z = how many
    pieces there are (int64, X's shape).

    Without a delimiter, or an empty one, white space of any length cuts, and none leads or trails.
    After `maxsplit` cuts, if given, what remains is the last piece. New in opset 20.
    """

    delimiter: str | None = None
    maxsplit: int | None = None

    def infer(self, X: TensorType) -> tuple[TensorType, TensorType]:
        require_dtype(X, STRING, "X")
        shape = None if X.shape is None else (*X.shape, None)
        return TensorType(STRING, shape), TensorType(np.dtype(np.int64), X.shape)

    def numpy(self, X: Array) -> tuple[Array, Array]:
        most = -1 if self.maxsplit is None else self.maxsplit
        pieces = [text.split(self.delimiter or None, most) for text in X.reshape(-1)]
        counts = np.array([len(p) for p in pieces], np.int64)
        longest = counts.max(initial=0)
        Y = np.full((X.size, longest), "", STRING)
        Y[np.arange(longest) < counts[:, None]] = [piece for p in pieces for piece in p]
        return Y.reshape(*X.shape, longest), counts.reshape(X.shape)

    @classmethod
    def examples(cls) -> list[Example]:
        words = np.array(["hello  world !", " onnx "], STRING)
        return [
            Example(cls(), (words,)),
            Example(cls(delimiter="o", maxsplit=1), (words,)),
        ]


CASES: dict[str, Callable[[str], str]] = {"NONE": str, "LOWER": str.lower, "UPPER": str.upper}


@operator(family="strings")
class StringNormalizer(Operator):
    """X without the elements that are stopwords, the rest in the case of case_change_action
    (LOWER, UPPER, NONE); a lone "" where nothing is left.

    X and Y [C] or [1, C]. Unless is_case_sensitive, an element is a stopword in any case. Upper
    and lower case are Unicode's, whatever `locale` says.
    """

    case_change_action: str = "NONE"
    is_case_sensitive: int = 0
    locale: str | None = None
    stopwords: tuple[str, ...] = ()

    def infer(self, X: TensorType) -> TensorType:
        require_dtype(X, STRING, "X")
        if self.case_change_action not in CASES:
            expected = ", ".join(CASES)
            raise SuanziError("wrong case_change_action", expected=expected, found=self)
        require(X.rank in (None, 1, 2), "wrong rank", "X", "[C] or [1, C]", X)
        if X.rank == 2:
            require_shape(X, (1, None), "X")
        return TensorType(STRING, None if X.shape is None else (*X.shape[:-1], None))

    def numpy(self, X: Array) -> Array:
        key = CASES["NONE" if self.is_case_sensitive else "LOWER"]
        change = CASES[self.case_change_action]
        stopwords = {key(word) for word in self.stopwords}
        kept = [change(word) for word in X.reshape(-1) if key(word) not in stopwords]
        return np.array(kept or [""], STRING).reshape(*X.shape[:-1], -1)

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.array(["Monday", "tuesday"], STRING)
        lower = cls(stopwords=("Tuesday",), is_case_sensitive=1, case_change_action="LOWER")
        return [
            Example(cls(stopwords=("monday",), case_change_action="UPPER"), (X,)),
            Example(lower, (X[None],)),
            Example(cls(stopwords=("monday", "Tuesday")), (X,)),
        ]


@operator(family="strings")
class RegexFullMatch(Operator):
    r"""Y = whether the whole of X matches the pattern, as bool. New in opset 20.

    The pattern is in RE2's syntax, and Python's `re` matches: where the two agree, as they do but
    for this. RE2's \z, \Q...\E, \x{...}, and POSIX classes are translated; \d, \w, \s, \b and
    letters in any case, (?i), know ASCII alone; \p (Unicode's classes), (?U) and \C are errors;
    and so are Python's own backreferences, lookaround, conditions, atomic groups and possessive
    repetitions. `re` can take exponential time for a pattern such as (a+)+b; RE2 can't.
    """

    pattern: str = ""

    def infer(self, X: TensorType) -> TensorType:
        require_dtype(X, STRING, "X")
        _compile(self.pattern)
        return TensorType(np.dtype(np.bool_), X.shape)

    def numpy(self, X: Array) -> Array:
        match = _compile(self.pattern).fullmatch
        return np.array([match(text) is not None for text in X.flat], np.bool_).reshape(X.shape)

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.array([["www.google.com", "www.facebook.com"], ["www.bbc.co.uk", ""]], STRING)
        return [Example(cls(pattern=r"www\.[\w.-]+\.\bcom\b"), (X,))]


POSIX = {
    "alnum": "09AZaz",
    "alpha": "AZaz",
    "ascii": "\x00\x7f",
    "blank": "\t\t  ",
    "cntrl": "\x00\x1f\x7f\x7f",
    "digit": "09",
    "graph": "!~",
    "lower": "az",
    "print": " ~",
    "punct": "!/:@[`{~",
    "space": "\t\r  ",
    "upper": "AZ",
    "word": "09AZ__az",
    "xdigit": "09AFaf",
}
"""The first and the last character of each range of a class."""

TOKEN = re.compile(
    r"\\Q(?P<quoted>.*?)(?:\\E|\Z)"
    r"|\[:(?P<other>\^?)(?P<posix>" + "|".join(POSIX) + r"):\]"
    r"|\\x\{(?P<code>[0-9A-Fa-f]{1,6})\}"
    r"|(?P<end>\\z)"
    r"|(?P<name>\(\?<)(?![=!])"
    r"|(?P<refused>\\[1-9pPCZ]|\(\?(?:[=!>#(]|<|P=|P>|[a-zA-Z]*U)|[*+?}]\+)"
    r"|\\.|.",
    re.DOTALL,
)
"""A piece of a pattern: what RE2 writes in its own way, what only one of the two has, the rest."""


def _compile(pattern: str) -> re.Pattern[str]:
    """RE2's pattern as Python's."""

    def translate(token: re.Match[str]) -> str:
        if token["refused"]:
            expected = "what RE2 and re share"
            raise SuanziError("not in patterns here", expected=expected, found=token[0])
        if token["quoted"] is not None:
            return re.escape(token["quoted"])
        if token["posix"]:
            ends = [ord(end) for end in POSIX[token["posix"]]]
            if token["other"]:  # what lies between the ranges
                inner = (end + 1 if i % 2 else end - 1 for i, end in enumerate(ends))
                ends = [0, *inner, sys.maxunicode]
            ranges = zip(ends[::2], ends[1::2], strict=True)
            return "".join(f"{re.escape(chr(a))}-{re.escape(chr(b))}" for a, b in ranges if a <= b)
        if token["code"]:
            return re.escape(chr(int(token["code"], 16)))
        return r"\Z" if token["end"] else "(?P<" if token["name"] else token[0]

    try:
        return re.compile(TOKEN.sub(translate, pattern), re.ASCII)
    except (re.error, OverflowError, RecursionError, ValueError) as error:
        raise SuanziError(f"a wrong pattern: {error}", found=pattern) from None
