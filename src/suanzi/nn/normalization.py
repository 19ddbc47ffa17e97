"""Layers of normalization. What each takes its mean and variance over is all that differs."""

from typing import Any

from suanzi.errors import SuanziError
from suanzi.nn import functional as F  # noqa: N812  (everybody's name for it)
from suanzi.nn import init
from suanzi.nn.lazy import LazyModuleMixin
from suanzi.nn.module import Module
from suanzi.nn.parameter import Parameter, UninitializedBuffer, UninitializedParameter
from suanzi.tensor import Tensor, empty, int64, ones, tensor, zeros


class _Normalization(Module):
    """Of channels: a weight, a bias, and running statistics, each where it is wanted."""

    _version = 2

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
        affine: bool = True, track_running_stats: bool = True, device: Any = None,
        dtype: Any = None, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight: Parameter | None
        self.bias: Parameter | None
        if affine:
            self.weight = Parameter(empty(num_features, device=device, dtype=dtype))
        else:
            self.register_parameter("weight", None)
        if affine and bias:
            self.bias = Parameter(empty(num_features, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        tracked = track_running_stats
        self.running_mean: Tensor | None
        self.running_var: Tensor | None
        self.num_batches_tracked: Tensor | None
        self.register_buffer(
            "running_mean", zeros(num_features, device=device, dtype=dtype) if tracked else None
        )
        self.register_buffer(
            "running_var", ones(num_features, device=device, dtype=dtype) if tracked else None
        )
        count = tensor(0, dtype=int64) if tracked else None
        self.register_buffer("num_batches_tracked", count)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forgets the batches so far."""
        if self.running_mean is not None and self.running_var is not None:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            assert self.num_batches_tracked is not None
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0, and no batches yet."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    ranks: tuple[int, ...] = ()

    def _check_input_dim(self, input: Tensor) -> None:
        if len(input._value.shape) not in self.ranks:
            raise SuanziError(
                "wrong rank", input="input", found=f"{input.ndim}: {tuple(input.shape)}",
                expected=" or ".join(f"{r} axes" for r in self.ranks),
            )  # fmt: skip

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_Normalization):
    def forward(self, input: Tensor) -> Tensor:
        """In training by the batch's statistics, in evaluation by the running ones."""
        self._check_input_dim(input)
        held, given = self._buffers, self._parameters  # by name at once, as this is called often
        mean, var = held.get("running_mean"), held.get("running_var")
        batches = held.get("num_batches_tracked")
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and batches is not None:
            F.normalization.counted(batches)
            if self.momentum is None:  # the plain mean of all batches
                momentum = 1.0 / batches.to(input.dtype)
        by_batch = self.training or (mean is None and var is None)
        if self.training and not self.track_running_stats:
            mean = var = None
        weight, bias = given.get("weight"), given.get("bias")
        return F.batch_norm(input, mean, var, weight, bias, by_batch, momentum, self.eps)


class BatchNorm1d(_BatchNorm):
    """Each feature by its mean and variance over the batch: input (N, C) or (N, C, L)."""

    ranks = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Each channel by its mean and variance over the batch and the picture: input (N, C, H, W).

    >>> import suanzi
    >>> m = BatchNorm2d(100, affine=False)
    >>> m(suanzi.randn(20, 100, 35, 45)).shape
    suanzi.Size([20, 100, 35, 45])
    """

    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Each channel by its mean and variance over all else: input (N, C, D, H, W)."""

    ranks = (5,)


class SyncBatchNorm(_BatchNorm):
    """BatchNorm over all processes: there is one here, so it is BatchNorm of any rank."""

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
        affine: bool = True, track_running_stats: bool = True, process_group: Any = None,
        device: Any = None, dtype: Any = None, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype,
                         bias)  # fmt: skip

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """The module with its batch normalizations in place: with one process they do the same."""
        return module

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise SuanziError("wrong rank", input="input", expected="at least 2 axes",
                              found=tuple(input.shape))  # fmt: skip


class _InstanceNorm(_Normalization):
    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False,
        track_running_stats: bool = False, device: Any = None, dtype: Any = None,
        bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype,
                         bias)  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        """input with or without a batch axis."""
        self._check_input_dim(input)
        alone = input.ndim == self.ranks[0]
        x = input.unsqueeze(0) if alone else input
        if x.shape[1] != self.num_features and self.affine:
            raise SuanziError("wrong number of channels", input="input",
                              expected=self.num_features, found=tuple(input.shape))  # fmt: skip
        y = F.instance_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias,
            self.training or not self.track_running_stats, self.momentum or 0.0, self.eps,
        )  # fmt: skip
        return y.squeeze(0) if alone else y


class InstanceNorm1d(_InstanceNorm):
    """Each channel of each sample by its own mean and variance: input (N, C, L) or (C, L)."""

    ranks = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Each channel of each picture by its own mean and variance: input (N, C, H, W)."""

    ranks = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """Each channel of each sample by its own mean and variance: input (N, C, D, H, W)."""

    ranks = (4, 5)


class _LazyNormalization(LazyModuleMixin, _Normalization):
    """A normalization that learns its num_features from its first input."""

    def __init__(
        self, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True, device: Any = None, dtype: Any = None, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(0, eps, momentum, False, False, device, dtype)
        self.affine, self.track_running_stats = affine, track_running_stats
        if affine:
            self.weight = UninitializedParameter(dtype=dtype)
            if bias:
                self.bias = UninitializedParameter(dtype=dtype)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(dtype=dtype)
            self.running_var = UninitializedBuffer(dtype=dtype)
            self.num_batches_tracked = tensor(0, dtype=int64)

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.num_features:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor, *_: Any, **__: Any) -> None:
        if not self.has_uninitialized_params():
            return
        batched = not isinstance(self, _InstanceNorm) or input.ndim == self.ranks[-1]
        self.num_features = int(input.shape[1 if batched else 0])
        for name in ("weight", "bias", "running_mean", "running_var"):
            value = getattr(self, name)
            if value is not None:
                value.materialize((self.num_features,))
        self.reset_parameters()


class LazyBatchNorm1d(_LazyNormalization, BatchNorm1d):
    """A BatchNorm1d that learns its num_features from its first input."""

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LazyNormalization, BatchNorm2d):
    """A BatchNorm2d that learns its num_features from its first input."""

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(_LazyNormalization, BatchNorm3d):
    """A BatchNorm3d that learns its num_features from its first input."""

    cls_to_become = BatchNorm3d


class LazyInstanceNorm1d(_LazyNormalization, InstanceNorm1d):
    """An InstanceNorm1d that learns its num_features from its first input."""

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(_LazyNormalization, InstanceNorm2d):
    """An InstanceNorm2d that learns its num_features from its first input."""

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(_LazyNormalization, InstanceNorm3d):
    """An InstanceNorm3d that learns its num_features from its first input."""

    cls_to_become = InstanceNorm3d


class LayerNorm(Module):
    """Over the last axes, by their own mean and variance.

    >>> import suanzi
    >>> LayerNorm(10)(suanzi.randn(20, 5, 10)).shape
    suanzi.Size([20, 5, 10])
    """

    def __init__(
        self, normalized_shape: Any, eps: float = 1e-5, elementwise_affine: bool = True,
        bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        whole = isinstance(normalized_shape, int)
        self.normalized_shape = (normalized_shape,) if whole else tuple(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.weight: Parameter | None
        self.bias: Parameter | None
        if elementwise_affine:
            self.weight = Parameter(empty(*self.normalized_shape, device=device, dtype=dtype))
        else:
            self.register_parameter("weight", None)
        if elementwise_affine and bias:
            self.bias = Parameter(empty(*self.normalized_shape, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """input (*, *normalized_shape)"""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """Over the last axes, by the root of the mean of their squares."""

    def __init__(
        self, normalized_shape: Any, eps: float | None = None, elementwise_affine: bool = True,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        whole = isinstance(normalized_shape, int)
        self.normalized_shape = (normalized_shape,) if whole else tuple(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.weight: Parameter | None
        if elementwise_affine:
            self.weight = Parameter(empty(*self.normalized_shape, device=device, dtype=dtype))
        else:
            self.register_parameter("weight", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """x (*, *normalized_shape)"""
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class GroupNorm(Module):
    """Groups of channels of each sample, by their own mean and variance.

    >>> import suanzi
    >>> GroupNorm(3, 6)(suanzi.randn(20, 6, 10, 10)).shape
    suanzi.Size([20, 6, 10, 10])
    """

    def __init__(
        self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True,
        device: Any = None, dtype: Any = None, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise SuanziError(
                "the channels don't divide into the groups", input="num_channels",
                expected=f"a multiple of num_groups, {num_groups}", found=num_channels,
            )  # fmt: skip
        self.num_groups, self.num_channels = num_groups, num_channels
        self.eps, self.affine = eps, affine
        self.weight: Parameter | None
        self.bias: Parameter | None
        self.register_parameter("weight", None)
        self.register_parameter("bias", None)
        if affine:
            self.weight = Parameter(empty(num_channels, device=device, dtype=dtype))
            if bias:
                self.bias = Parameter(empty(num_channels, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """input (N, C, *)"""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LocalResponseNorm(Module):
    """x / (k + alpha/size · Σ of the neighbouring channels' squares)^beta"""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        """input (N, C, *)"""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CrossMapLRN2d(LocalResponseNorm):
    """LocalResponseNorm over pictures."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> None:
        super().__init__(size, alpha, beta, k)
