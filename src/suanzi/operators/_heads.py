"""Heads of attention: the axis that they have of their own, or share with their sizes."""

from suanzi.operators._operator import Array, Dim, TensorType, require

Dims = tuple[Dim, ...]


def split_dims(t: TensorType, heads: int | None, input: str) -> Dims:
    """[N, heads, T, size] of an input of that shape, or of one [N, T, heads · size]."""
    require(t.rank in (3, 4, None), "wrong rank", input, "3 or 4 axes", t)
    if t.shape is None:
        return (None,) * 4
    if len(t.shape) == 4:
        return t.shape
    require(heads, "the number of heads is missing", input, "an attribute that says it", t)
    assert heads
    N, T, width = t.shape
    if not isinstance(width, int):
        return N, heads, T, None
    fits = heads > 0 and width % heads == 0
    require(fits, "doesn't divide into heads", input, f"a multiple of {heads}", t)
    return N, heads, T, width // heads


def split(x: Array, heads: int | None) -> Array:
    """[N, heads, T, size] from [N, T, heads · size]; what has four axes stays."""
    if x.ndim == 4:
        return x
    assert heads is not None
    return x.reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3)


def merge(x: Array) -> Array:
    """[N, T, heads · size] from [N, heads, T, size]."""
    N, heads, T, size = x.shape
    return x.transpose(0, 2, 1, 3).reshape(N, T, heads * size)
