"""Connectionist temporal classification: how probable a text is when nobody says which step of a
sequence wrote which of its letters.
"""

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._checks import require_dtype, require_shape, widen
from suanzi.operators._operator import Array, Example, Operator, TensorType, operator, require

logsum = functools.partial(np.logaddexp.reduce, axis=0)


class Paths(NamedTuple):
    """The places that a path goes through: a blank, a letter, a blank, ..., the last blank."""

    classes: Array
    """[N, 2·S + 1], the class that is written at each place."""
    skips: Array
    """Whether a path may come from two places before: to a letter unlike the one before it."""
    ends: Array
    """Whether a path may end at a place: at the last letter, or at the blank after it."""

    def forward(self, before: Array) -> Array:
        """The sums of probabilities at the places that lead to each place."""
        one, two = _shifted(before, 1), _shifted(before, 2)
        return np.asarray(logsum([before, one, np.where(self.skips, two, -np.inf)]))

    def backward(self, after: Array) -> Array:
        """The sums of probabilities at the places that each place leads to."""
        two = np.where(self.skips, after, -np.inf)
        return np.asarray(logsum([after, _shifted(after, -1), _shifted(two, -2)]))


def _shifted(x: Array, by: int) -> Array:
    """x[:, s - by], -∞ outside."""
    out = np.full_like(x, -np.inf)
    out[:, max(by, 0) : x.shape[1] + min(by, 0)] = x[:, max(-by, 0) : x.shape[1] + min(-by, 0)]
    return out


@dataclass(frozen=True, kw_only=True)
class PathLoss(Operator):
    """log_probs [T, N, C], logarithms of probabilities; targets [N, S], or [Σ target_lengths] one
    after another, letters other than `blank`; input_lengths and target_lengths [N].

    Source: https://www.cs.toronto.edu/~graves/icml_2006.pdf,
    https://docs.pytorch.org/docs/stable/generated/torch.nn.CTCLoss.html
    """

    blank: int = 0
    zero_infinity: int = 0

    def check(
        self,
        log_probs: TensorType,
        targets: TensorType,
        input_lengths: TensorType,
        target_lengths: TensorType,
    ) -> None:
        require_shape(log_probs, (None,) * 3, "log_probs")
        N, C = (None, None) if log_probs.shape is None else log_probs.shape[1:]
        if isinstance(C, int) and not 0 <= self.blank < C:
            raise SuanziError("no such blank", expected=f"from 0 to {C - 1}", found=self.blank)
        require(targets.rank in (1, 2, None), "wrong rank", "targets", "1 or 2 axes", targets)
        if targets.rank == 2:
            require_shape(targets, (N, None), "targets")
        require_shape(input_lengths, (N,), "input_lengths")
        require_shape(target_lengths, (N,), "target_lengths")

    def paths(self, targets: Array, lengths: Array, C: int) -> Paths:
        """The places of the paths that write the targets."""
        longest = int(lengths.max(initial=0))
        inside = np.arange(longest) < lengths[:, None]
        expected = "lengths that fit targets"
        if targets.ndim == 1:
            require(lengths.sum() <= targets.size, "too long", "target_lengths", expected, lengths)
            rows = np.zeros(inside.shape, targets.dtype)
            rows[inside] = targets[: lengths.sum()]
        else:
            fits = longest <= targets.shape[1] and lengths.min(initial=0) >= 0
            require(fits, "too long", "target_lengths", expected, lengths)
            rows = targets[:, :longest]
        known = (rows >= 0) & (rows < C) | ~inside
        require(known.all(), "no such class", "targets", f"from 0 to {C - 1}", rows[~known][:1])
        classes = np.full((len(lengths), 2 * longest + 1), self.blank)
        classes[:, 1::2] = np.where(inside, rows, self.blank)
        skips = np.zeros(classes.shape, bool)
        skips[:, 2:] = (classes[:, 2:] != self.blank) & (classes[:, 2:] != classes[:, :-2])
        s, last = np.arange(classes.shape[1]), 2 * lengths[:, None]
        return Paths(classes, skips, (s == last) | (s == last - 1))

    @staticmethod
    def emissions(log_probs: Array, paths: Paths) -> Array:
        """[T, N, 2·S + 1]: log_probs of the class at each place."""
        return np.take_along_axis(log_probs, paths.classes[None], 2)

    @staticmethod
    def alphas(emissions: Array, paths: Paths, lengths: Array) -> Array:
        """[T + 1, N, 2·S + 1]: what all ways to each place have written after so many steps."""
        T = len(emissions)
        fits = lengths.min(initial=0) >= 0 and lengths.max(initial=0) <= T
        require(fits, "wrong lengths", "input_lengths", f"from 0 to {T}", lengths)
        alphas = np.full((T + 1, *paths.classes.shape), -np.inf, emissions.dtype)
        alphas[0, :, 0] = 0  # before the first step: from here to the first blank, or letter
        for t in range(T):
            new = paths.forward(alphas[t]) + emissions[t]
            alphas[t + 1] = np.where((t < lengths)[:, None], new, alphas[t])
        return alphas

    @classmethod
    def data(cls) -> tuple[Array, ...]:
        logits = np.sin(np.arange(60, dtype=np.float32)).reshape(5, 3, 4) * 2
        log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        targets = np.array([[1, 1, 3], [2, 0, 0], [3, 2, 1]])
        return log_probs, targets, np.array([5, 4, 5]), np.array([2, 1, 3])


@operator(family="loss", torch="nn.CTCLoss")
class CTCLoss(PathLoss):
    """loss[n] = -log Σ Π_t p[t, n, path[t]] over the paths of input_lengths[n] steps that read as
    the target once repeated classes are one and blanks are gone.

    With α the sums over the ways to each place of blank, letter, blank, ..., blank, loss [N] is
    that of the last two places: α_t[s] = p_t[s] · (α[s] + α[s - 1] + α[s - 2]), the last where
    place s has a letter that isn't that of s - 2. If zero_infinity, 0 where no path fits.
    log_probs [T, N, C], targets [N, S] or one after another, input_lengths and target_lengths [N].

    Its gradient is PyTorch's: that of the numbers whose log_softmax is log_probs.
    """

    def infer(
        self,
        log_probs: TensorType,
        targets: TensorType,
        input_lengths: TensorType,
        target_lengths: TensorType,
    ) -> TensorType:
        self.check(log_probs, targets, input_lengths, target_lengths)
        return TensorType(log_probs.dtype, None if not log_probs.shape else log_probs.shape[1:2])

    def numpy(
        self, log_probs: Array, targets: Array, input_lengths: Array, target_lengths: Array
    ) -> Array:
        paths = self.paths(targets, target_lengths, log_probs.shape[2])
        emissions = self.emissions(widen(log_probs), paths)
        last = self.alphas(emissions, paths, input_lengths)[-1]
        loss = -np.logaddexp.reduce(np.where(paths.ends, last, -np.inf), 1)
        if self.zero_infinity:
            loss = np.where(np.isinf(loss), 0, loss)
        return np.asarray(loss).astype(log_probs.dtype)

    def grad(
        self,
        dloss: Any,
        loss: Any,
        log_probs: Any,
        targets: Any,
        input_lengths: Any,
        target_lengths: Any,
    ) -> tuple[Any, ...]:
        back = CTCLossGradient(**vars(self))
        lengths = (input_lengths, target_lengths)
        return lambda: back(dloss, loss, log_probs, targets, *lengths), None, None, None

    @classmethod
    def examples(cls) -> list[Example]:
        log_probs, targets, steps, letters = cls.data()
        flat = np.array([1, 1, 2, 3, 2, 1])
        return [
            Example(cls(), (log_probs, targets, steps, letters)),
            Example(cls(blank=0, zero_infinity=1), (log_probs, flat, steps - 3, letters)),
        ]


@operator(family="loss")
class CTCLossGradient(PathLoss):
    """dx[t, n, c] = dloss[n] · (p[t, n, c] - q[t, n, c]), q being the share that the paths which
    write class c at step t have of all; 0 from input_lengths[n] on. The gradient of CTCLoss for the
    numbers x whose log_softmax is log_probs.

    With α as in CTCLoss, and β the sums over the ways on from each place, q is the sum of
    α · β / Σ over the places with class c.
    """

    def infer(
        self,
        dloss: TensorType,
        loss: TensorType,
        log_probs: TensorType,
        targets: TensorType,
        input_lengths: TensorType,
        target_lengths: TensorType,
    ) -> TensorType:
        self.check(log_probs, targets, input_lengths, target_lengths)
        for name, t in (("dloss", dloss), ("loss", loss)):
            require_dtype(t, log_probs.dtype, name)
            if log_probs.shape is not None:
                require_shape(t, log_probs.shape[1:2], name)
        return TensorType(log_probs.dtype, log_probs.shape)

    def numpy(
        self,
        dloss: Array,
        loss: Array,
        log_probs: Array,
        targets: Array,
        input_lengths: Array,
        target_lengths: Array,
    ) -> Array:
        x = widen(log_probs)
        paths = self.paths(targets, target_lengths, x.shape[2])
        emissions = self.emissions(x, paths)
        alphas = self.alphas(emissions, paths, input_lengths)
        likelihood: Array = np.logaddexp.reduce(np.where(paths.ends, alphas[-1], -np.inf), 1)
        possible = np.isfinite(likelihood)
        whole = np.where(possible, likelihood, 0)[:, None]
        dx = np.zeros(x.shape, x.dtype)
        ends = np.where(paths.ends, x.dtype.type(0), -np.inf)
        betas, rows = np.full_like(ends, -np.inf), np.arange(len(ends))[:, None]
        for t in range(len(x) - 1, -1, -1):
            betas = np.where(np.equal(input_lengths, t + 1)[:, None], ends, betas)
            np.subtract.at(dx[t], (rows, paths.classes), np.exp(alphas[t + 1] + betas - whole))
            betas = paths.backward(betas + emissions[t])
        scale = widen(dloss)
        scale = np.where(possible, scale, scale.dtype.type(0 if self.zero_infinity else np.nan))
        running = np.arange(len(x))[:, None] < input_lengths
        made = np.where(running[..., None], (np.exp(x) + dx) * scale[:, None], 0)
        return made.astype(log_probs.dtype)

    @classmethod
    def examples(cls) -> list[Example]:
        inputs = cls.data()
        return [
            Example(cls(), (np.array([1, -1, 0.5], np.float32), CTCLoss().numpy(*inputs), *inputs))
        ]
