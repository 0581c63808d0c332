"""Laws: how long an inference, an update or an environment step takes.

A law turns uniform numbers into durations (inverse transform), so that algorithms compared
on the same uniforms meet the same luck. Each knows its mean, its quantiles and the limited
mean ∫₀^t (1 − F(u)) du, on which the theory of unsynchronised workers rests.

The distributions are ``scipy.stats`` frozen distributions, imported when first needed.
All times are float seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rtsim.errors import InvalidValue
from rtsim.timing import units

if TYPE_CHECKING:
    from rtsim.timing.composite import Contention

Floats = NDArray[np.float64]
Index = int | NDArray[np.int64]


class Law:
    """Base of all laws: a distribution of non-negative durations in seconds.

    Subclasses give ``mean``, ``upper``, ``cdf``, ``limited_mean``, ``draw`` and ``__str__``.
    """

    #: Spells of slowness shared by all workers, or None. See :class:`Contention`.
    spells: Contention | None = None

    @property
    def mean(self) -> float:
        """Expected duration, seconds."""
        raise NotImplementedError

    @property
    def least_mean(self) -> float:
        """Mean time per draw in whatever state makes it shortest, seconds.

        A worker that draws again and again makes at most one draw per ``least_mean`` in the
        long run; the mean, unless the law changes over time.
        """
        return self.mean

    @property
    def upper(self) -> float:
        """Smallest bound of the durations, seconds; ``inf`` for an unbounded law."""
        raise NotImplementedError

    def cdf(self, t: float) -> float:
        """P(T <= t) for t in seconds."""
        raise NotImplementedError

    def limited_mean(self, t: float) -> float:
        """E[min(T, t)] = ∫₀^t (1 − F(u)) du, seconds, for t >= 0 in seconds."""
        raise NotImplementedError

    def draw(self, uniforms: Floats, first: Index = 0) -> Floats:
        """Durations for uniforms in [0, 1), each on its own: no draw depends on its neighbours.

        Parameters
        ----------
        uniforms : float64, shape (n,)
        first : int, or int64, shape (n,)
            Index in their stream of the first of n draws in a row, or of each; laws that
            change over time use it.

        Returns
        -------
        float64, shape (n,), seconds
        """
        raise NotImplementedError

    def component(self, uniforms: Floats, first: Index = 0) -> NDArray[np.int8]:
        """Which part of a mixture each uniform falls in, int8, shape (n,); 0 for other laws."""
        return np.zeros(len(uniforms), dtype=np.int8)

    def quantile(self, q: float) -> float:
        """Smallest t, to the nanosecond, with F(t) >= q, seconds, for q in [0, 1].

        Found by bisection on the distribution function unless a subclass knows better.
        """
        check_probability(q)
        if q == 1:
            return self.upper
        low, high = -1, 1
        while self.cdf(high / 1e9) < q:
            high *= 2
            if high > units.MAX_DURATION_NS:
                return math.inf
        while high - low > 1:
            middle = (low + high) // 2
            if self.cdf(middle / 1e9) >= q:
                high = middle
            else:
                low = middle
        return high / 1e9

    def scaled(self, factor: float) -> Law:
        """This law with every duration multiplied by ``factor``."""
        from rtsim.timing.composite import Scaled

        return self if factor == 1 else Scaled(self, factor)

    def __str__(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True)
class Constant(Law):
    """Always the same duration.

    >>> Constant(0.084).limited_mean(0.02)
    0.02
    """

    value: float

    def __post_init__(self) -> None:
        check_time("constant time", self.value, zero=True)

    @property
    def mean(self) -> float:
        return self.value

    @property
    def upper(self) -> float:
        return self.value

    def cdf(self, t: float) -> float:
        return float(t >= self.value)

    def limited_mean(self, t: float) -> float:
        return min(self.value, t)

    def quantile(self, q: float) -> float:
        check_probability(q)
        return self.value

    def draw(self, uniforms: Floats, first: Index = 0) -> Floats:
        return np.full(len(uniforms), self.value)

    def __str__(self) -> str:
        return units.spell(self.value)


class ScipyLaw(Law):
    """A law given by a frozen ``scipy.stats`` distribution; subclasses add the limited mean."""

    @cached_property
    def frozen(self) -> Any:
        """The frozen scipy.stats distribution."""
        raise NotImplementedError

    @property
    def mean(self) -> float:
        return float(self.frozen.mean())

    @property
    def upper(self) -> float:
        return float(self.frozen.support()[1])

    def cdf(self, t: float) -> float:
        return float(self.frozen.cdf(t))

    def quantile(self, q: float) -> float:
        check_probability(q)
        return float(self.frozen.ppf(q))

    def draw(self, uniforms: Floats, first: Index = 0) -> Floats:
        return np.asarray(self.frozen.ppf(uniforms), dtype=np.float64)


@dataclass(frozen=True)
class Lognormal(ScipyLaw):
    """Lognormal by its mean and coefficient of variation (standard deviation / mean).

    The limited mean is the limited expected value of Klugman, Panjer & Willmot, *Loss
    Models*, Appendix A: m Φ((ln t − μ − σ²)/σ) + t (1 − F(t)).

    >>> law = Lognormal(0.084, 0.02)
    >>> round(law.mean, 12), round(law.quantile(0.5), 6)
    (0.084, 0.083983)
    """

    mean_s: float
    cv: float

    def __post_init__(self) -> None:
        check_time("lognorm mean", self.mean_s)
        _check_cv("lognorm", self.cv)

    @property
    def sigma(self) -> float:
        """Standard deviation of ln T."""
        return math.sqrt(math.log1p(self.cv**2))

    @property
    def median(self) -> float:
        """Median, seconds: mean · exp(−σ²/2)."""
        return self.mean_s * math.exp(-(self.sigma**2) / 2)

    @cached_property
    def frozen(self) -> Any:
        from scipy import stats

        return stats.lognorm(s=self.sigma, scale=self.median)

    def draw(self, uniforms: Floats, first: Index = 0) -> Floats:
        # The frozen ppf is this same formula behind a tenth of a millisecond of argument checks.
        from scipy.special import ndtri

        return np.asarray(self.median * np.exp(self.sigma * ndtri(uniforms)), dtype=np.float64)

    @property
    def mean(self) -> float:
        return self.mean_s

    def limited_mean(self, t: float) -> float:
        from scipy.special import ndtr

        if t <= 0:
            return 0.0
        z = (math.log(t / self.mean_s) + self.sigma**2 / 2) / self.sigma
        return float(self.mean_s * ndtr(z - self.sigma) + t * ndtr(-z))

    def __str__(self) -> str:
        return f"lognorm(mean={units.spell(self.mean_s)}, cv={units.exact(self.cv)})"


@dataclass(frozen=True)
class Gamma(ScipyLaw):
    """Gamma by its mean and coefficient of variation: shape a = 1/cv².

    Limited mean (*Loss Models*, Appendix A): m P(a+1, t/θ) + t (1 − P(a, t/θ)) with P the
    regularised incomplete gamma function.

    >>> round(Gamma(0.084, 0.3).limited_mean(1e9), 12)
    0.084
    """

    mean_s: float
    cv: float

    def __post_init__(self) -> None:
        check_time("gamma mean", self.mean_s)
        _check_cv("gamma", self.cv)

    @cached_property
    def frozen(self) -> Any:
        from scipy import stats

        return stats.gamma(a=self.cv**-2, scale=self.mean_s * self.cv**2)

    @property
    def mean(self) -> float:
        return self.mean_s

    def limited_mean(self, t: float) -> float:
        from scipy.special import gammainc

        shape, x = self.cv**-2, t / (self.mean_s * self.cv**2)
        return float(self.mean_s * gammainc(shape + 1, x) + t * (1 - gammainc(shape, x)))

    def __str__(self) -> str:
        return f"gamma(mean={units.spell(self.mean_s)}, cv={units.exact(self.cv)})"


@dataclass(frozen=True)
class Uniform(ScipyLaw):
    """Uniform between two durations.

    >>> Uniform(0.06, 0.1).quantile(0.25)
    0.07
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        check_time("uniform low", self.low, zero=True)
        check_time("uniform high", self.high)
        if self.high <= self.low:
            raise InvalidValue(
                f"uniform high {units.show(self.high)} must be above low {units.show(self.low)}; "
                'write e.g. "uniform(60ms, 100ms)"'
            )

    @cached_property
    def frozen(self) -> Any:
        from scipy import stats

        return stats.uniform(loc=self.low, scale=self.high - self.low)

    def limited_mean(self, t: float) -> float:
        if t <= self.low:
            return t
        inside = min(t, self.high)
        return inside - (inside - self.low) ** 2 / (2 * (self.high - self.low))

    def __str__(self) -> str:
        return f"uniform({units.spell(self.low)}, {units.spell(self.high)})"


@dataclass(frozen=True)
class Exponential(ScipyLaw):
    """Exponential (memoryless) with a given mean.

    >>> round(Exponential(1.0).limited_mean(1.0), 6)
    0.632121
    """

    mean_s: float

    def __post_init__(self) -> None:
        check_time("exp mean", self.mean_s)

    @cached_property
    def frozen(self) -> Any:
        from scipy import stats

        return stats.expon(scale=self.mean_s)

    @property
    def mean(self) -> float:
        return self.mean_s

    def limited_mean(self, t: float) -> float:
        return -self.mean_s * math.expm1(-t / self.mean_s)

    def __str__(self) -> str:
        return f"exp(mean={units.spell(self.mean_s)})"


@dataclass(frozen=True)
class Pareto(ScipyLaw):
    """Pareto (type I) with a given mean and tail exponent ``alpha`` > 1: a heavy tail.

    Durations start at m = mean (alpha − 1)/alpha; ∫₀^t (1 − F) = m + ∫_m^t (m/u)^alpha du.

    >>> round(Pareto(0.084, 2.5).quantile(0.0), 6)
    0.0504
    """

    mean_s: float
    alpha: float

    def __post_init__(self) -> None:
        check_time("pareto mean", self.mean_s)
        if not (self.alpha > 1 and math.isfinite(self.alpha)):
            raise InvalidValue(f"pareto alpha {self.alpha:g} must be > 1, or the mean is infinite; give e.g. alpha=2.5")

    @property
    def scale(self) -> float:
        """Smallest duration, seconds."""
        return self.mean_s * (self.alpha - 1) / self.alpha

    @cached_property
    def frozen(self) -> Any:
        from scipy import stats

        return stats.pareto(b=self.alpha, scale=self.scale)

    @property
    def mean(self) -> float:
        return self.mean_s

    def limited_mean(self, t: float) -> float:
        m, a = self.scale, self.alpha
        return t if t <= m else m + m / (a - 1) * (1 - (m / t) ** (a - 1))

    def __str__(self) -> str:
        return f"pareto(mean={units.spell(self.mean_s)}, alpha={units.exact(self.alpha)})"


def check_time(what: str, value: float, zero: bool = False) -> None:
    """Raise InvalidValue unless a duration is finite, not negative, not zero (unless allowed) and below 1e6 s."""
    if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        rule = "finite and >= 0" if zero else "finite and > 0"
        raise InvalidValue(f'{what} {value:g} s must be {rule}; give e.g. "84ms"')
    if value * 1e9 > units.MAX_DURATION_NS:
        raise InvalidValue(f"{what} {value:g} s is above the longest duration of 1e6 s (11.6 days)")


def _check_cv(name: str, cv: float) -> None:
    if not (math.isfinite(cv) and 1e-6 <= cv <= 100):
        raise InvalidValue(
            f'{name} cv {cv:g} (standard deviation / mean) must lie in 1e-6..100; a constant time is written "84ms"'
        )


def check_probability(q: float) -> None:
    """Raise InvalidValue unless q is in 0..1."""
    if not 0 <= q <= 1:
        raise InvalidValue(f"quantile {q:g} must lie in 0..1")
