"""Padding: elements put around a tensor, or cut away."""

from collections.abc import Sequence

import numpy as np

from suanzi.errors import SuanziError
from suanzi.nn.functional._arguments import require_tensor
from suanzi.operators import Pad
from suanzi.tensor import Tensor, apply, leaf

MODES = {
    "constant": Pad(),
    "reflect": Pad(mode="reflect"),
    "replicate": Pad(mode="edge"),
    "circular": Pad(mode="wrap"),
}


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """Puts elements around the last axes, `pad` beginning with the last one: (before, after, ...).

    They are the value (0), or the input's own: mirrored ("reflect"), the outermost repeated
    ("replicate"), or those of the other end ("circular"). A negative number cuts away.

    >>> import suanzi
    >>> pad(suanzi.tensor([[1, 2, 3]]), (1, 2), "reflect").tolist()
    [[2, 1, 2, 3, 2, 1]]
    """
    require_tensor(input)
    if mode not in MODES:
        raise SuanziError("wrong mode", input="mode", expected=", ".join(MODES), found=mode)
    amounts = tuple(int(p) for p in pad)
    shape = tuple(input._value.shape)
    axes = len(amounts) // 2
    if len(amounts) % 2 or axes > len(shape):
        raise SuanziError("wrong pad", input="pad", found=amounts,
                          expected=f"two numbers for each of up to {len(shape)} axes")  # fmt: skip
    if mode != "constant":
        if value:
            raise SuanziError("a value is for constant padding alone", input="value",
                              expected="None", found=value)  # fmt: skip
        if axes not in (1, 2, 3) or not axes < len(shape) <= axes + 2:
            raise SuanziError(
                f"{mode} padding is for 1 to 3 spatial axes, all of them", input="pad",
                expected="two numbers for each axis after (N, C) or (C)", found=amounts,
            )  # fmt: skip
    ends = list(zip(amounts[::2], amounts[1::2], strict=True))[::-1]  # from the first axis
    sizes = shape[len(shape) - axes :]
    for size, around in zip(sizes, ends, strict=True):
        _require_room(size, around, mode, shape)
    if mode != "constant" and 0 in shape[-axes - 1 :]:
        raise SuanziError("nothing to repeat", input="input", expected="sizes above 0", found=shape)
    if not any(amounts):
        return input.clone()  # type: ignore[no-any-return]
    places = np.arange(len(shape) - axes, len(shape))
    numbers = np.array(ends, np.int64).T.reshape(-1)
    if mode in ("reflect", "replicate") and numbers.min(initial=0) < 0 < numbers.max(initial=0):
        # What is cut away is mirrored all the same.
        whole = apply(MODES[mode], input, numbers.clip(0), None, places)
        return apply(MODES["constant"], whole, numbers.clip(None, 0), None, places)  # type: ignore[no-any-return]
    filler = leaf(np.asarray(value, input._value.dtype)) if value else None
    return apply(MODES[mode], input, numbers, filler, places)  # type: ignore[no-any-return]


def _require_room(size: int, around: tuple[int, int], mode: str, shape: tuple[int, ...]) -> None:
    """That an axis has what is to be put around it, and something is left of it."""
    before, after = around
    most = {"reflect": size - 1, "circular": size}.get(mode)
    if most is not None and max(around) > most:
        raise SuanziError("too much padding", input="pad", found=around,
                          expected=f"at most {most} for an axis of {size} of {shape}")  # fmt: skip
    left = size + before + after
    if left < 0 or (mode != "constant" and left < 1):
        raise SuanziError("more is cut away than there is", input="pad", found=around,
                          expected=f"less than an axis of {size} of {shape}")  # fmt: skip
