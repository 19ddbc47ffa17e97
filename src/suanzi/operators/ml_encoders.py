"""Categories to numbers and back, maps to tensors and back, in ai.onnx.ml."""

from typing import Any, ClassVar

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._ml import (
    DOMAIN,
    FLOAT32,
    INT64,
    STRING,
    Strings,
    class_labels,
    matrix_shape,
    strings,
)
from suanzi.operators._operator import (
    Array,
    Example,
    Floats,
    Ints,
    MapType,
    Operator,
    SequenceType,
    TensorType,
    operator,
    require,
)

Map = dict[Any, Any]


def look_up(X: Array, keys: Array, values: Array, default: Any) -> Array:
    """values[i] for what equals keys[i], the default for what equals none. NaN equals NaN; of
    equal keys the first counts, as it does in numpy.unique."""
    if not keys.size or not X.size:
        return np.full(X.shape, default, values.dtype)
    known, first = np.unique(keys, return_index=True)
    places = np.searchsorted(known, X).clip(max=known.size - 1)
    found, wanted = known[places], X
    same = found == wanted
    if keys.dtype.kind == "f" and X.dtype.kind == "f":
        same |= np.isnan(found) & np.isnan(wanted)
    return np.asarray(np.where(same, values[first[places]], default)).astype(values.dtype)


@operator(family="encoders", domain=DOMAIN)
class CategoryMapper(Operator):
    """Y = cats_int64s[i] where X is cats_strings[i]; and, where X is numbers, the reverse. What is
    in neither becomes default_int64 or default_string.

    X text or int64, Y int64 or text of its shape.
    Source: https://onnx.ai/onnx/operators/onnx_aionnxml_CategoryMapper.html (version 1)
    """

    cats_int64s: Ints | None = None
    cats_strings: Strings | None = None
    default_int64: int = -1
    default_string: str = "_Unused"

    def infer(self, X: TensorType) -> TensorType:
        return TensorType(INT64 if X.dtype == STRING else STRING, X.shape)

    def numpy(self, X: Array) -> Array:
        numbers, texts = np.array(self.cats_int64s or (), INT64), strings(self.cats_strings or ())
        if X.dtype == STRING:
            return look_up(X, texts, numbers, self.default_int64)
        return look_up(X, numbers, texts, self.default_string)

    @classmethod
    def examples(cls) -> list[Example]:
        both = cls(cats_int64s=(7, 3), cats_strings=("cat", "dog"))
        return [
            Example(both, (strings([["dog", "cow"]]),)),
            Example(both, (np.array([7, 8, 3]),)),
        ]


@operator(family="encoders", domain=DOMAIN)
class LabelEncoder(Operator):
    """Y = values[i] where X is keys[i], the default where it is no key.

    keys and values, and the default, are each given by one attribute: of whole numbers, real ones
    or text, or as a tensor. Y has X's shape and the values' type. Before version 4 there were no
    tensors; before 2 text stood for its place in classes_strings.
    Source: https://onnx.ai/onnx/operators/onnx_aionnxml_LabelEncoder.html (version 4)
    """

    default_float: float = -0.0
    default_int64: int = -1
    default_string: str = "_Unused"
    default_tensor: np.ndarray | None = None
    keys_floats: Floats | None = None
    keys_int64s: Ints | None = None
    keys_strings: Strings | None = None
    keys_tensor: np.ndarray | None = None
    values_floats: Floats | None = None
    values_int64s: Ints | None = None
    values_strings: Strings | None = None
    values_tensor: np.ndarray | None = None

    def infer(self, X: TensorType) -> TensorType:
        return TensorType(self._values[0].dtype, X.shape)

    @property
    def _keys(self) -> Array:
        if self.keys_tensor is not None:
            return self.keys_tensor
        if self.keys_strings:
            return strings(self.keys_strings)
        if self.keys_floats:
            return np.array(self.keys_floats, FLOAT32)
        return np.array(self.keys_int64s or (), INT64)

    @property
    def _values(self) -> tuple[Array, Any]:
        """The values, and the default."""
        if self.values_tensor is not None:
            given = self.default_tensor
            ours = "_Unused" if self.values_tensor.dtype == STRING else 0
            if self.values_tensor.dtype.kind == "i":
                ours = -1
            return self.values_tensor, ours if given is None else given.reshape(())[()]
        if self.values_strings:
            return strings(self.values_strings), self.default_string
        if self.values_floats:
            return np.array(self.values_floats, FLOAT32), self.default_float
        return np.array(self.values_int64s or (), INT64), self.default_int64

    def numpy(self, X: Array) -> Array:
        keys, (values, default) = self._keys, self._values
        if keys.size != values.size:
            raise SuanziError("as many values as keys", expected=keys.size, found=values.size)
        return look_up(X, keys, values, default)

    @classmethod
    def examples(cls) -> list[Example]:
        words: dict[str, Any] = {"keys_strings": ("a", "b"), "values_int64s": (4, 5)}
        numbers: dict[str, Any] = {"keys_floats": (1.5, np.nan), "values_strings": ("x", "none")}
        return [
            Example(cls(**words, default_int64=9), (strings(["b", "c", "a"]),)),
            Example(cls(**numbers), (np.array([[np.nan, 1.5, 0]], np.float32),)),
        ]


@operator(family="encoders", domain=DOMAIN, torch="F.one_hot")
class OneHotEncoder(Operator):
    """Y[..., k] = 1 where X is the k-th category, else 0. What is no category has zeros alone, or
    is an error, with zeros = 0.

    X of any shape, Y float32 with the categories as a further axis.
    Source: https://onnx.ai/onnx/operators/onnx_aionnxml_OneHotEncoder.html (version 1)
    """

    cats_int64s: Ints | None = None
    cats_strings: Strings | None = None
    zeros: int = 1

    def infer(self, X: TensorType) -> TensorType:
        count = self._categories.size
        return TensorType(FLOAT32, None if X.shape is None else (*X.shape, count))

    @property
    def _categories(self) -> Array:
        return class_labels(self.cats_int64s, self.cats_strings)

    def numpy(self, X: Array) -> Array:
        x = X if X.dtype == STRING else X.astype(INT64)
        hits = x[..., None] == self._categories
        if not (self.zeros or hits.any(-1).all()):
            raise SuanziError("a value is no category", input="X", found=x[~hits.any(-1)].flat[0])
        return np.asarray(hits).astype(FLOAT32)

    @classmethod
    def examples(cls) -> list[Example]:
        return [
            Example(cls(cats_int64s=(1, 4)), (np.array([4, 1, 0]),)),
            Example(cls(cats_strings=("a", "b", "c"), zeros=0), (strings([["c", "a"]]),)),
        ]


@operator(family="encoders", domain=DOMAIN)
class DictVectorizer(Operator):
    """Y[0, k] = X[vocabulary[k]], 0 (or the empty text) where X has no such key.

    X a map from the vocabulary's type; Y [1, K] of its values' type.
    Source: https://onnx.ai/onnx/operators/onnx_aionnxml_DictVectorizer.html (version 1)
    """

    holders: ClassVar[bool] = True
    int64_vocabulary: Ints | None = None
    string_vocabulary: Strings | None = None

    def infer(self, X: MapType) -> TensorType:
        require(isinstance(X, MapType), "not a map", "X", "a map", X)
        return TensorType(X.element.dtype, (1, len(self._vocabulary)))

    @property
    def _vocabulary(self) -> tuple[Any, ...]:
        return self.string_vocabulary or self.int64_vocabulary or ()

    def numpy(self, X: Map) -> Array:
        values = [np.asarray(value) for value in X.values()]
        if not values:
            return np.zeros((1, len(self._vocabulary)), FLOAT32)
        dtype = STRING if values[0].dtype.kind in "OU" else values[0].dtype
        missing = "" if dtype == STRING else 0
        return np.array([[X.get(key, missing) for key in self._vocabulary]], dtype)

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(string_vocabulary=("a", "b")), ({"b": np.float32(2)},))]


CASTS: dict[str, np.dtype[Any]] = {"TO_FLOAT": FLOAT32, "TO_INT64": INT64, "TO_STRING": STRING}


@operator(family="encoders", domain=DOMAIN)
class CastMap(Operator):
    """Y[0] = the map's values, by rising key, in the type cast_to; with map_form = "SPARSE" the
    value of key k stands at place k of max_map, 0 (or the empty text) where there is none.

    X a map from int64 to float32 or text; Y [1, how many].
    Source: https://onnx.ai/onnx/operators/onnx_aionnxml_CastMap.html (version 1)
    """

    holders: ClassVar[bool] = True
    cast_to: str = "TO_FLOAT"
    map_form: str = "DENSE"
    max_map: int = 1

    def infer(self, X: MapType) -> TensorType:
        require(isinstance(X, MapType), "not a map", "X", "a map", X)
        if self.cast_to not in CASTS:
            raise SuanziError("wrong cast_to", expected=", ".join(CASTS), found=self.cast_to)
        return TensorType(CASTS[self.cast_to], (1, self.max_map if self._sparse else None))

    @property
    def _sparse(self) -> bool:
        return self.map_form == "SPARSE"

    def numpy(self, X: Map) -> Array:
        dtype = CASTS[self.cast_to]
        missing = "" if dtype == STRING else 0
        if self._sparse:
            outside = [key for key in X if not 0 <= key < self.max_map]
            if outside:
                raise SuanziError(
                    "a key beyond max_map", input="X", expected=self.max_map, found=outside[0]
                )
            values = [X.get(key, missing) for key in range(self.max_map)]
        else:
            values = [X[key] for key in sorted(X)]
        if dtype == STRING:
            return strings([[f"{float(v):f}" if not isinstance(v, str) else v for v in values]])
        return np.array([[float(v) for v in values]]).astype(dtype)

    @classmethod
    def examples(cls) -> list[Example]:
        X = {2: np.float32(1.5), 0: np.float32(4)}
        return [Example(cls(), (X,)), Example(cls(map_form="SPARSE", max_map=4), (X,))]


@operator(family="encoders", domain=DOMAIN)
class ZipMap(Operator):
    """Z[n] = {label k: X[n, k]}: a map for each row.

    X float32 [N, K], or [K]; Z a sequence of N maps from the labels, int64 or text.
    Source: https://onnx.ai/onnx/operators/onnx_aionnxml_ZipMap.html (version 1)
    """

    classlabels_int64s: Ints | None = None
    classlabels_strings: Strings | None = None

    def infer(self, X: TensorType) -> SequenceType:
        K = matrix_shape(X)[1]
        count = len(self._labels)
        require(not isinstance(K, int) or count == K, "as many labels as columns", "X", count, X)
        key = STRING if self.classlabels_strings else INT64
        return SequenceType(MapType(TensorType(X.dtype, ()), key))

    @property
    def _labels(self) -> tuple[Any, ...]:
        return self.classlabels_strings or self.classlabels_int64s or ()

    def numpy(self, X: Array) -> list[Map]:
        return [dict(zip(self._labels, row, strict=True)) for row in np.atleast_2d(X)]

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.array([[0.25, 0.75], [1, 0]], np.float32)
        return [Example(cls(classlabels_strings=("no", "yes")), (X,))]
