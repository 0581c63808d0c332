"""Statistics of a Schedule, by way of exact integer tallies.

A tally holds integers only, so that it does not matter who counted: two clocks that make the
same Schedule make the same tally, and the same tally makes the same numbers to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Tally:
    """What was counted from the end of the warm-up on; all integers.

    Attributes
    ----------
    steps, used, released, overwritten, dropped : int
        Environment steps; steps on which the agent acted; actions released, replaced before
        use, thrown away.
    gaps, gap_ns, gap_ns_squared, gap_steps, gap_steps_squared : int
        Number of intervals between agent steps; their sums and sums of squares.
    delay_counts : int64 array, shape (longest delay + 1,)
        Agent steps by delay in steps.
    transitions, updates, staleness, age : int
        Transitions learned from; updates landed; sum of their staleness; sum over agent steps
        of the updates landed since their inference started.
    learned : bool
        Whether any update landed in the whole run (without, there is no parameter age).
    horizon_ns : int
        Start of the last step; what the busy times are shares of.
    busy_ns, learner_busy_ns : tuple of int
    longest_inference_ns, pending : int
        Over the whole run.
    """

    steps: int
    used: int
    released: int
    overwritten: int
    dropped: int
    gaps: int
    gap_ns: int
    gap_ns_squared: int
    gap_steps: int
    gap_steps_squared: int
    transitions: int
    updates: int
    staleness: int
    age: int
    learned: bool
    horizon_ns: int
    busy_ns: tuple[int, ...]
    learner_busy_ns: tuple[int, ...]
    longest_inference_ns: int
    pending: int
    delay_counts: NDArray[np.int64] = field(compare=False)

    def statistics(self) -> Statistics:
        """The tally as means, variances and shares."""
        used, gaps = self.used, self.gaps
        horizon = max(self.horizon_ns, 1)

        def mean(total: int, count: int, unit: int = 1) -> float | None:
            return float(Fraction(total, count * unit)) if count else None

        def variance(total: int, squares: int, unit: int = 1) -> float | None:
            if not gaps:
                return None
            return float((Fraction(squares, gaps) - Fraction(total, gaps) ** 2) / unit**2)

        def share(busy: tuple[int, ...]) -> float:
            return float(Fraction(sum(busy), horizon * len(busy))) if busy else 0.0

        delays = int((self.delay_counts * np.arange(len(self.delay_counts))).sum())
        return Statistics(
            steps=self.steps,
            inaction_fraction=float(Fraction(self.steps - used, self.steps)),
            interaction_time_s=mean(self.gap_ns, gaps, 10**9),
            interaction_time_var_s2=variance(self.gap_ns, self.gap_ns_squared, 10**9),
            interaction_steps=mean(self.gap_steps, gaps),
            interaction_steps_var=variance(self.gap_steps, self.gap_steps_squared),
            delay_steps_mean=mean(delays, used),
            delay_steps_p50=percentile_of_counts(self.delay_counts, 50),
            delay_steps_p99=percentile_of_counts(self.delay_counts, 99),
            overwritten_fraction=mean(self.overwritten, self.released) or 0.0,
            released=self.released,
            used=used,
            overwritten=self.overwritten,
            dropped=self.dropped,
            worker_utilisation=share(self.busy_ns),
            learner_utilisation=share(self.learner_busy_ns),
            transitions_per_step=float(Fraction(self.transitions, self.steps)),
            update_staleness_mean=mean(self.staleness, self.updates),
            parameter_age_updates_mean=mean(self.age, used) if self.learned else None,
        )


def percentile_of_counts(counts: NDArray[np.int64], percent: int) -> int | None:
    """Smallest value whose cumulative count reaches ``percent`` per cent; values are 0, 1, 2, …

    >>> percentile_of_counts(np.array([0, 98, 2]), 99)
    2
    """
    cumulative = np.cumsum(counts)
    if len(cumulative) == 0 or cumulative[-1] == 0:
        return None
    needed = -(-percent * int(cumulative[-1]) // 100)
    return int(np.searchsorted(cumulative, needed, side="left"))


def sum_of_squares(values: NDArray[np.int64]) -> int:
    """Exact sum of squares of non-negative int64 values below 2**62, by 31-bit halves.

    >>> sum_of_squares(np.array([3, 2**40]))
    1208925819614629174706185
    """
    high, low = values >> 31, values & (2**31 - 1)

    def exact(products: NDArray[np.int64]) -> int:
        return (int((products >> 32).sum()) << 32) + int((products & (2**32 - 1)).sum())

    return (exact(high * high) << 62) + (exact(high * low) << 32) + exact(low * low)


@dataclass(frozen=True)
class Statistics:
    """Summary of one Schedule after its warm-up. Fractions are of environment steps or actions.

    Attributes
    ----------
    steps : int
        Environment steps counted.
    inaction_fraction : float
        Share of steps on which the default policy acted.
    interaction_time_s, interaction_time_var_s2 : float or None
        Mean (s) and variance (s²) of the time between steps on which the agent acted; None
        with fewer than two of them.
    interaction_steps, interaction_steps_var : float or None
        The same in environment steps.
    delay_steps_mean, delay_steps_p50, delay_steps_p99 : float or None
        Step an action applied to minus step of its observation.
    overwritten_fraction : float
        Share of released actions replaced before use.
    released, used, overwritten, dropped : int
        Counts of actions in the counted steps.
    worker_utilisation, learner_utilisation : float
        Share of time, over the whole run, spent inferring or learning, mean over processes.
    transitions_per_step : float
        Transitions learned from per environment step.
    update_staleness_mean : float or None
        Updates landed between reading the parameters and landing.
    parameter_age_updates_mean : float or None
        Updates landed between an inference's start and the step its action applied to.
    """

    steps: int
    inaction_fraction: float
    interaction_time_s: float | None
    interaction_time_var_s2: float | None
    interaction_steps: float | None
    interaction_steps_var: float | None
    delay_steps_mean: float | None
    delay_steps_p50: int | None
    delay_steps_p99: int | None
    overwritten_fraction: float
    released: int
    used: int
    overwritten: int
    dropped: int
    worker_utilisation: float
    learner_utilisation: float
    transitions_per_step: float
    update_staleness_mean: float | None
    parameter_age_updates_mean: float | None
