"""Rotary embedding: the place of a token as an angle by which its numbers are turned."""

from typing import Any

import numpy as np

from suanzi.operators._attention_gradient import heads_apart
from suanzi.operators._checks import require_shape, widen
from suanzi.operators._compose import part, total
from suanzi.operators._gradients import reshape, zeros
from suanzi.operators._heads import Dims, merge, split, split_dims
from suanzi.operators._operator import Array, Example, Operator, TensorType, operator, require
from suanzi.operators.indexing import ScatterND


@operator(family="attention")
class RotaryEmbedding(Operator):
    """Turns each pair (a, b) of numbers of a token by an angle that stands for its place:
    (a · cos - b · sin, a · sin + b · cos).

    X and Y [N, heads, T, size], or [N, T, heads · size] with num_heads given. Of each head the
    first rotary_embedding_dim numbers (0: all) take part: number i and the one half of them
    further on are a pair, or if interleaved numbers 2i and 2i + 1. cos_cache and sin_cache
    [places, pairs] are read at position_ids [N, T]; without these they are [N, T, pairs].
    New in opset 23.
    Source: https://arxiv.org/abs/2104.09864,
    https://onnx.ai/onnx/operators/onnx__RotaryEmbedding.html (opset 23)
    """

    interleaved: int = 0
    num_heads: int | None = None
    rotary_embedding_dim: int = 0

    def infer(
        self,
        X: TensorType,
        cos_cache: TensorType,
        sin_cache: TensorType,
        position_ids: TensorType | None = None,
    ) -> TensorType:
        N, _, T, size = split_dims(X, self.num_heads, "X")
        turned = self.rotary_embedding_dim or size
        pairs = turned // 2 if isinstance(turned, int) else None
        even = not isinstance(turned, int) or turned % 2 == 0
        fits = even and (not isinstance(size, int) or pairs is None or 2 * pairs <= size)
        require(fits, "no such number of pairs", "X", "an even number for each head", X)
        places: Dims = (N, T) if position_ids is None else (None,)
        require_shape(cos_cache, (*places, pairs), "cos_cache")
        require_shape(sin_cache, (*places, pairs), "sin_cache")
        require_shape(position_ids, (N, T), "position_ids")
        return TensorType(X.dtype, X.shape)

    def numpy(
        self, X: Array, cos_cache: Array, sin_cache: Array, position_ids: Array | None = None
    ) -> Array:
        x = widen(split(X, self.num_heads))
        if position_ids is not None:
            known = (position_ids >= 0) & (position_ids < len(cos_cache))
            expected = f"from 0 to {len(cos_cache) - 1}"
            require(known.all(), "no such place", "position_ids", expected, position_ids)
            cos_cache, sin_cache = cos_cache[position_ids], sin_cache[position_ids]
        cos, sin = widen(cos_cache)[:, None], widen(sin_cache)[:, None]
        turned = self.rotary_embedding_dim or x.shape[-1]
        half = turned // 2
        first, second = slice(0, half), slice(half, turned)
        if self.interleaved:
            first, second = slice(0, turned, 2), slice(1, turned, 2)
        a, b, Y = x[..., first], x[..., second], x.copy()
        Y[..., first] = a * cos - b * sin
        Y[..., second] = a * sin + b * cos
        return (merge(Y) if X.ndim == 3 else Y).astype(X.dtype)

    def grad(
        self,
        dY: Any,
        _Y: Any,
        X: Any,
        cos_cache: Any,
        sin_cache: Any,
        position_ids: Any = None,
    ) -> tuple[Any, ...]:
        def pairs(x: Any) -> tuple[Any, Any]:
            """The numbers that are first in their pairs, and the second ones."""
            x = heads_apart(x, self.num_heads)
            turned = self.rotary_embedding_dim or x.shape[-1]
            if self.interleaved:
                return part(x, 3, 0, turned, 2), part(x, 3, 1, turned, 2)
            return part(x, 3, 0, turned // 2), part(x, 3, turned // 2, turned)

        def d_cache(made: Any) -> Any:
            made = total(made, (1,), 0)
            if position_ids is None:
                return made
            rows = reshape(position_ids, (*made.shape[:2], 1))
            return ScatterND(reduction="add")(zeros(cos_cache.shape, made), rows, made)

        def d_cos() -> Any:
            (a, b), (da, db) = pairs(X), pairs(dY)
            return d_cache(da * a + db * b)

        def d_sin() -> Any:
            (a, b), (da, db) = pairs(X), pairs(dY)
            return d_cache(db * a - da * b)

        # Turned back by the same angles.
        return lambda: self(dY, cos_cache, -sin_cache, position_ids), d_cos, d_sin

    @classmethod
    def examples(cls) -> list[Example]:
        X = np.sin(np.arange(24, dtype=np.float32)).reshape(1, 2, 3, 4)
        angles = np.outer(np.arange(5), [1, 0.1]).astype(np.float32)
        cos, sin = np.cos(angles), np.sin(angles)
        places = np.array([[0, 2, 4]])
        return [
            Example(cls(), (X, cos, sin, places)),
            Example(cls(interleaved=1, num_heads=2), (merge(X), cos[None, :3], sin[None, :3])),
            Example(cls(rotary_embedding_dim=2), (X, cos[:, :1], sin[:, :1], places)),
        ]
