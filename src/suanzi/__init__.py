"""Suanzi (算子): deep-learning operators to read, to see and to run."""

import importlib
from typing import TYPE_CHECKING, Any

from suanzi.errors import SuanziError

if TYPE_CHECKING:
    from suanzi import nn as nn
    from suanzi import optim as optim
    from suanzi import utils as utils
    from suanzi import zoo as zoo
    from suanzi.inspect.compare import compare
    from suanzi.operators import OPERATORS as operators  # noqa: N811
    from suanzi.session import InferenceSession
    from suanzi.tensor import *  # noqa: F403

__version__ = "0.1.0"
__all__ = ["InferenceSession", "SuanziError", "__version__", "compare", "operators"]

PACKAGES = {
    "autograd", "cuda", "func", "linalg", "nn", "onnx", "optim", "special", "tensor", "utils",
    "zoo",
}  # fmt: skip
FUNCTIONAL = {
    "adaptive_avg_pool1d", "adaptive_max_pool1d", "affine_grid", "alpha_dropout", "alpha_dropout_",
    "avg_pool1d", "batch_norm", "bilinear", "binary_cross_entropy_with_logits", "celu", "celu_",
    "channel_shuffle", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d", "cosine_embedding_loss", "cosine_similarity", "ctc_loss", "dropout",
    "dropout_", "embedding", "embedding_bag", "feature_alpha_dropout", "group_norm", "hardshrink",
    "hinge_embedding_loss", "instance_norm", "kl_div", "layer_norm", "margin_ranking_loss",
    "max_pool1d", "max_pool2d", "max_pool3d", "native_channel_shuffle", "pairwise_distance",
    "pixel_shuffle", "pixel_unshuffle", "poisson_nll_loss", "rms_norm", "rrelu", "rrelu_", "selu",
    "selu_", "softshrink", "threshold", "threshold_", "triplet_margin_loss",
}  # fmt: skip
"""Functions of `nn.functional` that PyTorch has under `torch` as well."""


ONNXRUNTIME = {
    "ExecutionMode": "options", "ExecutionOrder": "options", "GraphOptimizationLevel": "options",
    "IOBinding": "binding", "ModelMetadata": "onnx", "NodeArg": "arguments", "OrtValue": "binding",
    "RunOptions": "options", "SessionOptions": "options", "disable_telemetry_events": "options",
    "enable_telemetry_events": "options", "get_all_providers": "options",
    "get_available_providers": "options", "get_device": "options",
    "set_default_logger_severity": "options", "set_default_logger_verbosity": "options",
}  # fmt: skip
"""What onnxruntime has beside InferenceSession, and the module that it is in here."""


def __getattr__(name: str) -> Any:
    """The parts that take time to import come when they are first used."""
    if name in ONNXRUNTIME:
        return getattr(importlib.import_module(f"suanzi.{ONNXRUNTIME[name]}"), name)
    if name == "InferenceSession":
        from suanzi.session import InferenceSession

        return InferenceSession
    if name == "compare":
        from suanzi.inspect.compare import compare

        return compare
    if name == "operators":  # only until it is imported
        import suanzi.graph.control_flow  # it adds those with bodies to the table
        import suanzi.operators

        return suanzi.operators
    if name in PACKAGES:
        return importlib.import_module(f"suanzi.{name}")
    if name in FUNCTIONAL:
        return getattr(importlib.import_module("suanzi.nn.functional"), name)
    if not name.startswith("__"):
        tensor = importlib.import_module("suanzi.tensor")
        if hasattr(tensor, name):
            found = globals()[name] = getattr(tensor, name)  # from now on it is found at once
            return found
    raise AttributeError(f"module 'suanzi' has no attribute '{name}'")
