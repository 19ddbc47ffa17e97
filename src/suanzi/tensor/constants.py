"""Numbers, and names of memory formats, that PyTorch has in its namespace."""

import math

e, inf, nan, pi, newaxis = math.e, math.inf, math.nan, math.pi, None

# There is one layout and one order of memory here: the names are taken, and mean nothing.
strided = "strided"
contiguous_format, channels_last, channels_last_3d, preserve_format = (
    "contiguous_format", "channels_last", "channels_last_3d", "preserve_format",
)  # fmt: skip

__all__ = [
    "channels_last", "channels_last_3d", "contiguous_format", "e", "inf", "nan", "newaxis", "pi",
    "preserve_format", "strided",
]  # fmt: skip
