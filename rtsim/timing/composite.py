"""Laws made of other laws, and laws made of samples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rtsim.errors import InvalidValue
from rtsim.timing import units
from rtsim.timing.laws import Floats, Index, Law, check_probability, check_time

if TYPE_CHECKING:
    from rtsim.timing.profiles import Samples


def indices(first: Index, n: int) -> NDArray[np.int64]:
    """The index of each of n draws in its stream."""
    return np.arange(first, first + n, dtype=np.int64) if isinstance(first, int) else first


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
    def least_mean(self) -> float:
        return self.factor * self.law.least_mean

    @property
    def upper(self) -> float:
        return self.factor * self.law.upper

    def cdf(self, t: float) -> float:
        return self.law.cdf(t / self.factor)

    def limited_mean(self, t: float) -> float:
        return self.factor * self.law.limited_mean(t / self.factor)

    def quantile(self, q: float) -> float:
        return self.factor * self.law.quantile(q)

    def draw(self, uniforms: Floats, first: Index = 0) -> Floats:
        return self.factor * self.law.draw(uniforms, first)

    def component(self, uniforms: Floats, first: Index = 0) -> NDArray[np.int8]:
        return self.law.component(uniforms, first)

    def __str__(self) -> str:
        return f"scaled({self.law}, factor={units.exact(self.factor)})"


@dataclass(frozen=True)
class Mixture(Law):
    """One of several laws, each with its probability, drawn anew every time.

    The uniform that picks the part is stretched to draw from it, so one uniform makes one
    duration. An ε-greedy policy is ``mixture(0.5: 1us, 0.5: lognorm(mean=84ms, cv=0.02))``.

    >>> from rtsim.timing import Constant
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
    def least_mean(self) -> float:
        return sum(w * law.least_mean for w, law in zip(self.weights, self.laws, strict=True))

    @property
    def upper(self) -> float:
        return max(law.upper for w, law in zip(self.weights, self.laws, strict=True) if w > 0)

    def cdf(self, t: float) -> float:
        return sum(w * law.cdf(t) for w, law in zip(self.weights, self.laws, strict=True))

    def limited_mean(self, t: float) -> float:
        return sum(w * law.limited_mean(t) for w, law in zip(self.weights, self.laws, strict=True))

    def component(self, uniforms: Floats, first: Index = 0) -> NDArray[np.int8]:
        edges = np.cumsum(self.weights)[:-1]
        return np.searchsorted(edges, uniforms, side="right").astype(np.int8)

    def draw(self, uniforms: Floats, first: Index = 0) -> Floats:
        edges = np.concatenate([[0.0], np.cumsum(self.weights)])
        parts = self.component(uniforms, first)
        result = np.empty(len(uniforms))
        for index, law in enumerate(self.laws):
            chosen = parts == index
            if chosen.any():
                width = edges[index + 1] - edges[index]
                inner = np.clip((uniforms[chosen] - edges[index]) / width, 0.0, np.nextafter(1.0, 0.0))
                result[chosen] = law.draw(inner, indices(first, len(uniforms))[chosen])
        return result

    def __str__(self) -> str:
        return (
            "mixture("
            + ", ".join(f"{units.exact(w)}: {law}" for w, law in zip(self.weights, self.laws, strict=True))
            + ")"
        )


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
    def least_mean(self) -> float:
        first, then = self.first_law.least_mean, self.then.least_mean
        return min(w * first + (1 - w) * then for w in (self.start, self.end))

    @property
    def upper(self) -> float:
        return max(self.first_law.upper, self.then.upper)

    def cdf(self, t: float) -> float:
        return self.final.cdf(t)

    def limited_mean(self, t: float) -> float:
        return self.final.limited_mean(t)

    def _weight(self, n: int, first: Index) -> Floats:
        progress = np.minimum(indices(first, n) / self.over, 1.0)
        return np.asarray(self.start + (self.end - self.start) * progress, dtype=np.float64)

    def component(self, uniforms: Floats, first: Index = 0) -> NDArray[np.int8]:
        return (uniforms >= self._weight(len(uniforms), first)).astype(np.int8)

    def draw(self, uniforms: Floats, first: Index = 0) -> Floats:
        weight = self._weight(len(uniforms), first)
        index = indices(first, len(uniforms))
        early = uniforms < weight
        result = np.empty(len(uniforms))
        below_one = np.nextafter(1.0, 0.0)
        if early.any():
            result[early] = self.first_law.draw(np.clip(uniforms[early] / weight[early], 0.0, below_one), index[early])
        if not early.all():
            late = ~early
            inner = (uniforms[late] - weight[late]) / (1 - weight[late])
            result[late] = self.then.draw(np.clip(inner, 0.0, below_one), index[late])
        return result

    def __str__(self) -> str:
        start, end = units.exact(self.start), units.exact(self.end)
        return f"anneal({self.first_law}, {self.then}, start={start}, end={end}, over={self.over})"


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
            check_time("sample", value, zero=True)

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
        check_probability(q)
        # q · n of a decimal q can come out a little above a whole number; F(t) >= q has the last word.
        rank = max(math.ceil(q * len(self.ordered)) - 1, 0)
        if rank > 0 and rank / len(self.ordered) >= q:
            rank -= 1
        return float(self.ordered[rank])

    def draw(self, uniforms: Floats, first: Index = 0) -> Floats:
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

    >>> from rtsim.timing import Constant
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
            check_time(f"contention {name}", value)
            if value < 1e-6:
                raise InvalidValue(f"contention {name} {units.show(value)} must be at least 1 us on average")
        _no_spells("contention", (self.law,))
        # What is kept is what is simulated: the clocks multiply in thousandths.
        object.__setattr__(self, "factor", self.permille / 1000)

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
    def least_mean(self) -> float:
        """One over (share of calm time / mean + share of slow time / slowed mean).

        Slow spells hold fewer draws than their share of time; all the fewer the longer the
        spells are against the draws, which is the limit taken here.
        """
        share, mean = self.slow / (self.calm + self.slow), self.law.least_mean
        return 0.0 if mean == 0 else mean / (1 - share + share * 1000 / self.permille)

    @property
    def upper(self) -> float:
        return self.average.upper

    def cdf(self, t: float) -> float:
        return self.average.cdf(t)

    def limited_mean(self, t: float) -> float:
        return self.average.limited_mean(t)

    def draw(self, uniforms: Floats, first: Index = 0) -> Floats:
        return self.law.draw(uniforms, first)

    def component(self, uniforms: Floats, first: Index = 0) -> NDArray[np.int8]:
        return self.law.component(uniforms, first)

    def __str__(self) -> str:
        calm, slow = units.spell(self.calm), units.spell(self.slow)
        return f"contention({self.law}, factor={units.exact(self.factor)}, calm={calm}, slow={slow})"


def _no_spells(name: str, laws: tuple[Law, ...]) -> None:
    if any(law.spells is not None for law in laws):
        raise InvalidValue(f"contention(...) must be the outermost law; write contention({name}(...), factor=2, ...)")


def draws_exploration(law: Law) -> bool:
    """Whether the times of a law say which actions are random: those drawn from the first component of a mixture.

    An ε-greedy policy needs no inference for them, so they take a shorter time (Riemer et al. 2025, Fig. 7).
    """
    inner = getattr(law, "law", None)  # slow spells, or a factor, around it
    return draws_exploration(inner) if isinstance(inner, Law) else isinstance(law, Mixture | Annealed)
