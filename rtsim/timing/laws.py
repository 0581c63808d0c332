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
    from rtsim.timing.profiles import Samples

Floats = NDArray[np.float64]


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
    def upper(self) -> float:
        """Smallest bound of the durations, seconds; ``inf`` for an unbounded law."""
        raise NotImplementedError

    def cdf(self, t: float) -> float:
        """P(T <= t) for t in seconds."""
        raise NotImplementedError

    def limited_mean(self, t: float) -> float:
        """E[min(T, t)] = ∫₀^t (1 − F(u)) du, seconds, for t >= 0 in seconds."""
        raise NotImplementedError

    def draw(self, uniforms: Floats, first: int = 0) -> Floats:
        """Durations for uniforms in [0, 1).

        Parameters
        ----------
        uniforms : float64, shape (n,)
        first : int
            Index of the first of these n draws in its stream; laws that change over time use it.

        Returns
        -------
        float64, shape (n,), seconds
        """
        raise NotImplementedError

    def component(self, uniforms: Floats, first: int = 0) -> NDArray[np.int8]:
        """Which part of a mixture each uniform falls in, int8, shape (n,); 0 for other laws."""
        return np.zeros(len(uniforms), dtype=np.int8)

    def quantile(self, q: float) -> float:
        """Smallest t, to the nanosecond, with F(t) >= q, seconds, for q in [0, 1].

        Found by bisection on the distribution function unless a subclass knows better.
        """
        _check_probability(q)
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
        _check_time("constant time", self.value, zero=True)

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
        _check_probability(q)
        return self.value

    def draw(self, uniforms: Floats, first: int = 0) -> Floats:
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
        _check_probability(q)
        return float(self.frozen.ppf(q))

    def draw(self, uniforms: Floats, first: int = 0) -> Floats:
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
        _check_time("lognorm mean", self.mean_s)
        _check_cv("lognorm", self.cv)

    @property
    def sigma(self) -> float:
        """Standard deviation of ln T."""
        return math.sqrt(math.log1p(self.cv**2))

    @cached_property
    def frozen(self) -> Any:
        from scipy import stats

        return stats.lognorm(s=self.sigma, scale=self.mean_s * math.exp(-(self.sigma**2) / 2))

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
        return f"lognorm(mean={units.spell(self.mean_s)}, cv={self.cv:g})"


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
        _check_time("gamma mean", self.mean_s)
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
        return f"gamma(mean={units.spell(self.mean_s)}, cv={self.cv:g})"


@dataclass(frozen=True)
class Uniform(ScipyLaw):
    """Uniform between two durations.

    >>> Uniform(0.06, 0.1).quantile(0.25)
    0.07
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_time("uniform low", self.low, zero=True)
        _check_time("uniform high", self.high)
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
        _check_time("exp mean", self.mean_s)

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
        _check_time("pareto mean", self.mean_s)
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
        return f"pareto(mean={units.spell(self.mean_s)}, alpha={self.alpha:g})"


@dataclass(frozen=True)
class Scaled(Law):
    """Another law with every duration multiplied by a factor > 0."""

    law: Law
    factor: float

    def __post_init__(self) -> None:
        if not (self.factor > 0 and math.isfinite(self.factor)):
            raise InvalidValue(f"scale factor {self.factor:g} must be finite and > 0")

    @property
    def spells(self) -> Contention | None:  # type: ignore[override]
        return self.law.spells

    @property
    def mean(self) -> float:
        return self.factor * self.law.mean

    @property
    def upper(self) -> float:
        return self.factor * self.law.upper

    def cdf(self, t: float) -> float:
        return self.law.cdf(t / self.factor)

    def limited_mean(self, t: float) -> float:
        return self.factor * self.law.limited_mean(t / self.factor)

    def quantile(self, q: float) -> float:
        return self.factor * self.law.quantile(q)

    def draw(self, uniforms: Floats, first: int = 0) -> Floats:
        return self.factor * self.law.draw(uniforms, first)

    def component(self, uniforms: Floats, first: int = 0) -> NDArray[np.int8]:
        return self.law.component(uniforms, first)

    def __str__(self) -> str:
        return f"scaled({self.law}, factor={self.factor:g})"


@dataclass(frozen=True)
class Mixture(Law):
    """One of several laws, each with its probability, drawn anew every time.

    The uniform that picks the part is stretched to draw from it, so one uniform makes one
    duration. An ε-greedy policy is ``mixture(0.5: 1us, 0.5: lognorm(mean=84ms, cv=0.02))``.

    >>> Mixture((0.5, 0.5), (Constant(0.0), Constant(1.0))).mean
    0.5
    """

    weights: tuple[float, ...]
    laws: tuple[Law, ...]

    def __post_init__(self) -> None:
        if len(self.laws) < 2 or len(self.laws) != len(self.weights) or len(self.laws) > 127:
            raise InvalidValue('a mixture needs 2 to 127 weighted laws; write e.g. "mixture(0.5: 1us, 0.5: 84ms)"')
        if not all(0 <= w <= 1 for w in self.weights) or abs(sum(self.weights) - 1) > 1e-9:
            shown = ", ".join(f"{w:g}" for w in self.weights)
            raise InvalidValue(f"mixture weights {shown} must lie in 0..1 and sum to 1 (sum {sum(self.weights):g})")
        _no_spells("mixture", self.laws)

    @property
    def mean(self) -> float:
        return sum(w * law.mean for w, law in zip(self.weights, self.laws, strict=True))

    @property
    def upper(self) -> float:
        return max(law.upper for w, law in zip(self.weights, self.laws, strict=True) if w > 0)

    def cdf(self, t: float) -> float:
        return sum(w * law.cdf(t) for w, law in zip(self.weights, self.laws, strict=True))

    def limited_mean(self, t: float) -> float:
        return sum(w * law.limited_mean(t) for w, law in zip(self.weights, self.laws, strict=True))

    def component(self, uniforms: Floats, first: int = 0) -> NDArray[np.int8]:
        edges = np.cumsum(self.weights)[:-1]
        return np.searchsorted(edges, uniforms, side="right").astype(np.int8)

    def draw(self, uniforms: Floats, first: int = 0) -> Floats:
        edges = np.concatenate([[0.0], np.cumsum(self.weights)])
        parts = self.component(uniforms, first)
        result = np.empty(len(uniforms))
        for index, law in enumerate(self.laws):
            chosen = parts == index
            if chosen.any():
                width = edges[index + 1] - edges[index]
                inner = np.clip((uniforms[chosen] - edges[index]) / width, 0.0, np.nextafter(1.0, 0.0))
                result[chosen] = law.draw(inner, first)
        return result

    def __str__(self) -> str:
        return "mixture(" + ", ".join(f"{w:g}: {law}" for w, law in zip(self.weights, self.laws, strict=True)) + ")"


@dataclass(frozen=True)
class Annealed(Law):
    """ε annealing: the first law with a probability that moves linearly from ``start`` to ``end``.

    The probability is a function of how many inferences the worker has made; after ``over``
    of them it stays. Mean, quantiles and limited mean are those of the final state.
    """

    first_law: Law
    then: Law
    start: float
    end: float
    over: int

    def __post_init__(self) -> None:
        for name, value in (("start", self.start), ("end", self.end)):
            if not 0 <= value <= 1:
                raise InvalidValue(f"anneal {name} {value:g} is a probability and must lie in 0..1")
        if self.over < 1:
            raise InvalidValue(f"anneal over {self.over} must be >= 1 inference")
        _no_spells("anneal", (self.first_law, self.then))

    @cached_property
    def final(self) -> Mixture:
        """The mixture at the end of annealing."""
        return Mixture((self.end, 1 - self.end), (self.first_law, self.then))

    @property
    def mean(self) -> float:
        return self.final.mean

    @property
    def upper(self) -> float:
        return max(self.first_law.upper, self.then.upper)

    def cdf(self, t: float) -> float:
        return self.final.cdf(t)

    def limited_mean(self, t: float) -> float:
        return self.final.limited_mean(t)

    def _weight(self, n: int, first: int) -> Floats:
        progress = np.minimum(np.arange(first, first + n) / self.over, 1.0)
        return np.asarray(self.start + (self.end - self.start) * progress, dtype=np.float64)

    def component(self, uniforms: Floats, first: int = 0) -> NDArray[np.int8]:
        return (uniforms >= self._weight(len(uniforms), first)).astype(np.int8)

    def draw(self, uniforms: Floats, first: int = 0) -> Floats:
        weight = self._weight(len(uniforms), first)
        early = uniforms < weight
        result = np.empty(len(uniforms))
        below_one = np.nextafter(1.0, 0.0)
        if early.any():
            result[early] = self.first_law.draw(np.clip(uniforms[early] / weight[early], 0.0, below_one), first)
        if not early.all():
            late = ~early
            inner = (uniforms[late] - weight[late]) / (1 - weight[late])
            result[late] = self.then.draw(np.clip(inner, 0.0, below_one), first)
        return result

    def __str__(self) -> str:
        return f"anneal({self.first_law}, {self.then}, start={self.start:g}, end={self.end:g}, over={self.over})"


@dataclass(frozen=True)
class Empirical(Law):
    """Draws from measured samples with replacement.

    >>> Empirical((0.08, 0.09, 0.10)).limited_mean(0.085)
    0.08333333333333333
    """

    samples: tuple[float, ...]
    name: str = ""

    def __post_init__(self) -> None:
        if not self.samples:
            raise InvalidValue("an empirical law needs at least one sample, e.g. empirical(80ms, 84ms)")
        for value in self.samples:
            _check_time("sample", value, zero=True)

    @classmethod
    def of(cls, samples: Samples, name: str) -> Law:
        """The law of a profile's samples; one sample alone is a constant."""
        return cls(tuple(s / 1e9 for s in samples.samples_ns), name)

    @cached_property
    def ordered(self) -> Floats:
        """The samples in ascending order, float64, shape (n,), seconds."""
        return np.sort(np.array(self.samples, dtype=np.float64))

    @property
    def mean(self) -> float:
        return float(self.ordered.mean())

    @property
    def upper(self) -> float:
        return float(self.ordered[-1])

    def cdf(self, t: float) -> float:
        return float(np.searchsorted(self.ordered, t, side="right")) / len(self.ordered)

    def limited_mean(self, t: float) -> float:
        return float(np.minimum(self.ordered, t).mean())

    def quantile(self, q: float) -> float:
        _check_probability(q)
        return float(self.ordered[max(math.ceil(q * len(self.ordered)) - 1, 0)])

    def draw(self, uniforms: Floats, first: int = 0) -> Floats:
        return np.asarray(self.ordered[(uniforms * len(self.ordered)).astype(np.int64)], dtype=np.float64)

    def __str__(self) -> str:
        return self.name or "empirical(" + ", ".join(units.spell(s) for s in self.samples) + ")"


@dataclass(frozen=True)
class Contention(Law):
    """Another law whose workers all slow down together for a while.

    Calm and slow spells alternate, each of exponential length (means ``calm`` and ``slow``);
    a duration that *starts* in a slow spell is ``factor`` times longer. The spells depend on
    the seed and on time alone, so every worker and every algorithm meets the same ones.

    Mean, quantiles and limited mean are time averages: those of an inference started at a
    random time, slow with probability slow/(calm + slow).

    >>> Contention(Constant(0.1), factor=2.0, calm=9.0, slow=1.0).mean
    0.11000000000000001
    """

    law: Law
    factor: float
    calm: float
    slow: float

    def __post_init__(self) -> None:
        if not (1 <= self.factor <= 1000):
            raise InvalidValue(f"contention factor {self.factor:g} must lie in 1..1000; give e.g. factor=2")
        for name, value in (("calm", self.calm), ("slow", self.slow)):
            _check_time(f"contention {name}", value)
            if value < 1e-6:
                raise InvalidValue(f"contention {name} {units.show(value)} must be at least 1 us on average")
        _no_spells("contention", (self.law,))

    @property
    def spells(self) -> Contention:  # type: ignore[override]
        return self

    @property
    def permille(self) -> int:
        """The factor in thousandths: the clocks multiply in integers."""
        return round(self.factor * 1000)

    @cached_property
    def average(self) -> Mixture:
        """The mixture that an inference started at a random time draws from."""
        share = self.slow / (self.calm + self.slow)
        return Mixture((1 - share, share), (self.law, self.law.scaled(self.permille / 1000)))

    @property
    def mean(self) -> float:
        return self.average.mean

    @property
    def upper(self) -> float:
        return self.average.upper

    def cdf(self, t: float) -> float:
        return self.average.cdf(t)

    def limited_mean(self, t: float) -> float:
        return self.average.limited_mean(t)

    def draw(self, uniforms: Floats, first: int = 0) -> Floats:
        return self.law.draw(uniforms, first)

    def component(self, uniforms: Floats, first: int = 0) -> NDArray[np.int8]:
        return self.law.component(uniforms, first)

    def __str__(self) -> str:
        calm, slow = units.spell(self.calm), units.spell(self.slow)
        return f"contention({self.law}, factor={self.factor:g}, calm={calm}, slow={slow})"


def _check_time(what: str, value: float, zero: bool = False) -> None:
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


def _check_probability(q: float) -> None:
    if not 0 <= q <= 1:
        raise InvalidValue(f"quantile {q:g} must lie in 0..1")


def _no_spells(name: str, laws: tuple[Law, ...]) -> None:
    if any(law.spells is not None for law in laws):
        raise InvalidValue(f"contention(...) must be the outermost law; write contention({name}(...), factor=2, ...)")
