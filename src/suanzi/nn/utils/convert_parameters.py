"""Parameters as one vector, and back."""

from collections.abc import Iterable

from suanzi.errors import SuanziError
from suanzi.tensor import Tensor, cat


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements, one tensor after the other."""
    return cat([parameter.reshape(-1) for parameter in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Makes the parameters views of a vector's parts."""
    if not isinstance(vec, Tensor):
        raise SuanziError("wrong vector", input="vec", expected="a Tensor", found=type(vec))
    start = 0
    for parameter in parameters:
        part = vec[start : start + parameter.numel()]
        parameter.data = part.view(parameter.shape).data
        start += parameter.numel()
