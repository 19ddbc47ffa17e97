"""Vector mathematics in the kernel language: what an operator's formula calls.

Every function is straight code: no branch, no table, special values by selects. The largest error
over all of float32 (tests/lang/test_mathematics.py holds it) is given in units in the last place
(ulp): a correctly rounded function has 0.5. Where a processor has no fused multiply-add the error
may be larger; then both numbers are given.

The polynomials are minimax (Remez's exchange, in 50 digits, for the relative error of the
function) and were computed for this file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from suanzi.lang.trace import Trace
from suanzi.lang.values import Lanes, Mask

INF, NAN = math.inf, math.nan
TINY = 2.0**-126  # the smallest normal number
SIGN = -(1 << 31)  # the sign's bit

ROUND = 1.5 * 2.0**23
"""Added to a number below 2^22, it rounds it to a whole one, which the sum's low bits then hold."""
BIAS = 127  # 2^n has n + BIAS in the bits from 23 on
LOG2_E = math.log2(math.e)
LN2_HIGH, LN2_LOW = 0.693359375, -2.1219444005469058e-4
"""ln 2 in two parts; the first has so few bits that its product with an exponent is exact."""

# (exp(r) - 1 - r) / r² for |r| ≤ ln 2 / 2: exp(r) - 1 within 2^-26.2 of itself.
EXP = (0.5, 0.1666654348373413, 0.04166628047823906, 0.00836661085486412, 0.001394649618305266)
# (log(1 + f) - f + f²/2) / f³ for |f| ≤ 1/3: log(1 + f) within 2^-27.6 of itself.
LOG = (
    0.33333224058151245,
    -0.24999688565731049,
    0.20010043680667877,
    -0.16685466468334198,
    0.14010930061340332,
    -0.12115110456943512,
    0.13962402939796448,
    -0.1319173276424408,
)
# erf(x)/x - 1 of x² for |x| ≤ 1: erf within 2^-29.6.
ERF_NEAR = (
    0.12837910652160645,
    -0.3761262595653534,
    0.1128358542919159,
    -0.026853812858462334,
    0.005188327748328447,
    -0.0008010194287635386,
    7.85386364441365e-05,
)
# -log(1 - erf(x)) for 1 ≤ x ≤ ERF_END, beyond which erf is 1: erf within 2^-29.7.
ERF_END = 3.925
ERF_FAR = (
    0.00033940820139832795,
    1.127097487449646,
    0.6381315588951111,
    0.10311789065599442,
    -0.0218432005494833,
    0.002948894863948226,
    -0.0001865004887804389,
)
# (atanh(s)/s - 1) / s² of s² for s² ≤ (3 - 2√2)²: within 2^-37 of atanh(s)/s.
ATANH = (0.3333333134651184, 0.20000167191028595, 0.14268654584884644, 0.11791062355041504)
TWO_OVER_LN2 = 2 / math.log(2)
TWO_OVER_LN2_HIGH = 2.884765625  # twelve bits
# (2^r - 1) / r for |r| ≤ 1/2: 2^r within 2^-29.
EXP2 = (
    0.6931471824645996,
    0.24022650718688965,
    0.055503278970718384,
    0.009618003852665424,
    0.001340026967227459,
    0.00015476299449801445,
)


class VectorMathematics:
    """The operators' Mathematics, on vectors in registers."""

    def __init__(self, k: Trace) -> None:
        self.k = k

    def exp(self, x: Lanes) -> Lanes:
        """e to the power of x, subnormal results included; error ≤ 1.04 ulp."""
        x = self.minimum(self.maximum(x, -104), 89)  # 0 and infinity are beyond these
        if self.k.scales:
            return self._scaled_exp(x)
        rounded, r = self._whole_and_rest(x, 2 * BIAS)
        return _scaled(1 + self._exp_minus_1(r), rounded)

    def exp_below_zero(self, x: Lanes) -> Lanes:
        """The same for x ≤ 0, in fewer instructions."""
        x = self.maximum(x, -104)
        if self.k.scales:
            return self._scaled_exp(x)
        # 2^25 times the power is a normal number.
        rounded, r = self._whole_and_rest(x, BIAS + 25)
        return (1 + self._exp_minus_1(r)) * _power(rounded) * 2.0**-25

    def log(self, x: Lanes) -> Lanes:
        """The natural logarithm; NaN below 0; error ≤ 0.81 ulp."""
        subnormal = x < TINY
        bits = self.where(subnormal, x * 2.0**23, x).bits()
        # x = 2^n · (1 + f), 2/3 ≤ 1 + f < 4/3
        n = (bits - self.k.fill(2 / 3).bits()) >> 23
        f = (bits - (n << 23)).from_bits() - 1
        exponent = n.to_float() - self.where(subnormal, 23, 0)
        square = f * f
        rest = square * f * self._polynomial(LOG, f) + exponent * LN2_LOW - 0.5 * square
        y = exponent * LN2_HIGH + (f + rest)
        y = self.where(x > 0, y, self.where(x == 0, -INF, NAN))
        return self.where(x == INF, x, y)

    def tanh(self, x: Lanes) -> Lanes:
        """E / (E + 2), E = exp(2·|x|) - 1, with the sign of x; error ≤ 2.5 ulp."""
        rounded, r = self._whole_and_rest(self.minimum(self.abs(x), 9.02) * 2, BIAS)
        power = _power(rounded)
        e = self._exp_minus_1(r) * power + (power - 1)
        return self._signed(e / (e + 2), x.bits())

    def erf(self, x: Lanes) -> Lanes:
        """The error function; error ≤ 1.9 ulp, without fused multiply-add 2.2."""
        size = self.minimum(self.abs(x), ERF_END)
        square = size * size
        near = self.k.fma(size, self._polynomial(ERF_NEAR, square), size)
        rounded, r = self._whole_and_rest(-self._polynomial(ERF_FAR, size), BIAS)
        far = 1 - (1 + self._exp_minus_1(r)) * _power(rounded)
        return self._signed(self.where(size > 1, far, near), x.bits())

    def sigmoid(self, x: Lanes) -> Lanes:
        """1 / (1 + exp(-x)), and exp(x) / (1 + exp(x)) below 0; error ≤ 2.3 ulp."""
        e = self.exp_below_zero(-self.abs(x))
        return self.where(x < 0, e, 1) / (1 + e)

    def pow(self, x: Lanes, y: Lanes | float) -> Lanes:
        """x to the power of y, with the special values of C's powf; error ≤ 6.5 ulp, which
        results near the ends of the range meet; within 2^±20 it is ≤ 2 ulp.
        """
        if not isinstance(y, Lanes):
            if y == 2:
                return x * x
            if y == 3:
                return x * x * x
            y = x.like(y)
        size = self.abs(x)
        high, low = self._log2(size)
        # The product in two parts. Where it isn't small, it is only its sign that matters.
        log = self.where(size < INF, self.where(size == 0, -INF, high + low), size)
        plain = y * log
        small = self.abs(plain) < 1000
        log_high, y_high = _twelve_bits(log), _twelve_bits(y)
        log_low = (high - log_high) + low
        tail = self.where(small, (y - y_high) * log_high + y * log_low, 0)
        head = self.where(small, y_high * log_high, plain)
        head = self.minimum(self.maximum(head, -160), 160)
        rounded = (head + tail) + (ROUND + 2 * BIAS)
        r = (head - (rounded - (ROUND + 2 * BIAS))) + tail
        z = _scaled(1 + r * self._polynomial(EXP2, r), rounded.bits())
        z = self.where(size == 1, 1, z)
        whole, half = self.floor(y) == y, 0.5 * y
        odd = whole & (self.floor(half) != half)
        z = self._signed(z, self.where(odd, x, 0).bits())
        z = self.where((x < 0) & (size < INF) & ~whole, NAN, z)
        return self.where((x == 1) | (y == 0), 1, z)

    def sqrt(self, x: Lanes) -> Lanes:
        return self.k.unary("llvm.sqrt", x)

    def abs(self, x: Lanes) -> Lanes:
        return self.k.unary("llvm.fabs", x)

    def floor(self, x: Lanes) -> Lanes:
        return self.k.unary("llvm.floor", x)

    def ceil(self, x: Lanes) -> Lanes:
        return self.k.unary("llvm.ceil", x)

    def round(self, x: Lanes) -> Lanes:
        return self.k.unary("llvm.rint", x)

    def divide(self, x: Lanes, y: Lanes) -> Lanes:
        return x / y

    def where(self, condition: Mask, x: Lanes | float, y: Lanes | float) -> Lanes:
        a = x if isinstance(x, Lanes) else self.k.fill(x)
        b = y if isinstance(y, Lanes) else self.k.fill(y)
        return self.k.select(condition, a, b)  # type: ignore[no-any-return]

    def maximum(self, x: Lanes | float, y: Lanes | float) -> Lanes:
        return self._extreme("max", x, y)

    def minimum(self, x: Lanes | float, y: Lanes | float) -> Lanes:
        return self._extreme("min", x, y)

    def _extreme(self, how: str, x: Lanes | float, y: Lanes | float) -> Lanes:
        if not isinstance(x, Lanes):
            x, y = y, x
        assert isinstance(x, Lanes)
        if isinstance(y, Lanes):
            return self.k.combine(how, x, y)
        # With a number the comparison that NaN fails keeps x: one instruction.
        number = x.like(y)
        wins = number > x if how == "max" else number < x
        return self.k.select(wins, number, x)  # type: ignore[no-any-return]

    def _polynomial(self, coefficients: Sequence[float], x: Lanes) -> Lanes:
        """Σ coefficients[i] · x^i, by Horner's rule."""
        y = x.like(coefficients[-1])
        for c in coefficients[-2::-1]:
            y = self.k.fma(y, x, x.like(c))
        return y

    def _whole_and_rest(self, x: Lanes, bias: int) -> tuple[Lanes, Lanes]:
        """x = n · ln 2 + r, |r| ≤ ln 2 / 2: the bits of ROUND + n + bias, and r."""
        rounded = x * LOG2_E + (ROUND + bias)
        n = rounded - (ROUND + bias)
        return rounded.bits(), (x - n * LN2_HIGH) - n * LN2_LOW

    def _scaled_exp(self, x: Lanes) -> Lanes:
        """exp, where the processor scales by powers of two."""
        n = self.round(x * LOG2_E)
        r = (x - n * LN2_HIGH) - n * LN2_LOW
        return self.k.scale(1 + self._exp_minus_1(r), n)

    def _exp_minus_1(self, r: Lanes) -> Lanes:
        """exp(r) - 1 for |r| ≤ ln 2 / 2."""
        return self.k.fma(r * r, self._polynomial(EXP, r), r)

    def _log2(self, x: Lanes) -> tuple[Lanes, Lanes]:
        """The logarithm to the base 2 of finite x > 0 as a sum of two numbers, to 2^-30."""
        subnormal = x < TINY
        bits = self.where(subnormal, x * 2.0**23, x).bits()
        # x = 2^n · m, √½ ≤ m < √2; log m = 2·atanh(s), s = (m - 1) / (m + 1)
        n = (bits - self.k.fill(math.sqrt(0.5)).bits()) >> 23
        m = (bits - (n << 23)).from_bits()
        exponent = n.to_float() - self.where(subnormal, 23, 0)
        under = m + 1
        s = (m - 1) / under
        # s in two parts: products of twelve bits by twelve are exact.
        s_high, under_high = _twelve_bits(s), _twelve_bits(under)
        under_low = m - (under_high - 1)
        s_low = (((m - 1) - s_high * under_high) - s_high * under_low) / under
        square = s * s
        tail = s_low + s * (square * self._polynomial(ATANH, square))
        high = s_high * TWO_OVER_LN2_HIGH
        low = s_high * (TWO_OVER_LN2 - TWO_OVER_LN2_HIGH) + tail * TWO_OVER_LN2
        total = exponent + high
        return total, (high - (total - exponent)) + low

    def _signed(self, x: Lanes, bits: Lanes) -> Lanes:
        """x ≥ 0 with the sign that the bits have."""
        return (x.bits() | (bits & SIGN)).from_bits()


def _scaled(x: Lanes, rounded: Lanes) -> Lanes:
    """x · 2^n, given the bits of ROUND + n + 2·BIAS: by two powers, as one may be out of range."""
    half = rounded >> 1
    return x * _power(half) * _power(rounded - half)


def _power(biased: Lanes) -> Lanes:
    """2^n, given n + BIAS in the low nine bits; what is above them is shifted out."""
    return (biased << 23).from_bits()


def _twelve_bits(x: Lanes) -> Lanes:
    """x cut to its twelve leading bits."""
    return (x.bits() & -(1 << 12)).from_bits()
