"""torch.nn.functional on Suanzi's operators."""

from suanzi.nn.functional.activation import *  # noqa: F403
from suanzi.nn.functional.convolution import *  # noqa: F403
from suanzi.nn.functional.dropout import *  # noqa: F403
from suanzi.nn.functional.linear import *  # noqa: F403
from suanzi.nn.functional.normalization import *  # noqa: F403
from suanzi.nn.functional.pooling import *  # noqa: F403
