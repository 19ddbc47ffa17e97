"""ONNX files: the one package that imports the `onnx` library."""

from suanzi.onnx.read import Model, ModelMetadata, read

__all__ = ["Model", "ModelMetadata", "read"]
