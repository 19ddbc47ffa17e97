"""Elements moved between the channels and the picture, and between groups of channels."""

import functools

from suanzi.errors import SuanziError
from suanzi.nn.functional._arguments import require_tensor
from suanzi.operators import ChannelShuffle, DepthToSpace, SpaceToDepth
from suanzi.operators._operator import Operator
from suanzi.tensor import Tensor, apply

_wider = functools.partial(DepthToSpace, mode="CRD")
_deeper = functools.partial(SpaceToDepth, mode="CRD")


def _picture(input: Tensor) -> None:
    require_tensor(input)
    if input.ndim < 3:
        raise SuanziError("wrong rank", input="input", expected="at least 3 axes",
                          found=tuple(input.shape))  # fmt: skip


def _of_pictures(operator: Operator, input: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """The operator on pictures with any number of axes before (C, H, W)."""
    flat = input if input.ndim == 4 else input.reshape(-1, *input.shape[-3:])
    if input.numel() == 0:
        return input.reshape(*input.shape[:-3], *sizes)  # type: ignore[no-any-return]
    return apply(operator, flat).reshape(*input.shape[:-3], *sizes)  # type: ignore[no-any-return]


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(*, C·r², H, W) to (*, C, H·r, W·r): r² channels make a block of each place.

    >>> import suanzi
    >>> pixel_shuffle(suanzi.arange(4).reshape(4, 1, 1), 2).tolist()
    [[[0, 1], [2, 3]]]
    """
    _picture(input)
    C, H, W = input.shape[-3:]
    r = upscale_factor
    if r < 1:
        raise SuanziError("wrong upscale_factor", input="upscale_factor", expected="1 or more",
                          found=r)  # fmt: skip
    if C % (r * r):
        raise SuanziError("the channels don't make blocks", input="input", found=C,
                          expected=f"a multiple of {r * r} channels")  # fmt: skip
    return _of_pictures(_wider(blocksize=r), input, (C // (r * r), H * r, W * r))


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(*, C, H·r, W·r) to (*, C·r², H, W): pixel_shuffle's inverse."""
    _picture(input)
    C, H, W = input.shape[-3:]
    r = downscale_factor
    if r < 1:
        raise SuanziError("wrong downscale_factor", input="downscale_factor",
                          expected="1 or more", found=r)  # fmt: skip
    if H % r or W % r:
        raise SuanziError("the picture doesn't divide into blocks", input="input", found=(H, W),
                          expected=f"height and width multiples of {r}")  # fmt: skip
    return _of_pictures(_deeper(blocksize=r), input, (C * r * r, H // r, W // r))


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """One channel of each group in turn: input (N, C, *)."""
    _picture(input)
    C = input.shape[1]
    if groups < 1 or C % groups:
        raise SuanziError("the channels don't divide into groups", input="groups", found=groups,
                          expected=f"a divisor of {C}, the input's channels")  # fmt: skip
    return apply(ChannelShuffle(group=groups), input)  # type: ignore[no-any-return]


native_channel_shuffle = channel_shuffle
