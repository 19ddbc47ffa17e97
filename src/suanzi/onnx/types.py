"""TypeProto to the type of a value, and back."""

from onnx import TensorShapeProto, TypeProto

from suanzi.errors import SuanziError
from suanzi.operators._operator import Dim, MapType, OptionalType, SequenceType, TensorType
from suanzi.operators._types import element_number, element_type


def to_type(proto: TypeProto) -> TensorType:
    """What a file says of a value."""
    kind = proto.WhichOneof("value")
    if kind == "sequence_type":
        return SequenceType(to_type(proto.sequence_type.elem_type))
    if kind == "optional_type":
        return OptionalType(to_type(proto.optional_type.elem_type))
    if kind == "map_type":
        return MapType(to_type(proto.map_type.value_type), element_type(proto.map_type.key_type))
    if kind != "tensor_type":
        raise SuanziError("a type that we don't have", found=kind)
    tensor = proto.tensor_type
    dtype = element_type(tensor.elem_type)
    if not tensor.HasField("shape"):
        return TensorType(dtype, None)
    return TensorType(dtype, tuple(_dim(dim) for dim in tensor.shape.dim))


def _dim(dim: TensorShapeProto.Dimension) -> Dim:
    """Exporters write an unknown size as nothing, as 0, as -1 or as '?'."""
    if dim.HasField("dim_param"):
        return None if dim.dim_param in ("", "?", "-1") else dim.dim_param
    return dim.dim_value if dim.dim_value > 0 else None


def to_proto(t: TensorType) -> TypeProto:
    """How a file says what a value is."""
    proto = TypeProto()
    if isinstance(t, SequenceType):
        proto.sequence_type.elem_type.CopyFrom(to_proto(t.element))
    elif isinstance(t, OptionalType):
        proto.optional_type.elem_type.CopyFrom(to_proto(t.element))
    elif isinstance(t, MapType):
        proto.map_type.key_type = element_number(t.key)
        proto.map_type.value_type.CopyFrom(to_proto(t.element))
    else:
        proto.tensor_type.elem_type = element_number(t.dtype)
        if t.shape is not None:
            proto.tensor_type.shape.dim.extend(map(_dim_proto, t.shape))
    return proto


def _dim_proto(dim: Dim) -> TensorShapeProto.Dimension:
    if isinstance(dim, str):
        return TensorShapeProto.Dimension(dim_param=dim)
    return TensorShapeProto.Dimension(dim_value=dim)
