"""ONNX files: the one package that imports the `onnx` library."""

import importlib
from typing import Any

from suanzi.onnx.read import Model, ModelMetadata, read

__all__ = ["Model", "ModelMetadata", "read"]


def __getattr__(name: str) -> Any:
    """`export`, where PyTorch has it; it belongs to tensors, which lie above this package."""
    if name in ("TrainingMode", "export"):
        return getattr(importlib.import_module("suanzi.tensor.torch_export"), name)
    raise AttributeError(f"module 'suanzi.onnx' has no attribute '{name}'")
