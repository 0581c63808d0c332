"""Means with confidence intervals over seeds or runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Interval = tuple[float, float]


class Estimate(NamedTuple):
    """A mean, and its 95 % confidence interval, None where there is but one value.

    >>> found = mean_ci95([1.0, 2.0, 3.0])
    >>> found.mean, [round(x, 3) for x in found.ci95]
    (2.0, [-0.484, 4.484])
    """

    mean: float
    ci95: Interval | None


def mean_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, Interval | None]:
    """Mean and Student t interval of independent values, 95 % by default; no interval for fewer than two.

    >>> mean, interval = mean_interval([1.0, 2.0, 3.0])
    >>> mean, tuple(round(x, 3) for x in interval)
    (2.0, (-0.484, 4.484))
    """
    data = np.asarray(values, dtype=np.float64)
    mean = float(data.mean())
    if len(data) < 2:
        return mean, None
    from scipy.special import stdtrit

    half = float(stdtrit(len(data) - 1, (1 + level) / 2) * data.std(ddof=1) / np.sqrt(len(data)))
    return mean, (mean - half, mean + half)


def mean_ci95(values: Sequence[float]) -> Estimate:
    """:func:`mean_interval` at 95 %."""
    return Estimate(*mean_interval(values))


def fraction_ci95(values: Sequence[float]) -> Estimate:
    """:func:`mean_ci95` with the interval cut to 0..1, where fractions live."""
    mean, interval = mean_interval(values)
    return Estimate(mean, None if interval is None else (max(interval[0], 0.0), min(interval[1], 1.0)))
