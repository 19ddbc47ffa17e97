"""Batch normalization in evaluation, moved into the layer before it."""

import copy
from typing import Any

from suanzi.errors import SuanziError
from suanzi.nn.module import Module
from suanzi.nn.parameter import Parameter
from suanzi.tensor import Tensor, no_grad, ones_like, zeros_like


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """A convolution that does what `bn(conv(x))` does, in evaluation.

    `transpose`: it is a transposed one, whose weights have the output channels second.
    """
    return _fused(conv, bn, 1 if transpose else 0)


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """A linear layer that does what `bn(linear(x))` does, in evaluation."""
    if bn.num_features not in (linear.out_features, 1):
        raise SuanziError(
            "to fuse, linear.out_features must be bn.num_features, or that 1",
            expected=linear.out_features,
            found=bn.num_features,
        )
    return _fused(linear, bn, 0)


def _fused(layer: Module, bn: Any, axis: int) -> Module:
    if layer.training or bn.training:
        raise SuanziError(
            "fusion only for evaluation", expected="modules in eval()", found="training"
        )
    if bn.running_mean is None or bn.running_var is None:
        raise SuanziError("fusion needs running statistics", hint="track_running_stats=True")
    fused = copy.deepcopy(layer)
    fused.weight, fused.bias = _weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, axis
    )
    return fused


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of the fused convolution.

    weight' = weight · γ / √(var + ε), bias' = (bias - mean) · γ / √(var + ε) + β
    """
    return _weights(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 1 if transpose else 0)


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
) -> tuple[Parameter, Parameter]:
    """Weight and bias of the fused linear layer, as `fuse_conv_bn_weights`."""
    return _weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 0)


def _weights(
    weight: Tensor,
    bias: Tensor | None,
    mean: Tensor,
    variance: Tensor,
    eps: float,
    gamma: Tensor | None,
    beta: Tensor | None,
    axis: int,
) -> tuple[Parameter, Parameter]:
    with no_grad():
        gamma = ones_like(mean) if gamma is None else gamma
        beta = zeros_like(mean) if beta is None else beta
        start = zeros_like(mean) if bias is None else bias
        scale = gamma * (variance + eps).rsqrt()
        shape = [1] * weight.ndim
        shape[axis] = -1
        fused_weight = (weight * scale.reshape(shape)).to(weight.dtype)
        fused_bias = ((start - mean) * scale + beta).to(start.dtype)
    trained = bias.requires_grad if bias is not None else weight.requires_grad
    return Parameter(fused_weight, weight.requires_grad), Parameter(fused_bias, trained)
