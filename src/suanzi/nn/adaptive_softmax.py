"""A softmax over many classes of which few are frequent."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from suanzi.errors import SuanziError
from suanzi.nn import functional as F  # noqa: N812  (everybody's name for it)
from suanzi.nn.containers import ModuleList, Sequential
from suanzi.nn.functional._reduction import known
from suanzi.nn.linear import Linear
from suanzi.nn.module import Module
from suanzi.tensor import Tensor, cat, where


class ASMoutput(NamedTuple):
    """Each target's logarithm of probability, and the mean of their negatives."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """log_softmax over n_classes, sorted by falling frequency: a head for those below the first
    cutoff and for each cluster of the others, and for each cluster a smaller tail.

    Source: https://arxiv.org/abs/1609.04309
    """

    def __init__(
        self, in_features: int, n_classes: int, cutoffs: Sequence[int], div_value: float = 4.0,
        head_bias: bool = False, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        cutoffs = list(cutoffs)
        whole = all(int(c) == c for c in cutoffs)
        if not cutoffs or not whole or sorted({*cutoffs, 0, n_classes}) != [0, *cutoffs, n_classes]:
            raise SuanziError(
                "wrong cutoffs", input="cutoffs", found=cutoffs,
                expected=f"rising whole numbers from 1 to {n_classes - 1}",
            )  # fmt: skip
        self.in_features, self.n_classes = in_features, n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size, self.n_clusters = cutoffs[0], len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, head_bias, dtype=dtype)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            hidden = int(in_features // div_value ** (i + 1))
            size = self.cutoffs[i + 1] - self.cutoffs[i]
            first = Linear(in_features, hidden, False, dtype=dtype)
            self.tail.append(Sequential(first, Linear(hidden, size, False, dtype=dtype)))

    def reset_parameters(self) -> None:
        """Draws all parameters anew."""
        self.head.reset_parameters()
        for i in range(self.n_clusters):
            self.tail[i][0].reset_parameters()
            self.tail[i][1].reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> ASMoutput:
        """input (N, in_features) and target (N), or (in_features) and ().

        Every cluster is computed for all rows: which target lies where isn't known beforehand.
        """
        if target_.ndim > 1 or input_.ndim != target_.ndim + 1:
            raise SuanziError("wrong rank", input="target", found=tuple(target_.shape),
                              expected="(N) beside an input (N, in), () beside (in)")  # fmt: skip
        if target_.ndim and input_.shape[0] != target_.shape[0]:
            raise SuanziError("the target doesn't fit the input", input="target",
                              expected=(input_.shape[0],), found=tuple(target_.shape))  # fmt: skip
        values = known(target_)
        if values is not None and ((values < 0) | (values >= self.n_classes)).any():  # type: ignore[operator]
            raise SuanziError("no such class", input="target", found=values,
                              expected=f"0 to {self.n_classes - 1}")  # fmt: skip
        alone = not target_.ndim
        x = input_.unsqueeze(0) if alone else input_
        y = target_.unsqueeze(0) if alone else target_
        head, places, output = F.log_softmax(self.head(x), 1), y, x.new_zeros(y.shape)
        for i, (start, end) in enumerate(zip(self.cutoffs, self.cutoffs[1:], strict=False)):
            inside = (y >= start) & (y < end)
            places = where(inside, self.shortlist_size + i, places)
            found = F.log_softmax(self.tail[i](x), 1)
            column = where(inside, y - start, 0).unsqueeze(1)
            output = where(inside, found.gather(1, column).squeeze(1), output)
        output = output + head.gather(1, places.unsqueeze(1)).squeeze(1)
        return ASMoutput(output.squeeze(0) if alone else output, -output.mean())

    def log_prob(self, input: Tensor) -> Tensor:
        """The logarithms of all classes' probabilities, (N, n_classes)."""
        head = F.log_softmax(self.head(input), 1)
        parts = [head[:, : self.shortlist_size]]
        for i in range(self.n_clusters):
            cluster = head[:, self.shortlist_size + i].unsqueeze(1)
            parts.append(F.log_softmax(self.tail[i](input), 1) + cluster)
        return cat(parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class of each row, (N)."""
        return self.log_prob(input).argmax(1)  # type: ignore[no-any-return]
