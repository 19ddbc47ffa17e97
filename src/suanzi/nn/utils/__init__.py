"""Tools for parameters, modules and sequences: PyTorch's `torch.nn.utils`."""

from suanzi.nn.utils import parametrizations, parametrize, rnn, stateless
from suanzi.nn.utils.clip_grad import (
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
)
from suanzi.nn.utils.convert_parameters import parameters_to_vector, vector_to_parameters
from suanzi.nn.utils.fusion import (
    fuse_conv_bn_eval,
    fuse_conv_bn_weights,
    fuse_linear_bn_eval,
    fuse_linear_bn_weights,
)
from suanzi.nn.utils.init import skip_init
from suanzi.nn.utils.spectral_norm import remove_spectral_norm, spectral_norm
from suanzi.nn.utils.weight_norm import remove_weight_norm, weight_norm

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "fuse_conv_bn_eval",
    "fuse_conv_bn_weights",
    "fuse_linear_bn_eval",
    "fuse_linear_bn_weights",
    "get_total_norm",
    "parameters_to_vector",
    "parametrizations",
    "parametrize",
    "remove_spectral_norm",
    "remove_weight_norm",
    "rnn",
    "skip_init",
    "spectral_norm",
    "stateless",
    "vector_to_parameters",
    "weight_norm",
]
